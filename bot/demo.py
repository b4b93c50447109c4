"""Sample people for `consulta demo`: they walk the real dialog, with dice from a seed."""

from __future__ import annotations

import csv
import secrets
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import resources
from itertools import islice
from multiprocessing import get_context
from random import Random
from typing import Any

from sqlalchemy import Connection, select, update

from bot import conversation, invitations, timing, wiring
from bot.conversation import Desk
from bot.forum_words import FORM
from bot.invitations import Call
from bot.settings import Settings
from bot.wiring import Parts
from dialogs import walking
from dialogs.questions import Question
from dialogs.state import Dialog
from dialogs.values import Inbound
from storage import forums, organizers, people, plan, schema
from storage import invitations as storing
from storage.database import writing
from storage.forms import newest
from storage.forums import Answer, Place, Plan

EMAIL = "demo@consulta.local"
PEOPLE = 400
PAUSE = timedelta(milliseconds=15)  # between two people: the program itself writes, too
STRETCH = timedelta(days=21)  # over which the sample people came
STAYS = 0.975  # the chance to go on after a question
RARE = {"no_dice": 0.12, "otro": 0.12, "menor": 0.3, "no": 0.5, "hombre": 0.7, "60_mas": 0.5}
MOST = 60  # messages of one person
NEAR = 60  # kilometres around a forum from which people are called
FATES = ("delivered", "read", "read", "read", "sent", "missed")
TROUBLES = (  # state, reason, code, how many
    ("uncertain", "the provider did not answer in time", "", 6),
    ("failed", "message undeliverable", "63024", 3),
    ("held", "outside the 24 hours in which WhatsApp takes free text", "63016", 4),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Somebody who is about to write."""

    identity: str
    channel: str
    municipality: Mapping[str, str]
    maya: bool
    code: str
    starts: datetime


def begin(settings: Settings) -> str:
    """A new database with an account, whose password is returned; people come in meanwhile."""
    parts = wiring.build(settings)
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    open_account(parts, password)
    parts.engine.dispose()
    get_context("spawn").Process(target=_fill, args=(settings,), daemon=True).start()
    return password


def _fill(settings: Settings) -> None:
    """In a process of its own, which ends with the one that began it."""
    with suppress(KeyboardInterrupt):
        fill(wiring.build(settings), PEOPLE, pause=PAUSE)


def open_account(parts: Parts, password: str) -> None:
    """The account, and a plan that is half-way through."""
    now = parts.clock()
    with writing(parts.engine) as db:
        organizers.add(db, EMAIL, "Dora Canul", "organizer", password, now)
        plan.begin_on(db, (now - timedelta(days=41)).date(), now)


def fill(parts: Parts, count: int, seed: int = 7, pause: timedelta = timedelta(0)) -> None:
    """Let so many people answer, each in a transaction of their own; then some trouble."""
    rng = Random(seed)  # nosec B311 # dice, not a secret
    desk = replace(parts.desk, rng=rng)
    words = _words()
    for sample in _samples(count, rng, words, parts.clock()):
        with writing(parts.engine) as db:
            _walk(db, desk, sample, rng, words)
        time.sleep(pause.total_seconds())
    with writing(parts.engine) as db:
        _make_trouble(db, rng)
    with writing(parts.engine) as db:
        _make_forums(db, parts, rng)
    _break_two(desk, parts.clock())


def _words() -> dict[str, Any]:
    return tomllib.loads(resources.files("bot").joinpath("demo.toml").read_text("utf-8"))


def _samples(count: int, rng: Random, words: Mapping[str, Any], now: datetime) -> Iterator[Sample]:
    file = resources.files("dialogs.forms").joinpath("municipios.csv")
    towns = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    luck = (0.0, 0.3, 0.8, 1.0, 1.2, 2.5)  # some towns hear of it, some do not
    weights = [
        int(town["population"]) * (1.3 if town["label"] == "Mérida" else rng.choice(luck))
        for town in towns
    ]
    for number in range(count):
        town = rng.choices(towns, weights)[0]
        speaks = int(town["speakers_3_and_over"]) / int(town["population_3_and_over"])
        yield Sample(
            identity=f"sample-{number}",
            channel=rng.choices(("telegram", "whatsapp", "chat"), (4, 7, 1))[0],
            municipality=town,
            maya=rng.random() < speaks * 0.45,
            code=rng.choice([*words["codes"], "", "", ""]),
            starts=now - STRETCH * rng.random() ** 1.6,
        )


def _walk(
    db: Connection, desk: Desk, sample: Sample, rng: Random, words: Mapping[str, Any]
) -> None:
    """One person from the first word to the last, or to where they stop."""
    at, said = sample.starts, "hola"
    for number in range(MOST):
        inbound = Inbound(
            sample.channel, f"{sample.identity}:{number}", sample.identity, sample.identity, at,
            kind="start" if number == 0 else "text", text=said, code=sample.code,
        )  # fmt: skip
        person = people.hear(db, inbound, desk.rng)
        conversation.step(db, desk, person, inbound)
        dialog = _dialog(db, sample)
        if dialog is None or not dialog.at or rng.random() > STAYS:
            break
        question = desk.library.script(dialog).question(dialog.at)
        said = _reply(question, dialog, desk, sample, rng, words)
        at += timedelta(seconds=rng.randint(6, 60))
    _settle(db, person.id, rng)


def _dialog(db: Connection, sample: Sample) -> Dialog | None:
    """What the person is being asked, if anything."""
    person = people.find(db, sample.channel, sample.identity)
    assert person is not None
    return person.talk.top


def _reply(
    question: Question,
    dialog: Dialog,
    desk: Desk,
    sample: Sample,
    rng: Random,
    words: Mapping[str, Any],
) -> str:
    match question.role:
        case "language":
            return "Maayat'aan" if sample.maya else "Español"
        case "municipality":
            return str(sample.municipality["label"])
        case "locality":
            return str(rng.choice(words["places"]))
        case "speaks" if sample.maya:
            return "1"
        case role if role.startswith("consent"):
            return "1" if rng.random() < 0.9 else "2"
    options = walking.options(question, dialog, desk.library)
    if options:
        weights = [RARE.get(option.name, 1.0) for option in options]
        wanted = rng.randint(1, 3) if question.type == "select_multiple" else 1
        numbers = {rng.choices(range(1, len(options) + 1), weights)[0] for _ in range(wanted)}
        return ", ".join(map(str, sorted(numbers)))
    if sample.maya and rng.random() < 0.6:
        return str(rng.choice(words["maya"]))
    bank = {"solucion": "solutions", "tema_otro": "other"}.get(question.name, "problems")
    return str(rng.choice(words[bank]))


def _settle(db: Connection, person_id: int, rng: Random) -> None:
    """Their messages arrived: nothing of the sample goes out to a provider."""
    outbox = schema.outbox
    mine = (outbox.c.person_id == person_id, outbox.c.state == "queued")
    state = rng.choice(("delivered", "read", "read"))
    db.execute(update(outbox).where(*mine).values(state=state, sent_at=outbox.c.due))


def _make_trouble(db: Connection, rng: Random) -> None:
    """What the pages Mensajes and Derechos are for."""
    outbox, requests = schema.outbox, schema.requests
    whatsapp = select(outbox.c.id).where(outbox.c.channel == "whatsapp")
    ids: Sequence[int] = db.execute(whatsapp).scalars().all()
    shuffled = iter(rng.sample(ids, len(ids)))
    for state, reason, code, count in TROUBLES:
        chosen = list(islice(shuffled, count))
        values = {"state": state, "reason": reason, "code": code or None}
        db.execute(update(outbox).where(outbox.c.id.in_(chosen)).values(values))
    found = db.execute(
        select(schema.responses.c.person_id, schema.responses.c.finished_at)
        .where(schema.responses.c.state == "completed")
        .order_by(schema.responses.c.finished_at)
    ).all()
    for row, kind in zip(found[::40], ("erasure", "access", "access"), strict=False):
        db.execute(requests.insert().values(person_id=row[0], kind=kind, at=row[1]))


def _make_forums(db: Connection, parts: Parts, rng: Random) -> None:
    """Forums to come and one that is over, with replies; and an invitation for tomorrow."""
    now = parts.clock()
    everybody = db.execute(select(schema.people.c.id)).scalars().all()
    for given in _words()["forums"]:
        starts = timing.local(now + timedelta(days=given["days"]))
        starts = starts.replace(hour=given["hour"], minute=0, second=0, microsecond=0)
        place = Place(given["place"], "", given["municipality"], given["town"])
        plan_ = Plan(given["name"], given["kind"], starts, starts + timedelta(hours=3),
                     given["capacity"], given["title"], given["description"], place)  # fmt: skip
        codes = people.code(rng, 16).lower(), people.code(rng, 6)
        forum = invitations.open_forum(db, plan_, codes, now)
        for person in rng.sample(everybody, min(given["replies"], len(everybody))):
            said: Answer = rng.choice(("yes", "yes", "yes", "maybe", "no"))
            if forums.answer(db, forum, person, said, now) == "yes" and given["days"] < 0:
                forums.attend(db, forum.id, person, plan_.starts_at)
        if given["days"] > 0:
            call = Call(now + timedelta(days=1), f"near({given['town']}, {NEAR})")
            invitations.plan(db, parts.desk.library, forum, call, now)
        else:
            _call(db, forum, rng.sample(everybody, len(everybody) * 2 // 3), rng)


def _call(db: Connection, forum: forums.Forum, called: Sequence[int], rng: Random) -> None:
    """An invitation that went out a week before its forum, and what became of it."""
    due = forum.plan.starts_at - timedelta(days=7)
    number = storing.add(
        db, forum.id, "invitation", segment="", due=due, latest=forum.plan.starts_at, at=due,
        version=newest(db, FORM) or 1, reach=len(called),
    )  # fmt: skip
    storing.change(db, number, state="done")
    rows = [
        {"person_id": person, "channel": "whatsapp", "lane": 1, "invitation_id": number,
         "due": due, "sent_at": due, "attempts": 1, "state": rng.choice(FATES)}
        for person in called
    ]  # fmt: skip
    if rows:
        db.execute(schema.outbox.insert(), rows)


def _break_two(desk: Desk, now: datetime) -> None:
    """Two messages that a fault of ours once stopped; run again, they go through."""
    for number, text in enumerate(("hola", "buenos días")):
        who = f"sample-broken-{number}"
        inbound = Inbound("chat", f"{who}:0", who, who, now - timedelta(hours=2), text=text)
        with writing(desk.engine) as db:
            error = RuntimeError("the sample's fault, made for this demonstration")
            conversation._keep_for_later(db, desk, inbound, error)
