"""Voice notes in the media folder: hidden as everything is that people say."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bot.channel import File
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


def keep(folder: Path, vault: Vault, file: File) -> str:
    """Write a file into the media folder, whole or not at all; its name there."""
    ending = ENDINGS.get(file.type, "bin")
    name = f"{hashlib.sha256(file.content).hexdigest()[:NAME]}.{ending}"
    write(folder / name, vault, file.content)
    return name


def write(path: Path, vault: Vault, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    partial.write_bytes(vault.hide_bytes(PLACE, content))
    partial.replace(path)


def read(path: Path, vault: Vault) -> bytes:
    """The sound itself. Raises FileNotFoundError, or UnknownKey."""
    return vault.show_bytes(PLACE, path.read_bytes())
