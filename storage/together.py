"""Several callers' writes in one transaction: to commit costs a wait for the disk, however many."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

MOST = 64  # in one transaction: nobody waits for more than these

Found = TypeVar("Found")


def _shut() -> threading.Lock:
    gate = threading.Lock()
    gate.acquire()
    return gate


@dataclass(slots=True, eq=False)
class _Wish:
    """What one caller wants written, and what came of it; its gate opens when it is written, or
    when it is its caller's turn to write."""

    work: Callable[[Connection], Any]
    order: str
    gate: threading.Lock = field(default_factory=_shut)
    done: bool = False
    found: Any = None
    error: BaseException | None = None


class Together:
    """Whoever comes first writes for all who have come meanwhile; nobody else waits to begin."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        """`begin` opens a transaction, and commits it at the end of its block."""
        self._begin = begin
        self._waiting: deque[_Wish] = deque()
        self._writing = False  # whether somebody is
        self._lock = threading.Lock()

    def write(self, work: Callable[[Connection], Found], order: str) -> Found:
        """What `work` returns, once all that it wrote is committed; or raises what it raised.

        `work` may be called twice: if another one's fails, nothing of either is kept, and each is
        tried alone. By `order` those of one transaction are sorted, so that two processes lock
        what they share in the same order.
        """
        wish = _Wish(work, order)
        with self._lock:
            self._waiting.append(wish)
            waits, self._writing = self._writing, True
        if waits:
            wish.gate.acquire()
        if not wish.done:
            self._write_for_all()
        if wish.error is not None:
            raise wish.error
        found: Found = wish.found
        return found

    def _write_for_all(self) -> None:
        """What waits, in one transaction; then it is the turn of whoever has come since."""
        with self._lock:
            count = min(len(self._waiting), MOST)
            wishes = [self._waiting.popleft() for _ in range(count)]
        try:
            self._grant(sorted(wishes, key=lambda each: each.order))
        finally:
            with self._lock:
                self._writing = bool(self._waiting)
                wishes += islice(self._waiting, 1)
            for wish in wishes:
                wish.gate.release()

    def _grant(self, wishes: Sequence[_Wish]) -> None:
        error: BaseException | None = None
        try:
            with self._begin() as db:
                for wish in wishes:
                    wish.found = wish.work(db)
        except OperationalError as away:  # it would be away for each of them
            error = away
        except BaseException as failed:  # noqa: BLE001 - whoever wants it written is told
            if len(wishes) > 1:
                for wish in wishes:
                    self._grant([wish])
                return
            error = failed
        for wish in wishes:
            wish.error, wish.done = error, True
