"""What has to be so at the end, whatever went wrong: read from the database and from the chats."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import func, select

from bot import outcomes, stores, voices, wiring
from storage import answers, people, schema
from storage import invitations as stored
from storage.database import disposing, reading
from tests.emulators import samples
from tests.faults.people import SILENCE, STEPS, Person
from tests.faults.trial import RATES, TITLE, Trial, _identity

FEW = 12  # examples of one kind of fault
HELD_UP = 1.1  # of the rate: processes are killed and started while others send
WENT = ("sent", "delivered", "read")
NOT_GONE = ("queued", "missed", "skipped")
HEARD = "La recibí, gracias."  # what a voice note is answered
OVER = "Ya terminaste la consulta, gracias."
STATES = {*WENT, *NOT_GONE, "failed", "uncertain", "held"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found wrong, and figures."""

    faults: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


def judge(trial: Trial) -> Verdict:
    with disposing(wiring.open_database(trial.settings)) as engine, reading(engine) as db:
        found = [
            *_answers(trial, db),
            *_questions(trial),
            *_inbox(db),
            *_outbox(db),
            *_invited(trial, db),
            *_voices(trial, db),
            *_paced(trial),
            *_ended(trial),
        ]
        figures = _figures(trial, db)
    return Verdict(found, figures)


def _answers(trial: Trial, db: Any) -> Iterator[str]:
    """Every answer that was acknowledged is there exactly once, and nothing else is."""
    for person in trial.crowd.people:
        known = people.find(db, person.channel, _identity(person))
        rows = answers.of_person(db, known.id) if known else []
        kept = Counter(row["question"] for row in rows)
        for question, (value, words) in person.acknowledged.items():
            right = [
                row for row in rows
                if row["question"] == question and row["value"] == value
                and (not words or row["said"] == words)
            ]  # fmt: skip
            if len(right) != 1 or kept[question] != 1:
                yield f"{person.chat}: {question} was said once and is there {kept[question]} times"
        if extra := kept.keys() - person.acknowledged.keys():
            yield f"{person.chat}: nobody said {sorted(extra)}"
    replaced = select(func.count()).select_from(schema.answers)
    if many := db.scalar(replaced.where(schema.answers.c.replaced_at.is_not(None))):
        yield f"{many} answers were replaced though nobody corrected anything"
    passes = select(schema.responses.c.state, func.count()).group_by(schema.responses.c.state)
    states = {row[0]: row[1] for row in db.execute(passes)}
    if states != {"completed": len(trial.crowd.people)}:
        yield f"the questionnaire was gone through: {states}"


def _questions(trial: Trial) -> Iterator[str]:
    """Every person got each question, for the first time in the right order.

    What a provider took and gave up later, or what it had to be asked about, comes after what went
    out meanwhile. Who writes again after a long silence may hear that it was over.
    """
    given_up = trial.mishaps["whatsapp"].later
    for person in trial.crowd.people:
        texts = _texts(trial, person)
        first = [
            next((n for n, text in enumerate(texts) if step.asked in text), None) for step in STEPS
        ]
        if None in first:
            yield f"{person.chat}: never got {STEPS[first.index(None)].asked!r}"
        elif first != sorted(first) and person.chat not in given_up:  # type: ignore[type-var]
            yield f"{person.chat}: got the questions in the order {first}"
        known = [*(step.asked for step in STEPS), HEARD, *([OVER] if person.nudges else [])]
        if odd := [text[:60] for text in texts if not any(words in text for words in known)]:
            yield f"{person.chat}: was also told {odd[:3]}"
        if waited := [at for at in person.nudges if not _refused(trial, person, at)]:
            yield f"{person.chat}: waited in vain {len(waited)} times"


def _refused(trial: Trial, person: Person, at: float) -> bool:
    """Whether the sender stood still, because its token had been refused."""
    since = trial.refused_at
    stands = outcomes.SENDER_BROKEN.total_seconds() + SILENCE
    return person.channel == "whatsapp" and since is not None and since < at < since + stands


def _texts(trial: Trial, person: Person) -> list[str]:
    emulator: Any = trial.telegram if person.channel == "telegram" else trial.twilio
    return list(emulator.texts(person.who))


def _inbox(db: Any) -> Iterator[str]:
    inbox = schema.inbox
    failed = select(inbox.c.error).where(inbox.c.state == "failed")
    for error, many in Counter(db.scalars(failed)).most_common(FEW):
        yield f"{many} messages failed by our own fault: {error}"


def _outbox(db: Any) -> Iterator[str]:
    box = schema.outbox
    for row in db.execute(select(box.c.state, box.c.reason, func.count()).where(
        box.c.invitation_id.is_(None)).group_by(box.c.state, box.c.reason)):  # fmt: skip
        if row[0] in ("queued", "leased") or (row[0] not in WENT and not row[1]):
            yield f"{row[2]} replies ended {row[0]}, reason {row[1]}"


