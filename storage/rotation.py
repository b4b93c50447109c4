"""Sealing everything anew with the newest key: a batch at a time, to be stopped and continued."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Engine, Table, delete, func, select, update

from storage import facilitators, schema
from storage.database import NEXT_VAULT, VAULT, vault_of, writing
from storage.vault import Vault

BATCH = 500  # rows in one transaction


@dataclass(frozen=True, slots=True)
class Place:
    """A column of sealed values, and the name that is bound into them."""

    column: Column[bytes]
    bound: str
    found_again: bool  # AES-SIV; else AES-GCM

    @property
    def table(self) -> Table:
        return self.column.table

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.column.name}"


def _place(column: Column[bytes], bound: str = "", *, found_again: bool = False) -> Place:
    return Place(column, bound or f"{column.table.name}.{column.name}", found_again)


PLACES = (
    _place(schema.people.c.identity, found_again=True),
    _place(schema.people.c.address, found_again=True),
    _place(schema.people.c.needs),
    _place(schema.people.c.hidden_talk),
    _place(schema.inbox.c.raw),
    _place(schema.answers.c.said),
    _place(schema.media.c.ref),
    _place(schema.consents.c.words),
    _place(schema.spared.c.words),
    _place(schema.outbox.c.message),
    _place(schema.chat_lines.c.chat, "people.address", found_again=True),
    _place(schema.chat_lines.c.content),
    _place(schema.organizers.c.totp),
    _place(schema.sign_ins.c.who, found_again=True),
)


def run(engine: Engine) -> Iterator[tuple[str, int]]:
    """Seal anew what the newest key has not sealed; after each batch the place and its rows."""
    for place in PLACES:
        after = 0
        while True:
            with writing(engine) as db:
                done, after = _batch(db, place, after)
            if not done:
                break
            yield place.name, done


def finish(engine: Engine) -> None:
    """Once the recordings are sealed anew, too: from now on one key is enough."""
    with writing(engine) as db:
        _facts(db)


def _batch(db: Connection, place: Place, after: int) -> tuple[int, int]:
    """The next rows; how many they were, and the last of them."""
    vault, key = vault_of(db), place.table.c.id
    other = func.substr(place.column, 1, 1) != vault.newest.id
    wanted = select(key, place.column.label("sealed")).where(key > after, other)
    rows = db.execute(wanted.order_by(key).limit(BATCH).with_for_update()).all()
    for row in rows:
        anew = {place.column.name: _anew(vault, place, row.sealed)}
        db.execute(update(place.table).where(key == row.id).values(anew))
    return len(rows), rows[-1].id if rows else after


def _anew(vault: Vault, place: Place, sealed: bytes) -> bytes:
    if place.found_again:
        return vault.seal(place.bound, vault.open(place.bound, sealed))
    return vault.hide_bytes(place.bound, vault.show_bytes(place.bound, sealed))


def _facts(db: Connection) -> None:
    """Facilitators' names and the pepper of the tombstones; and at last the fingerprint."""
    vault, facts = vault_of(db), schema.facts
    facilitators.seal(db)
    stored = db.scalar(select(facts.c.value).where(facts.c.key == "pepper"))
    if stored is not None:
        pepper = vault.show("facts.pepper", bytes.fromhex(stored))
        anew = vault.hide("facts.pepper", pepper).hex()
        db.execute(update(facts).where(facts.c.key == "pepper").values(value=anew))
    db.execute(update(facts).where(facts.c.key == VAULT).values(value=vault.fingerprint))
    db.execute(delete(facts).where(facts.c.key == NEXT_VAULT))
