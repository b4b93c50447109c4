"""aiogram, which has no limiter: many at once, each told to wait waits and tries again.

python aio.py URL TOKEN PEOPLE RATE IN_FLIGHT TEXT
"""

from __future__ import annotations

import asyncio
import sys

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramRetryAfter
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

LABELS = ("Sí", "No puedo", "Tal vez")


async def main(url: str, token: str, people: int, in_flight: int, text: str) -> None:
    session = AiohttpSession(api=TelegramAPIServer.from_base(url), limit=in_flight)
    bot = Bot(token, session=session)
    buttons = [[InlineKeyboardButton(text=one, callback_data=f"foro-1.0.{n}")] for n, one in
               enumerate(LABELS)]  # fmt: skip
    markup = InlineKeyboardMarkup(inline_keyboard=buttons)
    room = asyncio.Semaphore(in_flight)

    async def send(chat: int) -> None:
        async with room:
            for _ in range(5):
                try:
                    await bot.send_message(chat, text, reply_markup=markup)
                    return
                except TelegramRetryAfter as error:
                    await asyncio.sleep(error.retry_after)

    async with bot.context(auto_close=True):
        await asyncio.gather(*(send(chat) for chat in range(1, people + 1)))


if __name__ == "__main__":
    url, token, people, _, in_flight, text = sys.argv[1:]
    asyncio.run(main(url, token, int(people), int(in_flight), text))
