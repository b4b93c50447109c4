"""What is sent to many about a forum: planned, queued a batch at a time, and accounted for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    update,
)

from dialogs.values import Text
from storage import schema, wishes
from storage.outbox import BLOCKED, BROADCAST, CALLED_OFF, REPLY, STOPPED, TOO_LATE
from storage.wishes import NO_CONSENT, SPARED, consented

Purpose = Literal[
    "invitation", "reminder", "change", "cancellation", "seat", "thanks", "conclusions"
]
ASKING = ("invitation", "change")  # these have buttons, and an answer is expected
ANSWERABLE = (*ASKING, "reminder", "seat")  # to these one may say: I cannot come after all
STATES = (
    *("queued", "leased", "sent", "delivered", "read"),
    *("failed", "uncertain", "held", "missed"),
)
ANSWERED = "the person has answered already"
NO_CHANNEL = "the channel is off"
LATELY = timedelta(minutes=1)  # over which the pace is measured
STEPS = 200  # batches over which a spread is spread
invitations, outbox, people = schema.invitations, schema.outbox, schema.people
rsvps = schema.rsvps


@dataclass(frozen=True, slots=True)
class Invitation:
    """Something that is sent to many, as it is kept."""

    id: int
    forum_id: int
    purpose: Purpose
    state: str  # planned, queueing, sending, done, cancelled
    paused_at: datetime | None
    segment: str
    due: datetime
    latest: datetime
    spread: timedelta
    reach: int
    cursor: int
    words: Text
    template: str
    version: int
    alert: str
    any_hour: bool


def add(
    db: Connection,
    forum_id: int,
    purpose: Purpose,
    *,
    segment: str,
    due: datetime,
    latest: datetime,
    at: datetime,
    version: int,
    spread: timedelta = timedelta(0),
    reach: int = 0,
    words: Text | None = None,
    template: str = "",
    any_hour: bool = False,
) -> int:
    """Plan something to be sent."""
    values = {
        "forum_id": forum_id,
        "purpose": purpose,
        "state": "planned",
        "segment": segment,
        "due": due,
        "latest": latest,
        "spread": int(spread.total_seconds()),
        "reach": reach,
        "words": json.dumps(dict(words), ensure_ascii=False) if words else None,
        "template": template or None,
        "version": version,
        "any_hour": any_hour,
        "created_at": at,
    }
    made: int = db.execute(
        insert(invitations).values(values).returning(invitations.c.id)
    ).scalar_one()
    return made


def get(db: Connection, invitation_id: int) -> Invitation:
    """Raises LookupError if there is none such."""
    row = db.execute(select(invitations).where(invitations.c.id == invitation_id)).one_or_none()
    if row is None:
        raise LookupError(
            f"There is no invitation {invitation_id}. `consulta invite list` shows them."
        )
    return _invitation(row)


def lock(db: Connection, invitation_id: int) -> Invitation:
    """As `get`, and until the transaction ends it does not begin to go out."""
    mine = select(invitations.c.id).where(invitations.c.id == invitation_id)
    db.execute(mine.with_for_update(key_share=True))
    return get(db, invitation_id)


def of_forum(db: Connection, forum_id: int | None = None) -> list[Invitation]:
    """Everything planned or sent about a forum, or about all of them."""
    statement = select(invitations).order_by(invitations.c.due, invitations.c.id)
    if forum_id is not None:
        statement = statement.where(invitations.c.forum_id == forum_id)
    return [_invitation(row) for row in db.execute(statement)]


def latest_to(db: Connection, forum_id: int) -> Invitation | None:
    """The newest of a forum's invitations: its version of the form takes the replies."""
    found = [one for one in of_forum(db, forum_id) if one.purpose in ASKING]
    return found[-1] if found else None


def _invitation(row: Row[Any]) -> Invitation:
    return Invitation(
        id=row.id,
        forum_id=row.forum_id,
        purpose=row.purpose,
        state=row.state,
        paused_at=row.paused_at,
        segment=row.segment,
        due=row.due,
        latest=row.latest,
        spread=timedelta(seconds=row.spread),
        reach=row.reach,
        cursor=row.cursor,
        words=json.loads(row.words) if row.words else {},
        template=row.template or "",
        version=row.version,
        alert=row.alert or "",
        any_hour=row.any_hour,
    )


