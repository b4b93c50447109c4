"""What is in the air: notes in a file that outlives its writer, for whoever comes after a kill.

Before an invitation goes out, the database knows that it will; what became of it is written with
the next round. What a killed process knew in between is gone with it, but not what it had put in a
file: a note costs two microseconds. Whoever finds the notes of a dead process knows which of its
invitations were taken, which never left, and which were under way; only these are uncertain.
If the machine itself dies, so do the notes, and the ledger alone decides.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from storage import receipts
from storage.database import writing
from storage.receipts import Flight

LINE = re.compile(r"(handed|begun|taken|asked|kept) (\d+)(?: ([^\s!]+))?\n")
TORN = b"!\n"  # ends half a line, so that it is none
LARGEST = 1_000_000  # bytes of a file: what is in it has long been written when the next is full


class Flights:
    """The notes of this process; the files are locked for as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: list[int] = []  # the file before, and the one that is written to
        self._size = 0
        self._torn = False  # whether the last line may have been written by half
        self._writing = threading.Lock()  # the ledger is written in threads of its own

    def handed(self, ids: Iterable[int], at: datetime) -> bool:
        """These will go out: written before the database is told the same moment.

        False if it could not be noted (the disk is full): then they must not go out.
        """
        return self._write("".join(f"handed {id_} {at.isoformat()}\n" for id_ in ids))

    def begun(self, id_: int) -> bool:
        """It goes out now. False if that could not be noted: then it must not."""
        return self._write(f"begun {id_}\n")

    def taken(self, id_: int, provider_id: str) -> None:
        self._write(f"taken {id_} {provider_id}\n")

    def asked(self, id_: int, provider_id: str) -> None:
        """The template was taken that asks whether it is wanted."""
        self._write(f"asked {id_} {provider_id}\n")

    def kept(self, id_: int) -> None:
        """It certainly did not go out."""
        self._write(f"kept {id_}\n")

    def close(self) -> None:
        """End as a killed process would: the notes stay, their lock does not."""
        for each in self._open:
            os.close(each)
        self._open, self._size = [], 0

    def _write(self, lines: str) -> bool:
        """Whether all of it was written; half a line is marked as such by what comes next."""
        with self._writing, suppress(OSError):
            if not self._open or self._size > LARGEST:
                self._open = [*self._open[-1:], self._next()]
                self._size = 0
            content = (TORN if self._torn else b"") + lines.encode()
            self._torn = True
            written = os.write(self._open[-1], content)
            self._size += written
            self._torn = written < len(content)
            return not self._torn
        return False

    def _next(self) -> int:
        """A new file; what is in the one before the last has long been written in the ledger."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if len(self._open) > 1:
            os.close(self._open[0])
        while True:
            made = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}.notes"
            file = os.open(made, os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            if made.exists():  # else somebody had taken it for a dead one's before it was locked
                return file
            os.close(file)


def settle(engine: Engine, folder: Path) -> int:
    """Write what the notes of the dead say, and remove them; how many invitations that were."""
    count = 0
    for path, found in _left_behind(folder):
        with writing(engine) as db:
            count += sum(receipts.landed(db, flight) for flight in found)
        path.unlink(missing_ok=True)
    return count


def _left_behind(folder: Path) -> Iterator[tuple[Path, list[Flight]]]:
    """The files that nobody has locked, each with what it says; locked while it is looked at."""
    for path in sorted(folder.glob("*.notes")):
        with suppress(FileNotFoundError), path.open(encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its writer lives
            yield path, read(file.read())


def read(text: str) -> list[Flight]:
    """The last that was noted of each; half a line says nothing."""
    found: dict[int, Flight] = {}
    for line in text.splitlines(keepends=True):
        if (noted := LINE.fullmatch(line)) is None:
            continue
        word, id_, rest = noted[1], int(noted[2]), noted[3] or ""
        if word == "handed":
            found[id_] = Flight(id_, datetime.fromisoformat(rest))
        elif id_ in found:
            known = found[id_]
            found[id_] = Flight(id_, known.handed_at, word, rest)
    return list(found.values())
