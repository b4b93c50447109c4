"""What the delivery works with: its bell, its pace, and the letters on their way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from bot import invitations, tracing
from bot.channel import Channel
from bot.flights import Flights
from bot.invitations import Template
from bot.stores import Store
from bot.tracing import Spans
from dialogs.asking import Library
from dialogs.script import Script
from dialogs.values import Message
from storage.outbox import Letter

BURST = 0.1  # seconds: so much of a delay is caught up at once, the rest at the rate
SHORTLY = 0.01  # seconds until one is asked again whose turn depends on others
SECOND = 1.02  # and what is counted as one: a message may be quicker than the one before it
SPARE = 200  # of so many one is not sent: they do not arrive as evenly as they leave

Settle = Callable[[Connection, datetime], object]
Taken = tuple[int, str, datetime]  # our id, the provider's, when


class Bell:
    """Wakes the delivery from any thread; it does not poll."""

    def __init__(self, elsewhere: Callable[[], None] = lambda: None) -> None:
        """`elsewhere` is rung while nobody delivers in this process."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None
        self._later: asyncio.TimerHandle | None = None
        self._elsewhere = elsewhere

    def ring(self) -> None:
        """From any thread."""
        if self._loop and self._event and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)
        else:
            self._elsewhere()

    def here(self) -> None:
        """Ring from the very loop that listens: that one need not be woken."""
        if self._event:
            self._event.set()

    def soon(self, wait: timedelta) -> None:
        """Ring a little later, from the loop that listens; once for all who ask meanwhile."""
        if self._loop and self._later is None:
            self._later = self._loop.call_later(wait.total_seconds(), self._ring_late)

    def _ring_late(self) -> None:
        self._later = None
        self.here()

    def hang(self) -> None:
        """Listen in the running loop from now on."""
        self._later = None
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
class Pace:
    """The last calls on a channel: after a stall many letters are due at once, and no second may
    hold more of them than the rate."""

    sent: deque[float] = field(default_factory=deque)  # of time.monotonic(): no clock is set here
    leaving: int = 0  # calls whose turn it is, and whose bytes have not gone out yet
    next: float = 0.0  # when the next would be exactly on time
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)  # one at a time looks at the clock

    def turn(self, now: float, rate: float, cost: int) -> float:
        """Let a message of `cost` calls go; or say for how many seconds it has to wait."""
        if self.next - BURST > now:
            return self.next - BURST - now
        while self.sent and self.sent[0] <= now - SECOND:
            self.sent.popleft()
        most = int(rate) - int(rate) // SPARE
        over = len(self.sent) + self.leaving + cost - max(most, cost)
        if over > len(self.sent):
            return SHORTLY  # none of those that left will make room before others have left
        if over > 0:
            return self.sent[over - 1] + SECOND - now
        self.leaving += cost
        self.next = max(self.next, now) + cost / rate
        return 0.0

    def left(self, now: float) -> None:
        """The bytes of a call went out. A busy loop may take long from its turn until then."""
        self.leaving -= 1
        self.sent.append(now)


@dataclass(slots=True)
class Turn:
    """The calls that one message may make, each counted as its bytes go out."""

    pace: Pace | None  # None: on this channel nothing is counted
    owed: int = 0

    def left(self) -> None:
        if self.pace and self.owed:
            self.owed -= 1
            self.pace.left(time.monotonic())

    def end(self) -> None:
        """What was not called counts all the same: it may have been, in a way that tells nobody."""
        while self.pace and self.owed:
            self.left()


@dataclass(slots=True, eq=False)
class Line:
    """The answers to one person that wait for the one on its way."""

    person_id: int
    waiting: deque[Ready]
    broken: bool = False  # one did not go out: what comes after it goes back into the queue


@dataclass(slots=True)
class Post:
    """What delivery works with; its letters are sent in one event loop."""

    engine: Engine
    channels: Mapping[str, Channel]
    rates: Mapping[str, float]  # messages a second; a channel that is not here has no limit
    media: Store
    clock: Callable[[], datetime]
    bell: Bell
    library: Library = field(default_factory=lambda: Library(_no_script))
    settled: deque[Settle] = field(default_factory=deque)  # to be written with the next claim
    taken: deque[Taken] = field(default_factory=deque)  # sent: written with the next claim, at once
    turn: threading.Lock = field(default_factory=threading.Lock)  # one claim at a time
    loop: asyncio.AbstractEventLoop | None = None  # while this process delivers
    behind: bool = True  # whether answers may be queued that wait for one on its way
    running: set[asyncio.Task[None]] = field(default_factory=set)
    lines: dict[int, Line] = field(default_factory=dict)  # by person, while one is on its way
    lining: threading.Lock = field(default_factory=threading.Lock)  # lines are joined in any thread
    paces: dict[str, Pace] = field(default_factory=dict)
    waits: dict[str, float] = field(default_factory=dict)  # channel -> until when it is told to
    handing: list[tuple[int, asyncio.Future[datetime | None]]] = field(default_factory=list)
    mine: dict[str, float] = field(default_factory=dict)  # up to where this process took slots
    shared: dict[str, float] = field(default_factory=dict)  # until when others are likely to send
    ahead: dict[str, float] = field(default_factory=dict)  # seconds from taking a slot to its use
    credit: dict[str, float] = field(default_factory=dict)  # part of a slot owed to broadcasts
    words: invitations.Words = field(default_factory=invitations.Words)
    spans: Spans = tracing.OFF
    flights: Flights | None = None  # notes for whoever comes after a kill
    number: int | None = None  # whose leases these are (storage.meeting)
    beat: float | None = None  # of time.monotonic(): the last round; None: nobody delivers here

    def seconds(self) -> float:
        """The time, in seconds since 1970."""
        return self.clock().timestamp()


def _no_script(form: str, version: int) -> Script:
    raise LookupError(f"No questionnaire {form}, version {version}, is at hand.")


@dataclass(frozen=True, slots=True)
class Ready:
    """A letter with its words, and when it may go out."""

    letter: Letter
    message: Message
    template: Template | None = None
    moment: float = 0.0  # seconds since 1970; 0: at once
    cost: int = 1  # calls to the provider
    after: Line | None = None  # what was on its way to the same person when it was leased


@dataclass(frozen=True, slots=True)
class Round:
    """What one transaction found to do."""

    works: list[Ready | Line]
    files: list[dict[str, object]]
    wait: timedelta
