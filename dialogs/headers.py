"""What the columns and cells of other programs' exports mean: names or labels, whole or split."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from dialogs import closures
from dialogs.questions import CHOSEN, Option, Question, Script
from dialogs.replies import plain

MARKS = ("/", "-", ".", ":", "::", "__")  # between a group and its question
TICKED = frozenset(("1", "true", "yes", "1.0", "x", "si", "verdadero", "✓", "✔", "✗", "☑", "on"))
NOT_TICKED = frozenset(("", "0", "false", "no", "0.0", "falso", "n", "off", "-"))
PARTED = re.compile(r"\s*[;|\n]\s*")
MOST_LABELS = 12  # labels that stand in one cell with nothing but spaces between them


@dataclass(frozen=True, slots=True)
class Names:
    """The questions of a form by what a column may call them."""

    script: Script
    labels: Mapping[str, str]  # plain label, whole -> question; "" where several share it
    read: dict[str, tuple[str, Option | None]] = field(default_factory=dict)  # by column: a cache


def names(script: Script) -> Names:
    found: dict[str, str] = {}
    for question in script.questions:
        for label in question.label.values() if question.asked else ():
            key = plain(label)
            found[key] = question.name if found.get(key, question.name) == question.name else ""
    return Names(script, found)


def question_of(column: str, known: Names) -> str:
    """The question of a column: its name or label, alone or behind its groups'.

    "name#2", as a file that was set aside has it, is the second of a repeat.
    """
    places = known.script.places
    base, mark, instance = column.partition("#")
    if mark and base in places and instance.replace("#", "").isdecimal():
        return column
    for between in ("", *MARKS):
        name = column.rpartition(between)[2].strip() if between else column
        if name in places:
            return name
    told_apart = closures.meant(re.split("[/:.-]+", column), places)
    if told_apart in places:
        return told_apart
    tails = (column, column.rpartition("/")[2], column.rpartition("::")[2])
    return next((name for tail in tails if (name := known.labels.get(plain(tail), ""))), "")


def meaning(column: str, known: Names) -> tuple[str, Option | None]:
    """The question of a column, "" if it has none; and the choice, if the column is that of one,
    like "temas/agua", which holds yes or no."""
    if column not in known.read:
        known.read[column] = _meaning(column, known)
    return known.read[column]


def _meaning(column: str, known: Names) -> tuple[str, Option | None]:
    if column in known.script.places:
        return column, None
    split = _one_of_several(column, known, MARKS)
    if split is None and (name := question_of(column, known)):
        return name, None
    return split or _one_of_several(column, known, (" - ", "_")) or ("", None)


def _one_of_several(column: str, known: Names, marks: Sequence[str]) -> tuple[str, Option] | None:
    for mark in marks:
        at = column.find(mark)
        while at > 0:
            name = question_of(column[:at], known)
            question = known.script.question(name) if name else None
            several = question is not None and question.type in ("select_multiple", "rank")
            option = option_of(question, column[at + len(mark) :]) if question and several else None
            if option is not None:
                return name, option
            at = column.find(mark, at + 1)
    return None


def ticked(cell: str, option: Option) -> bool | None:
    """Whether a mark says yes; None for one that says neither."""
    said = cell.strip().lower()
    if said in NOT_TICKED:
        return False
    same = said in TICKED or plain(said) in TICKED or said == option.name.lower()
    return True if same or plain(cell) in _plain_labels(option) else None


# choices


def option_of(question: Question, written: str) -> Option | None:
    """The choice that a cell names, or whose label it holds."""
    named = next((each for each in question.options if each.name == written), None)
    if named is not None:
        return named
    same = [each for each in question.options if plain(written) in _plain_labels(each)]
    return same[0] if len(same) == 1 else None


def chosen(question: Question, cell: str) -> str | None:
    """The names of the choices in a cell, by names or labels; None if one of them is neither."""
    if question.type not in CHOSEN:
        return cell
    if question.type == "select_one":
        option = option_of(question, cell)
        return option.name if option else None
    known = {each.name for each in question.options}
    if known.issuperset(cell.split()):
        return cell
    for parts in (PARTED.split(cell), re.split(r"\s*,\s*", cell)):
        found = [option_of(question, part) for part in parts if part]
        if all(found):
            return " ".join(option.name for option in found if option)
    return _spaced(question.options, plain(cell).split())


def _spaced(options: Sequence[Option], words: Sequence[str]) -> str | None:
    """Labels with nothing but spaces between them, the longest first."""
    by_length = sorted(_labelled(options), key=lambda pair: -len(pair[0]))
    found: list[str] = []
    rest = list(words)
    while rest and len(found) < MOST_LABELS:
        fits = (pair for pair in by_length if tuple(rest[: len(pair[0])]) == pair[0])
        label, name = next(fits, ((), ""))
        if not label:
            return None
        found.append(name)
        rest = rest[len(label) :]
    return None if rest else " ".join(dict.fromkeys(found))


def _labelled(options: Sequence[Option]) -> Iterator[tuple[tuple[str, ...], str]]:
    for option in options:
        for label in (option.name, *option.label.values()):
            if words := tuple(plain(label).split()):
                yield words, option.name


def _plain_labels(option: Option) -> frozenset[str]:
    return _plain(tuple(option.label.values()))


@lru_cache(maxsize=4096)
def _plain(labels: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(plain, labels))
