"""What a turn costs with a million people and twelve million answers stored, to an empty database.

Run: .venv/bin/python -m tests.benchmarks.growth [--people 1000000]. Two programs on PostgreSQL, one
with the rows and one without, are asked in turns, so that what else the machine does hits both.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack

import aiohttp

from storage import database
from storage.vault import vault
from tests import databases
from tests.benchmarks.pages import PER_PERSON, fill
from tests.benchmarks.turns import ANSWERS, Crowd, Provider, consulta

BLOCKS, PEOPLE = 20, 5  # in each block so many people answer the questionnaire, one at a time
WARM = 3  # blocks that are not counted


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--people", type=int, default=1_000_000)
    people = reader.parse_args().people
    with (
        databases.postgres(durable=True) as server,
        server.fresh("template1") as empty,
        server.fresh("template1") as full,
    ):
        _fill(full, people)
        base, ours = asyncio.run(_compare([empty, full]))
    print(f"{people:,} people, {people * PER_PERSON:,} answers; milliseconds a turn")  # noqa: T201
    print(f"empty {base:.2f}, full {ours:.2f}, ratio {ours / base:.2f}")  # noqa: T201


def _fill(url: str, people: int) -> None:
    engine = database.connect(url, vault("only the rows count"))
    with database.disposing(engine):
        database.upgrade(engine)
        fill(engine, people * PER_PERSON)


async def _compare(urls: Sequence[str]) -> tuple[float, ...]:
    """The median of a turn on each database."""
    provider = Provider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        crowds = []
        for url in urls:
            serving = stack.enter_context(consulta(api, url))
            hooks = [f"http://127.0.0.1:{port}/hooks/telegram" for port in serving.ports]
            crowds.append(Crowd(provider, session, hooks))
        for block in range(WARM + BLOCKS):
            if block == WARM:
                for crowd in crowds:
                    crowd.delays.clear()
            for place, crowd in enumerate(crowds):
                for person in range(PEOPLE):
                    await crowd.converse(10_000_000 * (1 + place) + block * PEOPLE + person)
    server.close()
    assert all(len(each.delays) == BLOCKS * PEOPLE * len(ANSWERS) for each in crowds)
    return tuple(1000 * statistics.median(each.delays) for each in crowds)


if __name__ == "__main__":
    main()
