"""Ages as questionnaires and tables of a census write them, and which of them can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dialogs.replies import plain

UNDER = re.compile(r"(?:menos|menor(?:es)?) (?:de|que) (\d+)")
RANGE = re.compile(r"(\d+) (?:a|y|to)? ?(\d+)")
OVER = re.compile(r"(\d+) ?\+|(\d+)(?: anos)? (?:y|o)? ?mas")
YEAR = re.compile(r"\d+")
Span = tuple[int, int | None]  # years, both included; None: and older
USUAL: Mapping[str, Span] = {  # where ages are asked for in years
    "Menos de 18": (0, 17), "18 a 29": (18, 29), "30 a 44": (30, 44),
    "45 a 59": (45, 59), "60 o más": (60, None),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """How many people of these ages there are; `men` and `women` where the table parts them."""

    start: int
    end: int | None
    people: int
    men: int | None = None
    women: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Ages of the questionnaire that together are ages of the census."""

    names: tuple[str, ...]  # of the choices
    row: Row


def span(written: str) -> Span | None:
    """The ages that a text names: 18 a 29, 18-29, Menos de 18, 60 o más, 60+, 34 años."""
    said = plain(written.replace("_", " "))
    if found := UNDER.search(said):
        return 0, int(found[1]) - 1
    if found := OVER.search(said):
        return int(found[1] or found[2]), None
    if found := RANGE.search(said):
        return int(found[1]), int(found[2])
    found = YEAR.search(said)
    return (int(found[0]), int(found[0])) if found else None


def blocks(asked: Mapping[str, Span], rows: Sequence[Row]) -> list[Block]:
    """The smallest groups of ages that both know. Ages from 0 on are left out: a census counts
    babies, and they do not answer."""
    cuts = sorted({start for start, _ in asked.values()} & {row.start for row in rows})
    found = []
    for start, end in zip(cuts, [*cuts[1:], None], strict=True):
        names = tuple(n for n, (begins, _) in asked.items() if _within(begins, start, end))
        some = [row for row in rows if _within(row.start, start, end)]
        if start > 0 and names and some:
            found.append(Block(names, _sum(some)))
    return found


def _within(age: int, start: int, end: int | None) -> bool:
    return age >= start and (end is None or age < end)


def _sum(rows: Sequence[Row]) -> Row:
    men = [row.men for row in rows if row.men is not None]
    women = [row.women for row in rows if row.women is not None]
    parted = len(men) == len(women) == len(rows)
    return Row(
        rows[0].start,
        rows[-1].end,
        sum(row.people for row in rows),
        sum(men) if parted else None,
        sum(women) if parted else None,
    )


def whole(rows: Sequence[Row]) -> str:
    """What is wrong with the table as a whole: ages that are missing or stand in it twice."""
    ordered = sorted(rows, key=lambda row: row.start)
    for one, other in pairwise(ordered):
        if one.end is None or other.start <= one.end:
            return f"the age {other.start} stands in two lines. Keep one of them"
        if other.start > one.end + 1:
            return f"the ages {one.end + 1} to {other.start - 1} are missing. Add them"
    if ordered and ordered[-1].end is not None:
        return f"it ends at {ordered[-1].end}. Write the last line as: {ordered[-1].start} y más"
    return ""
