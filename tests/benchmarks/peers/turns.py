"""The same questionnaire by ourselves and by others: the same people, the same provider.

Each is asked for as many turns as it can make, for turns at leisure, for turns with a provider
that takes 50 ms, and for what it knows after kill -9.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import aiohttp

from tests.benchmarks import SECRET
from tests.benchmarks.__main__ import table
from tests.benchmarks.peers.asking.questionnaire import QUESTIONS
from tests.benchmarks.peers.installing import node, python
from tests.benchmarks.turns import (
    ANSWERS,
    TOKEN,
    Crowd,
    Provider,
    Serving,
    await_port,
    calm,
    consulta,
    family,
    floor,
    free_port,
    memory,
    processor,
    running,
)

HERE = Path(__file__).with_name("asking")
AT_ONCE = 32  # people
WARM, LONG = 1.0, 6.0  # seconds
SLOW = timedelta(milliseconds=50)
CUT = 3  # the answer, of ANSWERS, after which everything is killed
PATIENCE = 10.0  # seconds that a person waits for what must come
FAULTS = (AssertionError, OSError, RuntimeError, aiohttp.ClientError, subprocess.CalledProcessError)
OURS, FLOOR = "consulta", "floor"
COLUMNS = ("", "turns a second", "ours to it", "with a provider of 50 ms", "p50 ms at 50/s",
           "p99 ms at 50/s", "processor ms a turn", "memory MB", "lost at kill -9")  # fmt: skip
KEYS = ("slow", "p50 ms at 50/s", "p99 ms at 50/s", "processor", "memory", "lost")

NOTES = (
    "Everybody was asked the same, with as many messages, and asked again in the same place; a "
    "program that told more or less would be left out. What is in SQLite is in WAL with "
    "synchronous FULL. Lost at kill -9 are people whose answer the hook had just taken with 200, "
    "and who after the next start were asked for it once more: python-telegram-bot and aiogram "
    "answer the hook, as they come, before they have handled the update. What consulta does "
    "besides: it takes no update twice, sends from a ledger, keeps to the rate of the provider, "
    "seals what people say, and understands places and words in two languages."
)

Start = Callable[[str, Path], AbstractContextManager[Serving]]


@dataclass(frozen=True, slots=True)
class Peer:
    """How a program is started: with the provider's URL and a folder that it keeps."""

    name: str
    what: str
    start: Start
    in_python: bool = False


# who is measured


def peers(folder: Path) -> Iterator[tuple[str, Callable[[], Peer]]]:
    """Names, and what makes each, which installs it if that was not done before."""
    yield FLOOR, lambda: Peer(FLOOR, "a bare Flask view", lambda api, _there: floor(api, None))
    yield OURS, lambda: Peer(OURS, OURS, lambda api, there: consulta(api, None, there))
    for name, what, file in (
        ("ptb", "python-telegram-bot 22.8, PicklePersistence", "ptb.py"),
        ("aiogram", "aiogram 3.31.0, SQLite", "aio.py"),
        ("botframework", "Bot Framework 4.17.1 (Python), SQLite", "bot_framework.py"),
    ):
        yield name, functools.partial(_in_python, folder, name, what, file)
    yield "redis", functools.partial(_on_redis, folder)
    for name, what in (
        ("grammy", "grammY 1.46.0, SQLite"),
        ("telegraf", "telegraf 4.16.3, SQLite"),
    ):
        yield name, functools.partial(_in_node, folder, name, what)


def _in_python(folder: Path, name: str, what: str, file: str) -> Peer:
    command = (str(python(folder, name)), str(HERE / file))
    return Peer(name, what, functools.partial(_started, command), in_python=True)


def _in_node(folder: Path, name: str, what: str) -> Peer:
    scripts = [HERE / f"{name}.mjs", HERE / "questionnaire.mjs", HERE / "questionnaire.json"]
    there = node(folder, scripts)
    return Peer(name, what, functools.partial(_started, ("node", str(there / f"{name}.mjs"))))