# whom it reaches


@dataclass(frozen=True, slots=True)
class Reach:
    """How many it would reach now, and why others of the segment are left out."""

    total: int
    channel: Mapping[str, int]
    language: Mapping[str, int]
    municipality: Mapping[str, int]
    left_out: Mapping[str, int]


def reach(
    db: Connection,
    who: ColumnElement[bool],
    purpose: Purpose = "invitation",
    forum_id: int | None = None,
) -> Reach:
    """Count them, in one statement; whoever has answered about the forum is not asked again."""
    free = case(
        (people.c.stopped_at.is_not(None), STOPPED),
        (people.c.blocked_at.is_not(None), BLOCKED),
        *(_unwanted(forum_id) if forum_id and purpose == "invitation" else []),
    )
    kept = case((~consented(), NO_CONSENT), else_=free) if purpose == "invitation" else free
    keys = (people.c.channel, people.c.language, people.c.municipality)
    found = select(*keys, kept.label("out")).where(who).subquery()
    groups = select(found, func.count().label("n")).group_by(*found.c)
    sums: dict[str, Counter[str]] = {
        key: Counter() for key in ("channel", "language", "municipality", "out")
    }
    for row in db.execute(groups):
        if row.out:
            sums["out"][row.out] += row.n
            continue
        for key in ("channel", "language", "municipality"):
            sums[key][getattr(row, key) or "unknown"] += row.n
    counts = [dict(sums[key].most_common()) for key in sums]
    return Reach(sums["channel"].total(), *counts)


# queueing


