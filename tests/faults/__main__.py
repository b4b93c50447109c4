"""The whole trial: many people, a broadcast, and everything that may go wrong.

    .venv/bin/python -m tests.faults --seed 7 --people 2000 --kills 30 [--database sqlite]

Prints its seed, which brings the same plan again. Exit 1: something was lost, or came twice.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
from functools import partial

from tests.faults import judge
from tests.faults.trial import Given, run


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given.add_argument("--people", type=int, default=2000)
    given.add_argument("--kills", type=int, default=30)
    given.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    given.add_argument("--no-refused-token", dest="refused", action="store_false")
    given.add_argument("--skews", type=int, default=6)
    given.add_argument("--fills", type=int, default=2)
    asked = given.parse_args()
    plan = Given(
        asked.seed, asked.people, asked.kills, asked.database,
        webs=2 if asked.database == "postgresql" else 1,
        fills=asked.fills, skews=asked.skews, refused=asked.refused,
    )  # fmt: skip
    say = partial(print, flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing is left running
    say(f"seed {plan.seed}")
    verdict = asyncio.run(run(plan, judge.judge, say))
    say(judge.told(verdict, verdict.faults))
    say(f"seed {plan.seed}: {len(verdict.faults)} faults")
    return bool(verdict.faults)


if __name__ == "__main__":
    sys.exit(main())
