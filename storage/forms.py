"""Published questionnaires: a version never changes, and a conversation ends on its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, func, insert, or_, select, update

from dialogs import datasets, script
from dialogs.script import Script
from storage import schema
from storage.prepared import Prepared

forms, form_files = schema.forms, schema.form_files


def publish(
    db: Connection, path: Path, at: datetime, *, state: str = "open", front: bool = False
) -> Script:
    """Store a questionnaire and what lies beside it as a new version. Raises ScriptError."""
    found = script.read(path)
    newest = select(func.max(forms.c.version)).where(forms.c.name == found.name)
    version = (db.scalar(newest) or 0) + 1
    if front:
        db.execute(update(forms).values(front=False))
    db.execute(
        insert(forms).values(
            name=found.name,
            version=version,
            state=state,
            front=front,
            file=path.name,
            published_at=at,
            drafts_accepted=found.drafts,
        )
    )
    for name, content in _files(path, found).items():
        values = {"form": found.name, "version": version, "file": name, "content": content}
        db.execute(insert(form_files).values(values))
    return load(db, found.name, version)


def _files(path: Path, found: Script) -> Mapping[str, bytes]:
    """The questionnaire, and the tables that it names."""
    beside = {
        other.name: other.read_bytes()
        for other in path.parent.iterdir()
        if other.suffix.lower() in datasets.SUFFIXES and datasets.stem(other.name) in found.tables
    }
    return {path.name: path.read_bytes(), **beside}


def again(db: Connection, name: str, version: int, at: datetime, *, state: str) -> int:
    """Publish the files of a version once more, in another state: the pilot becomes the real one.

    It begins for newcomers if the earlier one did, or if nothing else does.
    """
    one = (form_files.c.form == name, form_files.c.version == version)
    found = db.execute(select(form_files.c.file, form_files.c.content).where(*one)).all()
    row = db.execute(
        select(forms).where(forms.c.name == name, forms.c.version == version)
    ).one_or_none()
    if row is None:
        raise LookupError(f"No questionnaire {name}, version {version}, has been published.")
    newest = db.scalar(select(func.max(forms.c.version)).where(forms.c.name == name)) or 0
    begins = row.front or row.state == "closed" or front(db) is None
    if begins:
        db.execute(update(forms).values(front=False))
    values = {**row._mapping, "version": newest + 1, "state": state, "published_at": at}
    db.execute(insert(forms).values({**values, "front": begins}))
    for file in found:
        copied = {"form": name, "version": newest + 1, "file": file.file, "content": file.content}
        db.execute(insert(form_files).values(copied))
    return newest + 1


def files(db: Connection, name: str, version: int, folder: Path) -> Path:
    """Lay the files of a version into a folder; the path of the questionnaire among them.

    Raises LookupError if there is no such version.
    """
    one = (forms.c.name == name, forms.c.version == version)
    main = db.scalar(select(forms.c.file).where(*one))
    if main is None:
        raise LookupError(f"No questionnaire {name}, version {version}, has been published.")
    columns = select(form_files.c.file, form_files.c.content)
    for file in db.execute(
        columns.where(form_files.c.form == name, form_files.c.version == version)
    ):
        Path(folder, file.file).write_bytes(file.content)
    return Path(folder, main)


def close(db: Connection, name: str, notice: Path, at: datetime) -> None:
    """Let nobody new begin: they are told so by a questionnaire that only says it.

    One with which newcomers do not begin needs no such notice. Conversations that run go on to
    their end.
    """
    begins, last = front(db), newest(db, name)
    which = or_(forms.c.front, forms.c.version == last)
    db.execute(update(forms).where(forms.c.name == name, which).values(state="closed"))
    if begins and begins[0] == name:
        publish(db, notice, at, front=True)


def load(db: Connection, name: str, version: int) -> Script:
    """A published version, ready to be walked. Raises LookupError if there is none."""
    with TemporaryDirectory() as folder:
        path = files(db, name, version, Path(folder))
        state = select(forms.c.state).where(forms.c.name == name, forms.c.version == version)
        pilot = db.scalar(state) == "pilot"
        return script.read(path, name=name, version=version, pilot=pilot)


def front(db: Connection) -> tuple[str, int] | None:
    """The questionnaire that begins when somebody writes for the first time."""
    rows = FRONT.run(db, {})
    return (rows[0].name, rows[0].version) if rows else None


FRONT = Prepared(
    select(forms.c.name, forms.c.version)
    .where(forms.c.front)
    .order_by(forms.c.version.desc())
    .limit(1)
)


def opening(db: Connection) -> tuple[str, int]:
    """As `front`, for whoever needs one. Raises LookupError if none is open."""
    found = front(db)
    if found is None:
        raise LookupError("No questionnaire is open. Publish one: consulta form publish FILE")
    return found


def way(name: str) -> str:
    """The code in links that leads to a questionnaire."""
    return re.sub(r"[^\w-]", "_", name.casefold(), flags=re.ASCII)[:40]


def ways(db: Connection) -> dict[str, tuple[str, int, str]]:
    """Every code that leads to a questionnaire: its name, newest version and state."""
    rows = db.execute(
        select(forms.c.name, forms.c.version, forms.c.state).order_by(forms.c.version)
    )
    return {way(row.name): (row.name, row.version, row.state) for row in rows}


def newest(db: Connection, name: str) -> int | None:
    """The newest version of a questionnaire."""
    found: int | None = db.scalar(select(func.max(forms.c.version)).where(forms.c.name == name))
    return found
