"""Phases open and close questionnaires by themselves, once, and never against an organizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot import plan, wiring
from dialogs import script
from storage import database, forms, organizers, reports
from storage import plan as kept
from tests.world import settings

FORMS = Path(script.__file__).parent / "forms"
FIRST = date(2027, 6, 28)
BEFORE = datetime(2027, 6, 20, 15, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class Office:
    """A database with its pilot, and the plan confirmed to begin on 28 June."""

    engine: database.Engine

    def ticks(self, at: datetime) -> None:
        plan.tick(self.engine, at)

    def phase(self, stage: str = "", form: str = "") -> plan.Phase:
        with database.reading(self.engine) as db:
            every = plan.schedule(db, BEFORE)
        return next(each for each in every if (each.stage, each.form) == (stage, form))

    def states(self, name: str = "consulta") -> list[str]:
        with database.reading(self.engine) as db:
            return [row.state for row in reversed(reports.published(db)) if row.name == name]

    def log(self) -> list[tuple[str, str]]:
        with database.reading(self.engine) as db:
            return [(row.who, row.action) for row in organizers.noted(db)]

    def took(self) -> list[tuple[str, str, str]]:
        with database.reading(self.engine) as db:
            return [(each.to, each.form, each.outcome) for each in kept.taken(db)]


@pytest.fixture
def office(tmp_path: Path, database_url: str) -> Iterator[Office]:
    engine = wiring.open_database(settings(tmp_path, database_url=database_url))
    with database.writing(engine) as db:
        kept.begin_on(db, FIRST, BEFORE)
    yield Office(engine)
    engine.dispose()


def begins(phase: plan.Phase) -> datetime:
    """Midnight in Mérida, at which a phase begins."""
    return datetime(phase.starts.year, phase.starts.month, phase.starts.day, 6, tzinfo=UTC)


def test_the_consultation_opens_and_closes_at_its_dates_and_once(office: Office) -> None:
    opens, closes = begins(office.phase("open")), begins(office.phase("closed"))
    office.ticks(opens - timedelta(seconds=1))
    assert office.states() == ["pilot"]
    office.ticks(opens)
    office.ticks(opens + timedelta(minutes=1))
    assert office.states() == ["pilot", "open"]
    assert office.log() == [(plan.WHO, plan.OPENED)]
    office.ticks(closes + DAY)  # it was down for a day
    assert office.states() == ["pilot", "closed"]
    assert office.log()[0] == (plan.WHO, plan.SHUT)
    with database.reading(office.engine) as db:
        front = forms.front(db)
        assert front is not None
        assert front[0] == plan.CLOSED
    assert [each for each in office.took() if each[1] == "consulta"] == [
        ("open", "consulta", "done"), ("closed", "consulta", "done"),
    ]  # fmt: skip


def test_what_was_missed_altogether_is_not_opened_to_be_closed(office: Office) -> None:
    office.ticks(begins(office.phase("closed")) + DAY)
    assert office.states() == ["closed"]
    assert ("open", "", "overtaken") in office.took()


def test_what_an_organizer_closed_later_stays_closed(office: Office) -> None:
    opens = begins(office.phase("open"))
    with database.writing(office.engine) as db:  # the program that ticks is down
        made = forms.again(db, "consulta", 1, opens + timedelta(hours=9), state="open")
        plan.close(db, "consulta", opens + timedelta(hours=10))
    office.ticks(opens + timedelta(hours=11))
    assert made == 2
    assert office.states() == ["pilot", "closed"]
    assert office.took()[-1] == ("open", "consulta", "by_hand")
    assert office.log() == []


def test_what_an_organizer_opened_again_stays_open(office: Office) -> None:
    closes = begins(office.phase("closed"))
    office.ticks(begins(office.phase("open")))
    with database.writing(office.engine) as db:
        forms.again(db, "consulta", 2, closes + timedelta(hours=1), state="open")
    office.ticks(closes + timedelta(hours=2))
    assert office.states()[-1] == "open"
    assert ("closed", "consulta", "by_hand") in office.took()


def test_a_form_of_its_own_opens_with_its_phase_and_closes_after_the_last(office: Office) -> None:
    with database.writing(office.engine) as db:
        forms.publish(db, FORMS / "especialistas.md", BEFORE, state="pilot")
        phases = [each for each in plan.schedule(db, BEFORE) if each.form == "especialistas"]
    assert len(phases) == 2
    office.ticks(begins(min(phases, key=lambda each: each.starts)))
    assert office.states("especialistas") == ["pilot", "open"]
    last = max(phases, key=lambda each: each.ends)
    office.ticks(begins(replace(last, starts=last.ends)))
    assert office.states("especialistas") == ["pilot", "open"]
    office.ticks(begins(replace(last, starts=last.ends)) + DAY)
    assert office.states("especialistas") == ["pilot", "closed"]
    with database.reading(office.engine) as db:  # the consultation itself goes on
        assert forms.front(db) == ("consulta", 2)


def test_what_is_not_published_is_noted_as_missing(office: Office) -> None:
    office.ticks(begins(office.phase(form="ayuntamientos")))
    assert ("open", "ayuntamientos", "missing") in office.took()


def test_a_phase_by_hand_and_one_that_was_due_before_do_nothing(office: Office) -> None:
    phase = office.phase("open")
    opens = begins(phase)
    dates = kept.Dates(phase.starts, phase.ends, by_hand=True, set_at=BEFORE)
    with database.writing(office.engine) as db:
        kept.move(db, phase.number, dates)
    office.ticks(opens)
    assert office.states() == ["pilot"]
    with database.writing(office.engine) as db:  # moved on the day itself
        kept.move(db, phase.number, replace(dates, by_hand=False, set_at=opens + DAY / 2))
    office.ticks(opens + DAY)
    assert office.states() == ["pilot"]
    with database.writing(office.engine) as db:
        kept.begin_on(db, FIRST - 30 * DAY, opens + DAY)
    office.ticks(opens + DAY + timedelta(hours=1))
    assert office.states() == ["pilot"]
