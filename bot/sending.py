"""The way of one letter: its moment, the note that it goes out, the call, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import OperationalError

from bot import outcomes, rate, timing
from bot.channel import Broken, SendError, TryLater, Uncertain, Windowed, leaving
from bot.post import Post, Ready, Settle, Turn
from storage import outbox, receipts
from storage.database import writing
from storage.outbox import Letter
from storage.receipts import Flight

log = structlog.get_logger()

HANDING = 0.02  # seconds before an invitation goes out, for writing down that it does
FRESH = outbox.LEASE / 3  # from there on others may take this process for dead, and look it up


async def deliver(post: Post, ready: Ready) -> Settle | None:
    """Send one letter in its turn, and note that; or what is to be written if it was not sent."""
    letter = ready.letter
    noting = post.flights if letter.invitation_id else None
    turn = Turn(post.paces.get(letter.channel))
    leaving.set(turn.left)
    try:
        if kept := await _kept(post, ready, turn):
            return kept
        provider_id = await _send(post, ready)
    except SendError as error:
        if noting and not error.perhaps:
            noting.kept(letter.id)
        return _unsent(post, letter, error)
    except Exception as error:
        log.exception("a fault of ours in sending", channel=letter.channel)
        return _unsent(post, letter, Uncertain(f"{type(error).__name__} in our own program"))
    finally:
        turn.end()
    if noting:
        (noting.asked if ready.template else noting.taken)(letter.id, provider_id)
    _noted(post, ready, provider_id)
    return None


async def _kept(post: Post, ready: Ready, turn: Turn) -> Settle | None:
    """Wait for the letter's turn; what is to be written if it may not go out after all."""
    letter, handed = ready.letter, None
    if letter.invitation_id:
        await _sleep_until(post, ready.moment - HANDING)
        if not (handed := await _handed_over(post, letter)):
            return lambda _db, _now: None  # somebody else has it by now
    if ready.moment:
        rate.learn_from(post, ready)
        await _sleep_until(post, ready.moment)
        if rate.too_late(post, ready):
            return back(letter)
        pace, most = post.paces[letter.channel], post.rates[letter.channel]
        async with pace.queue:
            while (wait := pace.turn(time.monotonic(), most, ready.cost)) > 0:
                await asyncio.sleep(wait)
            turn.owed = ready.cost
    if post.waits.get(letter.channel, 0.0) > post.seconds():
        return back(letter)
    if handed and post.clock() - handed > FRESH:
        kept = Flight(letter.id, handed, "kept")
        return lambda db, _now: receipts.landed(db, kept)
    if letter.invitation_id and post.flights and not post.flights.begun(letter.id):
        return back(letter)
    return None


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
        until = post.seconds() + wait.total_seconds()
        post.waits[letter.channel] = max(until, post.waits.get(letter.channel, 0.0))
    return lambda db, now: outcomes.unsent(db, letter, error, now)


def _wait_after(error: SendError, letter: Letter) -> timedelta:
    """How long the whole sender waits: as told, or longer each time if nothing was told."""
    if isinstance(error, TryLater):
        return error.wait or timing.back_off(letter.attempts)
    return outcomes.SENDER_BROKEN


def back(letter: Letter) -> Settle:
    """Into the queue again, as if it had not been leased."""
    return lambda db, _now: outbox.unsent(db, letter)


async def _sleep_until(post: Post, moment: float) -> None:
    if (ahead := moment - post.seconds()) > 0:
        await asyncio.sleep(ahead)
