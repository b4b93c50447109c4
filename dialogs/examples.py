"""Replies that people might give to a question: good ones, odd ones, and commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any

from dialogs.questions import Option, Question
from dialogs.replies import LONG

SAID = "En la calle principal falta agua desde hace tres semanas y nadie responde"
ODD = ("asdf", "???", "12345678901", "no sé", "mmm", "🙂", "quién eres", "-1", "1,2,3,4,5,6,7,8,9")


def reply(question: Question, value: str, options: Sequence[Option], rng: Random) -> str:
    """How somebody says that this is their answer."""
    if not value:
        return "saltar"
    names = [option.name for option in options]
    match question.type:
        case "select_one" if len(options) > LONG:
            option = options[names.index(value)] if value in names else rng.choice(options)
            return next(iter(option.label.values()), option.name)
        case "select_one" | "select_multiple" | "rank":
            meant = [value] if question.type == "select_one" else value.split()
            places = [str(names.index(name) + 1) for name in meant if name in names]
            return ", ".join(places) or "1"
        case "acknowledge":
            return "1"
        case "geopoint":
            return "la plaza"
        case "datetime":
            return value[: len("2021-08-15T09:30")]
        case "time":
            return value[: len("09:30")]
        case _:
            most = question.parameters.get("max-length")
            return value[: int(float(most))] if most else value


def good(question: Question, options: Sequence[Option], known: Sequence[str], rng: Random) -> str:
    """A reply that may well be an answer; `known` are answers that something depends on."""
    names = [option.name for option in options]
    answers = [value for value in known if value]
    match question.type:
        case "select_one":
            value = rng.choice(names) if names else "1"
        case "select_multiple":
            many = min(len(names), rng.choice((1, 1, 2, 2, 3, max(len(names), 1))))
            value = " ".join(rng.sample(names, many)) or "1"
        case "rank":
            value = " ".join(rng.sample(names, len(names))) or "1"
        case _:
            value = rng.choice(answers or (SAID,))
    return reply(question, value, options, rng)


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
