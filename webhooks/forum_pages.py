"""Foros: open one, call people to it with a preview, follow what becomes of it, take attendance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request, session
from sqlalchemy import Connection

from bot import forum_words, progress, telegram, whatsapp
from bot import invitations as calling
from bot.progress import Progress
from bot.shape import Look
from dialogs import asking
from dialogs.faults import Misstated
from dialogs.values import LANGUAGES, Text
from storage import forms, forums, invitations, segments
from storage.database import reading
from storage.forums import Forum
from storage.invitations import Invitation
from storage.organizers import Role
from storage.segments import Catalogue, SegmentError
from webhooks import census, entrances, spoken
from webhooks.access import allowed, parts
from webhooks.forum_forms import KINDS, as_form, segment, texts

blueprint = Blueprint("forums", __name__, url_prefix="/foros")

SEE: tuple[Role, ...] = ("organizer", "analyst", "facilitator")
PURPOSES = {
    "invitation": "Invitación",
    "reminder": "Recordatorio",
    "change": "Aviso de cambio",
    "cancellation": "Aviso de cancelación",
    "seat": "Aviso de lugar",
    "thanks": "Agradecimiento",
    "conclusions": "Conclusiones",
}
STATES = {
    "planned": "por salir",
    "queueing": "saliendo",
    "sending": "saliendo",
    "done": "terminó",
    "cancelled": "cancelada",
}
FATES = {
    "queued": "esperan su turno",
    "leased": "están saliendo",
    "sent": "sin acuse de que llegaron",
    "delivered": "llegaron",
    "read": "se leyeron",
    "failed": "no se pudieron entregar",
    "uncertain": "quedaron inciertas",
    "held": "esperan a que la persona escriba",
    "missed": "ya no alcanzaron a salir",
}
ROLES = {
    "citizen": "ciudadanía",
    "specialist": "especialistas",
    "official": "funcionariado",
    "ayuntamiento": "ayuntamientos",
    "facilitator": "facilitación",
}
MOVING, RESTING = 3, 20  # seconds until the page looks again
REASONS = {
    "the person asked us to stop": "pidieron no recibir mensajes",
    "the person blocked us": "bloquearon el canal",
    "no consent": "no aceptaron invitaciones",
    "the person wants no invitations to this kind of forum": "no quieren foros de este tipo",
    "the person does not want to know what was done": "no quieren saber qué se hizo",
    "the channel is off": "su canal está apagado",
    "the person has answered already": "ya habían contestado",
    "the invitation was cancelled": "ya no, porque se canceló",
    "the person did not want the invitation": "dijeron que no la querían",
}


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent to many, in the words of the page."""

    purpose: str
    state: str
    so_far: Progress
    fates: tuple[tuple[str, int], ...]  # words, and how many
    left_out: tuple[tuple[str, int], ...]
    too_slow: bool
    alert: str  # what its author has to know
    changeable: bool


# looking


@blueprint.get("")
@allowed(*SEE)
def page() -> str:
    now = parts().clock()
    with reading(parts().engine) as db:
        found = sorted(forums.all_(db), key=lambda forum: forum.plan.starts_at)
        coming = {forum.id: forums.attendance(db, forum.id) for forum in found}
    return render_template(
        "forums.html",
        ahead=[forum for forum in found if forum.plan.ends_at >= now],
        over=[forum for forum in reversed(found) if forum.plan.ends_at < now],
        coming=coming,
        kinds=KINDS,
        towns=census.towns(),
        given={},
        fault="",
    )


@blueprint.get("/<int:number>")
@allowed(*SEE)
def show(number: int) -> str:
    with reading(parts().engine) as db:
        forum = kept(db, number)
        return render_template("forum.html", **shown(db, forum))


def shown(db: Connection, forum: Forum) -> dict[str, Any]:
    known, now = calling.catalogue(db, parts().desk.library), parts().clock()
    sent = [_sending(db, one, now, known) for one in invitations.of_forum(db, forum.id)]
    return {
        "forum": forum,
        "kind": KINDS[forum.plan.kind],
        "coming": forums.attendance(db, forum.id),
        "sent": sent,
        "live": session.get("live", True),
        "every": MOVING if any(each.so_far.moving for each in sent) else RESTING,
        "looks": looks(db, forum, {}),
        "when": _earliest(forum),
        "over": forum.plan.ends_at < now,
        "towns": census.towns(),
        "topics": _topics(known),
        "ages": _labels("age"),
        "regions": [name for name in known.regions if '"' not in name],
        "roles": ROLES,
        "kinds": KINDS,
        "given": as_form(forum),
        "template": parts().settings.whatsapp_template,
        "fault": "",
    }


