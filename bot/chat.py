"""The chat without a provider: what is sent is written where the local page reads it."""

from __future__ import annotations

from collections.abc import Callable

from bot.channel import File, Refused
from dialogs.values import Media, Message


class Local:
    """The local chat page. `write(address, message)` stores a line and gives its number."""

    name = "chat"

    def __init__(self, write: Callable[[str, Message], int]) -> None:
        self._write = write

    async def send(self, address: str, message: Message) -> str:
        return str(self._write(address, message)) if message.text else ""

    async def fetch(self, media: Media) -> File:
        raise Refused(f"{media.ref} came with its bytes; there is nothing to fetch")

    async def close(self) -> None:
        return None
