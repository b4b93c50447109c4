"""One small world: the real program, the two providers played on loopback, and a few known people.

Ana answers in Spanish on Telegram, Beto in Maya on WhatsApp, Chela will block us on Telegram.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from bot import wiring
from bot.settings import SecretStr, Settings
from bot.wiring import Parts
from dialogs.values import Message
from storage import answers, people, schema
from storage.database import reading
from tests import listening
from tests.emulators import telegram_people, twilio_people
from tests.emulators.telegram import Telegram
from tests.emulators.twilio import Twilio
from webhooks import create_app

START = datetime(2027, 6, 28, 15, 0, tzinfo=UTC)
SECRET = "un-secreto-de-prueba"  # in X-Telegram-Bot-Api-Secret-Token
PUBLIC = "https://consulta.example.mx"
PATIENCE = 10.0  # seconds: a busy machine is slow, not wrong
KEY = "una clave de prueba"
FAST = 1000.0  # messages a second: what is not about rates should not wait for them

ANA = telegram_people.Person(101, "Ana")
BETO = twilio_people.Person("+5219991112233", "Beto")
CHELA = telegram_people.Person(103, "Chela")
CAST: Mapping[str, Any] = {"ana": ANA, "beto": BETO, "chela": CHELA}


class Clock:
    """Moves on by itself as time does, and may be moved further."""

    def __init__(self, start: datetime = START) -> None:
        self._start, self._began, self._ahead = start, time.monotonic(), timedelta(0)
        self.moved: Callable[[], None] = lambda: None  # what has to notice

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began) + self._ahead

    def advance(self, by: timedelta) -> None:
        self._ahead += by
        self.moved()


@dataclass(slots=True)
class World:
    """The program at work among people."""

    parts: Parts
    app: Flask
    clock: Clock
    telegram: Telegram
    twilio: Twilio
    cast: dict[str, Any] = field(default_factory=lambda: dict(CAST))
    _seen: dict[str, int] = field(default_factory=dict)

    # what people do

    def says(self, name: str, text: str) -> list[str]:
        """Somebody writes; what they are told, each message with its numbered choices."""
        return self.does(name, self.update(name, text))

    def update(self, name: str, text: str) -> dict[str, Any]:
        """A text as the provider would bring it."""
        person = self.cast[name]
        if isinstance(person, telegram_people.Person):
            return telegram_people.text(person, text)
        return twilio_people.text(person, text)

    def does(self, name: str, update: Mapping[str, Any]) -> list[str]:
        """The provider brings something that a person did; what they are told."""
        assert self.bring(name, update) == 200
        self.settle()
        return self.told(name)

    def bring(self, name: str, update: Mapping[str, Any]) -> int:
        """Post a call as the provider would; the status of the answer."""
        if isinstance(self.cast[name], telegram_people.Person):
            self.telegram.saw(dict(update))
            headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
            call = self.app.test_client().post("/hooks/telegram", json=update, headers=headers)
            return call.status_code
        form = dict(update)
        self.twilio.saw(form)
        url = f"{PUBLIC}/hooks/whatsapp"
        headers = twilio_people.signed(url, form, self.twilio.auth_token)
        client = self.app.test_client()
        return client.post("/hooks/whatsapp", data=form, headers=headers).status_code

    def taps(self, name: str, label: str) -> list[str]:
        """Somebody presses the newest button with that label."""
        person = self.cast[name]
        if isinstance(person, telegram_people.Person):
            under = [seen for seen in self.telegram.history(person) if seen.buttons][-1]
            labels = [button.text.lstrip("☑☐ ") for button in under.buttons]
            return self.does(name, self.telegram.press(person, labels.index(label)))
        shown = [seen for seen in self.twilio.history(person) if seen.choices][-1]
        titles = [choice.title for choice in shown.choices]
        return self.does(name, self.twilio.press(person, titles.index(label)))

    def speaks(self, name: str) -> list[str]:
        """Somebody sends a voice note."""
        person = self.cast[name]
        if isinstance(person, telegram_people.Person):
            return self.does(name, telegram_people.voice(person))
        return self.does(name, twilio_people.voice(person))

    # what comes of it

    def settle(self, patience: float = PATIENCE) -> None:
        """Wait until nothing is due and nothing is on its way."""
        post, until = self.parts.post, time.monotonic() + patience
        while post.running or post.taken or post.turn.locked() or self._pending():
            assert time.monotonic() < until, f"still on its way: {self.states()}"
            if post.taken:
                self.parts.bell.ring()  # what was sent is written now, not a little later
            time.sleep(0.002)

    def next_round(self, patience: float = PATIENCE) -> None:
        """Wait until the delivery begins another round: this one knows the time before."""
        before, until = self.parts.post.beat, time.monotonic() + patience
        while self.parts.post.loop and self.parts.post.beat == before:
            assert time.monotonic() < until, "the delivery stands still"
            self.parts.bell.ring()
            time.sleep(0.002)

    def _pending(self) -> int:
        box, media = schema.outbox, schema.media
        now = self.clock() + timedelta(seconds=1)
        with reading(self.parts.engine) as db:
            due = box.c.state.in_(("queued", "leased")) & (box.c.due <= now)
            letters = db.scalar(select(func.count()).select_from(box).where(due)) or 0
            waiting = (media.c.state == "waiting") & (media.c.attempts == 0)
            fetching = (media.c.state == "waiting") & (media.c.reason == "being fetched")
            files = select(func.count()).select_from(media).where(waiting | fetching)
            return letters + (db.scalar(files) or 0)

    def told(self, name: str) -> list[str]:
        """What a person has been told since last asked."""
        person = self.cast[name]
        emulator: Any = self.telegram if _on_telegram(person) else self.twilio
        said = [_shown(seen) for seen in emulator.history(person) if seen.sender == "bot"]
        new = said[self._seen.get(name, 0) :]
        self._seen[name] = len(said)
        return new

    def states(self) -> dict[str, int]:
        """How many messages are in each state."""
        box = schema.outbox
        with reading(self.parts.engine) as db:
            rows = db.execute(select(box.c.state, func.count()).group_by(box.c.state))
            return {row[0]: row[1] for row in rows}

    def stored(self, name: str) -> dict[str, str]:
        """The answers of a person that count: choice, number, or what was said."""
        return {row["question"]: row["value"] or row["said"] for row in self.rows(name)}

    def rows(self, name: str, *, aside: bool = False) -> list[dict[str, Any]]:
        """The answers of a person with everything that is kept of them."""
        person = self.cast[name]
        on_telegram = _on_telegram(person)
        channel = "telegram" if on_telegram else "whatsapp"
        identity = str(person.id) if on_telegram else _identity(person.number)
        with reading(self.parts.engine) as db:
            found = people.find(db, channel, identity)
            rows = answers.of_person(db, found.id) if found else []
        return [row for row in rows if row["aside"] is aside]

    def count(self, table: Any) -> int:
        """The rows of a table."""
        with reading(self.parts.engine) as db:
            return db.scalar(select(func.count()).select_from(table)) or 0

    def answers_until(self, name: str, *said: str) -> list[str]:
        """Say several things; what is told after the last."""
        told: list[str] = []
        for text in said:
            told = self.says(name, text)
        return told


def _on_telegram(person: object) -> bool:
    return isinstance(person, telegram_people.Person)


def _identity(number: str) -> str:
    from bot import whatsapp

    return whatsapp.identity(f"whatsapp:{number}")


def _shown(seen: Any) -> str:
    """A message as a person reads it: the text, and under it the buttons, numbered."""
    if hasattr(seen, "buttons"):
        labels = [button.text for button in seen.buttons]
    else:
        labels = [choice.title for choice in seen.choices]
    return "\n".join([seen.text, *(f"{n}. {label}" for n, label in enumerate(labels, 1))])


def settings(folder: Path, **given: Any) -> Settings:
    """Settings of a test: nothing is read from the environment."""
    given = {"data": folder, "secret_key": SecretStr(KEY), **given}
    return Settings(**given)


@contextmanager
def world(folder: Path, url: str, **given: Any) -> Iterator[World]:
    """The program at work until the block ends; no request may have gone against the providers."""
    clock = Clock()
    with ExitStack() as stack:
        telegram = stack.enter_context(Telegram(clock=clock))
        twilio = stack.enter_context(Twilio(clock=clock))
        known = settings(
            folder,
            database_url=url,
            public_url=PUBLIC,
            telegram_token=SecretStr(telegram.token),
            telegram_secret=SecretStr(SECRET),
            telegram_api=telegram.url,
            telegram_rate=FAST,
            twilio_account_sid=twilio.account,
            twilio_auth_token=SecretStr(twilio.auth_token),
            twilio_api=twilio.url,
            whatsapp_from=twilio.sender,
            whatsapp_rate=FAST,
            **given,
        )
        listening.SECRETS.update((telegram.token, twilio.auth_token, SECRET, twilio.account))
        parts = wiring.build(known, clock=clock, rng=Random(7))
        stack.callback(parts.engine.dispose)
        made = World(parts, create_app(known, parts), clock, telegram, twilio)
        stack.enter_context(wiring.working(parts))
        clock.moved = made.next_round
        yield made
    assert telegram.faults == []
    assert twilio.faults == []


def as_read(message: Message) -> str:
    """A message that has no provider, as a person reads it."""
    choices = message.choices[:-1] if message.several else message.choices
    marks = ["☑ " if choice.payload in message.chosen else "" for choice in choices]
    labels = [mark + choice.label for mark, choice in zip(marks, choices, strict=True)]
    return "\n".join([message.text, *(f"{n}. {label}" for n, label in enumerate(labels, 1))])
