"""How the program is: what is waiting, what failed, and for how long."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from storage import meeting, schema
from storage.senders import paused_until

outbox, inbox, people, media = schema.outbox, schema.inbox, schema.people, schema.media
WAITING = ("queued", "leased", "held", "uncertain", "failed")


def figures(db: Connection, now: datetime) -> dict[str, Any]:
    """Counts by state, and how many seconds the oldest message that is due has waited."""
    states = dict.fromkeys(WAITING, 0)
    counted = select(outbox.c.state, func.count()).where(outbox.c.state.in_(WAITING))
    states |= {row[0]: row[1] for row in db.execute(counted.group_by(outbox.c.state))}
    queued = (outbox.c.state == "queued") & (outbox.c.due <= now)
    oldest = db.scalar(select(func.min(outbox.c.due)).where(queued))
    failed = select(func.count()).select_from(inbox).where(inbox.c.state == "failed")
    voices = select(func.count()).select_from(media).where(media.c.state == "waiting")
    return {
        "people": db.scalar(select(func.count()).select_from(people)) or 0,
        "outbox": states,
        "oldest_due_seconds": round((now - oldest).total_seconds(), 3) if oldest else 0.0,
        "messages_failed_by_our_fault": db.scalar(failed) or 0,
        "voices_to_fetch": db.scalar(voices) or 0,
        "senders_told_to_wait": _told_to_wait(db, now),
        **_machines(db),
    }


def _machines(db: Connection) -> dict[str, Any]:
    """On PostgreSQL, how many workers there are, and whether one of them ticks."""
    if db.dialect.name != "postgresql":
        return {}
    return {"workers": len(meeting.alive(db)), "ticking": meeting.ticks(db)}


def _told_to_wait(db: Connection, now: datetime) -> dict[str, str]:
    names = db.scalars(select(schema.senders.c.channel)).all()
    until = {name: paused_until(db, name) for name in names}
    return {name: end.isoformat() for name, end in until.items() if end and end > now}
