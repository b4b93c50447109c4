"""Dates and date-times as expressions know them: texts in ISO 8601 and numbers of days.

A date counts as days since 1970-01-01 by the local calendar, as in JavaRosa, so that
`today() - ${birth}` is in days and `date(18262)` is a date wherever it is computed. A date-time
written with another offset is the same moment by the clock of here; decimal-date-time() counts
from 1970 in UTC, and so does a number of days that is not whole, as on every phone. What is
reckoned from a date's text, as in `now() + 0.25`, stays by the clock of here: `Days`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/Merida")
EPOCH = date(1970, 1, 1)
A_DAY = timedelta(days=1)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_WRITTEN = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(T[0-9]{2}:[0-9]{2}.*)?")
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-5][0-9])?)?")


def read(source: str) -> datetime | None:
    """The date or date-time written, by the clock of here if its offset is written; else None."""
    match = _WRITTEN.fullmatch(source.strip())
    if match is None:
        return None
    year, month, day, clock = match.groups("")
    try:
        moment = datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}{clock}")
        return moment.astimezone(ZONE) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


class Days(float):
    """Days since 1970 by the clock of here, and so with days added; between two lie plain ones."""

    def __add__(self, other: float) -> "Days":
        return Days(float(self) + other)

    __radd__ = __add__

    def __sub__(self, other: float) -> float:
        between = float(self) - float(other)
        return between if isinstance(other, Days) else Days(between)

    @property
    def utc(self) -> float:
        """Since 1970 began in Greenwich; whole days are dates, and stay."""
        moment = from_days(self)
        return float(self) if moment is None or self % 1 == 0 else days_utc(moment)


def days(moment: datetime) -> Days:
    of_day = timedelta(
        hours=moment.hour,
        minutes=moment.minute,
        seconds=moment.second,
        microseconds=moment.microsecond,
    )
    return Days(moment.toordinal() - EPOCH.toordinal() + of_day / A_DAY)


def days_utc(moment: datetime) -> float:
    """The days since 1970 began in Greenwich."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZONE)
    return float(days(aware.astimezone(UTC)))


def from_days(count: float) -> datetime | None:
    """None beyond the years 1 to 9999, and for NaN."""
    try:
        moment = datetime.combine(EPOCH, time()) + timedelta(days=count)
        here = isinstance(count, Days) or count % 1 == 0
        return moment if here else moment.replace(tzinfo=UTC).astimezone(ZONE)
    except (ValueError, OverflowError):
        return None


def time_of_day(source: str) -> float | None:
    """The part of the day gone by at "06:00:00.000-06:00", by the clock that it was read from."""
    if not (clock := _CLOCK.fullmatch(source)):
        return None
    moment = read(f"1970-01-01T{source.removesuffix(clock[3] or '')}")
    return None if moment is None else float(days(moment))


def stamp(moment: datetime) -> str:
    """To the millisecond; without an offset, it is Mérida's."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZONE)
    return aware.isoformat(timespec="milliseconds")


_ESCAPES: Mapping[str, Callable[[datetime], str]] = {
    "%": lambda _: "%",
    "Y": lambda moment: f"{moment.year:04}",
    "y": lambda moment: f"{moment.year % 100:02}",
    "m": lambda moment: f"{moment.month:02}",
    "n": lambda moment: f"{moment.month}",
    "b": lambda moment: MONTHS[moment.month - 1],
    "d": lambda moment: f"{moment.day:02}",
    "e": lambda moment: f"{moment.day}",
    "W": lambda moment: f"{moment.isocalendar().week}",
    "a": lambda moment: WEEKDAYS[moment.weekday()],
    "H": lambda moment: f"{moment.hour:02}",
    "h": lambda moment: f"{moment.hour}",
    "M": lambda moment: f"{moment.minute:02}",
    "S": lambda moment: f"{moment.second:02}",
    "3": lambda moment: f"{moment.microsecond // 1000:03}",
}


ESCAPES = tuple(f"%{escape}" for escape in _ESCAPES)


def writer(pattern: str) -> Callable[[datetime], str]:
    """By ODK's escapes (%n and %e without zeros, %3 milliseconds), months in English.

    Raises ValueError, with the escape, for one that does not exist.
    """
    pieces = re.split(r"%(.?)", pattern, flags=re.DOTALL)
    for escape in pieces[1::2]:
        if escape not in _ESCAPES:
            raise ValueError(f"%{escape}")
    return lambda moment: "".join(
        _ESCAPES[piece](moment) if at % 2 else piece for at, piece in enumerate(pieces)
    )
