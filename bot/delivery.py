"""Claim, send, settle: one loop that empties the outbox at the pace that each provider allows."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from bot import timing
from bot.channel import (
    Broken,
    Channel,
    File,
    Gone,
    Moved,
    Refused,
    SendError,
    TryLater,
    Uncertain,
    WindowClosed,
)
from dialogs.values import Media
from storage import answers, outbox, people, senders
from storage.database import writing
from storage.outbox import Letter

log = structlog.get_logger()

IN_FLIGHT = 64  # messages at once: at 50 ms an answer, more than any provider takes
IDLE = timedelta(seconds=1)  # the safety net: what rings the bell comes sooner
MOST_RESENDS = 3  # of a reply whose fate is unknown
SENDER_BROKEN = timedelta(minutes=5)  # before a refused token is tried again
ENDINGS = {
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/amr": "amr",
    "audio/webm": "webm",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/amr-wb": "awb",
    "audio/flac": "flac",
    "audio/x-caf": "caf",
}

Settle = Callable[[Connection, datetime], None]
T = TypeVar("T")


class Bell:
    """Wakes the delivery from any thread; it does not poll."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None

    def ring(self) -> None:
        if self._loop and self._event and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    def hang(self) -> None:
        """Listen in the running loop from now on."""
        self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()

    async def wait(self, longest: timedelta) -> None:
        """Until it rings, or this long."""
        assert self._event is not None
        try:
            async with asyncio.timeout(longest.total_seconds()):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()


@dataclass(slots=True)
class Post:
    """What delivery works with; everything runs in one event loop."""

    engine: Engine
    channels: Mapping[str, Channel]
    rates: Mapping[str, float]  # messages a second; a channel that is not here has no limit
    media: Path
    clock: Callable[[], datetime]
    bell: Bell
    settled: list[Settle] = field(default_factory=list)  # to be written with the next claim
    running: set[asyncio.Task[None]] = field(default_factory=set)


async def work(post: Post, stop: asyncio.Event) -> None:
    """Deliver until told to stop; then finish what is on its way."""
    post.bell.hang()
    while not stop.is_set():
        await post.bell.wait(_safely(_round, post) or IDLE)
    if post.running:
        await asyncio.wait(post.running, timeout=outbox.LEASE.total_seconds())
    _safely(_write_last, post)


def _safely(work: Callable[[Post], T], post: Post) -> T | None:
    """The outermost loop: whatever happens, the next round is tried."""
    try:
        return work(post)
    except OperationalError as error:
        log.warning("the database is away; trying again", error=type(error.orig).__name__)
    except Exception:
        log.exception("a round of the delivery failed")
    return None


def _write_last(post: Post) -> None:
    with writing(post.engine) as db:
        _write_settled(db, post)


def _round(post: Post) -> timedelta:
    """Write what became of the last letters and claim the next, in one transaction."""
    now = post.clock()
    letters: list[tuple[Letter, float]] = []
    with writing(post.engine) as db:
        _write_settled(db, post)
        room = IN_FLIGHT - len(post.running)
        for name in post.channels:
            claimed = _claim(db, post, name, now, room - len(letters))
            letters += claimed
        files = answers.waiting_media(db, now) if room > len(letters) else []
        for file in files:  # so that the next round does not take it again
            answers.postpone_media(db, file["id"], now, outbox.LEASE, "being fetched")
        due = outbox.next_due(db, tuple(post.channels))
    for letter, moment in letters:
        _start(post, _deliver(post, letter, moment))
    for file in files:
        _start(post, _fetch(post, file))
    return _until(due, now) if room > len(letters) else IDLE


def _until(due: datetime | None, now: datetime) -> timedelta:
    if due is None:
        return IDLE
    soonest = timedelta(milliseconds=20)  # due already, but waiting for an earlier one or a slot
    return min(max(due - now, soonest), IDLE)


def _claim(
    db: Connection, post: Post, name: str, now: datetime, room: int
) -> list[tuple[Letter, float]]:
    """The channel's next letters, each with the moment from which it may go out."""
    if room <= 0:
        return []
    rate = post.rates.get(name)
    if rate is None:
        return [(letter, 0.0) for letter in outbox.claim(db, (name,), now, room)]
    slots = senders.free(db, name, now, rate, room)
    letters = outbox.claim(db, (name,), now, slots.count) if slots.count > 0 else []
    senders.take(db, name, slots, len(letters))
    return [(letter, slots.at(place)) for place, letter in enumerate(letters)]


def _write_settled(db: Connection, post: Post) -> None:
    settled, post.settled = post.settled, []
    now = post.clock()
    try:
        for settle in settled:
            settle(db, now)
    except OperationalError:
        post.settled = settled + post.settled
        raise


def _start(post: Post, work: Awaitable[Settle]) -> None:
    task = asyncio.ensure_future(_finish(post, work))
    post.running.add(task)
    task.add_done_callback(post.running.discard)


async def _finish(post: Post, work: Awaitable[Settle]) -> None:
    settle = await work  # first: the list is another one after each round
    post.settled.append(settle)
    post.bell.ring()