def _on_redis(folder: Path) -> Peer:
    if not shutil.which("redis-server"):
        raise FileNotFoundError("there is no redis-server: apt-get install redis-server")
    command = (str(python(folder, "aiogram")), str(HERE / "aio.py"))
    start = functools.partial(_started_on_redis, command)
    return Peer("redis", "aiogram 3.31.0, Redis with AOF always", start, in_python=True)


@contextmanager
def _started(
    command: Sequence[str], api: str, folder: Path, more: Sequence[str] = ()
) -> Iterator[Serving]:
    port = free_port()
    given = [*command, api, TOKEN, SECRET, str(port), str(folder), *more]
    with running(given, os.environ) as pid:
        await_port(port)
        yield Serving([port], [pid])


@contextmanager
def _started_on_redis(command: Sequence[str], api: str, folder: Path) -> Iterator[Serving]:
    port = free_port()
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    here = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    with ExitStack() as stack:
        pid = stack.enter_context(running(["redis-server", *here, *durable], os.environ))
        url = f"redis://127.0.0.1:{port}"
        serving = stack.enter_context(_started(command, api, folder, [url]))
        yield Serving(serving.ports, [*serving.pids, pid])


# what is measured


async def measured(peer: Peer) -> dict[str, str]:
    provider = Provider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with crowd(peer, provider, api, Path(folder)) as (people, pids):
            if people.answered:
                await same(people)
            found |= await rate(people, pids, 100_000)
            delays = await asyncio.wait_for(calm(people), 60)
            found |= {name: f"{delay:.1f}" for name, delay in delays.items()}
            if people.answered:
                provider.wait = SLOW
                found["slow"] = (await rate(people, pids, 200_000))["turns"]
            found["memory"] = f"{sum(memory(pid, 'Rss') for pid in pids):.0f}"
            taken = await cut(people, pids) if people.answered else []
        if people.answered:
            async with crowd(peer, provider, api, Path(folder), people.updates) as (people, _):
                found["lost"] = f"{len(taken) - await kept(people, taken)} of {len(taken)}"
    server.close()
    return found


@asynccontextmanager
async def crowd(
    peer: Peer, provider: Provider, api: str, folder: Path, updates: int = 0
) -> AsyncIterator[tuple[Crowd, list[int]]]:
    """People before what was started, which is killed at the end; their updates are counted on."""
    with ExitStack() as stack:  # in a thread: as it starts, it asks the provider who it is
        serving = await asyncio.to_thread(stack.enter_context, peer.start(api, folder))
        hooks = [f"http://127.0.0.1:{port}/hooks/telegram" for port in serving.ports]
        connector = aiohttp.TCPConnector(limit=0)
        try:
            async with aiohttp.ClientSession(connector=connector) as session:
                answered = peer.name != FLOOR
                yield Crowd(provider, session, hooks, answered, updates), serving.pids
        finally:
            kill(families(serving.pids))


def families(pids: Sequence[int]) -> list[int]:
    return [one for pid in pids for one in family(pid)]


def kill(pids: Sequence[int]) -> None:
    for one in pids:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


async def same(people: Crowd) -> None:
    """One person is asked what everybody is asked; what is too short is asked for again."""
    wanted = [question["text"].splitlines()[0] for question in QUESTIONS]
    unclear = ANSWERS.index("corto")
    wanted.insert(unclear, QUESTIONS[unclear - 1]["again"])
    for said, text in zip(ANSWERS, wanted, strict=True):
        told = await asyncio.wait_for(people.turn(1, said), PATIENCE)
        if text not in told[-1]:
            raise RuntimeError(f"to {said!r} it said {told[-1]!r}, not {text!r}")


