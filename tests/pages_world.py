"""The organizers' pages among people: sample answers, some trouble, an account for each role."""

from __future__ import annotations

import atexit
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, insert
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from bot import demo
from bot.wiring import Parts
from storage import organizers, schema
from storage.database import reading, writing
from tests import databases
from tests.world import settings
from webhooks import create_app

PASSWORD = "cuatro palabras al azar"
PEOPLE = 60
HELD = PasswordHasher(1, 8, 1).hash(PASSWORD)  # to check it takes no time
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Pages:
    """A program with people in it."""

    app: Flask

    @property
    def parts(self) -> Parts:
        found: Parts = self.app.extensions["parts"]
        return found

    def stops_the_clock(self) -> int:
        """From now on it is this second."""
        now = self.parts.clock()
        self.app.extensions["parts"] = replace(self.parts, clock=lambda: now)
        return int(now.timestamp())

    def stranger(self) -> Visitor:
        return Visitor(self.app.test_client())

    def as_(self, role: str) -> Visitor:
        """Somebody of a role, signed in."""
        visitor = self.stranger()
        assert visitor.signs_in(address(role)).status_code == 302
        return visitor

    def log(self) -> list[tuple[str, str]]:
        """Who did what, newest first."""
        with reading(self.parts.engine) as db:
            return [(row.who, row.action) for row in organizers.noted(db)]


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser without scripts."""

    client: FlaskClient

    def opens(self, page: str) -> TestResponse:
        return self.client.get(page)

    def reads(self, page: str) -> str:
        """The words of a page, without its tags."""
        found = self.opens(page)
        assert found.status_code == 200, (page, found.status_code)
        return words(found.text)

    def sends(self, page: str, to: str, **fields: object) -> TestResponse:
        """Fill in the form of a page and send it where it goes."""
        token = TOKEN.search(self.opens(page).text)
        assert token, f"{page} has no form"
        return self.client.post(to, data={"csrf_token": token[1], **fields})

    def signs_in(self, email: str, password: str = PASSWORD, code: str = "") -> TestResponse:
        fields = {"correo": email, "contrasena": password, "codigo": code}
        return self.sends("/entrar", "/entrar", **fields)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def address(role: str) -> str:
    return f"{role}@consulta.mx"


@contextmanager
def pages(folder: Path, url: str = "", people: int = PEOPLE) -> Iterator[Pages]:
    """The program with sample people and an account for each role."""
    if not url:
        shutil.copytree(_filled(people), folder, dirs_exist_ok=True)
    with _opened(folder, url) as made:
        if url:
            _fill(made, people)
        yield made


@cache
def _filled(people: int) -> Path:
    """A folder with these people in it, made once: to talk with them takes seconds."""
    made = TemporaryDirectory(prefix="pages-")
    atexit.register(made.cleanup)
    folder = Path(made.name)
    databases.sqlite(folder)
    with _opened(folder) as site:
        _fill(site, people)
    return folder


@contextmanager
def _opened(folder: Path, url: str = "") -> Iterator[Pages]:
    given = {"database_url": url} if url else {}
    made = Pages(create_app(settings(folder, chat=True, **given)))
    yield made
    made.parts.engine.dispose()


def _fill(made: Pages, people: int) -> None:
    with writing(made.parts.engine) as db:
        for role in organizers.ROLES:
            account(db, role, "Dora Canul", made.parts.clock())
    demo.fill(made.parts, people)


def account(db: Connection, role: str, name: str, at: datetime) -> None:
    """Somebody with a role and the password of everybody here."""
    given = {"email": address(role), "name": name, "role": role, "password": HELD}
    db.execute(insert(schema.organizers).values({**given, "created_at": at}))


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address at which an application answers until the block ends."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
