"""What an export of ODK or KoboToolbox consists of: its tables, and the recordings beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from bot import shape, voices
from bot.channel import File
from bot.stores import Store
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


@contextmanager
def unpacked(path: Path) -> Iterator[Sequence[Path]]:
    """The files of submissions in an export: one file, a folder (as on a phone), or a zip of one.

    Raises LookupError if there are none.
    """
    if path.is_dir():
        yield _submissions(path)
    elif path.suffix.lower() != ".zip":
        yield [path]
    else:
        with TemporaryDirectory() as folder:
            try:
                ZipFile(path).extractall(folder)
            except (BadZipFile, OSError, RuntimeError) as error:  # a password, too
                raise LookupError(f"{path}: the zip cannot be unpacked ({error}).") from None
            yield _submissions(Path(folder))


def _submissions(folder: Path) -> Sequence[Path]:
    """Each submission's own XML; else the tables, without those of repeats: NAME-REPEAT.csv."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    instances = [path for path in found if path.suffix.lower() == ".xml" and not _is_form(path)]
    listed = [path for path in found if path.suffix.lower() in (".csv", ".xlsx")]
    stems = [path.with_suffix("") for path in listed]
    main = [
        path
        for path, stem in zip(listed, stems, strict=True)
        if not any(str(stem).startswith(f"{other}-") for other in stems)
    ]
    if not instances and not main:
        raise LookupError(f"{folder}: there is no CSV, XLSX or XML with submissions in it.")
    return instances or main


def _is_form(path: Path) -> bool:
    """Whether an XML is the form itself, as it lies beside its submissions on a phone."""
    with path.open("rb") as opened:
        return b"<h:html" in opened.read(2000)


@dataclass(slots=True)
class Beside:
    """What lies beside an export, and which of the files that answers name is not kept."""

    media: Store  # where people's files are kept
    files: Mapping[str, Sequence[Path]]  # by name
    missing: list[str] = field(default_factory=list)


def beside(export: Path, media: Store) -> Beside:
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
