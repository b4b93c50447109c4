"""How a questionnaire is walked: what is relevant, what stands, what follows from an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import NamedTuple

from dialogs import closures, functions, logic
from dialogs.logic import Expression, Scope
from dialogs.questions import REFERENCE, REPEAT_ROLE, Option, Question, Repeat, Script
from dialogs.state import EMPTY, Dialog, Disposition
from dialogs.values import in_language

MOST_INSTANCES = 100  # of a repeat, whatever its count says
MOST_KEPT = 2000  # answers for which it is known which choices stand: a turn asks several times
UNSTEADY = re.compile(r"\b(?:today|now|random|uuid|once|position)\s*\(|jr:")
LAST = ("yes", "true", "1", "si", "sí")


class Library(NamedTuple):
    """What the engine may look up: scripts by form and version, and facts that labels may name."""

    lookup: Callable[[str, int], Script]
    facts: Mapping[str, str] = EMPTY
    now: datetime | None = None  # when what is being answered was heard
    language: str | None = None  # of the person, for the labels of choices
    counting: bool = True  # whether "3 de 12" is said: it looks at every question

    def script(self, dialog: Dialog) -> Script:
        return self.lookup(dialog.form, dialog.version)


# what expressions see


def scope(dialog: Dialog, library: Library) -> Scope:
    script = library.script(dialog)
    values = with_blanks(dialog.answers, dialog, library) if script.repeats else dialog.answers
    return over(values, script, dialog, library)


def over(
    values: Mapping[str, str], script: Script, dialog: Dialog, library: Library, this: str = ""
) -> Scope:
    """What expressions see over these values; `this` is the answer in question."""
    return Scope(
        values=values,
        this=this,
        chains=script.chains or None,
        now=library.now,
        label=lambda question, names: _label(script, question, names, library.language),
        table=lambda name: script.tables.get(name, ()),
        seed=dialog.id,
    )


def _label(script: Script, question: str, names: str, language: str | None) -> str:
    labels = {option.name: option.label for option in script.question(question).options}
    chosen = [in_language(labels[name], language) for name in names.split() if name in labels]
    return ", ".join(chosen) or (in_language(labels[names], language) if names in labels else "")


def with_blanks(held: Mapping[str, str], dialog: Dialog, library: Library) -> dict[str, str]:
    """Answers, and empty places for what repeats ask, so that expressions count instances."""
    script, values = library.script(dialog), dict(held)
    _blank(values, script, over(values, script, dialog, library))
    return values


def _blank(values: dict[str, str], script: Script, here: Scope) -> None:
    """The empty places of the repeats right within those where we are, and of repeats in them."""
    for repeat in script.repeats.values():
        if repeat.chain[:-1] != here.within or not _all_hold(repeat.relevant, here):
            continue
        for number in range(1, count(repeat, here) + 1):
            path = _further(here.path, number)
            names = (repeat.name, *(repeat.inside if number == 1 else ()))
            for name in names:
                values.setdefault(f"{name}#{path}", "")
            _blank(values, script, replace(here, path=path, within=repeat.chain))


def _all_hold(tests: Iterable[Expression], here: Scope) -> bool:
    return all(logic.truth(test.evaluate(here)) for test in tests)


def _further(path: str, number: int) -> str:
    return f"{path}#{number}" if path else str(number)


def _going_on(here: Scope, repeat: Repeat) -> int:
    """How many instances there are when each is asked for by the one before."""
    number = 1
    while number < repeat.most:
        asked = f"{repeat.name}#{_further(here.path, number)}"
        if here.values.get(asked) != "si":
            break
        number += 1
    return number


def named(name: str, by: Question | None, answers: Mapping[str, str], script: Script) -> str:
    """The answer that a text of a question names: in a repeat, of the same instance."""
    path = by.instance if by else ""
    within = script.chains[by.base] if by and path else ()
    here = Scope(answers, path=path, within=within, chains=script.chains)
    return answers.get(closures.key(name, here), "")


def at(here: Scope, question: Question, script: Script) -> Scope:
    """The scope as this question sees it, in its instance of a repeat."""
    if not question.instance:
        return here
    return replace(here, path=question.instance, within=script.chains[question.base])


def steps(script: Script, here: Scope) -> Iterable[Question]:
    """Every question in order, those of a repeat once for each instance."""
    return _steps(script, here, 0, len(script.questions)) if script.repeats else script.questions


def _steps(script: Script, here: Scope, place: int, end: int) -> Iterator[Question]:
    """The questions from one place to another, as the instance where we are asks them."""
    depth = len(here.within)
    while place < end:
        question = script.questions[place]
        chain = script.chains.get(question.name, ())
        if len(chain) > depth:
            repeat = script.repeats[chain[depth]]
            for number in range(1, count(repeat, here) + 1):
                inner = replace(here, path=_further(here.path, number), within=repeat.chain)
                yield from _steps(script, inner, place, place + repeat.size)
            place += repeat.size
            continue
        if question.role != REPEAT_ROLE or _may_go_on(script.repeats[question.repeat], here):
            yield script.instance(question, here.path) if depth else question
        place += 1


def _may_go_on(repeat: Repeat, here: Scope) -> bool:
    return int(here.path.rpartition("#")[2]) < repeat.most


def count(repeat: Repeat, here: Scope) -> int:
    """How many instances of a repeat there are now, where we are."""
    if repeat.count is None:
        return _going_on(here, repeat)
    return max(0, min(wanted(repeat.count, here), MOST_INSTANCES))


def wanted(count: Expression, here: Scope) -> int:
    """How many instances a form wants, also where they are more than a chat asks for."""
    return functions.whole(count.evaluate(here)) or 0


def cut_short(question: Question, dialog: Dialog, library: Library) -> int:
    """How many instances are wanted, where this is the first question of more than are asked."""
    script = library.script(dialog)
    repeat = script.repeats[question.repeat] if question.instance else None
    if repeat is None or repeat.count is None or question.instance.rpartition("#")[2] != "1":
        return 0
    begun = (name.partition("#") for name in dialog.passed)
    if any(base in repeat.inside and path == question.instance for base, _, path in begun):
        return 0
    outer = question.instance.rpartition("#")[0]
    here = replace(scope(dialog, library), path=outer, within=repeat.chain[:-1])
    many = wanted(repeat.count, here)
    return many if many > MOST_INSTANCES else 0


def one_more(question: Question, dialog: Dialog, library: Library) -> bool:
    """Whether this asks for the last instance that there may be."""
    if question.role != REPEAT_ROLE:
        return False
    most = library.script(dialog).repeats[question.repeat].most
    return int(question.instance.rpartition("#")[2]) == most - 1


# what is asked


def holds(
    question: Question, here: Scope, script: Script, known: dict[str, bool] | None = None
) -> bool:
    """Whether a question is asked at all, given the answers so far.

    `known` keeps what its tests came to, by key, for as long as no answer changes: hundreds
    of questions may share the test of their group, and of 1,000 replies this is the hot spot.
    """
    if not question.relevant:
        return True
    if known is None or question.instance:
        known, here = {}, at(here, question, script)
    for test in question.relevant:
        held = known.get(test.key)
        if held is None:
            held = known[test.key] = logic.truth(test.run(here))
        if not held:
            return False
    return True


def relevant(question: Question, dialog: Dialog, library: Library) -> bool:
    return holds(question, scope(dialog, library), library.script(dialog))


def standing(question: Question, here: Scope, script: Script) -> tuple[Option, ...]:
    """The choices that the filter leaves, in the order of the sheet."""
    test = question.choice_filter
    if test is None:
        return question.options
    if script.repeats or UNSTEADY.search(test.source):
        return _standing(question, test, here, script)
    key = (question.name, *(here.values.get(name, "") for name in sorted(test.names)))
    found = script.stood.get(key)  # once: another thread may clear it in between
    if found is None:
        if len(script.stood) > MOST_KEPT:
            script.stood.clear()
        found = script.stood[key] = _standing(question, test, here, script)
    return found


def _standing(
    question: Question, test: Expression, here: Scope, script: Script
) -> tuple[Option, ...]:
    """Choices that are alike in all columns that the filter names are looked at once.

    Of 20,000 localities in 32 states those are 32, which takes a tenth of the time.
    """
    row: dict[str, str] = {}  # one scope for all choices: making one for each takes 2 µs
    here = replace(at(here, question, script), row=row, last=len(question.options))
    steady = not UNSTEADY.search(test.source)
    named, known, found = sorted(test.columns - {"name"}), dict[object, bool](), []
    for nth, option in enumerate(question.options, 1):
        name = option.name if "name" in test.columns else ""
        alike = (name, *map(option.columns.get, named)) if steady else nth
        if alike not in known:
            row.clear()
            row.update(option.columns, name=option.name)
            known[alike] = logic.truth(test.run(here if steady else replace(here, nth=nth)))
        if known[alike]:
            found.append(option)
    return tuple(found)


def options(question: Question, dialog: Dialog, library: Library) -> tuple[Option, ...]:
    """The choices of a question that stand now, in the order in which they are shown."""
    if not question.choice_filter and not question.parameters:
        return question.options
    here = scope(dialog, library)
    found = standing(question, here, library.script(dialog))
    if question.parameters.get("randomize", "").lower() not in ("true", "yes", "1"):
        return found
    return _shuffled(found, _seed(question, dialog, here))


def _seed(question: Question, dialog: Dialog, here: Scope) -> str:
    seed = question.parameters.get("seed", "")
    if named := REFERENCE.search(seed):
        return here.values.get(named[1], "")
    return seed or f"{dialog.id} {question.name}"


def _shuffled(found: tuple[Option, ...], seed: str) -> tuple[Option, ...]:
    """In an order of the person's own; those marked in the column `last` stay behind."""
    last = [option for option in found if option.columns.get("last", "").lower() in LAST]
    first = [option for option in found if option not in last]
    Random(seed).shuffle(first)  # nosec B311 # an order, not a secret
    return (*first, *last)


