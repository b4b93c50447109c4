"""Working days in Mexico, by which the law counts: no weekends, no statutory holidays."""

from __future__ import annotations

from datetime import date, timedelta

FIXED = {(1, 1), (5, 1), (9, 16), (12, 25)}  # LFT art. 74
MONDAYS = {(2, 1), (3, 3), (11, 3)}  # month, which Monday of it (LFT art. 74)


def works(day: date) -> bool:
    """Whether offices work on this day; days an office closes on its own are not known here."""
    if day.weekday() >= 5 or (day.month, day.day) in FIXED:
        return False
    if day.weekday() == 0 and (day.month, (day.day - 1) // 7 + 1) in MONDAYS:
        return False
    new_president = day.year % 6 == 2024 % 6 and (day.month, day.day) == (10, 1)
    return not new_president


def after(start: date, count: int) -> date:
    """The working day that comes so many working days after this day."""
    day = start
    while count > 0:
        day += timedelta(days=1)
        count -= works(day)
    return day


def between(start: date, end: date) -> int:
    """Working days after `start`, up to and including `end`; negative once that is past."""
    if end < start:
        return -between(end, start)
    return sum(works(start + timedelta(days=n + 1)) for n in range((end - start).days))
