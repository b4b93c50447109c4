"""Calls to Telegram: how they travel, and what its refusals mean for a message."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote_plus, urlencode

import aiohttp
from telegram import error as errors
from telegram.request import BaseRequest, RequestData

from bot.channel import Broken, Gone, Moved, Refused, SendError, TryLater, Uncertain
from bot.http import Answer, Pool

# Durations come as timedelta, as they all will in a later version; without this every one warns.
os.environ["PTB_TIMEDELTA"] = "true"

LARGEST_FILE = 20_000_000  # bytes a bot may download

MALFORMED = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError)
"""What python-telegram-bot raises, beside ValueError, on JSON that is not of the Bot API."""


@contextmanager
def explained() -> Iterator[None]:
    """What Telegram's refusals mean for a message; their own errors may hold the token."""
    try:
        yield
    except errors.TelegramError as error:
        raise _meaning(error) from None
    except (*MALFORMED, ValueError) as error:
        raise Uncertain(f"Telegram's answer cannot be read ({type(error).__name__})") from None


def _meaning(error: errors.TelegramError) -> SendError:
    """The order matters: a BadRequest is a NetworkError too."""
    match error:
        case errors.RetryAfter():
            wait = error.retry_after
            seconds = wait if isinstance(wait, timedelta) else timedelta(seconds=wait)
            return TryLater("Telegram asks for a pause", "429", seconds, everybody=True)
        case errors.Forbidden():
            return Gone(error.message, "403")
        case errors.ChatMigrated():
            return Moved(str(error.new_chat_id))
        case errors.BadRequest():
            unknown = "chat not found" in error.message.lower()
            return (Gone if unknown else Refused)(error.message, "400")
        case errors.InvalidToken():
            return Broken("Telegram does not know this token: check CONSULTA_TELEGRAM_TOKEN", "401")
        case errors.Conflict():
            return Broken(f"another program receives for this bot: {error.message}", "409")
        case errors.NetworkError():
            return _network(error)
        case _:
            return Uncertain(f"Telegram's answer cannot be read: {error.message}")


def _network(error: errors.NetworkError) -> SendError:
    cause = error.__cause__
    if isinstance(cause, SendError):
        return cause  # from our own connections
    if cause is None or isinstance(cause, errors.TelegramError):
        return TryLater(f"Telegram has a fault of its own: {error.message}", "5xx", perhaps=True)
    return Uncertain("the connection broke off, or there was no answer in time")


class Request(BaseRequest):
    """python-telegram-bot's requests over our pool: 0.3 ms of processor each, not 1 (httpx)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def read_timeout(self) -> float:
        return self._pool.answer.total_seconds()

    async def initialize(self) -> None:
        """Nothing to do: the pool opens at the first call, in the loop that makes it."""

    async def shutdown(self) -> None:
        await self._pool.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | Answer | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002 - the pool limits the whole
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
    ) -> tuple[int, bytes]:
        if isinstance(request_data, Answer):  # known already, and only to be explained
            return request_data.status, request_data.body
        wait = timedelta(seconds=read_timeout) if isinstance(read_timeout, float) else None
        data, headers = _body(request_data)
        largest = LARGEST_FILE if method == "GET" else None
        answer = await self._pool.ask(
            method, url, data=data, headers=headers, answer=wait, largest=largest
        )
        return answer.status, answer.body

    async def say(self, url: str, fields: Mapping[str, str]) -> Any:
        """Post fields that are text already; the result as plain JSON.

        Only an answer that is not as it should be goes through python-telegram-bot, which
        explains it: its way costs a fifth of a send.
        """
        data = "&".join(f"{name}={_quoted(value)}" for name, value in fields.items()).encode()
        answer = await self._pool.ask("POST", url, data=data, headers=FORM_TYPE)
        found = self.parse_json_payload(answer.body) if answer.status == 200 else {}
        if found.get("ok"):
            return found["result"]
        return await self.post(url, cast("RequestData", answer))

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """As the original, which writes to the log what was said to whom."""
        try:
            return json.loads(payload)
        except ValueError:
            raise errors.TelegramError("half an answer") from None


def _quoted(value: str) -> str:
    return value if value.isascii() and value.isdecimal() else _quoted_once(value)


_quoted_once = lru_cache(maxsize=64)(quote_plus)  # what is sent to many


def _body(given: RequestData | None) -> tuple[Any, Mapping[str, str]]:
    """The fields as a form, with a file as multipart."""
    if given is None:
        return None, {}
    if not given.contains_files:
        return urlencode(given.json_parameters).encode(), FORM_TYPE
    form = aiohttp.FormData(given.json_parameters)
    for name, (filename, content, kind) in given.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=kind)
    return form, {}


FORM = "application/x-www-form-urlencoded"
FORM_TYPE = {"Content-Type": FORM}
