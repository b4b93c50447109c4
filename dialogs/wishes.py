"""What a form's expressions ask of its answers, read from their trees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dialogs import datasets, grammar, logic
from dialogs.calls import HANDLERS
from dialogs.closures import NOWHERE, Found
from dialogs.grammar import Token
from dialogs.logic import Expression, LogicError, Value, number

COMPARISONS = frozenset(("=", "!=", "<", "<=", ">", ">="))
ORDERS = frozenset(("<", "<=", ">", ">="))
DATED = frozenset(("date", "date-time", "number"))  # what makes a day or a number of a text
TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}  # with the sides changed
TRUTHS = frozenset(("not", "boolean", "checklist"))  # of what they are given
SELECTED = ("selected", "is-selected")
ASKING = frozenset((*SELECTED, "contains", "starts-with", "ends-with", "regex"))  # about a value
COUNTING = frozenset(("count-selected", "string-length"))
SAME = frozenset(("number", "string", "normalize-space"))  # what they give compares like the answer
COMPUTED = "…"  # through what cannot be turned round: the value is a hint
LOOKED_UP = "pulldata"


@dataclass(frozen=True, slots=True)
class Use:
    """That an expression compares an answer with a value."""

    name: str  # of the question; "." for the one whose expression it is
    through: str  # the function between the two; "" for none
    value: Value | None  # None: not known beforehand
    table: str = ""  # where the answer is looked up, in the column `value`
    waits: bool = False  # whether it holds only for this value


def uses(expression: Expression) -> tuple[Use, ...]:
    """Every use of an answer in an expression, each once."""
    found = Found(expression.source, HANDLERS, expression.place)
    return tuple(dict.fromkeys(_uses(grammar.parse(expression.source), found)))


def parts(expression: Expression) -> tuple[Expression, ...]:
    """What has to hold, all of it, for an expression to hold: the terms of its `and`s."""
    return tuple(_part(expression, term) for term in _terms(grammar.parse(expression.source)))


def unasked(expression: Expression) -> Iterator[tuple[str, str]]:
    """Answers that stand where something has to hold, with nothing that is asked of them; or texts
    that do, as in `${a} = 'x' or 'y'`."""
    to_do = [grammar.parse(expression.source)]
    while to_do:
        token = to_do.pop()
        if token.symbol == "$":
            yield str(token.value), ""
        elif token.symbol == "(string)":
            yield "", str(token.value)
        elif token.symbol in ("and", "or", "(") or _called(token) in ("not", "boolean"):
            to_do += token


def unordered(expression: Expression) -> Iterator[str]:
    """Texts that are neither numbers nor dates, and which something is to be more or less than."""
    to_do = [grammar.parse(expression.source)]
    while to_do:
        token = to_do.pop()
        to_do += token
        for side in token if token.symbol in ORDERS else ():
            text = side[0] if _called(side) in DATED and len(side) == 1 else side
            written = str(text.value) if text.symbol == "(string)" else ""
            if written and number(written) != number(written):
                yield written


def bounds(expression: Expression, name: str) -> tuple[float, float]:
    """Between which numbers a rule lets its answer lie, as far as plain comparisons say."""
    low, high = -math.inf, math.inf
    found = Found(expression.source, HANDLERS, expression.place)
    for term in _terms(grammar.parse(expression.source)):
        if term.symbol not in TURNED:
            continue
        both = (term[0], term[1], term.symbol), (term[1], term[0], TURNED[term.symbol])
        for side, other, sign in both:
            value = _constant(other, found)
            if value is None or _name(side, found) not in (".", name):
                continue
            if sign in (">", ">=", "="):
                low = max(low, number(value))
            if sign in ("<", "<=", "="):
                high = min(high, number(value))
    return low, high


def _terms(token: Token) -> Iterator[Token]:
    if token.symbol == "and":
        yield from _terms(token[0])
        yield from _terms(token[1])
    elif token.symbol == "(" and len(token) == 1:
        yield from _terms(token[0])
    else:
        yield token


def _part(whole: Expression, term: Token) -> Expression:
    found = Found(whole.source, HANDLERS, whole.place)
    node = found.node(term)
    return logic.expression(whole.source, node, found, asks=True)


def _uses(token: Token, found: Found) -> Iterator[Use]:
    if name := _name(token, found):
        yield Use(name, COMPUTED, None)
    elif token.symbol in COMPARISONS:
        for side, other in ((token[0], token[1]), (token[1], token[0])):
            yield from _compared(side, other, found, waits=token.symbol == "=")
    elif token.symbol in ("and", "or") or _called(token) in TRUTHS:
        for term in token:
            yield from _true(term, found)
    elif _called(token) == "if":
        yield from _true(token[0], found)
        for term in list(token)[1:]:
            yield from _uses(term, found)
    elif _called(token) in ASKING:
        through = str(token.value)
        yield from _compared(token[0], token[1], found, through, waits=through in SELECTED)
    elif _called(token) == LOOKED_UP:
        yield from _looked_up(token, found)
    else:
        for term in token:
            yield from _uses(term, found)


def _called(token: Token) -> str:
    return str(token.value) if token.label == "call" else ""


def _name(token: Token, found: Found) -> str:
    """The question whose answer this is; "." for the one in question."""
    match token.symbol:
        case "$" | ".":
            return str(token.value) if token.symbol == "$" else "."
        case "(" if len(token) == 1:
            return _name(token[0], found)
        case "/" | "..":
            try:
                return found.node(token).question
            except LogicError:
                return ""
    return ""


def _true(token: Token, found: Found) -> Iterator[Use]:
    """What is asked whether it is so: an answer is, unless it is empty."""
    if name := _name(token, found):
        yield Use(name, "", "")
    else:
        yield from _uses(token, found)


def _compared(
    side: Token, other: Token, found: Found, through: str = "", *, waits: bool
) -> Iterator[Use]:
    value = _constant(other, found)
    if name := _name(side, found):
        yield Use(name, through if value is not None else COMPUTED, value, waits=waits)
        return
    inner = side[0] if len(side) and _called(side) in COUNTING | SAME else None
    if inner is not None and (name := _name(inner, found)) and value is not None and not through:
        yield Use(name, "" if _called(side) in SAME else _called(side), value)
        return
    yield from _uses(side, found)
    near = [value, *_constants(side, found)]
    for name in {use.name for use in _uses(side, found) if use.through == COMPUTED}:
        yield from (Use(name, COMPUTED, each) for each in near if each is not None)


def _constants(token: Token, found: Found) -> Iterator[Value | None]:
    value = _constant(token, found)
    if value is not None:
        yield value
        return
    for term in token:
        yield from _constants(term, found)


def _constant(token: Token, found: Found) -> Value | None:
    if token.symbol in ("$", ".", "(name)") and token.label != "call":
        return None
    try:
        node = found.node(token)
    except LogicError:
        return None
    return node.run(NOWHERE) if node.constant else None


def _looked_up(token: Token, found: Found) -> Iterator[Use]:
    """pulldata('table', 'column', 'key', ${answer}): the answer is one of the keys."""
    table, _, key, sought = token
    column = _constant(key, found)
    for use in _uses(sought, found):
        if isinstance(column, str) and use.through == COMPUTED:
            yield Use(use.name, LOOKED_UP, column, datasets.stem(str(table.value)))
        else:
            yield use
