"""How long each kind of data is kept; what is over its time goes by itself, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, and_, delete, exists, func, or_, select

from storage import erasing, rights, schema
from storage.rights import EXPIRED

BATCH = 500  # rows in one transaction
KEPT: Mapping[str, timedelta] = {
    "calls": timedelta(days=30),  # ids of the providers' calls, by which a repeated one is known
    "failed_calls": timedelta(days=90),  # messages that we could not process, as they came
    "messages": timedelta(days=30),  # what was said to people, once it has gone out or failed
    "held": timedelta(days=90),  # what waits for somebody to write again, who does not
    "chat_lines": timedelta(days=30),  # the local chat page's own memory
    "voices": timedelta(days=180),  # recordings, from when they came: to be heard and written down
    "strangers": timedelta(days=90),  # who wrote once and never agreed to take part
    "requests": timedelta(days=730),  # of rights, once they are settled
    "sign_ins": timedelta(days=2),  # failed ones; they are counted for an hour
    "audit": timedelta(days=730),  # what organizers did
}
IMPORT = "import"  # the channel of what is read in from files
OVER = ("sent", "delivered", "read", "failed", "uncertain", "skipped", "missed")
outbox, inbox, people, media = schema.outbox, schema.inbox, schema.people, schema.media
consents, requests = schema.consents, schema.requests
answers, passes = schema.answers, schema.responses


def sweep(db: Connection, now: datetime) -> int:
    """Remove a batch of everything that is over its time; how much it was."""
    return sum(rule(db, now - KEPT[kind]) for kind, rule in RULES.items())


def _messages(db: Connection, before: datetime) -> int:
    """An invitation's own rows stay: they are its ledger, and hold no words of anybody."""
    over = and_(outbox.c.state.in_(OVER), outbox.c.invitation_id.is_(None), outbox.c.due < before)
    return _remove(db, outbox, over)


def _held(db: Connection, before: datetime) -> int:
    """Nor do these go if they are an invitation's."""
    waits = and_(outbox.c.state == "held", outbox.c.invitation_id.is_(None))
    return _remove(db, outbox, and_(waits, outbox.c.due < before))


def _calls(db: Connection, before: datetime) -> int:
    """What was read in from files stays known: the same file may come again in a year."""
    called = and_(inbox.c.state == "done", inbox.c.channel != IMPORT)
    return _remove(db, inbox, and_(called, inbox.c.at < before))


def _failed_calls(db: Connection, before: datetime) -> int:
    return _remove(db, inbox, and_(inbox.c.state == "failed", inbox.c.at < before))


def _chat_lines(db: Connection, before: datetime) -> int:
    return _remove(db, schema.chat_lines, schema.chat_lines.c.at < before)


def _voices(db: Connection, before: datetime) -> int:
    """By when the answer came: that of the file moves on while it is being fetched. A consent that
    was recorded stays as long as the ledger that it proves."""
    came = exists().where(answers.c.media_id == media.c.id, answers.c.at < before)
    proof = exists().where(consents.c.media_id == media.c.id)
    old = select(media).where(media.c.state != EXPIRED, or_(came, media.c.due < before), ~proof)
    rows = db.execute(old.limit(BATCH)).all()
    rights.forget_files(db, rows)
    return len(rows)


def _strangers(db: Connection, before: datetime) -> int:
    """Who said nothing but a language, or no. Not those who asked us to stop: we have to know
    them so as not to write."""
    mine = passes.c.person_id == people.c.id
    done = exists().where(mine, passes.c.state == "completed")
    said = select(func.count()).select_from(answers).join(passes).where(mine).correlate(people)
    agreed = exists().where(consents.c.person_id == people.c.id, consents.c.given)
    asked = exists().where(requests.c.person_id == people.c.id)
    coming = exists().where(schema.rsvps.c.person_id == people.c.id)
    silent = and_(people.c.heard_at < before, people.c.stopped_at.is_(None))
    nothing = and_(~done, ~agreed, ~asked, ~coming, said.scalar_subquery() <= 1)
    old = select(people.c.id).where(silent, people.c.role == "citizen", nothing).limit(BATCH)
    found = db.scalars(old).all()
    if found:
        for person_id in found:
            erasing.count(db, person_id)
            erasing.doom_files(db, person_id)
        db.execute(delete(outbox).where(outbox.c.person_id.in_(found)))
        db.execute(delete(people).where(people.c.id.in_(found)))
    return len(found)


def _requests(db: Connection, before: datetime) -> int:
    return _remove(db, requests, requests.c.settled_at < before)


def _sign_ins(db: Connection, before: datetime) -> int:
    return _remove(db, schema.sign_ins, schema.sign_ins.c.at < before)


def _audit(db: Connection, before: datetime) -> int:
    return _remove(db, schema.audit, schema.audit.c.at < before)


RULES: Mapping[str, Callable[[Connection, datetime], int]] = {
    "calls": _calls,
    "failed_calls": _failed_calls,
    "messages": _messages,
    "held": _held,
    "chat_lines": _chat_lines,
    "voices": _voices,
    "strangers": _strangers,
    "requests": _requests,
    "sign_ins": _sign_ins,
    "audit": _audit,
}


def _remove(db: Connection, table: Table, which: object) -> int:
    ids = db.scalars(select(table.c.id).where(which).limit(BATCH)).all()  # type: ignore[arg-type]
    if ids:
        db.execute(delete(table).where(table.c.id.in_(ids)))
    return len(ids)