async def _deliver(post: Post, letter: Letter, moment: float) -> Settle:
    """Send one letter, and say what is to be written of it."""
    ahead = moment - post.clock().timestamp()
    if moment and ahead > 0:
        await asyncio.sleep(ahead)
    if letter.channel == "whatsapp" and not timing.may_write_freely(letter.heard_at, post.clock()):
        return lambda db, _now: outbox.hold(db, letter.id, "WhatsApp's 24 hours are over")
    try:
        provider_id = await post.channels[letter.channel].send(letter.address, letter.message)
    except SendError as error:
        log.info("not sent", channel=letter.channel, reason=error.reason, code=error.code)
        return _after(letter, error)
    except Exception as error:
        log.exception("a fault of ours in sending", channel=letter.channel)
        return _after(letter, Uncertain(f"{type(error).__name__} in our own program"))
    return lambda db, now: outbox.sent(db, letter.id, provider_id, now)


def _after(letter: Letter, error: SendError) -> Settle:
    """What is written when a letter did not go out, or may have."""
    match error:
        case TryLater():
            return lambda db, now: _try_later(db, letter, error, now)
        case Uncertain():
            again = letter.lane == outbox.REPLY and letter.attempts < MOST_RESENDS
            if not again:
                return lambda db, _now: outbox.uncertain(db, letter.id, error.reason)
            wait = timing.back_off(letter.attempts)
            return lambda db, now: outbox.later(db, letter.id, now + wait, error.reason)
        case Moved(address=address):
            return lambda db, now: _follow(db, letter, address, now)
        case WindowClosed():
            return lambda db, _now: outbox.hold(db, letter.id, error.reason)
        case Gone():
            return lambda db, now: _gone(db, letter, error, now)
        case Broken():
            return lambda db, now: _broken(db, letter, error, now)
        case Refused() | SendError():
            return lambda db, _now: outbox.failed(db, letter.id, error.reason, error.code)


def _try_later(db: Connection, letter: Letter, error: TryLater, now: datetime) -> None:
    if letter.attempts >= timing.MOST_ATTEMPTS:
        outbox.failed(db, letter.id, f"given up: {error.reason}", error.code)
        return
    due = now + (error.wait or timing.back_off(letter.attempts))
    outbox.later(db, letter.id, due, error.reason, error.code)
    if error.everybody:
        senders.pause(db, letter.channel, due, error.reason)


def _follow(db: Connection, letter: Letter, address: str, now: datetime) -> None:
    people.move(db, letter.person_id, address)
    outbox.later(db, letter.id, now, "the chat moved")


def _gone(db: Connection, letter: Letter, error: Gone, now: datetime) -> None:
    outbox.failed(db, letter.id, error.reason, error.code)
    people.block(db, letter.person_id, now)
    lanes = (outbox.REPLY, outbox.BROADCAST)
    outbox.drop(db, letter.person_id, "the person cannot be reached", lanes=lanes)


def _broken(db: Connection, letter: Letter, error: Broken, now: datetime) -> None:
    log.error("the sender is refused: check its credentials", channel=letter.channel)
    outbox.later(db, letter.id, now + SENDER_BROKEN, error.reason, error.code)
    senders.pause(db, letter.channel, now + SENDER_BROKEN, error.reason)


async def _fetch(post: Post, file: dict[str, object]) -> Settle:
    """Bring a voice note, and keep it under the hash of its bytes."""
    id_, attempts = int(str(file["id"])), int(str(file["attempts"]))
    try:
        media = Media(str(file["ref"]), str(file["type"]))
        found = await post.channels[str(file["channel"])].fetch(media)
        name = keep_file(post.media, found)
    except (Refused, Gone) as error:
        reason = error.reason
        return lambda db, _now: answers.settle_media(db, id_, "refused", reason=reason)
    except (SendError, OSError) as error:
        reason = str(error)
        if attempts >= timing.MOST_ATTEMPTS:
            return lambda db, _now: answers.settle_media(db, id_, "lost", reason=reason)
        wait = timing.back_off(attempts + 1)
        return lambda db, now: answers.postpone_media(db, id_, now, wait, reason)
    kept = {"file": name, "type": found.type, "size": len(found.content), "reason": None}
    return lambda db, _now: answers.settle_media(db, id_, "kept", **kept)


def keep_file(folder: Path, file: File) -> str:
    """Write a file into the media folder, whole or not at all; its name there."""
    ending = ENDINGS.get(file.type, "bin")
    name = f"{hashlib.sha256(file.content).hexdigest()[:32]}.{ending}"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.part"
    partial.write_bytes(file.content)
    partial.replace(folder / name)
    return name


async def tick(post: Post) -> None:
    """What time itself brings about: leases of the dead are taken up again."""
    with writing(post.engine) as db:
        freed = outbox.recover(db, post.clock())
    if freed:
        post.bell.ring()


def now() -> datetime:
    """The clock of the outermost layer."""
    return datetime.now(UTC)
