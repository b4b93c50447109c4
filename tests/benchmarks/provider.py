"""Telegram's Bot API as far as a broadcast needs it, as light as can be: it shares the machine
with the sender that is measured, and its own stalls would be taken for bursts of that sender.

It notes each call by its own clock as the bytes come in. It runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe

TOKEN = "123456789:AAbenchmarkbenchmarkbenchmarkbenchm"
CHAT = re.compile(rb'chat_id(?:=|" ?: ?"?|"\r\n\r\n)(\d+)')  # form, JSON and multipart
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
WAIT = 1  # seconds, of those that are told to
ME = {"id": 123456789, "is_bot": True, "first_name": "B", "username": "b_bot"}
DATE = 1_800_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One sendMessage: seconds since 1970, to whom, and what was answered."""

    at: float
    chat: int
    status: int


class Line(asyncio.Protocol):
    """One connection; requests on it come one after another."""

    def __init__(
        self, latency: float, waits: float, rng: random.Random, calls: list[Arrival]
    ) -> None:
        self.latency, self.waits, self.rng, self.calls = latency, waits, rng, calls
        self.kept = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self.kept += data
        while (end := self.kept.find(b"\r\n\r\n")) >= 0:
            head = self.kept[: end + 2]
            length = LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.kept) < whole:
                return
            request, self.kept = self.kept[:whole], self.kept[whole:]
            self.answer(head, request[end + 4 :], now)

    def answer(self, head: bytes, body: bytes, now: float) -> None:
        asked = head[: head.find(b" HTTP")].rpartition(b"/")[2].lower()
        if asked.startswith(b"sendmessage"):
            status, found = self.said(body, now)
        else:
            status, found = 200, {"ok": True, "result": ME}
        content = json.dumps(found).encode()
        first = b"HTTP/1.1 200 OK" if status == 200 else b"HTTP/1.1 429 Too Many Requests"
        kind = b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        whole = first + kind % len(content) + content
        asyncio.get_running_loop().call_later(self.latency, self.write, whole)

    def write(self, whole: bytes) -> None:
        if not self.transport.is_closing():  # type: ignore[attr-defined]
            self.transport.write(whole)  # type: ignore[attr-defined]

    def said(self, body: bytes, now: float) -> tuple[int, dict[str, object]]:
        match = CHAT.search(body)
        chat = int(match[1]) if match else 0
        status = 429 if self.waits and self.rng.random() < self.waits else 200
        self.calls.append(Arrival(now, chat, status))
        if status == 429:
            told = {"ok": False, "error_code": 429, "parameters": {"retry_after": WAIT}}
            return 429, {**told, "description": f"Too Many Requests: retry after {WAIT}"}
        there = {"id": chat, "type": "private", "first_name": "A"}
        said = {"message_id": len(self.calls), "date": DATE, "chat": there, "text": "x"}
        return 200, {"ok": True, "result": said}


def _serve(pipe: Pipe, latency: float, waits: float) -> None:
    gc.disable()
    calls: list[Arrival] = []
    rng = random.Random(7)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Line(latency, waits, rng, calls), "127.0.0.1", 0)
        pipe.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        ended = asyncio.Event()
        threading.Thread(target=_tell, args=(pipe, calls, loop, ended), daemon=True).start()
        await ended.wait()

    asyncio.run(run())


def _tell(
    pipe: Pipe, calls: list[Arrival], loop: asyncio.AbstractEventLoop, ended: asyncio.Event
) -> None:
    while (asked := pipe.recv()) != "end":
        pipe.send(len(calls) if asked == "count" else list(calls))
    loop.call_soon_threadsafe(ended.set)


@dataclass(frozen=True, slots=True)
class Provider:
    """Where it is, and what it has been asked."""

    url: str
    pipe: Pipe

    def count(self) -> int:
        """How many calls there were."""
        self.pipe.send("count")
        found: int = self.pipe.recv()
        return found

    def calls(self) -> list[Arrival]:
        self.pipe.send("calls")
        found: list[Arrival] = self.pipe.recv()
        return found


@contextmanager
def provider(latency: float = 0.02, waits: float = 0.0) -> Iterator[Provider]:
    """A provider that answers after `latency` seconds, and tells the part `waits` of all calls
    to wait a second."""
    mine, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, latency, waits), daemon=True
    )
    process.start()
    try:
        yield Provider(mine.recv(), mine)
        mine.send("end")
        process.join(5)
    finally:
        process.kill()
