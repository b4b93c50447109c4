"""Which institutions have answered: one answer each counts, the newest that is complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from dialogs.script import Script
from storage import schema

TABLE = "instituciones"  # the list attached to the questionnaire
QUESTION = "institucion"  # where the questionnaire keeps which of them it is


@dataclass(frozen=True, slots=True)
class Institution:
    """One of the list, and its answer."""

    name: str
    label: str
    kind: str
    folio: str = ""  # of the answer that counts; "" while there is none
    at: datetime | None = None
    earlier: int = 0  # complete answers that a newer one replaces


@dataclass(frozen=True, slots=True)
class Answered:
    """A complete answer of an institution: when, and from which part of it."""

    version: int
    at: datetime
    area: str


def answered(
    db: Connection, form: str, institution: str, area: str, *, but: str
) -> Answered | None:
    """The newest complete answer of an institution, other than the response `but`; `area` is the
    question that says from which part of it."""
    responses, answers = schema.responses, schema.answers
    one = (
        select(responses.c.id, responses.c.version, responses.c.finished_at)
        .join(answers, answers.c.response_id == responses.c.id)
        .where(responses.c.form == form, responses.c.state == "completed", responses.c.id != but)
        .where(answers.c.question == QUESTION, answers.c.replaced_at.is_(None))
        .where(answers.c.value == institution)
        .order_by(responses.c.finished_at.desc())
        .limit(1)
    )
    row = db.execute(one).one_or_none()
    if row is None:
        return None
    said = select(answers.c.value).where(
        answers.c.response_id == row.id,
        answers.c.question == area,
        answers.c.replaced_at.is_(None),
    )
    return Answered(row.version, row.finished_at, db.scalar(said) or "")


def tracker(db: Connection, script: Script) -> list[Institution]:
    """Every institution of the attached list, in its order."""
    responses, answers = schema.responses, schema.answers
    statement = (
        select(answers.c.value, responses.c.folio, responses.c.finished_at)
        .join(responses, responses.c.id == answers.c.response_id)
        .where(responses.c.form == script.name, responses.c.state == "completed")
        .where(answers.c.question == QUESTION, answers.c.replaced_at.is_(None))
        .order_by(responses.c.finished_at)
    )
    found: dict[str, list[tuple[str, datetime | None]]] = {}
    for row in db.execute(statement):
        found.setdefault(row.value, []).append((row.folio or "", row.finished_at))
    return [
        _institution(row["name"], row["nombre"], row["tipo"], found.get(row["name"], []))
        for row in script.tables.get(TABLE, ())
    ]


def _institution(
    name: str, label: str, kind: str, complete: list[tuple[str, datetime | None]]
) -> Institution:
    if not complete:
        return Institution(name, label, kind)
    return Institution(name, label, kind, *complete[-1], earlier=len(complete) - 1)
