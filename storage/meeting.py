"""How the processes of several machines meet in PostgreSQL: who is alive, who ticks, what time it
is, and a knock when there is something to send.

Locks and knocks belong to a connection, so the database itself lets go of what a dead process held.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from storage import schema
from storage.database import UNHURRIED, UNREACHABLE, be_noticed, reading

if TYPE_CHECKING:
    import psycopg

log = structlog.get_logger()

CHANNEL = "consulta"  # of NOTIFY
WORKERS, TICKER = 6_714_001, 6_714_002  # first halves of the keys of our advisory locks
LOOK = 1.0  # seconds between two looks at the lock of the ticker: so long a take-over takes
ABSENT = 5.0  # seconds without its lock, and a worker is taken for dead; to reconnect takes one
AGAIN = 0.5  # seconds before a lost connection is tried again
CLOCK = 10.0  # seconds for which this machine's own counting is good enough
ROUND_TRIP = 0.1  # seconds; a slower answer says too little about the time

ALIVE = text(
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND classid = :first AND database = (SELECT oid FROM pg_database "
    "WHERE datname = current_database())"
)


class Place:
    """A worker's place among the others. Alone (SQLite), it ticks and nobody knocks."""

    def __init__(self, engine: Engine, ring: Callable[[], None]) -> None:
        self.number = secrets.randbelow(2**31)  # stands in the leases of this worker
        self.alone = engine.dialect.name != "postgresql"
        self.ticking = self.alone
        self._engine, self._ring = engine, ring
        self._left = threading.Event()
        self._gone: dict[int, float] = {}  # workers without their lock, since when
        self._thread = threading.Thread(target=self._stay, name="meeting", daemon=True)

    def take(self) -> None:
        if not self.alone:
            self._thread.start()

    def leave(self) -> None:
        self._left.set()
        if self._thread.is_alive():
            self._thread.join()

    def _stay(self) -> None:
        import psycopg  # here: with SQLite it would be held in memory for nothing

        while not self._left.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                log.warning("the meeting is interrupted", error=type(error).__name__)
            self.ticking = False
            self._left.wait(AGAIN)

    def _listen(self) -> None:
        """Hold this worker's lock, the ticker's if nobody else does, and ring at every knock."""
        with _connected(self._engine) as line:
            line.execute("SELECT pg_advisory_lock(%s, %s)", (WORKERS, self.number))
            line.execute(f"LISTEN {CHANNEL}")
            looked = -LOOK
            while not self._left.is_set():
                if time.monotonic() - looked >= LOOK:
                    self._look(line)
                    looked = time.monotonic()
                for _ in line.notifies(timeout=LOOK / 2, stop_after=1):
                    self._ring()

    def _look(self, line: psycopg.Connection[Any]) -> None:
        if self.ticking:
            line.execute("SELECT 1")  # a connection that is gone is noticed by using it
            return
        row = line.execute("SELECT pg_try_advisory_lock(%s, 0)", (TICKER,)).fetchone()
        if row and row[0]:
            log.info("this worker ticks from now on")
            self.ticking = True

    def dead(self, db: Connection) -> list[int]:
        """Workers that hold leases and are not alive; for so long that it is no interruption."""
        if self.alone:
            return []
        box = schema.outbox
        leased = select(box.c.leased_by).where(box.c.state == "leased").distinct()
        holders = {number for number in db.scalars(leased) if number is not None}
        absent = holders - alive(db) - {self.number}
        now = time.monotonic()
        self._gone = {number: self._gone.get(number, now) for number in absent}
        return [number for number, since in self._gone.items() if now - since >= ABSENT]


def alive(db: Connection) -> set[int]:
    """The numbers of the workers that are there."""
    return set(db.scalars(ALIVE, {"first": WORKERS}))


def ticks(db: Connection) -> bool:
    """Whether somebody ticks."""
    return bool(db.scalars(ALIVE, {"first": TICKER}).all())


class Knocker:
    """Knocks at the workers of other processes: from any thread, without waiting for it.

    Not in the transaction that queues a message: PostgreSQL lets the commits of those that notify
    wait for each other. A knock that is lost costs the second until the workers look by themselves.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def knock(self) -> None:
        self._wanted.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._go, name="knocker", daemon=True)
                    self._thread.start()

    def _go(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            try:
                with self._engine.connect() as db:
                    at_once = db.execution_options(isolation_level="AUTOCOMMIT")
                    at_once.exec_driver_sql(f"{UNHURRIED}; NOTIFY {CHANNEL}")
            except DBAPIError:
                time.sleep(AGAIN)


class Clock:
    """The database's time, by which machines agree whose own clocks differ or are set.

    Between two looks it counts on by itself, also while the database is away. A look moves it no
    further than it must: a jump would crowd together what goes out at a rate.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._start = self._asked = 0.0
        self._look()

    def __call__(self) -> datetime:
        now = time.monotonic()
        if now - self._asked > CLOCK:
            self._asked = now
            threading.Thread(target=self._look, name="clock", daemon=True).start()
        return datetime.fromtimestamp(self._start + now, UTC)

    def _look(self) -> None:
        try:
            with reading(self._engine) as db:
                before = self._asked = time.monotonic()
                told = db.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
                after = time.monotonic()
        except OperationalError:
            return
        if told is not None and (not self._start or after - before < ROUND_TRIP):
            self._start = _nearest(self._start, float(told) - after, float(told) - before)


def _nearest(start: float, earliest: float, latest: float) -> float:
    """Where the count begins: where it did if that can be, else as near to it as can be."""
    return min(max(start, earliest), latest) if start else (earliest + latest) / 2


def _connected(engine: Engine) -> psycopg.Connection[Any]:
    """A connection of its own, without transactions."""
    import psycopg

    args, given = engine.dialect.create_connect_args(engine.url)
    made = psycopg.connect(*args, **{**given, **UNREACHABLE}, autocommit=True)
    be_noticed(made)
    return made
