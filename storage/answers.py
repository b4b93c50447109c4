"""Answers, as they were said: a correction replaces, a stop keeps, a refusal leaves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from dialogs.state import Dialog, End, Keep
from storage import erasing, notices, schema
from storage.database import vault_of
from storage.people import Person
from storage.prepared import Prepared

TRAITS = {"municipality": "municipality", "age": "age", "gender": "gender"}
SPOKEN = "spoken_consent"  # the role of a question that records a yes said aloud
answers, responses, media = schema.answers, schema.responses, schema.media

# Built once; nobody asks for the rows' ids.
BEGIN, KEEP = Prepared(insert(responses).inline()), Prepared(insert(answers).inline())
_given = ("person_id", "kind", "given", "form", "version", "language", "words", "media_id")
_told: dict[str, Any] = {name: bindparam(name) for name in (*_given, "channel", "at")}
CONSENT = Prepared(insert(schema.consents).inline().values(notice=notices.IN_FORCE, **_told))


def begin(
    db: Connection, person: Person, dialog: Dialog, at: datetime, mode: str, came_by: str = ""
) -> None:
    """A person begins a questionnaire; `came_by` is the code of the link that led to it."""
    row = {
        "id": dialog.id,
        "person_id": person.id,
        "form": dialog.form,
        "version": dialog.version,
        "folio": dialog.folio or None,
        "mode": mode,
        "came_by": came_by or None,
        "state": "started",
        "started_at": at,
    }
    BEGIN.run(db, row)


def keep(db: Connection, person: Person, kept: Keep, at: datetime, channel: str) -> None:
    """Store an answer; an earlier one to the same question stays as history."""
    if kept.again:
        _replace(db, kept, at)
    media_id = _media(db, person, kept, at, channel) if kept.media else None
    row = {
        "response_id": kept.dialog.id,
        "question": kept.question,
        "value": kept.value or None,
        "said": vault_of(db).hide("answers.said", kept.said),
        "language": kept.language,
        "confidence": kept.confidence,
        "channel": channel,
        "at": at,
        "media_id": media_id,
    }
    KEEP.run(db, row)
    if kept.role.startswith("consent"):
        _consent(db, person, kept, at, channel, given=kept.value == "si")
    elif kept.role == SPOKEN and media_id:
        _consent(db, person, kept, at, channel, given=True, media_id=media_id)


def _replace(db: Connection, kept: Keep, at: datetime) -> None:
    db.execute(
        update(answers)
        .where(answers.c.response_id == kept.dialog.id, answers.c.question == kept.question)
        .where(answers.c.replaced_at.is_(None))
        .values(replaced_at=at)
    )


def _media(db: Connection, person: Person, kept: Keep, at: datetime, channel: str) -> int:
    """Note a file to be fetched; the network is not touched here."""
    assert kept.media is not None
    here = channel in ("chat", "import")  # it came with its bytes
    values = {
        "person_id": person.id,
        "channel": channel,
        "ref": vault_of(db).hide("media.ref", kept.media.ref),
        "type": kept.media.type[:128],
        "size": kept.media.size,
        "state": "kept" if here else "waiting",
        "file": kept.media.ref if here else None,
        "due": at,
    }
    found: int = db.execute(insert(media).values(values).returning(media.c.id)).scalar_one()
    return found


def _consent(
    db: Connection,
    person: Person,
    kept: Keep,
    at: datetime,
    channel: str,
    *,
    given: bool,
    media_id: int | None = None,
) -> None:
    """The ledger: which notice, which version, when, by which words or recording."""
    _, _, kind = kept.role.partition(":")
    row = {
        "person_id": person.id,
        "kind": kind or "answer",
        "given": given,
        "form": kept.dialog.form,
        "version": kept.dialog.version,
        "language": kept.language,
        "words": vault_of(db).hide("consents.words", kept.said),
        "media_id": media_id,
        "channel": channel,
        "at": at,
    }
    CONSENT.run(db, row)


def set_aside(
    db: Connection, dialog: Dialog, questions: Sequence[str], at: datetime | None
) -> None:
    """Answers that a correction made irrelevant, or (None) relevant again. They are not lost."""
    db.execute(
        update(answers)
        .where(answers.c.response_id == dialog.id, answers.c.question.in_(questions))
        .where(answers.c.replaced_at.is_(None))
        .values(aside_at=at)
    )


def end(db: Connection, ended: End, at: datetime) -> None:
    """A questionnaire is over. Of a refusal only the fact and the consent ledger are left."""
    if ended.disposition == "refused":
        db.execute(delete(answers).where(answers.c.response_id == ended.dialog.id))
    db.execute(
        update(responses)
        .where(responses.c.id == ended.dialog.id)
        .values(state=ended.disposition, finished_at=at)
    )


def folio(db: Connection, person_id: int, form: str) -> str:
    """Under which folio somebody has completed a questionnaire, of whatever version; or ""."""
    mine = (responses.c.person_id == person_id, responses.c.form == form)
    done = select(responses.c.folio).where(*mine, responses.c.state == "completed")
    return db.scalar(done.order_by(responses.c.finished_at.desc()).limit(1)) or ""


def of_person(db: Connection, person_id: int) -> list[dict[str, Any]]:
    """Everything a person has answered that stands, oldest first, as plain values."""
    vault = vault_of(db)
    statement = (
        select(answers, responses.c.form, responses.c.version, media.c.file, media.c.state)
        .join(responses, responses.c.id == answers.c.response_id)
        .outerjoin(media, media.c.id == answers.c.media_id)
        .where(responses.c.person_id == person_id, answers.c.replaced_at.is_(None))
        .order_by(answers.c.id)
    )
    return [
        {
            "form": row.form,
            "version": row.version,
            "question": row.question,
            "value": row.value or "",
            "said": vault.show("answers.said", row.said),
            "language": row.language or "",
            "confidence": row.confidence,
            "channel": row.channel,
            "at": row.at,
            "media": row.file or "",
            "aside": row.aside_at is not None,
        }
        for row in db.execute(statement)
    ]


def waiting_media(db: Connection, now: datetime, limit: int = 10) -> list[dict[str, Any]]:
    """Files still at their provider, whose time to be fetched has come."""
    vault = vault_of(db)
    statement = (
        select(media).where(media.c.state == "waiting", media.c.due <= now).order_by(media.c.due)
    )
    return [
        {
            "id": row.id,
            "channel": row.channel,
            "ref": vault.show("media.ref", row.ref),
            "type": row.type,
            "attempts": row.attempts,
        }
        for row in db.execute(statement.limit(limit))
    ]


def settle_media(db: Connection, media_id: int, state: str, **found: Any) -> None:
    """What became of fetching a file: kept (file, type, size), refused or lost (reason)."""
    mine = update(media).where(media.c.id == media_id, media.c.state == "waiting")
    if not db.execute(mine.values(state=state, **found)).rowcount and found.get("file"):
        erasing.doom(db, found["file"])  # its person was forgotten while it was on its way


def postpone_media(
    db: Connection, media_id: int, due: datetime, wait: timedelta, reason: str
) -> None:
    """Try again later."""
    values = {"due": due + wait, "attempts": media.c.attempts + 1, "reason": reason}
    db.execute(update(media).where(media.c.id == media_id).values(values))
