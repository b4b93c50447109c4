"""Several processes on one PostgreSQL: who ticks, who is woken, whose letters go on, what time."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select, text

from bot import wiring
from dialogs.values import Message
from storage import database, meeting, outbox, schema
from storage.database import DatabaseError, disposing, reading, writing
from storage.vault import vault
from tests import listening
from tests.emulators import telegram as provider
from tests.emulators import telegram_people
from tests.emulators.telegram import Telegram
from tests.test_serve import answers, bring, environment, free_port
from tests.world import ANA, KEY, PATIENCE, settings


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    with Telegram() as emulator:
        yield emulator
        assert emulator.faults == []


@pytest.fixture
def url(pg: Any) -> Iterator[str]:
    with pg.fresh() as made:
        yield made


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with disposing(database.connect(url, vault(KEY))) as made:
        yield made


@pytest.fixture
def known(tmp_path: Path, url: str, telegram: Telegram) -> dict[str, str]:
    return environment(
        tmp_path, telegram, CONSULTA_DATABASE_URL=url, CONSULTA_SECRET_KEY=KEY,
        CONSULTA_TELEGRAM_RATE="50",
    )  # fmt: skip


@contextmanager
def machine(command: str, known: dict[str, str], port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """`consulta COMMAND` as a process of its own; at the end it is told to stop, and stops."""
    given = {**known, "CONSULTA_PORT": str(port)} if port else known
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", command], env=given, start_new_session=True,
        stdout=listening.output(), stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        if port:
            until(lambda: answers(port))
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(3 * PATIENCE)


def until(so: Callable[[], object], patience: float = 3 * PATIENCE) -> float:
    """Wait until it is so; how many seconds it took."""
    began = time.monotonic()
    while not so():
        assert time.monotonic() - began < patience, "it did not come about"
        time.sleep(0.02)
    return time.monotonic() - began


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def there(engine: Engine) -> int:
    with reading(engine) as db:
        return len(meeting.alive(db))


def ticked(engine: Engine) -> bool:
    with reading(engine) as db:
        return meeting.ticks(db)


def queued(engine: Engine, *words: str) -> None:
    """Messages to people of their own, to be sent at once."""
    with writing(engine) as db:
        sealed, now = db.get_execution_options()["vault"], datetime.now(UTC)
        for number, said in enumerate(words, 501):
            row = {
                "pseudonym": f"p{number}", "channel": "telegram", "talk": "{}",
                "identity": sealed.seal("people.identity", str(number)),
                "address": sealed.seal("people.address", str(number)),
                "created_at": now, "heard_at": now,
            }  # fmt: skip
            made = db.scalar(insert(schema.people).values(row).returning(schema.people.c.id))
            outbox.put(db, made or 0, "telegram", Message(said), now)


def states(engine: Engine) -> dict[str, int]:
    with reading(engine) as db:
        found: dict[str, int] = {}
        for state in db.scalars(select(schema.outbox.c.state)):
            found[state] = found.get(state, 0) + 1
        return found


def test_one_worker_ticks_and_another_takes_over_when_it_is_killed(
    engine: Engine, known: dict[str, str]
) -> None:
    with machine("worker", known) as first:
        until(lambda: ticked(engine))
        with machine("worker", known):
            until(lambda: there(engine) == 2)
            kill(first)
            until(lambda: there(engine) == 1 and ticked(engine), 3 * meeting.LOOK + PATIENCE)


def test_letters_of_a_killed_worker_go_on_long_before_its_lease_is_over(
    engine: Engine, known: dict[str, str], telegram: Telegram
) -> None:
    telegram.fail(provider.silence(taken=False), method="sendMessage")
    with machine("worker", known) as first:
        until(lambda: there(engine) == 1)
        queued(engine, "¿Vienes?")
        telegram.wait(lambda: telegram.called("sendMessage"), 3 * PATIENCE)
        kill(first)
        with machine("worker", known):
            took = until(lambda: telegram.texts(501) == ["¿Vienes?"])
    assert took < outbox.LEASE.total_seconds() / 2


def test_a_web_process_wakes_the_worker_and_without_its_ear_it_looks_by_itself(
    engine: Engine, known: dict[str, str], telegram: Telegram
) -> None:
    port = free_port()

    def answered() -> float:
        before = len(telegram.called("sendMessage", ANA))
        assert bring(port, telegram_people.text(ANA, "repetir")) == 200
        return until(lambda: len(telegram.called("sendMessage", ANA)) > before)

    with machine("worker", known), machine("web", known, port):
        until(lambda: there(engine) == 1)
        answered()
        assert statistics.median(answered() for _ in range(7)) < 0.3  # by looking: half a second
        with writing(engine) as db:
            db.execute(text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' "
                "OR query LIKE '%advisory_lock%' AND pid <> pg_backend_pid()"
            ))  # fmt: skip
        assert answered() < PATIENCE
        until(lambda: there(engine) == 1 and ticked(engine))


def test_told_to_stop_a_worker_finishes_what_is_on_its_way(
    engine: Engine, known: dict[str, str], telegram: Telegram
) -> None:
    telegram.latency = timedelta(seconds=1)
    with machine("worker", known) as worker:
        until(lambda: there(engine) == 1)
        queued(engine, *("¿Vienes?" for _ in range(6)))
        until(lambda: states(engine).get("leased", 0) > 0)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(3 * PATIENCE) == 0
    found = states(engine)
    assert "leased" not in found
    assert found.get("sent", 0) == len(telegram.called("sendMessage")) > 0


TOLD_AT_ONCE = """
import os, random, signal, sys, threading, time
from bot.terminal import wait_for_the_end
sys.setswitchinterval(1e-5)
rng, waits = random.Random(5), threading.Semaphore(0)
def tell():
    while waits.acquire():
        while signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            time.sleep(0)
        time.sleep(rng.random() * 5e-5)
        os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=tell, daemon=True).start()
