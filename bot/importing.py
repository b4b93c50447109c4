"""Submissions from elsewhere taken in: each once, the bad ones reported and set aside."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from sqlalchemy import Connection

from dialogs import submissions, walking
from dialogs.questions import Question, Script
from dialogs.state import End, Keep
from dialogs.submissions import Held, Submission
from dialogs.values import Inbound
from dialogs.walking import Library
from storage import answers, erasing, people, schema

CHANNEL = "import"  # nobody is written to on it
FACILITATOR = "facilitador"  # a form that names one was held by a person, face to face


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the submissions of a file; the three parts sum to all."""

    taken: int
    repeated: int
    rejected: tuple[Held, ...]
    unknown: tuple[str, ...] = ()  # columns that are no question of the form


def take(
    db: Connection, script: Script, found: Sequence[Submission], now: datetime, rng: Random
) -> Imported:
    """Store submissions; the same instance id is taken once, however often it comes."""
    library = Library(lambda _form, _version: script)
    taken, repeated, rejected = 0, 0, list[Held]()
    for submission in found:
        dialog = people.fresh(script.name, script.version, rng)
        held = submissions.hold(submission, dialog, library)
        if held.faults:
            rejected.append(held)
        elif _store(db, held, script, now, rng):
            taken += 1
        else:
            repeated += 1
    unknown = dict.fromkeys(name for submission in found for name in submission.unknown)
    return Imported(taken, repeated, tuple(rejected), tuple(unknown))


def _store(db: Connection, held: Held, script: Script, now: datetime, rng: Random) -> bool:
    """False if this instance has been taken before."""
    instance, at = held.submission.instance, held.submission.at or now
    who = f"{script.name} {instance}"
    inbound = Inbound(CHANNEL, who[:128], who, who, at)
    noted = people.insert_new(
        db,
        schema.inbox,
        ["channel", "provider_id"],
        {"channel": CHANNEL, "provider_id": who[:128], "at": now, "state": "done"},
    )
    if not noted or erasing.is_erased(db, CHANNEL, who, at):
        return False
    person = people.hear(db, inbound, rng)
    people.stop(db, person.id, at)
    dialog = held.dialog
    mode = "facilitator" if held.submission.values.get(FACILITATOR) else CHANNEL
    answers.begin(db, person, dialog, at, mode=mode)
    for question, value in submissions.answers_of(held, script):
        answers.keep(db, person, _kept(held, question, value), at, CHANNEL)
        if trait := answers.TRAITS.get(question.role):
            people.learn(db, person.id, trait, value)
    answers.end(db, End(dialog, walking.disposition(dialog, script)), at)
    return True


def _kept(held: Held, question: Question, value: str) -> Keep:
    """Words are kept as words: the value stays empty, as in a conversation."""
    worded = question.open or question.type in ("image", "file")
    return Keep(
        dialog=held.dialog,
        question=question.name,
        role=question.role,
        value="" if worded else value,
        said=value if worded else "",
        language=None,
        confidence=0.0,
        again=False,
    )


def set_aside(rejected: Sequence[Held], path: Path) -> None:
    """Write what was not taken to a file, with the reasons, to be corrected by hand."""
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("row", "instance", "problems", "values"))
        for held in rejected:
            values = json.dumps(dict(held.submission.values), ensure_ascii=False)
            row = (held.submission.row, held.submission.instance, "; ".join(held.faults), values)
            writer.writerow(row)
