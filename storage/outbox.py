"""The ledger of what is sent: queued → leased → sent → delivered → read, or why not.

A row with an invitation is one intended person of it, and ends in one explained state: sent and
what follows, failed, uncertain, held (until the person writes), missed (too late) or skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from cryptography.exceptions import InvalidTag
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Integer,
    Row,
    String,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from dialogs.values import Message, message_from_json, message_to_json
from storage import schema, wishes
from storage.database import vault_of
from storage.people import Person
from storage.prepared import Prepared
from storage.schema import Moment, among

log = structlog.get_logger()

REPLY, BROADCAST = 0, 1  # lanes: what answers a person goes before what calls many
LEASE = timedelta(seconds=60)  # longer than any provider is waited for
APART = timedelta(seconds=1)  # between what calls many and anything else to the same person
UNSENT: dict[str, Any] = {
    "state": "queued",
    "attempts": schema.outbox.c.attempts - 1,
    "attempted_at": None,
}
STOPPED = "the person asked us to stop"
BLOCKED = "the person blocked us"
TOO_LATE = "the last sensible moment has passed"
CALLED_OFF = "the invitation was cancelled"
ASKED = "asked by template whether the invitation is wanted: it waits for the person"
UNREADABLE = "what we stored of it cannot be read"
DIED = "the sender died while it was on its way"
outbox, people, invitations = schema.outbox, schema.people, schema.invitations


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that is leased to one sender. Without words of its own it is an invitation's."""

    id: int
    person_id: int
    channel: str
    lane: int
    address: str
    message: Message | None
    attempts: int
    heard_at: datetime
    state: str = "leased"
    invitation_id: int | None = None
    language: str | None = None
    attempted_at: datetime | None = None
    asked_at: datetime | None = None


# into the queue


@dataclass(slots=True)
class Hand:
    """Who sends the answers of a transaction as soon as it is written: they are leased as they are
    queued, and need not be read back."""

    now: datetime
    by: int | None  # whose lease it is (storage.meeting)
    free: Callable[[str], bool]  # whether one more may go out on this channel
    near: Callable[[int], bool]  # whether it has what this person was told last, and keeps order
    letters: list[Letter] = field(default_factory=list)
    behind: bool = False  # whether something was queued that was not leased


@contextmanager
def at_hand(db: Connection, hand: Hand | None) -> Iterator[None]:
    """In this block answers are for this one to send."""
    db.execution_options(hand=hand)
    try:
        yield
    finally:
        db.execution_options(hand=None)


def put(
    db: Connection, person_id: int, channel: str, message: Message, due: datetime, lane: int = REPLY
) -> None:
    """Queue a message to a person."""
    hand: Hand | None = db.get_execution_options().get("hand")
    if hand:
        hand.behind = True
    row = _row(db, person_id, channel, message, due)
    PUT.run(db, {**row, "lane": lane, "state": "queued"})


def answer(db: Connection, person: Person, message: Message, at: datetime) -> None:
    """Queue what answers a person who is writing; leased, if there is a hand for it and nothing
    that was said before waits elsewhere."""
    hand: Hand | None = db.get_execution_options().get("hand")
    if hand is None or not hand.free(person.channel):
        put(db, person.id, person.channel, message, at)
        return
    row = _row(db, person.id, person.channel, message, at)
    mine = hand.by if hand.near(person.id) else None
    lease = {"attempted_at": hand.now, "leased_until": hand.now + LEASE, "leased_by": hand.by}
    ((id_, state),) = PUT_AND_LEASE.run(db, {**row, **lease, "person": person.id, "mine": mine})
    if state == "queued":
        LET_GO.run(db, {"row": id_})
        hand.behind = True
        return
    known = (id_, person.id, person.channel, REPLY, person.address, message, 1, at)
    hand.letters.append(Letter(*known, language=person.language, attempted_at=hand.now))


