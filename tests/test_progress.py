"""How far a sending has got: the pace of the last minute, and how long it will take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, insert, select

from bot import progress, timing
from storage import invitations, schema
from storage.database import reading, writing
from tests.pages_world import Pages, pages

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOON = timing.aware(datetime(2027, 7, 1, 12, 0))  # noqa: DTZ001 - as clocks in Mérida show


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Pages]:
    """On SQLite alone, where the database does not matter."""
    with pages(tmp_path, people=30) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Iterator[Pages]:
    with pages(tmp_path, database_url, people=30) as made:
        yield made


def going(db: Connection, last: datetime, **given: object) -> int:
    """An invitation of which ten are out, one every two seconds until `last`; 20 wait."""
    number = invitations.add(
        db, 1, "invitation", segment="", due=last - HOUR, latest=last + HOUR, at=last, version=1
    )
    invitations.change(db, number, state="sending", **given)
    people = list(db.scalars(select(schema.people.c.id).order_by(schema.people.c.id).limit(30)))
    row = {"channel": "telegram", "lane": 1, "invitation_id": number, "due": last}
    moments = [last - 2 * place * SECOND for place in range(10)]
    out = [
        {**row, "person_id": who, "state": "sent", "attempted_at": at}
        for who, at in zip(people[:10], moments, strict=True)
    ]
    wait = [
        {**row, "person_id": who, "state": "queued", "attempted_at": None} for who in people[10:]
    ]
    db.execute(insert(schema.outbox), out + wait)
    return number


def seen(engine: Engine, number: int, now: datetime) -> progress.Progress:
    with reading(engine) as db:
        return progress.of(db, number, now)


def test_the_pace_is_that_of_the_last_minute_and_gives_the_time_left(site: Pages) -> None:
    engine = site.parts.engine
    with writing(engine) as db:
        number = going(db, NOON)
    found = seen(engine, number, NOON + SECOND)
    assert (found.total, found.sent, found.waiting) == (30, 10, 20)
    assert found.rate == pytest.approx(10 / 18)
    assert found.left == timedelta(seconds=36)
    assert not found.too_slow(NOON)
    assert found.too_slow(NOON + HOUR)
    still = seen(engine, number, NOON + 62 * SECOND)
    assert (still.rate, still.left) == (0.0, None)
    with writing(engine) as db:
        invitations.change(db, number, spread=int(timedelta(hours=3).total_seconds()))
    assert seen(engine, number, NOON).left == 2 * HOUR
    with writing(engine) as db:
        invitations.pause(db, number, NOON)
    assert (seen(engine, number, NOON).rate, seen(engine, number, NOON).waiting) == (0.0, 20)
    with writing(engine) as db:
        invitations.cancel(db, number)
    ended = seen(engine, number, NOON)
    assert (ended.running, ended.total, ended.waiting) == (False, 30, 0)


def test_by_night_it_says_when_it_goes_on(small: Pages) -> None:
    with writing(small.parts.engine) as db:
        number = going(db, NOON)
        urgent = going(db, NOON + 10 * HOUR, any_hour=True)
    found = seen(small.parts.engine, number, NOON + 10 * HOUR)
    assert found.asleep_until == NOON + 20 * HOUR
    assert found.left is None
    assert seen(small.parts.engine, urgent, NOON + 10 * HOUR).asleep_until is None


def test_the_page_says_how_quickly_it_goes_and_what_is_left(small: Pages) -> None:
    now = small.parts.clock()
    with writing(small.parts.engine) as db:
        number = going(db, now - 5 * SECOND, any_hour=True)
    dora = small.as_("organizer")
    said = dora.reads("/foros/1")
    assert "10 de 30 salieron. Faltan 20: salen 33 por minuto, y quedan unos 36 s." in said
    page = dora.opens("/foros/1/envios").text
    assert 'hx-trigger="every 3s"' in page
    assert f'id="pausar-{number}"' in page  # so that the focus stays where it was
    assert "10 de 30. Faltan 20: salen 33 por minuto" in dora.reads("/hoy")
    with writing(small.parts.engine) as db:
        invitations.add(db, 1, "reminder", segment="", due=now + HOUR, latest=now + 2 * HOUR,
                        at=now, version=1, reach=7)  # fmt: skip
    assert re.search(r"Sale el [^.]+ a 7 personas", dora.reads("/hoy"))
    dora.sends("/foros/1", "/hoy/ritmo", vivo="no", foro=1)
    assert "hx-trigger" not in dora.opens("/foros/1/envios").text