def _invited(trial: Trial, db: Any) -> Iterator[str]:
    """Nobody twice; one explained state each, which agrees with what arrived; the sums agree."""
    found = stored.status(db, trial.invitation)
    parts = sum(value for key, value in found.items() if key not in ("intended", "skipped"))
    if found["intended"] != parts + sum(found["skipped"].values()):
        yield f"the sums do not agree: {found}"
    if found["intended"] != len(trial.called):
        yield f"{found['intended']} were intended, not {len(trial.called)}"
    box, who = schema.outbox, schema.people
    rows = db.execute(
        select(box.c.state, box.c.reason, who.c.pseudonym)
        .join(who, who.c.id == box.c.person_id)
        .where(box.c.invitation_id == trial.invitation)
    ).all()
    states = {row.pseudonym: row for row in rows}
    for person in trial.called:
        yield from _called(trial, person, states.get(f"C{person.number}"))


def _called(trial: Trial, person: Person, row: Any) -> Iterator[str]:
    came = sum(TITLE in text for text in _reached(trial, person))
    if came > 1:
        yield f"{person.chat} was invited {came} times ({row and row.state}: {row and row.reason})"
        yield f"{person.chat}: {_calls(trial, person)}"
    if row is None or row.state not in STATES:
        yield f"{person.chat} ended {row and row.state}"
    elif row.state in WENT and not came:
        yield f"{person.chat} is {row.state} and was not invited"
    elif row.state in NOT_GONE and came:
        yield f"{person.chat} is {row.state} ({row.reason}) and was invited"
    elif row.state not in WENT and not row.reason:
        yield f"{person.chat} is {row.state} without a reason"


def _reached(trial: Trial, person: Person) -> list[str]:
    """What came to the phone: not what WhatsApp took and gave up later."""
    if person.channel == "telegram":
        return _texts(trial, person)
    history = trial.twilio.history(person.who)
    return [seen.text for seen in history if seen.sender == "bot" and not seen.fails]


def _calls(trial: Trial, person: Person) -> str:
    """What was asked about a chat, and what was answered."""
    emulator: Any = trial.telegram if person.channel == "telegram" else trial.twilio
    began = time.time() - (time.monotonic() - trial.began)
    return "; ".join(
        f"{call.arrived - began:.1f} s {call.operation} {call.status} taken={call.taken}"
        for call in list(emulator.calls)
        if person.chat in (str(call.fields.get("chat_id")), call.fields.get("To"))
    )


def _voices(trial: Trial, db: Any) -> Iterator[str]:
    """What was spoken is kept, and can be heard."""
    media = schema.media
    vault = db.get_execution_options()["vault"]
    for row in db.execute(select(media.c.state, media.c.file, media.c.reason)).all():
        if row.state != "kept":
            yield f"a voice note is {row.state}: {row.reason}"
        elif voices.read(stores.of(trial.settings), row.file, vault) != samples.OGG:
            yield f"the voice note {row.file} is not what was said"


def _paced(trial: Trial) -> Iterator[str]:
    """No second holds more than the rate, and what a process held up that stood still."""
    for name, rate in RATES.items():
        if (most := _fullest(trial, name)[0]) > HELD_UP * rate:
            yield f"{name}: {most} in one second, of {rate:.0f}"


def _ended(trial: Trial) -> Iterator[str]:
    """Told to stop, everybody stopped in order."""
    for name, code in trial.codes.items():
        if code:
            yield f"{name} was told to stop and ended with {code}"


def _figures(trial: Trial, db: Any) -> dict[str, Any]:
    line, waits = trial.crowd.line, sorted(trial.crowd.line.waits)
    told = [_texts(trial, person) for person in trial.crowd.people]
    return {
        **asdict(trial.given),
        "acknowledged": line.acknowledged,
        "answers of the hook": dict(line.answers),
        "mishaps": {name: dict(one.happened) for name, one in trial.mishaps.items()},
        "questions that came twice": sum(
            max(sum(step.asked in text for text in texts) - 1, 0)
            for texts in told
            for step in STEPS
        ),
        "fullest second": {name: _fullest(trial, name) for name in RATES},
        "invitation": {k: v for k, v in stored.status(db, trial.invitation).items() if v},
        "starts": {one.name: one.starts for one in trial.machines},
        "ended by themselves": {
            one.name: one.ended_alone for one in trial.machines if one.ended_alone
        },
        "longest acknowledgement, s": round(waits[-1], 2) if waits else None,
    }


def _fullest(trial: Trial, name: str) -> tuple[int, float]:
    """The most sends that any second held, as they reached the provider, and when it ended."""
    emulator: Any = trial.telegram if name == "telegram" else trial.twilio
    at = sorted(c.arrived for c in list(emulator.calls)
                if c.operation in ("sendMessage", "CreateMessage"))  # fmt: skip
    most, when, first = 0, 0.0, 0
    for last, moment in enumerate(at):
        while at[first] <= moment - 1:
            first += 1
        if last - first >= most:
            most, when = last - first + 1, moment
    began = time.time() - (time.monotonic() - trial.began)
    return most, round(when - began, 1)


def told(verdict: Verdict, faults: Sequence[str]) -> str:
    shown = "\n".join(f"✗ {fault}" for fault in faults[:200])
    return f"{json.dumps(verdict.figures, ensure_ascii=False, indent=1)}\n{shown}"
