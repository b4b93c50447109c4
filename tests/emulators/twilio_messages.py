"""Twilio's messages: what it takes, what it refuses with which code, what people see."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

from . import schemas
from .server import Line

LONGEST_VALUE = 1600  # characters of one content variable (error 21658)

SAYINGS = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20422: "Invalid parameter",
    20429: "Too Many Requests",
    20500: "Internal Server Error",
    21211: "Invalid 'To' Phone Number",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21610: "Attempt to send to unsubscribed recipient",
    21611: "This 'From' number has exceeded the maximum number of queued messages",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21619: "A Message Body, Media URL or Content SID is required",
    21654: "ContentSid Required",
    21655: "The ContentSid is Invalid",
    21656: "The ContentVariables Parameter is invalid",
    21658: "Parameter exceeded character limit",
    63003: "Channel could not find To address",
    63007: "Twilio could not find a Channel with the specified From address",
    63016: "Failed to send freeform message because you are outside the allowed window",
    63019: "Media failed to download",
    63018: "Rate limit exceeded for Channel",
    63021: "Channel invalid content error",
    63024: "Invalid message recipient",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call goes wrong, and whether the message is taken in all the same.

    With `later`, the message is accepted and its status callback brings the code.
    """

    status: int = 0
    code: int = 0
    line: Line = "whole"
    taken: bool = False
    later: Literal["failed", "undelivered"] | None = None


class RefusedError(Exception):
    def __init__(self, code: int, status: int = 400, words: str = ""):
        super().__init__(f"{code} {words}")
        self.failure, self.words = Failure(status, code), words


@dataclass(frozen=True, slots=True)
class Choice:
    """A quick-reply button or an item of a list."""

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as it stands in the person's WhatsApp, or on its way there.

    `shown` is "text", "buttons", "list" or "media"; `template` an approved content.
    """

    sid: str
    number: str
    sender: Literal["bot", "person"]
    text: str
    at: datetime
    shown: str = "text"
    choices: tuple[Choice, ...] = ()
    media: tuple[str, ...] = ()
    status: str = "queued"
    error: int | None = None
    content: str | None = None
    template: bool = False
    callback: str | None = None
    fails: tuple[str, int] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


def check_addresses(fields: Mapping[str, Any], sender: str) -> None:
    if not fields.get("To"):
        raise RefusedError(21604)
    if not re.fullmatch(r"whatsapp:\+[1-9]\d{6,14}", fields["To"]):
        raise RefusedError(21211, 400, f"Invalid 'To' Phone Number: {fields['To']}")
    if not (fields.get("From") or fields.get("MessagingServiceSid")):
        raise RefusedError(21603)
    if fields.get("From", f"whatsapp:{sender}") != f"whatsapp:{sender}":
        raise RefusedError(63007)


def check_free(seen: Seen) -> Seen:
    if "ContentVariables" in seen.fields:
        raise RefusedError(21654)
    if not seen.text.strip() and not seen.media:
        raise RefusedError(21619)
    if len(seen.text) > schemas.BODY:
        raise RefusedError(21617)
    return seen


def variables(given: str) -> dict[str, str]:
    """The values for a content; refused as error 21656 describes."""
    try:
        values = json.loads(given)
    except ValueError:
        raise RefusedError(21656) from None
    if not isinstance(values, dict):
        raise RefusedError(21656)
    for value in values.values():
        if not isinstance(value, str) or not value or re.search(r"[\n\t]| {5}", value):
            raise RefusedError(21656)
        if len(value) > LONGEST_VALUE:
            raise RefusedError(21658)
    return values


def rendered(
    content: Mapping[str, Any], values: Mapping[str, str], *, approved: bool
) -> dict[str, Any]:
    """What the person sees of a content: its first type, with the variables filled in."""

    def filled(text: str) -> str:
        return re.sub(r"{{\s*(\w+)\s*}}", lambda found: _value(values, found[1]), text)

    kind, what = next(iter(content["types"].items()))
    text, media = filled(what.get("body", "")), tuple(what.get("media", ()))
    if kind == "twilio/quick-reply":
        actions = [(one.get("id", one["title"]), one["title"], "") for one in what["actions"]]
    else:
        items = what.get("items", ()) if kind == "twilio/list-picker" else ()
        actions = [(one["id"], one["item"], one.get("description", "")) for one in items]
    choices = tuple(Choice(*map(filled, action)) for action in actions)
    names = {"twilio/quick-reply": "buttons", "twilio/list-picker": "list", "twilio/media": "media"}
    faults = schemas.shown(kind, text, choices, approved=approved)
    if faults:
        raise RefusedError(63021, 400, "; ".join(faults))
    shown = names.get(kind, "text")
    return {"text": text, "media": media, "choices": choices, "shown": shown}


def _value(values: Mapping[str, str], name: str) -> str:
    if name not in values:
        raise RefusedError(21656)
    return values[name]


def asked_for(message: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a message passes the filters To, From and DateSent of a listing."""
    if any(
        message[name.lower()] != fields.get(name, message[name.lower()]) for name in ("To", "From")
    ):
        return False
    sent = parsedate_to_datetime(message["date_sent"])
    day = fields.get("DateSent")
    return (
        (day is None or sent.date() == _moment(day).date())
        and ("DateSent>" not in fields or sent >= _moment(fields["DateSent>"]))
        and ("DateSent<" not in fields or sent <= _end(fields["DateSent<"]))
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _end(text: str) -> datetime:
    """A bare day counts to its end."""
    return _moment(text) + (timedelta(days=1) if len(text) == 10 else timedelta(0))


def pages(here: str, fields: Mapping[str, Any], page: int, size: int, count: int) -> dict[str, Any]:
    names = ("To", "From", "DateSent", "DateSent<", "DateSent>")
    kept = {name: fields[name] for name in names if name in fields}

    def at(number: int) -> str:
        return f"{here}?" + urlencode({**kept, "PageSize": size, "Page": number}, quote_via=quote)

    return {
        "uri": at(page),
        "first_page_uri": at(0),
        "next_page_uri": at(page + 1) if (page + 1) * size < count else None,
        "previous_page_uri": at(page - 1) if page else None,
        "page": page,
        "page_size": size,
    }
