"""One answer per institution: whoever comes second is told who has answered, and what to do."""

from __future__ import annotations

from sqlalchemy import Connection

from bot import timing
from dialogs.asking import Library
from dialogs.phrases import say
from dialogs.questions import Script
from dialogs.state import Dialog, Talk
from dialogs.values import Message, in_language
from storage import institutions
from storage.institutions import QUESTION, TABLE

AREA = "area_cargo"  # the question from which part of the institution somebody answers


def answered(db: Connection, library: Library, before: Talk, after: Talk) -> Message | None:
    """What is said instead of going on, if somebody has just named an institution of the list that
    has a complete answer already; the question is then still open."""
    known = {dialog.id: dialog.answers.get(QUESTION) for dialog in before.dialogs}
    for dialog in after.dialogs:
        name = dialog.answers.get(QUESTION, "")
        if not name or known.get(dialog.id) == name:
            continue
        script = library.lookup(dialog.form, dialog.version)
        if TABLE in script.tables and (message := _told(db, library, dialog, script, name)):
            return message
    return None


def _told(
    db: Connection, library: Library, dialog: Dialog, script: Script, name: str
) -> Message | None:
    found = institutions.answered(db, dialog.form, name, AREA, but=dialog.id)
    if found is None:
        return None
    row = next((row for row in script.tables[TABLE] if row["name"] == name), {})
    then = library.lookup(dialog.form, found.version)
    options = then.question(AREA).options if AREA in then.places else ()
    areas = [in_language(each.label, "es") for each in options if each.name == found.area]
    day = timing.local(found.at)
    values = {
        "institution": row.get("nombre", name),
        "day": day.day,
        "month": say("months", "es").split(",")[day.month - 1],
        "area": say("institution_area", "es", {"area": areas[0]}) if areas else "",
    }
    return Message(say("institution_answered", "es", values))
