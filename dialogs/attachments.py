"""The pictures and recordings that a questionnaire names, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from dialogs.faults import Fault, Said, said
from dialogs.questions import Script
from dialogs.values import Text

# What Twilio sends over WhatsApp (Guidance on WhatsApp Media Messages). Telegram takes more.
LARGEST_AUDIO, LARGEST_IMAGE = 16_000_000, 5_000_000  # bytes
AUDIO = (".ogg", ".opus", ".oga", ".mp3", ".m4a", ".aac", ".amr", ".mp4")
IMAGES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")  # how JPEG and PNG begin
OTHER_IMAGES = (".gif", ".webp", ".svg", ".bmp", ".tif", ".tiff", ".heic")
AT_AN_ADDRESS = ("https://", "http://")


def named(script: Script) -> Sequence[str]:
    """The files that it names, each once; what is at an address is not among them."""
    found = (file for _, _, _, audio, image in _cells(script)
             for file in (*audio.values(), *image.values()))  # fmt: skip
    return [kept_as(file) for file in dict.fromkeys(found) if not file.startswith(AT_AN_ADDRESS)]


def kept_as(file: str) -> str:
    """The name by which a channel finds it: an address is its own, a path counts for nothing.

    Whoever writes a form does not choose which of our files everybody may see.
    """
    return file if file.startswith(AT_AN_ADDRESS) else file.replace("\\", "/").rpartition("/")[2]


def find(folder: Path, file: str) -> Path | None:
    """The file beside a questionnaire, or in the folder `media` there."""
    name = kept_as(file)
    return next((path for path in (folder / name, folder / "media" / name) if path.is_file()), None)


def faults(folder: Path, script: Script) -> Iterator[Fault]:
    for sheet, row, name, audio, image in _cells(script):
        for file in dict.fromkeys(audio.values()):
            if wrong := _recording(folder, file):
                yield Fault(sheet, row, name, wrong, _column("audio", audio, file))
        for file in dict.fromkeys(image.values()):
            if wrong := _picture(folder, file):
                yield Fault(sheet, row, name, wrong, _column("image", image, file))


def _column(media: str, named: Text, file: str) -> str:
    language = next(code for code, name in named.items() if name == file)
    return f"media::{media}::{language}"


def warnings(script: Script) -> Iterator[Fault]:
    """What stands at an address: whether it is there, nobody looks."""
    for sheet, row, name, audio, image in _cells(script):
        for media, files in (("audio", audio), ("image", image)):
            for file in dict.fromkeys(files.values()):
                if file.startswith(AT_AN_ADDRESS):
                    what = said("at_address", file=file)
                    yield Fault(sheet, row, name, what, _column(media, files, file))


def _suffix(address: str) -> str:
    return PurePosixPath(urlsplit(address).path).suffix.lower()


def _cells(script: Script) -> Iterator[tuple[str, int, str, Text, Text]]:
    """Each row with files: sheet, row, name, recordings and pictures by language."""
    listed = set[tuple[str, int, str]]()
    for question in script.questions:
        yield "survey", question.row, question.name, question.audio, question.image
        for option in question.options:
            if (option.sheet, option.row, option.name) not in listed:
                listed.add((option.sheet, option.row, option.name))
                yield option.sheet, option.row, option.name, option.audio, option.image


def _recording(folder: Path, file: str) -> Said | None:
    """What is wrong with it."""
    if file.startswith(AT_AN_ADDRESS):
        wrong = _suffix(file) not in ("", *AUDIO)
        return said("recording_type", file=file, names=", ".join(AUDIO)) if wrong else None
    found = find(folder, file)
    if found is None:
        return said("recording_missing", file=file)
    if found.suffix.lower() not in AUDIO:
        return said("recording_type", file=file, names=", ".join(AUDIO))
    too_large = found.stat().st_size > LARGEST_AUDIO
    return said("recording_large", file=file) if too_large else None


def _picture(folder: Path, file: str) -> Said | None:
    if file.startswith(AT_AN_ADDRESS):
        return said("picture_type", file=file) if _suffix(file) in OTHER_IMAGES else None
    found = find(folder, file)
    if found is None:
        return said("picture_missing", file=file)
    with found.open("rb") as opened:
        begins = opened.read(8)
    if not begins.startswith(IMAGES):
        return said("picture_type", file=file)
    too_large = found.stat().st_size > LARGEST_IMAGE
    return said("picture_large", file=file) if too_large else None
