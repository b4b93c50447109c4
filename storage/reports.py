"""Figures for the organizers: counted by the database, never answer by answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import reduce
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Float,
    Select,
    and_,
    case,
    cast,
    distinct,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
)

from storage import schema, troubles

ZONE = "America/Merida"
OFFSET = "-6 hours"  # of that zone, which keeps no summer time since 2022; SQLite knows no zones
QUIET = timedelta(days=3)  # without a word for so long, an unfinished conversation broke off
ARRIVED = ("sent", "delivered", "read")  # it went out, as far as anybody can know
SMALLEST = 5  # people: a smaller group could be recognised, and is shown as "fewer than 5"

answers, responses, people = schema.answers, schema.responses, schema.people
consents, forms = schema.consents, schema.forms


@dataclass(frozen=True, slots=True)
class Scope:
    """Which passes through a questionnaire are counted: the pilot's, or the real ones."""

    form: str
    versions: tuple[int, ...]
    pilot: bool
    only: Mapping[str, str] = field(default_factory=dict)  # of COLUMNS: those alone
    since: datetime | None = None  # began at or after this moment

    @property
    def newest(self) -> int:
        return self.versions[-1]


@dataclass(frozen=True, slots=True)
class Dispositions:
    """What became of everybody who began, in the manner of AAPOR's final dispositions."""

    undecided: int = 0  # wrote, and did not say whether they take part
    refused: int = 0
    going: int = 0  # accepted, and wrote lately
    broke_off: int = 0  # accepted, and is silent since QUIET
    completed: int = 0

    @property
    def reached(self) -> int:
        return self.undecided + self.refused + self.accepted

    @property
    def accepted(self) -> int:
        return self.going + self.broke_off + self.completed


@dataclass(frozen=True, slots=True)
class Group:
    """How many of a group began, accepted, and completed."""

    key: str
    begun: int
    completed: int
    refused: int
    broke_off: int
    whole: int  # began, whether or not they are of those alone that the scope is narrowed to


@dataclass(frozen=True, slots=True)
class Called:
    """What became of everybody who was invited to a forum, each person counted once."""

    invited: int = 0
    reached: int = 0  # it went out, as far as anybody can know
    answered: int = 0
    coming: int = 0  # said yes
    attended: int = 0


def scope(db: Connection, form: str) -> Scope | None:
    """What counts of a questionnaire now; None if it was never published."""
    rows = db.execute(
        select(forms.c.version, forms.c.state).where(forms.c.name == form).order_by(forms.c.version)
    ).all()
    if not rows:
        return None
    pilot = rows[-1].state == "pilot"
    versions = tuple(row.version for row in rows if (row.state == "pilot") == pilot)
    return Scope(form, versions, pilot)


def _inside(given: Scope) -> ColumnElement[bool]:
    """The passes that count. Who somebody is stands with the person: those are looked up."""
    tests = [_whole(given)]
    theirs: list[ColumnElement[bool]] = []
    for name, value in given.only.items():
        (tests if name in ("channel", "came_by") else theirs).append(_is(name, value))
    if theirs:
        tests.append(responses.c.person_id.in_(select(people.c.id).where(*theirs)))
    return and_(*tests)


def _whole(given: Scope) -> ColumnElement[bool]:
    """The passes that would count if the scope were not narrowed to some people."""
    tests = [responses.c.form == given.form, responses.c.version.in_(given.versions)]
    if given.since:
        tests.append(responses.c.started_at >= given.since)
    return and_(*tests)


def _is(name: str, value: str) -> ColumnElement[bool]:
    column = COLUMNS[name]
    return column == value if value else func.coalesce(column, "") == ""


def few(counts: Mapping[str, int]) -> frozenset[str]:
    """Which of these groups are not told with their number: whoever belongs to one of fewer than
    SMALLEST could be recognised. One alone would follow from the sum, so the next goes with it.
    """
    some = sorted((count, name) for name, count in counts.items() if count)
    small = [name for count, name in some if count < SMALLEST]
    return frozenset(name for _, name in some[:2]) if len(small) == 1 else frozenset(small)