def _row(
    db: Connection, person_id: int, channel: str, message: Message, due: datetime
) -> dict[str, Any]:
    content = COMPACT.encode(message_to_json(message))
    hidden = vault_of(db).hide("outbox.message", content)
    return {"person_id": person_id, "channel": channel, "message": hidden, "due": due}


# Statements are built once: building one costs as much as running it.
COMPACT = json.JSONEncoder(separators=(",", ":"))
PUT = Prepared(insert(outbox).inline())
_waits = exists().where(
    outbox.c.person_id == bindparam("person"),
    outbox.c.lane == literal_column(str(REPLY)),
    or_(
        outbox.c.state == literal_column("'queued'"),  # SQLite would plan anew for each value of
        and_(  # a parameter that may fit a partial index, which takes longer than all the rest
            outbox.c.state == literal_column("'leased'"),
            outbox.c.leased_by.is_distinct_from(bindparam("mine", type_=Integer())),
        ),
    ),
)
PUT_AND_LEASE = Prepared(  # asked of the state alone: of each column, it would be as many searches
    insert(outbox)
    .inline()
    .values(state=case((_waits, "queued"), else_="leased"), lane=REPLY, attempts=1)
    .returning(outbox.c.id, outbox.c.state)
)
LET_GO = Prepared(
    update(outbox)
    .where(outbox.c.id == bindparam("row"))
    .values(leased_until=None, leased_by=None, **UNSENT)
)


# out of the queue


def claim(
    db: Connection,
    channels: Sequence[str],
    now: datetime,
    limit: int,
    calls: int | None = None,
    *,
    quiet: bool = False,
    by: int | None = None,
) -> list[Letter]:
    """Lease what is due, replies first; at most `calls` of what calls many.

    With `quiet`, people sleep: only what was meant to go out all the same. `by` is whose lease it
    is (storage.meeting).
    """
    rows = _replies(db, channels, now, limit)
    room = min(limit - len(rows), limit if calls is None else calls)
    if room > 0:
        taken = {row.person_id for row in rows}
        calls_ = _calls(db, channels, now, room, quiet=quiet)
        rows += {row.person_id: row for row in calls_ if row.person_id not in taken}.values()
    return _leased(db, rows, now, by) if rows else []


# Statements of every round, built once: building one costs as much as running it. The state and
# the lane stand in the words of the partial indexes, or the planner would not see that they fit.
_earlier, _other = outbox.alias("earlier"), outbox.alias("other")
_rows = (
    select(
        outbox,
        *(people.c.address, people.c.heard_at, people.c.stopped_at, people.c.blocked_at),
        *(people.c.language, invitations.c.latest, invitations.c.state.label("running")),
    )
    .join(people, people.c.id == outbox.c.person_id)
    .outerjoin(invitations, invitations.c.id == outbox.c.invitation_id)
    .where(outbox.c.state == literal_column("'queued'"))
    .order_by(outbox.c.due, outbox.c.id)
    .limit(bindparam("room"))
    .with_for_update(of=outbox, skip_locked=True)
)
_first_of_person = ~exists().where(
    _earlier.c.person_id == outbox.c.person_id,
    _earlier.c.lane == outbox.c.lane,
    _earlier.c.id < outbox.c.id,
    _earlier.c.state.in_(("queued", "leased")),
)
_crowded = exists().where(
    _other.c.person_id == outbox.c.person_id,
    _other.c.id != outbox.c.id,
    or_(_other.c.state == "leased", _other.c.sent_at > bindparam("lately", type_=Moment())),
)
_due = outbox.c.due <= bindparam("now")
REPLIES = _rows.where(
    or_(_due, outbox.c.attempts == 0),  # a new one is due, whatever the clock of its writer said
    outbox.c.lane == literal_column(str(REPLY)),
    outbox.c.channel.in_(bindparam("channels", expanding=True)),
    _first_of_person,
)
CALLS = _rows.where(
    _due,
    outbox.c.lane == literal_column(str(BROADCAST)),
    outbox.c.invitation_id == bindparam("invitation"),
    outbox.c.channel == bindparam("channel"),
    ~_crowded,
)
RUNNING = (
    select(invitations.c.id)
    .where(
        invitations.c.state.in_(("queueing", "sending")),
        invitations.c.paused_at.is_(None),
        invitations.c.latest > bindparam("now"),
        or_(invitations.c.any_hour, bindparam("awake", type_=Boolean())),
    )
    .order_by(invitations.c.due, invitations.c.id)
)
_ids = among(outbox.c.id)
LEASED = {
    dialect: update(outbox)
    .where(those)
    .values(
        state="leased",
        leased_until=bindparam("until"),
        leased_by=bindparam("by"),
        attempted_at=case((outbox.c.invitation_id.is_(None), bindparam("now", type_=Moment()))),
        attempts=outbox.c.attempts + 1,
    )
    for dialect, those in _ids.items()
}


