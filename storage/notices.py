"""Privacy notices: every version as it was published; each consent names the one in force."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from dialogs import notices
from dialogs.notices import Notice
from storage import schema

table = schema.notices
IN_FORCE = select(func.max(table.c.version)).scalar_subquery()


@dataclass(frozen=True, slots=True)
class Published:
    """A version, and since when it holds."""

    version: int
    sha256: str
    at: datetime
    notice: Notice


def publish(db: Connection, content: bytes, at: datetime) -> Published:
    """A new version; the same words again are no new one. Raises NoticeError."""
    notices.read(content)
    last = newest(db)
    made = hashlib.sha256(content).hexdigest()
    if last is None or last.sha256 != made:
        row = {"content": content, "sha256": made, "published_at": at}
        db.execute(insert(table).values(version=last.version + 1 if last else 1, **row))
    found = newest(db)
    assert found is not None
    return found


def newest(db: Connection) -> Published | None:
    """The version in force."""
    found = db.execute(select(table).order_by(table.c.version.desc()).limit(1)).one_or_none()
    return _published(found) if found else None


def content(db: Connection, version: int | None = None) -> bytes | None:
    """The file of a version, or of the one in force."""
    which = table.c.version == (IN_FORCE if version is None else version)
    found: bytes | None = db.scalar(select(table.c.content).where(which))
    return found


def all_(db: Connection) -> list[Published]:
    """Every version, the newest first."""
    return [_published(row) for row in db.execute(select(table).order_by(table.c.version.desc()))]


def answer_within(db: Connection) -> int:
    """Working days in which whoever exercises a right is answered."""
    found = newest(db)
    return found.notice.days["answer"] if found else notices.ANSWER_WITHIN


def _published(row: Row[Any]) -> Published:
    return Published(row.version, row.sha256, row.published_at, notices.read(row.content))
