"""What both emulators keep: the calls that came, the faults in them, and what shall go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .server import Call

Failure = TypeVar("Failure")


@dataclass(slots=True)
class Rule(Generic[Failure]):
    matches: Callable[[Call], bool]
    left: float
    how: Failure


class Ledger(Generic[Failure]):
    """Safe from any thread; whoever holds `change` sees a state that stands still."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.faults: list[str] = []
        self.change = threading.Condition(threading.RLock())
        self.chance: Callable[[Call], Failure | None] = lambda _call: None  # after the rules
        self._rules: list[Rule[Failure]] = []

    def add(self, call: Call) -> None:
        with self.change:
            self.calls.append(call)
            self.faults += [f"{call.operation}: {fault}" for fault in call.faults]
            self.change.notify_all()

    def wait(self, until: Callable[[], object], timeout: float) -> None:
        with self.change:
            if not self.change.wait_for(until, timeout):
                told = [(call.operation, call.status) for call in self.calls]
                raise AssertionError(f"not so after {timeout} s; calls: {told}")

    def fail(self, how: Failure, matches: Callable[[Call], bool], times: int | None) -> None:
        left = float("inf") if times is None else times
        with self.change:
            self._rules.append(Rule(matches, left, how))

    def heal(self) -> None:
        with self.change:
            self._rules.clear()

    def due(self, call: Call) -> Failure | None:
        """How this call fails: by the first rule that fits and is not used up."""
        with self.change:
            for rule in self._rules:
                if rule.left > 0 and rule.matches(call):
                    rule.left -= 1
                    return rule.how
            return self.chance(call)
