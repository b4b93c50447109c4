"""What follows an erasure once it is committed: files go, and it is written down elsewhere too.

The tombstones also stand in a file beside the database, erased.txt: an older copy of the database
that is put back learns from it whom to forget again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from bot.stores import Store
from storage import erasing
from storage.database import one_at_a_time, reading, wipe, writing
from storage.erasing import Tombstone

FILE = "erased.txt"


def finish(engine: Engine, data: Path, media: Store, now: datetime) -> None:
    """Remove the files of who was erased, write the tombstones down, let their addresses go."""
    with reading(engine) as db:
        if not erasing.unfinished(db):
            return
        names = erasing.files_to_remove(db)
    for name in names:
        media.remove(name)
    with writing(engine) as db:
        erasing.removed(db, names)
        gone = erasing.sweep(db, now)
        stones = erasing.unfiled(db)
        _write(data / FILE, stones)  # before the commit: written twice is better than never
    if gone or stones or names:
        wipe(engine)


def _write(path: Path, stones: list[Tombstone]) -> None:
    if not stones:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as file:
        for stone in stones:
            file.write(f"{stone.at.isoformat()} {stone.channel} {stone.who.hex()} {stone.folio}\n")
        file.flush()
        os.fsync(file.fileno())


def enforce(engine: Engine, data: Path, media: Store, now: datetime) -> int:
    """At the start: forget again whoever an older copy of the database has brought back.

    The database has the tombstones again at the very end: who is killed on the way begins anew.
    """
    if not (data / FILE).exists():
        return 0
    number = 0
    with one_at_a_time(engine):
        with reading(engine) as db:
            lost = erasing.lost(db, _read(data / FILE))
        if not lost:
            return 0
        after = -1
        while after:
            with writing(engine) as db:
                found, after = erasing.returned(db, lost, max(after, 0))
                for person_id in found:
                    erasing.erase(db, person_id, now)
            number += len(found)
        with writing(engine) as db:
            erasing.take_up(db, lost)
    finish(engine, data, media, now)
    return number


def _read(path: Path) -> Iterator[Tombstone]:
    """The lines of the file; one that broke off in the writing is passed over."""
    for line in path.read_text(encoding="ascii").splitlines():
        with suppress(ValueError):
            at, channel, who, folio = line.split()
            yield Tombstone(channel, bytes.fromhex(who), datetime.fromisoformat(at), folio)
