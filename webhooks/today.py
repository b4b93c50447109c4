"""Hoy: what runs, what is due, answers by the hour, and what needs a hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from bot import plan, progress
from bot.progress import Progress
from storage import forms, forums, invitations, notices, reports
from storage import plan as dates
from storage.database import reading
from storage.forums import Forum
from webhooks import pictures, spoken, workdays
from webhooks.access import EVERYBODY, allowed, parts
from webhooks.forum_pages import PURPOSES

blueprint = Blueprint("today", __name__, url_prefix="/hoy")

DAY = timedelta(hours=24)
HOURS = 24
MOST_OUTGOING = 6  # that are shown: each is counted
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Running:
    """The questionnaire that begins for newcomers."""

    title: str
    state: str  # pilot, open, closed
    version: int
    drafts: int  # unreviewed strings


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Something about a forum that goes out now, or within a day."""

    forum: Forum
    purpose: str
    so_far: Progress


@blueprint.get("")
@allowed(*EVERYBODY)
def page() -> str:
    now = parts().clock()
    with reading(parts().engine) as db:
        schedule, front = plan.schedule(db, now), plan.front(db)
        shown = _shown(db, schedule, now)
        step = plan.due(db, schedule, front, shown["today"])
    live = session.get("live", True)
    return render_template("today.html", front=front, due=step, live=live, **shown)


@blueprint.get("/ahora")
@allowed(*EVERYBODY)
def now_() -> str:
    """The part of the page that renews itself."""
    now = parts().clock()
    with reading(parts().engine) as db:
        return render_template("today_now.html", **_shown(db, plan.schedule(db, now), now))


@blueprint.post("/ritmo")
@allowed(*EVERYBODY)
def pace() -> Response:
    """Let the figures renew themselves, or hold them still."""
    session["live"] = request.form.get("vivo") == "si"
    forum = request.form.get("foro", "")
    if forum.isdecimal():
        return redirect(url_for("forums.show", number=int(forum), _anchor="envios"))
    return redirect(url_for("today.page"))


def _shown(db: Connection, schedule: Sequence[plan.Phase], now: datetime) -> dict[str, Any]:
    today, within = spoken.local(now).date(), notices.answer_within(db)
    found = reports.attention(db)
    return {
        "now": now,
        "today": today,
        "running": [phase for phase in schedule if phase.runs(today)],
        "coming": [phase for phase in schedule if phase.starts > today][:3],
        "forums": _forums(db, now),
        "outgoing": _outgoing(db, now),
        "lately": reports.lately(db, now - DAY),
        "attention": found,
        "taken": _taken(db, schedule, now),
        "unpublished": _unpublished(db, schedule, today),
        "within": within,
        "left": _left(found, today, within),
        "form": _running(db),
        "chart": _chart(reports.hourly(db, now - DAY), now),
    }


TOLD = {
    ("open", "done"): "El plan abrió {form}.",
    ("closed", "done"): "El plan cerró {form}.",
    ("open", "by_hand"): "El plan no abrió {form}: alguien lo había cambiado a mano.",
    ("closed", "by_hand"): "El plan no cerró {form}: alguien lo había cambiado a mano.",
    ("open", "missing"): "El plan no pudo abrir {form}: no está publicado.",
}


def _taken(
    db: Connection, schedule: Sequence[plan.Phase], now: datetime
) -> list[tuple[str, str, datetime]]:
    """What the plan did by itself this week: in words, for which phase, when; the newest first."""
    names = {phase.number: phase.name for phase in schedule}
    return [
        (TOLD[each.to, each.outcome].format(form=each.form), names.get(each.phase, ""), each.at)
        for each in reversed(dates.taken(db, now - WEEK))
        if (each.to, each.outcome) in TOLD
    ]


def _unpublished(db: Connection, schedule: Sequence[plan.Phase], today: date) -> list[plan.Phase]:
    """The phases that run without their own questionnaire."""
    running = [phase for phase in schedule if phase.form and phase.runs(today)]
    known = plan.asked(db, running)
    confirmed = dates.start(db) is not None
    return [phase for phase in running if confirmed and phase.form not in known]


def _left(found: reports.Attention, today: date, within: int) -> int:
    """Working days until the law wants an answer for who has waited longest."""
    if found.oldest_request is None:
        return within
    asked = spoken.local(found.oldest_request).date()
    return workdays.between(today, workdays.after(asked, within))


def _forums(db: Connection, now: datetime) -> list[Forum]:
    """The forums of the week that begins now."""
    soon = (f for f in forums.all_(db) if f.plan.ends_at >= now and f.state != "cancelled")
    week = [forum for forum in soon if forum.plan.starts_at < now + WEEK]
    return sorted(week, key=lambda forum: forum.plan.starts_at)


def _outgoing(db: Connection, now: datetime) -> list[Outgoing]:
    """What goes out, and what is due within a day; the first to go first."""
    found = [
        one
        for one in invitations.of_forum(db)
        if one.state in ("queueing", "sending") or (one.state == "planned" and one.due < now + DAY)
    ]
    return [
        Outgoing(forums.get(db, one.forum_id), PURPOSES[one.purpose], progress.of(db, one.id, now))
        for one in found[:MOST_OUTGOING]
    ]


def _running(db: Connection) -> Running | None:
    front = forms.front(db)
    if front is None:
        return None
    row = next(each for each in reports.published(db) if (each.name, each.version) == front)
    script = parts().desk.library.lookup(*front)
    return Running(script.title["es"], row.state, row.version, row.drafts_accepted)


def _chart(found: dict[str, int], now: datetime) -> pictures.Chart:
    hours = [spoken.local(now - timedelta(hours=back)) for back in reversed(range(HOURS))]
    rows = []
    for hour in hours:
        count = found.get(hour.strftime("%Y-%m-%dT%H"), 0)
        title = f"De {hour:%H}:00 a {hour:%H}:59: {spoken.many(count, 'respuesta', 'respuestas')}"
        rows.append((f"{hour:%H}", title, count, 0))
    return pictures.columns(rows)
