"""What goes out: answers that count and passes through forms, under pseudonyms, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from storage import schema, wishes
from storage.database import vault_of

BATCH = 1000  # rows held in memory at once
people, media = schema.people, schema.media
kept, passes = schema.answers, schema.responses


def _standing() -> Select[Any]:
    """Answers that stand: not replaced, not set aside, and not of somebody who refused."""
    return (
        select(kept, people.c.pseudonym, passes.c.form, passes.c.version, media.c.file)
        .join(passes, passes.c.id == kept.c.response_id)
        .join(people, people.c.id == passes.c.person_id)
        .outerjoin(media, media.c.id == kept.c.media_id)
        .where(kept.c.replaced_at.is_(None), kept.c.aside_at.is_(None))
        .where(passes.c.state != "refused")
        .order_by(kept.c.id)
    )


def answers(db: Connection) -> Iterator[dict[str, Any]]:
    vault = vault_of(db)
    for row in db.execute(_standing().execution_options(yield_per=BATCH)):
        said = vault.show("answers.said", row.said)
        yield {
            "person": row.pseudonym,
            "response": row.response_id,
            "form": row.form,
            "version": row.version,
            "question": row.question,
            "value": row.value if row.value is not None else (row.file or said),
            "said": said,
            "language": row.language,
            "confidence": row.confidence,
            "channel": row.channel,
            "at": row.at,
        }


def responses(db: Connection) -> Iterator[dict[str, Any]]:
    query = (
        select(passes, people.c.pseudonym, wishes.last_word("quote").label("quote"))
        .join(people, people.c.id == passes.c.person_id)
        .order_by(passes.c.started_at, passes.c.id)
    )
    for row in db.execute(query.execution_options(yield_per=BATCH)):
        yield {
            "person": row.pseudonym,
            "form": row.form,
            "version": row.version,
            "folio": row.folio if row.state == "completed" else None,
            "state": row.state,
            "mode": row.mode,
            "came_by": row.came_by,
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "quote": {True: "yes", False: "no"}.get(row.quote, ""),
        }


def versions(db: Connection) -> list[tuple[str, int]]:
    """The versions that somebody has answered."""
    query = select(passes.c.form, passes.c.version).distinct()
    return sorted((row.form, row.version) for row in db.execute(query))


def facts_of(db: Connection, person_id: int) -> dict[str, Any]:
    """What is known of a person besides the answers: traits, consents, folios, requests."""
    row = db.execute(select(people).where(people.c.id == person_id)).one()
    consents, requests = schema.consents, schema.requests
    return {
        "came_by": row.came_by,
        "municipality": row.municipality,
        "age": row.age,
        "gender": row.gender,
        "stopped_at": row.stopped_at and row.stopped_at.isoformat(),
        "folios": list(db.scalars(select(passes.c.folio).where(passes.c.person_id == person_id))),
        "consents": [
            _consent(db, one)
            for one in db.execute(select(consents).where(consents.c.person_id == person_id)).all()
        ],
        "not_invited_to": wishes.told(db, person_id),
        "requests": [
            {"kind": one.kind, "at": one.at.isoformat()}
            for one in db.execute(select(requests).where(requests.c.person_id == person_id))
        ],
    }


def _consent(db: Connection, row: Any) -> dict[str, Any]:
    """A line of the ledger, with the hashes of the question and of the notice that were shown."""
    forms, files = schema.forms, schema.form_files
    same = (files.c.form == forms.c.name, files.c.version == forms.c.version)
    shown = select(files.c.content).join(forms, and_(*same, files.c.file == forms.c.file))
    content = db.scalar(shown.where(forms.c.name == row.form, forms.c.version == row.version))
    return {
        "kind": row.kind,
        "given": row.given,
        "form": row.form,
        "version": row.version,
        "question_sha256": hashlib.sha256(content or b"").hexdigest(),
        "notice": row.notice,
        "notice_sha256": db.scalar(
            select(schema.notices.c.sha256).where(schema.notices.c.version == row.notice)
        ),
        "language": row.language,
        "channel": row.channel,
        "words": vault_of(db).show("consents.words", row.words),
        "recorded": row.media_id is not None,
        "at": row.at.isoformat(),
    }