def _replies(db: Connection, channels: Sequence[str], now: datetime, limit: int) -> list[Row[Any]]:
    """Of one person only the oldest, so that order is kept."""
    given = {"channels": list(channels), "now": now, "room": limit}
    return list(db.execute(REPLIES, given))


def _calls(
    db: Connection, channels: Sequence[str], now: datetime, limit: int, *, quiet: bool
) -> list[Row[Any]]:
    """From the invitations that run, the oldest first; a paused one costs nothing to pass over."""
    rows: list[Row[Any]] = []
    for invitation_id in db.scalars(RUNNING, {"now": now, "awake": not quiet}).all():
        for channel in channels:
            given = {"invitation": invitation_id, "channel": channel, "now": now}
            room = {"room": limit - len(rows), "lately": now - APART}
            rows += db.execute(CALLS, {**given, **room}).all()
            if len(rows) >= limit:
                return rows
    return rows


def _leased(
    db: Connection, rows: Sequence[Row[Any]], now: datetime, by: int | None
) -> list[Letter]:
    """Lease the rows; of invitations only those that are still wanted and still sensible."""
    letters = []
    refused = wishes.refused(db, [row.id for row in rows if row.invitation_id])
    for row in rows:
        if row.invitation_id and (ending := _pointless(row, refused.get(row.id), now)):
            _settle(db, row, state=ending[0], reason=ending[1])
        elif found := _opened(db, row, now):
            letters.append(found)
    if letters:
        ids = [each.id for each in letters]
        given = {"ids": ids, "until": now + LEASE, "now": now, "by": by}
        db.execute(LEASED[db.dialect.name], given)
    return letters


HANDED = {
    dialect: update(outbox)
    .where(
        those,
        outbox.c.state == "leased",
        outbox.c.attempted_at.is_(None),
        outbox.c.leased_until > bindparam("now"),
    )
    .values(attempted_at=bindparam("now"))
    .returning(outbox.c.id)
    for dialect, those in _ids.items()
}


def hand_over(db: Connection, ids: Sequence[int], now: datetime) -> set[int]:
    """Note that these invitations go out now, before they do; which of them still are the caller's.

    Of a sender that dies, what it had leased but not handed over was certainly not sent.
    """
    return set(db.scalars(HANDED[db.dialect.name], {"ids": list(ids), "now": now}))


def _opened(db: Connection, row: Row[Any], now: datetime) -> Letter | None:
    """The leased letter; one that cannot be read ends here, and holds up no other."""
    try:
        return letter(db, row, now)
    except (LookupError, TypeError, ValueError, InvalidTag) as error:
        log.error("a letter cannot be read", id=row.id, error=type(error).__name__)
        failed(db, row, UNREADABLE)
        return None


def _pointless(row: Row[Any], refused: str | None, now: datetime) -> tuple[str, str] | None:
    """The state and reason in which an invitation ends unsent."""
    if row.stopped_at or row.blocked_at:
        return "skipped", STOPPED if row.stopped_at else BLOCKED
    if refused:
        return "skipped", refused
    if row.running == "cancelled":
        return "skipped", CALLED_OFF
    return ("missed", TOO_LATE) if row.latest <= now else None


