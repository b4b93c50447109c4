"""Mensajes: what did not arrive or is uncertain, and conversations that failed by our fault."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bot import conversation
from storage import troubles
from storage.database import reading, writing
from storage.troubles import Kind
from webhooks import spoken
from webhooks.access import allowed, me, note, parts

blueprint = Blueprint("messages", __name__, url_prefix="/mensajes")

MOST_AT_ONCE = 200  # conversations run again by one press


@blueprint.get("")
@allowed("organizer")
def page() -> str:
    with reading(parts().engine) as db:
        groups = troubles.groups(db)
        broken, count = troubles.broken(db), troubles.broken_count(db)
    by_state = {state: [g for g in groups if g.kind.state == state] for state in troubles.STATES}
    return render_template("messages.html", groups=by_state, broken=broken, broken_count=count)


@blueprint.get("/ver")
@allowed("organizer")
def look() -> str:
    """The newest messages of a kind, opened: noted, for their words may tell who it is."""
    kind = _kind(request.args)
    with writing(parts().engine) as db:
        found = troubles.letters(db, kind)
        note(db, "abrió mensajes", f"{len(found)} · {kind.state} · {kind.channel}")
    return render_template("messages_look.html", kind=kind, letters=found)


@blueprint.post("/dejar")
@allowed("organizer")
def leave() -> Response:
    kind = _kind(request.form)
    with writing(parts().engine) as db:
        count = troubles.leave(db, kind, me().email, parts().clock())
        note(db, "dejó mensajes como están", f"{count} · {kind.state} · {kind.channel}")
    told = spoken.many(count, "mensaje quedó como está", "mensajes quedaron como están")
    flash(f"{told}, y ya no se avisa.")
    return redirect(url_for("messages.page"))


@blueprint.post("/reenviar")
@allowed("organizer")
def send_again() -> Response:
    kind = _kind(request.form)
    with writing(parts().engine) as db:
        count = troubles.send_again(db, kind, parts().clock())
        note(db, "reenvió mensajes", f"{count} · {kind.state} · {kind.channel}")
    parts().bell.ring()
    flash(f"{spoken.many(count, 'mensaje está', 'mensajes están')} otra vez en camino.")
    return redirect(url_for("messages.page"))


def _kind(given: Any) -> Kind:
    lane = given.get("lane", "")
    if given.get("state") not in troubles.STATES or lane not in ("0", "1"):
        abort(400)
    texts = (given.get(name, "") for name in ("code", "reason"))
    return Kind(given["state"], given.get("channel", ""), int(lane), *texts)


# conversations that failed by our fault


@blueprint.get("/detenidas/<int:number>")
@allowed("organizer")
def words(number: int) -> str:
    """What the person said: noted, as every look at a citizen's words is."""
    with writing(parts().engine) as db:
        try:
            said = troubles.words(db, number)
        except LookupError:
            abort(404)
        note(db, "leyó un mensaje detenido", str(number))
    return render_template("messages_words.html", said=said, number=number)


@blueprint.post("/detenidas")
@allowed("organizer")
def run_again() -> Response:
    """Run the given one again, or all of them, oldest first."""
    given = request.form.get("numero", "todas")
    with reading(parts().engine) as db:
        found = [each.id for each in troubles.broken(db, MOST_AT_ONCE)]
    chosen = [number for number in found if given in ("todas", str(number))]
    done = sum(map(_ran, chosen))
    with writing(parts().engine) as db:
        note(db, "volvió a pasar conversaciones", f"{done} de {len(chosen)}")
    parts().bell.ring()
    if done == len(chosen):
        flash(f"{spoken.many(done, 'conversación siguió', 'conversaciones siguieron')} su camino.")
    else:
        failed = len(chosen) - done
        flash(
            f"{spoken.many(failed, 'conversación volvió', 'conversaciones volvieron')} a fallar; "
            "lo que dijo la gente sigue guardado. Avisa a quien mantiene el programa.",
            "fault",
        )
    return redirect(url_for("messages.page"))


def _ran(number: int) -> bool:
    """Whether it went well this time; if not, the message stays where it was."""
    try:
        conversation.rerun(parts().desk, number, parts().clock())
    except Exception:  # noqa: BLE001 - whatever stopped it before may stop it again
        return False
    return True