def next_to_queue(db: Connection, now: datetime) -> Invitation | None:
    """The invitation whose next batch is to be queued; no other worker takes the same.

    Also one that is too late: those who should have got it are accounted for as missed.
    """
    statement = (
        select(invitations)
        .where(invitations.c.state.in_(("planned", "queueing")), invitations.c.due <= now)
        .where(or_(invitations.c.paused_at.is_(None), invitations.c.latest <= now))
        .order_by(invitations.c.due, invitations.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
    )
    row = db.execute(statement).one_or_none()
    return _invitation(row) if row else None


def queue(
    db: Connection,
    invitation: Invitation,
    who: ColumnElement[bool],
    *,
    channels: Sequence[str],
    urgent: bool,
    batch: int,
) -> bool:
    """One batch, in one statement: people of the segment become rows of the ledger. True if last.

    A batch is a stretch of people's ids, so that neither time nor memory grows with their number.
    """
    newest = db.scalar(select(func.max(people.c.id))) or 0
    if invitation.spread:
        batch = min(batch, max(newest // STEPS, 1))
    until = invitation.cursor + batch
    due = invitation.due + invitation.spread * (invitation.cursor / max(newest, 1))
    wanted = consented() if invitation.purpose == "invitation" else literal(True)  # noqa: FBT003
    state, reason = _first_state(invitation, channels)
    known = select(outbox.c.person_id).where(  # once for all of them: to leave each to ON CONFLICT
        outbox.c.invitation_id == invitation.id,  # takes half as long again
        outbox.c.person_id > invitation.cursor, outbox.c.person_id <= until,
    )  # fmt: skip
    some = select(
        people.c.id, people.c.channel, literal(REPLY if urgent else BROADCAST),
        literal(invitation.id), state, literal(due, schema.outbox.c.due.type), reason,
    ).where(
        people.c.id > invitation.cursor, people.c.id <= until, who, wanted,
        people.c.id.not_in(known),
    )  # fmt: skip
    columns = ["person_id", "channel", "lane", "invitation_id", "state", "due", "reason"]
    if db.dialect.name == "postgresql":  # to compile the statement takes longer than it spares
        db.execute(text("SET LOCAL jit = off"))
    db.execute(insert(outbox).from_select(columns, some))
    last = until >= newest
    _set(db, invitation.id, cursor=until, state="sending" if last else "queueing")
    return last


def _first_state(invitation: Invitation, channels: Sequence[str]) -> tuple[Any, Any]:
    """Queued, or skipped with the reason."""
    reasons: list[tuple[ColumnElement[bool], str]] = [
        (people.c.stopped_at.is_not(None), STOPPED),
        (people.c.blocked_at.is_not(None), BLOCKED),
        (people.c.channel.not_in(channels), NO_CHANNEL),
    ]
    if invitation.purpose == "invitation":
        reasons += _unwanted(invitation.forum_id)
    if invitation.purpose == "conclusions":
        reasons.append((~wishes.wants_news(), wishes.NO_NEWS))
    skipped = or_(*(test for test, _ in reasons))
    return case((skipped, "skipped"), else_="queued"), case(*reasons, else_=null())


def _unwanted(forum_id: int) -> list[tuple[ColumnElement[bool], str]]:
    """Why somebody who may be called is not called to this forum."""
    return [(wishes.spared_from(forum_id), SPARED), (_answered(forum_id), ANSWERED)]


def _answered(forum_id: int) -> ColumnElement[bool]:
    answered = rsvps.c.answer.is_not(None)
    return people.c.id.in_(select(rsvps.c.person_id).where(rsvps.c.forum_id == forum_id, answered))


def give(
    db: Connection, invitation_id: int, ids: Sequence[int], *, due: datetime, urgent: bool
) -> None:
    """Queue it to just these people."""
    lane = literal(REPLY if urgent else BROADCAST)
    some = select(
        people.c.id, people.c.channel, lane, literal(invitation_id), literal("queued"),
        literal(due, schema.outbox.c.due.type),
    ).where(people.c.id.in_(ids))  # fmt: skip
    columns = ["person_id", "channel", "lane", "invitation_id", "state", "due"]
    db.execute(insert(outbox).from_select(columns, some))
    _set(db, invitation_id, state="sending")


# while it runs


def pause(db: Connection, invitation_id: int, now: datetime | None) -> None:
    """Send no more of it, or (None) go on."""
    _set(db, invitation_id, paused_at=now)


def alert(db: Connection, invitation_id: int, words: str) -> None:
    """What its author has to know."""
    _set(db, invitation_id, alert=words)


def change(db: Connection, invitation_id: int, **values: Any) -> None:
    """Another time, segment, last moment, template, or other words."""
    if "words" in values:
        values["words"] = json.dumps(dict(values["words"]), ensure_ascii=False)
    _set(db, invitation_id, **values)


def cancel(db: Connection, invitation_id: int) -> None:
    """Nobody who has not got it gets it any more."""
    _set(db, invitation_id, state="cancelled", paused_at=None)
    _end(db, and_(outbox.c.invitation_id == invitation_id), "skipped", CALLED_OFF)


def again(db: Connection, forum_id: int, now: datetime) -> None:
    """Whoever was noted late as having been there gets the thanks and the conclusions, too; nobody
    gets them twice, for the ledger knows each."""
    those = and_(
        invitations.c.forum_id == forum_id,
        invitations.c.purpose.in_(("thanks", "conclusions")),
        invitations.c.state.in_(("queueing", "sending", "done")),
        invitations.c.latest > now,
    )
    db.execute(update(invitations).where(those).values(state="queueing", cursor=0))


def miss(db: Connection, now: datetime) -> None:
    """Past its last sensible moment nothing of an invitation is sent; what is through is done."""
    sending = invitations.c.state == "sending"
    late = select(invitations.c.id).where(sending, invitations.c.latest <= now)
    for invitation_id in db.scalars(late).all():
        _end(db, outbox.c.invitation_id == invitation_id, "missed", TOO_LATE)
        _set(db, invitation_id, state="done", paused_at=None)
    mine = outbox.c.invitation_id == invitations.c.id
    again = exists().where(mine, outbox.c.state == "queued")  # the provider gave some back
    reopened = update(invitations).where(invitations.c.state == "done", again)
    db.execute(reopened.values(state="sending"))
    some = exists().where(mine, outbox.c.state.in_(("queued", "leased", "held")))
    through = update(invitations).where(sending, ~some)
    db.execute(through.values(state="done"))


def _end(db: Connection, which: ColumnElement[bool], state: str, reason: str) -> None:
    unsent = outbox.c.state.in_(("queued", "held"))
    db.execute(update(outbox).where(which, unsent).values(state=state, reason=reason))


def resend(db: Connection, invitation_id: int, now: datetime) -> int:
    """Send again what nobody knows of, because an organizer says so; how many that are."""
    unknown = and_(outbox.c.invitation_id == invitation_id, outbox.c.state == "uncertain")
    again = update(outbox).where(unknown).values(state="queued", due=now, reason=None)
    count = db.execute(again).rowcount
    if count:
        _set(db, invitation_id, state="sending")
    return count


def _set(db: Connection, invitation_id: int, **values: Any) -> None:
    db.execute(update(invitations).where(invitations.c.id == invitation_id).values(values))


def status(db: Connection, invitation_id: int) -> dict[str, Any]:
    """How many intended people are in each state; the parts always sum to the whole."""
    grouped = select(outbox.c.state, outbox.c.reason, func.count()).group_by(
        outbox.c.state, outbox.c.reason
    )
    found: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for state, reason, count in db.execute(grouped.where(outbox.c.invitation_id == invitation_id)):
        found[state] += count
        if state == "skipped":
            skipped[reason or "unknown"] += count
    counts = {state: found[state] for state in STATES}
    return {"intended": found.total(), **counts, "skipped": dict(skipped)}


def pace(db: Connection, invitation_id: int, now: datetime) -> float:
    """How many people a second it went out to in the last minute; 0 if it stands still."""
    mine, at = outbox.c.invitation_id == invitation_id, outbox.c.attempted_at
    last = db.scalar(select(func.max(at)).where(mine))
    if last is None or last < now - LATELY:
        return 0.0
    count, first = db.execute(
        select(func.count(), func.min(at)).where(mine, at > last - LATELY)
    ).one()
    seconds: float = max((last - first).total_seconds(), 1.0)
    return int(count) / seconds


@dataclass(frozen=True, slots=True)
class Told:
    """What the provider said of some: those that Meta spares, for instance, are one kind."""

    state: str
    code: str
    reason: str
    count: int


def told(db: Connection, invitation_id: int) -> list[Told]:
    """What the provider said, with how many it said it of; the most frequent first."""
    kinds = (outbox.c.state, outbox.c.code, outbox.c.reason)
    mine = and_(outbox.c.invitation_id == invitation_id, outbox.c.code.is_not(None))
    grouped = select(*kinds, func.count().label("n")).where(mine).group_by(*kinds)
    found = [Told(row[0], row[1], row[2] or "", row[3]) for row in db.execute(grouped)]
    return sorted(found, key=lambda each: (-each.count, each.code))


def last_to(db: Connection, person_id: int, now: datetime) -> Row[Any] | None:
    """The last invitation that went to a person about a forum still to come, if it is open.

    With `last`: whether nothing else has been said to them since.
    """
    return db.execute(LAST_TO, {"person": person_id, "now": now}).one_or_none()


_other = outbox.alias("other")
_at = func.coalesce(outbox.c.sent_at, outbox.c.attempted_at)
_said_since = exists().where(
    _other.c.person_id == outbox.c.person_id,
    _other.c.id != outbox.c.id,
    _other.c.state != "skipped",
    or_(_other.c.sent_at > _at, and_(_other.c.sent_at.is_(None), _other.c.attempted_at > _at)),
)
LAST_TO = (
    select(invitations.c.forum_id, rsvps.c.answer, (~_said_since).label("last"))
    .select_from(outbox)
    .join(invitations, invitations.c.id == outbox.c.invitation_id)
    .join(schema.forums, schema.forums.c.id == invitations.c.forum_id)
    .outerjoin(
        rsvps,
        and_(rsvps.c.forum_id == schema.forums.c.id, rsvps.c.person_id == outbox.c.person_id),
    )
    .where(outbox.c.person_id == bindparam("person"), invitations.c.purpose.in_(ANSWERABLE))
    .where(outbox.c.state.in_(("leased", "sent", "delivered", "read", "uncertain")))
    .where(schema.forums.c.ends_at > bindparam("now"), schema.forums.c.state == "planned")
    .where(_at.is_not(None))  # leased but not handed over: nobody can have answered it
    .order_by(_at.desc(), outbox.c.id.desc())
    .limit(1)
)
