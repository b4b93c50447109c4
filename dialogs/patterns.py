"""Regular expressions that a form's author writes and a citizen's text is held against.

`re` tries one way after another, and `^([a-z]+ ?)+$`, as people write it for names, has it try
2**n of them. A pattern in which repeats stand in repeats, or follow one another, is therefore
run by following all ways at once: its time grows with the text, whatever the pattern.
"""

import math
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")  # private, but unchanged since Python 1.6

Places = set[int]
Step = Callable[[str, Places], Places]
Search = Callable[[str], bool]
WAYS = 4_000  # as many ways to match may be tried one after another, at each place
OPEN = 1_000  # an open repeat counts as so many


class PatternError(ValueError):
    """What is wrong with a pattern."""


@lru_cache(maxsize=512)
def searcher(pattern: str) -> Search:
    """Whether a text holds the pattern. As in browsers and on phones, \\w and \\d are ASCII's."""
    try:
        compiled = re.compile(pattern, re.ASCII)
        tree = _parser.parse(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(str(error)) from None
    if _ways(tree) <= WAYS:
        return lambda text: compiled.search(text) is not None
    if tree.state.flags & ~(re.ASCII | re.UNICODE):
        raise PatternError("(?…) flags do not go with repeats in repeats")
    step = _sequence(tree)
    return lambda text: bool(step(text, set(range(len(text) + 1))))


def _ways(tree: Any) -> float:
    """About how many ways there are to match a text from one place on."""
    ways = 1.0
    for name, argument in tree:
        inner = [_ways(part) for part in _parts(argument)]
        if name in _REPEATS:
            least, most, _ = argument
            ways *= (
                math.inf if most > 1 and inner[0] > 1 else inner[0] * (min(most - least, OPEN) + 1)
            )
        elif name is _parser.BRANCH:
            ways *= sum(inner)
        else:
            ways *= math.prod(inner)
    return ways


def _parts(argument: Any) -> Iterable[Any]:
    """The patterns within what a piece of a pattern is made of."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _parts(part)


_REPEATS = (_parser.MAX_REPEAT, _parser.MIN_REPEAT)
_CATEGORIES = {
    _parser.CATEGORY_DIGIT: r"\d",
    _parser.CATEGORY_NOT_DIGIT: r"\D",
    _parser.CATEGORY_SPACE: r"\s",
    _parser.CATEGORY_NOT_SPACE: r"\S",
    _parser.CATEGORY_WORD: r"\w",
    _parser.CATEGORY_NOT_WORD: r"\W",
}


def _sequence(tree: Any) -> Step:
    steps = [_piece(name, argument) for name, argument in tree]

    def follow(text: str, places: Places) -> Places:
        for step in steps:
            places = step(text, places)
        return places

    return follow


def _piece(name: Any, argument: Any) -> Step:
    if name in _REPEATS:
        least, most, body = argument
        return _repeat(least, most, _sequence(body))
    if name is _parser.BRANCH:
        ways = [_sequence(way) for way in argument[1]]
        return lambda text, places: set().union(*(way(text, places) for way in ways))
    if name is _parser.SUBPATTERN:
        return _sequence(argument[3])
    if name in (_parser.ASSERT, _parser.ASSERT_NOT) and argument[0] > 0:
        return _ahead(_sequence(argument[1]), wanted=name is _parser.ASSERT)
    if name is _parser.AT:
        return _anchor(argument)
    return _letter(_letter_test(name, argument))


def _repeat(least: int, most: int, body: Step) -> Step:
    def follow(text: str, places: Places) -> Places:
        for _ in range(least):
            before, places = places, body(text, places)
            if places == before:
                break
        reached, fresh, count = set(places), places, least
        while fresh and count < most:
            fresh = body(text, fresh) - reached
            reached |= fresh
            count += 1
        return reached

    return follow


def _ahead(body: Step, *, wanted: bool) -> Step:
    return lambda text, places: {at for at in places if bool(body(text, {at})) == wanted}


def _anchor(kind: Any) -> Step:
    if kind in (_parser.AT_BEGINNING, _parser.AT_BEGINNING_STRING):
        return lambda _, places: places & {0}
    if kind is _parser.AT_END:  # also before a last line break, as `re` has it
        return lambda text, places: places & {len(text), len(text.removesuffix("\n"))}
    if kind is _parser.AT_END_STRING:
        return lambda text, places: places & {len(text)}
    if kind is _parser.AT_BOUNDARY:
        edge = re.compile(r"\b", re.ASCII)
        return lambda text, places: {at for at in places if edge.match(text, at)}
    raise PatternError("\\B does not go with repeats in repeats")


def _letter(test: Callable[[str], object]) -> Step:
    def follow(text: str, places: Places) -> Places:
        return {at + 1 for at in places if at < len(text) and test(text[at])}

    return follow


def _letter_test(name: Any, argument: Any) -> Callable[[str], object]:
    if name is _parser.LITERAL:
        return chr(argument).__eq__
    if name is _parser.NOT_LITERAL:
        return chr(argument).__ne__
    if name is _parser.ANY:
        return "\n".__ne__
    if name is _parser.RANGE:
        first, last = map(chr, argument)
        return lambda letter: first <= letter <= last
    if name is _parser.CATEGORY:
        return re.compile(_CATEGORIES[argument], re.ASCII).match
    if name is not _parser.IN:
        raise PatternError("back references do not go with repeats in repeats")
    negated = argument[0][0] is _parser.NEGATE
    tests = [_letter_test(*item) for item in argument[negated:]]
    return lambda letter: any(test(letter) for test in tests) != negated
