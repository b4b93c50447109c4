"""aiogram with its states, in a storage on SQLite, or in its own on Redis.

python aio.py URL TOKEN SECRET PORT FOLDER [redis://…]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import aiosqlite
from aiogram import Bot, Dispatcher, F
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.base import BaseStorage, StateType, StorageKey
from aiogram.fsm.storage.redis import RedisStorage
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web
from questionnaire import AGAIN, QUESTIONS, THANKS, understood


class Talk(StatesGroup):
    asked = State()


class Sqlite(BaseStorage):
    def __init__(self, path: str) -> None:
        self.path = path

    async def open(self) -> None:
        self.db = await aiosqlite.connect(self.path, isolation_level=None)
        await self.db.execute("PRAGMA journal_mode=WAL")
        await self.db.execute("PRAGMA synchronous=FULL")
        await self.db.execute(
            "CREATE TABLE IF NOT EXISTS talks (chat INTEGER PRIMARY KEY, state TEXT, data TEXT)"
        )

    async def _put(self, key: StorageKey, column: str, value: str | None) -> None:
        await self.db.execute(
            f"INSERT INTO talks (chat, {column}) VALUES (?, ?) "
            f"ON CONFLICT (chat) DO UPDATE SET {column} = excluded.{column}",
            (key.chat_id, value),
        )

    async def _get(self, key: StorageKey, column: str) -> str | None:
        wanted = f"SELECT {column} FROM talks WHERE chat = ?"
        async with self.db.execute(wanted, (key.chat_id,)) as rows:
            row = await rows.fetchone()
        return row[0] if row else None

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        await self._put(key, "state", state.state if isinstance(state, State) else state)

    async def get_state(self, key: StorageKey) -> str | None:
        return await self._get(key, "state")

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        await self._put(key, "data", json.dumps(data))

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        return json.loads(await self._get(key, "data") or "{}")

    async def close(self) -> None:
        await self.db.close()


async def ask(message: Message, at: int) -> None:
    question = QUESTIONS[at]
    if "notice" in question:
        await message.answer(question["notice"])
    rows = [[InlineKeyboardButton(text=label, callback_data=f"{question['name']}.{name}")]
            for name, label in question.get("choices", {}).items()]  # fmt: skip
    markup = InlineKeyboardMarkup(inline_keyboard=rows) if rows else None
    await message.answer(question["text"], reply_markup=markup)


async def begin(message: Message, state: FSMContext) -> None:
    await state.set_data({"at": 0, "answers": {}})
    await state.set_state(Talk.asked)
    await ask(message, 0)


async def heard(message: Message, state: FSMContext) -> None:
    data = await state.get_data()
    question = QUESTIONS[data["at"]]
    found = understood(question, message.text or "")
    if found is None:
        await message.answer(question.get("again", AGAIN))
        return
    data["answers"][question["name"]] = found
    data["at"] += 1
    await state.set_data(data)
    if data["at"] < len(QUESTIONS):
        await ask(message, data["at"])
    else:
        await state.set_state(None)
        await message.answer(THANKS)


def main(url: str, token: str, secret: str, port: int, folder: str, redis: str = "") -> None:
    storage = RedisStorage.from_url(redis) if redis else Sqlite(f"{folder}/talks.db")
    bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(url)))
    dispatcher = Dispatcher(storage=storage)
    if isinstance(storage, Sqlite):
        dispatcher.startup.register(storage.open)
    dispatcher.message.register(heard, Talk.asked, F.text)
    dispatcher.message.register(begin, F.text)
    app = web.Application()
    SimpleRequestHandler(dispatcher, bot, secret_token=secret).register(app, "/hooks/telegram")
    setup_application(app, dispatcher, bot=bot)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    url, token, secret, port, folder, *redis = sys.argv[1:]
    main(url, token, secret, int(port), folder, *redis)
