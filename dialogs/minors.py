"""Who is under 18, and what they are not asked for, whatever a questionnaire says.

LGPDPPSO 2025, art. 7: the best interest of the child prevails. Nothing sensitive is asked, no
voice is kept without a guardian, nobody is quoted; their opinion counts as everybody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dialogs import logic
from dialogs.questions import Question
from dialogs.state import Dialog, Effect, Revoke, Talk
from dialogs.walking import Library

MINOR = "menor"  # the choice of a question with the role age
ADULT = 18  # years
SPARED = ("sensitive", "voice", "quote")  # kinds of consent that are not asked for
SESSION = "sesion"  # filled in where a facilitator captures for others


def is_minor(age: str) -> bool:
    """By the name of the choice, or by the years."""
    return age == MINOR or (age.isdecimal() and int(age) < ADULT)


def spared(questions: Sequence[Question]) -> tuple[Question, ...]:
    """The questions, those consents asked only of who is not known to be a minor."""
    age = next((question for question in questions if question.role == "age"), None)
    if age is None:
        return tuple(questions)
    test = f"${{{age.name}}} != '{MINOR}'" if age.options else f"not(${{{age.name}}} < {ADULT})"
    adult = logic.compile(test)
    roles = {f"consent:{kind}" for kind in SPARED}
    return tuple(
        replace(each, relevant=(*each.relevant, adult)) if each.role in roles else each
        for each in questions
    )


def follows(question: Question, value: str, *, again: bool) -> list[Effect]:
    """What is not allowed any more by this answer."""
    if question.role == "age" and is_minor(value):
        return [Revoke(kind) for kind in SPARED]
    _, _, kind = question.role.partition("consent:")
    return [Revoke(kind)] if kind and again and value != "si" else []


def voice_refused(dialogs: Sequence[Dialog], library: Library) -> str:
    """The phrase that says why a voice note is not kept; "" if it is. The first dialog that says
    something of it counts."""
    said = [
        (question.role, each.answers.get(question.name, ""))
        for each in dialogs
        for question in library.script(each).questions
        if question.role in ("age", "consent:voice")
        and (each.answers.get(question.name) or question.name in each.passed)
    ]
    if any(role == "age" and is_minor(value) for role, value in said):
        return "voice_minor"
    consent = next((value for role, value in said if role == "consent:voice"), "si")  # "": skipped
    return "" if consent == "si" else "voice_no_consent"


def of_one(talk: Talk, dialog: Dialog) -> list[Dialog]:
    """The dialogs of the person who speaks in this one, it and then the newest first: what a
    facilitator captured for others says nothing of whoever comes next."""
    others = [each for each in (*talk.closed, *talk.dialogs) if each.id != dialog.id]
    if SESSION in dialog.answers:
        return [dialog]
    return [dialog, *(each for each in reversed(others) if SESSION not in each.answers)]
