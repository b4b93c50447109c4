"""A conversation in the terminal, on the real path: the same engine, a database in memory."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

import click
from sqlalchemy import Connection, Engine, select

from bot import conversation, shape, wiring
from bot.conversation import Desk
from bot.settings import Settings
from bot.timing import now
from dialogs.values import Inbound, Message
from storage import database, forms, outbox, schema

CHANNEL = "terminal"


def wait_for_the_end() -> None:
    """Until the process is told to end.

    Told through a socket: a signal that comes just before the wait begins would not end that of a
    lock, and one that comes while the lock is taken would wait for it for ever.
    """
    told, tells = socket.socketpair()
    with told, tells:
        tells.settimeout(0)
        signal.set_wakeup_fd(tells.fileno())
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: None)
        told.recv(1)
        signal.set_wakeup_fd(-1)


def talk(form: Path | None, language: str | None) -> None:
    """Talk until the input ends, or with `adiós`. Raises ScriptError for a form with faults."""
    with TemporaryDirectory(prefix="consulta-chat-") as folder:
        desk = _desk(Path(folder), form)
        _heard(desk, 0, {"es": "español", "yua": "maya"}[language] if language else "hola")
        for number, line in enumerate(_lines(), 1):
            if line.strip().lower() in ("adiós", "adios"):
                break
            _heard(desk, number, line)
        desk.engine.dispose()


def _desk(folder: Path, form: Path | None) -> Desk:
    settings = Settings(data=folder)
    engine = wiring.open_database(settings)
    if form is not None:
        with database.writing(engine) as db:
            forms.publish(db, form, now(), front=True)
    return wiring.desk(engine, settings, SystemRandom())


def _lines() -> Iterator[str]:
    while True:
        if sys.stdin.isatty():
            click.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.rstrip("\n")


def _heard(desk: Desk, number: int, text: str) -> None:
    inbound = Inbound(CHANNEL, str(number), "terminal", "terminal", now(), text=text)
    conversation.receive(desk, inbound)
    for message in _said(desk.engine):
        for name in message.files:
            click.echo(f"\n[{name}]", nl=False)
        click.echo(f"\n{shape.under(message.text, _labels(message))}\n")


def _labels(message: Message) -> list[str]:
    choices = message.choices[:-1] if message.several else message.choices
    return [choice.label for choice in choices]


def _said(engine: Engine) -> list[Message]:
    """What is waiting in the outbox, taken as sent."""
    with database.writing(engine) as db:
        letters = outbox.claim(db, (CHANNEL,), now(), 20)
        for letter in letters:
            outbox.sent(db, letter.id, "", now())
        more = letters and _said_after(db)
    said = [letter.message for letter in letters if letter.message]
    return said + (_said(engine) if more else [])


def _said_after(db: Connection) -> bool:
    waiting = select(schema.outbox.c.id).where(schema.outbox.c.state == "queued").limit(1)
    return db.scalar(waiting) is not None
