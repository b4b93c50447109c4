"""Times, purely: WhatsApp's window, and how long to wait before trying again."""

from __future__ import annotations

from datetime import datetime, timedelta

FREE_WINDOW = timedelta(hours=24)
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=10)
MOST_ATTEMPTS = 12  # with doubling waits: given up after about an hour and a half


def may_write_freely(last_heard: datetime | None, now: datetime) -> bool:
    """Whether WhatsApp takes free text now, rather than an approved template.

    The window is 24 hours from the person's last message; outside it Twilio
    answers error 63016 (Twilio error reference, 63016).
    """
    return last_heard is not None and now - last_heard < FREE_WINDOW


def back_off(attempts: int) -> timedelta:
    """How long to wait after so many attempts: twice as long each time, up to a limit."""
    doubled: timedelta = FIRST_WAIT * 2 ** min(attempts - 1, 16)
    return min(doubled, LONGEST_WAIT)
