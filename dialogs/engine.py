"""The only place where a dialog moves: (talk, what was heard) → (talk, effects).

    heard ──► command? ──► yes: it outranks every question
                 │no
                 ├──► a button, or a number or label of what was just offered ──► its payload
                 │no
                 └──► an answer to the question being asked ──► kept, next question
                                                        └──► not understood: more help each time

No clock, no database, no network. Nothing here raises for what a person may write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from dialogs import answering, asking, buttons, moving, replies, rights, settling, stopping, walking
from dialogs.moving import Turn
from dialogs.phrases import say
from dialogs.state import Begin, Dialog, Return, Stop, Talk, with_top
from dialogs.values import LANGUAGES, Choice, Inbound
from dialogs.walking import Library

RANK_ABOVE_CHOICES = frozenset(("stop", "return", "erase", "data", "help", "no_forums"))
WHEN_STOPPED = rights.ALSO_STOPPED | {"return", "help"}
WITH_WORDS = ("text", "edited", "photo", "video", "document")  # a caption may say stop, too
CONTEXTUAL = frozenset(("yes", "no", ""))
COMMAND = "!"  # begins the payload of a button that is a command


def hear(talk: Talk, inbound: Inbound, library: Library, fresh: Dialog) -> Turn:
    """What one thing heard leads to. `fresh` is the dialog that begins if none is open."""
    if inbound.kind in ("group", "blocked", "unblocked"):
        return talk, []
    library = library._replace(now=inbound.at, language=talk.language)
    talk, effects = _turn(talk, inbound, library, fresh)
    return talk, moving.joined(effects)


def push(talk: Talk, dialog: Dialog, library: Library, now: datetime | None = None) -> Turn:
    """Begin another dialog on top of those that are open: an invitation, for instance."""
    library = library._replace(now=now or library.now, language=talk.language)
    talk = talk._replace(dialogs=(*talk.dialogs, dialog), offered=())
    talk, effects = moving.go_on(talk, library, moving.pilot(talk, dialog, library))
    return talk, moving.joined([Begin(dialog), *effects])


def _turn(talk: Talk, inbound: Inbound, library: Library, fresh: Dialog) -> Turn:
    meant = _meant(talk, inbound, library)
    if talk.stopped and meant not in WHEN_STOPPED:
        return talk._replace(offered=()), [moving.plain(talk, "still_stopped")]
    if meant == "stop":
        return talk._replace(stopped=True, offered=()), [Stop(), moving.plain(talk, "stopped")]
    if talk.stopped and meant == "help":
        told = [moving.plain(talk, "help"), moving.plain(talk, "still_stopped")]
        return talk, list(told)
    if talk.top is None and moving.refused(talk, library) and meant in ("return", "go_on"):
        talk = talk._replace(closed=talk.closed[:-1], stopped=False, offered=())
        talk, effects = push(talk, fresh, library)
        return talk, [Return(), *effects]
    if talk.top is None and not talk.closed:
        return _newcomer(talk, library, fresh, meant)
    if meant not in CONTEXTUAL:
        return COMMANDS[meant](talk, library)
    talk = talk._replace(paused=False) if talk.paused else talk
    if inbound.payload:
        return buttons.payload(talk, inbound.payload, inbound, library)
    if offer := buttons.offered(talk, inbound):
        return buttons.payload(talk, offer.payload, replace(inbound, pressed=""), library)
    return answering.answer(talk, inbound, library)


def _meant(talk: Talk, inbound: Inbound, library: Library) -> str:
    """The command that this is, if it is one; a choice of the question goes before most of them."""
    if inbound.kind == "start":
        return "greeting"
    spared = stopping.asked(inbound.text) if inbound.kind in WITH_WORDS else None
    if spared:
        return spared
    offer = buttons.offered(talk, inbound)
    payload = offer.payload if offer else inbound.payload
    if payload.startswith(COMMAND):
        return payload[1:] if payload[1:] in COMMANDS else ""
    if inbound.kind != "text" or offer:
        return ""
    meant = replies.command(inbound.text) or stopping.right(inbound.text)
    if meant in RANK_ABOVE_CHOICES or meant in CONTEXTUAL:
        return meant
    return "" if _named_exactly(talk, inbound.text, library) else meant


def _named_exactly(talk: Talk, text: str, library: Library) -> bool:
    said = replies.plain(text)
    asked = moving.asked(talk, library)
    options = walking.options(asked[1], asked[0], library) if asked else ()
    return any(said in map(replies.plain, option.label.values()) for option in options)


def _newcomer(talk: Talk, library: Library, fresh: Dialog, meant: str) -> Turn:
    """Somebody of whom no more is known than their number; also that may be forgotten, and they may
    have asked us to stop."""
    if meant in ("erase", "erase_yes") or (talk.stopped and meant != "return"):
        return COMMANDS[meant](talk, library)
    back = [Return()] if talk.stopped else []
    talk, effects = _first(talk._replace(stopped=False), library, fresh, meant)
    return talk, [*back, *effects]


def _first(talk: Talk, library: Library, fresh: Dialog, meant: str) -> Turn:
    """The very first message: whatever it says, the person is greeted and asked."""
    first = {"help": "help", "data": "data_none"}.get(meant)
    if meant in ("spanish", "maya"):
        talk = talk._replace(language="yua" if meant == "maya" else "es")
    told = [moving.plain(talk, first)] if first else []
    talk, asked = push(talk, fresh, library)
    return talk, [*told, *asked]


# commands: each is (talk, library) -> turn


def _help(talk: Talk, library: Library) -> Turn:
    """What can be written at any point; before it, what the form explains of its question."""
    first, asked = say("help", talk.language), moving.asked(talk, library)
    if asked and asked[1].guidance:
        guidance = asking.words(asked[1].guidance, asked[0], library, talk.language, asked[1])
        first = f"{guidance}\n\n{first}"
    return moving.ask_again(talk, library, first)


def _back(talk: Talk, library: Library) -> Turn:
    """To the question answered before this one, or the last one if nothing is being asked."""
    if talk.top is None:
        last = talk.closed[-1]
        talk = talk._replace(dialogs=(last._replace(at=""),), closed=talk.closed[:-1])
    dialog = talk.dialogs[-1]
    script = library.script(dialog)
    trail = [name for name in dialog.passed if script.question(name).asked and name != dialog.at]
    if dialog.at in dialog.passed:
        trail = [name for name in dialog.passed[: dialog.passed.index(dialog.at)] if name in trail]
    trail = [name for name in trail if walking.relevant(script.question(name), dialog, library)]
    if not trail:
        return moving.ask_again(talk, library, say("nothing_back", talk.language))
    talk = with_top(talk, dialog._replace(at=trail[-1], misses=0, ticked=()))
    return moving.ask_again(talk, library, say("back_to", talk.language))


def _skip(talk: Talk, library: Library) -> Turn:
    asked = moving.asked(talk, library)
    if asked is None:
        return moving.ask_again(talk, library)
    dialog, question, _ = asked
    preset = dialog.answers.get(question.name, "") if question.default else ""
    if preset and walking.stands(question, preset, dialog, library):
        return answering.kept(talk, asked, preset, "", library)
    if question.name not in dialog.passed and walking.required(question, dialog, library):
        reason = asking.words(question.required_message, dialog, library, talk.language)
        return moving.ask_again(talk, library, reason or say("cannot_skip", talk.language))
    dialog = moving.pass_by(dialog, question.name)
    dialog, moved = settling.without(dialog, question.name, library) if preset else (dialog, [])
    talk, effects = moving.go_on(with_top(talk, dialog), library)
    return talk, [*moved, *effects]


def _repeat(talk: Talk, library: Library) -> Turn:
    return moving.ask_again(talk, library)


def _choose_language(talk: Talk, _library: Library) -> Turn:
    offered = tuple(Choice(f"={code}", say(f"language_{code}", code)) for code in LANGUAGES)
    return moving.offer(talk, say("choose_language", talk.language), offered)


def _spanish(talk: Talk, library: Library) -> Turn:
    return answering.speak(talk, "es", library)


def _maya(talk: Talk, library: Library) -> Turn:
    return answering.speak(talk, "yua", library)


def _menu(talk: Talk, _library: Library) -> Turn:
    keys = ("go_on", "back", "language", "pause", "help", "stop")
    return moving.offer(talk, say("menu", talk.language), moving.commands(talk, keys))


def _pause(talk: Talk, _library: Library) -> Turn:
    return talk._replace(paused=True, offered=()), [moving.plain(talk, "paused")]


def _return(talk: Talk, library: Library) -> Turn:
    was_stopped = talk.stopped
    talk, effects = moving.ask_again(
        talk._replace(stopped=False, paused=False), library, say("back_again", talk.language)
    )
    return talk, [*([Return()] if was_stopped else []), *effects]


def _go_on(talk: Talk, library: Library) -> Turn:
    return moving.ask_again(talk._replace(paused=False), library)


def _greeted(talk: Talk, library: Library) -> Turn:
    """Greeted back, and told where they are."""
    talk = talk._replace(paused=False)
    asked = moving.asked(talk, library)
    if asked is None or not asked[0].passed:
        return moving.ask_again(talk, library)
    at, all_ = walking.progress(asked[0], library)
    if not asked[1].counted and at == 1:
        return moving.ask_again(talk, library, say("again_short", talk.language))
    where = {"at": min(at, all_), "all": all_}  # a consent behind the last question is no further
    return moving.ask_again(talk, library, say("again", talk.language, where))


COMMANDS: Mapping[str, Callable[[Talk, Library], Turn]] = {
    "help": _help,
    "back": _back,
    "skip": _skip,
    "repeat": _repeat,
    "language": _choose_language,
    "spanish": _spanish,
    "maya": _maya,
    "menu": _menu,
    "pause": _pause,
    "return": _return,
    "go_on": _go_on,
    "greeting": _greeted,
    "stop": lambda talk, _library: (talk._replace(stopped=True), [Stop()]),
    **rights.COMMANDS,
}
