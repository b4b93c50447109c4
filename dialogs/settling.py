"""What follows from an answer: computed values, presets, and answers that no longer count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from dialogs import dates, functions, logic, walking
from dialogs.logic import Expression, Scope
from dialogs.questions import Question, Script
from dialogs.state import Dialog, Effect, Keep, SetAside, TakeBack
from dialogs.walking import Library

MOST_PASSES = 12  # over a form whose answers change one another
CLEARED = "⌫"  # stands for an answer that its trigger has taken away: never taken back
VOICE = "🎤"  # stands for a recording where an expression or a label asks for the answer


@dataclass(slots=True)
class Work:
    """A dialog's answers while what follows from one of them is found."""

    dialog: Dialog
    script: Script
    library: Library
    changed: str
    held: dict[str, str]
    aside: dict[str, str]
    values: dict[str, str]  # held, and the empty places of repeats
    concerned: frozenset[str] = frozenset()  # those that look at what changed; empty: all
    again: set[str] = field(default_factory=set)  # to be asked once more
    known: dict[str, bool] = field(default_factory=dict)  # tests, until an answer changes

    def put(self, name: str, value: str) -> None:
        self.held[name] = self.values[name] = value
        self.known.clear()

    def set_aside(self, name: str) -> None:
        self.aside[name] = self.held.pop(name)
        self.values.pop(name)
        self.known.clear()


def settle(dialog: Dialog, library: Library, changed: str = "") -> tuple[Dialog, list[Effect]]:
    """Compute, preset, set aside what is irrelevant now, take back what is relevant again."""
    script = library.script(dialog)
    if changed and not script.repeats and changed not in script.dependents:
        return dialog, []
    work = Work(dialog, script, library, changed, {**dialog.answers}, {**dialog.aside}, {})
    if changed and not script.repeats:
        work.concerned = script.dependents[changed]
    for _ in range(MOST_PASSES):
        before = dict(work.held)
        _pass(work)
        work.changed = ""
        if work.held == before:
            break
    passed = tuple(name for name in dialog.passed if name not in work.again)
    settled = dialog._replace(answers=work.held, aside=work.aside, passed=passed)
    return settled, _moved(dialog, settled)


def without(dialog: Dialog, name: str, library: Library) -> tuple[Dialog, list[Effect]]:
    """Leave empty what is preset and breaks a rule, and settle what follows."""
    held = {other: value for other, value in dialog.answers.items() if other != name}
    return settle(dialog._replace(answers=held), library, name)


def _moved(before: Dialog, settled: Dialog) -> list[Effect]:
    gone = tuple(name for name in before.answers if name not in settled.answers)
    back = tuple(
        name
        for name in settled.answers
        if name in before.aside and name not in before.answers and name not in settled.aside
    )
    effects: list[Effect] = [SetAside(settled, gone)] if gone else []
    return [*effects, TakeBack(settled, back)] if back else effects


def _pass(work: Work) -> None:
    script = work.script
    work.values = walking.with_blanks(work.held, work.dialog, work.library)
    work.known.clear()
    here = walking.over(work.values, script, work.dialog, work.library)
    seen = set[str]()
    for question in _concerned(work, here):
        seen.add(question.name)
        if not walking.holds(question, here, script, work.known):
            if question.name in work.held:
                work.set_aside(question.name)
        else:
            _follow(question, walking.at(here, question, script), work)
    for name in [name for name in work.held if name not in seen and "#" in name]:
        work.set_aside(name)  # of an instance that is there no more


def _concerned(work: Work, here: Scope) -> Iterable[Question]:
    """The questions that may have changed, in order; with repeats, all."""
    if not work.concerned:
        return walking.steps(work.script, here)
    return [each for each in work.script.questions if each.name in work.concerned]


def _follow(question: Question, here: Scope, work: Work) -> None:
    """A relevant question: its value computed, cleared, taken back, asked again or preset."""
    name = question.name
    if question.calculation is not None and (question.computed or _triggered(question, work)):
        value = computed(question, replace(here, this=work.held.get(name, "")))
        if value != work.held.get(name, ""):
            work.put(name, value)
    elif name in work.held and _triggered(question, work):
        work.set_aside(name)
        work.aside[name] = CLEARED
        work.again.add(name)
    elif name in work.held:
        if name in work.dialog.passed and _stale(question, work.held[name], here, work):
            work.set_aside(name)
            work.again.add(name)
    elif name in work.aside:
        if not _stale(question, work.aside[name], here, work):
            work.put(name, work.aside.pop(name))
    elif name not in work.dialog.passed and (value := _preset(question, here)):
        work.put(name, value)


def computed(question: Question, here: Scope) -> str:
    """The value of a calculation; what is no number is no answer, as in JavaRosa."""
    assert question.calculation is not None
    value = question.calculation.evaluate(here)
    if question.type == "integer":
        value = functions.to_int(value)
    return "" if value != value else logic.text(value)


def _triggered(question: Question, work: Work) -> bool:
    base, _, instance = work.changed.partition("#")
    here = f"{question.instance}#".startswith(f"{instance}#") or not instance
    return base in question.trigger and here


def _stale(question: Question, value: str, here: Scope, work: Work) -> bool:
    """Whether a choice was filtered out since, or a rule that looks at other answers is broken."""
    if value in ("", VOICE, CLEARED):
        return value == CLEARED
    if question.choice_filter is not None:
        names = {option.name for option in walking.standing(question, here, work.script)}
        if not names.issuperset(value.split() if question.type != "select_one" else (value,)):
            return True
    rule = question.constraint
    if rule is None or not rule.names - {question.base}:
        return False
    return not logic.truth(rule.evaluate(replace(here, this=value)))


def _preset(question: Question, here: Scope) -> str:
    """The value before anybody was asked."""
    if question.type in ("start", "today"):
        if here.now is None:
            return ""
        stamp = dates.stamp(here.now.astimezone(here.zone))
        return stamp if question.type == "start" else stamp[:10]
    if isinstance(question.default, Expression):
        value = question.default.evaluate(here)
        return "" if value != value else logic.text(value)
    return question.default


def found(dialog: Dialog, library: Library) -> list[Effect]:
    """What nobody was asked, to be stored when the dialog ends."""
    script, here = library.script(dialog), walking.scope(dialog, library)
    kept: list[Effect] = []
    for question in walking.steps(script, here):
        value = dialog.answers.get(question.name, "")
        if question.type == "end" and library.now:
            value = dates.stamp(library.now.astimezone(here.zone))
        if value and not question.asked and walking.holds(question, here, script):
            value, said = ("", value) if question.base in script.personal else (value, "")
            kept.append(
                Keep(dialog, question.name, question.role, value, said, None, 0.0, again=True)
            )
    return kept
