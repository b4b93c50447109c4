"""A forum as an organizer writes it, in TOML: read with every fault reported at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot import timing
from dialogs import replies
from dialogs.values import FORUM_KINDS
from storage import segments
from storage.forums import Place, Plan

KEYS = ("name", "kind", "start", "end", "capacity", "title", "description", "place")
PLACE_KEYS = ("name", "address", "municipality", "lat", "lon", "link")


class ForumFileError(ValueError):
    """Everything that is wrong with a forum's file, one line each."""


@dataclass(slots=True)
class _Reader:
    file: str
    places: Mapping[str, segments.Place]
    faults: list[str] = field(default_factory=list)

    def fault(self, key: str, problem: str, cure: str) -> None:
        self.faults.append(f"{self.file}, {key}: {problem} {cure}")


def read(path: Path, places: Mapping[str, segments.Place]) -> Plan:
    """The forum in a file; `places` are the municipalities. Raises ForumFileError, OSError."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ForumFileError(f"{path}: this is no TOML ({error}). Correct it.") from None
    reader = _Reader(path.name, places)
    for key in found.keys() - set(KEYS):
        reader.fault(key, "This is not known.", f"Use only: {', '.join(KEYS)}.")
    plan = Plan(
        name=_name(reader, found, path),
        kind=_kind(reader, found),
        starts_at=_moment(reader, found, "start"),
        ends_at=_moment(reader, found, "end"),
        capacity=_capacity(reader, found),
        title=_words(reader, found, "title", required=True),
        description=_words(reader, found, "description", required=False),
        place=_place(reader, found),
    )
    if plan.ends_at <= plan.starts_at and not reader.faults:
        reader.fault("end", "The forum ends before it starts.", "Correct one of the two.")
    if reader.faults:
        raise ForumFileError("\n".join(reader.faults))
    return plan


def _name(reader: _Reader, found: Mapping[str, Any], path: Path) -> str:
    name = found.get("name", path.stem)
    if not isinstance(name, str) or not name or len(name) > 64 or name.isdecimal():
        reader.fault("name", "This cannot be a name.", "Give a short one that is no number.")
        return ""
    return name


def _kind(reader: _Reader, found: Mapping[str, Any]) -> str:
    kind = found.get("kind")
    if kind not in FORUM_KINDS:
        problem = "There is no kind." if kind is None else f"There is no kind '{kind}'."
        reader.fault("kind", problem, f"Use one of: {', '.join(FORUM_KINDS)}.")
    return str(kind)


def _moment(reader: _Reader, found: Mapping[str, Any], key: str) -> datetime:
    given = found.get(key)
    try:
        if isinstance(given, datetime):
            return timing.aware(given)
        return timing.aware(datetime.fromisoformat(str(given)))
    except ValueError:
        problem = "It is missing." if given is None else f"'{given}' is no time."
        reader.fault(key, problem, "Write it as 2027-08-14T10:00:00, as clocks in Mérida show it.")
        return datetime.fromtimestamp(0, UTC)


def _capacity(reader: _Reader, found: Mapping[str, Any]) -> int | None:
    given = found.get("capacity")
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        reader.fault("capacity", f"'{given}' is no number of seats.", "Give one, or leave it out.")
        return None
    return given


def _words(
    reader: _Reader, found: Mapping[str, Any], key: str, *, required: bool
) -> dict[str, str]:
    given = found.get(key, {})
    if isinstance(given, str):
        given = {"es": given}
    words = given if isinstance(given, dict) else {}
    for language, text in words.items():
        if language not in ("es", "yua") or not isinstance(text, str):
            reader.fault(f"{key}.{language}", "It is not a text in es or yua.", "Correct it.")
    if required and not words.get("es"):
        reader.fault(key, "There are no Spanish words.", f'Write [{key}] and es = "…" below it.')
    return {language: str(text).strip() for language, text in words.items() if text}


def _place(reader: _Reader, found: Mapping[str, Any]) -> Place:
    given = found.get("place", {})
    if not isinstance(given, dict) or not (given.get("name") or given.get("link")):
        reader.fault("place", "It is not said where.", "Write [place] with a name, or a link.")
        return Place()
    for key in given.keys() - set(PLACE_KEYS):
        reader.fault(f"place.{key}", "This is not known.", f"Use only: {', '.join(PLACE_KEYS)}.")
    code, town = _town(reader, str(given.get("municipality", "")))
    lat, lon = _point(reader, given)
    return Place(
        name=str(given.get("name", "")),
        address=str(given.get("address", "")),
        municipality=code,
        town=town,
        lat=lat,
        lon=lon,
        link=str(given.get("link", "")),
    )


def _town(reader: _Reader, said: str) -> tuple[str, str]:
    """The code and name of a municipality that is given by either."""
    for code, place in reader.places.items():
        if said and (said == code or replies.plain(place.name) == replies.plain(said)):
            return code, place.name
    if said and reader.places:
        cure = "Give its name or its code, such as 31050."
        reader.fault("place.municipality", f"'{said}' is no municipality.", cure)
    return said, said


def _point(reader: _Reader, given: Mapping[str, Any]) -> tuple[float | None, float | None]:
    lat, lon = given.get("lat"), given.get("lon")
    if lat is None and lon is None:
        return None, None
    numbers = all(isinstance(each, int | float) for each in (lat, lon))
    if not numbers or abs(lat) > 90 or abs(lon) > 180:  # type: ignore[arg-type]
        reader.fault("place.lat", "lat and lon are no point on the map.", "Give both, in degrees.")
        return None, None
    return float(lat), float(lon)  # type: ignore[arg-type]
