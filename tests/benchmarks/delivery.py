"""How fast, how evenly and how safely many are called: on PostgreSQL, against the emulator.

    .venv/bin/python -m tests.benchmarks.delivery plan [--people 1000000]
    .venv/bin/python -m tests.benchmarks.delivery send [--people 20000] [--rate 1000]
    .venv/bin/python -m tests.benchmarks.delivery wait [--people 2000]   1 % are told to wait
    .venv/bin/python -m tests.benchmarks.delivery kill [--people 20000]  and kill -9 every 5 s

The emulator and the workers are processes of their own, on the same machine. What went out is
counted where it arrives, by the clock of the emulator.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from bot import invitations, wiring
from bot.invitations import Call
from bot.settings import SecretStr, Settings
from storage import forums
from storage import invitations as stored
from storage.database import reading, writing
from storage.forums import Place, Plan
from storage.vault import vault
from tests import databases
from tests.benchmarks.provider import TOKEN, WAIT, Arrival, Provider, provider

KEY = "una clave de prueba"
TOLD_TO_WAIT = 0.01  # of all calls
LONGEST = 170  # seconds of a run
PEOPLE = """
    INSERT INTO people (id, pseudonym, channel, identity, address, language, talk, municipality,
        created_at, heard_at)
    SELECT n, 'P' || n, 'telegram', decode(md5('i' || n), 'hex'), decode(md5('a' || n), 'hex'),
        (ARRAY['es','es','yua'])[1 + n % 3], '{}', (ARRAY['31050','31102','31001'])[1 + n % 3],
        now(), now()
    FROM generate_series(1, :count) n"""
CONSENTS = """
    INSERT INTO consents (person_id, kind, given, form, version, words, channel, at)
    SELECT n, 'forums', true, 'consulta', 1, '', 'telegram', now() FROM generate_series(1, :count) n
