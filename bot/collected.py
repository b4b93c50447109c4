"""Recordings and photos that lie beside an export of ODK or KoboToolbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot import shape, voices
from bot.channel import File
from dialogs import minors
from dialogs.questions import FILES, Script
from dialogs.state import Keep
from dialogs.submissions import Held
from dialogs.values import Media
from dialogs.walking import Library
from storage.vault import Vault

TYPES = ("audio", *FILES)  # of questions whose answers are files
FOLDERS = ("media", "attachments")  # of Briefcase and Central, and of Kobo
LARGEST = 20_000_000  # bytes, as from a chat
UNKNOWN = "application/octet-stream"


@dataclass(slots=True)
class Beside:
    """What lies beside an export, and which of the files that answers name is not kept."""

    media: Path  # the folder in which people's files are kept
    files: Mapping[str, Sequence[Path]]  # by name
    missing: list[str] = field(default_factory=list)


def beside(export: Path, media: Path) -> Beside:
    near = [*export.parent.glob("*")]
    for name in FOLDERS:
        near += export.parent.joinpath(name).rglob("*")
    found = defaultdict[str, list[Path]](list)
    for path in near:
        if path.is_file() and path != export:
            found[path.name].append(path)
    return Beside(media, found)


def with_file(kept: Keep, held: Held, script: Script, beside: Beside, vault: Vault) -> Keep:
    """The answer with its file, which is kept as what people send in a chat is.

    A voice that may not be kept, a minor's for instance, stays out.
    """
    library = Library(lambda _form, _version: script)
    content = _content(kept.said, held.submission.instance, beside)
    kind = shape.file_type(content, UNKNOWN) if content else None
    if content is None or kind is None:
        beside.missing.append(kept.said)
        return kept
    if kind.startswith("audio/") and minors.voice_refused((held.dialog,), library):
        return replace(kept, said="")
    name = voices.keep(beside.media, vault, File(content, kind))
    return replace(kept, said="", media=Media(name, kind, len(content)))


def _content(name: str, instance: str, beside: Beside) -> bytes | None:
    """The file of this name; where there are several, that in the submission's own folder."""
    written = name.replace("\\", "/").rpartition("/")[2]
    found = beside.files.get(written) or beside.files.get(written.replace(" ", "_"), ())
    own = instance.removeprefix("uuid:")
    mine = [path for path in found if own and any(own in part for part in path.parent.parts)]
    path = next(iter((*mine, *found)), None)
    return path.read_bytes() if path and path.stat().st_size <= LARGEST else None
