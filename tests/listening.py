"""What is said while a test runs, held against what must not be there: logs as they would be
printed, what processes of ours write to their outputs, and what PostgreSQL writes to its log."""

from __future__ import annotations

import atexit
import logging
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import BinaryIO

from bot import logs

SECRETS = {
    "una clave de prueba",
    *("9991112233", "999 111 22 33", "9999876543"),  # numbers, as people write them
    *("x0canary", "pozo-canario", "canariohalach", "Canariohalach"),  # answers and names
    "8000000000123",  # the id of a chat
}
_followed: list[BinaryIO] = []


def overheard(lines: Iterable[str]) -> list[str]:
    """The lines in which somebody or something stands that must not."""
    return [line for line in lines if any(secret in line for secret in SECRETS)]


class Ear(logging.Handler):
    """Hears what every logger says, with the program's own formatter."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logs.formatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@cache
def output() -> BinaryIO:
    """Where processes of ours are to write what they say: one file, which is followed."""
    with tempfile.NamedTemporaryFile(prefix="consulta-") as made:
        follow(Path(made.name))
        return _kept(Path(made.name).open("ab"))


def follow(path: Path) -> None:
    """Hear what is written into this file from now on, also once it has no name any more."""
    path.touch()
    _followed.append(_kept(path.open("rb")))


def _kept(file: BinaryIO) -> BinaryIO:
    """Open until the tests are over."""
    atexit.register(file.close)
    return file


def written() -> list[str]:
    """What was written since last asked."""
    return [line for file in _followed for line in file.read().decode(errors="replace").split("\n")]
