"""Machines apart: each in a network namespace of its own, on a switch whose links are cut."""

from __future__ import annotations

import statistics
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from storage import database, meeting
from storage.database import reading
from storage.vault import vault
from tests import databases
from tests.emulators import server, telegram_people
from tests.emulators.telegram import Telegram
from tests.faults import network
from tests.faults.network import Network
from tests.test_machines import machine, queued, states, there, too_early, until
from tests.test_serve import bring, environment
from tests.world import ANA, KEY

NAMES = ("database", "provider", "web1", "web2", "worker1", "worker2")
PORT = 8000  # on each machine its own
WORDS = ("hola", "es", "si", "3", "Mérida")
TAKEN_OVER = 20.0  # seconds: the database waits ten for a machine that says nothing


@dataclass(slots=True)
class Office:
    """The machines, at work."""

    net: Network
    telegram: Telegram
    engine: Engine

    def brings(self, web: str, update: Any) -> int:
        """The provider calls one of the web machines."""
        with self.net.inside("provider"):
            return bring(PORT, update, host=self.net.address(web))

    def ticking(self) -> str:
        """The machine that ticks, by the lock that it holds; empty while nobody does."""
        with reading(self.engine) as db:
            found = db.scalar(
                text("SELECT host(client_addr) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                     "WHERE locktype = 'advisory' AND granted AND classid = :first"),
                {"first": meeting.TICKER},
            )  # fmt: skip
        return next((name for name in NAMES if self.net.address(name) == found), "")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    if why := network.absent() or databases.absent():
        pytest.skip(why)
    with ExitStack() as stack:
        net = stack.enter_context(network.network(*NAMES))
        with net.inside("database"):
            pg = stack.enter_context(databases.postgres(address=net.address("database")))
        pg.prepare(databases.begin)
        url = stack.enter_context(pg.fresh())
        monkeypatch.setattr(server, "HOST", net.address("provider"))
        with net.inside("provider"):
            telegram = stack.enter_context(Telegram())
        known = environment(tmp_path, telegram, CONSULTA_HOST="0.0.0.0", CONSULTA_SECRET_KEY=KEY)
        name = url.partition("@/")[2].partition("?")[0]
        at = f"postgresql://{databases.USER}@{net.address('database')}/{name}"
        known |= {"CONSULTA_DATABASE_URL": at, "CONSULTA_TELEGRAM_RATE": "50"}
        for place in NAMES[2:]:
            with net.inside(place):
                role = place[:-1]
                stack.enter_context(machine(role, known, PORT if role == "web" else 0))
        engine = stack.enter_context(database.disposing(database.connect(url, vault(KEY))))
        made = Office(net, telegram, engine)
        until(lambda: there(engine) == 2 and made.ticking())
        yield made
    assert telegram.faults == []


def test_machines_whose_links_are_cut_keep_order_take_over_and_answer_once(office: Office) -> None:
    _everybody_is_answered_in_order(office)
    _a_worker_is_woken(office)
    _two_workers_keep_to_one_limit(office)
    _another_takes_over(office)
    _a_call_that_comes_again_elsewhere_counts_once(office)


def _everybody_is_answered_in_order(office: Office) -> None:
    """Each person's messages go to either web machine in turn."""
    people = [telegram_people.Person(700 + number, f"P{number}") for number in range(6)]

    def talks(person: telegram_people.Person) -> None:
        for number, words in enumerate(WORDS):
            web = NAMES[2 + (number + person.id) % 2]
            assert office.brings(web, telegram_people.text(person, words)) == 200

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(talks, people))
    until(lambda: set(states(office.engine)) == {"sent"})
    said = [office.telegram.texts(person) for person in people]
    assert all(each == said[0] for each in said)
    assert len(said[0]) == len(set(said[0])) > len(WORDS) - 2


def _a_worker_is_woken(office: Office) -> None:
    def answered() -> float:
        before = len(office.telegram.called("sendMessage", ANA))
        assert office.brings("web1", telegram_people.text(ANA, "hola")) == 200
        return until(lambda: len(office.telegram.called("sendMessage", ANA)) > before)

    answered()
    assert statistics.median(answered() for _ in range(5)) < 0.4  # by looking: half a second


def _two_workers_keep_to_one_limit(office: Office) -> None:
    before = len(office.telegram.called("sendMessage"))
    began = time.time()
    queued(office.engine, *("¿Vienes?" for _ in range(100)))
    until(lambda: set(states(office.engine)) == {"sent"})
    calls = office.telegram.called("sendMessage")[before:]
    at = sorted(call.arrived for call in calls)
    assert len(at) == 100
    assert too_early(at, began) == []


def _another_takes_over(office: Office) -> None:
    """The machine that ticks is cut off, as if its cable was drawn, and comes back."""
    first = office.ticking()
    office.net.cut(first)
    until(lambda: office.ticking() not in ("", first), TAKEN_OVER)
    beto = telegram_people.Person(801, "Beto")
    for words in WORDS[:2]:
        assert office.brings("web2", telegram_people.text(beto, words)) == 200
    until(lambda: set(states(office.engine)) == {"sent"})
    said = office.telegram.texts(beto)
    office.net.mend(first)
    until(lambda: there(office.engine) == 2)
    assert office.brings("web1", telegram_people.text(beto, WORDS[2])) == 200
    until(lambda: len(office.telegram.texts(beto)) > len(said))
    again = office.telegram.texts(beto)
    assert again[: len(said)] == said
    assert len(again) == len(set(again))


def _a_call_that_comes_again_elsewhere_counts_once(office: Office) -> None:
    """A web machine is cut off: the provider calls the other, and later the first once more."""
    carla = telegram_people.Person(802, "Carla")
    update = telegram_people.text(carla, "hola")
    office.net.cut("web2")
    with pytest.raises((urllib.error.URLError, TimeoutError)), office.net.inside("provider"):
        bring(PORT, update, host=office.net.address("web2"), patience=1.0)
    assert office.brings("web1", update) == 200
    until(lambda: office.telegram.texts(carla))
    office.net.mend("web2")
    said = office.telegram.texts(carla)
    until(lambda: office.brings("web2", update) == 200)
    assert office.brings("web2", telegram_people.text(carla, "es")) == 200
    until(lambda: len(office.telegram.texts(carla)) > len(said))
    assert office.telegram.texts(carla)[: len(said)] == said
    assert len(set(office.telegram.texts(carla))) == len(office.telegram.texts(carla))
