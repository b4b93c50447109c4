"""The only place that knows all parts: settings in, parts out."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from pathlib import Path
from random import Random, SystemRandom

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import Engine, select, update

from bot import (
    delivery,
    erasure,
    flights,
    forum_words,
    invitations,
    plan,
    stores,
    timing,
    tracing,
    words,
)
from bot.channel import Channel
from bot.chat import Local
from bot.conversation import Desk
from bot.flights import Flights
from bot.post import Bell, Post
from bot.settings import Settings, keys
from bot.telegram import Telegram
from bot.whatsapp import WhatsApp
from dialogs.asking import Library
from dialogs.phrases import both
from dialogs.script import Script
from dialogs.values import Message, message_to_json
from storage import (
    chats,
    database,
    erasing,
    forms,
    meeting,
    notices,
    outbox,
    personal,
    retention,
    schema,
    talks,
)
from storage.people import insert_or_nothing
from storage.together import Together
from storage.vault import vault

FRONT = "consulta.md"  # the questionnaire with which an empty database starts, as a pilot
NOTICE = "notice.toml"  # the sample of a privacy notice, until another is published
TICK = timedelta(seconds=1)
PLAN = timedelta(minutes=1)
RETENTION = timedelta(hours=1)
LOOK = timedelta(seconds=2)  # between two looks whether all goes on
STILL = timedelta(minutes=2)  # without a round of the delivery: it will not come back by itself
YOUNG = 5_000  # objects made until they are searched for garbage; with Python's 700, 7 % of a call
GAVE_UP = 70  # exit code (EX_SOFTWARE)

log = structlog.get_logger()


Job = Callable[["Parts", meeting.Place], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Parts:
    """The program, put together."""

    settings: Settings
    engine: Engine
    desk: Desk
    post: Post
    bell: Bell
    clock: Callable[[], datetime]


def build(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    rng: Random | None = None,
    channels: Mapping[str, Channel] | None = None,
) -> Parts:
    """The parts for these settings. Opens the database, which has to be up to date."""
    engine = open_database(settings)
    shared = engine.dialect.name == "postgresql"
    clock = clock or clock_of(engine)
    media = stores.of(settings)
    erasure.enforce(engine, settings.data, media, clock())
    bell = Bell(meeting.Knocker(engine).knock) if shared else Bell()
    spans = tracing.of(os.environ, vault(*keys(settings)))
    post = Post(
        engine=engine,
        channels=_channels(settings, engine) if channels is None else channels,
        rates={"telegram": settings.telegram_rate, "whatsapp": settings.whatsapp_rate},
        media=media,
        clock=clock,
        bell=bell,
        library=library(engine, settings),
        words=invitations.Words(settings.whatsapp_template),
        flights=Flights(settings.data / "flights"),
        spans=spans,
    )
    words.take(engine)
    together = Together(lambda: delivery.along(post))
    desk = Desk(engine, post.library, rng or SystemRandom(), together, spans)
    return Parts(settings, engine, desk, post, bell, clock)


def clock_of(engine: Engine) -> Callable[[], datetime]:
    """The time by which everybody goes who shares this database."""
    return meeting.Clock(engine) if engine.dialect.name == "postgresql" else timing.now


def desk(engine: Engine, settings: Settings, rng: Random) -> Desk:
    """Where messages are taken in without anybody who delivers: the answers are only queued."""
    together = Together(lambda: database.writing(engine))
    return Desk(engine, library(engine, settings), rng, together)


def open_database(settings: Settings) -> Engine:
    """The database; a new one is made and given the pilot. DatabaseError if it is behind."""
    if settings.url.startswith("sqlite:///"):
        folder = Path(settings.url.removeprefix("sqlite:///")).parent
        folder.mkdir(0o700, parents=True, exist_ok=True)
    engine = database.connect(settings.url, vault(*keys(settings)))
    try:
        if database.is_empty(engine):
            database.upgrade(engine)
        database.check(engine)
        with database.one_at_a_time(engine):
            seed(engine, datetime.now(UTC))
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def opened(settings: Settings) -> Iterator[Engine]:
    """The database for as long as a command takes."""
    with database.disposing(open_database(settings)) as engine:
        erasure.enforce(engine, settings.data, stores.of(settings), datetime.now(UTC))
        yield engine


def seed(engine: Engine, now: datetime) -> None:
    """Give an empty database the shipped online consultation, as a pilot; what takes replies to
    invitations; the sample of a privacy notice; and the key of the tombstones."""
    with database.reading(engine) as db:
        wanting = [not forms.front(db), not forms.newest(db, forum_words.FORM)]
        wanting += [not notices.newest(db), not erasing.peppered(db)]
    if not any(wanting):
        return
    shipped = resources.as_file(resources.files("dialogs.forms"))
    with shipped as folder, database.writing(engine) as db:
        if not forms.front(db):
            forms.publish(db, folder / FRONT, now, state="pilot", front=True)
        if not forms.newest(db, forum_words.FORM):
            forms.publish(db, folder / f"{forum_words.FORM}.md", now)
        if not notices.newest(db):
            content = resources.files("dialogs").joinpath(NOTICE).read_bytes()
            notices.publish(db, content, now)
        erasing.pepper(db)


def library(engine: Engine, settings: Settings) -> Library:
    """Scripts as they are published, each read once; and what their labels may name."""

    @lru_cache(maxsize=64)
    def lookup(form: str, version: int) -> Script:
        with database.reading(engine) as db:
            return forms.load(db, form, version)

    facts = {"aviso_url": f"{settings.address}/aviso", "address": settings.address}
    return Library(lookup, facts)


def _channels(settings: Settings, engine: Engine) -> Mapping[str, Channel]:
    """The channels that have credentials, and the local ones."""

    def write(address: str, message: Message) -> int:
        with database.writing(engine) as db:
            return chats.write(db, address, message_to_json(message), timing.now(), mine=False)

    found: dict[str, Channel] = {"chat": Local(write)}
    if settings.telegram_on:
        found["telegram"] = telegram(settings)
    if settings.whatsapp_on:
        found["whatsapp"] = _whatsapp(settings, engine)
    return found


def telegram(settings: Settings) -> Telegram:
    """The bot of these settings."""
    token = settings.telegram_token.get_secret_value()
    return Telegram(token, stores.of(settings).within(stores.PUBLISHED), settings.telegram_api)


def _whatsapp(settings: Settings, engine: Engine) -> WhatsApp:
    contents = schema.contents

    def recall(key: str) -> str | None:
        with database.reading(engine) as db:
            return db.scalar(select(contents.c.sid).where(contents.c.key == key))

    def remember(key: str, sid: str) -> None:
        with database.writing(engine) as db:
            db.execute(insert_or_nothing(db, contents, ["key"]).values(key=key, sid=sid))
            db.execute(update(contents).where(contents.c.key == key).values(sid=sid))

    return WhatsApp(
        settings.twilio_account_sid,
        settings.twilio_auth_token.get_secret_value(),
        settings.whatsapp_from,
        menu=both("see_choices"),
        recall=recall,
        remember=remember,
        callback=f"{settings.public_url}/hooks/whatsapp" if settings.public_url else "",
        files=f"{settings.public_url}/media" if settings.public_url else "",
        api=settings.twilio_api,
    )


def keep_loaded() -> None:
    """For a process that serves: what is loaded by now is never searched for garbage again.

    A search all through it stopped every thread for a tenth of a second, every few seconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)


