"""The work plan: its 35 phases, and what they open and close by themselves at their dates."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from typing import Any, Literal

import structlog
from sqlalchemy import Connection, Engine

from bot import timing
from storage import forms, organizers, reports
from storage import plan as kept
from storage.database import reading, writing

log = structlog.get_logger()

CLOSED = "cerrada"  # the questionnaire that only says that the consultation is closed
WHO = "el plan"  # in the log of what was done
OPENED, SHUT = "abrió un cuestionario", "cerró un cuestionario"
Outcome = Literal["done", "already", "by_hand", "missing", "overtaken"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase with its dates, both days included."""

    number: int
    name: str
    kind: str
    starts: date
    ends: date
    done_at: datetime | None
    stage: str = ""
    form: str = ""  # its own questionnaire
    forums: tuple[str, ...] = ()
    by_hand: bool = False  # somebody opens and closes for it
    set_at: datetime | None = None  # when its dates were last changed

    def runs(self, on: date) -> bool:
        return self.starts <= on <= self.ends and self.done_at is None

    def late(self, on: date) -> bool:
        return self.ends < on and self.done_at is None


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(resources.files("bot").joinpath("plan.toml").read_text("utf-8"))


def schedule(db: Connection, now: datetime) -> list[Phase]:
    """Every phase, with the dates that hold."""
    first = start(db, now)
    moved = kept.moved(db)
    return [_phase(given, first, moved.get(given["number"])) for given in _file()["phase"]]


def start(db: Connection, now: datetime) -> date:
    """The plan's first day: the one set, or this year's 28 June."""
    return kept.start(db) or date(timing.local(now).year, _file()["month"], _file()["day"])


def _phase(given: dict[str, Any], first: date, moved: kept.Dates | None) -> Phase:
    return Phase(
        number=given["number"],
        name=given["name"],
        kind=given["kind"],
        starts=moved.starts if moved else first + timedelta(days=given["from"]),
        ends=moved.ends if moved else first + timedelta(days=given["to"]),
        done_at=moved.done_at if moved else None,
        stage=given.get("stage", ""),
        form=given.get("form", ""),
        forums=tuple(given.get("forums", ())),
        by_hand=moved.by_hand if moved else False,
        set_at=moved.set_at if moved else None,
    )


@dataclass(frozen=True, slots=True)
class Front:
    """A questionnaire of the plan in its newest version, and its state."""

    name: str
    version: int
    state: str  # pilot, open, closed
    published_at: datetime


def front(db: Connection) -> Front | None:
    """The questionnaire that the plan opens and closes; a closed one is still it."""
    found = forms.front(db)
    rows = {(row.name, row.version): row for row in reports.published(db)}
    closed = next((key for key, row in rows.items() if row.state == "closed"), None)
    key = found if closed is None or found is None or found[0] != CLOSED else closed
    return Front(key[0], key[1], rows[key].state, rows[key].published_at) if key else None


def asked(db: Connection, phases: Sequence[Phase]) -> dict[str, Front]:
    """The newest version of each phase's own questionnaire, if it is published."""
    newest: dict[str, Front] = {}
    for row in reports.published(db):  # the newest first
        newest.setdefault(row.name, Front(row.name, row.version, row.state, row.published_at))
    return {each.form: newest[each.form] for each in phases if each.form in newest}


def due(db: Connection, phases: list[Phase], now: Front | None, today: date) -> Phase | None:
    """The phase whose step is due: the plan says another state than the questionnaire has.

    None before somebody has confirmed when the plan begins.
    """
    begun = [phase for phase in phases if phase.stage and phase.starts <= today]
    last = max(begun, key=lambda phase: phase.starts, default=None)
    confirmed = kept.start(db) is not None
    return last if confirmed and last and now and last.stage != now.state else None


# what it does by itself


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a phase does to a questionnaire at the beginning of a day."""

    phase: Phase
    to: Literal["open", "closed"]
    form: str  # "" is the one with which newcomers begin
    due: datetime


def steps(phases: Sequence[Phase]) -> Iterator[Step]:
    """What the phases open and close, but for those that somebody sees to by hand."""
    for phase in phases:
        if phase.by_hand:
            continue
        if phase.stage == "open" and not phase.done_at:
            yield Step(phase, "open", "", _midnight(phase.starts))
        if phase.stage == "closed" and not phase.done_at:
            yield Step(phase, "closed", "", _midnight(phase.starts))
        if phase.form and not phase.done_at:
            yield Step(phase, "open", phase.form, _midnight(phase.starts))
        if phase.form and phase is _last(phases, phase.form):
            yield Step(phase, "closed", phase.form, _midnight(phase.ends + timedelta(days=1)))


def _last(phases: Sequence[Phase], form: str) -> Phase:
    """The phase with this questionnaire that ends last: until then it stays open."""
    return max((each for each in phases if each.form == form), key=lambda each: each.ends)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), timing.ZONE).astimezone(UTC)


def tick(engine: Engine, now: datetime) -> None:
    """Take the steps that came due since the plan was set; each is taken once.

    What came due while the program was down is made up for, unless something later overtook it, or
    an organizer has seen to it. What is closed is never opened again.
    """
    with reading(engine) as db:
        if not _to_take(db, now):
            return
    with writing(engine) as db:
        waiting = _to_take(db, now)
        newest = {step.form: step for step in waiting}
        for step in waiting:
            if kept.take(db, step.phase.number, step.to, step.due, now):
                last = newest[step.form] is step
                form, outcome = _take(db, step, now) if last else (step.form, "overtaken")
                kept.settle(db, step.phase.number, step.to, step.due, form, outcome)
                log.info("a step of the plan", phase=step.phase.number, to=step.to, became=outcome)


def _to_take(db: Connection, now: datetime) -> list[Step]:
    """What is due and was not taken, the oldest first."""
    since = kept.since(db)
    if since is None or kept.start(db) is None:
        return []
    taken = kept.keys(db)
    waiting = [
        step
        for step in steps(schedule(db, now))
        if max(since, step.phase.set_at or since) < step.due <= now
        and (step.phase.number, step.to, step.due) not in taken
    ]
    return sorted(waiting, key=lambda step: step.due)


def _take(db: Connection, step: Step, now: datetime) -> tuple[str, Outcome]:
    """Open or close it, if that is still to be done: which, and what became of it."""
    found = asked(db, [step.phase]).get(step.form) if step.form else front(db)
    if found is None:
        return step.form, "missing"
    if found.state == step.to:
        return found.name, "already"
    if found.published_at >= step.due or found.state == "closed":
        return found.name, "by_hand"
    about = f"{found.name}, fase {step.phase.number}"
    if step.to == "open":
        made = forms.again(db, found.name, found.version, now, state="open")
        organizers.note(db, WHO, OPENED, f"{about}, versión {made}", now)
    else:
        close(db, found.name, now)
        organizers.note(db, WHO, SHUT, about, now)
    return found.name, "done"


def close(db: Connection, name: str, now: datetime) -> None:
    """Let nobody new begin a questionnaire; newcomers hear that the consultation is closed."""
    with resources.as_file(resources.files("dialogs.forms")) as shipped:
        forms.close(db, name, shipped / f"{CLOSED}.md", now)
