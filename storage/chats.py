"""The local chat page's own memory: what both said, in order, as the page shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, insert, select

from storage import people, schema
from storage.database import vault_of
from storage.people import Person

lines, outbox, media = schema.chat_lines, schema.outbox, schema.media
CHANNEL = "chat"


def write(
    db: Connection, chat: str, content: Mapping[str, Any], at: datetime, *, mine: bool
) -> int:
    """Add a line; its number, which grows."""
    vault = vault_of(db)
    statement = insert(lines).values(
        chat=vault.seal("people.address", chat),
        mine=mine,
        content=vault.hide("chat_lines.content", json.dumps(content)),
        at=at,
    )
    number: int = db.execute(statement.returning(lines.c.id)).scalar_one()
    return number


def messages(db: Connection, chat: str, after: int) -> list[dict[str, Any]]:
    """The lines of a chat after a number."""
    vault = vault_of(db)
    sealed = vault.seal("people.address", chat)
    statement = select(lines).where(lines.c.chat == sealed, lines.c.id > after)
    return [
        _line(row, json.loads(vault.show("chat_lines.content", row.content)))
        for row in db.execute(statement.order_by(lines.c.id))
    ]


def _line(row: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    edits = str(content.get("edits") or "")
    choices = [
        {"payload": payload, "label": label} for payload, label in content.get("choices", ())
    ]
    return {
        "id": row.id,
        "from": "me" if row.mine else "bot",
        "kind": content.get("kind", "text"),
        "client": content.get("client", ""),
        "text": content.get("text", ""),
        "payload": content.get("payload", ""),
        "choices": choices,
        "several": content.get("several", False),
        "chosen": list(content.get("chosen", ())),
        "edits": int(edits) if edits.isdecimal() else 0,
        "audio": content.get("audio", ""),
        "image": content.get("image", ""),
        "shown": [
            {"label": label, "image": image, "audio": audio}
            for label, image, audio in content.get("shown", ())
        ],
        "point": content.get("point"),
        "at": row.at.isoformat(),
    }


def waiting(db: Connection, chat: str) -> bool:
    """Whether an answer is on its way."""
    found = person(db, chat)
    if found is None:
        return False
    on_its_way = outbox.c.state.in_(("queued", "leased"))
    return bool(db.scalar(select(exists().where(outbox.c.person_id == found.id, on_its_way))))


def person(db: Connection, chat: str) -> Person | None:
    """The person of a chat, if they have said anything yet."""
    return people.find(db, CHANNEL, chat)


def owns(db: Connection, chat: str, file: str) -> bool:
    """Whether a file of the media folder was sent by this person."""
    found = person(db, chat)
    if found is None:
        return False
    mine = exists().where(media.c.person_id == found.id, media.c.file == file)
    return bool(db.scalar(select(mine)))
