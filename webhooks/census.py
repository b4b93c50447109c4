"""The 2020 census by municipality, and how far the answers are from it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from storage.reports import SMALLEST
from webhooks import pictures

STEPS = (0.5, 0.8, 1.25, 2.0)  # of what was expected: where one colour gives way to the next
ENOUGH = 0.8  # of what was expected; below, somebody should go there
NEXT = 8  # municipalities to go to, at most
NAMED = 10  # municipalities whose names are on the map, at most: the largest that find room
WIDE, PHONE = 12.5, 23.0  # the size of a name there, in the map's own units (pages.css)
GLYPH = 0.58  # of the size: how wide a letter is, about
MAYA_SPOKEN = 0.4  # from this share on, whoever goes there should speak Maya


@dataclass(frozen=True, slots=True)
class Town:
    """A municipality in the census (INEGI, Censo de Población y Vivienda 2020)."""

    code: str
    name: str
    lat: float
    lon: float
    population: int
    men: int
    women: int
    over_3: int
    speakers: int  # of an indigenous language, three years old and over

    @property
    def speaking(self) -> float:
        return self.speakers / self.over_3


@dataclass(frozen=True, slots=True)
class Compared:
    """A municipality beside what was expected of it: its share of the population."""

    town: Town
    count: int
    expected: float

    @property
    def ratio(self) -> float:
        return self.count / self.expected if self.expected else 0.0

    @property
    def missing(self) -> int:
        return max(0, round(self.expected) - self.count)

    @property
    def missing_told(self) -> str:
        """How many are missing, as it may be shown: never so that a small count follows from it."""
        if not 0 < self.count < SMALLEST:
            return f"{self.missing:,}" if self.missing else ""
        surely = round(self.expected) - SMALLEST + 1
        return f"{surely:,} o más" if surely > 0 else "algunas" if self.missing else ""

    @property
    def step(self) -> int:
        """Its colour: 0 nobody yet, 1 far below, 3 about as expected, 5 far above."""
        return 1 + sum(self.ratio >= limit for limit in STEPS) if self.count else 0


@cache
def towns() -> tuple[Town, ...]:
    """The 106 municipalities."""
    file = resources.files("dialogs.forms").joinpath("municipios.csv")
    return tuple(
        Town(
            row["name"],
            row["label"],
            float(row["lat"]),
            float(row["lon"]),
            int(row["population"]),
            int(row["men"]),
            int(row["women"]),
            int(row["population_3_and_over"]),
            int(row["speakers_3_and_over"]),
        )
        for row in csv.DictReader(file.read_text("utf-8-sig").splitlines())
    )


def share_of_women() -> float:
    return sum(t.women for t in towns()) / sum(t.population for t in towns())


def share_of_speakers() -> float:
    return sum(t.speakers for t in towns()) / sum(t.over_3 for t in towns())


def compare(counts: Mapping[str, int]) -> list[Compared]:
    """Every municipality beside what was expected of as many answers in all."""
    known = {town.code: counts.get(town.code, 0) for town in towns()}
    people, all_ = sum(known.values()), sum(town.population for town in towns())
    return [Compared(t, known[t.code], people * t.population / all_) for t in towns()]


def next_places(found: Sequence[Compared]) -> list[Compared]:
    """Where most people are missing, beginning with the most."""
    below = [each for each in found if each.ratio < ENOUGH and each.missing > 0]
    return sorted(below, key=lambda each: (-each.missing, each.town.name))[:NEXT]


Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Spot:
    """A municipality on the map."""

    place: Compared
    x: float
    y: float
    radius: float
    label: str = ""  # "wide": its name fits on a wide screen; "both": on a phone, too

    @property
    def foot(self) -> float:
        """Where its name stands: above the circle."""
        return self.y - self.radius - 5


def spots(found: Sequence[Compared]) -> list[Spot]:
    """The map's circles, the largest first, so that the small ones lie on top."""
    at = pictures.projection([(each.town.lat, each.town.lon) for each in found])
    most = max((each.count for each in found), default=0)
    drawn = [
        Spot(each, *at(each.town.lat, each.town.lon), pictures.radius(each.count, most))
        for each in found
    ]
    wide, phone = _named(drawn, WIDE), _named(drawn, PHONE)
    named = [
        replace(spot, label="both" if spot.place.town.code in phone else "wide")
        if spot.place.town.code in wide
        else spot
        for spot in drawn
    ]
    return sorted(named, key=lambda spot: -spot.radius)


def _named(drawn: Sequence[Spot], size: float) -> set[str]:
    """The most populous municipalities whose names, of this size, do not lie on each other."""
    taken: list[Box] = []
    found: set[str] = set()
    for spot in sorted(drawn, key=lambda spot: -spot.place.town.population)[: 2 * NAMED]:
        half = GLYPH * size * len(spot.place.town.name) / 2
        box = spot.x - half, spot.foot - size, spot.x + half, spot.foot
        inside = box[0] >= 0 and box[1] >= 0 and box[2] <= pictures.MAP_WIDTH
        if inside and len(found) < NAMED and not any(_meet(box, other) for other in taken):
            taken.append(box)
            found.add(spot.place.town.code)
    return found


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
