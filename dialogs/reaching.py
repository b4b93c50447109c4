"""Which questions and choices no answer leads to: found by trying every answer that matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, combinations, product
from math import prod

from dialogs import examples, logic, rows, walking
from dialogs.examples import Hints
from dialogs.logic import LogicError, Scope
from dialogs.questions import CHOSEN, NUMBERS, Fault, Option, Question, Script
from dialogs.state import Dialog
from dialogs.walking import Library

MOST_TRIALS = 20_000  # combinations of answers; with more, nothing is claimed
NOW = datetime(2021, 8, 15, 18, tzinfo=UTC)
REACH = "Correct its relevant, or that of its group."


@dataclass(frozen=True, slots=True)
class Ground:
    """What the trials stand on."""

    script: Script
    hints: Hints
    here: Scope


def faults(script: Script) -> list[Fault]:
    """Questions that are never asked, choices that never stand, values that are no choice."""
    library = Library(lambda _form, _version: script, now=NOW)
    here = walking.over({}, script, Dialog("x", script.name, script.version), library)
    ground = Ground(script, examples.hints(script), here)
    found = chain.from_iterable(_of(question, ground) for question in script.questions)
    return [*found, *_no_choices(script)]


def _of(question: Question, ground: Ground) -> Iterator[Fault]:
    if question.name.endswith(".title") or question.role == "repeat":
        return
    if question.relevant and _reached(question, ground) is False:
        problem = "No answer leads to this question."
        yield Fault("survey", question.row, question.name, problem, REACH)
    elif question.choice_filter is not None:
        for option in _never(question, ground):
            problem = f"The choice '{option.name}' is never offered."
            yield Fault("survey", question.row, question.name, problem, "Correct choice_filter.")


def _reached(question: Question, ground: Ground) -> bool | None:
    """Whether some answers lead there; None if there are too many to try."""
    names = {name for test in question.relevant for name in test.names}
    trials = _trials(names, question, ground)
    if trials is None:
        return None
    return any(walking.holds(question, _in(question, scope), ground.script) for scope in trials)


def _never(question: Question, ground: Ground) -> Sequence[Option]:
    assert question.choice_filter is not None
    trials = _trials(set(question.choice_filter.names), question, ground)
    waiting = {option.name: option for option in question.options}
    if trials is None or not ground.script.places:
        return ()
    for scope in trials:
        for option in walking.standing(question, _in(question, scope), ground.script):
            waiting.pop(option.name, None)
        if not waiting:
            break
    return tuple(waiting.values())


def _in(question: Question, scope: Scope) -> Scope:
    return replace(scope, position=1) if question.repeat else scope


def _trials(names: set[str], question: Question, ground: Ground) -> Iterator[Scope] | None:
    """Every combination of the answers that matter here; None if there are too many."""
    places = ground.script.places
    free = [
        ground.script.question(name) for name in sorted(_closure(names, ground), key=_place(places))
    ]
    if question.repeat or any(each.repeat for each in free):
        return None  # how many instances there are is beyond trying
    if any(name not in places for name in names):
        return None
    domains = [_domain(each, ground) for each in free]
    if any(domain is None for domain in domains):
        return None
    values = [domain for domain in domains if domain is not None]
    if prod(map(len, values)) > MOST_TRIALS:
        return None
    return (_settled(free, combination, ground) for combination in product(*values))


def _place(places: Mapping[str, int]):  # type: ignore[no-untyped-def]  # a key for sorted()
    return lambda name: places[name]


def _closure(names: set[str], ground: Ground) -> set[str]:
    """The questions on which these depend, themselves among them."""
    found, to_do = set[str](), [name for name in names if name in ground.script.places]
    while to_do:
        name = to_do.pop()
        if name in found:
            continue
        found.add(name)
        looked_at = ground.script.question(name)
        tests = (*looked_at.relevant, *([looked_at.calculation] if looked_at.calculation else ()))
        to_do.extend(
            other for test in tests for other in test.names if other in ground.script.places
        )
    return found


def _domain(question: Question, ground: Ground) -> Sequence[str] | None:
    """The answers worth trying; None where what matters cannot be listed."""
    if question.computed or question.type == "note":
        return ("",)
    if question.type in CHOSEN:
        names = [option.name for option in question.options]
        if question.type == "select_one":
            return ["", *names]
        pairs = [" ".join(pair) for pair in combinations(names, 2)]
        return _allowed(question, ["", *names, *pairs, " ".join(names)], ground)
    if question.type in NUMBERS:
        near = {
            value + shift
            for value in ground.hints.numbers.get(question.name, ())
            for shift in (-1, -0.5, 0, 0.5, 1)
        }
        whole = question.type == "integer"
        texts = {str(int(value)) for value in near if value == int(value)}
        texts |= set() if whole else {str(value) for value in near}
        return _allowed(question, ["", *sorted(texts | {"0", "1", "7", "1000"})], ground)
    if question.type == "acknowledge":
        return ("", "OK")
    return None


def _allowed(question: Question, values: Sequence[str], ground: Ground) -> Sequence[str]:
    """Those that the question's own rule lets through."""
    rule = question.constraint
    if rule is None or rule.names - {question.name}:
        return values
    scopes = ((value, replace(ground.here, this=value)) for value in values)
    return [value for value, scope in scopes if not value or logic.truth(rule.evaluate(scope))]


def _settled(free: Sequence[Question], values: Sequence[str], ground: Ground) -> Scope:
    """These answers, without those that would not be asked for."""
    held: dict[str, str] = {}
    scope = replace(ground.here, values=held)
    for question, value in zip(free, values, strict=True):
        if not walking.holds(question, scope, ground.script):
            continue
        if question.calculation is not None and question.computed:
            value = logic.text(question.calculation.evaluate(scope))
        if value:
            held[question.name] = value
    return scope


def _no_choices(script: Script) -> Iterator[Fault]:
    """Expressions that wait for a choice which its list does not have."""
    for question in script.questions:
        for test in dict.fromkeys(rows.logic_of(question)):
            for match in examples.WANTED.finditer(test.source):
                name, value = match["in"] or match["is"], match["value"]
                if name not in script.places or not value:
                    continue
                asked = script.question(name)
                if asked.type not in CHOSEN or not asked.options:
                    continue
                if value not in {option.name for option in asked.options}:
                    problem = f"It waits for '{value}', which is no choice of {name}."
                    cure = "Correct the name of the choice, or add it to the list."
                    yield Fault("survey", question.row, question.name, problem, cure)


def safely(script: Script) -> list[Fault]:
    """As `faults`; an expression that cannot be tried claims nothing."""
    try:
        return faults(script)
    except LogicError:
        return []
