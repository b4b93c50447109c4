"""How a question is put: its words, its choices, its place, and what helps if it is missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from dialogs import logic, replies
from dialogs.phrases import say
from dialogs.script import FACTS, REFERENCE, Option, Question, Script
from dialogs.state import Dialog, Disposition
from dialogs.values import LANGUAGES, Choice, Message, Text, in_language


@dataclass(frozen=True, slots=True)
class Library:
    """What the engine may look up: scripts by form and version, and facts that labels may name."""

    lookup: Callable[[str, int], Script]
    facts: Mapping[str, str] = field(default_factory=dict)

    def script(self, dialog: Dialog) -> Script:
        return self.lookup(dialog.form, dialog.version)


# logic


def _scope(dialog: Dialog, this: str = "", row: Mapping[str, str] | None = None) -> logic.Scope:
    return logic.Scope(values=dialog.answers, this=this, row=row)


def relevant(question: Question, dialog: Dialog, _script: Script) -> bool:
    """Whether a question is asked at all, given the answers so far."""
    return all(logic.truth(test.evaluate(_scope(dialog))) for test in question.relevant)


def allowed(question: Question, value: str, dialog: Dialog, _script: Script) -> bool:
    """Whether an earlier answer still stands among the choices that the filter leaves."""
    if question.choice_filter is None:
        return True
    return set(value.split()) <= {option.name for option in _filtered(question, dialog)}


def _filtered(question: Question, dialog: Dialog) -> tuple[Option, ...]:
    test = question.choice_filter
    if test is None:
        return question.options
    return tuple(
        option
        for option in question.options
        if logic.truth(test.evaluate(_scope(dialog, row={**option.columns, "name": option.name})))
    )


def options(question: Question, dialog: Dialog, _library: Library) -> tuple[Option, ...]:
    """The choices of a question that stand now, in order."""
    return _filtered(question, dialog)


def fault(question: Question, value: str, dialog: Dialog, _script: Script) -> str:
    """What is wrong with an answer: "required", "constraint", or ""."""
    if not value:
        return "required" if question.required or question.type == "select_multiple" else ""
    if question.constraint is None:
        return ""
    scope = _scope(replace(dialog, answers={**dialog.answers, question.name: value}), this=value)
    return "" if logic.truth(question.constraint.evaluate(scope)) else "constraint"


def next_question(dialog: Dialog, script: Script) -> Question | None:
    """The first relevant question that has not been passed."""
    for question in script.questions:
        if question.name not in dialog.passed and relevant(question, dialog, script):
            return question
    return None


def progress(dialog: Dialog, script: Script) -> tuple[int, int]:
    """Which question this is, and of how many, as far as can be known now."""
    counted = [question for question in script.questions if question.counted]
    counted = [question for question in counted if relevant(question, dialog, script)]
    passed = sum(question.name in dialog.passed for question in counted)
    at = next(
        (i for i, question in enumerate(counted, 1) if question.name == dialog.at), passed + 1
    )
    return at, len(counted)


def disposition(dialog: Dialog, script: Script) -> Disposition:
    """Whether the person took part or refused."""
    for question in script.questions:
        if question.role == "consent" and dialog.answers.get(question.name) == "no":
            return "refused"
    return "completed"


def known(question: Question, language: str | None) -> bool:
    """Whether there is no need to ask: the language was chosen before."""
    return question.role == "language" and language is not None


def long(question: Question) -> bool:
    """Whether there are too many choices to list: people type, and near-misses are offered."""
    return len(question.options) > replies.LONG


def placed(question: Question) -> bool:
    """Whether the choices are places, so that a location is an answer."""
    return any(option.columns.get("lat") for option in question.options)


# words


def words(text: Text, dialog: Dialog, library: Library, language: str | None) -> str:
    """A text of the questionnaire in a language, with the answers that it names filled in."""
    found = in_language(text, language)
    if "${" not in found:
        return found
    script = library.script(dialog)
    return REFERENCE.sub(lambda m: _named(m.group(1), dialog, script, library, language), found)


def _named(
    name: str, dialog: Dialog, script: Script, library: Library, language: str | None
) -> str:
    """What `${name}` stands for: the label of a choice rather than its code."""
    if name == "folio":
        return dialog.folio
    if name in FACTS:
        return library.facts.get(name, "")
    value = dialog.answers.get(name, "")
    labels = {option.name: option.label for option in script.question(name).options}
    return ", ".join(
        in_language(labels[part], language) if part in labels else part
        for part in (value.split() if labels else [value])
    )


def message(question: Question, dialog: Dialog, library: Library, language: str | None) -> Message:
    """A question as it is sent."""
    if language is None:
        text = "\n".join(
            dict.fromkeys(question.label[code] for code in LANGUAGES if code in question.label)
        )
    else:
        parts = (
            _heading(question, dialog, library, language),
            _how(question, dialog, library, language),
        )
        text = "\n".join(part for part in parts if part)
    several = question.type == "select_multiple"
    payload = _payload(question, dialog, library)
    return Message(
        text=text,
        choices=choices(question, dialog, library, language),
        several=several,
        chosen=tuple(
            payload(str(place))
            for place, option in enumerate(question.options)
            if several and option.name in dialog.ticked
        ),
        audio=question.audio.get(language or "es", ""),
        language="yua" if language == "yua" else "es",
    )


def _heading(question: Question, dialog: Dialog, library: Library, language: str) -> str:
    label = words(question.label, dialog, library, language)
    if not question.counted:
        return label
    at, all_ = progress(dialog, library.script(dialog))
    return f"{say('progress', language, {'at': at, 'all': all_})} · {label}"


def _how(question: Question, dialog: Dialog, library: Library, language: str) -> str:
    """How to answer: the form's own hint, or what goes for the type."""
    if question.hint:
        return words(question.hint, dialog, library, language)
    match question.type:
        case "select_multiple":
            return say("how_several", language)
        case "select_one" if long(question):
            return say("how_long" if placed(question) else "how_long_plain", language)
        case "integer":
            how = say("how_integer", language)
        case "text" | "audio":
            how = say("how_open", language)
        case _:
            return ""
    return how if question.required else f"{how} {say('optional', language)}"


