"""Submissions from elsewhere taken in: each once, the bad ones reported and set aside."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random

from sqlalchemy import Connection

from bot import collected, timing
from bot.collected import Beside
from dialogs import submissions, walking
from dialogs.faults import Said, said
from dialogs.questions import Question, Script
from dialogs.state import End, Keep
from dialogs.submissions import Held, Submission
from dialogs.tables import inert
from dialogs.values import Inbound
from dialogs.walking import Library
from storage import answers, erasing, institutions, people, schema
from storage.database import vault_of

CHANNEL = "import"  # nobody is written to on it
ASIDE = ("problems", "row", "instanceID", "SubmissionDate")  # before the answers
FACILITATOR = "facilitador"  # a form that names one was held by a person, face to face


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the submissions of a file; the first three parts sum to all."""

    taken: int
    repeated: int
    rejected: tuple[Held, ...]
    unknown: tuple[str, ...] = ()  # columns that are no question of the form
    missing: tuple[str, ...] = ()  # files that answers name, and that are not there or no answer


def together(parts: Sequence[Imported]) -> Imported:
    """What became of the submissions of several files."""
    return Imported(
        taken=sum(part.taken for part in parts),
        repeated=sum(part.repeated for part in parts),
        rejected=tuple(held for part in parts for held in part.rejected),
        unknown=tuple(dict.fromkeys(name for part in parts for name in part.unknown)),
        missing=tuple(name for part in parts for name in part.missing),
    )


def take(
    db: Connection,
    script: Script,
    found: Sequence[Submission],
    now: datetime,
    rng: Random,
    beside: Beside | None = None,
) -> Imported:
    """Store submissions; the same instance id is taken once, however often it comes."""
    library = Library(lambda _form, _version: script)
    taken, repeated, rejected = 0, 0, list[Held]()
    for submission in found:
        dialog = people.fresh(script.name, script.version, rng)
        held = submissions.hold(submission, dialog, library)
        if held.faults:
            rejected.append(held)
            continue
        try:
            with db.begin_nested():
                stored = _store(db, held, script, now, rng, beside)
        except _Second as second:
            rejected.append(replace(held, faults=(second.said,)))
            continue
        taken += stored
        repeated += not stored
    unknown = dict.fromkeys(name for submission in found for name in submission.unknown)
    missing = tuple(beside.missing) if beside else ()
    return Imported(taken, repeated, tuple(rejected), tuple(unknown), missing)


class _Second(Exception):
    """Its institution has an answer already; `said` tells whose."""

    def __init__(self, what: Said) -> None:
        super().__init__(str(what))
        self.said = what


def _store(
    db: Connection,
    held: Held,
    script: Script,
    now: datetime,
    rng: Random,
    beside: Beside | None,
) -> bool:
    """False if this instance has been taken before, or erased. Raises _Second."""
    instance, at = held.submission.instance, held.submission.at or now
    who = f"{script.name} {instance}"
    if erasing.is_erased(db, CHANNEL, who):
        return False
    inbound = Inbound(CHANNEL, who[:128], who, who, at)
    noted = people.insert_new(
        db,
        schema.inbox,
        ["channel", "provider_id"],
        {"channel": CHANNEL, "provider_id": who[:128], "at": now, "state": "done"},
    )
    if not noted:
        return False
    person = people.hear(db, inbound, rng)
    people.stop(db, person.id, at)
    dialog = held.dialog
    mode = "facilitator" if held.submission.values.get(FACILITATOR) else CHANNEL
    answers.begin(db, person, dialog, at, mode=mode)
    _claim(db, held, script, at)
    for question, value in submissions.answers_of(held, script):
        kept = _kept(held, question, value, script)
        if beside is not None and question.type in collected.TYPES:
            kept = collected.with_file(kept, held, script, beside, vault_of(db))
        answers.keep(db, person, kept, at, CHANNEL)
        if trait := answers.TRAITS.get(question.role):
            people.learn(db, person.id, trait, kept.value)
    answers.end(db, End(dialog, walking.disposition(dialog, script)), at)
    return True


def _claim(db: Connection, held: Held, script: Script, at: datetime) -> None:
    """Of each institution one answer is taken. Raises _Second."""
    name = held.dialog.answers.get(institutions.QUESTION, "")
    if not name or institutions.TABLE not in script.tables:
        return
    other = institutions.claim(db, script.name, name, held.dialog.id, at)
    if other:
        found = institutions.holder(db, other, "")
        became = "institution_answered" if found.done else "institution_answering"
        raise _Second(said(became, name=name, since=timing.shown(found.at)))


def _kept(held: Held, question: Question, value: str, script: Script) -> Keep:
    """Words are kept as words: the value stays empty, as in a conversation."""
    worded = question.base in script.personal
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
    """Write what was not taken to a file that can be mended in a spreadsheet and brought again.

    What is wrong stands there in Spanish: organizers mend it.
    """
    names = dict.fromkeys(name for held in rejected for name in held.submission.values)
    with path.open("w", encoding="utf-8-sig", newline="") as lines:
        writer = csv.DictWriter(lines, (*ASIDE, *names), lineterminator="\r\n")
        writer.writeheader()
        for held in rejected:
            one = held.submission
            wrong = " ".join(f"{each.problem('es')} {each.cure('es')}" for each in held.faults)
            told = (wrong, one.row, one.instance, one.at and one.at.isoformat())
            cells = {**one.values, **dict(zip(ASIDE, told, strict=True))}
            writer.writerow({name: inert(cell) for name, cell in cells.items()})
