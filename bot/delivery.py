"""Claim, send, settle: one loop that empties the outbox at the pace that each provider allows."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from bot import flights, invitations, outcomes, timing, voices
from bot.channel import (
    Broken,
    Gone,
    Refused,
    SendError,
    TryLater,
    Uncertain,
    Windowed,
)
from bot.post import Line, Pace, Post, Ready, Round, Settle, Taken
from dialogs.values import Media, Message
from storage import answers, outbox, receipts, senders
from storage.database import apart, reading, writing
from storage.outbox import Hand, Letter
from storage.receipts import Flight
from storage.senders import Slots

log = structlog.get_logger()

IN_FLIGHT = 256  # leased at once: those that wait for their slots, and those under way
IDLE = timedelta(seconds=1)  # the safety net: what rings the bell comes sooner
SOON = timedelta(milliseconds=20)
BREATH = timedelta(milliseconds=40)  # between two rounds: each has a cost, however little it does
NOTING = timedelta(milliseconds=150)  # until it is written that an answer went out
BUSY = 8  # letters on their way: with fewer, an answer does not wait for the breath
HANDING = 0.02  # seconds before an invitation goes out, for writing down that it does
FRESH = outbox.LEASE / 3  # from there on others may take this process for dead, and look it up
SHARED = 2.0  # seconds for which another worker, once noticed, is expected to go on
FURTHEST = 0.2  # seconds: a stall is no reason to let people wait for longer
CALM, LESS = 4, 0.99  # the part of a lateness that is made up for at once, and how it is forgotten
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
            post.settled.append(_back(ready.letter))
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
        unsent = await _deliver(post, ready)
        line.broken = unsent is not None
    if unsent:
        post.settled += [_back(ready.letter) for ready in line.waiting]  # first: it may drop them
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
    if unsent := await _deliver(post, ready):
        post.settled.append(unsent)
    post.bell.here()


def _back(letter: Letter) -> Settle:
    """Into the queue again, as if it had not been leased."""
    return lambda db, _now: outbox.unsent(db, letter)


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
                outbox.at_hand(db, hand)
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
        if _others_send(post, name, now.timestamp()):
            return False  # the row of the slots would be held for as long as all are heard
        if name not in slots:
            slots[name] = _slots(db, post, name, now, room)
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
        _take(db, post, name, ahead.slots[name], count, replied=count > 0)
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
    slots = _slots(db, post, name, now, room)
    if slots.count <= 0:
        return []
    calls = min(room, _share(post, name, slots.count)) if slots.writing else room
    letters = outbox.claim(db, (name,), now, slots.count, calls, quiet=quiet, by=post.number)
    found, used = [], 0
    for letter in letters:
        if ready := _ready(db, post, letter, now, slots.at(used)):
            found.append(ready)
            used += ready.cost
    replied = any(letter.lane == outbox.REPLY for letter in letters)
    _take(db, post, name, slots, used, replied=replied)
    return found


def _slots(db: Connection, post: Post, name: str, now: datetime, wanted: int) -> Slots:
    """The slots that may be taken on a channel with a rate, and whether others take some too."""
    post.paces.setdefault(name, Pace())
    rate = post.rates[name]
    if _others_send(post, name, now.timestamp()):
        ahead = timedelta(seconds=post.ahead.get(name, 0.0))
        slots = senders.free(db, name, now + ahead, rate, wanted)
    else:
        slots = senders.free(db, name, now, rate, wanted, late=senders.JITTER)
    if slots.taken != post.mine.get(name) and slots.taken > now.timestamp() - SHARED:
        post.shared[name] = now.timestamp() + SHARED
    return slots


def _others_send(post: Post, name: str, now: float) -> bool:
    """Whether another process was lately seen to take slots of this channel."""
    return post.shared.get(name, 0.0) > now


def _take(db: Connection, post: Post, name: str, slots: Slots, used: int, *, replied: bool) -> None:
    senders.take(db, name, slots, used, replied=replied)
    post.mine[name] = slots.at(used) if used else slots.taken


def _share(post: Post, name: str, slots: int) -> int:
    """How many of these slots broadcasts may have while people are writing."""
    credit = min(post.credit.get(name, 0.0), 1.0) + slots * (1 - senders.KEPT)
    share = min(int(credit), slots)
    post.credit[name] = credit - share
    return share


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


async def _deliver(post: Post, ready: Ready) -> Settle | None:
    """Send one letter in its turn, and note that; or what is to be written if it was not sent."""
    letter = ready.letter
    noting = post.flights if letter.invitation_id else None
    try:
        if kept := await _kept(post, ready):
            return kept
        provider_id = await _send(post, ready)
    except SendError as error:
        if noting and not error.perhaps:
            noting.kept(letter.id)
        return _unsent(post, letter, error)
    except Exception as error:
        log.exception("a fault of ours in sending", channel=letter.channel)
        return _unsent(post, letter, Uncertain(f"{type(error).__name__} in our own program"))
    if noting:
        (noting.asked if ready.template else noting.taken)(letter.id, provider_id)
    _noted(post, ready, provider_id)
    return None


async def _kept(post: Post, ready: Ready) -> Settle | None:
    """Wait for the letter's turn; what is to be written if it may not go out after all."""
    letter, handed = ready.letter, None
    if letter.invitation_id:
        await _sleep_until(post, ready.moment - HANDING)
        if not (handed := await _handed_over(post, letter)):
            return lambda _db, _now: None  # somebody else has it by now
    if ready.moment:
        _learn_from(post, ready)
        await _sleep_until(post, ready.moment)
        if _too_late(post, ready):
            return _back(letter)
        pace, rate = post.paces[letter.channel], post.rates[letter.channel]
        async with pace.queue:
            while (wait := pace.turn(time.monotonic(), rate, ready.cost)) > 0:
                await asyncio.sleep(wait)
    if post.waits.get(letter.channel, 0.0) > _seconds(post):
        return _back(letter)
    if handed and post.clock() - handed > FRESH:
        kept = Flight(letter.id, handed, "kept")
        return lambda db, _now: receipts.landed(db, kept)
    if letter.invitation_id and post.flights and not post.flights.begun(letter.id):
        return _back(letter)
    return None