def give_up() -> None:
    """End this process at once, to be started again: taking messages in without ever answering
    them would look well from outside."""
    os._exit(GAVE_UP)


@contextmanager
def working(parts: Parts, died: Callable[[], None] = give_up) -> Iterator[None]:
    """Deliver in a thread of its own, the scheduler ticking in its loop, until the block ends.

    If the delivery ends by itself, or stands still, `died` is called.
    """
    flights.settle(parts.engine, parts.settings.data / "flights")
    if parts.engine.dialect.name == "sqlite":  # one program a file: its leases are the dead's
        with database.writing(parts.engine) as db:
            outbox.recover(db, parts.clock(), all_=True)
    started, loop, stop = threading.Event(), _new_loop(), asyncio.Event()
    place, ended = meeting.Place(parts.engine, parts.bell.ring), threading.Event()
    parts.post.number = place.number

    def run() -> None:
        try:
            loop.run_until_complete(_deliver(parts, place, started, stop))
            loop.run_until_complete(loop.shutdown_default_executor())  # what still writes, ends
        except BaseException:
            log.exception("the delivery has died")
        finally:
            started.set()
            if not stop.is_set():
                died()

    thread = threading.Thread(target=run, name="delivery", daemon=True)
    thread.start()
    started.wait()
    place.take()
    watching = (parts.post, ended, died)
    threading.Thread(target=_watch, args=watching, name="watch", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
            parts.bell.ring()
        thread.join()
        place.leave()  # last: while it is here, nobody takes over what is on its way
        parts.post.beat = None
        loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, with which a turn is a tenth cheaper; where there is none (Windows), asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def _deliver(
    parts: Parts, place: meeting.Place, started: threading.Event, stop: asyncio.Event
) -> None:
    """Deliver and tick until told to stop."""
    scheduler = _scheduler(parts, place)
    scheduler.start()
    watch = asyncio.ensure_future(_watch_the_clock(scheduler))
    asyncio.get_running_loop().call_soon(started.set)
    await delivery.work(parts.post, stop)
    watch.cancel()
    scheduler.shutdown(wait=False)
    for channel in parts.post.channels.values():
        await channel.close()


def _watch(post: Post, ended: threading.Event, died: Callable[[], None]) -> None:
    """Look whether the delivery goes on, until it has ended in good order."""
    while not ended.wait(LOOK.total_seconds()):
        if not lively(post):
            log.critical("the delivery stands still")
            died()
            return


def lively(post: Post) -> bool:
    """Whether the delivery of this process goes on, if it has one."""
    return post.beat is None or time.monotonic() - post.beat < STILL.total_seconds()


def _scheduler(parts: Parts, place: meeting.Place) -> AsyncIOScheduler:
    """The clock that ticks; what is due stands in the database. One worker ticks for all."""
    scheduler = AsyncIOScheduler(timezone=UTC)
    jobs = ((_tick, TICK), (_finish_erasures, TICK), (_let_go, RETENTION), (_follow_plan, PLAN))
    seconds = words.EVERY.total_seconds()
    scheduler.add_job(words.take, "interval", seconds=seconds, args=(parts.engine,))
    for job, every in jobs:
        scheduler.add_job(
            _if_ticking(job, place),
            "interval",
            seconds=every.total_seconds(),
            args=(parts,),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # late is better than never
        )
    return scheduler


def _if_ticking(job: Job, place: meeting.Place) -> Callable[[Parts], Awaitable[None]]:
    name = job.__name__.removeprefix("_")

    async def tick(parts: Parts) -> None:
        if place.ticking:
            with parts.post.spans.round(name):
                await job(parts, place)

    return tick


async def _watch_the_clock(scheduler: AsyncIOScheduler) -> None:
    """A clock that is set back would let the scheduler wait until it is as late as it was."""
    ahead = time.time() - time.monotonic()
    while True:
        await asyncio.sleep(LOOK.total_seconds())
        now = time.time() - time.monotonic()
        if now < ahead - LOOK.total_seconds():
            log.warning("the clock was set back", seconds=round(ahead - now))
            for job in scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))
        ahead = now


