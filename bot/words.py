"""The bot's own words as they were reviewed on the pages, followed by every process."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine

from dialogs import own_words, phrases, replies
from storage import translating
from storage.database import reading

EVERY = timedelta(seconds=15)  # a review reaches every process within this


def take(engine: Engine) -> None:
    """From now on say and understand what has been reviewed."""
    with reading(engine) as db:
        found = translating.reviewed(db)
    phrases.take(found[own_words.PHRASES])
    commands = found[own_words.COMMANDS].items()
    replies.take({key: own_words.parted(ways) for key, ways in commands})


def follower(engine: Engine) -> Callable[[], None]:
    """What looks whether there is something new, if it has not looked just now."""
    looked = time.monotonic()

    def follow() -> None:
        nonlocal looked
        if time.monotonic() - looked > EVERY.total_seconds():
            looked = time.monotonic()
            take(engine)

    return follow
