"""The one seam to the providers: send a message, fetch a file, and what can fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from dialogs.values import Media, Message

leaving: ContextVar[Callable[[], None]] = ContextVar("leaving", default=lambda: None)
"""Called by a channel as the bytes of a call go out; whoever sends sets what is to be told."""


class SendError(Exception):
    """A message did not go out. `code` is the provider's, the text says what it means."""

    perhaps = False  # whether it may have gone out all the same

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class TryLater(SendError):
    """Not now: send the same again after `wait`, with `grows` twice as long each time; with
    `everybody`, the whole sender has to wait. `perhaps` it was taken all the same, before the
    provider's own fault: a question may come twice, an invitation may not."""

    def __init__(
        self,
        reason: str,
        code: str = "",
        wait: timedelta | None = None,
        *,
        everybody: bool = False,
        grows: bool = False,
        perhaps: bool = False,
    ) -> None:
        super().__init__(reason, code)
        self.perhaps = perhaps
        self.wait = wait
        self.everybody = everybody
        self.grows = grows


class Uncertain(SendError):
    """The provider did not answer in time, or broke off: it may have been delivered."""

    perhaps = True


class Refused(SendError):
    """The provider will not send this, now or later."""


class Misworded(Refused):
    """What is said, or its template, is at fault: whoever wrote it has to know."""


class Halt(Refused):
    """It breaks the provider's rules: send no more of the same, and tell whoever wrote it."""


class Gone(Refused):
    """The person blocked us or does not exist: send nothing more."""


class WindowClosed(Refused):
    """WhatsApp takes only approved templates until the person writes again."""


class Moved(SendError):
    """The conversation has another address now: send the same there."""

    def __init__(self, address: str) -> None:
        super().__init__(f"the chat moved to {address}")
        self.address = address


class Broken(SendError):
    """The sender itself is not in order (token, account, number): stop it and tell the operator."""


@dataclass(frozen=True, slots=True)
class File:
    """What a person sent, fetched: the bytes, and the type that the bytes themselves show."""

    content: bytes
    type: str


class Channel(Protocol):
    """A provider, as the delivery sees it."""

    name: str

    async def send(self, address: str, message: Message) -> str:
        """Send, and return the provider's id. Raises a SendError that says what may be done."""

    async def fetch(self, media: Media) -> File:
        """Bring a file that a person sent. Raises a SendError; Refused if too large or no audio."""

    async def close(self) -> None:
        """Let go of the connections."""


@runtime_checkable
class Windowed(Protocol):
    """A provider that takes free words only for a while, and can be asked what it has sent."""

    async def ask(self, address: str, template: str, variables: Mapping[str, str]) -> str:
        """Send an approved template, and return the provider's id. Raises a SendError."""

    async def look_up(self, address: str, since: datetime, body: str | None) -> str | None:
        """The id of a message that was sent to this person since then, if there is one.

        It began with `body`; None: whatever it said.
        """
