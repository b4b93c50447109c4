"""Foros, where something is done: open, call, steer, cancel, take attendance, conclude."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bot import invitations as calling
from bot import timing
from bot.invitations import Call, PlanError
from dialogs import replies
from storage import forums, invitations, people
from storage.database import writing
from storage.forums import Forum, Place, Plan
from storage.segments import SegmentError
from webhooks import census, spoken
from webhooks.access import allowed, note, parts
from webhooks.forum_pages import KINDS, blueprint, kept, segment, texts


class FormFault(ValueError):
    """What the form of a forum lacks, in words for who filled it in."""


@blueprint.post("")
@allowed("organizer")
def add() -> Any:
    """Open a forum, with its reminders and its thanks."""
    now, rng = parts().clock(), SystemRandom()
    try:
        plan = _plan(request.form)
    except FormFault as fault:
        return _again(str(fault)), 422
    with writing(parts().engine) as db:
        codes = people.code(rng, 16).lower(), people.code(rng, 6)
        made = calling.open_forum(db, plan, codes, now)
        note(db, "abrió un foro", plan.name)
    flash("El foro está guardado. Todavía no se invitó a nadie: eso se hace aquí abajo.")
    return redirect(url_for("forums.show", number=made.id))


def _again(fault: str) -> str:
    return render_template(
        "forums.html", ahead=[], over=[], coming={}, kinds=KINDS, towns=census.towns(),
        given=request.form, fault=fault,
    )  # fmt: skip


def _plan(given: Any) -> Plan:
    """The forum in a form. Raises FormFault with everything that is missing."""
    faults = []
    title = texts(given, "titulo_")
    if "es" not in title:
        faults.append("Falta el título en español.")
    starts, ends = _moment(given.get("inicio", "")), _moment(given.get("fin", ""))
    if starts is None or ends is None or ends <= starts:
        faults.append("Revisa cuándo empieza y cuándo termina.")
    elif starts < parts().clock():
        faults.append("El foro empezaría en el pasado.")
    if given.get("tipo") not in KINDS:
        faults.append("Elige de qué tipo es.")
    place = _place(given)
    if not place.link and not place.name:
        faults.append("Di dónde es, o escribe la liga.")
    if faults or starts is None or ends is None:
        raise FormFault(" ".join(faults))
    return Plan(
        name=_name(title["es"], starts),
        kind=given["tipo"],
        starts_at=starts,
        ends_at=ends,
        capacity=int(given["cupo"]) if given.get("cupo", "").isdecimal() else None,
        title=title,
        description=texts(given, "descripcion_"),
        place=place,
    )


def _name(title: str, starts: datetime) -> str:
    """How the forum is called by programs: the first words of its title, and its day."""
    words = re.findall(r"[a-z0-9]+", replies.plain(title))[:4]
    return f"{'-'.join(words) or 'foro'}-{spoken.local(starts):%m%d-%H%M}"


def _place(given: Any) -> Place:
    town = next((t for t in census.towns() if t.code == given.get("municipio")), None)
    return Place(
        name=given.get("lugar", "").strip(),
        address=given.get("direccion", "").strip(),
        municipality=town.code if town else "",
        town=town.name if town else "",
        link=given.get("liga", "").strip(),
    )


def _moment(written: str) -> datetime | None:
    """A moment of the form's clock, which is Yucatán's."""
    try:
        return datetime.fromisoformat(written).replace(tzinfo=spoken.HERE).astimezone(UTC)
    except ValueError:
        return None


@blueprint.post("/<int:number>/invitar")
@allowed("organizer")
def invite(number: int) -> Response:
    """Plan an invitation; it goes out at its moment."""
    given, now = request.form, parts().clock()
    at = now if given.get("ya") else _moment(given.get("cuando", ""))
    hours = given.get("repartir", "0")
    words = texts(given, "palabras_")
    try:
        spread = timedelta(hours=int(hours) if hours.isdecimal() else 0)
        with writing(parts().engine) as db:
            forum = kept(db, number)
            call = Call(_in_time(forum, at, spread), segment(given), None, spread, words)
            made, found = calling.plan(db, parts().desk.library, forum, call, now)
            note(db, "planeó una invitación", f"{forum.plan.name}: {found.total} personas")
    except (FormFault, PlanError, SegmentError) as error:
        flash(f"No se planeó nada. {error}", "fault")
        return redirect(url_for("forums.show", number=number))
    parts().bell.ring()
    flash(f"La invitación sale el {spoken.moment(made.due)} a "
          f"{spoken.many(found.total, 'persona', 'personas')}.")  # fmt: skip
    return redirect(url_for("forums.show", number=number, _anchor="envios"))


def _in_time(forum: Forum, at: datetime | None, spread: timedelta) -> datetime:
    """The moment, if people could still come. Raises FormFault."""
    latest = forum.plan.starts_at - timing.LAST_CALL
    if at is None:
        raise FormFault("Di cuándo sale la invitación.")
    if at + spread >= latest:
        last = spoken.moment(latest)
        raise FormFault(f"Saldría demasiado tarde: sirve hasta el {last}. Elige antes.")
    return at


@blueprint.post("/<int:number>/envios/<int:one>")
@allowed("organizer")
def steer(number: int, one: int) -> Response:
    """Pause, resume or cancel what is being sent."""
    now, what = parts().clock(), request.form.get("hacer", "")
    with writing(parts().engine) as db:
        try:
            if invitations.get(db, one).forum_id != number:
                abort(404)
        except LookupError:
            abort(404)
        match what:
            case "pausar":
                invitations.pause(db, one, now)
                told = "En pausa: no sale nada hasta que la reanudes."
            case "reanudar":
                invitations.pause(db, one, None)
                told = "Sigue saliendo."
            case "cancelar":
                invitations.cancel(db, one)
                told = "Cancelada: lo que no había salido ya no sale."
            case _:
                abort(400)
        note(db, f"{what} un envío", f"foro {number}, envío {one}")
    parts().bell.ring()
    flash(told)
    return redirect(url_for("forums.show", number=number, _anchor="envios"))


@blueprint.post("/<int:number>/cancelar")
@allowed("organizer")
def cancel(number: int) -> Response:
    """Call the forum off; those who had answered are told."""
    with writing(parts().engine) as db:
        forum = kept(db, number)
        calling.cancel_forum(db, forum, parts().clock())
        note(db, "canceló un foro", forum.plan.name)
    parts().bell.ring()
    flash("El foro está cancelado. A quienes habían contestado se les avisa ahora.")
    return redirect(url_for("forums.show", number=number))


@blueprint.post("/<int:number>/llegada")
@allowed("organizer", "facilitator")
def arrive(number: int) -> Response:
    """Somebody is at the door: noted by the folio that they show."""
    folio = request.form.get("folio", "").strip().upper()
    with writing(parts().engine) as db:
        forum, person = kept(db, number), people.by_folio(db, folio)
        new = person is not None and forums.attend(db, forum.id, person.id, parts().clock())
        note(db, "anotó una llegada", forum.plan.name)
    if person is None:
        flash(f"Nadie tiene el folio {folio}. Revísalo: son tres signos, un guion y tres más.",
              "fault")  # fmt: skip
    else:
        flash(f"Anotado: {folio} llegó." if new else f"{folio} ya estaba en la lista.")
    return redirect(url_for("forums.show", number=number, _anchor="llegadas"))


@blueprint.post("/<int:number>/conclusiones")
@allowed("organizer")
def conclude(number: int) -> Response:
    """Send the conclusions back to those who were there."""
    words = texts(request.form, "")
    if "es" not in words:
        flash("Escribe las conclusiones al menos en español.", "fault")
        return redirect(url_for("forums.show", number=number))
    with writing(parts().engine) as db:
        forum = kept(db, number)
        calling.conclude(db, forum, words, parts().clock())
        note(db, "envió conclusiones", forum.plan.name)
    parts().bell.ring()
    flash("Las conclusiones salen a quienes estuvieron.")
    return redirect(url_for("forums.show", number=number, _anchor="envios"))
