"""What every test may ask for: a database of its own, and the world around the program."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from tests import databases, listening
from tests.world import World, settings
from tests.world import world as live
from webhooks import create_app
from webhooks.app import deliver


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In whatever order: what is long begins first."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must not reach a test."""
    for name in list(os.environ):
        if name.startswith("CONSULTA_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _nothing_of_a_person_is_logged() -> Iterator[None]:
    """Whatever is logged in the whole suite, by us, by a library, by a process that a test starts
    or by PostgreSQL: no token, number, name or answer."""
    ear = listening.Ear()
    logging.getLogger().addHandler(ear)
    yield
    logging.getLogger().removeHandler(ear)
    assert listening.overheard([*ear.lines, *listening.written()]) == []


@pytest.fixture(scope="session")
def pg() -> Iterator[databases.Postgres]:
    """A PostgreSQL server with the tables in its template; skips where there is none."""
    with databases.postgres() as server:
        server.prepare(databases.begin)
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database, once of each kind."""
    if request.param == "sqlite":
        yield databases.sqlite(tmp_path)
        return
    with request.getfixturevalue("pg").fresh() as url:
        yield url


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """The program at work, on each kind of database."""
    with live(tmp_path, database_url) as made:
        yield made


@pytest.fixture
def small_world(tmp_path: Path) -> Iterator[World]:
    """The same on SQLite alone, where the database does not matter."""
    with live(tmp_path, databases.sqlite(tmp_path)) as made:
        yield made


@pytest.fixture(scope="session")
def chat_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a live program with the local chat page."""
    folder = tmp_path_factory.mktemp("chat")
    databases.sqlite(folder)
    app = create_app(settings(folder, chat=True))
    deliver(app, app.extensions["parts"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["delivery"].close()
    app.extensions["parts"].engine.dispose()
