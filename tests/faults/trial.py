"""One trial: people, a broadcast, and what goes wrong meanwhile, all drawn from one seed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
from sqlalchemy import insert, select

from bot import invitations, whatsapp, wiring
from bot.invitations import Call
from bot.settings import SecretStr, Settings
from storage import forums, schema
from storage import invitations as stored
from storage.database import disposing, reading, writing
from storage.forums import Place, Plan
from tests.emulators import twilio
from tests.emulators.telegram import Telegram
from tests.emulators.twilio import Twilio
from tests.faults import machines, mishaps
from tests.faults.machines import Disk, Machine
from tests.faults.mishaps import Mishaps
from tests.faults.people import TURNS, Crowd, Line, Person, crowd
from tests.world import PUBLIC, SECRET

KEY = "una clave de prueba"
RATES = {"telegram": 200.0, "whatsapp": 60.0}  # messages a second
AT_ONCE = {"telegram": 48, "whatsapp": 12}  # people who talk at the same time
ON_WHATSAPP = 0.15
SKEWS = (-3600, -45, 45, 3600)  # seconds by which a clock goes wrong
NEAR = (-15, 15)  # on one machine its own clock counts: what was due later, is later
TITLE = "Foro: Agua en el oriente"
SETTLED = 420.0  # seconds after the last answer


@dataclass(frozen=True, slots=True)
class Given:
    """What a trial is made of; the same gives the same plan."""

    seed: int
    people: int = 2000
    kills: int = 30
    database: str = "postgresql"
    webs: int = 2
    workers: int = 2
    fills: int = 2
    skews: int = 6
    full_for: float = 4.0  # seconds
    refused: bool = True  # also a token that is refused, which stops a sender for minutes


@dataclass(slots=True)
class Trial:
    """What is needed while it runs, and to judge it."""

    given: Given
    settings: Settings
    telegram: Telegram
    twilio: Twilio
    mishaps: dict[str, Mishaps]
    machines: list[Machine]
    disk: Disk
    crowd: Crowd
    called: list[Person]  # whom the invitation is for
    invitation: int = 0
    log: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    say: Callable[[str], None] = print
    refused_at: float | None = None  # of time.monotonic(): WhatsApp's token
    codes: dict[str, int] = field(default_factory=dict)

    def note(self, what: str) -> None:
        line = f"{time.monotonic() - self.began:7.1f} s  {self.crowd.line.acknowledged:6}  {what}"
        self.log.append(line)
        self.say(line)


async def run(given: Given, judge: Callable[[Trial], Any], say: Callable[[str], None]) -> Any:
    """The whole of it; what the judge found."""
    rng = Random(given.seed)
    with ExitStack() as stack:
        disk = stack.enter_context(machines.disk())
        bot = stack.enter_context(Telegram(strict=False))
        account = stack.enter_context(Twilio(strict=False))
        failing = {name: Mishaps(name, given.seed) for name in ("telegram", "whatsapp")}
        bot.fail_by(failing["telegram"])
        account.fail_by(failing["whatsapp"])
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            ports = [machines.free_port() for _ in range(given.webs)]
            line = Line(session, ports, Random(rng.random()), bot, account)
            people = crowd(given.people, 1_000_001, ON_WHATSAPP, rng)
            called = crowd(given.people, 2_000_001, ON_WHATSAPP, rng)
            all_ = Crowd(people, line, Random(rng.random()))
            started, url = await _database(given, disk, rng)
            settings = _settings(disk.folder, url, bot, account)
            trial = Trial(given, settings, bot, account, failing, started, disk, all_, called,
                          say=say)  # fmt: skip
            _prepare(trial, rng)
            trial.machines += _program(trial)
            stack.callback(lambda: [one.end() for one in trial.machines])
            await _play(trial, rng)
            return await asyncio.to_thread(judge, trial)


async def _database(given: Given, disk: Disk, rng: Random) -> tuple[list[Machine], str]:
    if given.database == "sqlite":
        return [], f"sqlite:///{disk.folder}/consulta.db"
    server, url = machines.postgres(disk.folder)
    server.keeper = asyncio.create_task(server.keep(Random(rng.random()), 1.5))
    await machines.database_ready(disk.folder)
    return [server], url


def _settings(folder: Path, url: str, bot: Telegram, account: Twilio) -> Settings:
    return Settings(
        data=folder,
        database_url=url,
        secret_key=SecretStr(KEY),
        public_url=PUBLIC,
        telegram_token=SecretStr(bot.token),
        telegram_secret=SecretStr(SECRET),
        telegram_api=bot.url,
        telegram_rate=RATES["telegram"],
        twilio_account_sid=account.account,
        twilio_auth_token=SecretStr(account.auth_token),
        twilio_api=account.url,
        whatsapp_from=account.sender,
        whatsapp_rate=RATES["whatsapp"],
    )


def environment(settings: Settings) -> dict[str, str]:
    """The same settings for processes of their own."""
    known = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    for name in Settings.__dataclass_fields__:
        value = getattr(settings, name)
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        if plain and not isinstance(plain, bool):
            known[f"CONSULTA_{name.upper()}"] = str(plain)
    return known


def _program(trial: Trial) -> list[Machine]:
    known, folder, ports = environment(trial.settings), trial.disk.folder, trial.crowd.line.ports
    if trial.given.database == "sqlite":
        return [machines.consulta("serve", known, folder, port=ports[0])]
    webs = [machines.consulta("web", known, folder, n, port) for n, port in enumerate(ports, 1)]
    workers = range(1, trial.given.workers + 1)
    return webs + [machines.consulta("worker", known, folder, n) for n in workers]


# before anything goes wrong


def _prepare(trial: Trial, rng: Random) -> None:
    """The tables, the people who may be called, some of whom cannot be reached, and the call."""
    with disposing(wiring.open_database(trial.settings)) as engine:
        now = datetime.now(UTC)
        with writing(engine) as db:
            vault = db.get_execution_options()["vault"]
            for person in trial.called:
                identity = _identity(person)
                row = {
                    "pseudonym": f"C{person.number}",
                    "channel": person.channel,
                    "identity": vault.seal("people.identity", identity),
                    "address": vault.seal("people.address", person.chat),
                    "language": "es",
                    "talk": '{"language":"es"}',
                    "created_at": now,
                    "heard_at": now,
                }
                made = insert(schema.people).values(row).returning(schema.people.c.id)
                db.execute(
                    insert(schema.consents).values(
                        person_id=db.scalar(made), kind="forums", given=True, form="consulta",
                        version=1, words=vault.hide("consents.words", "sí"),
                        channel=person.channel, at=now,
                    )
                )  # fmt: skip
        trial.invitation = _plan(trial, engine, now)
    for channel, failing in trial.mishaps.items():
        of = [person for person in trial.called if person.channel == channel]
        ways = list(mishaps.LASTING[channel].values())
        for person, way in zip(rng.sample(of, min(len(ways), len(of) // 2)), ways, strict=False):
            failing.lasting[person.chat] = way


def _identity(person: Person) -> str:
    if person.channel == "telegram":
        return str(person.who.id)
    return whatsapp.identity(person.chat)


def _plan(trial: Trial, engine: Any, now: datetime) -> int:
    later = now + timedelta(days=9)
    plan = Plan("agua", "thematic", later, later + timedelta(hours=3), None,
                {"es": TITLE.removeprefix("Foro: ")}, {}, Place("Casa de la Cultura"))  # fmt: skip
    with writing(engine) as db:
        forum = forums.add(db, plan, ("token", "DOOR01"), now)
        library = wiring.library(engine, trial.settings)
        call = Call(now, spread=timedelta(seconds=max(10, trial.given.people // 8)))
        made, reach = invitations.plan(db, library, forum, call, now)
    assert reach.total == len(trial.called), reach
    return made.id


# while it runs


async def _play(trial: Trial, rng: Random) -> None:
    supervisors = [
        one.keeper or asyncio.create_task(one.keep(Random(rng.random()), 1.5))
        for one in trial.machines
    ]
    await _up(trial)
    trial.began = time.monotonic()
    pump = asyncio.create_task(trial.crowd.pump())
    office = asyncio.create_task(_resume(trial))
    director = asyncio.create_task(_direct(trial, rng))
    gates = {name: asyncio.Semaphore(many) for name, many in AT_ONCE.items()}

    async def one(person: Person) -> None:
        async with gates[person.channel]:
            await trial.crowd.converse(person)

    await asyncio.gather(*(one(person) for person in trial.crowd.people))
    trial.note("everybody has answered")
    await director
    for failing in trial.mishaps.values():
        failing.on = False
    await _settled(trial)
    while trial.crowd.line.late:
        await asyncio.sleep(0.1)
    await _up(trial)
    for task in (pump, office, *supervisors):
        task.cancel()
    for machine in reversed(trial.machines):
        if machine.name != "database":
            trial.codes[machine.name] = await asyncio.to_thread(machine.stop)
    trial.note(f"stopped: {trial.codes}")


async def _up(trial: Trial) -> None:
    """Until everything runs, also what was killed a moment ago."""
    while any(one.process is None or one.process.poll() is not None for one in trial.machines):
        await asyncio.sleep(0.1)
    for machine in trial.machines:
        if machine.port:
            await machine.ready()


Act = tuple[float, str, Callable[[], Any]]


def _acts(trial: Trial, rng: Random) -> list[Act]:
    """What goes wrong, and after which part of all answers."""
    given, hit = trial.given, trial.machines
    acts: list[Act] = []
    for n in range(given.kills):
        machine = hit[n] if n < len(hit) else rng.choice(hit)
        chance = Random(rng.random())
        acts.append((rng.uniform(0.02, 0.97), "kill", lambda m=machine, c=chance: _kill(m, c)))  # type: ignore[misc]
    if trial.disk.mounted:
        for n in range(given.fills):
            acts.append((rng.uniform(n, n + 0.9) / given.fills, "disk", lambda: _fill(trial)))
    if machines.clocks(trial.disk.folder):
        for _ in range(given.skews):
            clocked = rng.choice([one for one in hit if one.name != "database"])
            skew = rng.choice(SKEWS if given.database == "postgresql" else NEAR)
            acts.append((rng.uniform(0.02, 0.9), "clock",
                         lambda m=clocked, s=skew: _skew(trial, m, s)))  # type: ignore[misc]  # fmt: skip
    if given.refused:
        acts.append((0.15, "token", lambda: _refuse(trial)))
    return sorted(acts, key=lambda act: act[0])


async def _direct(trial: Trial, rng: Random) -> None:
    turns = trial.given.people * TURNS
    for part, name, act in _acts(trial, rng):
        while trial.crowd.line.acknowledged < part * turns:
            if trial.crowd.finished == trial.given.people:
                break
            await asyncio.sleep(0.02)
        trial.note(f"{name}: {await act()}")


async def _kill(machine: Machine, rng: Random) -> str:
    return f"{machine.name} ({machine.kill(rng)})"


async def _fill(trial: Trial) -> str:
    await asyncio.to_thread(trial.disk.fill)
    await asyncio.sleep(trial.given.full_for)
    trial.disk.make_room()
    return f"was full for {trial.given.full_for} s"


async def _skew(trial: Trial, machine: Machine, seconds: int) -> str:
    machines.set_clock(trial.disk.folder, machine.name, seconds)
    return f"{machine.name} is off by {seconds} s"


async def _refuse(trial: Trial) -> str:
    trial.refused_at = time.monotonic()
    trial.mishaps["whatsapp"].outage = twilio.unauthorized()
    await asyncio.sleep(1.0)
    trial.mishaps["whatsapp"].outage = None
    return "WhatsApp's was refused for a second"


async def _resume(trial: Trial) -> None:
    """The office: an invitation that was paused because of one person goes on."""
    with disposing(wiring.open_database(trial.settings)) as engine:
        while True:
            await asyncio.sleep(1.0)
            with suppress(Exception):
                await asyncio.to_thread(_go_on, engine, trial.invitation)


def _go_on(engine: Any, invitation: int) -> None:
    with writing(engine) as db:
        if stored.get(db, invitation).paused_at:
            stored.change(db, invitation, paused_at=None)


async def _settled(trial: Trial) -> None:
    """Until nothing is on its way any more, nor due soon."""
    until = time.monotonic() + SETTLED
    while time.monotonic() < until:
        await asyncio.sleep(0.5)
        with suppress(Exception):
            if await asyncio.to_thread(_quiet, trial.settings):
                trial.note("nothing is on its way")
                return
    trial.note("STILL ON ITS WAY")


def _quiet(settings: Settings) -> bool:
    box, media = schema.outbox, schema.media
    soon = datetime.now(UTC) + timedelta(hours=1)
    with disposing(wiring.open_database(settings)) as engine, reading(engine) as db:
        going = select(box.c.id).where(
            (box.c.state == "leased") | ((box.c.state == "queued") & (box.c.due < soon))
        )
        files = select(media.c.id).where(media.c.state == "waiting")
        calls = stored.get(db, db.scalars(select(schema.invitations.c.id)).one())
        return not any((db.scalar(going.limit(1)), db.scalar(files.limit(1)))) and (
            calls.state in ("sending", "done")
        )
