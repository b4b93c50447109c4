"""Whole conversations as text files that anybody can read: see stories/README.md."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bot import conversation, wiring
from bot.conversation import Desk
from dialogs.values import Inbound, Media, Message
from storage import answers, database, outbox, people
from tests import databases
from tests.world import Clock, as_read, settings

FOLDER = Path(__file__).with_name("stories")
WRITE = os.environ.get("CONSULTA_STORIES") == "write"
CHANNEL = "story"
KINDS = {
    "foto": "photo",
    "sticker": "sticker",
    "video": "video",
    "documento": "document",
    "contacto": "contact",
    "encuesta": "poll",
    "edita": "edited",
    "otra cosa": "other",
}


@dataclass(slots=True)
class Talker:
    """The person of a story, at the desk where messages are taken in."""

    desk: Desk
    clock: Clock
    said: list[tuple[int, Message]] = field(default_factory=list)
    number: int = 0

    def does(self, line: str) -> str:
        """What the person is told for this line."""
        self.number += 1
        given = dict(self._meant(line))
        inbound = Inbound(CHANNEL, str(self.number), "yo", "yo", self.clock(), **given)
        assert conversation.receive(self.desk, inbound) == "kept"
        return "\n\n".join(map(as_read, self._told()))

    def _meant(self, line: str) -> Iterator[tuple[str, Any]]:
        inside = line.removeprefix("[").removesuffix("]") if line.startswith("[") else ""
        word, _, rest = inside.partition(" ")
        if not inside:
            yield "text", line
        elif word == "toca":
            yield from self._button(rest).items()
        elif word == "voz":
            yield from {"kind": "voice", "media": Media("voz.ogg", "audio/ogg")}.items()
        elif word == "ubicación":
            lat, lon = map(float, rest.split())
            yield from {"kind": "location", "point": (lat, lon)}.items()
        elif word == "empieza":
            yield from {"kind": "start", "code": rest}.items()
        else:
            yield "kind", KINDS[inside]

    def _button(self, label: str) -> dict[str, str]:
        for number, message in reversed(self.said):
            for choice in message.choices:
                if choice.label == label:
                    return {"kind": "button", "payload": choice.payload, "pressed": str(number)}
        raise AssertionError(f"no button says {label!r}")

    def _told(self) -> Iterator[Message]:
        with database.writing(self.desk.engine) as db:
            while letters := outbox.claim(db, (CHANNEL,), self.clock(), 1):
                outbox.sent(db, letters[0].id, str(letters[0].id), self.clock())
                self.said.append((letters[0].id, letters[0].message))
                yield letters[0].message

    def kept(self) -> Iterator[str]:
        """What is stored of the person."""
        with database.reading(self.desk.engine) as db:
            person = people.find(db, CHANNEL, "yo")
            rows = answers.of_person(db, person.id) if person else []
        for row in rows:
            value = row["value"] or row["said"] or "(voz)"
            yield f"{'~' if row['aside'] else '='} {row['question']}: {value}"


@pytest.fixture
def talker(tmp_path: Path) -> Iterator[Talker]:
    known = settings(tmp_path, public_url="https://consulta.example.mx")
    databases.sqlite(tmp_path)
    engine = wiring.open_database(known)
    desk = wiring.desk(engine, known, Random(7))
    yield Talker(desk, Clock())
    engine.dispose()


def told_again(talker: Talker, text: str) -> str:
    """The story with what the bot says now."""
    lines = text.splitlines()
    title = lines[: next(i for i, line in enumerate(lines) if line.startswith("— "))]
    told = ["\n".join(title).rstrip(), ""]
    for line in lines:
        if line.startswith("— "):
            told += [line, re.sub(r"(?m)^(?=.)", "    ", talker.does(line[2:])), ""]
    return "\n".join([*told, *talker.kept()]).rstrip() + "\n"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_the_story_goes_as_it_is_written(path: Path, talker: Talker) -> None:
    written = path.read_text(encoding="utf-8")
    now = told_again(talker, written)
    if WRITE:
        path.write_text(now, encoding="utf-8")
    assert now == written
