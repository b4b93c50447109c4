"""Questionnaire turns: `consulta serve` as a process of its own, people over HTTP, all durable.

A turn is a Telegram update in, stored, and the next question out, as the Bot API receives it.
People wait for the question before they answer. Run: .venv/bin/python -m tests.benchmarks.turns
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qsl
from urllib.request import urlopen

import aiohttp

from tests.benchmarks import SECRET

TOKEN = "123456:" + "a" * 35
ME = {"id": 123456, "is_bot": True, "first_name": "B", "username": "b_bot"}
ANSWERS = (  # 12 questions, the consents and one invalid answer
    *("hola", "es", "si", "3", "Mérida", "sí", "Centro", "no", "agua, salud", "agua", "corto"),
    *("No hay agua en la colonia desde mayo", "2", "1", "saltar", "no", "3", "4"),
)
TWO = "es"  # after it a notice goes out besides the next question


@dataclass(slots=True)
class Serving:
    """What runs: where it takes calls, and its processes."""

    ports: list[int]
    pids: list[int]


Served = Callable[[str, str | None], AbstractContextManager[Serving]]


@dataclass(frozen=True, slots=True)
class Told:
    """A message that came to the provider, by time.perf_counter()."""

    at: float
    text: str


@dataclass(slots=True)
class Provider:
    """The Bot API, as lean as it can be: it notes who was told what, and when."""

    wait: timedelta = timedelta(0)
    told: defaultdict[int, asyncio.Queue[Told]] = field(
        default_factory=lambda: defaultdict(asyncio.Queue)
    )
    count: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                body = await reader.readexactly(length)
                if self.wait:
                    await asyncio.sleep(self.wait.total_seconds())
                writer.write(self._answer(head, body))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if b"/sendMessage" in head:
            said = _fields(head, body)
            chat = int(said["chat_id"])
            self.count += 1
            content = json.dumps({"ok": True, "result": _message(chat, self.count)}).encode()
            self.told[chat].put_nowait(Told(time.perf_counter(), said["text"]))
        elif b"/getMe" in head:
            content = json.dumps({"ok": True, "result": ME}).encode()
        else:
            content = b'{"ok":true,"result":true}'
        start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return start % len(content) + content


def _fields(head: bytes, body: bytes) -> dict[str, str]:
    if b"application/json" in head.lower():
        found: dict[str, str] = json.loads(body)
        return found
    return dict(parse_qsl(body.decode()))


def _message(chat: int, number: int) -> dict[str, object]:
    return {"message_id": number, "date": 1, "chat": {"id": chat, "type": "private"}, "text": "x"}


@dataclass(slots=True)
class Crowd:
    """People who answer, each waiting for the next question."""

    provider: Provider
    session: aiohttp.ClientSession
    hooks: Sequence[str]  # taken in turn
    answered: bool = True  # whether a turn ends with the next question; else with the hook's 200
    updates: int = 0
    delays: list[float] = field(default_factory=list)

    async def converse(self, chat: int) -> None:
        for said in ANSWERS:
            await self.turn(chat, said)

    async def turn(self, chat: int, said: str) -> list[str]:
        """What the person was told."""
        began = time.perf_counter()
        await self.say(chat, said)
        expected = (1 + (said == TWO)) if self.answered else 0
        told = [await self.provider.told[chat].get() for _ in range(expected)]
        self.delays.append((told[-1].at if told else time.perf_counter()) - began)
        return [one.text for one in told]

    async def say(self, chat: int, said: str) -> None:
        """Until the hook has taken it."""
        self.updates += 1
        person = {"id": chat, "is_bot": False, "first_name": "P"}
        message = {
            "message_id": self.updates,
            "date": 1,
            "chat": {"id": chat, "type": "private", "first_name": "P"},
            "from": person,
            "text": said,
        }
        hook = self.hooks[self.updates % len(self.hooks)]
        update = {"update_id": self.updates, "message": message}
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        async with self.session.post(hook, json=update, headers=headers) as answer:
            assert answer.status == 200, answer.status


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def consulta(api: str, url: str | None, folder: Path | None = None) -> Iterator[Serving]:
    """`consulta serve` on SQLite; on PostgreSQL two `consulta web` and a worker.

    Without a folder, its data are thrown away.
    """
    with ExitStack() as stack:
        data = folder or stack.enter_context(tempfile.TemporaryDirectory())
        known = {
            **os.environ,
            "CONSULTA_DATA": str(data),
            "CONSULTA_TELEGRAM_TOKEN": TOKEN,
            "CONSULTA_TELEGRAM_SECRET": SECRET,
            "CONSULTA_TELEGRAM_API": api,
            "CONSULTA_TELEGRAM_RATE": "1000",
            **({"CONSULTA_DATABASE_URL": url} if url else {}),
        }
        found = Serving([], [])
        for name in ("web", "web", "worker") if url else ("serve",):
            if name != "worker":
                found.ports.append(free_port())
            own = {**known, "CONSULTA_PORT": str(found.ports[-1])}
            command = [Path(sys.executable).with_name("consulta"), name]
            found.pids.append(stack.enter_context(running(command, own)))
            if name != "worker":
                await_port(found.ports[-1])  # the first one makes the tables
        yield found


@contextmanager
def floor(_api: str, url: str | None) -> Iterator[Serving]:
    """The bare view of tests.benchmarks.floor, in as many processes."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        known = {**os.environ, "FLOOR_DATABASE": url or f"{folder}/floor.db"}
        ports = [free_port() for _ in range(2 if url else 1)]
        pids = []
        for port in ports:
            command = [sys.executable, "-m", "tests.benchmarks.floor", str(port)]
            pids.append(stack.enter_context(running(command, known)))
            await_port(port)
        yield Serving(ports, pids)


