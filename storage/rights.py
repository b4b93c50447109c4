"""What a person may know of what is kept, and the consents that they may take back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from storage import erasing, notices, outbox, schema, wishes
from storage.database import vault_of

consents, passes, answers, media = schema.consents, schema.responses, schema.answers, schema.media
forums, invitations = schema.forums, schema.invitations
EXPIRED = "expired"  # the state of a voice note that is not kept any more


def standing(db: Connection, person_id: int) -> list[str]:
    """The kinds of consent that stand: the last word of each in the ledger counts."""
    mine = select(consents.c.kind, consents.c.given).where(consents.c.person_id == person_id)
    last = {row.kind: row.given for row in db.execute(mine.order_by(consents.c.id))}
    return [kind for kind, given in last.items() if given]


def counted(db: Connection, person_id: int) -> tuple[int, list[str]]:
    """How many answers of a person stand, and their folios, the latest first."""
    mine = and_(answers.c.replaced_at.is_(None), answers.c.aside_at.is_(None))
    number = select(func.count()).select_from(answers).join(passes).where(mine)
    folios = select(passes.c.folio).where(passes.c.person_id == person_id)
    folios = folios.where(passes.c.folio.is_not(None)).order_by(passes.c.started_at.desc())
    found = db.scalar(number.where(passes.c.person_id == person_id)) or 0
    return found, [str(folio) for folio in db.scalars(folios)]


def revoke(
    db: Connection, person_id: int, kind: str, words: str, channel: str, at: datetime
) -> None:
    """Take a consent back, and with it what it was for."""
    if forum_kind := kind.partition("forums:")[2]:
        wishes.spare(db, person_id, forum_kind, words, channel, at)
        _call_no_more(db, person_id, wishes.SPARED, forums.c.kind == forum_kind)
        return
    row = _last(db, person_id, kind)
    if row is not None and row.given:
        _note(db, row, kind, words, channel, at, given=False)
    if kind == "forums":
        _call_no_more(db, person_id, wishes.NO_CONSENT)
    if kind == "feedback":
        _take_back(db, person_id, wishes.NO_NEWS, invitations.c.purpose == "conclusions")
    if kind == "sensitive":
        _forget_sensitive(db, person_id, at)
    if kind == "voice":
        _forget_voice(db, person_id)


def _call_no_more(db: Connection, person_id: int, reason: str, *which: ColumnElement[bool]) -> None:
    """Invitations that wait to go out; news of a forum to which they said yes still reach them."""
    _take_back(db, person_id, reason, invitations.c.purpose == "invitation", *which)


def _take_back(db: Connection, person_id: int, reason: str, *which: ColumnElement[bool]) -> None:
    calls = select(invitations.c.id).join(forums, forums.c.id == invitations.c.forum_id)
    mine = schema.outbox.c.invitation_id.in_(calls.where(*which))
    outbox.take_back(db, person_id, reason, mine)


def allow(
    db: Connection, person_id: int, kind: str, words: str, channel: str, at: datetime
) -> None:
    """Take a consent by the person's own word. Whoever never agreed to anything is asked first."""
    if forum_kind := kind.partition("forums:")[2]:
        wishes.call_again(db, person_id, forum_kind, words, channel, at)
        return
    row = _last(db, person_id, kind)
    if row is None or not row.given:
        row = row or _last(db, person_id, "answer")
        if row is not None:
            _note(db, row, kind, words, channel, at, given=True)


def _last(db: Connection, person_id: int, kind: str) -> Any:
    mine = and_(consents.c.person_id == person_id, consents.c.kind == kind)
    last = select(consents).where(mine).order_by(consents.c.id.desc()).limit(1)
    return db.execute(last).one_or_none()


def _note(
    db: Connection, row: Any, kind: str, words: str, channel: str, at: datetime, *, given: bool
) -> None:
    """A line of the ledger: said of the same questionnaire as this one, in other words."""
    kept = {"form": row.form, "version": row.version, "language": row.language}
    kept |= {"person_id": row.person_id, "notice": notices.IN_FORCE, "channel": channel, "at": at}
    hidden = vault_of(db).hide("consents.words", words)
    db.execute(insert(consents).values(kind=kind, given=given, words=hidden, **kept))


def _forget_sensitive(db: Connection, person_id: int, at: datetime) -> None:
    """What the questionnaire has just set aside because this consent is missing is removed."""
    mine = select(passes.c.id).where(passes.c.person_id == person_id)
    now = select(answers.c.response_id, answers.c.question)
    for row in db.execute(now.where(answers.c.response_id.in_(mine), answers.c.aside_at == at)):
        same = and_(answers.c.response_id == row.response_id, answers.c.question == row.question)
        db.execute(delete(answers).where(same))
    db.execute(update(schema.people).where(schema.people.c.id == person_id).values(gender=None))


def _forget_voice(db: Connection, person_id: int) -> None:
    mine = select(media).where(media.c.person_id == person_id, media.c.state != EXPIRED)
    forget_files(db, db.execute(mine).all())


def forget_files(db: Connection, rows: Any) -> None:
    """Remove these files of the media folder; that there was a voice note stays known."""
    for row in rows:
        if row.file:
            erasing.doom(db, row.file, but=row.person_id)
        nothing = {"file": None, "ref": vault_of(db).hide("media.ref", ""), "state": EXPIRED}
        db.execute(update(media).where(media.c.id == row.id).values(nothing))
