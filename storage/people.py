"""People: who wrote, where they are in the conversation, and what they want of us."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, and_, bindparam, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from dialogs.state import Dialog, Talk
from dialogs.values import Inbound, Language
from storage import pacing, schema, talks
from storage.database import vault_of
from storage.pacing import Pace
from storage.prepared import Prepared

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that is read as something else
people = schema.people


class Person(NamedTuple):
    """Somebody who writes to us; the row is locked until the transaction ends."""

    id: int
    pseudonym: str
    channel: str
    address: str
    language: Language | None
    talk: Talk
    heard_at: datetime
    pace: Pace = Pace()
    called: bool = True  # whether an invitation was ever meant for them; if not known, taken so


# Statements of the hot path are built once: building one costs as much as running it.
_box = schema.outbox
_called = exists().where(_box.c.person_id == people.c.id, _box.c.invitation_id.is_not(None))
_read = ("id", "pseudonym", "channel", "address", "language", "talk", "hidden_talk", "heard_at")
_columns = (people.c[name] for name in (*_read, "pace", "erased_at"))
KNOWN = select(*_columns, _called.label("called")).where(
    people.c.channel == bindparam("of_channel"), people.c.identity == bindparam("sealed")
)
LOCKED = Prepared(KNOWN.with_for_update(of=people, key_share=True))
KEPT = ("talk", "hidden_talk", "language", "heard_at", "blocked_at", "pace")
REMEMBER = Prepared(
    update(people)
    .where(people.c.id == bindparam("person"))
    .values({name: bindparam(name) for name in KEPT})
)

LEARN = {
    trait: Prepared(
        update(people).where(people.c.id == bindparam("person")).values({trait: bindparam("value")})
    )
    for trait in ("municipality", "age", "gender", "role")
}


def insert_or_nothing(db: Connection, table: Table, keys: Sequence[str]) -> Any:
    """An insert that does nothing where a row with these keys exists already."""
    return _insert_or_nothing(db.dialect.name, table, tuple(keys))


def insert_new(
    db: Connection, table: Table, keys: Sequence[str], values: Mapping[str, Any]
) -> bool:
    """Insert a row; False if one with these keys exists already."""
    return bool(_insert_new(db.dialect.name, table, tuple(keys)).run(db, values))


@cache
def _insert_new(dialect: str, table: Table, keys: tuple[str, ...]) -> Prepared:
    return Prepared(_insert_or_nothing(dialect, table, keys).returning(table.c.id))


@cache
def _insert_or_nothing(dialect: str, table: Table, keys: tuple[str, ...]) -> Any:
    made = postgresql if dialect == "postgresql" else sqlite
    return made.insert(table).on_conflict_do_nothing(index_elements=keys)


def hear(db: Connection, inbound: Inbound, rng: Random) -> Person:
    """The person who wrote, known or new, and locked: two quick messages would answer one question.

    Their address is the one they wrote from last; WhatsApp may write one number in two ways.
    """
    vault = vault_of(db)
    found = _known(db, inbound.channel, inbound.identity)
    if found is None:
        identity = vault.seal("people.identity", inbound.identity)
        given = {
            "pseudonym": code(rng, 12),
            "channel": inbound.channel,
            "identity": identity,
            "address": vault.seal("people.address", inbound.address),
            "came_by": inbound.code or None,
            "created_at": inbound.at,
            "heard_at": inbound.at,
        }
        insert_new(db, people, ["channel", "identity"], given)
        found = _known(db, inbound.channel, inbound.identity)
        assert found is not None
    if found.erased_at:  # writes again by their own word: a newcomer
        db.execute(update(people).where(people.c.id == found.id).values(erased_at=None))
    person = _person(db, found, called=found.called)
    if person.address != inbound.address:
        _move(db, person.id, inbound.address)
        person = person._replace(address=inbound.address)
    return person


def find(db: Connection, channel: str, identity: str) -> Person | None:
    """The person with this identity, not locked."""
    for sealed in vault_of(db).seals("people.identity", identity):
        row = db.execute(KNOWN, {"of_channel": channel, "sealed": sealed}).one_or_none()
        if row:
            return _person(db, row)
    return None


def lock(db: Connection, person_id: int) -> Person:
    """Somebody who is known, locked as if they had written."""
    statement = select(people).where(people.c.id == person_id).with_for_update()
    return _person(db, db.execute(statement).one())


def by_folio(db: Connection, folio: str) -> Person | None:
    """The person who was given this folio."""
    responses = schema.responses
    statement = select(people).join(responses, responses.c.person_id == people.c.id)
    row = db.execute(statement.where(responses.c.folio == folio)).one_or_none()
    return _person(db, row) if row else None


def by_pseudonym(db: Connection, pseudonym: str) -> Person | None:
    """The person who is called this in exports."""
    row = db.execute(select(people).where(people.c.pseudonym == pseudonym)).one_or_none()
    return _person(db, row) if row else None


def _known(db: Connection, channel: str, identity: str) -> Any:
    """The row of this identity, locked, by whichever key it is sealed."""
    for sealed in vault_of(db).seals("people.identity", identity):
        if rows := LOCKED.run(db, {"of_channel": channel, "sealed": sealed}):
            return rows[0]
    return None


def _person(db: Connection, row: Any, *, called: bool = True) -> Person:
    return Person(
        id=row.id,
        pseudonym=row.pseudonym,
        channel=row.channel,
        address=vault_of(db).open("people.address", row.address),
        language=row.language,
        talk=talks.read(db, row),
        heard_at=row.heard_at,
        pace=pacing.read(row.pace),
        called=called,
    )


def remember(db: Connection, person: Person, talk: Talk, at: datetime) -> None:
    """Where the person is now. Anybody who writes is not blocking us."""
    values = {"language": talk.language, "heard_at": at, "blocked_at": None}
    pace = pacing.written(person.pace)
    REMEMBER.run(db, {"person": person.id, **talks.written(db, talk, at), **values, "pace": pace})


def _move(db: Connection, person_id: int, address: str) -> None:
    sealed = vault_of(db).seal("people.address", address)
    db.execute(update(people).where(people.c.id == person_id).values(address=sealed))


def move(db: Connection, person_id: int, address: str) -> None:
    """The provider says that the conversation has another address now (a Telegram migration)."""
    vault = vault_of(db)
    values = {
        "address": vault.seal("people.address", address),
        "identity": vault.seal("people.identity", address),
    }
    db.execute(update(people).where(people.c.id == person_id).values(values))


def unheard(db: Connection, person_id: int, since: datetime | None, heard_at: datetime) -> None:
    """The provider counts its hours differently: they were heard no later than that, unless they
    have written since."""
    mine = and_(people.c.id == person_id, people.c.heard_at > heard_at)
    if since is not None:
        mine = and_(mine, people.c.heard_at <= since)
    db.execute(update(people).where(mine).values(heard_at=heard_at))


def municipality(db: Connection, person_id: int) -> str:
    """The code of the municipality of a person, or ""."""
    found = db.scalar(select(people.c.municipality).where(people.c.id == person_id))
    return found or ""


def needs(db: Connection, person_id: int) -> str | None:
    """What a person needs to take part in a forum; None if they were never asked."""
    hidden = db.scalar(select(people.c.needs).where(people.c.id == person_id))
    return None if hidden is None else vault_of(db).show("people.needs", hidden)


def needs_of_guests(db: Connection, forum_id: int) -> dict[str, int]:
    """What those who come to a forum need, and how many of them."""
    rsvps, vault = schema.rsvps, vault_of(db)
    coming = select(people.c.needs).join(rsvps, rsvps.c.person_id == people.c.id)
    coming = coming.where(rsvps.c.forum_id == forum_id, rsvps.c.answer == "yes")
    found: Counter[str] = Counter()
    for hidden in db.scalars(coming.where(people.c.needs.is_not(None))):
        found.update(need for need in vault.show("people.needs", hidden).split() if need != "no")
    return dict(found)


def need(db: Connection, person_id: int, needs: str) -> None:
    """Keep what a person needs to take part, asked once."""
    hidden = vault_of(db).hide("people.needs", needs)
    db.execute(update(people).where(people.c.id == person_id).values(needs=hidden))


def learn(db: Connection, person_id: int, trait: str, value: str) -> None:
    """Keep what the person says of themselves where invitations can look for it."""
    LEARN[trait].run(db, {"person": person_id, "value": value or None})


def stop(db: Connection, person_id: int, at: datetime | None) -> None:
    """Write no more, from this moment; None: the person came back."""
    db.execute(update(people).where(people.c.id == person_id).values(stopped_at=at))


def block(db: Connection, person_id: int, at: datetime | None) -> None:
    """The person shut us out, or let us in again (None)."""
    db.execute(update(people).where(people.c.id == person_id).values(blocked_at=at))


def ask_for(db: Connection, person_id: int, kind: str, at: datetime) -> None:
    """A right that the person exercises, for a human being to see to."""
    values = {"person_id": person_id, "kind": kind, "at": at}
    db.execute(schema.requests.insert().values(values))


def fresh(form: str, version: int, rng: Random) -> Dialog:
    """A dialog that has not begun, with an id for its buttons and a folio for its person."""
    folio = code(rng, 6)
    return Dialog(
        id=code(rng, 8).lower(), form=form, version=version, folio=f"{folio[:3]}-{folio[3:]}"
    )


def code(rng: Random, length: int) -> str:
    """Letters and digits that can be read aloud: five bits each."""
    return "".join(rng.choices(ALPHABET, k=length))
