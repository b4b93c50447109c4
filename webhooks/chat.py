"""The local chat page: the consultation in a browser, as a phone would show it."""

from __future__ import annotations

import hmac
import io
import secrets
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    jsonify,
    render_template,
    request,
    send_file,
    session,
)
from sqlalchemy import Connection

from bot import conversation, shape, voices
from bot.channel import File
from bot.wiring import Parts
from dialogs import walking
from dialogs.values import Inbound, Media, in_language
from storage import answers, chats, translating
from storage.database import reading
from storage.vault import Vault
from webhooks import published

blueprint = Blueprint("chat", __name__, url_prefix="/chat")

LARGEST_VOICE = 16_000_000  # bytes, as on WhatsApp
LONGEST_ID = 64


@blueprint.before_request
def _known() -> None:
    """Everybody who opens the page is a person of their own; what they send is theirs."""
    session.setdefault("chat", secrets.token_hex(8))
    session.setdefault("csrf", secrets.token_hex(16))
    given = request.headers.get("X-CSRF-Token", "")
    if request.method == "POST" and not hmac.compare_digest(given, session["csrf"]):
        abort(_refusal("La página caducó. Vuelve a cargarla.", 403)[0])


@blueprint.get("")
def page() -> str:
    with reading(_parts().engine) as db:
        unreviewed = translating.unreviewed(db)
    return render_template("chat.html", csrf=session["csrf"], unreviewed=unreviewed)


@blueprint.post("/say")
def say() -> tuple[Response, int]:
    """A text, a pressed button or a location."""
    given = request.get_json(silent=True)
    if not isinstance(given, dict) or not _is_id(given.get("id")):
        return _refusal("El mensaje no se entiende. Vuelve a cargar la página.", 400)
    text, payload, point = given.get("text"), given.get("payload"), given.get("point")
    if isinstance(payload, str):
        inbound = _inbound(given["id"], "button", payload=payload, pressed=given.get("pressed"))
    elif found := _point(point):
        inbound = _inbound(given["id"], "location", point=found)
    elif isinstance(text, str):
        inbound = _inbound(given["id"], "text", text=text)
    else:
        return _refusal("El mensaje no se entiende. Vuelve a cargar la página.", 400)
    return _receive(inbound)


@blueprint.post("/voice")
def voice() -> tuple[Response, int]:
    """A voice note."""
    request.max_content_length = LARGEST_VOICE
    file = request.files.get("file")
    if file is None or not _is_id(request.form.get("id")):
        return _refusal("No llegó la nota de voz. Grábala otra vez.", 400)
    content = file.read()
    kind = shape.audio_type(content)
    if kind is None:
        return _refusal("Ese archivo no es un audio. Prueba con otro.", 415)
    try:
        name = voices.keep(_parts().post.media, _vault(), File(content, kind))
    except OSError:
        return _refusal("La nota de voz no se pudo guardar. Mándala otra vez en un momento.", 503)
    media = Media(name, kind, len(content))
    return _receive(_inbound(request.form["id"], "voice", media=media))


@blueprint.get("/messages")
def messages() -> Response:
    """What was said by both after a given point."""
    after = request.args.get("after", "0")
    with reading(_parts().engine) as db:
        found = chats.messages(db, session["chat"], int(after) if after.isdecimal() else 0)
        waiting = chats.waiting(db, session["chat"])
    return jsonify(messages=[_addressed(line) for line in found], typing=waiting)


def _addressed(line: dict[str, Any]) -> dict[str, Any]:
    """A line with the addresses of what is seen and heard before it: the question's, then those of
    its choices. A voice note of the person has its own address already."""
    if line["from"] == "me":
        return line
    own = {"label": "", "image": line["image"], "audio": line["audio"]}
    named = [each for each in (own, *line["shown"]) if each["image"] or each["audio"]]
    shown = [
        {
            **each,
            "image": published.address(each["image"]),
            "audio": published.address(each["audio"]),
        }
        for each in named
    ]
    return {**line, "image": "", "audio": "", "shown": shown}


@blueprint.get("/stored")
def stored() -> Response:
    """What is kept of this person."""
    parts = _parts()
    with reading(parts.engine) as db:
        person = chats.person(db, session["chat"])
        rows = answers.of_person(db, person.id) if person else []
    if person is None:
        return jsonify(language=None, form="", progress="", answers=[])
    dialog = person.talk.top or (person.talk.closed[-1] if person.talk.closed else None)
    script = parts.desk.library.script(dialog) if dialog else None
    library = parts.desk.library._replace(now=parts.clock())
    at = walking.progress(dialog, library) if dialog and dialog.at else None
    return jsonify(
        language=person.talk.language,
        form=in_language(script.title, "es") if script else "",
        progress=f"{at[0]} de {at[1]}" if at else "",
        answers=[_shown(row) for row in rows],
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """An answer, with the label of its question and of its choices."""
    script = _parts().desk.library.lookup(row["form"], row["version"])
    question = script.question(row["question"])
    labels = {option.name: in_language(option.label, "es") for option in question.options}
    said = row["said"] or ("nota de voz" if row["media"] else "")
    chosen = ", ".join(labels.get(v, v) for v in row["value"].split())
    value = said if question.open else chosen or row["said"]
    label = in_language(question.label, "es").splitlines()[-1]
    return {**row, "label": label, "value": value, "said": said, "at": row["at"].isoformat()}


@blueprint.post("/restart")
def restart() -> Response:
    """Be somebody new."""
    session["chat"] = secrets.token_hex(8)
    return jsonify()


@blueprint.get("/media/<name>")
def media(name: str) -> Response:
    """A voice note that this person sent."""
    with reading(_parts().engine) as db:
        if not chats.owns(db, session["chat"], name):
            abort(404)
    try:
        sound = voices.read(_parts().post.media, name, _vault())
    except FileNotFoundError:
        abort(404)
    except OSError:
        abort(503)
    kind = shape.audio_type(sound) or "application/octet-stream"
    return send_file(io.BytesIO(sound), mimetype=kind, conditional=True)


def _vault() -> Vault:
    found: Vault = _parts().engine.get_execution_options()["vault"]
    return found


def _receive(inbound: Inbound) -> tuple[Response, int]:

    def show(db: Connection) -> None:
        chats.write(db, inbound.address, _line(inbound), inbound.at, mine=True)

    conversation.receive(_parts().desk, inbound, show)
    return jsonify(), 202


def _line(inbound: Inbound) -> dict[str, Any]:
    """What a person sent, as the page shows it again after a reload."""
    return {
        "kind": inbound.kind,
        "client": inbound.id.partition(":")[2],
        "text": inbound.text,
        "payload": inbound.payload,
        "point": inbound.point,
        "audio": f"/chat/media/{inbound.media.ref}" if inbound.media else "",
    }


def _inbound(given: str, kind: Any, pressed: object = None, **more: Any) -> Inbound:
    person = session["chat"]
    return Inbound(
        channel="chat",
        id=f"{person}:{given}",
        address=person,
        identity=person,
        at=_parts().clock(),
        kind=kind,
        pressed=str(pressed or ""),
        **more,
    )


def _is_id(given: object) -> bool:
    return isinstance(given, str) and 0 < len(given) <= LONGEST_ID


def _point(given: object) -> tuple[float, float] | None:
    match given:
        case [int() | float() as lat, int() | float() as lon]:
            return float(lat), float(lon)
        case _:
            return None


def _refusal(words: str, status: int) -> tuple[Response, int]:
    response = jsonify(error=words)
    response.status_code = status
    return response, status


def _parts() -> Parts:
    parts: Parts = current_app.extensions["parts"]
    return parts
