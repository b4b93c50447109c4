"""python-telegram-bot with its ConversationHandler, kept by PicklePersistence after each update.

python ptb.py URL TOKEN SECRET PORT FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from questionnaire import AGAIN, QUESTIONS, THANKS, understood
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import (
    Application,
    ConversationHandler,
    MessageHandler,
    PersistenceInput,
    PicklePersistence,
    filters,
)


class Kept(Application):
    """It writes down after each update what it would else write once a minute."""

    async def process_update(self, update: object) -> None:
        await super().process_update(update)
        await self.update_persistence()


async def ask(update: Update, at: int) -> int:
    question = QUESTIONS[at]
    if "notice" in question:
        await update.message.reply_text(question["notice"])
    rows = [[InlineKeyboardButton(label, callback_data=f"{question['name']}.{name}")]
            for name, label in question.get("choices", {}).items()]  # fmt: skip
    await update.message.reply_text(
        question["text"], reply_markup=InlineKeyboardMarkup(rows) if rows else None
    )
    return at


async def begin(update: Update, context: Any) -> int:
    context.user_data.clear()
    return await ask(update, 0)


def answer_to(at: int) -> Callable[[Update, Any], Awaitable[int]]:
    question = QUESTIONS[at]

    async def heard(update: Update, context: Any) -> int:
        found = understood(question, update.message.text)
        if found is None:
            await update.message.reply_text(question.get("again", AGAIN))
            return at
        context.user_data[question["name"]] = found
        if at + 1 < len(QUESTIONS):
            return await ask(update, at + 1)
        await update.message.reply_text(THANKS)
        return ConversationHandler.END

    return heard


def main(url: str, token: str, secret: str, port: int, folder: str) -> None:
    kept = PersistenceInput(bot_data=False, chat_data=False, callback_data=False)
    application = (
        Application.builder()
        .application_class(Kept)
        .token(token)
        .base_url(f"{url}/bot")
        .persistence(PicklePersistence(f"{folder}/talks.pickle", store_data=kept))
        .build()
    )
    states = {at: [MessageHandler(filters.TEXT, answer_to(at))] for at in range(len(QUESTIONS))}
    application.add_handler(
        ConversationHandler(
            [MessageHandler(filters.TEXT, begin)], states, [], name="consulta", persistent=True
        )
    )
    application.run_webhook(
        "127.0.0.1", port, "hooks/telegram", secret_token=secret, webhook_url="https://a.example"
    )


if __name__ == "__main__":
    url, token, secret, port, folder = sys.argv[1:]
    main(url, token, secret, int(port), folder)
