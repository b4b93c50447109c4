"""Traducciones, aloud: a recording of a text, for those who do not read their language."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from flask import abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from bot import shape
from bot.stores import PUBLISHED
from dialogs import translations
from dialogs.attachments import LARGEST_AUDIO
from storage import translating
from storage.database import writing
from webhooks.access import allowed, note, parts
from webhooks.translators import OWN, SEE, blueprint, language_asked, lines_of

ENDINGS = {  # of what WhatsApp takes, by what the bytes show
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/aac": ".aac",
    "audio/amr": ".amr",
    "audio/mp4": ".m4a",
}


@blueprint.post("/<name>/grabacion")
@allowed(*SEE)
def record(name: str) -> Response:
    """Keep a recording of a text; people hear it with the next version."""
    language = language_asked()
    back = redirect(url_for("translators.show", name=name, lengua=language, estado="todos"))
    file = request.files.get("grabacion")
    content = file.read(LARGEST_AUDIO + 1) if file else b""
    ending = ENDINGS.get(shape.audio_type(content) or "")
    if name in OWN or not content:
        flash("Falta la grabación: elige un archivo de audio.", "fault")
        return back
    if len(content) > LARGEST_AUDIO:
        flash("La grabación pasa de 16 MB, y WhatsApp no la manda. Guárdala más corta o en OGG.",
              "fault")  # fmt: skip
        return back
    if ending is None:
        flash("Ese archivo no es un audio que WhatsApp mande. Guárdalo como OGG, MP3 o M4A.",
              "fault")  # fmt: skip
        return back
    stored = f"{hashlib.sha256(content).hexdigest()[:24]}{ending}"  # whoever knows it may hear it
    parts().post.media.within(PUBLISHED).write(stored, content)
    told = "Grabación guardada: {}. Llega a la gente con la versión que se publique."
    return _put(name, language, stored, "grabó una traducción", told)


@blueprint.post("/<name>/grabacion/quitar")
@allowed(*SEE)
def take_out(name: str) -> Response:
    """Let a text have no recording; who answers a version that has it still hears it."""
    told = "Grabación quitada: {}. La gente deja de oírla con la versión que se publique."
    return _put(name, language_asked(), "", "quitó una grabación", told)


def _put(name: str, language: str, audio: str, action: str, told: str) -> Response:
    back = redirect(url_for("translators.show", name=name, lengua=language, estado="todos"))
    place = request.form.get("lugar", "")
    with writing(parts().engine) as db:
        line = next((x for x in lines_of(db, name, language) if x.string.place == place), None)
        if line is None or line.string.column != "label":
            abort(404)
        if audio and request.form.get("marca") != translations.mark(line.string.source):
            flash("El español cambió mientras grababas. Compara y sube la grabación otra vez.",
                  "fault")  # fmt: skip
            return back
        translating.put(db, name, language, [replace(line.string, audio=audio)])
        note(db, action, f"{name}, {language}: {line.where}")
    flash(told.format(line.where))
    return redirect(f"{back.location}#t{line.number}")
