"""Ways into a questionnaire: a deep link, or a word and a code, by which one begins just that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from urllib.parse import quote

from sqlalchemy import Connection

from bot import captures, telegram
from dialogs import engine, moving
from dialogs.moving import Turn
from dialogs.phrases import say
from dialogs.questions import Script
from dialogs.values import Inbound
from dialogs.walking import Library
from storage import answers, forms, institutions, people
from storage.people import Person

WORD = "cuestionario"  # before a code, where there are no deep links
SAID = re.compile(rf"{WORD}[ :]+([\w-]{{1,64}})[.!]?", re.IGNORECASE | re.ASCII)
LONGEST = 64  # characters of a code: Telegram's limit


def code(inbound: Inbound) -> str:
    """The code by which somebody comes with this message; "" without one."""
    said = SAID.fullmatch(inbound.text.strip()) if inbound.kind == "text" else None
    return said[1] if said else inbound.code


def opened(
    db: Connection, library: Library, person: Person, inbound: Inbound, rng: Random
) -> Turn | None:
    """The questionnaire to which the code leads; None if it leads to none of its own."""
    given = code(inbound).casefold()
    if not given or person.talk.stopped:
        return None
    ways = forms.ways(db)
    leading = [way for way in ways if f"{given}-".startswith(f"{way}-")]
    if not leading:
        return None
    form, version, state = ways[max(leading, key=len)]
    talk, script = person.talk._replace(paused=False), library.lookup(form, version)
    if state == "closed":
        newcomer = not talk.dialogs and not talk.closed
        return None if newcomer else moving.ask_again(talk, library, say("way_closed", "es"))
    if captures.SESSION in script.places:
        return moving.ask_again(talk, library, say("way_session", "es"))
    if under_way := next((each for each in talk.dialogs if each.form == form), None):
        others = tuple(each for each in talk.dialogs if each is not under_way)
        talk = talk._replace(dialogs=(*others, under_way))
        return engine.hear(talk, replace(inbound, kind="start"), library, under_way)
    if folio := _done(db, person, script):
        return moving.ask_again(talk, library, say("way_done", talk.language, {"folio": folio}))
    return engine.push(talk, people.fresh(form, version, rng), library, inbound.at)


def _done(db: Connection, person: Person, script: Script) -> str:
    """The folio under which somebody has answered it; for each institution it is answered anew."""
    several = institutions.TABLE in script.tables
    return "" if several else answers.folio(db, person.id, script.name)


def links(start: str, words: str, bot: str, whatsapp: str) -> Mapping[str, str]:
    """By channel, the links that open the chat with a code, or with words, ready to be sent.

    `bot` is the name of the Telegram bot, `whatsapp` the sender as in the settings; "" is off.
    """
    number = whatsapp.removeprefix("whatsapp:").lstrip("+")
    found = {"Telegram": telegram.deep_link(bot, start)} if bot else {}
    return found | ({"WhatsApp": f"https://wa.me/{number}?text={quote(words)}"} if number else {})
