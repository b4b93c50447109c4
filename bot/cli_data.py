"""Data out, and people's rights over theirs: `consulta export`, `consulta person`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from bot import erasure, rights, stores, wiring
from bot import exports as writing_out
from bot import report as systematization
from bot import settings as settings_module
from bot.cli_errors import Failure, told
from bot.timing import now
from dialogs.tables import inert
from storage import database, erasing
from storage.people import Person


@click.command()
@click.option("--format", "format_", type=click.Choice(writing_out.FORMATS), default="csv")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the files made as a list.")
@told
def export(format_: str, folder: Path, *, as_json: bool) -> None:
    """Write the answers into FOLDER, under pseudonyms."""
    settings = settings_module.read()
    with wiring.opened(settings) as engine, database.reading(engine) as db:
        made = writing_out.write(db, wiring.library(engine, settings), format_, folder, now())
    names = [str(path) for path in made]
    click.echo(json.dumps(names) if as_json else "\n".join(names))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@told
def report(file: Path) -> None:
    """Write the systematization document: FILE.html or FILE.md."""
    settings = settings_module.read()
    with wiring.opened(settings) as engine, database.reading(engine) as db:
        systematization.write(db, wiring.library(engine, settings), file, now())
    click.echo(str(file))


@click.group()
def person() -> None:
    """What is known of a person: hand it over, or remove it.

    ADDRESS is telegram:CHAT_ID, whatsapp:+NUMBER, or a folio such as K7M-42F.
    """


@person.command("export")
@click.argument("address")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@told
def person_export(address: str, file: Path) -> None:
    """Everything that is stored of a person, as JSON, or CSV if FILE ends with .csv."""
    settings = settings_module.read()
    with wiring.opened(settings) as engine, database.reading(engine) as db:
        found = find(db, address)
        known = rights.known(db, found)
    if file.suffix == ".csv":
        _write_csv(file, known["answers"])
    else:
        file.write_text(json.dumps(known, ensure_ascii=True, indent=1, default=str) + "\n")
    click.echo(f"{file}: {len(known['answers'])} answers")


@person.command("forget")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask back.")
@told
def person_forget(address: str, *, yes: bool) -> None:
    """Remove a person: identity, words and voice. This cannot be undone."""
    settings = settings_module.read()
    with wiring.opened(settings) as engine:
        with database.reading(engine) as db:
            found = find(db, address)
        if not yes:
            click.confirm(f"Remove everything of {address} for good?", abort=True)
        with database.writing(engine) as db:
            done = erasing.erase(db, found.id, now())
        erasure.finish(engine, settings.data, stores.of(settings), now())
    click.echo(f"{address}: removed, under the folio {done.folio}")


def find(db: Connection, address: str) -> Person:
    """The person with this address or folio. Raises Failure if nobody is known by it."""
    found = rights.by_address(db, address)
    if found is None:
        raise Failure(
            f"{address}: nobody is known by this. "
            "Give telegram:CHAT_ID, whatsapp:+NUMBER or a folio."
        )
    return found


def _write_csv(file: Path, rows: list[dict[str, Any]]) -> None:
    columns = ("form", "version", "question", "value", "said", "language", "channel", "at", "media")
    with file.open("w", encoding="utf-8", errors="replace", newline="") as opened:
        writer = csv.DictWriter(opened, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: inert(row.get(name)) for name in columns} for row in rows)
