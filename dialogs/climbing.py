"""Answers sought step by step, each nearer to what has to hold: for sums, scores and levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from random import Random

from dialogs import grammar, wishes
from dialogs.calls import HANDLERS
from dialogs.closures import Found, as_number, as_text, as_truth
from dialogs.grammar import Token
from dialogs.logic import Expression, Scope
from dialogs.questions import Question, Script

Measure = Callable[[Scope], float]  # how far answers are from what has to hold; 0.0 if it does
FAR = 1000.0  # of what holds or does not, with nothing between the two
STARTS, ROUNDS = 4, 4  # from how many answers by chance, how often through all questions
MOST_TRIED = 1500  # sets of answers
MOST_VALUES = 12  # of one question in a round
DEEPEST = 12  # calculations read one within another
CONSTANTS = ("(string)", "(integer)", "(decimal)")
OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def climb(
    order: Sequence[Question],
    worth: Callable[[Question], Sequence[str]],
    values: Callable[[Question], Sequence[str]],
    held: MutableMapping[str, str],
    far: Callable[[], float],
    rng: Random,
) -> bool:
    """Whether answers were found; they are in `held`, which `worth` and `far` look at.

    `worth` are the answers that a question may have after those before it, none if it may not
    be asked at all; `values` all that it may ever have.
    """

    def answered(wanted: Mapping[str, str]) -> float:
        held.clear()
        for question in order:
            allowed = worth(question)
            if not allowed:
                return math.inf
            value = wanted.get(question.name, "")
            if value := value if value in allowed else allowed[0]:
                held[question.name] = value
        return far()

    asked = [question for question in order if not question.computed]
    left = MOST_TRIED
    for _ in range(STARTS):
        said = {question.name: [each for each in values(question) if each] for question in asked}
        wanted = {name: rng.choice(each) for name, each in said.items() if each}
        best = answered(wanted)
        for _ in range(ROUNDS):
            before = best
            for question in rng.sample(asked, len(asked)):
                among = values(question)
                for value in rng.sample(among, min(len(among), MOST_VALUES)):
                    left -= 1
                    now = answered({**wanted, question.name: value})
                    if now == 0:
                        return True
                    if now < best:
                        best, wanted = now, {**wanted, question.name: value}
                    if left < 0:
                        return False
            if best == before:
                break
    return False


def measure(terms: Sequence[Expression], script: Script) -> Measure:
    whole = {term.key: term for term in terms}
    parts = [_far(grammar.parse(each.source), _found(each), script, 0) for each in whole.values()]
    return lambda scope: sum(part(scope) for part in parts)


def _found(expression: Expression) -> Found:
    return Found(expression.source, HANDLERS, expression.place)


def _far(token: Token, found: Found, script: Script, depth: int, *, so: bool = True) -> Measure:
    """How far an expression is from holding; or, unless `so`, from not holding."""
    if token.symbol == "(" and len(token) == 1:
        return _far(token[0], found, script, depth, so=so)
    if token.label == "call" and token.value == "not" and len(token) == 1:
        return _far(token[0], found, script, depth, so=not so)
    if token.symbol in ("and", "or"):
        one, other = (_far(part, found, script, depth, so=so) for part in token)
        if (token.symbol == "and") is so:
            return lambda scope: one(scope) + other(scope)
        return lambda scope: min(one(scope), other(scope))
    if token.symbol in wishes.COMPARISONS:
        return _compared(token, found, script, depth, so=so)
    truth = as_truth(found.node(token))
    return lambda scope: 0.0 if truth(scope) is so else FAR


def _compared(token: Token, found: Found, script: Script, depth: int, *, so: bool) -> Measure:
    sign = token.symbol if so else OPPOSITE[token.symbol]
    for side, other in ((token[0], token[1]), (token[1], token[0])):
        if sign in ("=", "!=") and other.symbol in CONSTANTS and depth < DEEPEST:
            value = as_text(found.node(other))(Scope({}))
            return _equal(side, value, found, script, depth, so=sign == "=")
    left, right = as_number(found.node(token[0])), as_number(found.node(token[1]))
    holds = as_truth(found.node(token))

    def far(scope: Scope) -> float:
        if holds(scope) is so:
            return 0.0
        distance = abs(left(scope) - right(scope))
        return FAR if sign == "!=" or distance != distance else distance + 1e-6

    return far


def _equal(
    token: Token, value: str, found: Found, script: Script, depth: int, *, so: bool
) -> Measure:
    """How far what an expression gives is from a value: through each branch of its ifs."""
    if token.label == "call" and token.value == "if" and len(token) == 3:
        then = _equal(token[1], value, found, script, depth, so=so)
        otherwise = _equal(token[2], value, found, script, depth, so=so)
        yes = _far(token[0], found, script, depth)
        no = _far(token[0], found, script, depth, so=False)
        return lambda scope: min(yes(scope) + then(scope), no(scope) + otherwise(scope))
    name = str(token.value) if token.symbol == "$" else ""
    calculation = script.question(name).calculation if name in script.places else None
    if calculation is not None and depth < DEEPEST:
        inner = _found(calculation)
        return _equal(grammar.parse(calculation.source), value, inner, script, depth + 1, so=so)
    node = found.node(token)
    here, number = as_text(node), as_number(node)

    def far(scope: Scope) -> float:
        if (here(scope) == value) is so:
            return 0.0
        try:
            distance = abs(number(scope) - float(value))
        except ValueError:
            return FAR
        return distance if so and distance == distance else FAR

    return far
