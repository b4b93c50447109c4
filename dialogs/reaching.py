"""Which questions and choices no answer leads to, and values waited for that are no choice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dialogs import rows, walking, ways, wishes
from dialogs.domains import NOW
from dialogs.faults import Fault, said
from dialogs.logic import LogicError
from dialogs.questions import CHOSEN, Option, Question, Script
from dialogs.ways import Answers, Ground

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
        waited = (use for test in rows.logic_of(question) for use in wishes.uses(test))
        for use in dict.fromkeys(use for use in waited if use.waits):
            if use.name not in script.places or not isinstance(use.value, str):
                continue
            asked = script.question(use.name)
            if asked.type not in CHOSEN or not asked.options:
                continue
            names = {option.name for option in asked.options}
            for value in sorted(set(use.value.split()) - names) if use.value not in names else ():
                what = said("waits_for_nothing", value=value, asked=use.name)
                yield Fault("survey", question.row, question.name, what)
