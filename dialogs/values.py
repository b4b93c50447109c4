"""What every package speaks in: what came in, what goes out, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

Language = Literal["es", "yua"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
FORUM_KINDS = (
    *("thematic", "affirmative", "specialists", "focus", "cocreation", "community"),
    *("presentation", "feedback", "signing"),
)

Text = Mapping[str, str]
"""The same words by language. A language that is missing has no words yet."""

Kind = Literal[
    "text",
    "button",
    "start",  # the person opened the conversation; `text` holds what else was said
    "voice",
    "photo",
    "video",
    "sticker",
    "document",
    "contact",
    "location",
    "poll",
    "edited",  # a message that was already read has been changed
    "blocked",  # the person shut us out
    "unblocked",
    "group",  # not a conversation with one person: never answered
    "other",
]


@dataclass(frozen=True, slots=True)
class Media:
    """A file that a person sent, still at the provider."""

    ref: str  # Telegram's file id, Twilio's URL, or the name of a file already kept
    type: str  # as declared by the provider: checked again once it is here
    size: int | None = None  # bytes, if the provider says
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """One thing a person did, whatever the channel."""

    channel: str
    id: str  # the provider's id of this call: the same one repeated is the same thing
    address: str  # where an answer goes
    identity: str  # who it is: one person may write from more than one address
    at: datetime
    kind: Kind = "text"
    text: str = ""  # verbatim
    payload: str = ""  # of the pressed button
    pressed: str = ""  # the provider's id of the message whose button was pressed
    callback: str = ""  # what the provider wants settled, so that the button stops spinning
    media: Media | None = None
    point: tuple[float, float] | None = None  # latitude, longitude
    code: str = ""  # of the deep link by which the person came: which poster, which town
    moved_to: str = ""  # the chat's new address, when the provider says that it moved


ReceiptState = Literal["sent", "delivered", "read", "failed"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider says later of a message that we sent."""

    channel: str
    provider_id: str
    state: ReceiptState
    at: datetime
    code: str = ""  # the provider's error code
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that may be answered with a tap, its number, or its label."""

    payload: str  # at most 64 bytes: Telegram's limit for callback data
    label: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What goes with one of the choices: a picture of it, a recording of it, or both."""

    label: str  # with the number by which it may be answered
    image: str = ""
    audio: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is said to a person, before any channel gives it a shape."""

    text: str
    choices: tuple[Choice, ...] = ()
    several: bool = False  # the choices are marks to set and unset; the last one means done
    chosen: tuple[str, ...] = ()  # payloads of the marks that are set
    edits: str = ""  # the provider's id of the message that this one replaces
    callback: str = ""  # settle this button press with the message
    audio: str = ""  # a recorded reading of the text: a published file, or a URL
    image: str = ""  # a picture that is seen before the text: likewise
    shown: tuple[Shown, ...] = ()
    point: tuple[float, float] | None = None
    language: Language = "es"

    @property
    def files(self) -> tuple[str, ...]:
        """What is seen and heard with it, in that order."""
        shown = (file for each in self.shown for file in (each.image, each.audio))
        return tuple(filter(None, (self.image, self.audio, *shown)))

    @property
    def sends(self) -> int:
        """How many messages it takes at a provider."""
        return 1 + len(self.files) + bool(self.point)


DEFAULTS = [(field.name, field.default) for field in fields(Message)]


def message_to_json(message: Message) -> dict[str, Any]:
    """A message as plain JSON, without what has its default value."""
    found: dict[str, Any] = {
        name: value for name, default in DEFAULTS if (value := getattr(message, name)) != default
    }
    if message.choices:
        found["choices"] = [[choice.payload, choice.label] for choice in message.choices]
    if message.shown:
        found["shown"] = [[each.label, each.image, each.audio] for each in message.shown]
    return found


def message_from_json(found: Mapping[str, Any]) -> Message:
    """The message that `message_to_json` wrote."""
    given = dict(found)
    given["choices"] = tuple(Choice(*pair) for pair in given.get("choices", ()))
    given["chosen"] = tuple(given.get("chosen", ()))
    given["shown"] = tuple(Shown(*each) for each in given.get("shown", ()))
    if given.get("point"):
        given["point"] = tuple(given["point"])
    return Message(**given)


def in_language(words: Text, language: str | None) -> str:
    """The words in a language, or in Spanish where it has none yet."""
    return words.get(language or "es") or words.get("es", "")
