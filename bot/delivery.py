"""Claim and settle: one loop that empties the outbox at the pace that each provider allows."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from bot import flights, invitations, outcomes, rate, sending, timing, voices
from bot.channel import Gone, Refused, SendError, Windowed
from bot.post import Line, Post, Ready, Round, Settle, Taken
from dialogs.values import Media, Message
from storage import answers, outbox, receipts
from storage.database import apart, reading, writing
from storage.outbox import Hand, Letter
from storage.senders import Slots

log = structlog.get_logger()

IN_FLIGHT = 256  # leased at once: those that wait for their slots, and those under way
IDLE = timedelta(seconds=1)  # the safety net: what rings the bell comes sooner
SOON = timedelta(milliseconds=20)
BREATH = timedelta(milliseconds=40)  # between two rounds: each has a cost, however little it does
NOTING = timedelta(milliseconds=150)  # until it is written that an answer went out
BUSY = 8  # letters on their way: with fewer, an answer does not wait for the breath
LOOKED_UP = 20  # messages of unknown fate at a time
LOOK_AGAIN = timedelta(minutes=5)
STORE_AWAY = timedelta(minutes=1)  # until a file that could not be kept is brought once more

Note = TypeVar("Note")


async def work(post: Post, stop: asyncio.Event) -> None:
    """Deliver until told to stop; then finish what is on its way."""
    post.bell.hang()
    post.loop = asyncio.get_running_loop()
    while not stop.is_set():
        began = post.beat = time.monotonic()
        wait = await _round(post)
        await post.bell.wait(wait)
        rest = BREATH.total_seconds() - (time.monotonic() - began)
        if rest > 0 and len(post.running) >= BUSY:
            await asyncio.sleep(rest)
    with post.turn:
        post.loop = None  # from now on answers are queued, for others or for later
    await asyncio.sleep(0)  # what was leased until now begins
    if post.running:
        await asyncio.wait(post.running, timeout=outbox.LEASE.total_seconds())
    await _round(post, last=True)


async def _round(post: Post, *, last: bool = False) -> timedelta:
    """Write what became of the last letters and send the next. Whatever happens, go on."""
    try:
        found = await asyncio.to_thread(_write_and_claim, post, last=last)
    except OperationalError as error:
        log.warning("the database is away; trying again", error=type(error.orig).__name__)
        return IDLE
    except Exception:
        log.exception("a round of the delivery failed")
        return IDLE
    _begin(post, found.works)
    for file in found.files:
        _start(post, _fetch(post, file))
    return found.wait


def _begin(post: Post, works: Sequence[Ready | Line]) -> None:
    for work in works:
        _start(post, _answer(post, work) if isinstance(work, Line) else _call(post, work))


def _lined_up(post: Post, ready: Sequence[Ready]) -> list[Ready | Line]:
    """What begins now: invitations, and the answers to those whom none is on its way to."""
    found: list[Ready | Line] = []
    for each in ready:
        if each.letter.lane != outbox.REPLY:
            found.append(each)
        elif line := _joined(post, each):
            found.append(line)
    return found


def _joined(post: Post, ready: Ready) -> Line | None:
    """The new line of an answer; None if it has joined one, or goes back into the queue."""
    person_id = ready.letter.person_id
    with post.lining:
        if ready.after and ready.after.broken:
            post.settled.append(sending.back(ready.letter))
        elif line := post.lines.get(person_id):
            line.waiting.append(ready)
        else:
            post.lines[person_id] = line = Line(person_id, deque((ready,)))
            return line
    return None


async def _answer(post: Post, line: Line) -> None:
    """What comes next, comes now; unless nothing waits: that an answer went out is written soon."""
    unsent: Settle | None = None
    while ready := _next(post, line):
        unsent = await sending.deliver(post, ready)
        line.broken = unsent is not None
    if unsent:
        # first, because settling it may drop those behind it
        post.settled += [sending.back(ready.letter) for ready in line.waiting]
        post.settled.append(unsent)
    if post.behind or unsent:
        post.bell.here()
    else:
        post.bell.soon(NOTING)


def _next(post: Post, line: Line) -> Ready | None:
    """The next answer; None closes the line, and nobody can join it in between."""
    with post.lining:
        if line.waiting and not line.broken:
            return line.waiting.popleft()
        del post.lines[line.person_id]
    return None


async def _call(post: Post, ready: Ready) -> None:
    if unsent := await sending.deliver(post, ready):
        post.settled.append(unsent)
    post.bell.here()


@contextmanager
def along(post: Post) -> Iterator[Connection]:
    """A transaction in which people's messages are taken in.

    If this process delivers, the answers are leased in it, and go out as soon as it is written.
    """
    ready: list[Ready] = []
    with post.turn:
        loop = post.loop
        ahead = Ahead(dict(post.lines))  # before what was sent is noted: then nothing is missing
        with _taking(post.taken if loop else deque()) as taken, writing(post.engine) as db:
            hand = _hand(db, post, ahead)
            if loop:
                _written(db, post, taken)
            with outbox.at_hand(db, hand if loop else None):
                yield db
            if hand.letters:
                ready = _placed(db, post, ahead, hand.letters)
        works = _lined_up(post, ready)
    post.behind |= hand.behind
    if loop and works:
        loop.call_soon_threadsafe(_begin, post, works)
    if hand.behind or not ready:
        post.bell.ring()


@dataclass(slots=True)
class Ahead:
    """What a transaction knows of the way of its answers."""

    lines: Mapping[int, Line]
    slots: dict[str, Slots] = field(default_factory=dict)  # by channel


def _written(db: Connection, post: Post, taken: list[Taken]) -> None:
    """Write what was sent. A fault here is not one of who wrote."""
    if not taken:
        return
    try:
        with apart(db):
            outbox.sent_many(db, taken)
    except OperationalError:
        raise
    except Exception:
        log.exception("what was sent could not be written")
        post.taken.extendleft(reversed(taken))
        taken.clear()


def _hand(db: Connection, post: Post, ahead: Ahead) -> Hand:
    """What takes answers for this process, as long as there are slots for them, which it notes."""
    now, room, slots = post.clock(), IN_FLIGHT - len(post.running), ahead.slots

    def free(name: str) -> bool:
        if name not in post.channels or len(hand.letters) >= room:
            return False
        if name not in post.rates:
            return True
        if rate.others_send(post, name, now.timestamp()):
            return False  # the row of the slots would be held for as long as all are heard
        if name not in slots:
            slots[name] = rate.free(db, post, name, now, room)
        return sum(each.channel == name for each in hand.letters) < slots[name].count

    def near(person_id: int) -> bool:
        told = any(each.person_id == person_id for each in hand.letters)
        return told or person_id in ahead.lines

    hand = Hand(now, post.number, free, near)
    return hand


def _placed(db: Connection, post: Post, ahead: Ahead, letters: Sequence[Letter]) -> list[Ready]:
    """The letters, each in the slot that is its own from now on."""
    found: list[Ready] = []
    used = dict.fromkeys(ahead.slots, 0)
    for letter in letters:
        assert letter.message is not None
        name, cost, moment = letter.channel, letter.message.sends, 0.0
        if name in used:
            moment = ahead.slots[name].at(used[name])
            used[name] += cost
        after = ahead.lines.get(letter.person_id)
        found.append(Ready(letter, letter.message, moment=moment, cost=cost, after=after))
    for name, count in used.items():
        rate.take(db, post, name, ahead.slots[name], count, replied=count > 0)
    return found


@contextmanager
def _taking(notes: deque[Note], back: type[BaseException] = BaseException) -> Iterator[list[Note]]:
    """What was noted until now; put back if it could not be written, for a reason like this."""
    found = [notes.popleft() for _ in range(len(notes))]
    try:
        yield found
    except back:
        notes.extendleft(reversed(found))
        raise


def _write_and_claim(post: Post, *, last: bool) -> Round:
    """One transaction: what became of the last letters, and the lease of the next."""
    ready: list[Ready] = []
    with post.turn:
        with (
            _taking(post.taken) as taken,
            _taking(post.settled, OperationalError) as settled,
            writing(post.engine, hurried=False) as db,  # before a call goes out, it is (hand_over)
        ):
            now = post.clock()  # not before the waiting is over: slots are counted from it
            outbox.sent_many(db, taken)
            for settle in settled:
                settle(db, now)
            room = 0 if last else IN_FLIGHT - len(post.running)
            for name in post.channels:
                ready += _claim(db, post, name, now, room - len(ready))
            files = answers.waiting_media(db, now) if room > len(ready) else []
            for file in files:  # so that the next round does not take it again
                answers.postpone_media(db, file["id"], now, outbox.LEASE, "being fetched")
            due = outbox.next_due(db, tuple(post.channels))
            post.behind = due is not None
        works = _lined_up(post, ready)
    wait = _until(due, now) if room > len(ready) else IDLE
    return Round(works, files, SOON if ready else wait)


def _until(due: datetime | None, now: datetime) -> timedelta:
    if due is None:
        return IDLE
    return min(max(due - now, SOON), IDLE)  # due already, but waiting for an earlier one or a slot


def _claim(db: Connection, post: Post, name: str, now: datetime, room: int) -> list[Ready]:
    """The channel's next letters, each with the moment from which it may go out."""
    if room <= 0:
        return []
    quiet = timing.quiet(now)
    if name not in post.rates:
        letters = outbox.claim(db, (name,), now, room, quiet=quiet, by=post.number)
        return [ready for letter in letters if (ready := _ready(db, post, letter, now))]
    slots = rate.free(db, post, name, now, room)
    if slots.count <= 0:
        return []
    calls = min(room, rate.share(post, name, slots.count)) if slots.writing else room
    letters = outbox.claim(db, (name,), now, slots.count, calls, quiet=quiet, by=post.number)
    found, used = [], 0
    for letter in letters:
        if ready := _ready(db, post, letter, now, slots.at(used)):
            found.append(ready)
            used += ready.cost
    replied = any(letter.lane == outbox.REPLY for letter in letters)
    rate.take(db, post, name, slots, used, replied=replied)
    return found


