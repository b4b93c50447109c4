"""Telegram's messages, as the API words them and as people see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser
from typing import Any, Literal

from . import samples
from .server import Line
from .telegram_people import BOT


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call goes wrong, and whether the message is taken in all the same."""

    status: int = 200
    description: str = ""
    parameters: Mapping[str, int] = field(default_factory=dict)
    line: Line = "whole"
    taken: bool = False


def bad_request(words: str) -> Failure:
    return Failure(400, f"Bad Request: {words}")


def chat_not_found() -> Failure:
    return bad_request("chat not found")


class RefusedError(Exception):
    def __init__(self, failure: Failure):
        super().__init__(failure.description)
        self.failure = failure


def refuse(words: str) -> RefusedError:
    return RefusedError(bad_request(words))


@dataclass(frozen=True, slots=True)
class Button:
    text: str
    data: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as the people in the chat see it now; `edits` are its earlier texts."""

    id: int
    chat: int
    sender: Literal["bot", "person"]
    kind: str
    text: str
    at: datetime
    keyboard: tuple[tuple[Button, ...], ...] = ()
    file: bytes | None = None
    edits: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def buttons(self) -> tuple[Button, ...]:
        """All the buttons in reading order."""
        return tuple(button for row in self.keyboard for button in row)


def chat_of(chat_id: int | str) -> dict[str, Any]:
    if isinstance(chat_id, str):
        return {"id": -1001000000001, "type": "channel", "title": chat_id}
    if chat_id > 0:
        return {"id": chat_id, "type": "private", "first_name": "Ana"}
    if chat_id == 0:
        raise RefusedError(chat_not_found())
    kind = "supergroup" if str(chat_id).startswith("-100") else "group"
    return {"id": chat_id, "type": kind, "title": "Vecinos"}


def keyboard(markup: Any) -> tuple[tuple[Button, ...], ...]:
    rows = (markup or {}).get("inline_keyboard") or (markup or {}).get("keyboard") or ()
    return tuple(tuple(_button(button) for button in row) for row in rows)


def _button(button: Mapping[str, Any] | str) -> Button:
    if isinstance(button, str):
        return Button(button)
    return Button(button["text"], button.get("callback_data"), button.get("url"))


def words(fields: Mapping[str, Any]) -> str:
    said = str(fields.get("text", fields.get("caption", "")))
    return _plain(said) if fields.get("parse_mode") == "HTML" else said


TAGS = {
    *("b", "strong", "i", "em", "u", "ins", "s", "strike", "del"),
    *("a", "code", "pre", "span", "tg-spoiler", "blockquote"),
}


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in TAGS:
            raise refuse(f'can\'t parse entities: Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise refuse(f'can\'t parse entities: Unexpected end tag "{tag}"')

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _plain(text: str) -> str:
    """What people read of a text in Telegram's HTML."""
    if re.search(r"<(?![a-z/])", text):
        raise refuse("can't parse entities: Unsupported start tag")
    parser = _Html()
    parser.feed(text)
    parser.close()
    if parser.open:
        raise refuse("can't parse entities: Can't find end tag")
    return "".join(parser.words)


def message(seen: Seen, file_id: str = "") -> dict[str, Any]:
    """The Message object that answers for what is seen."""
    made = {
        "message_id": seen.id,
        "date": int(seen.at.timestamp()),
        "chat": chat_of(seen.chat),
        "from": BOT,
    }
    if seen.kind == "text":
        made["text"] = seen.text
    else:
        made |= {"caption": seen.text} if seen.text else {}
        made[seen.kind] = _media(seen, file_id)
    if "inline_keyboard" in (seen.fields.get("reply_markup") or {}) and seen.keyboard:
        made["reply_markup"] = {
            "inline_keyboard": [[_as_sent(button) for button in row] for row in seen.keyboard]
        }
    return made


def _as_sent(button: Button) -> dict[str, str]:
    given = {"text": button.text, "callback_data": button.data, "url": button.url}
    return {name: value for name, value in given.items() if value is not None}


def _media(seen: Seen, file_id: str) -> Any:
    fields = seen.fields
    if seen.kind in ("location", "venue"):
        place = {name: fields[name] for name in ("latitude", "longitude")}
        if seen.kind == "location":
            return place
        return {"location": place, "title": fields["title"], "address": fields["address"]}
    size = len(seen.file) if seen.file is not None else 0
    kept = {"file_id": file_id, "file_unique_id": f"u{file_id}", "file_size": size}
    match seen.kind:
        case "photo":
            return [{**kept, "width": 800, "height": 600}]
        case "voice" | "audio":
            return {**kept, "duration": fields.get("duration", 0)}
        case _:
            return kept


def seen_from(message: Mapping[str, Any], now: datetime) -> Seen:
    known: Iterable[str] = ("text", *samples.BY_KIND, "location", "poll")
    kind = next((name for name in known if name in message), "other")
    words = message.get("text", message.get("caption", ""))
    chat = message["chat"]["id"]
    return Seen(message["message_id"], chat, "person", kind, words, now, fields=message)
