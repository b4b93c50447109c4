"""Times: WhatsApp's window, when to try again, and when people in Yucatán are awake."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

FREE_WINDOW = timedelta(hours=24)
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=10)
MOST_ATTEMPTS = 12  # with doubling waits: given up after about an hour and a half


def now() -> datetime:
    """The clock of the outermost layer; everything else is told what time it is."""
    return datetime.now(UTC)


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


# local times, for what is sent to many

ZONE = ZoneInfo("America/Merida")
WAKING, SLEEPING = time(8), time(21)  # what calls many is sent between these, local time
REMINDERS = (timedelta(days=2), timedelta(hours=2))  # before a forum, to those who come
THANKS = timedelta(hours=2)  # after a forum
LAST_CALL = timedelta(hours=1)  # before a forum: to be invited later makes no sense


def local(moment: datetime) -> datetime:
    """The same moment as clocks in Mérida show it."""
    return moment.astimezone(ZONE)


def aware(written: datetime) -> datetime:
    """A moment; one without a zone is meant as clocks in Mérida show it."""
    return (written.replace(tzinfo=ZONE) if written.tzinfo is None else written).astimezone(UTC)


def read(written: str, now: datetime) -> datetime:
    """ "2027-08-14 10:00" in Mérida, a moment with its zone, "now", or "+2h". Raises ValueError."""
    said = written.strip()
    if said == "now":
        return now
    if said.startswith("+"):
        return now + duration(said[1:])
    try:
        return aware(datetime.fromisoformat(said))
    except ValueError:
        raise ValueError(
            f"'{written}' is no time. Write it as 2027-08-14T10:00 (in Mérida), now, or +2h."
        ) from None


def duration(written: str) -> timedelta:
    """ "30m", "2h" or "1d". Raises ValueError."""
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    number, unit = written.strip()[:-1], written.strip()[-1:]
    if not number.isdecimal() or unit not in units:
        raise ValueError(f"'{written}' is no length of time. Write it as 30m, 2h or 1d.")
    return timedelta(**{units[unit]: int(number)})


def quiet(moment: datetime) -> bool:
    """Whether people sleep: nothing is sent to many."""
    return not WAKING <= local(moment).time() < SLEEPING


def awake(moment: datetime) -> datetime:
    """The moment itself, or the next at which people are awake."""
    if not quiet(moment):
        return moment
    here = local(moment)
    day = here.date() + timedelta(days=here.time() >= SLEEPING)
    return datetime.combine(day, WAKING, ZONE).astimezone(UTC)


def reminder(starts: datetime, before: timedelta) -> datetime:
    """When to remind: so long before, at the latest an hour before; else the evening before."""
    due = awake(starts - before)
    if due <= starts - LAST_CALL:
        return due
    evening = local(starts - before).date()
    if local(starts - before).time() < WAKING:
        evening -= timedelta(days=1)
    last = datetime.combine(evening, SLEEPING, ZONE) - timedelta(hours=1)
    return last.astimezone(UTC)


def shown(moment: datetime) -> str:
    """A moment as an organizer reads it, in Mérida: 2027-08-14 10:00."""
    return f"{local(moment):%Y-%m-%d %H:%M}"