def _standing() -> ColumnElement[bool]:
    return and_(answers.c.replaced_at.is_(None), answers.c.aside_at.is_(None))


def dispositions(db: Connection, given: Scope, now: datetime) -> Dispositions:
    """What became of everybody who began this questionnaire."""
    agreed = (
        select(consents.c.person_id)
        .where(consents.c.form == given.form, consents.c.kind == "answer", consents.c.given)
        .distinct()
        .subquery()
    )
    outcome = case(
        (responses.c.state != "started", responses.c.state),
        (agreed.c.person_id.is_(None), "undecided"),
        (people.c.heard_at < now - QUIET, "broke_off"),
        else_="going",
    ).label("outcome")
    statement = (
        select(outcome, func.count())
        .select_from(
            responses.join(people, people.c.id == responses.c.person_id).outerjoin(
                agreed, agreed.c.person_id == responses.c.person_id
            )
        )
        .where(_inside(given))
        .group_by(literal_column("1") if db.dialect.name == "postgresql" else outcome)
    )
    return Dispositions(**{str(name): count for name, count in db.execute(statement)})


COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "channel": responses.c.mode,
    "language": people.c.language,
    "came_by": responses.c.came_by,
    "municipality": people.c.municipality,
    "gender": people.c.gender,
    "age": people.c.age,
}


def by(db: Connection, given: Scope, now: datetime, *columns: str) -> dict[str, list[Group]]:
    """Everybody who began, by each of these columns of COLUMNS; the largest groups first.

    "age gender" counts by both at once: its keys are both, a space between. One pass over the
    people serves all; also those of whom the scope is not are counted, as `whole`.
    """
    names = dict.fromkeys(name for column in columns for name in column.split())
    outcome = case(
        (responses.c.state != "started", responses.c.state),
        (people.c.heard_at < now - QUIET, "broke_off"),
        else_="started",
    )
    part = and_(true(), *(_is(name, value) for name, value in given.only.items()))
    each = (
        select(
            *(func.coalesce(COLUMNS[name], "").label(name) for name in names),
            outcome.label("outcome"),
            case((part, 1), else_=0).label("part"),
        )
        .select_from(responses.join(people, people.c.id == responses.c.person_id))
        .where(_whole(given))
        .cte("each")
    )
    found: dict[str, dict[str, list[int]]] = {name: {} for name in columns}
    for column, key, ended, whole, count in db.execute(
        union_all(*(_counts_by(each, column) for column in columns))
    ):
        tally = found[column].setdefault(key, [0, 0, 0, 0, 0])
        tally[0] += count
        tally[4] += whole
        for place, state in enumerate(("completed", "refused", "broke_off"), 1):
            tally[place] += count * (ended == state)
    return {name: _largest_first(tallies) for name, tallies in found.items()}


def _counts_by(each: CTE, column: str) -> Select[Any]:
    keys: list[ColumnElement[Any]] = [each.c[name] for name in column.split()]
    key = reduce(lambda one, other: one + " " + other, keys)
    counts = func.count(), func.sum(each.c.part)
    return select(literal(column), key, each.c.outcome, *counts).group_by(*keys, each.c.outcome)


def called(db: Connection) -> Called:
    """What became of everybody who was invited to any forum, each counted once."""
    outbox, invitations, rsvps = schema.outbox, schema.invitations, schema.rsvps
    reached = func.max(case((outbox.c.state.in_(ARRIVED), 1), else_=0)).label("reached")
    invited = (
        select(outbox.c.person_id, reached)
        .join(invitations, invitations.c.id == outbox.c.invitation_id)
        .where(invitations.c.purpose == "invitation", outbox.c.state != "skipped")
        .group_by(outbox.c.person_id)
        .subquery()
    )
    replied = (
        select(
            rsvps.c.person_id,
            func.max(case((rsvps.c.answer.is_not(None), 1), else_=0)).label("answered"),
            func.max(case((rsvps.c.answer == "yes", 1), else_=0)).label("coming"),
            func.max(case((rsvps.c.attended_at.is_not(None), 1), else_=0)).label("attended"),
        )
        .group_by(rsvps.c.person_id)
        .subquery()
    )
    sums = (func.coalesce(func.sum(column), 0) for column in (
        invited.c.reached, replied.c.answered, replied.c.coming, replied.c.attended))  # fmt: skip
    both = invited.outerjoin(replied, replied.c.person_id == invited.c.person_id)
    return Called(*db.execute(select(func.count(), *sums).select_from(both)).one())


