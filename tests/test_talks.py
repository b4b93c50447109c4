"""Where people are in what is being asked is hidden, also while older programs are running."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, insert, select, update

from bot import wiring
from dialogs import state
from dialogs.state import Dialog, Talk
from dialogs.values import Choice, Inbound
from storage import database, people, personal, schema, talks
from storage.database import disposing, reading, writing
from storage.vault import vault
from tests.world import World

KEY = "una clave de prueba"
NOW = datetime(2027, 6, 28, 15, 0, tzinfo=UTC)
SAID = Talk(
    "es",
    dialogs=(Dialog("d", "f", 1, at="q2", answers={"q1": "El pozo está seco"}),),
    offered=(Choice("d:q2:1", "¿El pozo está seco?"),),
)
MORE = Talk("es", dialogs=(Dialog("d", "f", 1, at="q3", answers={"q1": "El pozo está seco"}),))


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    with disposing(database.connect(url, vault(KEY))) as engine:
        yield engine


def upgrade(engine: Engine, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    config.attributes["engine"] = engine
    command.upgrade(config, to)


def plain(talk: Talk) -> str:
    """As programs of before write it."""
    return json.dumps(state.to_json(talk), ensure_ascii=True, separators=(",", ":"))


def stored(engine: Engine) -> Any:
    with reading(engine) as db:
        return db.execute(select(schema.people.c.talk, schema.people.c.hidden_talk)).one()


def said(db: Connection, talk: Talk, at: datetime) -> Talk:
    """Somebody writes, and is at this talk now; at which one they were."""
    person = people.hear(db, Inbound("chat", f"c{at}", "ana", "ana", at), Random(3))
    people.remember(db, person, talk, at)
    return person.talk


@pytest.fixture
def before(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> Iterator[str]:
    """A database of the version before, with somebody in it who is being asked."""
    if kind == "sqlite":
        yield _filled(f"sqlite:///{tmp_path / 'consulta.db'}")
        return
    with request.getfixturevalue("pg").fresh("template1") as url:
        yield _filled(url)


def _filled(url: str) -> str:
    with opened(url) as engine:
        upgrade(engine, "0019_institution_claims")
        with writing(engine) as db:
            sealed = vault(KEY).seal("people.identity", "ana")
            address = vault(KEY).seal("people.address", "ana")
            row = {
                "pseudonym": "p1", "channel": "chat", "identity": sealed, "address": address,
                "talk": plain(SAID), "created_at": NOW, "heard_at": NOW,
            }  # fmt: skip
            db.execute(insert(schema.people).values(row))
            db.execute(insert(schema.facts).values(key="facilitator:x", value="{}"))
        upgrade(engine, "head")
    return url


def test_no_words_stand_openly_in_where_somebody_is(world: World) -> None:
    world.says("ana", "hola")
    world.says("ana", "es")
    with writing(world.parts.engine) as db:
        person = people.find(db, "telegram", "101")
        assert person is not None
        assert person.talk.top is not None
        people.remember(db, person, SAID, world.clock())
    row = stored(world.parts.engine)
    assert row.talk == "{}"
    assert b"pozo" not in row.hidden_talk
    with reading(world.parts.engine) as db:
        again = people.find(db, "telegram", "101")
        assert again is not None
        assert again.talk == SAID


def due(engine: Engine) -> datetime:
    """From when on nobody may write openly any more what 0022 seals."""
    with reading(engine) as db:
        mine = schema.facts.c.key == personal.SINCE
        return datetime.fromisoformat(
            db.execute(select(schema.facts.c.value).where(mine)).scalar_one()
        )


@pytest.mark.parametrize("kind", ["sqlite"])
def test_one_machine_has_no_older_program_beside_it(before: str) -> None:
    with opened(before) as engine:
        database.check(engine)
        assert due(engine).year == 1970
        with writing(engine) as db:
            assert said(db, MORE, datetime.now(UTC)) == SAID
        assert stored(engine).talk == "{}"
        with writing(engine) as db:
            assert said(db, SAID, datetime.now(UTC)) == MORE


@pytest.mark.parametrize("kind", ["postgresql"])
def test_machines_of_before_go_on_for_a_day_and_then_it_is_hidden(before: str) -> None:
    now = datetime.now(UTC)
    with opened(before) as engine:
        database.check(engine)
        assert timedelta(hours=23) < due(engine) - now < timedelta(hours=25)
        with writing(engine) as db:
            assert said(db, MORE, now) == SAID
            assert talks.hide(db, now) == 0
        assert stored(engine) == (plain(MORE), None), "an older machine reads it"
        tomorrow = now + timedelta(days=1, minutes=1)
        with writing(engine) as db:
            assert said(db, SAID, tomorrow) == MORE
        assert stored(engine).talk == "{}"
        with writing(engine) as db:  # one that has not ended writes all the same
            db.execute(update(schema.people).values(talk=plain(MORE)))
        assert wiring.let_go(engine, tomorrow) == 1
        assert wiring.let_go(engine, tomorrow) == 0
        assert stored(engine).talk == "{}"
        database.check(engine)
        with writing(engine) as db:
            assert said(db, SAID, tomorrow) == MORE


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_programs_of_before_do_not_start_once_it_is_hidden(
    before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(before) as engine:
        with writing(engine) as db:
            assert talks.hide(db, datetime.now(UTC) + timedelta(days=2)) == 1
        ours = [name for name in database.known() if name < talks.SINCE]
        monkeypatch.setattr(database, "known", lambda: ours)
        with pytest.raises(database.DatabaseError, match="too old for"):
            database.check(engine)
