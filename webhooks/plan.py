"""Plan: the 35 phases of the work plan, as a picture and as a list that can be changed."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from storage import forms, forums, reports
from storage import plan as dates
from storage.database import reading, writing
from storage.forums import Forum
from webhooks import spoken
from webhooks.access import EVERYBODY, allowed, note, parts

blueprint = Blueprint("plan", __name__, url_prefix="/plan")

KINDS = {
    "plan": "Planeación y difusión",
    "online": "Consulta en línea",
    "community": "Consulta en comunidades",
    "dialogue": "Mesas y grupos focales",
    "forum": "Foros públicos",
    "officials": "Funcionariado y ayuntamientos",
    "diagnosis": "Diagnóstico",
    "cocreation": "Cocreación",
    "pal": "Plan de Acción Local",
}
STAGES = {
    "pilot": "abre el cuestionario en línea como piloto",
    "open": "abre el cuestionario en línea para todas las personas",
    "closed": "cierra el cuestionario en línea",
}


CLOSED = "cerrada"  # the questionnaire that only says that the consultation is closed


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

    def runs(self, on: date) -> bool:
        return self.starts <= on <= self.ends and self.done_at is None

    def late(self, on: date) -> bool:
        return self.ends < on and self.done_at is None


@dataclass(frozen=True, slots=True)
class Span:
    """A phase in the picture."""

    phase: Phase
    x: float
    y: float
    width: float
    state: str  # past, now, coming


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(resources.files("webhooks").joinpath("plan.toml").read_text("utf-8"))


def schedule(db: Connection, now: datetime) -> list[Phase]:
    """Every phase, with the dates that hold."""
    first = start(db, now)
    moved = dates.moved(db)
    return [_phase(given, first, moved.get(given["number"])) for given in _file()["phase"]]


def start(db: Connection, now: datetime) -> date:
    """The plan's first day: the one set, or this year's 28 June."""
    local = spoken.local(now)
    return dates.start(db) or date(local.year, _file()["month"], _file()["day"])


def _phase(given: dict[str, Any], first: date, moved: dates.Dates | None) -> Phase:
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
    )


@dataclass(frozen=True, slots=True)
class Front:
    """The questionnaire with which newcomers begin, and its state."""

    name: str
    version: int
    state: str  # pilot, open, closed


def front(db: Connection) -> Front | None:
    """The questionnaire that the plan opens and closes; a closed one is still it."""
    found = forms.front(db)
    rows = {(row.name, row.version): row.state for row in reports.published(db)}
    closed = next((key for key, state in rows.items() if state == "closed"), None)
    key = found if closed is None or found is None or found[0] != CLOSED else closed
    return Front(key[0], key[1], rows[key]) if key else None


def due(db: Connection, phases: list[Phase], now: Front | None, today: date) -> Phase | None:
    """The phase whose step is due: the plan says another state than the questionnaire has.

    None before somebody has confirmed when the plan begins.
    """
    begun = [phase for phase in phases if phase.stage and phase.starts <= today]
    last = max(begun, key=lambda phase: phase.starts, default=None)
    confirmed = dates.start(db) is not None
    return last if confirmed and last and now and last.stage != now.state else None


@blueprint.get("")
@allowed(*EVERYBODY)
def page() -> str:
    now = parts().clock()
    today = spoken.local(now).date()
    with reading(parts().engine) as db:
        phases, first, is_set = schedule(db, now), start(db, now), dates.start(db) is not None
        current = front(db)
        step = due(db, phases, current, today)
        carried, asked = _carried(phases, forums.all_(db)), _asked(db, phases)
    return render_template(
        "plan.html",
        carried=carried,
        asked=asked,
        phases=phases,
        groups={kind: [p for p in phases if p.kind == kind] for kind in KINDS},
        picture=timeline(phases, today),
        first=first,
        is_set=is_set,
        today=today,
        kinds=KINDS,
        stages=STAGES,
        front=current,
        due=step,
    )


def _asked(db: Connection, phases: list[Phase]) -> dict[str, Front]:
    """The newest version of each phase's own questionnaire, if it is published."""
    newest: dict[str, Front] = {}
    for row in reports.published(db):  # the newest first
        newest.setdefault(row.name, Front(row.name, row.version, row.state))
    return {each.form: newest[each.form] for each in phases if each.form in newest}


def _carried(phases: list[Phase], known: Sequence[Forum]) -> dict[int, list[Forum]]:
    """The forums of each phase: those of its kinds that fall into its days."""
    standing = sorted((f for f in known if f.state != "cancelled"), key=lambda f: f.plan.starts_at)
    return {
        phase.number: [
            forum
            for forum in standing
            if forum.plan.kind in phase.forums
            and phase.starts <= spoken.local(forum.plan.starts_at).date() <= phase.ends
        ]
        for phase in phases
        if phase.forums
    }


LEFT, RIGHT, ROW, TOP = 26.0, 940.0, 15.0, 24.0
ROOM = 890.0  # further right, a month's name would be cut off


def timeline(phases: list[Phase], today: date) -> dict[str, Any]:
    """The phases as bars, with months above and a line for today."""
    first, last = min(p.starts for p in phases), max(p.ends for p in phases)
    scale = (RIGHT - LEFT) / ((last - first).days + 1)

    def x(day: date) -> float:
        return round(LEFT + (day - first).days * scale, 1)

    spans = [
        Span(
            phase,
            x(phase.starts),
            TOP + ROW * place,
            round(max(((phase.ends - phase.starts).days + 1) * scale, 4), 1),
            "past" if phase.done_at or phase.ends < today else
            "now" if phase.starts <= today else "coming",
        )
        for place, phase in enumerate(phases)
    ]  # fmt: skip
    days = (last - first).days + 1
    months = [
        first + timedelta(days=n) for n in range(days) if (first + timedelta(days=n)).day == 1
    ]
    return {
        "spans": spans,
        "months": [
            (x(day), spoken.MONTHS[day.month - 1] if x(day) < ROOM else "") for day in months
        ],
        "today": x(today) if first <= today <= last else None,
        "height": TOP + ROW * len(phases) + 6,
    }


@blueprint.post("/inicio")
@allowed("organizer")
def shift() -> Response:
    """Begin the whole plan on another day."""
    day = _day(request.form.get("inicio", ""))
    with writing(parts().engine) as db:
        dates.begin_on(db, day)
        note(db, "movió el inicio del plan", day.isoformat())
    flash(f"El plan empieza el {spoken.day(day)}. Las 35 fases se movieron con él.")
    return redirect(url_for("plan.page"))


@blueprint.post("/<int:number>")
@allowed("organizer")
def change(number: int) -> Response:
    """Move one phase, or mark it as done."""
    now, given = parts().clock(), request.form
    starts, ends = _day(given.get("desde", "")), _day(given.get("hasta", ""))
    if ends < starts:
        flash("La fase terminaría antes de empezar. No cambió nada.", "fault")
        return redirect(url_for("plan.page"))
    with writing(parts().engine) as db:
        phase = next((p for p in schedule(db, now) if p.number == number), None)
        if phase is None:
            abort(404)
        done = (phase.done_at or now) if given.get("hecha") else None
        dates.move(db, number, dates.Dates(starts, ends, done))
        note(db, "cambió una fase del plan", f"{number}. {phase.name}: {starts} a {ends}")
    flash(f"Guardado: {phase.name}.")
    return redirect(url_for("plan.page", _anchor=f"fase-{number}"))


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        abort(400)