async def rate(people: Crowd, pids: Sequence[int], first: int) -> dict[str, str]:
    """As many turns as go, of people who come as others are through."""
    chats, through = itertools.count(first), list[int]()

    async def line() -> None:
        for chat in chats:
            await people.converse(chat)
            through.append(chat)

    lines = [asyncio.create_task(line()) for _ in range(AT_ONCE)]
    await asyncio.sleep(WARM)
    began, before, worked = perf_counter(), len(people.delays), sum(map(processor, pids))
    await asyncio.sleep(LONG)
    took, turns = perf_counter() - began, len(people.delays) - before
    worked = sum(map(processor, pids)) - worked
    for one in lines:
        one.cancel()
    for ended in await asyncio.gather(*lines, return_exceptions=True):
        if not isinstance(ended, asyncio.CancelledError):
            raise RuntimeError("somebody got no answer") from ended
    await asyncio.sleep(WARM)  # what is under way arrives
    if more := [chat for chat in through if not people.provider.told[chat].empty()]:
        raise RuntimeError(f"{len(more)} of {len(through)} were told more than the others")
    return {"turns": f"{turns / took:.0f}", "processor": f"{1000 * worked / max(turns, 1):.1f}"}


async def cut(people: Crowd, pids: Sequence[int]) -> list[int]:
    """Whose answer had just been acknowledged as everything was killed."""
    chats, taken = range(900_000, 900_000 + AT_ONCE), list[int]()
    for said in ANSWERS[:CUT]:
        await asyncio.gather(*(people.turn(chat, said) for chat in chats))
    doomed = families(pids)  # found before: meanwhile they would go on

    async def say(chat: int) -> None:
        await people.say(chat, ANSWERS[CUT])
        taken.append(chat)
        if len(taken) == AT_ONCE // 2:
            kill(doomed)

    await asyncio.gather(*map(say, chats), return_exceptions=True)
    return taken


async def kept(people: Crowd, chats: Sequence[int]) -> int:
    """How many are asked what follows from the answer that was acknowledged and the next."""
    text = QUESTIONS[CUT + 1]["text"]

    async def goes_on(chat: int) -> bool:
        await people.say(chat, ANSWERS[CUT + 1])
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while text not in (await people.provider.told[chat].get()).text:
                    pass
                return True
        return False

    return sum(await asyncio.gather(*map(goes_on, chats)))


# what is shown


def page(folder: Path, only: Sequence[str]) -> str:
    """What stands in docs/peers.md."""
    found: dict[Peer, dict[str, str]] = {}
    left = []
    for name, made in peers(folder):
        if not only or name in only:
            try:
                peer = made()
                found[peer] = asyncio.run(measured(peer))
                sys.stderr.write(f"{name}: {json.dumps(found[peer])}\n")
            except FAULTS as error:
                left.append(f"{name}: {error!r}.")
                sys.stderr.write(f"left out: {left[-1]}\n")
    turns = {peer: float(figures["turns"]) for peer, figures in found.items()}
    mine = next((rate for peer, rate in turns.items() if peer.name == OURS), None)
    rows = [
        [peer.what, figures["turns"], f"{mine / turns[peer]:.2f}" if mine else "–",
         *(figures.get(key, "–") for key in KEYS)]
        for peer, figures in found.items()
    ]  # fmt: skip
    words = [
        f"{len(ANSWERS)} turns a person, one of them an answer that is too short and asked for "
        f"again, {AT_ONCE} people at once, {LONG:.0f} seconds each, on "
        f"{datetime.now(UTC):%-d %B %Y} ({os.cpu_count()} cores, all on one machine); memory is "
        "resident, with children.",
        table(COLUMNS, rows),
        _ratios(turns, mine),
        NOTES,
        *(["Left out: " + " ".join(left)] if left else []),
    ]
    return "\n\n".join(filter(None, words)) + "\n"


def _ratios(turns: Mapping[Peer, float], mine: float | None) -> str:
    """Ours to the best of Python, to each in Node, and to the bare view."""
    in_python = [peer for peer in turns if peer.in_python]
    if not mine or not in_python:
        return ""
    best = max(in_python, key=turns.__getitem__)
    others = [peer for peer in turns if not peer.in_python and peer.name != OURS]
    told = [f"{mine / turns[best]:.2f} times the best in Python ({best.what})"]
    told += [f"{mine / turns[peer]:.2f} times {peer.what}" for peer in others]
    return f"Turns a second of ours: {', '.join(told)}."