def letter(db: Connection, row: Row[Any], leased_at: datetime | None = None) -> Letter:
    """A row of the outbox with its person's address, heard_at and language; as it is once leased,
    if it is."""
    vault = vault_of(db)
    hidden = vault.show("outbox.message", row.message) if row.message else None
    return Letter(
        id=row.id,
        person_id=row.person_id,
        channel=row.channel,
        lane=row.lane,
        address=vault.open("people.address", row.address),
        message=message_from_json(json.loads(hidden)) if hidden else None,
        attempts=row.attempts + 1 if leased_at else row.attempts,
        heard_at=row.heard_at,
        state="leased" if leased_at else row.state,
        invitation_id=row.invitation_id,
        language=row.language,
        attempted_at=leased_at or row.attempted_at,
        asked_at=row.asked_at,
    )


# what became of it


def sent(db: Connection, letter_id: int, provider_id: str, at: datetime) -> None:
    """The provider took it."""
    sent_many(db, [(letter_id, provider_id, at)])


def sent_many(db: Connection, taken: Iterable[tuple[int, str, datetime]]) -> None:
    """The provider took these: our id, its id, and when."""
    rows = list(taken)
    if not rows:
        return
    if db.dialect.name == "postgresql":
        ids, given, at = zip(*rows, strict=True)
        db.execute(TAKEN, {"ids": list(ids), "given": list(given), "at": list(at)})
        return
    for row, provider, sent_at in rows:
        TAKEN_EACH.run(db, {"row": row, "provider": provider, "at": sent_at})


_taken: dict[str, Any] = {"state": "sent", "leased_until": None, "reason": None, "code": None}
TAKEN_EACH = Prepared(
    update(outbox)
    .where(outbox.c.id == bindparam("row"))
    .values(provider_id=bindparam("provider"), sent_at=bindparam("at"), **_taken)
)
_told = (
    func.unnest(
        bindparam("ids", type_=ARRAY(BigInteger)),
        bindparam("given", type_=ARRAY(String)),
        bindparam("at", type_=ARRAY(DateTime(timezone=True))),
    )
    .table_valued("row", "provider", "at")
    .render_derived(name="told")
)
TAKEN = (  # in one statement: one for each would cost as much as sending
    update(outbox)
    .where(outbox.c.id == _told.c.row)
    .values(provider_id=_told.c.provider, sent_at=_told.c.at, **_taken)
)


def failed(db: Connection, of: Letter | Row[Any], reason: str, code: str = "") -> None:
    """It will not go out, now or later."""
    _settle(db, of, state="failed", reason=reason, code=code or None)


def uncertain(db: Connection, of: Letter, reason: str, look_at: datetime | None = None) -> None:
    """It may have gone out; `look_at` is when to ask the provider, if it can be asked."""
    due = {"due": look_at} if look_at else {}
    _settle(db, of, state="uncertain", reason=reason, **due)


def later(db: Connection, of: Letter, due: datetime, reason: str, code: str = "") -> None:
    """Back into the queue, for this moment."""
    _settle(db, of, state="queued", due=due, reason=reason, code=code or None)


def unsent(db: Connection, of: Letter) -> None:
    """Back into the queue as if it had not been leased: the sender was told to wait before."""
    _settle(db, of, **UNSENT)


def _settle(db: Connection, of: Letter | Row[Any], **values: Any) -> None:
    """Unless it has gone on meanwhile: what is written late speaks of an attempt that is over,
    and would send a second time what the next one has sent."""
    mine = and_(outbox.c.id == of.id, outbox.c.attempts == of.attempts)
    still = outbox.c.state.in_((of.state, "uncertain"))  # the latter if its sender seemed dead
    db.execute(update(outbox).where(mine, still).values(leased_until=None, **values))


