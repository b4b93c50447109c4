"""Forgetting a person: everything of theirs, in every table; and never taking them up again.

What is left: an anonymous count, and a tombstone by which a copy of the database that is put
back, or a file that is read in again, does not bring the person back. It is a keyed hash of the
channel and the identity; its key (the pepper) lies sealed in the database and stays the same when
the vault's keys change.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, func, insert, or_, select, update

from storage import schema
from storage.database import vault_of
from storage.people import insert_or_nothing

REPEATED = timedelta(days=2)  # so long a provider may repeat a call that was answered
SHELL = timedelta(hours=1)  # for the last message to go out; usually it takes a second
BATCH = 500  # people looked at in one transaction
CHAT = "chat"  # whose ids of calls hold the identity
IMPORT = "import"  # whose ids of calls are the identity
COPIES = "copies"  # what was handed out before, and lists on paper: a person has to see to it
people, inbox, outbox, media = schema.people, schema.inbox, schema.outbox, schema.media
erasures, doomed, passes = schema.erasures, schema.doomed_files, schema.responses
lines, rsvps, erased_responses = schema.chat_lines, schema.rsvps, schema.erased_responses


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Who was erased, without saying who; and when."""

    channel: str
    who: bytes
    at: datetime
    folio: str = ""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done, and whether a human being has something left to see to."""

    folio: str
    pending: bool


def erase(db: Connection, person_id: int, at: datetime, folio: str = "") -> Erased:
    """Remove a person and everything of theirs.

    Files of the media folder are named in doomed_files: they go once this is committed.
    """
    person = db.execute(select(people).where(people.c.id == person_id)).one()
    vault = vault_of(db)
    identity = vault.open("people.identity", person.identity)
    address = vault.open("people.address", person.address)
    folio = folio or _folio(db, person_id) or secrets.token_hex(3).upper()
    pending = COPIES if _may_be_elsewhere(db, person_id) else None
    count(db, person_id)
    doom_files(db, person_id)
    _forget_calls(db, person_id, identity, at)
    if person.channel == CHAT:
        db.execute(delete(lines).where(lines.c.chat.in_(vault.seals("people.address", address))))
    db.execute(delete(outbox).where(outbox.c.person_id == person_id))
    db.execute(delete(people).where(people.c.id == person_id))
    who = mark(db, person.channel, identity)
    row = {"channel": person.channel, "who": who, "folio": folio, "at": at, "pending": pending}
    db.execute(insert(erasures).values(row))
    return Erased(folio, pending is not None)


def leave_address(
    db: Connection, channel: str, identity: str, address: str, pseudonym: str, at: datetime
) -> int:
    """A row that holds nothing but where the last message goes; `sweep` removes it."""
    vault = vault_of(db)
    values = {
        "pseudonym": pseudonym,
        "channel": channel,
        "identity": vault.seal("people.identity", identity),
        "address": vault.seal("people.address", address),
        "created_at": at,
        "heard_at": at,
        "erased_at": at,
    }
    made: int = db.execute(insert(people).values(values).returning(people.c.id)).scalar_one()
    return made


def _folio(db: Connection, person_id: int) -> str | None:
    mine = select(passes.c.folio).where(
        passes.c.person_id == person_id, passes.c.folio.is_not(None)
    )
    found: str | None = db.scalar(mine.order_by(passes.c.started_at.desc()).limit(1))
    return found


def _may_be_elsewhere(db: Connection, person_id: int) -> bool:
    """Whether something of theirs may be in a copy handed out, or on a list on paper."""
    done = exists().where(passes.c.person_id == person_id, passes.c.state == "completed")
    came = exists().where(rsvps.c.person_id == person_id, rsvps.c.attended_at.is_not(None))
    return bool(db.scalar(select(or_(done, came))))


def count(db: Connection, person_id: int) -> None:
    """Add the passes of a person through forms to the anonymous count."""
    keys = (passes.c.form, passes.c.version, passes.c.mode, passes.c.state)
    mine = select(*keys, func.count().label("n")).where(passes.c.person_id == person_id)
    names = [key.name for key in keys]
    for row in db.execute(mine.group_by(*keys)).all():
        key = {name: getattr(row, name) for name in names}
        db.execute(insert_or_nothing(db, erased_responses, names), {**key, "number": 0})
        same = and_(*(erased_responses.c[name] == key[name] for name in names))
        more = erased_responses.c.number + row.n
        db.execute(update(erased_responses).where(same).values(number=more))


def doom_files(db: Connection, person_id: int) -> None:
    """A file that somebody else sent as well, byte for byte, stays."""
    mine = select(media.c.file).where(media.c.person_id == person_id, media.c.file.is_not(None))
    for name in db.scalars(mine.distinct()).all():
        doom(db, name, but=person_id)


def doom(db: Connection, name: str, *, but: int = 0) -> None:
    """Have a file of the media folder removed, unless somebody (but this person) has it too."""
    other = exists().where(media.c.file == name, media.c.person_id != but)
    if not db.scalar(select(other)):
        db.execute(insert_or_nothing(db, doomed, ["name"]), {"name": name})


def _forget_calls(db: Connection, person_id: int, identity: str, at: datetime) -> None:
    """Of the provider's calls only the ids of the last days stay: they may be repeated. Ids that
    hold who it is go at once; by the tombstone a file that comes again is known."""
    mine = inbox.c.person_id == person_id
    old = or_(inbox.c.at < at - REPEATED, inbox.c.channel == CHAT)
    brought = and_(inbox.c.channel == IMPORT, inbox.c.provider_id == identity[:128])
    db.execute(delete(inbox).where(or_(and_(mine, old), brought)))
    bare = {"person_id": None, "raw": None, "error": None, "state": "done"}
    db.execute(update(inbox).where(mine).values(bare))


# tombstones


def mark(db: Connection, channel: str, identity: str) -> bytes:
    """The keyed hash by which somebody erased is known again."""
    return hmac.digest(pepper(db), f"{channel}:{identity}".encode(), hashlib.sha256)


def pepper(db: Connection) -> bytes:
    """The key of the hashes. It is made with the database: a copy without it would be given another
    when it is put back, and know nobody by the tombstones of since."""
    vault, stored = vault_of(db), _stored(db)
    if stored is None:
        made = vault.hide("facts.pepper", secrets.token_hex(32)).hex()
        row = {"key": "pepper", "value": made}
        db.execute(insert_or_nothing(db, schema.facts, ["key"]), row)
        stored = _stored(db) or made
    return bytes.fromhex(vault.show("facts.pepper", bytes.fromhex(stored)))


def peppered(db: Connection) -> bool:
    """Whether there is that key."""
    return _stored(db) is not None


def _stored(db: Connection) -> str | None:
    facts = schema.facts
    return db.scalar(select(facts.c.value).where(facts.c.key == "pepper"))


def is_erased(db: Connection, channel: str, identity: str) -> bool:
    """Whether this was erased before: whoever reads data in asks it. However a file dates what it
    brings, or does not, an instance of it is the same for ever."""
    who = mark(db, channel, identity)
    return bool(db.scalar(select(exists().where(erasures.c.who == who))))


def unfiled(db: Connection) -> list[Tombstone]:
    """Tombstones that stand in the database alone; from now on they count as filed."""
    rows = db.execute(select(erasures).where(~erasures.c.filed).order_by(erasures.c.id)).all()
    if rows:
        ids = [row.id for row in rows]
        db.execute(update(erasures).where(erasures.c.id.in_(ids)).values(filed=True))
    return [Tombstone(row.channel, row.who, row.at, row.folio) for row in rows]


def lost(db: Connection, stones: Iterable[Tombstone]) -> list[Tombstone]:
    """Tombstones that the database does not have: an older copy of it was put back."""
    have = {(row.who, row.at) for row in db.execute(select(erasures.c.who, erasures.c.at))}
    return [stone for stone in stones if (stone.who, stone.at) not in have]


def take_up(db: Connection, stones: Iterable[Tombstone]) -> None:
    """Let the database have them again, once nobody is left whom they are for."""
    for stone in stones:
        row = {"channel": stone.channel, "who": stone.who, "at": stone.at, "folio": stone.folio}
        db.execute(insert(erasures).values(**row, filed=True))


def returned(db: Connection, stones: Iterable[Tombstone], after: int = 0) -> tuple[list[int], int]:
    """Of the next people, those who were erased after they had come; and where to go on, or 0."""
    columns = (people.c.id, people.c.channel, people.c.identity, people.c.created_at)
    query = select(*columns).where(people.c.id > after).order_by(people.c.id).limit(BATCH)
    rows = db.execute(query).all()
    erased = {stone.who: stone.at for stone in sorted(stones, key=lambda stone: stone.at)}
    vault = vault_of(db)
    found = []
    for row in rows:
        who = mark(db, row.channel, vault.open("people.identity", row.identity))
        if who in erased and row.created_at < erased[who]:
            found.append(row.id)
    return found, rows[-1].id if len(rows) == BATCH else 0


# what a human being has still to see to


def pending(db: Connection, limit: int = 100) -> list[Row[Any]]:
    """Erasures after which copies and lists outside of here have to be looked through."""
    open_ = (erasures.c.pending.is_not(None), erasures.c.settled_at.is_(None))
    return list(db.execute(select(erasures).where(*open_).order_by(erasures.c.at).limit(limit)))


def settle(db: Connection, number: int, at: datetime) -> str | None:
    """Somebody saw to it; the folio, or None if there is no such erasure."""
    mine = erasures.c.id == number
    db.execute(update(erasures).where(mine, erasures.c.settled_at.is_(None)).values(settled_at=at))
    found: str | None = db.scalar(select(erasures.c.folio).where(mine))
    return found


# afterwards


def unfinished(db: Connection) -> bool:
    """Whether an erasure has left something to do."""
    file, stone = exists(select(doomed.c.name)), exists().where(~erasures.c.filed)
    left = exists().where(people.c.erased_at.is_not(None))
    return bool(db.scalar(select(or_(file, stone, left))))


def files_to_remove(db: Connection) -> list[str]:
    return list(db.scalars(select(doomed.c.name).limit(BATCH)))


def removed(db: Connection, names: Sequence[str]) -> None:
    """These files are gone."""
    db.execute(delete(doomed).where(doomed.c.name.in_(names)))


def sweep(db: Connection, now: datetime) -> int:
    """Remove the addresses to which the last message has gone, or will not go any more."""
    waiting = exists().where(
        outbox.c.person_id == people.c.id, outbox.c.state.in_(("queued", "leased"))
    )
    over = or_(~waiting, people.c.erased_at < now - SHELL)
    gone = select(people.c.id).where(people.c.erased_at.is_not(None), over).limit(BATCH)
    found = db.scalars(gone).all()
    if found:
        db.execute(delete(outbox).where(outbox.c.person_id.in_(found)))
        db.execute(delete(people).where(people.c.id.in_(found)))
    return len(found)
