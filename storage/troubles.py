"""Messages that did not go out as they should, and conversations that failed by our fault."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    cast,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from dialogs.values import Message, message_from_json
from storage import schema
from storage.database import vault_of

STATES = ("uncertain", "failed", "held")
NOBODYS_FAULT = ("the person asked us to stop", "the person blocked us")  # nothing to mend

outbox, people, inbox, aside = schema.outbox, schema.people, schema.inbox, schema.aside


@dataclass(frozen=True, slots=True)
class Kind:
    """Messages that share a state, a channel, a lane and a reason: one decision serves all."""

    state: str
    channel: str
    lane: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """How many messages of a kind there are, and when the last one was due."""

    kind: Kind
    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, opened to be looked at."""

    id: int
    pseudonym: str
    channel: str
    state: str
    due: datetime
    attempts: int
    reason: str
    message: Message


@dataclass(frozen=True, slots=True)
class Broken:
    """What a person sent and we could not process."""

    id: int
    pseudonym: str
    channel: str
    at: datetime
    error: str


def pending() -> ColumnElement[bool]:
    """What did not go out, that somebody could mend and nobody has put aside."""
    seen = exists().where(aside.c.kind == "outbox", aside.c.ref == outbox.c.id)
    mendable = func.coalesce(outbox.c.reason, "").not_in(NOBODYS_FAULT)
    return and_(outbox.c.state.in_(STATES), mendable, ~seen)


def counts(db: Connection) -> dict[str, int]:
    """How many messages are pending in each state."""
    statement = select(outbox.c.state, func.count()).where(pending()).group_by(outbox.c.state)
    return {row[0]: row[1] for row in db.execute(statement)}


def groups(db: Connection, limit: int = 60) -> list[Group]:
    """Pending messages by kind, the largest groups first."""
    code, reason = func.coalesce(outbox.c.code, ""), func.coalesce(outbox.c.reason, "")
    key = (outbox.c.state, outbox.c.channel, outbox.c.lane, outbox.c.code, outbox.c.reason)
    statement = (
        select(*key[:3], code, reason, func.count(), func.max(outbox.c.due))
        .where(pending())
        .group_by(*key)
        .order_by(func.count().desc())
        .limit(limit)
    )
    return [Group(Kind(*row[:5]), row[5], row[6]) for row in db.execute(statement)]


def _of(kind: Kind) -> ColumnElement[bool]:
    return and_(
        pending(),
        outbox.c.state == kind.state,
        outbox.c.channel == kind.channel,
        outbox.c.lane == kind.lane,
        func.coalesce(outbox.c.code, "") == kind.code,
        func.coalesce(outbox.c.reason, "") == kind.reason,
    )


def letters(db: Connection, kind: Kind, limit: int = 20) -> list[Letter]:
    """The newest messages of a kind, opened."""
    vault = vault_of(db)
    statement = (
        select(outbox, people.c.pseudonym)
        .join(people, people.c.id == outbox.c.person_id)
        .where(_of(kind))
        .order_by(outbox.c.id.desc())
        .limit(limit)
    )
    return [
        Letter(
            id=row.id,
            pseudonym=row.pseudonym,
            channel=row.channel,
            state=row.state,
            due=row.due,
            attempts=row.attempts,
            reason=row.reason or "",
            message=_message(vault.show("outbox.message", row.message) if row.message else ""),
        )
        for row in db.execute(statement)
    ]


def _message(content: str) -> Message:
    """The message; one that stands with its invitation has no words of its own."""
    return message_from_json(json.loads(content)) if content else Message("")


def leave(db: Connection, kind: Kind, who: str, at: datetime) -> int:
    """Leave these messages as they are; they are not shown any more. How many there were."""
    found = select(literal("outbox"), outbox.c.id, literal(who), cast(literal(at), aside.c.at.type))
    columns = ["kind", "ref", "who", "at"]
    return db.execute(insert(aside).from_select(columns, found.where(_of(kind)))).rowcount


def send_again(db: Connection, kind: Kind, now: datetime) -> int:
    """Put these messages into the queue again. How many there were."""
    values: dict[str, Any] = {
        "state": "queued",
        "due": now,
        "attempts": 0,
        "provider_id": None,
        "reason": None,
        "code": None,
        "leased_until": None,
    }
    return db.execute(update(outbox).where(_of(kind)).values(values)).rowcount


def broken_count(db: Connection) -> int:
    return db.scalar(select(func.count()).select_from(inbox).where(inbox.c.state == "failed")) or 0


def broken(db: Connection, limit: int = 50) -> list[Broken]:
    """What we could not process, oldest first: conversations go on in that order."""
    statement = (
        select(inbox, func.coalesce(people.c.pseudonym, "").label("pseudonym"))
        .outerjoin(people, people.c.id == inbox.c.person_id)
        .where(inbox.c.state == "failed")
        .order_by(inbox.c.at)
        .limit(limit)
    )
    return [
        Broken(row.id, row.pseudonym, row.channel, row.at, row.error or "")
        for row in db.execute(statement)
    ]


def words(db: Connection, inbox_id: int) -> str:
    """What a person said in a message that we could not process. Raises LookupError."""
    hidden = db.scalar(select(inbox.c.raw).where(inbox.c.id == inbox_id, inbox.c.state == "failed"))
    if hidden is None:
        raise LookupError(f"El mensaje {inbox_id} ya no está detenido.")
    found = json.loads(vault_of(db).show("inbox.raw", hidden))
    return str(found.get("text") or found.get("payload") or f"({found.get('kind', '')})")
