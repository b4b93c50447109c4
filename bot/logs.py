"""Logs as data, one JSON line each; what identifies a person or opens a door never gets in."""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

BOT_TOKEN = re.compile(r"\d{6,}:[A-Za-z0-9_-]{30,}")
LONG_NUMBER = re.compile(r"\+?\d{10,15}")


def configure(level: int = logging.INFO) -> None:
    """Set logging up for this process. httpx would log every URL with the bot's token in it."""
    for name in ("httpx", "httpcore", "twilio", "apscheduler", "granian.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


def redact(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Tokens and numbers of people, wherever they stand."""
    for key, value in event.items():
        if isinstance(value, str) and key != "timestamp":
            event[key] = LONG_NUMBER.sub("[number]", BOT_TOKEN.sub("[token]", value))
    return event
