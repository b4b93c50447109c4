"""Foros, where something is done: open, call, steer, cancel, take attendance, conclude."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from bot import forum_words, rights, rsvp
from bot import invitations as calling
from bot.invitations import Call
from dialogs.faults import Misstated
from storage import invitations, people
from storage.database import reading, writing
from storage.invitations import Invitation
from webhooks import census, spoken
from webhooks.access import allowed, note, parts
from webhooks.forum_forms import KINDS, FormFault, as_call, asked, texts
from webhooks.forum_forms import plan as plan_of
from webhooks.forum_pages import blueprint, in_spanish, kept, shown


@blueprint.post("")
@allowed("organizer")
def add() -> Any:
    """Open a forum, with its reminders and its thanks."""
    now, rng = parts().clock(), SystemRandom()
    try:
        plan = plan_of(request.form)
    except FormFault as fault:
        return _again(str(fault)), 422
    try:
        with writing(parts().engine) as db:
            codes = people.code(rng, 16).lower(), people.code(rng, 6)
            made = calling.open_forum(db, plan, codes, now)
            note(db, "abrió un foro", plan.name)
    except LookupError:
        return _again("Ya hay un foro con ese título que empieza a esa hora. Cambia uno de los "
                      "dos, o abre el que ya está."), 422  # fmt: skip
    flash("El foro está guardado. Todavía no se invitó a nadie: eso se hace aquí abajo.")
    return redirect(url_for("forums.show", number=made.id))


@blueprint.post("/<int:number>/cambiar")
@allowed("organizer")
def change(number: int) -> Any:
    """Another time, place or words; those who had answered are told of time and place."""
    now = parts().clock()
    try:
        plan = plan_of(request.form)
    except FormFault as fault:
        with reading(parts().engine) as db:
            given = {**shown(db, kept(db, number)), "given": request.form, "fault": str(fault)}
        return render_template("forum.html", **given), 422
    with writing(parts().engine) as db:
        before = kept(db, number)
        after = calling.change_forum(db, before, plan, now)
        note(db, "cambió un foro", after.plan.name)
    parts().bell.ring()
    heard = forum_words.difference(before.plan, after.plan)
    told = (
        "A quienes habían contestado se les avisa ahora." if heard else "Nadie tiene que saberlo."
    )
    flash(f"El foro está cambiado. {told}")
    return redirect(url_for("forums.show", number=number))


def _again(fault: str) -> str:
    return render_template(
        "forums.html", ahead=[], over=[], coming={}, kinds=KINDS, towns=census.towns(),
        given=request.form, fault=fault,
    )  # fmt: skip


@blueprint.post("/<int:number>/invitar")
@allowed("organizer")
def invite(number: int) -> Response:
    """Plan an invitation; it goes out at its moment."""
    now = parts().clock()
    try:
        with writing(parts().engine) as db:
            forum = kept(db, number)
            made, found = calling.plan(db, parts().desk.library, forum, _call(request.form), now)
            note(db, "planeó una invitación", f"{forum.plan.name}: {found.total} personas")
    except (FormFault, Misstated) as fault:
        flash(f"No se planeó nada. {in_spanish(fault)}", "fault")
        return redirect(url_for("forums.show", number=number))
    parts().bell.ring()
    _tell_of(made)
    return redirect(url_for("forums.show", number=number, _anchor="envios"))


def _call(given: Any) -> Call:
    """The invitation in a form. Raises FormFault."""
    said = asked(given)
    if said.at is None:
        raise FormFault("Di cuándo sale la invitación.")
    words = {code: text for code, text in said.words.items() if text}
    spread = said.spread or timedelta(0)
    return Call(said.at, said.segment or "", said.until, spread, words, said.template or "")


def _tell_of(one: Invitation) -> None:
    """When it goes out, and to how many."""
    flash(f"La invitación sale el {spoken.moment(one.due)} a "
          f"{spoken.many(one.reach, 'persona', 'personas')}.")  # fmt: skip
    if one.any_hour:
        flash("A esta hora la gente duerme, y sale de todos modos porque pediste que saliera ya. "
              "Si prefieres que espere a la mañana, páusala y reanúdala entonces.")  # fmt: skip


@blueprint.get("/<int:number>/envios/<int:one>/cambiar")
@allowed("organizer")
def look_at_call(number: int, one: int) -> Any:
    """The form of an invitation that is planned, or goes out already."""
    with reading(parts().engine) as db:
        found = _ours(db, number, one)
        if found.state in ("done", "cancelled"):
            flash("Este envío ya terminó: no queda nada que cambiar.", "fault")
            return redirect(url_for("forums.show", number=number, _anchor="envios"))
        return _form(db, found, as_call(found))


@blueprint.post("/<int:number>/envios/<int:one>/cambiar")
@allowed("organizer")
def change_call(number: int, one: int) -> Any:
    """Other words, another time, others who are called: instead of cancelling and planning anew."""
    now = parts().clock()
    try:
        with writing(parts().engine) as db:
            _ours(db, number, one)
            made = calling.replan(db, parts().desk.library, one, asked(request.form), now)
            note(db, "cambió una invitación", f"foro {number}, envío {one}")
    except (FormFault, Misstated) as fault:
        with reading(parts().engine) as db:
            found = _ours(db, number, one)
            return _form(db, found, request.form, in_spanish(fault)), 422
    parts().bell.ring()
    if made.state == "planned":
        _tell_of(made)
    else:
        flash("Está cambiada: vale para quienes todavía no la reciben.")
    return redirect(url_for("forums.show", number=number, _anchor="envios"))


def _form(db: Connection, one: Invitation, given: Any, fault: str = "") -> str:
    forum = kept(db, one.forum_id)
    page = shown(db, forum) | {"one": one, "given": given, "fault": fault}
    return render_template("forum_call.html", **page)


def _ours(db: Connection, number: int, one: int) -> Invitation:
    """What is sent about this forum by a page's address."""
    try:
        found = invitations.get(db, one)
    except LookupError:
        abort(404)
    if found.forum_id != number:
        abort(404)
    return found


