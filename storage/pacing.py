"""How one person writes: two programs that talk to each other are left alone.

They are known by their pace, by the same words again and again, and, at any pace and in any words,
by answering nothing that was asked: each message that leads nowhere counts one, and one that leads
on makes several good. Whoever answers a long questionnaire is far from it however quick they are;
a program gets no further than the questionnaire is long.

Pure, and kept in the person's row, so that it holds across processes and restarts.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

MINUTE = timedelta(minutes=1)
MOST_IN_A_MINUTE = 60  # messages; nobody types one a second
SAME = timedelta(minutes=5)
MOST_ALIKE = 20  # times the same words within that time
MOST_ASTRAY = 60  # messages that led nowhere
LED_ON = 5  # of them made good by one that did: four that are not understood, and then an answer
APART = timedelta(hours=1)  # of silence, and they are forgotten: who writes so seldom is no loop
CALM = timedelta(minutes=5)  # of silence, and we listen again

COMPACT = json.JSONEncoder(separators=(",", ":"))

Verdict = Literal["go on", "tell", "silent"]


class Pace(NamedTuple):
    """Counts since a moment, in seconds since 1970."""

    since: int = 0
    number: int = 0
    words: str = ""  # a keyed mark of what was said last
    alike_since: int = 0
    alike: int = 0
    astray: int = 0  # messages that led nowhere, less what was made good
    heard_at: int = 0  # the last message
    shut_at: int = 0  # the last message since we stopped answering; 0: we answer


def heard(pace: Pace, words: str, at: datetime) -> tuple[Pace, Verdict]:
    """The counts after this message, and whether to answer it."""
    now = int(at.timestamp())
    if pace.shut_at:
        if now - pace.shut_at < CALM.total_seconds():
            return pace._replace(shut_at=now), "silent"
        pace = Pace()
    pace = _counted(pace, words, now)
    if pace.number > MOST_IN_A_MINUTE or pace.alike > MOST_ALIKE or pace.astray > MOST_ASTRAY:
        return pace._replace(shut_at=now), "tell"
    return pace, "go on"


def led_on(pace: Pace) -> Pace:
    """The counts once a message turned out to be an answer, or to ask for something."""
    return pace._replace(astray=max(0, pace.astray - 1 - LED_ON))


def _counted(pace: Pace, words: str, now: int) -> Pace:
    same_minute = now - pace.since < MINUTE.total_seconds()
    same_words = words == pace.words and now - pace.alike_since < SAME.total_seconds()
    apart = now - pace.heard_at >= APART.total_seconds()
    return Pace(
        since=pace.since if same_minute else now,
        number=pace.number + 1 if same_minute else 1,
        words=words,
        alike_since=pace.alike_since if same_words else now,
        alike=pace.alike + 1 if same_words else 1,
        astray=1 if apart else pace.astray + 1,
        heard_at=now,
    )


def read(kept: str | None) -> Pace:
    """Also what another version keeps, which may run beside this one."""
    found = json.loads(kept or "{}")
    match found.get("words", "").split(" ", 2):
        case [astray, heard_at, words]:
            found |= {"astray": int(astray), "heard_at": int(heard_at), "words": words}
    return Pace(**{name: found[name] for name in Pace._fields if name in found})


def written(pace: Pace) -> str:
    """With the names of the first version alone, which fails on any other; what is counted since
    then stands before the words: those it only compares."""
    found = pace._asdict()
    found["words"] = f"{found.pop('astray')} {found.pop('heard_at')} {pace.words}"
    return COMPACT.encode(found)