def _ready(
    db: Connection, post: Post, letter: Letter, now: datetime, moment: float = 0.0
) -> Ready | None:
    """The letter with its words, to be sent at this moment; None if there is nothing to send."""
    if letter.channel == "whatsapp" and not timing.may_write_freely(letter.heard_at, now):
        return _knock(db, post, letter, moment)
    message = letter.message
    if message is None:
        message = post.words.of(db, post.library, letter, now)
    return Ready(letter, message, moment=moment, cost=message.sends)


def _knock(db: Connection, post: Post, letter: Letter, moment: float) -> Ready | None:
    """WhatsApp's window is closed: ask by template, once, if there is one; else hold."""
    template = post.words.template(db, letter)
    if template is None or letter.asked_at:
        reason = invitations.NO_TEMPLATE if letter.invitation_id else invitations.WINDOW
        outbox.hold(db, letter, reason)
        return None
    return Ready(letter, Message(""), template, moment)


def _start(post: Post, work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    post.running.add(task)
    task.add_done_callback(post.running.discard)


async def _fetch(post: Post, file: dict[str, object]) -> None:
    settle = await _fetched(post, file)  # first: the list is another one after each round
    post.settled.append(settle)
    post.bell.here()


async def _fetched(post: Post, file: dict[str, object]) -> Settle:
    """Bring a voice note, and keep it under the hash of its bytes."""
    id_, attempts = int(str(file["id"])), int(str(file["attempts"]))
    try:
        media = Media(str(file["ref"]), str(file["type"]))
        found = await post.channels[str(file["channel"])].fetch(media)
        vault = post.engine.get_execution_options()["vault"]
        name = await asyncio.to_thread(voices.keep, post.media, vault, found)
    except (Refused, Gone) as error:
        reason = error.reason
        return lambda db, _now: answers.settle_media(db, id_, "refused", reason=reason)
    except OSError as error:  # our own store is full or away: the file waits where it is
        waits = {"reason": str(error), "attempts": 1}
        return lambda db, now: answers.settle_media(
            db, id_, "waiting", due=now + STORE_AWAY, **waits
        )
    except SendError as error:
        reason = str(error)
        if attempts >= timing.MOST_ATTEMPTS:
            return lambda db, _now: answers.settle_media(db, id_, "lost", reason=reason)
        wait = timing.back_off(attempts + 1)
        return lambda db, now: answers.postpone_media(db, id_, now, wait, reason)
    kept = {"file": name, "type": found.type, "size": len(found.content), "reason": None}
    return lambda db, _now: answers.settle_media(db, id_, "kept", **kept)


async def tick(post: Post) -> None:
    """What time itself brings about: what is due is queued, leases of the dead are taken up."""
    while await asyncio.to_thread(_tick, post):
        post.bell.ring()  # a long list of people is queued while its beginning goes out
    await _look_up(post)
    post.bell.ring()


def _tick(post: Post) -> bool:
    """One step; True if there is more to queue."""
    now = post.clock()
    if post.flights:
        flights.settle(post.engine, post.flights.folder)
    with writing(post.engine) as db:
        outbox.recover(db, now)
        for receipt in receipts.take_early(db, now):
            outcomes.told(db, receipt)
    return invitations.tick(post.engine, post.library, tuple(post.channels), now)


async def _look_up(post: Post) -> None:
    """Ask what became of messages of unknown fate, where the provider can be asked."""
    for name, channel in post.channels.items():
        if not isinstance(channel, Windowed):
            continue
        now = post.clock()
        with reading(post.engine) as db:
            letters = receipts.doubtful(db, name, now, LOOKED_UP)
            messages = [_expected(db, post, letter, now) for letter in letters]
        for letter, message in zip(letters, messages, strict=True):
            post.settled.append(await _looked_up(channel, letter, message))


def _expected(db: Connection, post: Post, letter: Letter, now: datetime) -> Message | None:
    """What was said in the message that is looked for; None if it was the template that asks:
    then nothing else can have been sent."""
    if letter.message:
        return letter.message
    tried = letter.attempted_at or now
    free = timing.may_write_freely(letter.heard_at, tried) or letter.asked_at
    return post.words.of(db, post.library, letter, now) if free else None


async def _looked_up(channel: Windowed, letter: Letter, message: Message | None) -> Settle:
    """Found: it was sent. Not there: it was not, and is sent again. No answer: ask later."""
    since = letter.attempted_at or letter.heard_at
    try:
        found = await channel.look_up(letter.address, since, message.text if message else None)
    except SendError as error:
        reason = error.reason
        wait = LOOK_AGAIN if letter.invitation_id else outcomes.LOOK_AFTER  # a question is awaited
        return lambda db, now: outbox.uncertain(db, letter, reason, now + wait)
    if found and message is None:
        asked = {"asked_at": since, "provider_id": found, "sent_at": since}
        return lambda db, _now: outbox.hold(db, letter, outbox.ASKED, **asked)
    if found:
        return lambda db, now: outbox.sent(db, letter.id, found, now)
    return lambda db, now: outbox.later(db, letter, now, "the provider does not have it")