def _learn_from(post: Post, ready: Ready) -> None:
    """Take slots the further ahead, the later letters come to theirs: a busy machine would lease
    each letter many times over, and let most of its slots go by."""
    late, ahead = _seconds(post) - ready.moment, post.ahead.get(ready.letter.channel, 0.0)
    ahead = ahead * LESS if late < senders.JITTER else min(ahead + late / CALM, FURTHEST)
    post.ahead[ready.letter.channel] = ahead


def _too_late(post: Post, ready: Ready) -> bool:
    """Whether its slot has gone by while others send too: it needs another one.

    Alone, a process keeps to the limit by its own pace; it cannot see what others send.
    """
    now = _seconds(post)
    return now > ready.moment + senders.JITTER and _others_send(post, ready.letter.channel, now)


async def _handed_over(post: Post, letter: Letter) -> datetime | None:
    """Have it written, before it is sent, that an invitation goes out: together with others.

    When that was; None if somebody else has it by now.
    """
    future: asyncio.Future[datetime | None] = asyncio.get_running_loop().create_future()
    post.handing.append((letter.id, future))
    if len(post.handing) == 1:
        await asyncio.sleep(HANDING / 2)
        batch, post.handing = post.handing, []
        mine: set[int] = set()
        now = post.clock()
        try:
            mine = await asyncio.to_thread(_hand_over, post, [id_ for id_, _ in batch], now)
        finally:  # whatever happens, nobody waits for ever
            for id_, waiting in batch:
                waiting.set_result(now if id_ in mine else None)
    return await future


def _hand_over(post: Post, ids: Sequence[int], now: datetime) -> set[int]:
    if post.flights and not post.flights.handed(ids, now):
        log.warning("nothing can be noted, is the disk full? No invitation is sent")
        return set()
    try:
        with writing(post.engine) as db:
            return outbox.hand_over(db, ids, now)
    except OperationalError as error:
        log.warning("the database is away: nothing is sent", error=type(error.orig).__name__)
        return set()


async def _send(post: Post, ready: Ready) -> str:
    channel = post.channels[ready.letter.channel]
    with post.spans.sent(ready.letter):
        if ready.template and isinstance(channel, Windowed):
            sid, variables = ready.template
            return await channel.ask(ready.letter.address, sid, variables)
        return await channel.send(ready.letter.address, ready.message)


def _noted(post: Post, ready: Ready, provider_id: str) -> None:
    letter, now = ready.letter, post.clock()
    if not ready.template:
        post.taken.append((letter.id, provider_id, now))
        return
    asked = {"asked_at": now, "provider_id": provider_id, "sent_at": now}
    post.settled.append(lambda db, _now: outbox.hold(db, letter, outbox.ASKED, **asked))


def _unsent(post: Post, letter: Letter, error: SendError) -> Settle:
    """What is written of a letter that did not go out; a sender told to wait stops at once."""
    log.info("not sent", channel=letter.channel, reason=error.reason, code=error.code)
    if isinstance(error, Broken) or (isinstance(error, TryLater) and error.everybody):
        wait = _wait_after(error, letter)
        until = _seconds(post) + wait.total_seconds()
        post.waits[letter.channel] = max(until, post.waits.get(letter.channel, 0.0))
    return lambda db, now: outcomes.unsent(db, letter, error, now)


def _wait_after(error: SendError, letter: Letter) -> timedelta:
    """How long the whole sender waits: as told, or longer each time if nothing was told."""
    if isinstance(error, TryLater):
        return error.wait or timing.back_off(letter.attempts)
    return outcomes.SENDER_BROKEN


def _seconds(post: Post) -> float:
    return post.clock().timestamp()


async def _sleep_until(post: Post, moment: float) -> None:
    if (ahead := moment - _seconds(post)) > 0:
        await asyncio.sleep(ahead)


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


def now() -> datetime:
    """The clock of the outermost layer."""
    return datetime.now(UTC)
