"""The work plan's dates, where organizers moved them; and which phases are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, insert, select, update

from storage import schema

phases, facts = schema.phases, schema.facts
START = "plan.start"  # in facts


@dataclass(frozen=True, slots=True)
class Dates:
    """When a phase runs, both days included."""

    starts: date
    ends: date
    done_at: datetime | None = None


def start(db: Connection) -> date | None:
    """The first day of the plan, once somebody has set it."""
    found = db.scalar(select(facts.c.value).where(facts.c.key == START))
    return date.fromisoformat(found) if found else None


def begin_on(db: Connection, day: date) -> None:
    """Shift the whole plan to begin on this day; what was moved by hand goes with it."""
    before = start(db)
    db.execute(delete(facts).where(facts.c.key == START))
    db.execute(insert(facts).values(key=START, value=day.isoformat()))
    if before is None:
        return
    for number, dates in moved(db).items():
        values = {"starts": dates.starts + (day - before), "ends": dates.ends + (day - before)}
        db.execute(update(phases).where(phases.c.number == number).values(values))


def moved(db: Connection) -> Mapping[int, Dates]:
    """The phases that somebody moved or finished, by number."""
    rows = db.execute(select(phases))
    return {row.number: Dates(row.starts, row.ends, row.done_at) for row in rows}


def move(db: Connection, number: int, dates: Dates) -> None:
    """Set when a phase runs, and whether it is done."""
    db.execute(delete(phases).where(phases.c.number == number))
    values = {"starts": dates.starts, "ends": dates.ends, "done_at": dates.done_at}
    db.execute(insert(phases).values(number=number, **values))
