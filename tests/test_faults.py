"""A short trial of all faults at once; the whole one is `python -m tests.faults`."""

from __future__ import annotations

import asyncio

import pytest

from tests import databases, listening
from tests.faults.judge import judge
from tests.faults.trial import Given, run

SAID = ("Falta agua en la calle", "Colonia número", "Que arreglen la bomba", "52199900000")


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_whatever_goes_wrong_nobody_is_lost_and_nobody_called_twice(database: str) -> None:
    if database == "postgresql" and (reason := databases.absent()):
        pytest.skip(reason)
    webs = 2 if database == "postgresql" else 1
    listening.SECRETS.update(SAID)  # by people whose numbers begin like this
    kills = 3 if database == "postgresql" else 2
    given = Given(seed=7, people=10, kills=kills, database=database, webs=webs, fills=1, skews=1,
                  full_for=1.0, refused=False)  # fmt: skip
    said: list[str] = []
    verdict = asyncio.run(run(given, judge, said.append))
    assert verdict.faults == [], said
    assert verdict.figures["acknowledged"] >= 10
    assert sum(verdict.figures["starts"].values()) > len(verdict.figures["starts"]), said
