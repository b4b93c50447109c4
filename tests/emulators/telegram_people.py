"""People on Telegram: what the Bot API reports when they write, press, talk or leave.

Every function returns one Update as the dict that Telegram would send. Nothing is
kept here but the ids, which only ever grow, as Telegram's do.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from . import samples

Update = dict[str, Any]

NOON = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # twelve o'clock in Mérida
BOT = {"id": 7000001, "is_bot": True, "first_name": "Consulta", "username": "consulta_bot"}
GROUP = -4001
CHANNEL = -1002003004005

_ids = itertools.count(1001)


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    first_name: str = "Ana"
    username: str | None = None
    language_code: str | None = "es"


def next_id() -> int:
    return next(_ids)


def text(person: Person, body: str, at: datetime = NOON) -> Update:
    """A message in words; a leading slash is marked as a command, as Telegram does."""
    return _said(person, at, text=body, **_command(body))


def start(person: Person, payload: str = "", at: datetime = NOON) -> Update:
    """The first message of a person who opened t.me/<bot>?start=<payload>."""
    return text(person, f"/start {payload}".strip(), at)


def voice(person: Person, seconds: int = 3, at: datetime = NOON, size: int | None = None) -> Update:
    note = {**file("voice", size), "duration": seconds, "mime_type": "audio/ogg"}
    return _said(person, at, voice=note)


def audio(person: Person, seconds: int = 3, at: datetime = NOON) -> Update:
    track = {**file("audio"), "duration": seconds, "mime_type": "audio/mpeg", "title": "Jarana"}
    return _said(person, at, audio=track)


def photo(person: Person, caption: str = "", at: datetime = NOON) -> Update:
    """Two sizes of one picture, the smaller first."""
    sizes = [{**file("photo"), "width": side, "height": side} for side in (90, 800)]
    return _said(person, at, photo=sizes, **({"caption": caption} if caption else {}))


def sticker(person: Person, at: datetime = NOON) -> Update:
    drawn = {"type": "regular", "width": 512, "height": 512, "emoji": "🌽"}
    return _said(person, at, sticker={**file("sticker"), **drawn, **_still()})


def _still() -> dict[str, bool]:
    return {"is_animated": False, "is_video": False}


def document(person: Person, name: str = "propuesta.pdf", at: datetime = NOON) -> Update:
    paper = {**file("document"), "file_name": name, "mime_type": "application/pdf"}
    return _said(person, at, document=paper)


def video(person: Person, at: datetime = NOON) -> Update:
    film = {**file("video"), "width": 640, "height": 360, "duration": 4, "mime_type": "video/mp4"}
    return _said(person, at, video=film)


def contact(person: Person, phone: str = "+529991112233", at: datetime = NOON) -> Update:
    return _said(person, at, contact={"phone_number": phone, "first_name": "Beto"})


def location(
    person: Person, latitude: float = 20.967, longitude: float = -89.6237, at: datetime = NOON
) -> Update:
    return _said(person, at, location={"latitude": latitude, "longitude": longitude})


def poll(person: Person, at: datetime = NOON) -> Update:
    """A poll that the person made and sent to the bot."""
    options = [{"text": word, "voter_count": 0, "persistent_id": word} for word in ("Sí", "No")]
    asked = {
        "id": str(next_id()),
        "question": "¿Vamos?",
        "options": options,
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
        "allows_revoting": False,
        "members_only": False,
    }
    return _said(person, at, poll=asked)


def edited(person: Person, message: int, body: str, at: datetime = NOON) -> Update:
    """The person changed the words of an earlier message of theirs."""
    changed = {**_message(person, private(person), at), "message_id": message, "text": body}
    return _update("edited_message", {**changed, "edit_date": int(at.timestamp())})


def pressed(
    person: Person, data: str, message: int, words: str = "?", at: datetime = NOON
) -> Update:
    """A press of an inline button that carries `data`, under the bot's `message`."""
    under = {
        "message_id": message,
        "date": int(at.timestamp()),
        "chat": private(person),
        "from": BOT,
        "text": words,
    }
    query = {"id": str(4 * 10**15 + next_id()), "from": user(person), "message": under}
    return _update("callback_query", {**query, "chat_instance": str(-person.id), "data": data})


def in_group(person: Person, body: str, chat: int = GROUP, at: datetime = NOON) -> Update:
    where = {"id": chat, "type": "group", "title": "Vecinos de Izamal"}
    return _update("message", {**_message(person, where, at), "text": body, **_command(body)})


def channel_post(body: str, chat: int = CHANNEL, at: datetime = NOON) -> Update:
    where = {"id": chat, "type": "channel", "title": "Avisos"}
    post = {"message_id": next_id(), "date": int(at.timestamp()), "chat": where, "text": body}
    return _update("channel_post", {**post, "sender_chat": where})


def blocked(person: Person, at: datetime = NOON) -> Update:
    """The person stopped the bot."""
    return _membership(person, at, "member", "kicked")


def unblocked(person: Person, at: datetime = NOON) -> Update:
    return _membership(person, at, "kicked", "member")


def user(person: Person) -> dict[str, Any]:
    known = {"username": person.username, "language_code": person.language_code}
    given = {name: value for name, value in known.items() if value is not None}
    return {"id": person.id, "is_bot": False, "first_name": person.first_name, **given}


def private(person: Person) -> dict[str, Any]:
    return {"id": person.id, "type": "private", "first_name": person.first_name}


def file(kind: str, size: int | None = None) -> dict[str, Any]:
    """A file_id that says what it is of, so that the emulator can make up the file."""
    number = next_id()
    sized = len(samples.BY_KIND[kind]) if size is None else size
    return {"file_id": f"{kind}-{number}", "file_unique_id": f"u{number}", "file_size": sized}


def _said(person: Person, at: datetime, **content: Any) -> Update:
    return _update("message", {**_message(person, private(person), at), **content})


def _message(person: Person, chat: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    stamp = int(at.timestamp())
    return {"message_id": next_id(), "from": user(person), "chat": dict(chat), "date": stamp}


def _command(body: str) -> dict[str, Any]:
    if not body.startswith("/"):
        return {}
    return {"entities": [{"type": "bot_command", "offset": 0, "length": len(body.split()[0])}]}


def _membership(person: Person, at: datetime, before: str, after: str) -> Update:
    change = {
        "chat": private(person),
        "from": user(person),
        "date": int(at.timestamp()),
        "old_chat_member": _member(before),
        "new_chat_member": _member(after),
    }
    return _update("my_chat_member", change)


def _member(status: str) -> dict[str, Any]:
    until = {"until_date": 0} if status == "kicked" else {}
    return {"user": BOT, "status": status, **until}


def _update(kind: str, content: dict[str, Any]) -> Update:
    return {"update_id": 900_000_000 + next_id(), kind: content}
