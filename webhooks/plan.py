"""Plan: the 35 phases of the work plan, as a picture and as a list that can be changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bot.plan import Phase, asked, due, front, schedule, start
from storage import forums
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


@dataclass(frozen=True, slots=True)
class Span:
    """A phase in the picture."""

    phase: Phase
    x: float
    y: float
    width: float
    state: str  # past, now, coming


@blueprint.get("")
@allowed(*EVERYBODY)
def page() -> str:
    now = parts().clock()
    today = spoken.local(now).date()
    with reading(parts().engine) as db:
        phases, first, is_set = schedule(db, now), start(db, now), dates.start(db) is not None
        current = front(db)
        step = due(db, phases, current, today)
        carried, own = _carried(phases, forums.all_(db)), asked(db, phases)
        taken = {(each.phase, each.to): each for each in dates.taken(db)}
    return render_template(
        "plan.html",
        carried=carried,
        asked=own,
        taken=taken,
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
        dates.begin_on(db, day, parts().clock())
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
        unmoved = (starts, ends) == (phase.starts, phase.ends)
        set_at = phase.set_at if unmoved else now
        by_hand = bool(given.get("a_mano")) if "fechas" in given else phase.by_hand
        dates.move(db, number, dates.Dates(starts, ends, done, by_hand, set_at))
        note(db, "cambió una fase del plan", f"{number}. {phase.name}: {starts} a {ends}")
    flash(f"Guardado: {phase.name}.")
    return redirect(url_for("plan.page", _anchor=f"fase-{number}"))


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        abort(400)
