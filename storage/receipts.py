"""What is learnt later of what went out: the provider's receipts, also those that come too early,
and the notes of a sender that died."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
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
from storage.outbox import ASKED, DIED, LEASE, UNSENT, Letter, letter

EARLY_KEPT = timedelta(days=1)
SOON, SELDOM = timedelta(seconds=1), timedelta(minutes=10)  # between two looks at an early one
LOOKED_AT = 500  # early ones at once
RANK = {"queued": 0, "leased": 1, "uncertain": 2, "sent": 2, "delivered": 3, "read": 4}
ARRIVED = ("delivered", "read")
outbox, people, early = schema.outbox, schema.people, schema.early_receipts
_known = and_(outbox.c.channel == early.c.channel, outbox.c.provider_id == early.c.provider_id)
DUE = (
    select(early, exists().where(_known).label("known"))
    .where(early.c.due <= bindparam("now"))
    .order_by(early.c.due)
    .limit(LOOKED_AT)
)


def told_of(db: Connection, channel: str, provider_id: str) -> Letter | None:
    """The letter that the provider knows by this id, locked."""
    known = and_(outbox.c.channel == channel, outbox.c.provider_id == provider_id)
    statement = _letters().where(known).with_for_update(of=outbox)
    row = db.execute(statement).first() if provider_id else None
    return letter(db, row) if row else None


def receipt(db: Connection, told: Receipt) -> None:
    """It arrived, or was read, in any order: a state never goes back.

    That it was "sent" is known from the provider's answer; told late, it may speak of an attempt
    that failed since, and would end the next one before it is made.
    """
    mine = and_(outbox.c.channel == told.channel, outbox.c.provider_id == told.provider_id)
    rank = case(RANK, value=outbox.c.state, else_=9)
    if told.state in ARRIVED:
        further = update(outbox).where(mine, rank < RANK[told.state])
        db.execute(further.values(state=told.state, leased_until=None))


def keep_early(db: Connection, told: Receipt) -> None:
    """The provider told of a message before its id was written: keep that until it is."""
    row = {"channel": told.channel, "provider_id": told.provider_id, "state": told.state}
    rest = {"at": told.at, "due": told.at, "code": told.code or None, "reason": told.reason or None}
    db.execute(insert(early).values(**row, **rest))


def take_early(db: Connection, now: datetime) -> list[Receipt]:
    """What was told too early of messages whose ids are known by now; what is old is forgotten.

    What is still unknown is looked at again when it is twice as old: most ids are written at once.
    """
    rows = db.execute(DUE, {"now": now}).all()
    gone = [row.id for row in rows if row.known or row.at < now - EARLY_KEPT]
    if gone:
        db.execute(delete(early).where(early.c.id.in_(gone)))
    later = [
        {"early": row.id, "again": now + min(max(now - row.at, SOON), SELDOM)}
        for row in rows
        if row.id not in gone
    ]
    if later:
        again = update(early).where(early.c.id == bindparam("early"))
        db.execute(again.values(due=bindparam("again")), later)
    return [
        Receipt(row.channel, row.provider_id, row.state, row.at, row.code or "", row.reason or "")
        for row in rows
        if row.known
    ]


def doubtful(db: Connection, channel: str, now: datetime, limit: int) -> list[Letter]:
    """Letters of unknown fate about which the provider may be asked now."""
    mine = and_(outbox.c.state == literal_column("'uncertain'"), outbox.c.channel == channel)
    statement = _letters().where(mine, outbox.c.due <= now).limit(limit)
    return [letter(db, row) for row in db.execute(statement).all()]


@dataclass(frozen=True, slots=True)
class Flight:
    """What a dead sender had noted of an invitation: "handed", "begun", "taken", "asked"
    (by template) or "kept"."""

    id: int
    handed_at: datetime
    last: str = "handed"
    provider_id: str = ""


def landed(db: Connection, flight: Flight) -> bool:
    """Settle an invitation by the notes of its dead sender; False if it was settled, or is
    somebody else's by now."""
    mine = and_(
        outbox.c.id == flight.id,
        outbox.c.attempted_at == flight.handed_at,
        outbox.c.state.in_(("leased", "uncertain")),
    )
    out: dict[str, Any] = {"provider_id": flight.provider_id, "sent_at": flight.handed_at}
    match flight.last:
        case "taken":
            values = {"state": "sent", "reason": None, **out}
        case "asked":
            values = {"state": "held", "reason": ASKED, "asked_at": flight.handed_at, **out}
        case "begun":
            values = {"state": "uncertain", "due": flight.handed_at + LEASE, "reason": DIED}
        case _:
            values = {**UNSENT, "reason": None}
    settled = update(outbox).where(mine).values(leased_until=None, **values)
    return bool(db.execute(settled).rowcount)


def _letters() -> Select[Any]:
    columns = (people.c.address, people.c.heard_at, people.c.language)
    return select(outbox, *columns).join(people, people.c.id == outbox.c.person_id)
