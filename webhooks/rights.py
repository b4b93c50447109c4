"""Derechos: who asked to see or erase their data, and how much of the legal time is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from sqlalchemy import select, update
from werkzeug.wrappers import Response

from storage import erasing, notices, reports, schema
from storage.database import reading, writing
from webhooks import spoken, workdays
from webhooks.access import allowed, note, parts

blueprint = Blueprint("rights", __name__, url_prefix="/derechos")

KINDS = {"access": "Ver sus datos", "erasure": "Borrar sus datos", "rectification": "Corregir",
         "copies": "Quitar de copias y listas lo de quien borró sus datos"}  # fmt: skip
SOON = 5  # working days


@dataclass(frozen=True, slots=True)
class Claim:
    """A right that somebody exercises, with its clock."""

    id: int
    kind: str
    folios: tuple[str, ...]
    pseudonym: str
    channel: str
    at: datetime
    until: date
    left: int  # working days
    settled_at: datetime | None

    @property
    def tone(self) -> str:
        return "bad" if self.left < 0 else "warm" if self.left <= SOON else "good"


@blueprint.get("")
@allowed("organizer")
def page() -> str:
    today = spoken.local(parts().clock()).date()
    with reading(parts().engine) as db:
        erased = erasing.pending(db)
        waiting, done = reports.rights(db, settled=False), reports.rights(db, settled=True)
        folios = reports.folios(db, [row.person_id for row in (*waiting, *done)])
        within = notices.answer_within(db)
    return render_template(
        "rights.html",
        waiting=[_claim(row, folios, today, within) for row in waiting],
        erased=[_copies(row, today, within) for row in erased],
        done=[_claim(row, folios, today, within) for row in done],
        within=within,
    )


def _claim(row: Any, folios: dict[int, list[str]], today: date, within: int) -> Claim:
    asked = spoken.local(row.at).date()
    until = workdays.after(asked, within)
    return Claim(
        id=row.id,
        kind=KINDS.get(row.kind, row.kind),
        folios=tuple(folios.get(row.person_id, ())),
        pseudonym=row.pseudonym,
        channel=row.channel,
        at=row.at,
        until=until,
        left=workdays.between(today, until),
        settled_at=row.settled_at,
    )


def _copies(row: Any, today: date, within: int) -> Claim:
    """Somebody who is erased already: only the folio is left of them."""
    until = workdays.after(spoken.local(row.at).date(), within)
    left = workdays.between(today, until)
    return Claim(row.id, KINDS["copies"], (row.folio,), "", row.channel, row.at, until, left, None)


@blueprint.post("/borrado/<int:number>")
@allowed("organizer")
def settle_copies(number: int) -> Response:
    """Nothing of somebody who was erased is left in copies and on lists."""
    with writing(parts().engine) as db:
        folio = erasing.settle(db, number, parts().clock())
        if folio is None:
            abort(404)
        note(db, "atendió un derecho", f"{folio} · {KINDS['copies']}")
    flash("Anotado: la solicitud quedó atendida.")
    return redirect(url_for("rights.page"))


@blueprint.post("/<int:number>")
@allowed("organizer")
def settle(number: int) -> Response:
    """Somebody saw to it."""
    requests = schema.requests
    with writing(parts().engine) as db:
        kind = db.scalar(select(requests.c.kind).where(requests.c.id == number))
        if kind is None:
            abort(404)
        open_ = (requests.c.id == number, requests.c.settled_at.is_(None))
        db.execute(update(requests).where(*open_).values(settled_at=parts().clock()))
        note(db, "atendió un derecho", f"{number} · {KINDS.get(kind, kind)}")
    flash("Anotado: la solicitud quedó atendida.")
    return redirect(url_for("rights.page"))
