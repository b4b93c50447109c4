"""The work plan's dates, where organizers moved them; which phases are done, and what they did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, insert, select, update

from storage import schema
from storage.people import insert_new

phases, facts, steps = schema.phases, schema.facts, schema.plan_steps
START = "plan.start"  # in facts
SINCE = "plan.since"  # the same: when the start was set


@dataclass(frozen=True, slots=True)
class Dates:
    """When a phase runs, both days included."""

    starts: date
    ends: date
    done_at: datetime | None = None
    by_hand: bool = False  # somebody opens and closes for it
    set_at: datetime | None = None  # when these days were chosen


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that the plan took, or found seen to."""

    phase: int
    to: str  # open, closed
    due: datetime
    at: datetime
    form: str
    outcome: str  # bot.plan.Outcome


def start(db: Connection) -> date | None:
    """The first day of the plan, once somebody has set it."""
    found = db.scalar(select(facts.c.value).where(facts.c.key == START))
    return date.fromisoformat(found) if found else None


def since(db: Connection) -> datetime | None:
    """When the start of the plan was set: what was due before is nobody's but the organizers'."""
    found = db.scalar(select(facts.c.value).where(facts.c.key == SINCE))
    return datetime.fromisoformat(found) if found else None


def begin_on(db: Connection, day: date, at: datetime) -> None:
    """Shift the whole plan to begin on this day; what was moved by hand goes with it."""
    before = start(db)
    db.execute(delete(facts).where(facts.c.key.in_((START, SINCE))))
    db.execute(insert(facts).values(key=START, value=day.isoformat()))
    db.execute(insert(facts).values(key=SINCE, value=at.isoformat()))
    if before is None:
        return
    for number, dates in moved(db).items():
        values = {"starts": dates.starts + (day - before), "ends": dates.ends + (day - before)}
        db.execute(update(phases).where(phases.c.number == number).values(values))


def moved(db: Connection) -> Mapping[int, Dates]:
    """The phases that somebody moved or finished, by number."""
    rows = db.execute(select(phases))
    return {
        row.number: Dates(row.starts, row.ends, row.done_at, row.by_hand, row.set_at)
        for row in rows
    }


def move(db: Connection, number: int, dates: Dates) -> None:
    """Set when a phase runs, and whether it is done."""
    db.execute(delete(phases).where(phases.c.number == number))
    db.execute(insert(phases).values(number=number, **asdict(dates)))


# what it did by itself


def keys(db: Connection) -> set[tuple[int, str, datetime]]:
    """The steps that were taken: phase, state, and when that was due."""
    rows = db.execute(select(steps.c.phase, steps.c.step, steps.c.due))
    return {(row.phase, row.step, row.due) for row in rows}


def take(db: Connection, phase: int, to: str, due: datetime, at: datetime) -> bool:
    """Take a step; False if it was taken before."""
    values = {"phase": phase, "step": to, "due": due, "at": at, "form": "", "outcome": ""}
    return insert_new(db, steps, ("phase", "step", "due"), values)


def settle(db: Connection, phase: int, to: str, due: datetime, form: str, outcome: str) -> None:
    """What became of a step that was taken."""
    this = (steps.c.phase == phase, steps.c.step == to, steps.c.due == due)
    db.execute(update(steps).where(*this).values(form=form, outcome=outcome))


def taken(db: Connection, after: datetime | None = None) -> list[Taken]:
    """The steps that were taken, the newest last."""
    statement = select(steps).order_by(steps.c.id)
    if after is not None:
        statement = statement.where(steps.c.at >= after)
    rows = db.execute(statement)
    return [Taken(row.phase, row.step, row.due, row.at, row.form, row.outcome) for row in rows]
