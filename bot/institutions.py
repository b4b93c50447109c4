"""One answer per institution: whoever comes second is told who has it, and what to do."""

from __future__ import annotations

from datetime import datetime

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


def answered(
    db: Connection, library: Library, before: Talk, after: Talk, at: datetime
) -> Message | None:
    """What is said instead of going on, if the institution for which somebody answers is another's
    by now; the question is then still open. Else it is theirs from here on."""
    known = (*before.dialogs, *before.closed)
    for dialog in (*after.dialogs, *after.closed):
        name = dialog.answers.get(QUESTION, "")
        if not name or dialog in known:
            continue
        script = library.lookup(dialog.form, dialog.version)
        if TABLE in script.tables and (message := _told(db, library, dialog, script, at)):
            return message
    return None


def _told(
    db: Connection, library: Library, dialog: Dialog, script: Script, at: datetime
) -> Message | None:
    name = dialog.answers[QUESTION]
    other = institutions.claim(db, dialog.form, name, dialog.id, at)
    if not other:
        return None
    found = institutions.holder(db, other, AREA)
    then = library.lookup(dialog.form, found.version)
    options = then.question(AREA).options if AREA in then.places else ()
    areas = [in_language(each.label, "es") for each in options if each.name == found.area]
    day = timing.local(found.at)
    values = {
        "institution": label(script, name),
        "day": day.day,
        "month": say("months", "es").split(",")[day.month - 1],
        "area": say("institution_area", "es", {"area": areas[0]}) if areas else "",
        "days": institutions.HELD.days,
    }
    return Message(say("institution_answered" if found.done else "institution_begun", "es", values))


def label(script: Script, name: str) -> str:
    """An institution of the attached list as people call it."""
    row = next((row for row in script.tables[TABLE] if row["name"] == name), {})
    return row.get("nombre", name)