def _largest_first(tallies: Mapping[str, Sequence[int]]) -> list[Group]:
    groups = [Group(key, *tally) for key, tally in tallies.items()]
    return sorted(groups, key=lambda group: (-group.begun, group.key))


def _completed() -> ColumnElement[int]:
    return func.sum(case((responses.c.state == "completed", 1), else_=0))


def _local(db: Connection, moment: ColumnElement[Any], shape: str) -> ColumnElement[Any]:
    """The local day ("day") or hour ("hour") of a moment, as text."""
    if db.dialect.name == "postgresql":
        pattern = {"day": "YYYY-MM-DD", "hour": 'YYYY-MM-DD"T"HH24'}[shape]
        return func.to_char(func.timezone(ZONE, moment), pattern)
    pattern = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}[shape]
    return func.strftime(pattern, moment, OFFSET)


def daily(db: Connection, given: Scope, since: datetime) -> dict[date, tuple[int, int]]:
    """How many began and how many completed, by the local day on which they began."""
    day = _local(db, responses.c.started_at, "day").label("day")
    statement = (
        select(day, func.count(), _completed())
        .where(_inside(given), responses.c.started_at >= since)
        .group_by(literal_column("day"))
    )
    return {date.fromisoformat(row[0]): (row[1], row[2]) for row in db.execute(statement)}


def hourly(db: Connection, since: datetime) -> dict[str, int]:
    """Answers by local hour ("2027-06-28T09")."""
    hour = _local(db, answers.c.at, "hour").label("hour")
    statement = (
        select(hour, func.count()).where(answers.c.at >= since).group_by(literal_column("hour"))
    )
    return {row[0]: row[1] for row in db.execute(statement)}


def answered(db: Connection, given: Scope) -> dict[str, int]:
    """How many have answered each question."""
    statement = (
        select(answers.c.question, func.count())
        .join(responses, responses.c.id == answers.c.response_id)
        .where(_inside(given), _standing())
        .group_by(answers.c.question)
    )
    return {row[0]: row[1] for row in db.execute(statement)}


