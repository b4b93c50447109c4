"""Values that stand openly since before migration 0022 and are personal: sealed, a batch at a time.

`answers.said` is where they go, as new ones do; programs of before read them there, too.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from dialogs.script import ScriptError
from dialogs.walking import Library
from storage import facilitators, schema
from storage.database import vault_of

SINCE, AFTER = "values open until", "values sealed up to"  # facts: a moment, an answer's id
BATCH = 5000  # rows looked at in one transaction
facts, answers, responses = schema.facts, schema.answers, schema.responses


def seal(db: Connection, library: Library, now: datetime) -> bool:
    """Look through a batch, once programs of before have had their time to end; whether there was
    something left to do."""
    until = db.scalar(select(facts.c.value).where(facts.c.key == SINCE))
    if until is None or now < datetime.fromisoformat(until):
        return False
    after = int(db.scalar(select(facts.c.value).where(facts.c.key == AFTER)) or 0)
    rows = _open(db, after)
    for row in rows:
        if row.question.partition("#")[0] in _personal(library, row.form, row.version):
            said = vault_of(db).hide("answers.said", row.value)
            db.execute(update(answers).where(answers.c.id == row.id).values(value=None, said=said))
    db.execute(delete(facts).where(facts.c.key == AFTER))
    if rows:
        db.execute(facts.insert().values(key=AFTER, value=str(rows[-1].id)))
    else:
        facilitators.seal(db)
        db.execute(delete(facts).where(facts.c.key == SINCE))
    return True


def _personal(library: Library, form: str, version: int) -> Set[str]:
    try:
        return library.lookup(form, version).personal
    except (LookupError, ScriptError):  # nobody can read it any more: nobody knows what is what
        return frozenset()


def _open(db: Connection, after: int) -> list[Row[Any]]:
    found = (
        select(answers.c.id, answers.c.question, answers.c.value)
        .add_columns(responses.c.form, responses.c.version)
        .join(responses, responses.c.id == answers.c.response_id)
        .where(answers.c.id > after, answers.c.value.is_not(None))
    )
    return list(db.execute(found.order_by(answers.c.id).limit(BATCH)))
