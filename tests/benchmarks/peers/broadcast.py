"""The same broadcast by ourselves and by others.

Each is run twice: all calls are taken; then one in a hundred is told to wait a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import delivery
from tests.benchmarks.__main__ import table
from tests.benchmarks.peers.installing import node, python
from tests.benchmarks.provider import TOKEN, Provider, provider

HERE = Path(__file__).parent
IN_FLIGHT = 256  # calls at once, as many as ours may have under way
LONGEST = 90.0  # seconds for a run; who needs longer is cut off
TEXT = (
    "Foro: Agua y servicios en el oriente\n📅 Sábado 10 de julio, 10:00 a 13:00\n"
    "📍 Casa de la Cultura, Valladolid\nHabrá interpretación en maya.\n¿Vas?"
)
OURS = "consulta"
COLUMNS = ("sender", "use of the rate", "ours to it", "fullest second", "calls while told to wait",
           "in one wait, at most", "lost", "twice")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Peer:
    """How a broadcast of another project is started."""

    name: str
    what: str
    command: tuple[str, ...]


def peers(folder: Path) -> list[Peer]:
    """Everything installed, if it was not before."""
    found = [
        Peer(name, what, (str(python(folder, name)), str(HERE / file)))
        for name, what, file in (
            ("ptb", "python-telegram-bot 22.8, AIORateLimiter, 5 retries", "ptb.py"),
            ("aiogram", "aiogram 3.31.0, waiting when told to", "aio.py"),
        )
    ]
    there = node(folder, [HERE / "grammy.mjs", HERE / "telegraf.mjs"])
    for name, what in (
        ("grammy", "grammY 1.46.0, throttler and auto-retry"),
        ("telegraf", "telegraf 4.16.3"),
    ):
        found.append(Peer(name, what, ("node", str(there / f"{name}.mjs"))))
    return found


def run(peer: Peer, there: Provider, people: int, rate: float) -> None:
    """Until it ends or takes too long."""
    given = [there.url, TOKEN, str(people), str(int(rate)), str(IN_FLIGHT), TEXT]
    process = subprocess.Popen(
        [*peer.command, *given], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def measured(peer: Peer, people: int, rate: float, waits: float) -> Mapping[str, Any]:
    with provider(waits=waits) as there:
        run(peer, there, people, rate)
        calls = there.calls()
    if not calls:
        raise SystemExit(f"{peer.name} sent nothing: run {' '.join(peer.command)} by hand")
    return delivery.judged(calls, people, rate)


def ours(people: int, rate: float, waits: float) -> Mapping[str, Any]:
    return delivery.send(people, rate, waits=waits)


def noted(name: str, *runs: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The same, shown at once: the whole takes minutes."""
    for one in runs:
        sys.stderr.write(f"{name}: {json.dumps(one)}\n")
    return runs


def rows(found: Mapping[str, tuple[Mapping[str, Any], ...]]) -> Iterator[tuple[str, ...]]:
    """One each: the first run tells of the rate, the second of those told to wait."""
    mine = found[OURS][0]["use of the rate"] if OURS in found else None
    for name, (free, waiting) in found.items():
        use = free["use of the rate"]
        yield (
            name, str(use), f"{mine / use:.1f}" if mine and use else "–",
            str(free["fullest second"]),
            f"{waiting['calls while told to wait']} of {waiting['calls']}",
            str(waiting["of these in one wait, at most"]),
            str(waiting["people"] - waiting["arrived"]), str(waiting["twice"]),
        )  # fmt: skip


def page(folder: Path, wanted: Sequence[str], people: int, rate: float) -> str:
    """What stands in docs/peers.md."""
    found: dict[str, tuple[Mapping[str, Any], ...]] = {}
    if not wanted or OURS in wanted:
        free, waiting = (ours(people, rate, waits) for waits in (0.0, 0.01))
        found[OURS] = noted(OURS, free, waiting)
    for peer in peers(folder):
        if not wanted or peer.name in wanted:
            time.sleep(1)
            free, waiting = (measured(peer, people, rate, waits) for waits in (0.0, 0.01))
            found[peer.what] = noted(peer.name, free, waiting)
    return (
        f"{people:,} invitations at an allowed {rate:,.0f} a second, to the same provider, in one "
        f"run on {datetime.now(UTC):%-d %B %Y} ({os.cpu_count()} cores); once as it is, for the "
        "first columns, and once with one call in a hundred told to wait a second.\n\n"
        f"{table(COLUMNS, list(rows(found)))}\n\n"
        "A use of 0.0 is that of who knows no limit: everything goes out at once.\n"
    )