for _ in range(3000):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    waits.release()
    wait_for_the_end()
"""


def test_told_to_stop_just_as_it_begins_to_wait_a_program_hears_it() -> None:
    with subprocess.Popen([sys.executable, "-c", TOLD_AT_ONCE]) as process:
        try:
            assert process.wait(12 * PATIENCE) == 0
        finally:
            process.kill()


def test_two_workers_keep_to_one_limit(
    engine: Engine, known: dict[str, str], telegram: Telegram
) -> None:
    with machine("worker", known), machine("worker", known):
        until(lambda: there(engine) == 2)
        began = time.time()
        queued(engine, *("¿Vienes?" for _ in range(120)))
        until(lambda: states(engine) == {"sent": 120})
    at = sorted(call.arrived for call in telegram.called("sendMessage"))
    assert at[-1] - at[0] > 2, "120 at 50 a second; two that do not share take half as long"
    assert too_early(at, began) == []


def too_early(at: Sequence[float], began: float) -> list[int]:
    """Which of them came before 50 a second had got there, give or take twenty: what a busy machine
    holds up comes later than it might, never earlier."""
    return [n for n, one in enumerate(at, 1) if n > 20 + 50 * (one - began)]


def test_machines_that_start_together_on_an_empty_database_make_it_once(pg: Any) -> None:
    with pg.fresh("template1") as url:
        known = settings(Path("/nowhere"), database_url=url)
        with ThreadPoolExecutor(4) as pool:
            starts = [pool.submit(wiring.open_database, known) for _ in range(4)]
            for start in starts:
                start.result().dispose()
        with wiring.opened(known) as engine, reading(engine) as db:
            assert len(db.scalars(select(schema.forms.c.name)).all()) == 2


def test_the_time_is_the_databases_whatever_the_machines_clock_says(engine: Engine) -> None:
    clock = meeting.Clock(engine)
    before = clock()
    with reading(engine) as db:
        told = db.scalar(text("SELECT clock_timestamp()"))
    assert before - timedelta(seconds=1) < told < clock() + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("start", "found"),
    [(0.0, 105.0), (104.0, 104.0), (90.0, 100.0), (125.0, 110.0)],
    ids=["at first", "it may be right", "it is behind", "it is ahead"],
)
def test_a_look_at_the_time_moves_the_clock_no_further_than_it_must(
    start: float, found: float
) -> None:
    assert meeting._nearest(start, 100.0, 110.0) == found


# one machine after the other is brought up to date: the database first


def tomorrow(engine: Engine, *, breaking: bool = False) -> None:
    """What a migration of a newer program leaves behind."""
    with writing(engine) as db:
        db.execute(text("ALTER TABLE outbox ADD COLUMN colour VARCHAR(8) DEFAULT 'blue' NOT NULL"))
        db.execute(text("ALTER TABLE people ADD COLUMN favourite INTEGER"))
        db.execute(text("CREATE TABLE flowers (id BIGINT PRIMARY KEY)"))
        db.execute(text("UPDATE alembic_version SET version_num = '9999_tomorrow'"))
        if breaking:
            facts = schema.facts
            db.execute(delete(facts).where(facts.c.key == database.BREAKING))
            db.execute(insert(facts).values(key=database.BREAKING, value="9999_tomorrow"))


def test_programs_go_on_and_start_while_the_tables_are_ahead_of_them(
    engine: Engine, known: dict[str, str], telegram: Telegram
) -> None:
    port = free_port()
    with machine("worker", known), machine("web", known, port):
        bring(port, telegram_people.text(ANA, "hola"))
        telegram.wait(lambda: telegram.texts(ANA), 3 * PATIENCE)
        tomorrow(engine)
        bring(port, telegram_people.text(ANA, "es"))
        telegram.wait(lambda: "¿Aceptas" in telegram.texts(ANA)[-1], 3 * PATIENCE)
    later = free_port()  # only now: one that is free for long is taken by somebody's call
    with machine("worker", known), machine("web", known, later):
        bring(later, telegram_people.text(ANA, "si"))
        telegram.wait(lambda: "¿Qué edad" in telegram.texts(ANA)[-1], 3 * PATIENCE)


def test_tables_that_no_longer_fit_are_refused(engine: Engine, url: str) -> None:
    tomorrow(engine, breaking=True)
    with pytest.raises(DatabaseError, match="too old for"):
        wiring.open_database(settings(Path("/nowhere"), database_url=url))
