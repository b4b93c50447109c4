"""The rate of each sender: one row a channel, so that its limit holds across all workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Float, bindparam, case, select, update

from storage import schema
from storage.people import insert_or_nothing
from storage.prepared import Prepared

AHEAD = 0.1  # seconds: slots are given out no further ahead: a reply never waits longer for one,
# and of a process that is killed no more letters are of unknown fate
JITTER = 0.03  # of a second: slots lie so far apart that with it no second holds one too many,
# so that many which were missed may still be taken
MOST_AHEAD = 5.0  # seconds: a slot further ahead was taken by a clock that was wrong
KEPT = 1 / 5  # of the rate for replies, while people are writing
WRITING = 1.0  # seconds since the last reply
senders = schema.senders
LOCKED = Prepared(select(senders).where(senders.c.channel == bindparam("name")).with_for_update())
_replied = bindparam("replied", type_=Float())
TAKE = Prepared(
    update(senders)
    .where(senders.c.channel == bindparam("name"))
    .values(
        free_at=bindparam("until"),
        replied_at=case((senders.c.replied_at < _replied, _replied), else_=senders.c.replied_at),
    )
)


@dataclass(frozen=True, slots=True)
class Slots:
    """When messages may go out: the first moment, and seconds between one and the next."""

    first: float  # seconds since 1970
    apart: float
    count: int
    writing: bool = False  # whether people are answering: then a fifth is kept for replies
    taken: float = 0.0  # up to where slots were taken before, by whomever

    def at(self, place: int) -> float:
        return self.first + place * self.apart


def free(
    db: Connection, channel: str, now: datetime, rate: float, wanted: int, *, late: float = 0.0
) -> Slots:
    """The slots that may be taken now, none if the sender is told to wait; locks the row.

    Who sends alone may take up those of the last `late` seconds, up to JITTER.
    """
    (row,) = LOCKED.run(db, {"name": channel}) or (None,)
    moment, apart = now.timestamp(), (1 + JITTER) / rate
    if row is None:
        given = {"channel": channel, "free_at": 0.0, "paused_until": 0.0}
        db.execute(insert_or_nothing(db, senders, ["channel"]).values(given))
    free_at = row.free_at if row and row.free_at <= moment + MOST_AHEAD else 0.0
    first = max(free_at, row.paused_until, moment - late) if row else moment
    until = moment + AHEAD
    count = min(wanted, int((until - first) / apart) + 1) if first <= until else 0
    writing = row is not None and moment - row.replied_at < WRITING
    return Slots(first, apart, count, writing, row.free_at if row else 0.0)


def take(db: Connection, channel: str, slots: Slots, used: int, *, replied: bool = False) -> None:
    """Take the first of the slots."""
    if used:
        given = {"until": slots.at(used), "replied": slots.first if replied else 0.0}
        TAKE.run(db, {"name": channel, **given})


def pause(db: Connection, channel: str, until: datetime, reason: str) -> None:
    """The provider said wait: nobody sends on this channel until then."""
    moment = until.timestamp()
    db.execute(
        update(senders)
        .where(senders.c.channel == channel, senders.c.paused_until < moment)
        .values(paused_until=moment, reason=reason)
    )


def paused_until(db: Connection, channel: str) -> datetime | None:
    """Until when a sender has to wait, if it was ever told to."""
    found = db.scalar(select(senders.c.paused_until).where(senders.c.channel == channel))
    return datetime.fromtimestamp(found, UTC) if found else None
