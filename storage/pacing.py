"""How quickly one person writes: two programs that talk to each other are left alone.

Pure, and kept in the person's row, so that it holds across processes and restarts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

MINUTE = timedelta(minutes=1)
MOST_IN_A_MINUTE = 60  # messages; nobody types one a second
SAME = timedelta(minutes=5)
MOST_ALIKE = 20  # times the same words within that time
CALM = timedelta(minutes=5)  # of silence, and we listen again

COMPACT = json.JSONEncoder(separators=(",", ":"))

Verdict = Literal["go on", "tell", "silent"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Counts since a moment, in seconds since 1970."""

    since: int = 0
    number: int = 0
    words: str = ""  # a keyed mark of what was said last
    alike_since: int = 0
    alike: int = 0
    shut_at: int = 0  # the last message since we stopped answering; 0: we answer


def heard(kept: str | None, words: str, at: datetime) -> tuple[str, Verdict]:
    """What to keep after this message, and whether to answer it."""
    now = int(at.timestamp())
    pace = Pace(**json.loads(kept)) if kept else Pace()
    if pace.shut_at:
        if now - pace.shut_at < CALM.total_seconds():
            return _kept(replace(pace, shut_at=now)), "silent"
        pace = Pace()
    pace = _counted(pace, words, now)
    if pace.number > MOST_IN_A_MINUTE or pace.alike > MOST_ALIKE:
        return _kept(replace(pace, shut_at=now)), "tell"
    return _kept(pace), "go on"


def _counted(pace: Pace, words: str, now: int) -> Pace:
    if now - pace.since >= MINUTE.total_seconds():
        pace = replace(pace, since=now, number=0)
    if words != pace.words or now - pace.alike_since >= SAME.total_seconds():
        pace = replace(pace, words=words, alike_since=now, alike=0)
    return replace(pace, number=pace.number + 1, alike=pace.alike + 1)


def _kept(pace: Pace) -> str:
    return COMPACT.encode({name: getattr(pace, name) for name in Pace.__slots__})
