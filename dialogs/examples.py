"""Replies that people might give to a question: good ones, odd ones, and commands."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from dialogs import rows
from dialogs.questions import NUMBERS, Option, Question, Script

QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
NUMBER = re.compile(r"(?<![\w'\"])-?\d+(?:\.\d+)?(?![\w'\"])")
REGEX = re.compile(r"regex\s*\(\s*\.\s*,\s*(?:'([^']*)'|\"([^\"]*)\")\s*\)")
WANTED = re.compile(
    r"(?:selected\s*\(\s*\$\{\s*(?P<in>[^}\s]+)\s*\}\s*,\s*|\$\{\s*(?P<is>[^}\s]+)\s*\}\s*=\s*)"
    r"['\"](?P<value>[^'\"]*)['\"]"
)
LOOKED_UP = re.compile(r"pulldata\(\s*['\"](\w+?)(?:\.csv)?['\"]\s*,[^,]+,\s*['\"](\w+)['\"]")
MOST_LOOKED_UP = 200  # rows of a table, from which an example is taken
SAID = "En la calle principal falta agua desde hace tres semanas y nadie responde"
ODD = ("asdf", "???", "12345678901", "no sé", "mmm", "🙂", "quién eres", "-1", "1,2,3,4,5,6,7,8,9")


@dataclass(frozen=True, slots=True)
class Hints:
    """What the expressions of a form compare its answers with, by question."""

    numbers: Mapping[str, Sequence[float]]
    texts: Mapping[str, Sequence[str]]
    wanted: Mapping[str, Mapping[str, Sequence[str]]]  # question -> what makes it relevant


def hints(script: Script) -> Hints:
    numbers, texts = defaultdict[str, set[float]](set), defaultdict[str, set[str]](set)
    for question in script.questions:
        for test in rows.logic_of(question):
            bare = QUOTED.sub("", test.source)
            for name in {*test.names, *([question.name] if test is question.constraint else ())}:
                numbers[name] |= {float(found) for found in NUMBER.findall(bare)}
                texts[name] |= {one or other for one, other in QUOTED.findall(test.source)}
                for table, column in LOOKED_UP.findall(test.source):
                    rows_ = script.tables.get(table, ())[:MOST_LOOKED_UP]
                    texts[name] |= {row.get(column, "") for row in rows_} - {""}
    return Hints(
        {name: sorted(found) for name, found in numbers.items()},
        {name: sorted(found) for name, found in texts.items()},
        {question.name: dict(_wanted(question, script)) for question in script.questions},
    )


def _wanted(question: Question, script: Script) -> Iterator[tuple[str, Sequence[str]]]:
    """The values that a question's relevance, and that of what it looks at, ask for."""
    found = defaultdict[str, list[str]](list)
    to_do, done = [question.name], set[str]()
    while to_do:
        name = to_do.pop()
        if name in done or name not in script.places:
            continue
        done.add(name)
        looked_at = script.question(name)
        tests = (*looked_at.relevant, *([looked_at.calculation] if looked_at.calculation else ()))
        for test in tests:
            for match in WANTED.finditer(test.source):
                found[match["in"] or match["is"]].append(match["value"])
            to_do.extend(test.names)
    yield from found.items()


def good(
    question: Question,
    options: Sequence[Option],
    hints: Hints,
    rng: Random,
    wanted: Sequence[str] = (),
) -> str:
    """A reply that may well be an answer."""
    name = question.base
    match question.type:
        case "select_one":
            return _one(options, rng, wanted)
        case "select_multiple":
            return _several(options, rng, wanted)
        case "rank":
            order = list(range(1, len(options) + 1))
            return ", ".join(map(str, rng.sample(order, len(order))))
        case type_ if type_ in NUMBERS:
            return _number(question, hints.numbers.get(name, ()), rng)
        case "date" | "datetime":
            day = date(2021, 8, 15) - timedelta(days=rng.choice((0, 1, 30, 400, 9000, 20000, -30)))
            return f"{day:%d/%m/%Y}" if question.type == "date" else f"{day:%d/%m/%Y} 9:30"
        case "time":
            return rng.choice(("9:30", "4 de la tarde", "23:10"))
        case "acknowledge":
            return "1"
        case "geopoint":
            return "la plaza"
        case _:
            return _text(question, hints.texts.get(name, ()), rng, wanted)


def _one(options: Sequence[Option], rng: Random, wanted: Sequence[str]) -> str:
    places = [at for at, option in enumerate(options, 1) if option.name in wanted]
    if not options:
        return "1"
    return str(rng.choice(places or range(1, len(options) + 1)))


def _several(options: Sequence[Option], rng: Random, wanted: Sequence[str]) -> str:
    if not options:
        return "1"
    places = [at for at, option in enumerate(options, 1) if option.name in wanted]
    many = min(len(options), rng.choice((1, 1, 2, 2, 3, len(options))))
    return ", ".join(map(str, places or rng.sample(range(1, len(options) + 1), many)))


def _number(question: Question, known: Sequence[float], rng: Random) -> str:
    given = question.parameters
    if question.type == "range":
        start, end = float(given.get("start", 1)), float(given.get("end", 10))
        step = abs(float(given.get("step", 1))) or 1.0
        found = min(start, end) + step * rng.randint(0, int(abs(end - start) / step))
    else:
        near = [value + shift for value in known for shift in (-1, 0, 1)]
        found = rng.choice((*near, 1, 2, 5, 20, 40))
    return str(int(found)) if question.type == "integer" or found == int(found) else str(found)


def _text(question: Question, known: Sequence[str], rng: Random, wanted: Sequence[str]) -> str:
    rule = REGEX.search(question.constraint.source) if question.constraint else None
    if rule and rng.random() < 0.9:
        return matching(rule[1] or rule[2] or "", rng)
    picked = rng.choice((*wanted, *known, SAID, SAID, "Agua", "12")) if known or wanted else SAID
    most = question.parameters.get("max-length")
    return picked[: int(float(most))] if most else picked or SAID


def odd(rng: Random) -> str:
    """A reply that is likely to be none."""
    return rng.choice(ODD)


# a text that a regular expression matches


def matching(pattern: str, rng: Random) -> str:
    """A text that matches a pattern, as far as its parts are ordinary ones."""
    from re import _constants, _parser

    try:
        return _made(_parser.parse(pattern), rng, _constants)
    except (re.error, OverflowError):
        return SAID


def _made(parts: Any, rng: Random, codes: Any) -> str:
    return "".join(_part(code, given, rng, codes) for code, given in parts)


def _part(code: Any, given: Any, rng: Random, codes: Any) -> str:
    if code is codes.LITERAL:
        return chr(given)
    if code is codes.IN:
        inner, what = rng.choice(given)
        return _part(inner, what, rng, codes)
    if code is codes.RANGE:
        return chr(rng.randint(given[0], given[1]))
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        least, most, inner = given
        times = rng.randint(int(least), min(int(most), int(least) + 3))
        return "".join(_made(inner, rng, codes) for _ in range(times))
    if code is codes.SUBPATTERN:
        return _made(given[-1], rng, codes)
    if code is codes.BRANCH:
        return _made(rng.choice(given[1]), rng, codes)
    if code is codes.CATEGORY:
        return {"DIGIT": "7", "SPACE": " ", "WORD": "a"}.get(str(given).rpartition("_")[2], "a")
    return "a" if code in (codes.ANY, codes.NOT_LITERAL) else ""
