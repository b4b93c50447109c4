"""Facilitators capture for others: a code opens a session, which is nobody's own answers."""

from __future__ import annotations

import re
from datetime import datetime
from random import Random

from sqlalchemy import Connection

from dialogs import engine, moving, replies
from dialogs.moving import Turn
from dialogs.phrases import say
from dialogs.state import Begin, Dialog, Effect, End, Keep
from dialogs.values import Inbound
from dialogs.walking import Library
from storage import facilitators, forms, people
from storage.people import Person

CHANNEL = "facilitator"
NAME, SESSION = "facilitador", "sesion"  # the hidden questions that a session fills in
CODE = re.compile(r"[0-9A-Z]{4}[ -]?[0-9A-Z]{4}", re.IGNORECASE)


def opened(
    db: Connection, library: Library, person: Person, inbound: Inbound, rng: Random
) -> Turn | None:
    """A new session, if what was written is a facilitator's word and code."""
    code = _code(inbound)
    if not code:
        return None
    talk, found = person.talk, facilitators.find(db, code)
    version = forms.newest(db, found.form) if found else None
    if found is None or version is None:
        return talk, [moving.plain(talk, "facilitator_unknown")]
    dialog = people.fresh(found.form, version, rng)
    dialog = dialog._replace(answers={NAME: found.name, SESSION: dialog.id})
    talk = talk._replace(stopped=False, paused=False)
    talk, effects = engine.push(talk, dialog, library, inbound.at)
    return talk, [moving.plain(talk, "facilitator_hello", {"name": found.name}), *effects]


def _code(inbound: Inbound) -> str:
    """The code behind the word "facilitador" or the like; "" if it is something else."""
    if inbound.kind != "text" or len(inbound.text) > 60:
        return ""
    said = replies.plain(inbound.text)
    for word in say("facilitator_words", "es").split("|"):
        if said.startswith(f"{word} ") and CODE.fullmatch(said.removeprefix(word).strip()):
            return said.removeprefix(word).strip()
    return ""


def session(effect: Effect) -> Dialog | None:
    """The session that an effect belongs to, if it is one."""
    dialog = effect.dialog if isinstance(effect, Begin | Keep | End) else None
    return dialog if dialog and dialog.answers.get(SESSION) else None


def owner(db: Connection, dialog: Dialog, at: datetime, rng: Random) -> Person:
    """Whom a session's answers belong to: nobody who can be written to, least the facilitator."""
    name = dialog.answers[SESSION]
    person = people.hear(db, Inbound(CHANNEL, name, name, name, at), rng)
    people.stop(db, person.id, at)
    return person
