"""Voice notes in the media store: hidden as everything is that people say."""

from __future__ import annotations

import hashlib

from bot.channel import File
from bot.stores import Store
from storage.vault import Vault

PLACE = "media.file"
NAME = 32  # letters: half of the SHA-256 of the sound
ENDINGS = {
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/amr": "amr",
    "audio/webm": "webm",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/amr-wb": "awb",
    "audio/flac": "flac",
    "audio/x-caf": "caf",
}


def keep(store: Store, vault: Vault, file: File) -> str:
    """Write a file into the media store, whole or not at all; its name there."""
    ending = ENDINGS.get(file.type, "bin")
    name = f"{hashlib.sha256(file.content).hexdigest()[:NAME]}.{ending}"
    write(store, name, vault, file.content)
    return name


def write(store: Store, name: str, vault: Vault, content: bytes) -> None:
    store.write(name, vault.hide_bytes(PLACE, content))


def read(store: Store, name: str, vault: Vault) -> bytes:
    """The sound itself. Raises OSError, FileNotFoundError among them, or UnknownKey."""
    return vault.show_bytes(PLACE, store.read(name))


def is_one(name: str) -> bool:
    """Whether a file of the store is named as voices are: whatever else lies there is in the
    open."""
    stem, _, ending = name.partition(".")
    return len(stem) == NAME and ending in {*ENDINGS.values(), "bin"}
