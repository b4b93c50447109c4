"""Entradas: the link and the code to scan by which one begins just this questionnaire."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import Blueprint, abort, render_template, request, session

from bot import captures, ways
from dialogs.values import in_language
from storage import forms
from storage.database import reading
from webhooks import pictures
from webhooks.access import allowed, parts

blueprint = Blueprint("entrances", __name__, url_prefix="/cuestionarios")

BOT = re.compile(r"@?(\w{5,32})", re.ASCII)  # a bot's name, as Telegram allows it
POSTER = re.compile(r"[\w-]{1,20}", re.ASCII)


def bot() -> str:
    """The name of the Telegram bot as it was written last in this browser; "" if never."""
    named = BOT.fullmatch(request.args.get("bot", "").strip())
    if named:
        session["bot"] = named[1]
    found: str = session.get("bot", "")
    return found


def drawn(start: str, words: str) -> dict[str, tuple[str, str]]:
    """By channel, the link that opens the chat, and the same to be scanned."""
    found: Mapping[str, str] = ways.links(start, words, bot(), parts().settings.whatsapp_from)
    return {
        name: (link, pictures.qr(link, f"Código QR para {name}")) for name, link in found.items()
    }


@blueprint.get("/<name>/entrada")
@allowed("organizer", "analyst")
def page(name: str) -> str:
    """Its links and codes, also for one poster alone, so that one sees who came by that."""
    with reading(parts().engine) as db:
        known = {form: (way, version, state) for way, (form, version, state)
                 in forms.ways(db).items()}  # fmt: skip
    if name not in known:
        abort(404)
    way, version, state = known[name]
    poster = request.args.get("cartel", "").strip()
    fits = POSTER.fullmatch(poster)
    code = f"{way}-{poster}" if fits else way
    script = parts().desk.library.lookup(name, version)
    return render_template(
        "entrance.html",
        name=name,
        version=version,
        title=in_language(script.title, "es"),
        state=state,
        session_only=captures.SESSION in script.places,
        code=code,
        words=f"{ways.WORD} {code}",
        poster=poster,
        fault="" if fits or not poster else
        "El cartel se nombra con letras sin acento, números, _ o -, hasta 20.",
        drawn=drawn(code, f"{ways.WORD} {code}"),
        bot=bot(),
    )  # fmt: skip