@blueprint.post("/<int:number>/envios/<int:one>")
@allowed("organizer")
def steer(number: int, one: int) -> Response:
    """Pause, resume or cancel what is being sent; or try it on oneself."""
    now, what = parts().clock(), request.form.get("hacer", "")
    with writing(parts().engine) as db:
        _ours(db, number, one)
        match what:
            case "probar":
                told = _tried(db, one, request.form.get("direccion", ""), now)
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


def _tried(db: Connection, one: int, address: str, now: datetime) -> str:
    """Send it to one who tries it, and say what became of that."""
    person = rights.by_address(db, address)
    if person is None:
        return (
            "Nadie tiene ese folio o esa dirección. Escribe primero al bot, y usa tu folio, "
            "telegram:NÚMERO o whatsapp:+52…"
        )
    if not rsvp.try_on(db, parts().desk.library, person, one, now):
        return (
            "Pasaron más de 24 horas: escribe cualquier cosa al bot por WhatsApp y prueba otra vez."
        )
    return "Va en camino, con la nota de que es una prueba. Lo que contestes no cuenta."


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
    """Those at the door: noted by the folios that they show, one or a whole list."""
    folios = list(dict.fromkeys(re.split(r"[\s,;]+", request.form.get("folio", "").upper())))
    with writing(parts().engine) as db:
        forum = kept(db, number)
        found = {folio: people.by_folio(db, folio) for folio in folios if folio}
        known = {folio: person for folio, person in found.items() if person}
        now = parts().clock()
        new = [f for f, p in known.items() if calling.arrive(db, forum.id, p.id, now)]
        note(db, "anotó llegadas", f"{forum.plan.name}: {len(new)}")
    old, unknown = [f for f in known if f not in new], [f for f in found if f not in known]
    if new:
        flash(f"{'Llegó' if len(new) == 1 else 'Llegaron'}: {', '.join(new)}.")
    if old:
        flash(f"Ya {'estaba' if len(old) == 1 else 'estaban'} en la lista: {', '.join(old)}.")
    if unknown:
        flash(f"Nadie tiene el folio {', '.join(unknown)}. Revísalo: son tres signos, un guion "
              "y tres más.", "fault")  # fmt: skip
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
