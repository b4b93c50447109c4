"""Questionnaire turns: `consulta serve` as a process of its own, people over HTTP, all durable.

A turn is a Telegram update in, stored, and the next question out, as the Bot API receives it.
People wait for the question before they answer. Run: .venv/bin/python -m tests.benchmarks.turns
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs

import aiohttp

SECRET = "un-secreto-de-prueba"
TOKEN = "123456:" + "a" * 35
ANSWERS = (  # 12 questions and one invalid answer
    *("hola", "es", "si", "3", "Mérida", "Centro", "no", "1, 2", "agua", "corto"),
    *("No hay agua en la colonia desde mayo", "2", "1", "saltar", "3", "4"),
)


@dataclass(slots=True)
class Provider:
    """The Bot API, as lean as it can be: it notes who was told something, and when."""

    wait: timedelta = timedelta(0)
    told: dict[int, asyncio.Event] = field(default_factory=dict)
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
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if b"/sendMessage" in head:
            chat = int(_field(head, body, "chat_id"))
            self.count += 1
            content = json.dumps({"ok": True, "result": _message(chat, self.count)}).encode()
            self.told.setdefault(chat, asyncio.Event()).set()
        else:
            content = b'{"ok":true,"result":true}'
        start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return start % len(content) + content


def _field(head: bytes, body: bytes, name: str) -> str:
    if b"application/json" in head.lower():
        return str(json.loads(body)[name])
    return parse_qs(body.decode())[name][0]


def _message(chat: int, number: int) -> dict[str, object]:
    return {"message_id": number, "date": 1, "chat": {"id": chat, "type": "private"}, "text": "x"}


@dataclass(slots=True)
class Crowd:
    """People who answer, each waiting for the next question."""

    provider: Provider
    session: aiohttp.ClientSession
    hook: str
    updates: int = 0
    delays: list[float] = field(default_factory=list)

    async def converse(self, chat: int) -> None:
        for said in ANSWERS:
            await self.turn(chat, said)

    async def turn(self, chat: int, said: str) -> None:
        told = self.provider.told.setdefault(chat, asyncio.Event())
        told.clear()
        self.updates += 1
        person = {"id": chat, "is_bot": False, "first_name": "P"}
        message = {
            "message_id": self.updates,
            "date": 1,
            "chat": {"id": chat, "type": "private", "first_name": "P"},
            "from": person,
            "text": said,
        }
        began = time.perf_counter()
        update = {"update_id": self.updates, "message": message}
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        async with self.session.post(self.hook, json=update, headers=headers) as answer:
            assert answer.status == 200, answer.status
        await told.wait()
        self.delays.append(time.perf_counter() - began)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def program(api: str, url: str | None) -> AsyncIterator[tuple[str, int]]:
    """`consulta serve` on a fresh database; its hook and its process id."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        known = {
            **os.environ,
            "CONSULTA_DATA": folder,
            "CONSULTA_TELEGRAM_TOKEN": TOKEN,
            "CONSULTA_TELEGRAM_SECRET": SECRET,
            "CONSULTA_TELEGRAM_API": api,
            "CONSULTA_TELEGRAM_RATE": "1000",
            "CONSULTA_PORT": str(port),
        }
        if url:
            known["CONSULTA_DATABASE_URL"] = url
        command = Path(sys.executable).with_name("consulta")
        process = subprocess.Popen([command, "serve"], env=known, stdout=subprocess.DEVNULL)
        try:
            await _ready(port)
            yield f"http://127.0.0.1:{port}/hooks/telegram", process.pid
        finally:
            process.terminate()
            process.wait()


async def _ready(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            try:
                async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError("consulta serve did not answer")


def memory(pid: int) -> float:
    """Megabytes of a process and its children, each one's share of what they share."""
    children = subprocess.run(
        ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
    )
    pids = [str(pid), *children.stdout.split()]
    return sum(_pss(Path("/proc", one, "smaps_rollup")) for one in pids) / 1024


def _pss(rollup: Path) -> int:
    lines = rollup.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


async def measure(people: int, at_once: int, wait: timedelta, url: str | None) -> dict[str, float]:
    """Closed-loop throughput, then the delay at 50 turns a second."""
    provider = Provider(wait)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        program(api, url) as (hook, pid),
        aiohttp.ClientSession(connector=connector) as session,
    ):
        crowd = Crowd(provider, session, hook)
        await crowd.converse(1)
        crowd.delays.clear()
        gate = asyncio.Semaphore(at_once)

        async def one(chat: int) -> None:
            async with gate:
                await crowd.converse(chat)

        began = time.perf_counter()
        await asyncio.gather(*(one(chat) for chat in range(100, 100 + people)))
        took = time.perf_counter() - began
        rate = len(crowd.delays) / took
        crowd.delays.clear()
        calm = [asyncio.create_task(_later(crowd, 10_000 + n, n / 50)) for n in range(500)]
        await asyncio.gather(*calm)
        delays = sorted(crowd.delays)
        used = memory(pid)
    server.close()
    return {
        "turns a second": rate,
        "p50 ms at 50/s": 1000 * statistics.median(delays),
        "p99 ms at 50/s": 1000 * delays[int(len(delays) * 0.99)],
        "memory MB": used,
        "own processor s": resource.getrusage(resource.RUSAGE_SELF).ru_utime,
    }


async def _later(crowd: Crowd, chat: int, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await crowd.turn(chat, "hola")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--wait-ms", type=float, default=0, help="what the provider takes")
    parser.add_argument("--database-url")
    given = parser.parse_args()
    wait = timedelta(milliseconds=given.wait_ms)
    found = asyncio.run(measure(given.people, given.at_once, wait, given.database_url))
    for name, figure in found.items():
        print(f"{name:18} {figure:9.1f}")  # noqa: T201


if __name__ == "__main__":
    main()
