"""What both providers need to give a message its shape: numbers, lengths, and kinds of audio."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """How a channel will show a message: its words, then rows of buttons, or the rows of a list."""

    words: str
    rows: tuple[tuple[str, ...], ...] = ()
    listed: bool = False

    def __str__(self) -> str:
        shown = "≡ {}" if self.listed else "[{}]"
        lines = (" ".join(shown.format(label) for label in row) for row in self.rows)
        return "\n".join((self.words, *lines))


def units(text: str) -> int:
    """The length as the providers count it, in UTF-16 units: most emoji count two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def sendable(text: str) -> str:
    """The text without what cannot travel: lone surrogates (replaced) and NUL (left out)."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "")


def numbered(labels: Iterable[str]) -> str:
    """One choice a line, each behind its number."""
    return "\n".join(f"{number}. {label}" for number, label in enumerate(labels, 1))


def under(text: str, labels: Iterable[str]) -> str:
    """A text with its numbered choices below it."""
    return f"{text}\n\n{numbered(labels)}".strip()


def shorten(label: str, limit: int) -> str:
    """The label in at most `limit` units, cut between words where there is a place to."""
    if units(label) <= limit:
        return label
    room = _fitting(label, limit - 1)
    cut = label.rfind(" ", limit // 2, room + 1)
    return label[: cut if cut > 0 else room].rstrip(" ,.;:") + "…"


def split(text: str, limit: int) -> list[str]:
    """The text in parts of at most `limit` units: by paragraph, line or word, else by force."""
    parts = []
    while units(text) > limit:
        cut = _cut(text, _fitting(text, limit))
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [part for part in (*parts, text) if part]


def _cut(text: str, room: int) -> int:
    """Where to cut so that at most `room` characters stay, and at least half of them."""
    for mark in ("\n\n", "\n", " "):
        cut = text.rfind(mark, room // 2, room + 1)
        if cut > 0:
            return cut
    return room


def _fitting(text: str, limit: int) -> int:
    """How many characters from the start have at most `limit` units; at least one."""
    room = min(len(text), limit)
    while room > 1 and (over := units(text[:room]) - limit) > 0:
        room -= (over + 1) // 2
    return max(room, 1)


_AUDIO = (
    ("audio/ogg", re.compile(rb"OggS.{22,64}?(OpusHead|\x01vorbis|Speex|\x7fFLAC)", re.DOTALL)),
    ("audio/mpeg", re.compile(rb"ID3[\x02-\x04]|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")),
    ("audio/aac", re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")),
    ("audio/amr", re.compile(rb"#!AMR\n")),
    ("audio/amr-wb", re.compile(rb"#!AMR-WB\n")),
    ("audio/wav", re.compile(rb"RIFF.{4}WAVE", re.DOTALL)),
    ("audio/flac", re.compile(rb"fLaC")),
    ("audio/x-caf", re.compile(rb"caff")),
    (
        "audio/mp4",
        re.compile(rb".{4}ftyp(M4[AB] |mp4[12]|isom|iso[2-6]|dash|3gp.|3g2.)", re.DOTALL),
    ),
    ("audio/webm", re.compile(rb"\x1a\x45\xdf\xa3")),
)
_PICTURES = re.compile(rb"hdlr.{8}vide|V_(VP8|VP9|AV1|MPEG)", re.DOTALL)


def audio_type(content: bytes) -> str | None:
    """Which kind of audio the bytes show (Ogg, MP3, AAC, AMR, WAV, FLAC, CAF, MP4, WebM).

    None if they show none, or a film: MP4 and WebM may hold either.
    """
    found = next((kind for kind, start in _AUDIO if start.match(content)), None)
    if found in ("audio/mp4", "audio/webm") and _PICTURES.search(content):
        return None
    return found


_OTHERS = (
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    ("application/pdf", re.compile(rb"%PDF-")),
)


UNKNOWN = "application/octet-stream"


def file_type(content: bytes, declared: str) -> str | None:
    """Which kind of file the bytes show; what was announced as audio has to be audio.

    Photos and PDF are kept where a question asks for them. None for everything else.
    """
    kind = audio_type(content)
    if kind or not declared or declared.startswith("audio/"):
        return kind
    return next((kind for kind, start in _OTHERS if start.match(content)), None)
