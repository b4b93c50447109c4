"""Statements compiled once: the same rows and the same errors as by SQLAlchemy's own way."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, bindparam, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from storage import schema
from storage.database import apart, writing
from storage.prepared import Prepared
from tests.world import START, World

senders, requests = schema.senders, schema.requests
SENDER = {"channel": "pigeon", "free_at": 1.5, "paused_until": 0.0}
OF = select(senders).where(senders.c.channel == bindparam("name"))
ADD = Prepared(insert(senders).returning(senders.c.channel, senders.c.free_at))
ASK = Prepared(insert(requests).inline())


def test_rows_are_as_sqlalchemy_gives_them(world: World):
    with writing(world.parts.engine) as db:
        assert [tuple(row) for row in ADD.run(db, SENDER)] == [("pigeon", 1.5)]
        assert Prepared(OF).run(db, {"name": "pigeon"}) == db.execute(OF, {"name": "pigeon"}).all()


def test_moments_keep_their_zone(world: World):
    world.says("ana", "hola")
    asked = {"person_id": 1, "kind": "access", "at": START}
    with writing(world.parts.engine) as db:
        assert ASK.run(db, asked) == []
        found = Prepared(select(requests.c.at, requests.c.settled_at)).run(db, {})
        assert [tuple(row) for row in found] == [(START, None)]


def test_the_same_statement_may_be_given_other_columns(world: World):
    with writing(world.parts.engine) as db:
        ADD.run(db, SENDER)
        ADD.run(db, {**SENDER, "channel": "raven", "reason": "slow"})
        found = dict(db.execute(select(senders.c.channel, senders.c.reason)).all())
    assert (found["pigeon"], found["raven"]) == (None, "slow")


def test_what_fails_is_told_as_sqlalchemy_tells_it_and_without_the_values(world: World):
    with writing(world.parts.engine) as db:
        ADD.run(db, SENDER)
        with pytest.raises(IntegrityError) as told, apart(db):
            ADD.run(db, SENDER)
        assert "1.5" not in str(told.value).replace(str(told.value.orig), "")
        assert _count(db) == 1


def test_what_cannot_be_committed_is_in_nobodys_way(small_world: World):
    """SQLite leaves such a transaction open."""
    engine = small_world.parts.engine

    def ask_of_nobody() -> None:
        with writing(engine) as db:
            db.execute(text("PRAGMA defer_foreign_keys = ON"))
            ASK.run(db, {"person_id": 99, "kind": "access", "at": START})

    with pytest.raises(IntegrityError):
        ask_of_nobody()
    with writing(engine) as db:
        assert db.scalar(select(requests.c.id)) is None
        assert ADD.run(db, SENDER)


def test_a_connection_that_is_lost_is_not_used_again(world: World):
    engine = world.parts.engine
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no connection that could be lost")
    with engine.connect() as db:
        mine = db.scalar(text("SELECT pg_backend_pid()"))
        with writing(engine) as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        with pytest.raises(OperationalError) as told:
            ADD.run(db, SENDER)
        assert told.value.connection_invalidated
        assert db.invalidated
    with writing(engine) as db:
        assert _count(db) == 0


def _count(db: Connection) -> int:
    return len(db.execute(OF, {"name": "pigeon"}).all())
