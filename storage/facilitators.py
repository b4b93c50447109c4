"""Facilitators: who may capture for others in a chat, by a code that only they have."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from random import Random

from sqlalchemy import Connection, delete, insert, select

from storage import schema
from storage.people import code as new_code

facts = schema.facts
PREFIX = "facilitator:"
LENGTH = 8  # of a code, five bits each: not to be guessed in a chat


@dataclass(frozen=True, slots=True)
class Facilitator:
    """Somebody who holds sessions, and the questionnaire they use."""

    name: str
    form: str


def add(db: Connection, name: str, form: str, rng: Random) -> str:
    """A new facilitator; the code is told once and kept only as a hash."""
    code = new_code(rng, LENGTH)
    value = json.dumps({"name": name, "form": form})
    db.execute(insert(facts).values(key=_key(code), value=value))
    return code


def find(db: Connection, code: str) -> Facilitator | None:
    """Whose code this is."""
    value = db.scalar(select(facts.c.value).where(facts.c.key == _key(code)))
    return Facilitator(**json.loads(value)) if value else None


def every(db: Connection) -> list[Facilitator]:
    values = db.scalars(select(facts.c.value).where(facts.c.key.startswith(PREFIX)))
    found = (Facilitator(**json.loads(value)) for value in values)
    return sorted(found, key=lambda facilitator: facilitator.name)


def close(db: Connection, name: str) -> int:
    """Their codes work no more; how many there were."""
    rows = db.execute(select(facts).where(facts.c.key.startswith(PREFIX))).all()
    keys = [row.key for row in rows if json.loads(row.value)["name"] == name]
    db.execute(delete(facts).where(facts.c.key.in_(keys)))
    return len(keys)


def _key(code: str) -> str:
    bare = "".join(sign for sign in code.upper() if sign.isalnum())
    return f"{PREFIX}{hashlib.sha256(bare.encode()).hexdigest()[:40]}"
