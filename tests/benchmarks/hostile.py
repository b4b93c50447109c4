"""A million hostile calls at the real program: no 500, no lost answer, no growth of memory.

Run: .venv/bin/python -m tests.benchmarks.hostile --calls 1000000 --seed 7
It prints a line every 20,000 calls, and ends with 1 if something is not as it should be. On
each processor a program of its own is besieged, by several threads at once, as a server's do; with
`--processes 1 --threads 1` the same seed makes the same calls. `--folder /dev/shm` spares the disk.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.hostile import Siege, siege

TOLD = 20_000  # calls between two lines
THREADS = 4
WARM = 200_000  # calls, after which memory must not grow: until then caches fill
PAGE = 4096  # bytes
SPARE = 8_000_000  # bytes that the process may hold more than when it was warm


def resident() -> int:
    """Bytes of memory that this process holds (Linux)."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--calls", type=int, default=1_000_000)
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--threads", type=int, default=THREADS, choices=range(1, 10))
    asked.add_argument("--processes", type=int, default=os.cpu_count(), help="SQLite alone")
    asked.add_argument("--folder", type=Path, help="where the database lies (default: a new one)")
    asked.add_argument("--database", default="", help="a PostgreSQL URL instead")
    given = asked.parse_args()
    many = 1 if given.database else given.processes
    seeds = [given.seed + number for number in range(many)]
    share = partial(_besiege, given, given.calls // many)
    began = time.monotonic()
    with ProcessPoolExecutor(many, get_context("spawn")) as processes:
        worst = max(processes.map(share, seeds))
    together = given.calls / (time.monotonic() - began)
    print(f"{together:.0f} calls/s, all together; worst: {worst}")  # noqa: T201
    return worst


def _besiege(given: argparse.Namespace, calls: int, seed: int) -> int:
    """One program with a database of its own; 1 if something is not as it should be."""
    print(f"seed {seed}", flush=True)  # noqa: T201
    with (
        tempfile.TemporaryDirectory(dir=given.folder) as folder,
        siege(Path(folder), seed, given.database) as made,
    ):
        logging.disable(logging.ERROR)
        every = [made, *(made.beside(number) for number in range(1, given.threads))]
        return _run(every, calls)


def _run(every: Sequence[Siege], calls: int) -> int:
    warm, done, began = 0, 0, time.monotonic()
    with ThreadPoolExecutor(len(every)) as threads:
        while done < calls:
            share = min(TOLD, calls - done) // len(every) or 1
            list(threads.map(_call, every, [share] * len(every)))
            done += share * len(every)
            held = resident()
            if not warm and done >= WARM:
                warm = held
            _tell(every, done, time.monotonic() - began, held)
    return _judge(every, resident() - warm if warm else 0)


def _call(each: Siege, times: int) -> None:
    for _ in range(times):
        each.call()


def _seen(every: Sequence[Siege]) -> dict[int, int]:
    """How many calls were answered with each status."""
    return dict(sorted(sum((each.seen for each in every), Counter[int]()).items()))


def _tell(every: Sequence[Siege], done: int, seconds: float, held: int) -> None:
    kept = sum(each.kept for each in every)
    cost = f"{time.process_time() / done * 1000:.1f} ms of processor each"
    state = f"{done:,} calls, {done / seconds:.0f}/s, {cost}, {held / 1e6:.1f} MB"
    print(f"{state}, {kept} answers kept, {_seen(every)}", flush=True)  # noqa: T201


def _judge(every: Sequence[Siege], grown: int) -> int:
    odd = {status: n for status, n in _seen(every).items() if status >= 500}
    failed = every[0].failed()
    print(f"answers of honest people, all kept: {sum(each.kept for each in every)}")  # noqa: T201
    print(f"rows: {every[0].rows()}")  # noqa: T201
    print(f"500s: {odd}; failed by our fault: {len(failed)} {set(failed)}")  # noqa: T201
    print(f"memory since {WARM:,} calls: {grown / 1e6:+.1f} MB")  # noqa: T201
    return int(bool(odd or failed or grown > SPARE))


if __name__ == "__main__":
    sys.exit(main())
