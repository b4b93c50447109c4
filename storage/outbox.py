"""The ledger of what is sent: queued → leased → sent → delivered → read, failed or uncertain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, insert, select, update

from dialogs.values import Message, Receipt, message_from_json, message_to_json
from storage import schema
from storage.database import vault_of

REPLY, BROADCAST = 0, 1  # lanes: what answers a person goes before what calls many
LEASE = timedelta(seconds=60)  # longer than any provider is waited for
RANK = {"queued": 0, "leased": 1, "uncertain": 2, "sent": 2, "delivered": 3, "read": 4}
outbox, people = schema.outbox, schema.people


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that is leased to one sender."""

    id: int
    person_id: int
    channel: str
    lane: int
    address: str
    message: Message
    attempts: int
    heard_at: datetime


def put(
    db: Connection, person_id: int, channel: str, message: Message, due: datetime, lane: int = REPLY
) -> None:
    """Queue a message to a person."""
    content = json.dumps(message_to_json(message), separators=(",", ":"))
    db.execute(
        insert(outbox).values(
            person_id=person_id,
            channel=channel,
            lane=lane,
            message=vault_of(db).hide("outbox.message", content),
            state="queued",
            due=due,
        )
    )


def claim(db: Connection, channels: Sequence[str], now: datetime, limit: int) -> list[Letter]:
    """Lease what is due, replies first; of one person only the oldest, so that order is kept."""
    earlier = outbox.alias("earlier")
    first_of_person = ~exists().where(
        earlier.c.person_id == outbox.c.person_id,
        earlier.c.lane == outbox.c.lane,
        earlier.c.id < outbox.c.id,
        earlier.c.state.in_(("queued", "leased")),
    )
    due: Select[Any] = (
        select(outbox.c.id)
        .where(outbox.c.state == "queued", outbox.c.channel.in_(channels), outbox.c.due <= now)
        .where(first_of_person)
        .order_by(outbox.c.lane, outbox.c.due, outbox.c.id)
        .limit(limit)
    )
    if db.dialect.name == "postgresql":
        due = due.with_for_update(skip_locked=True)
    leased = (
        update(outbox)
        .where(outbox.c.id.in_(due.scalar_subquery()))
        .values(state="leased", leased_until=now + LEASE, attempts=outbox.c.attempts + 1)
        .returning(outbox.c.id)
    )
    ids = db.execute(leased).scalars().all()
    return _letters(db, ids) if ids else []


def _letters(db: Connection, ids: Sequence[int]) -> list[Letter]:
    vault = vault_of(db)
    statement = (
        select(outbox, people.c.address, people.c.heard_at)
        .join(people, people.c.id == outbox.c.person_id)
        .where(outbox.c.id.in_(ids))
        .order_by(outbox.c.lane, outbox.c.id)
    )
    return [
        Letter(
            id=row.id,
            person_id=row.person_id,
            channel=row.channel,
            lane=row.lane,
            address=vault.open("people.address", row.address),
            message=message_from_json(json.loads(vault.show("outbox.message", row.message))),
            attempts=row.attempts,
            heard_at=row.heard_at,
        )
        for row in db.execute(statement)
    ]


def sent(db: Connection, letter_id: int, provider_id: str, at: datetime) -> None:
    """The provider took it."""
    _settle(db, letter_id, state="sent", provider_id=provider_id, sent_at=at, reason=None)


def failed(db: Connection, letter_id: int, reason: str, code: str = "") -> None:
    """It will not go out, now or later."""
    _settle(db, letter_id, state="failed", reason=reason, code=code or None)


def uncertain(db: Connection, letter_id: int, reason: str) -> None:
    """It may have gone out; nobody can know."""
    _settle(db, letter_id, state="uncertain", reason=reason)


def later(db: Connection, letter_id: int, due: datetime, reason: str, code: str = "") -> None:
    """Back into the queue, for this moment."""
    _settle(db, letter_id, state="queued", due=due, reason=reason, code=code or None)


def _settle(db: Connection, letter_id: int, **values: Any) -> None:
    db.execute(update(outbox).where(outbox.c.id == letter_id).values(leased_until=None, **values))


def message_of(db: Connection, channel: str, provider_id: str) -> Message | None:
    """The message that the provider knows by this id."""
    statement = select(outbox.c.message).where(
        outbox.c.channel == channel, outbox.c.provider_id == provider_id
    )
    hidden = db.scalar(statement.limit(1)) if provider_id else None
    shown = vault_of(db).show("outbox.message", hidden) if hidden else None
    return message_from_json(json.loads(shown)) if shown else None


def hold(db: Connection, letter_id: int, reason: str) -> None:
    """Not until the person writes again: WhatsApp's window is closed."""
    _settle(db, letter_id, state="held", reason=reason)


def release(db: Connection, person_id: int, now: datetime) -> None:
    """The person wrote: what was held for them may go out."""
    held = and_(outbox.c.person_id == person_id, outbox.c.state == "held")
    db.execute(update(outbox).where(held).values(state="queued", due=now, reason=None))


def recover(db: Connection, now: datetime, *, all_: bool = False) -> int:
    """Leases whose holder died: replies are sent again, what calls many becomes uncertain."""
    over = outbox.c.state == "leased"
    if not all_:
        over = and_(over, outbox.c.leased_until < now)
    lost = update(outbox).where(over, outbox.c.lane == BROADCAST)
    db.execute(lost.values(state="uncertain", leased_until=None, reason="the sender died"))
    again = update(outbox).where(over, outbox.c.lane == REPLY)
    return db.execute(again.values(state="queued", leased_until=None)).rowcount


def receipt(db: Connection, told: Receipt) -> bool:
    """What the provider says later, in any order: a state never goes back. False if unknown."""
    statement = select(outbox.c.id, outbox.c.state).where(
        outbox.c.channel == told.channel, outbox.c.provider_id == told.provider_id
    )
    row = db.execute(statement.with_for_update()).one_or_none()
    if row is None:
        return False
    if told.state == "failed":
        if row.state not in ("delivered", "read"):
            failed(db, row.id, told.reason or "the provider gave up", told.code)
    elif RANK.get(row.state, 9) < RANK[told.state]:
        db.execute(update(outbox).where(outbox.c.id == row.id).values(state=told.state))
    return True


def next_due(db: Connection, channels: Sequence[str]) -> datetime | None:
    """When the next queued message is to go out."""
    statement = select(outbox.c.due).where(
        outbox.c.state == "queued", outbox.c.channel.in_(channels)
    )
    return db.execute(statement.order_by(outbox.c.due).limit(1)).scalar()


def drop(
    db: Connection, person_id: int, reason: str, *, lanes: Sequence[int] = (BROADCAST,)
) -> None:
    """Take back what has not gone out to a person who wants no more, with the reason."""
    waiting = and_(outbox.c.person_id == person_id, outbox.c.lane.in_(lanes))
    values = {"state": "failed", "reason": reason}
    db.execute(update(outbox).where(waiting, outbox.c.state == "queued").values(values))
