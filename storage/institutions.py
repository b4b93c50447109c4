"""Which institutions have answered: one answer each, which is one response's at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from dialogs.script import Script
from storage import schema
from storage.people import insert_or_nothing

TABLE = "instituciones"  # the list attached to the questionnaire
QUESTION = "institucion"  # where the questionnaire keeps which of them it is
HELD = timedelta(days=3)  # without a word for so long, another one may answer instead
responses, answers, people = schema.responses, schema.answers, schema.people
claims = schema.institution_claims


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
class Holder:
    """Whose answer an institution's is: since when, from which part of it, and whether it is
    complete."""

    version: int
    at: datetime
    area: str
    done: bool


def claim(db: Connection, form: str, institution: str, response: str, at: datetime) -> str:
    """Make the institution's one answer that of this response; another's id if it is theirs.

    Who has not finished and is silent for as long as HELD loses it to whoever comes.
    """
    values = {"form": form, "institution": institution, "response_id": response}
    db.execute(insert_or_nothing(db, claims, ["form", "institution"]), values)
    mine = (claims.c.form == form, claims.c.institution == institution)
    held = db.execute(
        select(claims.c.response_id, responses.c.state, people.c.heard_at)
        .join(responses, responses.c.id == claims.c.response_id)
        .join(people, people.c.id == responses.c.person_id)
        .where(*mine)
        .with_for_update(of=claims)
    ).one()
    if held.response_id != response:
        lapsed = held.state == "refused" or (held.state == "started" and held.heard_at < at - HELD)
        if not lapsed:
            return str(held.response_id)
        db.execute(update(claims).where(*mine).values(response_id=response))
    db.execute(  # of another one, named by mistake
        delete(claims).where(claims.c.response_id == response, claims.c.institution != institution)
    )
    return ""


def holder(db: Connection, response: str, area: str) -> Holder:
    """Whose answer it is; `area` is the question that says from which part of the institution."""
    row = db.execute(select(responses).where(responses.c.id == response)).one()
    said = select(answers.c.value).where(
        answers.c.response_id == response,
        answers.c.question == area,
        answers.c.replaced_at.is_(None),
    )
    at = row.finished_at or row.started_at
    return Holder(row.version, at, db.scalar(said) or "", row.state == "completed")


def tracker(db: Connection, script: Script) -> list[Institution]:
    """Every institution of the attached list, in its order."""
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
