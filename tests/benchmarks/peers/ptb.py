"""python-telegram-bot with its own limiter, all messages started at once as its guide has it.

python ptb.py URL TOKEN PEOPLE RATE IN_FLIGHT
"""

from __future__ import annotations

import asyncio
import sys

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import TelegramError
from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest

LABELS = ("Sí", "No puedo", "Tal vez")


async def main(url: str, token: str, people: int, rate: float, in_flight: int, text: str) -> None:
    limiter = AIORateLimiter(overall_max_rate=rate, overall_time_period=1, max_retries=5)
    request = HTTPXRequest(connection_pool_size=in_flight, pool_timeout=600, read_timeout=60)
    bot = ExtBot(token, base_url=f"{url}/bot", request=request, rate_limiter=limiter)
    buttons = [[InlineKeyboardButton(one, callback_data=f"foro-1.0.{n}")] for n, one in
               enumerate(LABELS)]  # fmt: skip
    markup = InlineKeyboardMarkup(buttons)

    async def send(chat: int) -> None:
        try:
            await bot.send_message(chat, text, reply_markup=markup)
        except TelegramError as error:
            print(f"{chat}: {error}", file=sys.stderr)  # noqa: T201

    async with bot:
        await asyncio.gather(*(send(chat) for chat in range(1, people + 1)))


if __name__ == "__main__":
    url, token, people, rate, in_flight, text = sys.argv[1:]
    asyncio.run(main(url, token, int(people), float(rate), int(in_flight), text))