def hold(db: Connection, of: Letter, reason: str, **asked: Any) -> None:
    """Not until the person writes again: WhatsApp's window is closed."""
    _settle(db, of, state="held", reason=reason, **asked)


def release(db: Connection, person_id: int, now: datetime) -> None:
    """The person wrote: what was held for them may go out, as an answer."""
    held = and_(outbox.c.person_id == person_id, outbox.c.state == "held")
    values = {"state": "queued", "lane": REPLY, "due": now, "reason": None}
    db.execute(update(outbox).where(held).values(values))


def asked(db: Connection, person_id: int) -> int | None:
    """The row that waits for a person's answer to a template: whether they want the invitation."""
    found: int | None = db.scalar(WAITING, {"person": person_id})
    return found


WAITING = (
    select(outbox.c.id)
    .where(
        outbox.c.person_id == bindparam("person"),
        outbox.c.state == "held",
        outbox.c.asked_at.is_not(None),
    )
    .order_by(outbox.c.id.desc())
    .limit(1)
)


def skip(db: Connection, letter_id: int, reason: str) -> None:
    """An intended person who is not called after all."""
    held = and_(outbox.c.id == letter_id, outbox.c.state == "held")
    db.execute(update(outbox).where(held).values(state="skipped", reason=reason))


def drop(
    db: Connection, person_id: int, reason: str, *, lanes: Sequence[int] = (BROADCAST,)
) -> None:
    """Take back what has not gone out to a person who wants no more, with the reason."""
    take_back(db, person_id, reason)
    waiting = outbox.c.state.in_(("queued", "held"))
    rest = update(outbox).where(outbox.c.person_id == person_id, waiting, outbox.c.lane.in_(lanes))
    db.execute(rest.values(state="failed", reason=reason))


def take_back(db: Connection, person_id: int, reason: str, *which: ColumnElement[bool]) -> None:
    """Invitations that are not on their way: also one whose slot is near is not handed over."""
    near = and_(outbox.c.state == "leased", outbox.c.attempted_at.is_(None))
    unsent = or_(outbox.c.state.in_(("queued", "held")), near)
    calls = and_(outbox.c.person_id == person_id, outbox.c.invitation_id.is_not(None), unsent)
    skipped = {"state": "skipped", "reason": reason, "leased_until": None}
    db.execute(update(outbox).where(calls, *which).values(skipped))


def recover(db: Connection, now: datetime, *, all_: bool = False, of: Sequence[int] = ()) -> int:
    """Leases that are over, and those `of` workers that are dead: an invitation that was handed
    over may have been sent, or may be as long as its sender only seems dead, and becomes uncertain;
    all else goes out again."""
    over = outbox.c.state == "leased"
    if not all_:  # one that is longer than any was given by a clock that was wrong
        until = outbox.c.leased_until
        dead = outbox.c.leased_by.in_(of)
        over = and_(over, or_(until < now, until > now + 2 * LEASE, dead))
    calls = outbox.c.invitation_id.is_not(None)
    unsent = update(outbox).where(over, calls, outbox.c.attempted_at.is_(None))
    again_ = db.execute(unsent.values(leased_until=None, **UNSENT)).rowcount
    lost = update(outbox).where(over, calls)
    lost = lost.values(state="uncertain", leased_until=None, due=now + LEASE, reason=DIED)
    again = update(outbox).where(over, ~calls).values(state="queued", leased_until=None)
    return again_ + db.execute(lost).rowcount + db.execute(again).rowcount


def next_due(db: Connection, channels: Sequence[str]) -> datetime | None:
    """When the next queued reply is to go out."""
    found: datetime | None = db.scalar(NEXT_DUE, {"channels": list(channels)})
    return found


NEXT_DUE = (
    select(outbox.c.due)
    .where(
        outbox.c.state == literal_column("'queued'"),
        outbox.c.lane == literal_column(str(REPLY)),
        outbox.c.channel.in_(bindparam("channels", expanding=True)),
    )
    .order_by(outbox.c.due)
    .limit(1)
)
