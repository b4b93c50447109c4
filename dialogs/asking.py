"""How a question is put: its words, its choices, its place, and what helps if it is missed."""

from __future__ import annotations

from collections.abc import Callable

from dialogs import minors, replies, walking
from dialogs.attachments import kept_as
from dialogs.phrases import say
from dialogs.questions import CHOSEN, MOMENTS, NUMBERS, REFERENCE, Question
from dialogs.state import Dialog
from dialogs.values import LANGUAGES, Choice, Message, Shown, Text, in_language
from dialogs.walking import Library as Library
from dialogs.walking import options, progress

SEVERAL = ("select_multiple", "rank")


def known(question: Question, language: str | None) -> bool:
    """Whether there is no need to ask: the language was chosen before."""
    return question.role == "language" and language is not None


def long(question: Question, dialog: Dialog, library: Library) -> bool:
    """Whether there are too many choices to list: people type, and near-misses are offered."""
    if len(question.options) <= replies.LONG:
        return False
    return len(options(question, dialog, library)) > replies.LONG


def placed(question: Question) -> bool:
    """Whether the choices are places, so that a location is an answer."""
    return any(option.columns.get("lat") for option in question.options)


# words


def words(
    text: Text,
    dialog: Dialog,
    library: Library,
    language: str | None,
    question: Question | None = None,
) -> str:
    """A text of the questionnaire in a language, with the answers that it names filled in."""
    found = in_language(text, language)
    if "${" not in found:
        return found
    return REFERENCE.sub(
        lambda match: _named(match[1], question, dialog, library, language), found
    ).strip()


def _named(
    name: str, by: Question | None, dialog: Dialog, library: Library, language: str | None
) -> str:
    """What `${name}` stands for: the label of a choice rather than its code."""
    if name == "folio":
        return dialog.folio
    if name in library.facts:
        return library.facts[name]
    script = library.script(dialog)
    value = walking.named(name, by, dialog.answers, script)
    if name not in script.places:
        return value
    return REFERENCE.sub(
        lambda match: walking.named(match[1], by, dialog.answers, script),
        shown(script.question(name), value, language),  # the label of a choice may name answers too
    )


def shown(question: Question, value: str, language: str | None) -> str:
    """An answer as people read it."""
    if question.type in ("date", "today") and len(value) == 10:
        return f"{value[8:]}/{value[5:7]}/{value[:4]}"
    labels = {option.name: option.label for option in question.options}
    parts = value.split() if question.type in SEVERAL else [value]
    return ", ".join(
        in_language(labels[part], language) if part in labels else part for part in parts
    )


def message(question: Question, dialog: Dialog, library: Library, language: str | None) -> Message:
    """A question as it is sent."""
    if language is None and not library.script(dialog).bilingual:
        language = "es"  # nobody will ask for it
    if language is None:
        text = "\n".join(
            dict.fromkeys(question.label[code] for code in LANGUAGES if code in question.label)
        )
        if "${" in text:
            text = words({"es": text}, dialog, library, language, question)
    else:
        text = "\n".join(
            part
            for part in (
                _cut_short(question, dialog, library, language),
                _heading(question, dialog, library, language),
                _how(question, dialog, library, language) if question.asked else "",
            )
            if part
        )
    return Message(
        text=text,
        choices=choices(question, dialog, library, language),
        several=question.type in SEVERAL,
        chosen=_chosen(question, dialog, library) if dialog.ticked else (),
        audio=kept_as(question.audio.get(language or "es", "")),
        image=kept_as(in_language(question.image, language)),
        shown=_shown(question, dialog, library, language),
        language="yua" if language == "yua" else "es",
    )


def _cut_short(question: Question, dialog: Dialog, library: Library, language: str) -> str:
    """That not all will be asked for, where somebody named more than anybody answers."""
    many = walking.cut_short(question, dialog, library)
    most = walking.MOST_INSTANCES
    return f"{say('many_asked', language, {'count': many, 'most': most})}\n" if many else ""


def _heading(question: Question, dialog: Dialog, library: Library, language: str) -> str:
    label = words(question.label, dialog, library, language, question)
    if question.instance and question.base == f"{question.repeat}.title":
        return f"{label} · {question.instance.replace('#', '.')}"
    if not question.asked:
        value = "" if question.type == "note" else dialog.answers.get(question.name, "")
        return f"{label} {shown(question, value, language)}".strip() if value else label
    if not question.counted or not library.counting:
        return label
    at, all_ = progress(dialog, library)
    return f"{say('progress', language, {'at': at, 'all': all_})} · {label}"


def _how(question: Question, dialog: Dialog, library: Library, language: str) -> str:
    """How to answer: the form's own hint, or what goes for the type; and what is preset."""
    how = words(question.hint, dialog, library, language, question)
    key = "" if how else _how_key(question, dialog, library)
    if key:
        how = say(key, language, bounds(question))
    if value := dialog.answers.get(question.name, "") if question.default else "":
        whole = shown(question, value, language)
        whole = words({"es": whole}, dialog, library, language, question)
        preset = say("preset", language, {"value": whole})
        return f"{how} {preset}".strip()
    if not key or question.type in CHOSEN or walking.required(question, dialog, library):
        return how
    return f"{how} {say('optional', language)}"


