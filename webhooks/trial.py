"""A questionnaire tried beside its tree: the same engine as in the chat, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from dialogs import engine
from dialogs.questions import Script
from dialogs.state import Say, Talk
from dialogs.values import Inbound, Kind, Message
from dialogs.walking import Library
from storage import people

MOST = 120  # things said in one trial: more is not a trial any more
LONGEST = 1000  # characters of one of them
TAP = "tap "  # begins what was not written but pressed: the payload of a button


@dataclass(frozen=True, slots=True)
class Line:
    """One thing said; `mine` is what the organizer said."""

    mine: bool
    text: str
    language: str = "es"


@dataclass(frozen=True, slots=True)
class Trial:
    """The conversation so far, and the buttons that can be pressed now."""

    heard: tuple[str, ...]  # what was said, to be said again with the next thing
    lines: tuple[Line, ...]
    taps: tuple[tuple[str, str], ...]  # payload, label
    done: bool


def play(script: Script, library: Library, heard: Sequence[str], now: datetime) -> Trial:
    """The conversation from its beginning, every time: so it needs no place to be kept."""
    known = library._replace(lookup=_knowing(script, library))
    fresh = people.fresh(script.name, script.version, Random(0))  # nosec B311 # not a secret
    talk, last = Talk(), Message("")
    lines: list[Line] = []
    for number, said in enumerate(("hola", *heard)[: MOST + 1]):
        talk, effects = engine.hear(talk, _inbound(number, said[:LONGEST], now), known, fresh)
        if number:
            lines.append(Line(mine=True, text=_shown(said, last)))
        told = [effect.message for effect in effects if isinstance(effect, Say)]
        lines += [Line(mine=False, text=_told(m), language=m.language) for m in told if m.text]
        last = next((each for each in reversed(told) if each.choices), Message(""))
    taps = tuple((choice.payload, choice.label) for choice in last.choices)
    return Trial(tuple(heard), tuple(lines), taps, done=talk.top is None)


def _knowing(script: Script, library: Library) -> Callable[[str, int], Script]:
    def lookup(name: str, version: int) -> Script:
        same = (name, version) == (script.name, script.version)
        return script if same else library.lookup(name, version)

    return lookup


def _inbound(number: int, said: str, now: datetime) -> Inbound:
    kind: Kind = "button" if said.startswith(TAP) else "start" if number == 0 else "text"
    heard = Inbound("chat", str(number), "trial", "trial", now, kind=kind)
    if kind == "button":
        return replace(heard, payload=said.removeprefix(TAP))
    return replace(heard, text=said)


def _told(message: Message) -> str:
    """The words, below the names of what is seen and heard with them."""
    return "\n".join((*(f"[{name}]" for name in message.files), message.text))


def _shown(said: str, asked: Message) -> str:
    """What was written, or what stood on the button."""
    labels = {TAP + choice.payload: choice.label for choice in asked.choices}
    return labels.get(said, said.removeprefix(TAP))
