"""What a provider tells later of what it took: receipts, also those that come too early."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    case,
    delete,
    exists,
    insert,
    literal_column,
    select,
    update,
)

from dialogs.values import Receipt
from storage import schema
from storage.outbox import Letter, letter

EARLY_KEPT = timedelta(days=1)
RANK = {"queued": 0, "leased": 1, "uncertain": 2, "sent": 2, "delivered": 3, "read": 4}
outbox, people, early = schema.outbox, schema.people, schema.early_receipts


def told_of(db: Connection, channel: str, provider_id: str) -> Letter | None:
    """The letter that the provider knows by this id, locked."""
    known = and_(outbox.c.channel == channel, outbox.c.provider_id == provider_id)
    statement = _letters().where(known).with_for_update(of=outbox)
    row = db.execute(statement).first() if provider_id else None
    return letter(db, row) if row else None


def receipt(db: Connection, told: Receipt) -> None:
    """It went further, in any order: a state never goes back."""
    mine = and_(outbox.c.channel == told.channel, outbox.c.provider_id == told.provider_id)
    rank = case(RANK, value=outbox.c.state, else_=9)
    if told.state in RANK:
        further = update(outbox).where(mine, rank < RANK[told.state])
        db.execute(further.values(state=told.state, leased_until=None))


def keep_early(db: Connection, told: Receipt) -> None:
    """The provider told of a message before its id was written: keep that until it is."""
    row = {"channel": told.channel, "provider_id": told.provider_id, "state": told.state}
    rest = {"at": told.at, "code": told.code or None, "reason": told.reason or None}
    db.execute(insert(early).values(**row, **rest))


def take_early(db: Connection, now: datetime) -> list[Receipt]:
    """What was told too early of messages whose ids are known by now; what is old is forgotten."""
    db.execute(delete(early).where(early.c.at < now - EARLY_KEPT))
    known = and_(outbox.c.channel == early.c.channel, outbox.c.provider_id == early.c.provider_id)
    rows = db.execute(select(early).where(exists().where(known)).order_by(early.c.id)).all()
    if rows:
        db.execute(delete(early).where(early.c.id.in_([row.id for row in rows])))
    return [
        Receipt(row.channel, row.provider_id, row.state, row.at, row.code or "", row.reason or "")
        for row in rows
    ]


def doubtful(db: Connection, channel: str, now: datetime, limit: int) -> list[Letter]:
    """Letters of unknown fate about which the provider may be asked now."""
    mine = and_(outbox.c.state == literal_column("'uncertain'"), outbox.c.channel == channel)
    statement = _letters().where(mine, outbox.c.due <= now).limit(limit)
    return [letter(db, row) for row in db.execute(statement).all()]


def _letters() -> Select[Any]:
    columns = (people.c.address, people.c.heard_at, people.c.language)
    return select(outbox, *columns).join(people, people.c.id == outbox.c.person_id)