CHANNELS = {"Telegram": telegram.look, "WhatsApp": whatsapp.look}


def looks(db: Connection, forum: Forum, words: Text) -> list[tuple[str, str, Look]]:
    """The invitation to a forum: channel, language, and how that channel will show it."""
    library, version = parts().desk.library, forms.newest(db, forum_words.FORM) or 1
    open_ = forum_words.dialog(forum.id, version)
    question = library.script(open_).question(forum_words.ASKED)
    found: list[tuple[str, str, Look]] = []
    for code in LANGUAGES:
        known = forum_words.knowing(library, forum.plan, code, words)
        asked = asking.message(question, open_, known, code)
        found += [(channel, code, look(asked)) for channel, look in CHANNELS.items()]
    return found


def _opening() -> tuple[str, int]:
    with reading(parts().engine) as db:
        return forms.opening(db)


def _labels(role: str) -> list[tuple[str, str]]:
    """The choices of the open questionnaire's question with a role, and their words."""
    script = parts().desk.library.lookup(*_opening())
    asked = next((question for question in script.questions if question.role == role), None)
    options = asked.options if asked else ()
    return [(option.name, option.label.get("es", option.name)) for option in options]


def _topics(known: Catalogue) -> list[tuple[str, str, str]]:
    """What people may have chosen: question, choice, and its words."""
    script = parts().desk.library.lookup(*_opening())
    return [
        (name, option.name, option.label.get("es", option.name))
        for name in known.topics
        for option in script.question(name).options
    ]


def _sending(db: Connection, one: Invitation, now: datetime, known: Catalogue) -> Sending:
    found = progress.of(db, one.id, now)
    skipped = found.counts["skipped"].items()
    return Sending(
        purpose=PURPOSES[one.purpose],
        state="en pausa" if one.paused_at else STATES[one.state],
        so_far=found,
        fates=tuple(
            (words, found.counts[key]) for key, words in FATES.items() if found.counts[key]
        ),
        left_out=tuple((REASONS.get(reason, reason), count) for reason, count in skipped),
        too_slow=found.too_slow(now),
        alert=_alert(one, known),
        changeable=one.purpose == "invitation" and one.state not in ("done", "cancelled"),
    )


def _alert(one: Invitation, known: Catalogue) -> str:
    """What its author has to know, in plain words where there are any."""
    if not one.alert:
        return ""
    try:
        segments.condition(one.segment, known)
    except SegmentError as error:
        return in_spanish(error)
    code = one.alert.rpartition("(")[2].rstrip(")")  # as bot.outcomes writes it
    return spoken.why(one.alert, code) or one.alert


def _earliest(forum: Forum) -> str:
    """What the field for the moment begins with: in half an hour, by the clock on the wall."""
    soon = min(parts().clock() + timedelta(minutes=30), forum.plan.starts_at)
    return f"{spoken.local(soon):%Y-%m-%dT%H:%M}"


@blueprint.get("/<int:number>/envios")
@allowed(*SEE)
def sent(number: int) -> str:
    """The part of the page that renews itself while something goes out."""
    with reading(parts().engine) as db:
        return render_template("forum_sent.html", **shown(db, kept(db, number)))


@blueprint.get("/<int:number>/alcance")
@allowed("organizer")
def reach(number: int) -> tuple[str, int]:
    """Whom an invitation would reach now, and what each would read; nothing is planned."""
    with reading(parts().engine) as db:
        forum = kept(db, number)
        try:
            found = calling.reach(db, parts().desk.library, segment(request.args), forum_id=number)
        except SegmentError as error:
            return render_template("forum_reach.html", fault=in_spanish(error)), 422
        drawn = looks(db, forum, texts(request.args, "palabras_"))
    return render_template(
        "forum_reach.html",
        found=found,
        fault="",
        towns={town.code: town.name for town in census.towns()},
        reasons=REASONS,
        looks=drawn,
    ), 200


@blueprint.get("/<int:number>/puerta")
@allowed("organizer", "facilitator")
def door(number: int) -> str:
    """The sheet for the door: whoever scans its code and sends it is there."""
    with reading(parts().engine) as db:
        forum = kept(db, number)
    drawn = entrances.drawn(f"puerta-{forum.door}", f"aqui {forum.door}")
    return render_template("forum_door.html", forum=forum, drawn=drawn, bot=entrances.bot())


def in_spanish(fault: Exception) -> str:
    """What is wrong and what to do, as the pages say it."""
    if not isinstance(fault, Misstated):
        return str(fault)
    return f"{fault.said.problem('es')} {fault.said.cure('es')}"


def kept(db: Connection, number: int) -> Forum:
    try:
        return forums.get(db, number)
    except LookupError:
        abort(404)
