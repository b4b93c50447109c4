"""The same broadcast by ourselves and by others, against the same provider, in one run.

    .venv/bin/python -m tests.benchmarks.peers [--people 3000] [--only consulta,grammy]

Each is run twice: all calls are taken; then one in a hundred is told to wait a second. What others
need is put into a folder of its own (--folder), once, in the versions that stand here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import delivery
from tests.benchmarks.provider import TOKEN, Provider, provider

HERE = Path(__file__).parent
PYTHON = {
    "ptb": ["python-telegram-bot[rate-limiter]==22.8"],
    "aiogram": ["aiogram==3.31.0"],
}
NODE = {
    "grammy": "1.46.0",
    "@grammyjs/transformer-throttler": "1.2.1",
    "@grammyjs/auto-retry": "2.0.2",
    "telegraf": "4.16.3",
}
IN_FLIGHT = 256  # calls at once, as many as ours may have under way
LONGEST = 90.0  # seconds for a run; who needs longer is cut off
TEXT = (
    "Foro: Agua y servicios en el oriente\n📅 Sábado 10 de julio, 10:00 a 13:00\n"
    "📍 Casa de la Cultura, Valladolid\nHabrá interpretación en maya.\n¿Vas?"
)
OURS = "consulta"


@dataclass(frozen=True, slots=True)
class Peer:
    """How a broadcast of another project is started."""

    name: str
    what: str
    command: tuple[str, ...]
    folder: Path


def peers(folder: Path) -> list[Peer]:
    """Everything installed, if it was not before."""
    found = [
        Peer(name, what, (str(_python(folder / name, PYTHON[name])), str(HERE / file)), folder)
        for name, what, file in (
            ("ptb", "python-telegram-bot 22.8, AIORateLimiter, 5 retries", "ptb.py"),
            ("aiogram", "aiogram 3.31.0, waiting when told to", "aio.py"),
        )
    ]
    there = _node(folder / "node")
    for name, what in (
        ("grammy", "grammY 1.46.0, throttler and auto-retry"),
        ("telegraf", "telegraf 4.16.3"),
    ):
        found.append(Peer(name, what, ("node", str(there / f"{name}.mjs")), there))
    return found


def _python(folder: Path, wanted: Sequence[str]) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def _node(folder: Path) -> Path:
    """The scripts have to lie beside what they import."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("grammy.mjs", "telegraf.mjs"):
        (folder / name).write_text((HERE / name).read_text(encoding="utf-8"), encoding="utf-8")
    if not (folder / "node_modules").exists():
        (folder / "package.json").write_text(json.dumps({"dependencies": NODE}), encoding="utf-8")
        subprocess.run(["npm", "install", "--silent", "--no-audit"], cwd=folder, check=True)
    return folder


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


def table(found: Mapping[str, tuple[Mapping[str, Any], ...]]) -> str:
    """One row each: the first run tells of the rate, the second of those told to wait."""
    columns = ("", "use of the rate", "ours to it", "fullest second", "calls while told to wait")
    columns = (*columns, "in one wait, at most", "lost", "twice")
    rows = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    mine = found[OURS][0]["use of the rate"] if OURS in found else None
    for name, (free, waiting) in found.items():
        use = free["use of the rate"]
        ratio = f"{mine / use:.1f}" if mine and use else "–"
        lost = waiting["people"] - waiting["arrived"]
        rows.append(
            f"| {name} | {use} | {ratio} | {free['fullest second']} | "
            f"{waiting['calls while told to wait']} of {waiting['calls']} | "
            f"{waiting['of these in one wait, at most']} | {lost} | {waiting['twice']} |"
        )
    return "\n".join(rows)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--people", type=int, default=3000)
    given.add_argument("--rate", type=float, default=1000.0)
    given.add_argument("--only", default="", help="Names, with commas between.")
    given.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "consulta-peers"
    )
    asked = given.parse_args()
    wanted = [name for name in asked.only.split(",") if name]
    found: dict[str, tuple[Mapping[str, Any], ...]] = {}
    if not wanted or OURS in wanted:
        free, waiting = (ours(asked.people, asked.rate, waits) for waits in (0.0, 0.01))
        found[OURS] = noted(OURS, free, waiting)
    for peer in peers(asked.folder):
        if not wanted or peer.name in wanted:
            time.sleep(1)
            free, waiting = (
                measured(peer, asked.people, asked.rate, waits) for waits in (0.0, 0.01)
            )
            found[peer.what] = noted(peer.name, free, waiting)
    sys.stdout.write(table(found) + "\n")


if __name__ == "__main__":
    main()
