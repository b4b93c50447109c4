"""The population by age, and by sex if an organizer has brought such a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from dialogs.ages import Row
from storage import schema

facts = schema.facts
KEY = "census.ages"


def read(db: Connection) -> tuple[list[Row], str]:
    """The table that was brought, and where it is from; an empty one if there is none."""
    found = db.scalar(select(facts.c.value).where(facts.c.key == KEY))
    if found is None:
        return [], ""
    kept = json.loads(found)
    return [Row(**row) for row in kept["rows"]], kept["source"]


def replace(db: Connection, rows: Sequence[Row], source: str) -> None:
    """Keep this table instead of whatever there was; without rows, none."""
    db.execute(delete(facts).where(facts.c.key == KEY))
    if rows:
        kept = {"rows": [asdict(row) for row in rows], "source": source}
        db.execute(insert(facts).values(key=KEY, value=json.dumps(kept, ensure_ascii=False)))
