"""What questions are called where several have one name: by their group too, as ODK exports it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from dialogs import kinds
from dialogs.columns import Row

NO_QUESTION = ("", "audit", *kinds.EXTERNAL, "end_group", "end_repeat", "begin_group")


@dataclass(frozen=True, slots=True)
class Placed:
    """A row of the survey sheet and the groups around it, the outermost first."""

    row: Row
    around: tuple[str, ...]

    @property
    def path(self) -> tuple[str, ...]:
        return (*self.around, self.row.cell("name"))


def placed(rows: Sequence[Row]) -> Iterator[Placed]:
    around: list[str] = []
    for row in rows:
        kind = kinds.kind(row.cell("type")).type
        if kind in ("end_group", "end_repeat") and around:
            around.pop()
        yield Placed(row, tuple(around))
        if kind in ("begin_group", "begin_repeat"):
            around.append(row.cell("name"))


def chains(found: Sequence[Placed]) -> dict[str, tuple[str, ...]]:
    """The repeats that each name is in, the outermost first; a repeat is in itself."""
    kind = {each.path: kinds.kind(each.row.cell("type")).type for each in found}
    repeated = {path for path, type_ in kind.items() if type_ == "begin_repeat"}
    found_ = {}
    for each in found:
        names = [path[-1] for at in range(1, len(each.around) + 1)
                 if (path := each.around[:at]) in repeated]  # fmt: skip
        own = [each.row.cell("name")] if each.path in repeated else []
        if kind[each.path] != "begin_group":
            found_[each.row.cell("name")] = (*names, *own)
    return found_


def told_apart(found: Sequence[Placed]) -> tuple[list[Placed], frozenset[str]]:
    """With "home-age" and "school-age" for two questions called age; and such names.

    Two of one name in one group keep it: that is a fault.
    """
    named = [each for each in found if _counts(each)]
    often = Counter(each.row.cell("name") for each in named)
    shared = frozenset(name for name, count in often.items() if count > 1)
    paths = [each.path for each in named]
    return [
        _renamed(each, paths, often) if each.row.cell("name") in shared and _asked(each) else each
        for each in found
    ], shared


def _counts(each: Placed) -> bool:
    """Whether its name stands for an answer; a repeat's does for how many there are."""
    return bool(each.row.cell("name")) and kinds.kind(each.row.cell("type")).type not in NO_QUESTION


def _asked(each: Placed) -> bool:
    return _counts(each) and kinds.kind(each.row.cell("type")).type != "begin_repeat"


def _renamed(each: Placed, paths: Sequence[tuple[str, ...]], taken: Container[str]) -> Placed:
    for depth in range(2, len(each.path) + 1):
        own = each.path[-depth:]
        name = "-".join(part for part in own if part)
        if sum(path[-depth:] == own for path in paths) == 1 and name not in taken:
            return replace(each, row=replace(each.row, plain={**each.row.plain, "name": name}))
    return each
