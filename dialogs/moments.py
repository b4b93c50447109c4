"""Dates and times as people write them: "15/8/21", "5 de mayo", "ayer", "4 de la tarde"."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path

from dialogs import dates
from dialogs.replies import number, plain

CENTURY = 2000
AHEAD = 10  # years: "31" is 2031 until 2021, and 1931 before


@cache
def _words() -> Mapping[str, frozenset[str]]:
    found = _file()
    return {key: frozenset(map(plain, found[key])) for key in found if key != "months"}


@cache
def _months() -> Mapping[str, int]:
    months = enumerate(_file()["months"], 1)
    return {plain(word): number for number, words in months for word in words}


@cache
def _file() -> Mapping[str, list[str]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Read:
    """What of a text was a date, and the words behind it."""

    day: date
    rest: tuple[str, ...]


def value(type_: str, text: str, now: datetime | None, appearance: str = "") -> str | None:
    """A reply to a date, time or datetime question as XForms writes it; None if it is none."""
    local = now.astimezone(dates.ZONE) if now else None
    said = _split(text)
    if type_ == "time":
        clock = _time(said, local)
        return None if clock is None else _stamp(date(2000, 1, 1), clock)[11:]
    read = _date(said, local.date() if local else None, appearance)
    if read is None:
        return None
    if type_ == "date":
        return None if read.rest else read.day.isoformat()
    clock = _time(read.rest, local)
    return None if clock is None else _stamp(read.day, clock)


def _stamp(day: date, clock: time) -> str:
    return dates.stamp(datetime.combine(day, clock, dates.ZONE))


def _split(text: str) -> tuple[str, ...]:
    """The words and numbers of a reply; "3pm" is two, "p.m." is one."""
    parted = re.sub(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)", " ", text)
    said = re.sub(r"\b([ap]) m\b", r"\1m", plain(parted))
    words = said.replace(" t ", " ").split()  # "2021-08-15T09:30"
    return tuple(word for word in words if word not in _words()["fillers"])


def _date(said: tuple[str, ...], today: date | None, appearance: str) -> Read | None:
    words = _words()
    if said and today:
        for key, days in (("now", 0), ("today", 0), ("yesterday", -1), ("tomorrow", 1)):
            if said[0] in words[key]:
                return Read(today + timedelta(days), said if key == "now" else said[1:])
    if "month-year" in appearance or "year" in appearance:
        return _month(said, today)
    named = next((place for place, word in enumerate(said) if word in _months()), None)
    if named is not None:
        return _named(said, named, today)
    if said and len(said[0]) == 8 and said[0].isdecimal():
        said = (said[0][:2], said[0][2:4], said[0][4:], *said[1:])
    if len(said) < 3 or not all(word.isdecimal() for word in said[:3]):
        return None
    one, two, three = map(int, said[:3])
    if len(said[0]) == 4:
        return _read(one, two, three, said[3:])
    day, month = (one, two) if two <= 12 else (two, one)
    return _read(_year(said[2], today), month, day, said[3:]) if len(said[2]) in (2, 4) else None


def _named(said: tuple[str, ...], place: int, today: date | None) -> Read | None:
    """ "15 agosto 2021", "agosto 15 2021", "15 agosto": without a year, this one's."""
    month, before, after = _months()[said[place]], said[:place], said[place + 1 :]
    if not before and after and len(after[0]) <= 2:
        before, after = after[:1], after[1:]
    if len(before) != 1 or not before[0].isdecimal():
        return None
    if after and after[0].isdecimal() and len(after[0]) == 4:
        return _read(int(after[0]), month, int(before[0]), after[1:])
    return _read(today.year, month, int(before[0]), after) if today else None


def _month(said: tuple[str, ...], today: date | None) -> Read | None:
    """A month and its year, or a year alone; the first of it stands for it."""
    numbers = [int(word) for word in said if word.isdecimal()]
    years = [number for number in numbers if number > 31]
    months = [_months()[word] for word in said if word in _months()]
    months += [number for number in numbers if 1 <= number <= 12]
    if not years and months and today:
        years = [today.year]
    return _read(years[0], months[0] if months else 1, 1, ()) if years else None


def _year(written: str, today: date | None) -> int:
    if len(written) == 4:
        return int(written)
    latest = (today.year if today else CENTURY) + AHEAD
    year = latest - latest % 100 + int(written)
    return year if year <= latest else year - 100


def _read(year: int, month: int, day: int, rest: tuple[str, ...]) -> Read | None:
    try:
        return Read(date(year, month, day), rest)
    except ValueError:
        return None


def _time(said: tuple[str, ...], now: datetime | None) -> time | None:
    words, one = _words(), frozenset(said)
    if one & words["now"] and now and len(said) == 1:
        return now.time().replace(second=0, microsecond=0, tzinfo=None)
    if said and (one <= words["noon"] or one <= words["midnight"]):
        return time(12 if one <= words["noon"] else 0)
    known = words["morning"] | words["afternoon"] | words["half"] | words["quarter"]
    numbers = [found for word in said if word not in known and (found := number(word)) is not None]
    rest = [word for word in said if word in known or number(word) is None]
    if not 1 <= len(numbers) <= 3 or not known.issuperset(rest):
        return None
    hour, minute = numbers[0], numbers[1] if len(numbers) > 1 else 0
    minute += 30 * bool(one & words["half"]) + 15 * bool(one & words["quarter"])
    if one & words["afternoon"] and hour < 12:
        hour += 12
    elif one & words["morning"] and hour == 12:
        hour = 0
    return time(hour, minute) if hour < 24 and minute < 60 else None
