"""The values and functions of XLSForm expressions, as XPath 1.0, XForms and ODK define them.

A value is a text, a number or a truth. What cannot be computed is NaN or the empty text, not
an error: an expression runs while a citizen waits. Where implementations differ we say whom we
follow: JavaRosa (ODK Collect), or Enketo and ODK Web Forms.
"""

import base64
import hashlib
import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from itertools import pairwise

from dialogs import dates, patterns
from dialogs.faults import Said, said

Value = str | float | bool
NAN = math.nan
CLOSE = 1e-12  # numbers nearer than this are equal, as in JavaRosa: 0.1 + 0.2 = 0.3
EARTH_RADIUS = 6_378_100  # metres, as Enketo and JavaRosa have it

_NUMBER = re.compile(r"[ \t\r\n]*-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[ \t\r\n]*")


class LogicError(ValueError):
    """An expression that cannot be used: what is wrong, and what to write instead."""

    def __init__(self, what: Said) -> None:
        super().__init__(str(what))
        self.said = what


# Conversions


def text(value: Value) -> str:
    """XPath's string(): 3.0 is "3", 1e21 is written out, a truth is "true" or "false"."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    value = value.utc if isinstance(value, dates.Days) else value
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    shortest = repr(value)
    return format(Decimal(shortest), "f") if "e" in shortest else shortest


def number(value: Value) -> float:
    """XPath's number(), and of a date its days; exponents and a leading + are no numbers."""
    if not isinstance(value, str):
        return value if isinstance(value, float) else float(value)
    if _NUMBER.fullmatch(value):
        return float(value)
    moment = dates.read(value)
    return NAN if moment is None else dates.days(moment)


def truth(value: Value) -> bool:
    """XPath's boolean(): a text is true unless empty, a number unless zero or NaN."""
    return bool(value) and value == value


def whole(value: Value) -> int | None:
    """A number without its fraction, None for what has none (NaN, Infinity)."""
    found = number(value)
    return int(found) if math.isfinite(found) else None


# Dates