def last_answered(db: Connection, given: Scope, quiet_since: datetime) -> dict[str, int]:
    """After which question those who broke off fell silent."""
    last = (
        select(answers.c.question)
        .where(answers.c.response_id == responses.c.id, _standing())
        .order_by(answers.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    silent = (
        select(last.label("question"))
        .select_from(responses.join(people, people.c.id == responses.c.person_id))
        .where(_inside(given), responses.c.state == "started", people.c.heard_at < quiet_since)
        .subquery()
    )
    if db.dialect.name == "postgresql":  # to compile this takes longer than to run it
        db.exec_driver_sql("SET LOCAL jit = off")
    statement = select(silent.c.question, func.count()).group_by(silent.c.question)
    return {row[0]: row[1] for row in db.execute(statement) if row[0] is not None}


def median_time(db: Connection, given: Scope) -> timedelta | None:
    """From the first word to the folio, of those who completed: half took less."""
    if db.dialect.name == "postgresql":
        spent: ColumnElement[Any] = func.extract(
            "epoch", responses.c.finished_at - responses.c.started_at
        )
        statement: Select[Any] = select(func.percentile_disc(0.5).within_group(spent.asc())).where(
            _inside(given), responses.c.state == "completed"
        )
        found = db.scalar(statement)
        return None if found is None else timedelta(seconds=float(found))
    spent = func.julianday(responses.c.finished_at) - func.julianday(responses.c.started_at)
    done = and_(_inside(given), responses.c.state == "completed")
    count = db.scalar(select(func.count()).where(done).select_from(responses)) or 0
    middle = select(cast(spent, Float)).where(done).order_by(spent).offset((count - 1) // 2)
    found = db.scalar(middle.limit(1)) if count else None
    return None if found is None else timedelta(days=float(found))


def values(db: Connection, given: Scope, question: str) -> dict[str, int]:
    """How often each value of a choice question was given; several may be given at once."""
    statement = (
        select(answers.c.value, func.count())
        .join(responses, responses.c.id == answers.c.response_id)
        .where(_inside(given), _standing(), answers.c.question == question)
        .where(answers.c.value.is_not(None))
        .group_by(answers.c.value)
    )
    found: dict[str, int] = {}
    for row in db.execute(statement):
        for value in str(row[0]).split():
            found[value] = found.get(value, 0) + row[1]
    return found


# today


@dataclass(frozen=True, slots=True)
class Attention:
    """What needs a hand now."""

    failed: int  # messages that will not arrive
    uncertain: int  # may have arrived; nobody can know
    held: int  # wait until the person writes
    broken: int  # conversations that failed by our fault
    requests: int  # rights that somebody exercises
    oldest_request: datetime | None


def attention(db: Connection) -> Attention:
    """What needs a hand now."""
    states = troubles.counts(db)
    at, open_ = schema.requests.c.at, schema.requests.c.settled_at.is_(None)
    requests, oldest = db.execute(select(func.count(), func.min(at)).where(open_)).one()
    return Attention(
        failed=states.get("failed", 0),
        uncertain=states.get("uncertain", 0),
        held=states.get("held", 0),
        broken=troubles.broken_count(db),
        requests=requests,
        oldest_request=oldest,
    )


@dataclass(frozen=True, slots=True)
class Day:
    """What happened in a stretch of time."""

    people: int  # who answered something
    answers: int
    completed: int


def lately(db: Connection, since: datetime) -> Day:
    """What happened since then."""
    writers = select(func.count(), func.count(distinct(answers.c.response_id)))
    count, who = db.execute(writers.where(answers.c.at >= since)).one()
    done = select(func.count()).select_from(responses).where(responses.c.finished_at >= since)
    return Day(who, count, db.scalar(done.where(responses.c.state == "completed")) or 0)


def published(db: Connection) -> list[Any]:
    """Every version of every questionnaire, the newest first."""
    return list(db.execute(select(forms).order_by(forms.c.name, forms.c.version.desc())))


def begun(db: Connection) -> dict[tuple[str, int], int]:
    """How many began each version."""
    key = (responses.c.form, responses.c.version)
    found = db.execute(select(*key, func.count()).group_by(*key))
    return {(row[0], row[1]): row[2] for row in found}


# rights


def rights(db: Connection, *, settled: bool, limit: int = 100) -> list[Any]:
    """Rights that people exercise, oldest first; or those that were seen to, newest first."""
    requests = schema.requests
    statement = select(requests, people.c.pseudonym, people.c.channel).join(
        people, people.c.id == requests.c.person_id
    )
    if settled:
        statement = statement.where(requests.c.settled_at.is_not(None))
        return list(db.execute(statement.order_by(requests.c.settled_at.desc()).limit(limit)))
    statement = statement.where(requests.c.settled_at.is_(None))
    return list(db.execute(statement.order_by(requests.c.at).limit(limit)))


def folios(db: Connection, person_ids: Sequence[int]) -> dict[int, list[str]]:
    """The folios of some people, by which they can be spoken of without a name."""
    found: dict[int, list[str]] = {}
    rule = (responses.c.person_id.in_(person_ids), responses.c.folio.is_not(None))
    for row in db.execute(select(responses.c.person_id, responses.c.folio).where(*rule)):
        found.setdefault(row.person_id, []).append(row.folio)
    return found
