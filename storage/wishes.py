"""What people want to be called to: the consent to invitations, and kinds of forums left out.

Both are looked at when an invitation is queued and again when it is handed out to be sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    exists,
    false,
    func,
    or_,
    select,
    true,
    update,
)

from dialogs.values import FORUM_KINDS
from storage import schema
from storage.database import vault_of
from storage.people import insert_or_nothing
from storage.schema import among

NO_CONSENT = "no consent"
NO_NEWS = "the person does not want to know what was done"
SPARED = "the person wants no invitations to this kind of forum"
consents, forums, invitations = schema.consents, schema.forums, schema.invitations
outbox, people, spared = schema.outbox, schema.people, schema.spared


def consented() -> ColumnElement[bool]:
    """Who may be called to forums: the last word of each in the ledger counts."""
    return func.coalesce(last_word("forums"), false())


def wants_news() -> ColumnElement[bool]:
    """Who may be told what came of it: whoever was there, unless they said no."""
    return func.coalesce(last_word("feedback"), true())


def last_word(kind: str) -> ColumnElement[bool]:
    """Whether a person said yes to this consent, the last time; NULL: they were never asked."""
    mine = and_(consents.c.person_id == people.c.id, consents.c.kind == kind)
    last = select(consents.c.given).where(mine).order_by(consents.c.id.desc()).limit(1)
    return last.correlate(people).scalar_subquery()


def spared_from(forum_id: int) -> ColumnElement[bool]:
    """Who wants no invitations to forums of this one's kind: few, found once for a statement."""
    kind = select(forums.c.kind).where(forums.c.id == forum_id).scalar_subquery()
    return people.c.id.in_(
        select(spared.c.person_id).where(spared.c.kind == kind, spared.c.ended_at.is_(None))
    )


_mine = and_(
    spared.c.person_id == people.c.id, spared.c.kind == forums.c.kind, spared.c.ended_at.is_(None)
)
_spared = exists().where(_mine).correlate(people, forums)
_news = invitations.c.purpose == "conclusions"
_why = case((_news, NO_NEWS), (_spared, SPARED), else_=NO_CONSENT).label("reason")
REFUSED = {  # built once: it runs in every round of the delivery that has invitations
    dialect: select(outbox.c.id, _why)
    .join(people, people.c.id == outbox.c.person_id)
    .join(invitations, invitations.c.id == outbox.c.invitation_id)
    .join(forums, forums.c.id == invitations.c.forum_id)
    .where(
        those,
        or_(
            and_(invitations.c.purpose == "invitation", or_(_spared, ~consented())),
            and_(_news, ~wants_news()),
        ),
    )
    for dialect, those in among(outbox.c.id).items()
}


def refused(db: Connection, ids: Sequence[int]) -> Mapping[int, str]:
    """Of these rows of the outbox the invitations that are not wanted any more, and why."""
    rows = db.execute(REFUSED[db.dialect.name], {"ids": list(ids)}).all() if ids else ()
    return {row.id: row.reason for row in rows}


def spare(
    db: Connection, person_id: int, kind: str, words: str, channel: str, at: datetime
) -> None:
    """No more invitations to forums of this kind."""
    _note(db, person_id, kind, words, channel, at=at, ended_at=None)


def call_again(
    db: Connection, person_id: int, kind: str, words: str, channel: str, at: datetime
) -> None:
    """Invitations to forums of this kind again; that there were none for a time stays known."""
    if kind in of(db, person_id):
        _note(db, person_id, kind, words, channel, ended_at=at)


def _note(
    db: Connection, person_id: int, kind: str, words: str, channel: str, **when: datetime | None
) -> None:
    hidden = vault_of(db).hide("spared.words", words)
    said: dict[str, Any] = {"words": hidden, "channel": channel, **when}
    key = {"person_id": person_id, "kind": kind}
    if "at" in when:
        db.execute(insert_or_nothing(db, spared, ["kind", "person_id"]), {**key, **said})
    mine = and_(spared.c.person_id == person_id, spared.c.kind == kind)
    db.execute(update(spared).where(mine).values(said))


def of(db: Connection, person_id: int) -> list[str]:
    """The kinds of forums to which a person is not invited, as they are listed."""
    mine = select(spared.c.kind).where(spared.c.person_id == person_id, spared.c.ended_at.is_(None))
    found = set(db.scalars(mine))
    return [kind for kind in FORUM_KINDS if kind in found]


def told(db: Connection, person_id: int) -> list[dict[str, Any]]:
    """All that is kept of it, readable."""
    vault = vault_of(db)
    return [
        {
            "kind": row.kind,
            "at": row.at.isoformat(),
            "until": row.ended_at and row.ended_at.isoformat(),
            "channel": row.channel,
            "words": vault.show("spared.words", row.words),
        }
        for row in db.execute(select(spared).where(spared.c.person_id == person_id))
    ]