def moment_of(value: Value, *, whole_days: bool = False) -> datetime | None:
    """The moment of a date's text, or of a number of days; None for anything else."""
    if isinstance(value, bool):
        return None
    found = dates.read(value) if isinstance(value, str) else None
    count = number(value)
    return found or dates.from_days(count // 1 if whole_days else count)


def to_date(value: Value) -> str:
    """Of a number of days without its fraction, as in JavaRosa."""
    moment = moment_of(value, whole_days=True)
    return "" if moment is None else moment.date().isoformat()


def to_date_time(value: Value) -> str:
    """A date stays one, and so does a whole number of days."""
    moment = moment_of(value)
    if moment is None:
        return ""
    if moment.time() == time() and not (isinstance(value, str) and "T" in value):
        return moment.date().isoformat()
    return dates.stamp(moment)


def decimal_date_time(value: Value) -> float:
    found = dates.read(value) if isinstance(value, str) else None
    if found is not None:
        return dates.days_utc(found)
    count = number(value)
    return count.utc if isinstance(count, dates.Days) else count


def decimal_time(value: Value) -> float:
    """The part of the day that has gone by at a time or date-time."""
    of_day = dates.time_of_day(text(value).strip())
    return number(value) % 1 if of_day is None else of_day


def format_date(value: Value, pattern: str) -> str:
    moment = moment_of(value)
    return "" if moment is None else date_writer(pattern)(moment)


@lru_cache(maxsize=512)
def date_writer(pattern: str) -> Callable[[datetime], str]:
    try:
        return dates.writer(pattern)
    except ValueError as error:
        what = said("no_date_part", escape=str(error), names=" ".join(dates.ESCAPES))
        raise LogicError(what) from None


# Numbers


def divide(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or left != left:
        return NAN
    return math.copysign(math.inf, left) * math.copysign(1, right)


def modulo(left: float, right: float) -> float:
    """The sign is the dividend's: -5 mod 3 is -2."""
    return math.fmod(left, right) if right and math.isfinite(left) else NAN


def same_number(left: float, right: float) -> bool:
    return left == right or abs(left - right) < CLOSE


def round_half_up(value: float, places: float = 0) -> float:
    """Halves go away from zero, as in Enketo and Web Forms; places may be negative."""
    if not math.isfinite(places):
        return NAN
    if not math.isfinite(value) or abs(places) > 30:
        return value
    exact = Decimal(repr(value))
    if exact.adjusted() + places > 25:
        return value  # more digits than a float has
    return float(exact.quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP))


def to_int(value: Value) -> float:
    """Towards zero; unlike number(), 7.9e-12 is read, for that is how phones write 0."""
    try:
        found = float(value) if isinstance(value, str) and "e" in value else number(value)
    except ValueError:
        return NAN
    return float(math.trunc(found)) if math.isfinite(found) else found


def log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf if value == 0 else NAN


def log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf if value == 0 else NAN


def total(of: Callable[..., float]) -> Callable[..., float]:
    """`of`, answering NaN or Infinity where Python raises."""

    def answer(*numbers: float) -> float:
        try:
            return of(*numbers)
        except ValueError:
            return NAN
        except OverflowError:
            return math.inf

    return answer


def numbers(values: Iterable[Value]) -> list[float]:
    """What is unanswered does not count, as in JavaRosa."""
    return [number(value) for value in values if value != ""]


def least(*values: Value) -> float:
    found = numbers(values)
    return NAN if not found or any(map(math.isnan, found)) else min(found)


def greatest(*values: Value) -> float:
    found = numbers(values)
    return NAN if not found or any(map(math.isnan, found)) else max(found)


# Texts


def selected(chosen: str, name: str) -> bool:
    return name.strip() in chosen.split(" ")


def selected_at(chosen: str, index: float) -> str:
    names, at = chosen.split(), whole(index)
    return names[at] if at is not None and 0 <= at < len(names) else ""


def substr(source: str, start: float, end: float = math.inf) -> str:
    """Counts from 0, without the end; negative counts from the back, as in Python."""
    return source[_place(start, source) : _place(end, source)]


def _place(value: float, source: str) -> int:
    size = len(source)
    return 0 if value != value else int(max(-size, min(size, value)))


def substring(source: str, start: float, length: float | None = None) -> str:
    """XPath's: counts from 1, rounds, and takes NaN and Infinity (XPath 1.0, 4.2)."""
    first = _xpath_round(start)
    after = math.inf if length is None else first + _xpath_round(length)
    if not first < after:
        return ""
    begin = max(first, 1)
    return source[int(min(begin, len(source) + 1)) - 1 : int(min(after, len(source) + 1)) - 1]


def _xpath_round(value: float) -> float:
    return math.floor(value + 0.5) if math.isfinite(value) else value


def substring_after(source: str, mark: str) -> str:
    return source.partition(mark)[2] if mark else source


def substring_before(source: str, mark: str) -> str:
    return source.partition(mark)[0] if mark and mark in source else ""


def translate(source: str, letters: str, others: str) -> str:
    table: dict[int, str] = {}
    for place, letter in enumerate(letters):
        table.setdefault(ord(letter), others[place : place + 1])
    return source.translate(table)


def normalize_space(source: str) -> str:
    return " ".join(re.split(r"[ \t\r\n]+", source)).strip(" ")


def regex(source: str, pattern: str) -> bool:
    """Finds the pattern anywhere, as Enketo and Web Forms do; ^…$ asks for the whole text."""
    return searcher(pattern)(source)


def searcher(pattern: str) -> patterns.Search:
    try:
        return patterns.searcher(pattern)
    except patterns.PatternError as error:
        raise LogicError(said("no_pattern", pattern=pattern, error=str(error))) from None


def digest(source: str, algorithm: str, encoding: str = "base64") -> str:
    name = algorithm.lower().replace("-", "")
    if name not in ("md5", "sha1", "sha256", "sha384", "sha512"):
        raise LogicError(said("no_digest", word=algorithm))
    found = hashlib.new(name, source.encode("utf-8", "replace"), usedforsecurity=False)
    if encoding.lower() == "hex":
        return found.hexdigest()
    return base64.b64encode(found.digest()).decode()


def base64_decode(source: str) -> str:
    try:
        return base64.b64decode(source).decode("utf-8", "replace")
    except ValueError:
        return ""


# Counting what holds


def checklist(least_of: float, most_of: float, *factors: Value) -> bool:
    return _between(sum(map(truth, factors)), least_of, most_of)


def weighted_checklist(least_of: float, most_of: float, *pairs: Value) -> bool:
    held = (
        number(weight)
        for factor, weight in zip(pairs[::2], pairs[1::2], strict=False)
        if truth(factor)
    )
    return _between(sum(held), least_of, most_of)


def _between(count: float, least_of: float, most_of: float) -> bool:
    return (least_of < 0 or count >= least_of) and (most_of < 0 or count <= most_of)


# Places


def _points(places: Iterable[Value]) -> list[tuple[float, float]] | None:
    """Latitudes and longitudes in radians, of "lat lon altitude accuracy; …" or several."""
    points = []
    for place in ";".join(map(text, places)).split(";"):
        latitude, longitude = ([number(part) for part in place.split()] + [NAN, NAN])[:2]
        if not (abs(latitude) <= 90 and abs(longitude) <= 180):
            return None
        points.append((math.radians(latitude), math.radians(longitude)))
    return points


def distance(*places: Value) -> float:
    """Metres along a line of places, to the centimetre."""
    points = _points(places)
    if points is None:
        return NAN
    return round(sum(_arc(*pair) for pair in pairwise(points)) * EARTH_RADIUS, 2)


def _arc(one: tuple[float, float], other: tuple[float, float]) -> float:
    (north, east), (north_too, east_too) = one, other
    straight = math.sin(north) * math.sin(north_too) + math.cos(north) * math.cos(
        north_too
    ) * math.cos(east - east_too)
    return math.acos(max(-1.0, min(1.0, straight)))


def inside(place: str, area_: str) -> bool:
    """Whether a place lies within a line of places that is closed; on the line, either may be."""
    ring = _points([area_]) or []
    spot = _points([place])
    if spot is None or len(ring) < 3:
        return False
    (north, east), within = spot[0], False
    for (north_one, east_one), (north_two, east_two) in pairwise([*ring, ring[0]]):
        if (north_one > north) != (north_two > north):
            crossing = (north - north_one) / (north_two - north_one) * (east_two - east_one)
            within ^= east < east_one + crossing
    return within


def area(*places: Value) -> float:
    """Square metres inside a line of places, to the square centimetre."""
    points = _points(places)
    if points is None:
        return NAN
    ring = sum(
        (east_too - east) * (2 + math.sin(north) + math.sin(north_too))
        for (north, east), (north_too, east_too) in pairwise([*points, points[0]])
    )
    return round(abs(ring) * EARTH_RADIUS**2 / 2, 2) if len(points) > 2 else 0.0