@contextmanager
def running(command: Sequence[str | Path], known: Mapping[str, str]) -> Iterator[int]:
    process = subprocess.Popen(command, env=known, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def await_port(port: int) -> None:
    for _ in range(300):
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except HTTPError:  # it answers, and knows no such page
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the program did not answer")


def memory(pid: int, kind: str = "Pss") -> float:
    """Megabytes of a process and its children: each one's share of what they share, or "Rss"."""
    return sum(_rolled_up(one, kind) for one in family(pid)) / 1024


def processor(pid: int) -> float:
    """Seconds that a process and its children have worked."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = (Path(f"/proc/{one}/stat").read_text().rpartition(")")[2] for one in family(pid))
    return sum(sum(map(int, stat.split()[11:13])) for stat in found) / ticks


def family(pid: int) -> list[int]:
    """A process, its children, and theirs."""
    children = subprocess.run(
        ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
    )
    return [pid, *(one for child in children.stdout.split() for one in family(int(child)))]


def _rolled_up(pid: int, kind: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


async def measure(
    served: Served, people: int, at_once: int, wait: timedelta, url: str | None
) -> dict[str, float]:
    """Closed-loop throughput, then the delay at 50 turns a second."""
    provider = Provider(wait)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connector = aiohttp.TCPConnector(limit=0)
    with served(api, url) as serving:
        async with aiohttp.ClientSession(connector=connector) as session:
            hooks = [f"http://127.0.0.1:{port}/hooks/telegram" for port in serving.ports]
            crowd = Crowd(provider, session, hooks, answered=served is not floor)
            found = await _measured(crowd, serving.pids, people, at_once)
        await asyncio.sleep(0.1)  # the connections end
    server.close()
    return found


async def _measured(
    crowd: Crowd, pids: Sequence[int], people: int, at_once: int
) -> dict[str, float]:
    await crowd.converse(1)
    crowd.delays.clear()
    gate = asyncio.Semaphore(at_once)

    async def one(chat: int) -> None:
        async with gate:
            await crowd.converse(chat)

    began, worked = time.perf_counter(), sum(map(processor, pids))
    await asyncio.gather(*(one(chat) for chat in range(100, 100 + people)))
    took, worked = time.perf_counter() - began, sum(map(processor, pids)) - worked
    turns = len(crowd.delays)
    return {
        "turns a second": turns / took,
        "processor ms a turn": 1000 * worked / turns,
        **await calm(crowd),
        "memory MB": sum(map(memory, pids)),
    }


async def calm(crowd: Crowd) -> dict[str, float]:
    """The delays of 50 newcomers a second."""
    crowd.delays.clear()
    await asyncio.gather(*(_later(crowd, 10_000 + n, n / 50) for n in range(500)))
    delays = sorted(crowd.delays)
    return {
        "p50 ms at 50/s": 1000 * statistics.median(delays),
        "p99 ms at 50/s": 1000 * delays[int(len(delays) * 0.99)],
    }


async def _later(crowd: Crowd, chat: int, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await crowd.turn(chat, "hola")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--wait-ms", type=float, default=0, help="what the provider takes")
    parser.add_argument("--database-url", help="of a new PostgreSQL database; else SQLite")
    given = parser.parse_args()
    wait = timedelta(milliseconds=given.wait_ms)
    figures = [
        asyncio.run(measure(served, given.people, given.at_once, wait, given.database_url))
        for served in (floor, consulta)
    ]
    print(f"{'':20} {'floor':>9} {'consulta':>9} {'ratio':>6}")  # noqa: T201
    for name, least in figures[0].items():
        ours = figures[1][name]
        print(f"{name:20} {least:9.1f} {ours:9.1f} {ours / least:6.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
