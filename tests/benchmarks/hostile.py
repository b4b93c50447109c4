"""A million hostile calls at the real program: no 500, no lost answer, no growth of memory.

Run: .venv/bin/python -m tests.benchmarks.hostile --calls 1000000 --seed 7
It prints a line every 20,000 calls, and ends with 1 if something is not as it should be.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.hostile import Siege, siege

TOLD = 20_000  # calls between two lines
WARM = 0.1  # of the calls, after which memory must not grow
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
    asked.add_argument("--folder", type=Path, help="where the database lies (default: a new one)")
    asked.add_argument("--database", default="", help="a PostgreSQL URL instead")
    given = asked.parse_args()
    print(f"seed {given.seed}")  # noqa: T201
    with (
        tempfile.TemporaryDirectory(dir=given.folder) as folder,
        siege(Path(folder), given.seed, given.database) as made,
    ):
        logging.disable(logging.ERROR)
        return _run(made, given.calls)


def _run(made: Siege, calls: int) -> int:
    warm, began = 0, time.monotonic()
    for number in range(1, calls + 1):
        made.call()
        if number == int(calls * WARM):
            warm = resident()
        if number % TOLD == 0 or number == calls:
            _tell(made, number, time.monotonic() - began)
    grown = resident() - warm
    odd = {status: n for status, n in made.seen.items() if status >= 500}
    failed = made.failed()
    print(f"answers of honest people, all kept: {made.kept}")  # noqa: T201
    print(f"statuses: {dict(sorted(made.seen.items()))}; rows: {made.rows()}")  # noqa: T201
    print(f"500s: {odd}; failed by our fault: {len(failed)} {set(failed)}")  # noqa: T201
    print(f"memory since {WARM:.0%} of the calls: {grown / 1e6:+.1f} MB")  # noqa: T201
    return int(bool(odd or failed or grown > SPARE))


def _tell(made: Siege, number: int, seconds: float) -> None:
    state = f"{number:,} calls, {number / seconds:.0f}/s, {resident() / 1e6:.1f} MB"
    print(f"{state}, {made.kept} answers kept, {dict(made.seen)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
