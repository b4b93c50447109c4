"""Where a person is in what is being asked: plain values, and their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from dialogs.values import Choice, Language, Media, Message

Disposition = Literal["completed", "refused"]
EMPTY: Mapping[str, str] = MappingProxyType({})
CLOSED_KEPT = 5  # ended dialogs whose old buttons still work


class Dialog(NamedTuple):
    """One pass of a person through one version of a questionnaire.

    A tuple, as a talk: both change several times a turn, and to copy one takes a fifth of what it
    takes of a frozen dataclass.
    """

    id: str  # short: every button carries it
    form: str
    version: int
    folio: str = ""
    at: str = ""  # the question being asked; "" before the first and after the last
    answers: Mapping[str, str] = EMPTY  # "" for words that no logic reads
    aside: Mapping[str, str] = EMPTY  # made irrelevant by a correction
    passed: tuple[str, ...] = ()  # said, answered or skipped, in that order
    ticked: tuple[str, ...] = ()  # marks set so far on the question being asked
    misses: int = 0  # replies in a row that were not understood


class Talk(NamedTuple):
    """Everything about a person that decides what is said next."""

    language: Language | None = None
    dialogs: tuple[Dialog, ...] = ()  # open ones; the last one is speaking
    closed: tuple[Dialog, ...] = ()
    offered: tuple[Choice, ...] = ()  # what a number or label means before the question itself
    paused: bool = False
    stopped: bool = False
    streak: int = 0  # sure replies in the other language, in a row
    settled: bool = False  # an offer to switch was declined: not made again

    @property
    def top(self) -> Dialog | None:
        return self.dialogs[-1] if self.dialogs else None


def with_top(talk: Talk, dialog: Dialog) -> Talk:
    """The same talk, with its speaking dialog moved on."""
    return talk._replace(dialogs=(*talk.dialogs[:-1], dialog))


@dataclass(frozen=True, slots=True)
class Say:
    """Send this to the person."""

    message: Message


@dataclass(frozen=True, slots=True)
class Begin:
    """A dialog has begun."""

    dialog: Dialog


@dataclass(frozen=True, slots=True)
class Keep:
    """An answer, to be stored; it replaces an earlier one to the same question."""

    dialog: Dialog
    question: str
    role: str
    value: str  # choice name, number, space-separated names; "" where `said` is the answer
    said: str  # verbatim
    language: str | None
    confidence: float
    again: bool  # there may be an earlier one
    media: Media | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """Answers that a correction made irrelevant: kept, but not counted."""

    dialog: Dialog
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Answers set aside that are relevant again."""

    dialog: Dialog
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End:
    """A dialog is over; a refused one leaves no answers."""

    dialog: Dialog
    disposition: Disposition


@dataclass(frozen=True, slots=True)
class Speak:
    """The person chose a language."""

    language: Language


@dataclass(frozen=True, slots=True)
class Stop:
    """Write to this person no more."""


@dataclass(frozen=True, slots=True)
class Return:
    """The person came back by their own word."""


@dataclass(frozen=True, slots=True)
class Request:
    """A right that the person exercises: a human being has to see to it."""

    kind: Literal["access", "erasure", "rectification"]


@dataclass(frozen=True, slots=True)
class Tell:
    """Say what is known of the person (summary, permits): the database has the words."""

    what: str
    choices: tuple[Choice, ...]  # what can be done about it


@dataclass(frozen=True, slots=True)
class Revoke:
    """A consent taken back; "forums:" with a kind of forum is just those invitations."""

    kind: str


@dataclass(frozen=True, slots=True)
class Allow:
    """A consent given again by the person's own word, named as in Revoke."""

    kind: str


@dataclass(frozen=True, slots=True)
class Erase:
    """Forget this person, and say so in their language. No other effect comes with it."""

    folio: str
    language: Language | None


Effect = (
    Say | Begin | Keep | SetAside | TakeBack | End | Speak | Stop | Return | Request
    | Tell | Revoke | Allow | Erase
)  # fmt: skip


def to_json(talk: Talk) -> dict[str, Any]:
    """A talk as plain JSON, without what has its default value."""
    found = _changed(talk)
    for key in ("dialogs", "closed"):
        if key in found:
            found[key] = [_changed(dialog) for dialog in found[key]]
    if "offered" in found:
        found["offered"] = [[choice.payload, choice.label] for choice in talk.offered]
    return found


def from_json(found: Mapping[str, Any]) -> Talk:
    """The talk that `to_json` wrote; unknown keys are an error, missing ones have their default."""
    given = dict(found)
    for key in ("dialogs", "closed"):
        given[key] = tuple(_dialog(dialog) for dialog in given.get(key, ()))
    given["offered"] = tuple(Choice(*pair) for pair in given.get("offered", ()))
    return Talk(**given)


def _dialog(found: Mapping[str, Any]) -> Dialog:
    given = dict(found)
    for key in ("passed", "ticked"):
        given[key] = tuple(given.get(key, ()))
    return Dialog(**given)


def _changed(value: Talk | Dialog) -> dict[str, Any]:
    """The fields that do not have their default."""
    defaults = value._field_defaults
    return {
        name: current
        for name, current in zip(value._fields, value, strict=True)
        if current != defaults.get(name)
    }