"""


FATES = text("SELECT person_id, state FROM outbox WHERE invitation_id = :one")


def settings(url: str, folder: str, api: str = "", rate: float = 1000.0) -> Settings:
    return Settings(
        database_url=url,
        data=Path(folder),
        secret_key=SecretStr(KEY),
        telegram_api=api or "https://api.telegram.org",
        telegram_token=SecretStr(TOKEN),
        telegram_rate=rate,
    )


def fill(engine: Engine, count: int, *, real: bool) -> None:
    """People who may be called; with `real`, their addresses can be opened."""
    with writing(engine) as db:
        db.execute(text(PEOPLE), {"count": count})
        db.execute(text(CONSENTS), {"count": count})
        if real:
            sealed = vault(KEY)
            rows = [
                {"id": n, "a": sealed.seal("people.address", str(n))} for n in range(1, count + 1)
            ]
            db.execute(text("UPDATE people SET address = :a WHERE id = :id"), rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("ANALYZE"))


def planned(engine: Engine, known: Settings, count: int) -> int:
    """A forum, and an invitation to it that is due."""
    now = datetime.now(UTC)
    plan = Plan("agua", "thematic", now + timedelta(days=9), now + timedelta(days=9, hours=3), None,
                {"es": "Agua"}, {}, Place("Casa de la Cultura"))  # fmt: skip
    with writing(engine) as db:
        forum = forums.add(db, plan, ("token", "DOOR01"), now)
        library = wiring.library(engine, known)
        made, reach = invitations.plan(db, library, forum, Call(now), now)
    assert reach.total == count, reach
    return made.id


# planning


def plan(people: int) -> dict[str, Any]:
    with databases.postgres() as server, server.fresh("template1") as url:
        known = settings(url, tempfile.mkdtemp())
        engine = wiring.open_database(known)
        fill(engine, people, real=False)
        began = time.perf_counter()
        invitation = planned(engine, known, people)
        reached = time.perf_counter() - began
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        library, batches, longest = wiring.library(engine, known), 0, 0.0
        began = last = time.perf_counter()
        while invitations.tick(engine, library, ("telegram",), datetime.now(UTC)):
            batches, longest = batches + 1, max(longest, time.perf_counter() - last)
            last = time.perf_counter()
        took = time.perf_counter() - began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        with reading(engine) as db:
            found = stored.status(db, invitation)
        engine.dispose()
    return {
        "people": people,
        "counted in s": round(reached, 2),
        "queued": found["queued"],
        "queued in s": round(took, 2),
        "batches": batches,
        "longest batch in s": round(longest, 2),
        "memory grown in MB": round(grown / 1024, 1),
    }


# sending


def worker(url: str, folder: str, api: str, rate: float) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ, "CONSULTA_DATABASE_URL": url, "CONSULTA_DATA": folder,
        "CONSULTA_SECRET_KEY": KEY, "CONSULTA_TELEGRAM_API": api,
        "CONSULTA_TELEGRAM_TOKEN": TOKEN, "CONSULTA_TELEGRAM_RATE": str(rate),
    }  # fmt: skip
    command = [sys.executable, "-m", "bot.cli", "worker"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)  # fmt: skip


def send(
    people: int,
    rate: float,
    *,
    waits: float = 0.0,
    kill: float = 0.0,
    workers: int = 1,
    latency: float = 0.02,
) -> dict[str, Any]:
    folder = tempfile.mkdtemp()
    with (
        provider(latency, waits) as there,
        databases.postgres() as server,
        server.fresh("template1") as url,
    ):
        api = there.url
        known = settings(url, folder, api, rate)
        engine = wiring.open_database(known)
        fill(engine, people, real=True)
        invitation = planned(engine, known, people)
        running = [worker(url, folder, api, rate) for _ in range(workers)]
        kills = _until_sent(
            engine, invitation, running, kill, lambda: worker(url, folder, api, rate), there
        )
        for process in running:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        with reading(engine) as db:
            found = stored.status(db, invitation)
            fates = {row.person_id: row.state for row in db.execute(FATES, {"one": invitation})}
        engine.dispose()
        calls = there.calls()
    ledger = {key: value for key, value in found.items() if value}
    return {**judged(calls, people, rate, latency), **compared(calls, fates), "kills": kills,
            "ledger": ledger}  # fmt: skip


def compared(calls: Sequence[Arrival], fates: Mapping[int, str]) -> dict[str, Any]:
    """What the ledger says beside what arrived: lost is who should have it by the ledger."""
    arrived = {call.chat for call in calls if call.status == 200}
    said = {state: {id_ for id_, one in fates.items() if one == state} for state in fates.values()}
    unsure = said.pop("uncertain", set())
    told = set().union(*(said.get(state, set()) for state in ("sent", "delivered", "read")))
    return {
        "lost": len(told - arrived),
        "arrived, but not so in the ledger": len(arrived - told - unsure),
        "uncertain": len(unsure),
        "uncertain, of which arrived": len(unsure & arrived),
    }


def _until_sent(
    engine: Engine, invitation: int, running: list[Any], kill: float, again: Any, there: Provider
) -> int:
    """Until all is through; every `kill` seconds a worker is killed, if it has sent at all."""
    kills, next_kill, began, before = 0, time.monotonic() + kill, time.monotonic(), 0
    while time.monotonic() - began < LONGEST:
        time.sleep(0.25)
        if kill and time.monotonic() > next_kill and there.count() > before + 5:
            running[0].kill()
            running[0].wait()
            running.append(again())
            running.pop(0)
            kills, next_kill, before = kills + 1, time.monotonic() + kill, there.count()
        with reading(engine) as db:
            found = stored.status(db, invitation)
        if found["intended"] and not found["queued"] and not found["leased"]:
            break
    return kills


def judged(
    calls: Sequence[Arrival], people: int, rate: float, latency: float = 0.02
) -> dict[str, Any]:
    """What arrived: each person once, and the fullest second."""
    at = sorted(call.at for call in calls)
    taken = Counter(call.chat for call in calls if call.status == 200)
    fullest = max(bisect_right(at, moment + 1 - 1e-9) - place for place, moment in enumerate(at))
    inner = [moment for moment in at if at[0] + 1 <= moment <= at[-1] - 1]
    span = inner[-1] - inner[0] if len(inner) > 1 else 1.0
    answered = [call.at + latency for call in calls if call.status == 429]
    waits = [
        range(bisect_right(at, moment), bisect_left(at, moment - latency + WAIT))
        for moment in answered
    ]
    return {
        "people": people,
        "calls": len(at),
        "arrived": len(taken),
        "twice": sum(count > 1 for count in taken.values()),
        "use of the rate": round(len(inner) / span / rate, 3),
        "fullest second": fullest,
        "told to wait": len(answered),
        "calls while told to wait": len(set().union(*waits)),
        "of these in one wait, at most": max(map(len, waits), default=0),
        "under way at once, at most": max(
            bisect_right(at, moment + latency) - place for place, moment in enumerate(at)
        ),
    }


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("what", choices=("plan", "send", "wait", "kill"))
    given.add_argument("--people", type=int)
    given.add_argument("--rate", type=float, default=1000.0)
    given.add_argument("--workers", type=int, default=1)
    given.add_argument("--latency", type=float, default=0.02)
    asked = given.parse_args()
    options = {"workers": asked.workers, "latency": asked.latency}
    match asked.what:
        case "plan":
            found = plan(asked.people or 1_000_000)
        case "send":
            found = send(asked.people or 20_000, asked.rate, **options)
        case "wait":
            found = send(asked.people or 2_000, asked.rate, waits=TOLD_TO_WAIT, **options)
        case _:
            people = asked.people or 20_000
            found = send(people, asked.rate, waits=TOLD_TO_WAIT, kill=5.0, **options)
    print(json.dumps(found, ensure_ascii=False, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
