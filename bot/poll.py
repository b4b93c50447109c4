"""Telegram without a public address, and the bot's own set-up."""

from __future__ import annotations

import asyncio

import structlog

from bot import conversation, telegram, wiring
from bot.logs import where
from bot.settings import Settings
from bot.wiring import Parts
from dialogs.phrases import say

log = structlog.get_logger()

COMMANDS = ("help", "back", "skip", "repeat", "language", "menu", "pause", "stop")


def run(parts: Parts, *, take_over: bool) -> None:
    """Ask Telegram for updates until the process ends. Raises Broken if a webhook is set."""
    with wiring.working(parts):
        asyncio.run(_poll(parts, take_over=take_over))


async def _poll(parts: Parts, *, take_over: bool) -> None:
    bot = wiring.telegram(parts.settings)
    try:
        await introduce(bot)
        async for update in bot.updates(take_over=take_over):
            try:
                inbound = telegram.read(update, parts.clock())
            except ValueError as error:
                log.warning("unreadable update", error=where(error))
                continue
            if inbound is not None:
                conversation.receive(parts.desk, inbound)
    finally:
        await bot.close()


def set_webhook(settings: Settings) -> str:
    """Have Telegram call us, and introduce the bot; its user name."""

    async def connect() -> str:
        bot = wiring.telegram(settings)
        try:
            url = f"{settings.public_url}/hooks/telegram"
            await bot.set_webhook(url, settings.telegram_secret.get_secret_value())
            await introduce(bot)
            return await bot.username()
        finally:
            await bot.close()

    return asyncio.run(connect())


async def introduce(bot: telegram.Telegram) -> None:
    """Commands and description, in Spanish: Telegram knows no code for Yucatec Maya."""
    commands = [(say(f"menu_{key}", "es"), say(f"about_{key}", "es")) for key in COMMANDS]
    await bot.introduce(commands, say("about", "es"), say("about_short", "es"))
