"""Logs as data, one JSON line each; what identifies a person or opens a door never gets in.

Everything passes here, also what the libraries say. Of an error its type and its place are told,
not its words: they may be a person's.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog

BOT_TOKEN = re.compile(r"\d{6,}:[A-Za-z0-9_-]{30,}")
TWILIO = re.compile(r"\b(?:AC|SK)[0-9a-f]{32}\b|Basic [A-Za-z0-9+/=]{20,}")
OWN_LINK = re.compile(r"/mis-datos/[\w-]+")
LONG_NUMBER = re.compile(r"\+?\d[\d ().-]{5,}\d")  # also as people write it: 999 111 22 33
SHORTEST_NUMBER = 7  # digits: the shortest id of a Telegram chat that is a person's
AS_THEY_ARE = ("timestamp", "level", "logger")
QUIET = (
    "alembic",
    "httpx",
    "httpcore",
    "twilio",
    "apscheduler",
    "granian.access",
    "werkzeug",
    "asyncio",
)

Event = MutableMapping[str, Any]


class _Output(logging.Handler):
    """Writes to what standard error is now; the libraries' own handler keeps the first one.

    What cannot be written, because the disk is full, is no reason to let a message fail.
    """

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            sys.stderr.write(self.format(record) + "\n")


def configure(level: int = logging.INFO) -> None:
    """Set logging up for this process. httpx would log every URL with the bot's token in it."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)  # a long tick skips the next
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *COMMON,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.setLevel(level)
    if not any(isinstance(handler, _Output) for handler in root.handlers):
        handler = _Output()
        handler.setFormatter(formatter())
        root.addHandler(handler)


def formatter() -> logging.Formatter:
    """One line of JSON, from us or from a library."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *COMMON],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def where(error: BaseException) -> str:
    """The types of an error and its causes, and the places it came through; none of its words."""
    told = []
    seen: BaseException | None = error
    while seen is not None:
        frames = traceback.extract_tb(seen.__traceback__)
        places = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
        told.append(" > ".join([type(seen).__name__, *places[-8:]]))
        seen = seen.__cause__ or seen.__context__
    return " < ".join(told[:4])


def _short(path: str) -> str:
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def _explain(_logger: object, _name: str, event: Event) -> Event:
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = where(error)
    return event


def redact(_logger: object, _name: str, event: Event) -> Event:
    """Tokens and numbers of people, wherever they stand."""
    for key, value in event.items():
        if key not in AS_THEY_ARE and not key.startswith("_") and not isinstance(value, bool):
            event[key] = value if isinstance(value, int | float) and value < 1e6 else clean(value)
    return event


def clean(value: object) -> str:
    """The text without what identifies a person or opens a door."""
    text = OWN_LINK.sub(
        "/mis-datos/[link]", TWILIO.sub("[key]", BOT_TOKEN.sub("[token]", str(value)))
    )
    return LONG_NUMBER.sub(_number, text)


def _number(found: re.Match[str]) -> str:
    digits = sum(sign.isdigit() for sign in found[0])
    return "[number]" if digits >= SHORTEST_NUMBER else found[0]


COMMON = (
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _explain,
    redact,
)
