"""Facilitators: who may capture for others in a chat, by a code that only they have.

Their names are sealed; those of before migration 0022 stand openly until `seal` has been there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from storage import schema
from storage.database import vault_of
from storage.people import code as new_code

facts = schema.facts
PREFIX = "facilitator:"
PLACE = "facts.facilitator"
LENGTH = 8  # of a code, five bits each: not to be guessed in a chat


@dataclass(frozen=True, slots=True)
class Facilitator:
    """Somebody who holds sessions, and the questionnaire they use."""

    name: str
    form: str


def add(db: Connection, name: str, form: str, rng: Random) -> str:
    """A new facilitator; the code is told once and kept only as a hash."""
    code = new_code(rng, LENGTH)
    db.execute(insert(facts).values(key=_key(code), value=_sealed(db, Facilitator(name, form))))
    return code


def find(db: Connection, code: str) -> Facilitator | None:
    """Whose code this is."""
    value = db.scalar(select(facts.c.value).where(facts.c.key == _key(code)))
    return _opened(db, value) if value else None


def every(db: Connection) -> list[Facilitator]:
    found = (_opened(db, row.value) for row in _rows(db))
    return sorted(found, key=lambda facilitator: facilitator.name)


def close(db: Connection, name: str) -> int:
    """Their codes work no more; how many there were."""
    keys = [row.key for row in _rows(db) if _opened(db, row.value).name == name]
    db.execute(delete(facts).where(facts.c.key.in_(keys)))
    return len(keys)


def seal(db: Connection) -> None:
    """Seal every name with the newest key."""
    for row in _rows(db):
        value = _sealed(db, _opened(db, row.value))
        db.execute(update(facts).where(facts.c.key == row.key).values(value=value))


def _rows(db: Connection) -> Sequence[Row[Any]]:
    return db.execute(select(facts).where(facts.c.key.startswith(PREFIX))).all()


def _sealed(db: Connection, one: Facilitator) -> str:
    return json.dumps({"sealed": vault_of(db).seal(PLACE, one.name).hex(), "form": one.form})


def _opened(db: Connection, value: str) -> Facilitator:
    found = json.loads(value)
    if "sealed" not in found:
        return Facilitator(**found)
    return Facilitator(vault_of(db).open(PLACE, bytes.fromhex(found["sealed"])), found["form"])


def _key(code: str) -> str:
    bare = "".join(sign for sign in code.upper() if sign.isalnum())
    return f"{PREFIX}{hashlib.sha256(bare.encode()).hexdigest()[:40]}"
