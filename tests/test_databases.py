"""The PostgreSQL that the tests start: copies are alike, apart, and gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from storage import database
from tests import databases


@pytest.fixture(scope="module")
def server() -> Iterator[databases.Postgres]:
    with databases.postgres() as running:
        running.prepare(lambda url: execute(url, "CREATE TABLE words (word text)"))
        yield running


def execute(url: str, *statements: str) -> list[object]:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            results = [connection.execute(text(statement)) for statement in statements]
            return [tuple(row) for row in results[-1]] if results[-1].returns_rows else []
    finally:
        engine.dispose()


def test_each_copy_starts_from_the_template_and_keeps_its_rows_to_itself(server):
    with server.fresh() as one, server.fresh() as other:
        execute(one, "INSERT INTO words VALUES ('máak')")
        assert execute(one, "SELECT word FROM words") == [("máak",)]
        assert execute(other, "SELECT word FROM words") == []


def test_a_copy_is_dropped_even_while_somebody_is_connected(server):
    with server.fresh() as url:
        engine = create_engine(url)
        connection = engine.connect()
    with pytest.raises(OperationalError):
        connection.execute(text("SELECT 1"))
    connection.invalidate()
    connection.close()
    engine.dispose()
    count = "SELECT count(*) FROM pg_database WHERE datname LIKE 'test\\_%'"
    assert execute(server.url("postgres"), count) == [(0,)]


def test_letters_beyond_ascii_have_their_cases(server):
    with server.fresh("template1") as url:
        assert execute(url, "SELECT lower('DZÁN Ñ'), upper('ñ')") == [("dzán ñ", "Ñ")]


def test_it_listens_on_its_socket_alone(server):
    rows = execute(server.url("postgres"), "SHOW listen_addresses")
    assert rows == [("",)]


def test_where_there_is_none_the_reason_is_plain(monkeypatch):
    monkeypatch.setattr(databases, "binaries", lambda: None)
    with pytest.raises(pytest.skip.Exception, match="no PostgreSQL"), databases.postgres():
        pass


def test_nothing_is_left_behind():
    with databases.postgres() as running:
        folder = running.folder
        assert Path(folder).exists()
    assert not Path(folder).exists()


def test_migrations_are_known_in_their_order_without_what_runs_them() -> None:
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert database.known() == [script.revision for script in scripts][::-1]