def _how_key(question: Question, dialog: Dialog, library: Library) -> str:
    match question.type:
        case "select_multiple":
            return "how_several_long" if long(question, dialog, library) else "how_several"
        case "select_one":
            if walking.one_more(question, dialog, library):
                return "one_more"
            if not long(question, dialog, library):
                return ""
            return "how_long" if placed(question) else "how_long_plain"
        case "text" | "audio":
            return "how_written" if minors.voice_refused((dialog,), library) else "how_open"
        case "date" if "month-year" in question.appearance:
            return "how_month"
        case "date" if "year" in question.appearance:
            return "how_year"
        case "acknowledge" | "note":
            return ""
        case "range":
            return _of_range("how_range", question)
        case _:
            return f"how_{question.type}"


def bounds(question: Question) -> dict[str, object]:
    """What a range lies between and goes by, a text at most holds."""
    given = question.parameters
    return {
        "start": given.get("start", "1"),
        "end": given.get("end", "10"),
        "step": given.get("step", "1"),
        "most": given.get("max-length", ""),
    }


def _of_range(key: str, question: Question) -> str:
    """With the step, where there is one that people would not guess."""
    return key if question.parameters.get("step", "1") in ("1", "1.0") else f"{key}_step"


def _payload(question: Question, dialog: Dialog, library: Library) -> Callable[[str], str]:
    place = library.script(dialog).place(question)
    return lambda part: f"{dialog.id}.{place}.{part}"


def choices(
    question: Question, dialog: Dialog, library: Library, language: str | None
) -> tuple[Choice, ...]:
    """The choices of a question; a long list has none, because people type there."""
    payload = _payload(question, dialog, library)
    if question.type == "acknowledge":
        return (Choice(payload("ok"), say("understood", language)),)
    if not question.options or not question.asked or long(question, dialog, library):
        return ()
    places = {option.name: place for place, option in enumerate(question.options)}
    listed = tuple(
        Choice(
            payload(str(places[option.name])),
            words(option.label, dialog, library, language, question),
        )
        for option in options(question, dialog, library)
    )
    if question.type in SEVERAL:
        return (*listed, Choice(payload("ok"), say("done", language)))
    return listed


def _chosen(question: Question, dialog: Dialog, library: Library) -> tuple[str, ...]:
    """The choices that are marked."""
    payload = _payload(question, dialog, library)
    return tuple(
        payload(str(place))
        for place, option in enumerate(question.options)
        if question.type in SEVERAL and option.name in dialog.ticked
    )


def _shown(
    question: Question, dialog: Dialog, library: Library, language: str | None
) -> tuple[Shown, ...]:
    """The pictures and recordings of the choices that are listed."""
    if not any(option.image or option.audio for option in question.options):
        return ()
    if not question.asked or long(question, dialog, library):
        return ()
    found = (
        Shown(
            f"{number}. {words(option.label, dialog, library, language, question)}",
            kept_as(in_language(option.image, language)),
            kept_as(option.audio.get(language or "es", "")),
        )
        for number, option in enumerate(options(question, dialog, library), 1)
        if option.image or option.audio
    )
    return tuple(each for each in found if each.image or each.audio)


# help


def first_help(
    question: Question, dialog: Dialog, library: Library, language: str | None, fault: str
) -> str:
    """The first time: what was wrong."""
    if fault == "constraint" and question.constraint_message:
        return words(question.constraint_message, dialog, library, language, question)
    if fault == "required" and question.required_message:
        return words(question.required_message, dialog, library, language, question)
    if fault == "long":
        return say("too_long", language, bounds(question))
    if fault == "constraint" or (fault and question.type not in CHOSEN):
        return say("not_allowed", language)
    match question.type:
        case "integer" | "decimal":
            return say("not_a_number", language)
        case "rank":
            return say("not_ranked", language)
        case "range":
            return say(_of_range("not_a_range", question), language, bounds(question))
        case "date" | "time" | "datetime":
            return say(f"not_a_{question.type}", language)
        case "image":
            return say("not_a_photo", language)
        case "file":
            return say("not_a_file", language)
        case "select_multiple":
            return say("several_not_understood", language)
        case "select_one" if long(question, dialog, library):
            return say("not_found", language)
        case _:
            return say("not_a_choice", language)


def second_help(
    question: Question, dialog: Dialog, library: Library, language: str | None, fault: str
) -> str:
    """The second time: how to answer, and the way round. A broken rule is said again beside it."""
    rule = ""
    if fault == "constraint" and question.constraint_message:
        rule = words(question.constraint_message, dialog, library, language, question) + " "
    match question.type:
        case type_ if type_ in NUMBERS:
            return rule + say("second_integer", language)
        case type_ if type_ in MOMENTS:
            return rule + say("second_time" if type_ == "time" else "second_date", language)
        case "image" | "file" | "geopoint":
            return rule + say(f"how_{question.type}", language) + " " + say("optional", language)
        case "text" | "audio":
            return rule + say("second_open", language)
        case "select_one" if long(question, dialog, library):
            return say("second_long", language)
        case _:
            pass
    count = len(choices(question, dialog, library, language))
    count -= question.type in SEVERAL
    numbers = ", ".join(str(number) for number in range(1, count + 1))
    required = walking.required(question, dialog, library)
    key = "second_one_required" if required else "second_one"
    return rule + say(key, language, {"numbers": numbers})