def _payload(question: Question, dialog: Dialog, library: Library) -> Callable[[str], str]:
    place = library.script(dialog).places[question.name]
    return lambda part: f"{dialog.id}.{place}.{part}"


def choices(
    question: Question, dialog: Dialog, library: Library, language: str | None
) -> tuple[Choice, ...]:
    """The choices of a question; a long list has none, because people type there."""
    payload = _payload(question, dialog, library)
    if question.type == "acknowledge":
        return (Choice(payload("ok"), say("understood", language)),)
    if not question.options or long(question):
        return ()
    places = {option.name: place for place, option in enumerate(question.options)}
    listed = tuple(
        Choice(payload(str(places[option.name])), words(option.label, dialog, library, language))
        for option in options(question, dialog, library)
    )
    if question.type == "select_multiple":
        return (*listed, Choice(payload("ok"), say("done", language)))
    return listed


# help


def first_help(
    question: Question, dialog: Dialog, library: Library, language: str | None, fault: str
) -> str:
    """The first time: what was wrong."""
    if fault == "constraint" and question.constraint_message:
        return words(question.constraint_message, dialog, library, language)
    if fault == "required" and question.required_message:
        return words(question.required_message, dialog, library, language)
    if fault and question.open:
        return say("not_allowed", language)
    match question.type:
        case "integer":
            return say("not_allowed" if fault else "not_a_number", language)
        case "select_multiple":
            return say("several_not_understood", language)
        case "select_one" if long(question):
            return say("not_found", language)
        case _:
            return say("not_a_choice", language)


def second_help(
    question: Question, dialog: Dialog, library: Library, language: str | None, fault: str
) -> str:
    """The second time: how to answer, and the way round. A broken rule is said again beside it."""
    rule = ""
    if fault == "constraint":
        rule = words(question.constraint_message, dialog, library, language) + " "
    match question.type:
        case "integer":
            return rule + say("second_integer", language)
        case "text" | "audio":
            return rule + say("second_open", language)
        case "select_one" if long(question):
            return say("second_long", language)
        case _:
            pass
    count = len(choices(question, dialog, library, language))
    count -= question.type == "select_multiple"
    numbers = ", ".join(str(number) for number in range(1, count + 1))
    key = "second_one_required" if question.required else "second_one"
    return rule + say(key, language, {"numbers": numbers})
