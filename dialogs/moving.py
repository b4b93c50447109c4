"""What moves a talk on: say something, ask again, go to the next question, end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dialogs import asking, settling, walking
from dialogs.phrases import say
from dialogs.questions import Question, Script
from dialogs.state import CLOSED_KEPT, Dialog, Effect, End, Say, Talk, with_top
from dialogs.values import Choice, Message
from dialogs.walking import Library

Turn = tuple[Talk, list[Effect]]
Asked = tuple[Dialog, Question, Script]

MESSAGE_LENGTH = 300  # characters: beyond it, two messages are not made one


def asked(talk: Talk, library: Library) -> Asked | None:
    """The question being asked, with its dialog and script."""
    if talk.top is None or not talk.top.at:
        return None
    script = library.script(talk.top)
    return talk.top, script.question(talk.top.at), script


def pass_by(dialog: Dialog, name: str, value: str | None = None) -> Dialog:
    """The dialog with this question behind it, and with its value if it has one now."""
    passed = dialog.passed if name in dialog.passed else (*dialog.passed, name)
    answers, aside = dialog.answers, dialog.aside
    if value is not None:
        answers = {**answers, name: value}
        aside = {other: old for other, old in aside.items() if other != name}
    return dialog._replace(answers=answers, aside=aside, passed=passed, at="", misses=0, ticked=())


def replaced(talk: Talk, old: Dialog, new: Dialog) -> Talk:
    return talk._replace(
        dialogs=tuple(new if dialog.id == old.id else dialog for dialog in talk.dialogs),
        closed=tuple(new if dialog.id == old.id else dialog for dialog in talk.closed),
    )


def commands(talk: Talk, keys: tuple[str, ...]) -> tuple[Choice, ...]:
    return tuple(Choice(f"!{key}", say(f"do_{key}", talk.language)) for key in keys)


def pilot(talk: Talk, dialog: Dialog, library: Library) -> str:
    """What people are told of a pilot, once they can read it."""
    pilot = library.script(dialog).pilot and talk.language is not None
    return say("pilot", talk.language) if pilot else ""


def plain(talk: Talk, phrase: str, values: Mapping[str, object] | None = None) -> Say:
    return Say(Message(say(phrase, talk.language, values), language=talk.language or "es"))


def offer(talk: Talk, words: str, choices: tuple[Choice, ...]) -> Turn:
    message = Message(words, choices, language=talk.language or "es")
    return talk._replace(offered=choices), [Say(message)]


def ask_again(talk: Talk, library: Library, first: str = "", *, question_too: bool = True) -> Turn:
    """Say something, and ask the current question again."""
    talk = talk._replace(offered=())
    said: list[Effect] = [Say(Message(first, language=talk.language or "es"))] if first else []
    if talk.top is None:
        talk, rest = over(talk, library)
        return talk, [*said, *rest]
    now = asked(talk, library)
    if now is None:
        return go_on(talk, library, first)
    if question_too:
        said.append(Say(asking.message(now[1], now[0], library, talk.language)))
    return talk, said


def refused(talk: Talk, library: Library) -> bool:
    """Whether the last dialog ended because the person did not want to take part."""
    last = talk.closed[-1] if talk.closed else None
    return last is not None and walking.disposition(last, library.script(last)) == "refused"


def over(talk: Talk, library: Library) -> Turn:
    """Nothing is open: what there is to do after the end."""
    last = talk.closed[-1] if talk.closed else None
    if refused(talk, library):
        return offer(talk, say("refused_before", talk.language), commands(talk, ("return", "help")))
    words = say("finished", talk.language, {"folio": last.folio if last else ""})
    return offer(talk, words, commands(talk, ("back", "language", "help", "stop")))


def go_on(talk: Talk, library: Library, first: str = "") -> Turn:
    """Say notes and ask the next question; a dialog without one is over."""
    effects: list[Effect] = [Say(Message(first, language=talk.language or "es"))] if first else []
    while (dialog := talk.top) is not None:
        script = library.script(dialog)
        if script.settles and not dialog.passed:
            dialog, _ = settling.settle(dialog, library)
        question = walking.next_question(dialog, library)
        while question and (not question.asked or asking.known(question, talk.language)):
            if not question.asked and question.label:
                effects.append(Say(asking.message(question, dialog, library, talk.language)))
            dialog = pass_by(dialog, question.name)
            question = walking.next_question(dialog, library)
        if question:
            dialog = dialog._replace(at=question.name, misses=0, ticked=())
            effects.append(Say(asking.message(question, dialog, library, talk.language)))
            return with_top(talk, dialog), effects
        dialog = dialog._replace(at="")
        effects.extend(settling.found(dialog, library) if script.settles else ())
        effects.append(End(dialog, walking.disposition(dialog, script)))
        closed = (*talk.closed, dialog)[-CLOSED_KEPT:]
        talk = talk._replace(dialogs=talk.dialogs[:-1], closed=closed)
        if talk.top is not None:
            talk, rest = ask_again(talk, library)
            return talk, [*effects, *rest]
        if not any(isinstance(effect, Say) for effect in effects):  # the form thanks nobody
            effects.append(plain(talk, "finished", {"folio": dialog.folio}))
    return talk, effects


def joined(effects: list[Effect]) -> list[Effect]:
    """Short messages in a row made one: each costs the person data, and us a send."""
    joined: list[Effect] = []
    for effect in effects:
        last = joined[-1] if joined else None
        if isinstance(effect, Say) and isinstance(last, Say):
            both = f"{last.message.text}\n\n{effect.message.text}"
            plain = not (last.message.choices or last.message.audio or effect.message.edits)
            plain = plain and not (effect.message.image or effect.message.shown)  # seen in between
            if plain and not last.message.edits and len(both) <= MESSAGE_LENGTH:
                joined[-1] = Say(replace(effect.message, text=both))
                continue
        joined.append(effect)
    return joined
