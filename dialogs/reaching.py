"""Which questions and choices no answer leads to, and values waited for that are no choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations

from dialogs import logic, rows, walking, ways, wishes
from dialogs.closures import NOWHERE
from dialogs.domains import NOW
from dialogs.faults import Fault, said
from dialogs.logic import LogicError, Scope
from dialogs.questions import CHOSEN, Option, Question, Script
from dialogs.ways import Answers, Ground

MOST_TOGETHER = 10  # choices of several that are tried in every combination
MOST_UNCLEAR = 20  # choices of a question whose filter cannot be seen through


def faults(script: Script, now: datetime = NOW) -> list[Fault]:
    """Questions that are never asked, choices that never stand, values that are no choice.

    Only what is certain: where answers cannot all be tried, nothing is claimed. An expression
    that cannot be tried at all claims nothing either.
    """
    try:
        return [*_unreached(ways.ground(script, now)), *_no_choices(script)]
    except LogicError:
        return []


def sound(script: Script, known: Sequence[Fault]) -> Script:
    """The script with plain questions where they, or what they look at, are known to be at fault:
    of those nothing can be claimed."""
    doubtful = _doubtful(script, known) if known else frozenset()
    asked = (_plain(each) if each.name in doubtful else each for each in script.questions)
    return replace(script, questions=tuple(asked))


def _doubtful(script: Script, known: Sequence[Fault]) -> frozenset[str]:
    """The questions at fault, those that look at what is not there, and all that look at those."""
    rows_at_fault = {fault.row for fault in known if fault.sheet == "survey"}
    lists_at_fault = any(fault.said.kind == "column_missing" for fault in known)
    first = {
        question.name
        for question in script.questions
        if question.row in rows_at_fault
        or (lists_at_fault and question.options)
        or not {name for test in rows.logic_of(question) for name in test.names}
        <= script.places.keys()
    }
    return frozenset(first.union(*(script.dependents.get(name, ()) for name in first)))


def _plain(question: Question) -> Question:
    return Question(question.row, "text", question.name, question.label, repeat=question.repeat)


def _unreached(ground: Ground) -> Iterator[Fault]:
    before: Answers = {}
    for question in ground.script.questions:
        if question.name.endswith(".title") or question.role == "repeat":
            continue
        found = ways.to(question, ground, before)
        before = {**before, **(found.answers or {})}
        if question.relevant and found.impossible:
            yield Fault("survey", question.row, question.name, said("unreachable"))
        elif question.choice_filter is not None:
            for option in _never(question, ground):
                what = said("never_offered", option=option.name)
                yield Fault("survey", question.row, question.name, what)


def _never(question: Question, ground: Ground) -> Iterator[Option]:
    waiting = {option.name: option for option in question.options}
    unclear = 0
    while waiting and unclear < MOST_UNCLEAR:
        option = waiting.pop(next(iter(waiting)))
        found = ways.offering(question, option, ground)
        if found.impossible:
            yield option
        elif found.answers is None:
            unclear += 1
        else:
            scope = ways.under(found.answers, question, ground)
            for other in walking.standing(question, scope, ground.script):
                waiting.pop(other.name, None)


def _no_choices(script: Script) -> Iterator[Fault]:
    """Expressions that wait for a choice which its list does not have."""
    for question in script.questions:
        tests = [(column, wishes.uses(test)) for column, test in rows.tests(question)]
        waited = {use: column for column, uses in reversed(tests) for use in uses if use.waits}
        for use, column in waited.items():
            if use.name not in script.places or not isinstance(use.value, str):
                continue
            asked = script.question(use.name)
            if asked.type not in CHOSEN or not asked.options:
                continue
            names = {option.name for option in asked.options}
            for value in sorted(set(use.value.split()) - names) if use.value not in names else ():
                what = said("waits_for_nothing", value=value, asked=use.name, column=column)
                yield Fault("survey", question.row, question.name, what)


def warnings(script: Script, now: datetime = NOW) -> Iterator[Fault]:
    """Choices that a question's own rule never lets through, whatever is chosen besides: often
    meant so, as where one has to agree. Repeats that may be asked more often than a chat does."""
    yield from (_many(ways.ground(script, now)) if script.repeats else ())
    asked = [question for question in script.questions if _ruled(question)]
    here = ways.ground(script, now).here if asked else NOWHERE
    for question in asked:
        taken = {name for names in _tried(question) if _taken(question, names, here)
                 for name in names}  # fmt: skip
        for option in question.options:
            if option.name not in taken:
                what = said("never_taken", option=option.name)
                yield Fault("survey", question.row, question.name, what)


def _many(ground: Ground) -> Iterator[Fault]:
    """Of what is counted by one answer at most: by several, nothing is claimed."""
    for repeat in ground.script.repeats.values():
        if repeat.count is None or len(repeat.count.names) > 1:
            continue
        name = next(iter(repeat.count.names), "")
        tried = ground.domains[name].values if name in ground.domains else ("",)
        each = (replace(ground.here, values={name: value}) for value in tried)
        most = max(walking.wanted(repeat.count, here) for here in each)
        if most > walking.MOST_INSTANCES:
            what = said("repeat_many", count=most, most=walking.MOST_INSTANCES)
            yield Fault("survey", repeat.row, repeat.name, what)


def _ruled(question: Question) -> bool:
    rule = question.constraint
    if rule is None or rule.names - {question.name} or ways.CHANGING.search(rule.source):
        return False
    few = len(question.options) <= MOST_TOGETHER
    return question.type == "select_one" or (question.type == "select_multiple" and few)


def _tried(question: Question) -> Iterator[tuple[str, ...]]:
    names = [option.name for option in question.options]
    most = 1 if question.type == "select_one" else len(names)
    for size in range(1, most + 1):
        yield from combinations(names, size)


def _taken(question: Question, names: tuple[str, ...], here: Scope) -> bool:
    assert question.constraint is not None
    value = " ".join(names)
    scope = replace(here, this=value, values={question.name: value})
    return logic.truth(question.constraint.evaluate(scope))