def required(question: Question, dialog: Dialog, library: Library) -> bool:
    if question.required_if is None:
        return question.required
    here = at(scope(dialog, library), question, library.script(dialog))
    return logic.truth(question.required_if.evaluate(here))


def fault(question: Question, value: str, dialog: Dialog, library: Library) -> str:
    """What is wrong with an answer: "required", "long", "constraint", or ""."""
    if not value:
        several = question.type in ("select_multiple", "rank")
        return "required" if several or required(question, dialog, library) else ""
    most = question.parameters.get("max-length", "")
    if most and question.type == "text" and len(value) > int(float(most)):
        return "long"
    if question.constraint is None:
        return ""
    script, values = library.script(dialog), {**dialog.answers, question.name: value}
    if script.repeats:
        values = with_blanks(values, dialog, library)
    here = at(over(values, script, dialog, library, value), question, script)
    return "" if logic.truth(question.constraint.evaluate(here)) else "constraint"


def stands(question: Question, value: str, dialog: Dialog, library: Library) -> bool:
    """Whether a value may be the answer now: within the rules, and of what is offered."""
    if fault(question, value, dialog, library):
        return False
    offered = {option.name for option in options(question, dialog, library)}
    chosen = {value} if question.type == "select_one" else {*value.split()}
    return not question.options or chosen <= offered


def next_question(dialog: Dialog, library: Library) -> Question | None:
    """The first relevant question that has not been passed; one without choices is none."""
    script, here = library.script(dialog), scope(dialog, library)
    passed, known = set(dialog.passed), dict[str, bool]()
    for question in steps(script, here):
        if question.name in passed or question.silent:
            continue
        if not holds(question, here, script, known):
            continue
        if question.choice_filter and question.asked and not standing(question, here, script):
            continue
        return question
    return None


def progress(dialog: Dialog, library: Library) -> tuple[int, int]:
    """Which question this is, and of how many, as far as can be known now."""
    script, here = library.script(dialog), scope(dialog, library)
    known: dict[str, bool] = {}
    counted = [
        question.name
        for question in steps(script, here)
        if question.counted and holds(question, here, script, known)
    ]
    if dialog.at in counted:
        return counted.index(dialog.at) + 1, len(counted)
    return len(set(counted) & set(dialog.passed)) + 1, len(counted)


def disposition(dialog: Dialog, script: Script) -> Disposition:
    """Whether the person took part or refused."""
    for question in script.questions:
        if question.role == "consent" and dialog.answers.get(question.name) == "no":
            return "refused"
    return "completed"
