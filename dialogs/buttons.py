"""What a button means, however late it is pressed; and what was just offered, if it is typed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dialogs import answering, asking, moving, replies, rights, settling, walking
from dialogs.moving import Asked, Turn
from dialogs.phrases import say
from dialogs.questions import Question, Script
from dialogs.state import Dialog, Say, Speak, Talk, with_top
from dialogs.values import LANGUAGES, Choice, Inbound, Message
from dialogs.walking import Library

PATH = re.compile(r"\d+(#\d+)*")


def offered(talk: Talk, inbound: Inbound) -> Choice | None:
    """The thing just offered that a typed number, label, yes or no stands for."""
    if inbound.kind != "text" or not talk.offered:
        return None
    said = replies.plain(inbound.text)
    for number, choice in enumerate(talk.offered, 1):
        if said in (str(number), replies.plain(choice.label)):
            return choice
    meant = replies.command(inbound.text)
    if meant == "yes" and len(talk.offered) == 2:
        return talk.offered[0]
    declined = len(talk.offered) == 2 or talk.offered[-1].payload.endswith(".again")
    return talk.offered[-1] if meant == "no" and declined else None


def payload(talk: Talk, payload: str, inbound: Inbound, library: Library) -> Turn:
    if payload in ("=es", "=yua"):
        return answering.speak(talk, "yua" if payload == "=yua" else "es", library)
    if payload == "=stay":
        return moving.ask_again(talk._replace(settled=True, streak=0), library)
    pressed = _pressed(talk, payload, library)
    if pressed is None:
        return moving.ask_again(talk, library, say("old_button", talk.language))
    return _press(talk, pressed, inbound, library)


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button, and what it belongs to."""

    dialog: Dialog
    question: Question
    script: Script
    part: str  # the place of an option, "ok" (done), or "again" (none of these)
    now: bool  # whether it belongs to the question being asked


def _pressed(talk: Talk, payload: str, library: Library) -> Pressed | None:
    name, _, rest = payload.partition(".")
    written, _, part = rest.partition(".")
    place, _, instance = written.partition("#")
    for dialog in (*reversed(talk.dialogs), *reversed(talk.closed)):
        if dialog.id != name or not place.isdecimal():
            continue
        script = library.script(dialog)
        if int(place) >= len(script.questions):
            return None
        question = script.questions[int(place)]
        if question.repeat:
            question = script.instance(question, instance if PATH.fullmatch(instance) else "1")
        if part.isdecimal() and int(part) >= len(question.options):
            return None
        now = dialog is talk.top and question.name == dialog.at
        known = now or question.name in dialog.passed
        known = known and walking.relevant(question, dialog, library)  # not after a refusal
        return Pressed(dialog, question, script, part, now) if known else None
    return None


def _press(talk: Talk, pressed: Pressed, inbound: Inbound, library: Library) -> Turn:
    question, part = pressed.question, pressed.part
    if part == "again":
        return moving.ask_again(
            talk, library, say("write_again", talk.language), question_too=False
        )
    if part == rights.FIX:
        return rights.fix(talk, pressed.dialog, question, library)
    if question.type == "acknowledge" and part == "ok":
        return _store(talk, pressed, "OK", say("understood", talk.language), library)
    if question.type in asking.SEVERAL:
        return _tick(talk, pressed, inbound, library)
    if not part.isdecimal():
        return moving.ask_again(talk, library, say("old_button", talk.language))
    option = question.options[int(part)]
    if option not in walking.options(question, pressed.dialog, library):
        return moving.ask_again(talk, library, say("old_button", talk.language))
    if fault := walking.fault(question, option.name, pressed.dialog, library):
        asked = (pressed.dialog, question, pressed.script)
        return answering.missed(talk, asked, library, fault)
    label = asking.words(option.label, pressed.dialog, library, talk.language, question)
    return _store(talk, pressed, option.name, label, library)


def _tick(talk: Talk, pressed: Pressed, inbound: Inbound, library: Library) -> Turn:
    """Set or unset a mark; with the done button, the marks are the answer."""
    question, dialog = pressed.question, pressed.dialog
    current = dialog.ticked if pressed.now or dialog.ticked else ()
    marks = current or tuple(dialog.answers.get(question.name, "").split())
    if pressed.part == "ok":
        fault = walking.fault(question, " ".join(marks), dialog, library)
        if question.type == "rank" and len(marks) < len(walking.options(question, dialog, library)):
            fault = "required"
        if fault:
            return answering.missed(talk, (dialog, question, pressed.script), library, fault)
        value = " ".join(marks if question.type == "rank" else _in_order(question, marks))
        return _store(talk, pressed, value, asking.shown(question, value, talk.language), library)
    name = question.options[int(pressed.part)].name if pressed.part.isdecimal() else ""
    marks = tuple(mark for mark in marks if mark != name) if name in marks else (*marks, name)
    ticked = dialog._replace(ticked=marks)
    talk = moving.replaced(talk, dialog, ticked)
    message = asking.message(question, ticked, library, talk.language)
    return talk, [Say(replace(message, edits=inbound.pressed, image="", shown=()))]


def _in_order(question: Question, marks: tuple[str, ...]) -> list[str]:
    return [option.name for option in question.options if option.name in marks]


def _store(talk: Talk, pressed: Pressed, value: str, said: str, library: Library) -> Turn:
    """Keep what a button says: the answer being asked for, or a correction of an earlier one."""
    asked = (pressed.dialog, pressed.question, pressed.script)
    if pressed.question.role == "language" and value in LANGUAGES:
        talk = talk._replace(language="yua" if value == "yua" else "es", streak=0)
    if pressed.now:
        talk, effects = answering.kept(talk, asked, value, said, library)
    else:
        talk, effects = _corrected(talk, asked, value, said, library)
    if pressed.question.role == "language" and talk.language:
        effects = [Speak(talk.language), *effects]
    return talk, effects


def _corrected(talk: Talk, asked: Asked, value: str, said: str, library: Library) -> Turn:
    dialog = asked[0]
    changed, effects = answering.kept_in(asked, value, said, None, library, talk.language)
    talk = moving.replaced(talk, dialog, changed)
    told = say("changed", talk.language, {"label": said})
    if changed in talk.closed:
        if walking.next_question(changed, library) is None:
            found = settling.found(changed, library) if asked[2].settles else []
            return talk, [*effects, *found, Say(Message(told, language=talk.language or "es"))]
        rest = tuple(other for other in talk.closed if other.id != changed.id)
        talk = talk._replace(closed=rest, dialogs=(*talk.dialogs, changed._replace(at="")))
    top = talk.dialogs[-1]
    talk = with_top(talk, top._replace(at=top.at if top.id != dialog.id else ""))
    talk, asked_again = moving.go_on(talk, library, told)
    return talk, [*effects, *asked_again]
