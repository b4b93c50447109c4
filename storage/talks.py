"""Where people are in what is being asked, hidden: conditions may read what they said.

Programs of before migration 0020 know `people.talk` alone. While such may be running, it is written
openly; whatever stands there is the newest, and CLOSED says that it stands in `hidden_talk`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from dialogs import state
from dialogs.state import Talk
from storage import schema
from storage.database import BREAKING, OPEN_TALKS, vault_of

CLOSED = "{}"
COMPACT = json.JSONEncoder(separators=(",", ":"))
PLACE = "people.hidden_talk"
SINCE = "0020_hidden_talks"  # programs that do not have this migration find nobody's talk
BATCH = 500  # rows in one transaction
people, facts = schema.people, schema.facts


def read(db: Connection, row: Row[Any]) -> Talk:
    """The talk of a row of people."""
    if row.talk != CLOSED or row.hidden_talk is None:
        return state.from_json(json.loads(row.talk))
    return state.from_json(json.loads(vault_of(db).show_bytes(PLACE, row.hidden_talk)))


def written(db: Connection, talk: Talk, at: datetime) -> Mapping[str, Any]:
    """The columns of a talk."""
    plain = COMPACT.encode(state.to_json(talk))
    until = db.get_execution_options().get(OPEN_TALKS)
    if until is not None and at < until:
        return {"talk": plain, "hidden_talk": None}
    return _hidden(db, plain)


def hide(db: Connection, now: datetime) -> int:
    """Hide a batch of those that stand open, once programs of before have had their time to end;
    how many they were."""
    mine = facts.c.key == OPEN_TALKS
    until = db.scalar(select(facts.c.value).where(mine))
    if until is not None:
        if now < datetime.fromisoformat(until):
            return 0
        db.execute(delete(facts).where(mine))
        if not db.scalar(select(facts.c.key).where(facts.c.key == BREAKING)):
            db.execute(insert(facts).values(key=BREAKING, value=SINCE))
    standing = select(people.c.id, people.c.talk).where(people.c.talk != CLOSED).limit(BATCH)
    rows = db.execute(standing.with_for_update(skip_locked=True)).all()
    for row in rows:
        db.execute(update(people).where(people.c.id == row.id).values(_hidden(db, row.talk)))
    return len(rows)


def _hidden(db: Connection, plain: str) -> Mapping[str, Any]:
    return {"talk": CLOSED, "hidden_talk": vault_of(db).hide_bytes(PLACE, plain.encode())}