async def _tick(parts: Parts, place: meeting.Place) -> None:
    await asyncio.to_thread(_take_over, parts, place)
    await delivery.tick(parts.post)


def _take_over(parts: Parts, place: meeting.Place) -> None:
    """What the dead had in their hands goes on."""
    with database.reading(parts.engine) as db:
        dead = place.dead(db)
    if dead:
        with database.writing(parts.engine) as db:
            outbox.recover(db, parts.clock(), of=dead)


async def _finish_erasures(parts: Parts, _place: meeting.Place) -> None:
    given = (parts.engine, parts.settings.data, parts.post.media, parts.clock())
    await asyncio.to_thread(erasure.finish, *given)


async def _follow_plan(parts: Parts, _place: meeting.Place) -> None:
    await asyncio.to_thread(plan.tick, parts.engine, parts.clock())


async def _let_go(parts: Parts, _place: meeting.Place) -> None:
    """What is over its time goes, a transaction a batch."""
    while await asyncio.to_thread(let_go, parts.engine, parts.clock()):
        await asyncio.sleep(0)
    while await asyncio.to_thread(seal, parts.engine, parts.desk.library, parts.clock()):
        await asyncio.sleep(0)


def let_go(engine: Engine, now: datetime) -> int:
    with database.writing(engine) as db:
        return retention.sweep(db, now) + talks.hide(db, now)


def seal(engine: Engine, library: Library, now: datetime) -> bool:
    with database.writing(engine) as db:
        more = personal.seal(db, library, now)
    if more:
        database.wipe(engine)
    return more
