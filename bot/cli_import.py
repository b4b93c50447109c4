"""The command that takes in what ODK or KoboToolbox collected offline."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import SystemRandom

import click
from sqlalchemy import Connection

from bot import collected, importing, stores, wiring
from bot import settings as settings_module
from bot.cli_errors import Failure, told
from bot.importing import Imported
from bot.stores import Store
from bot.timing import now
from dialogs import submissions, tables
from dialogs.questions import Script
from storage import database, forms


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--form", "name", required=True, help="The published questionnaire's name.")
@click.option("--version", type=int, help="Its version; else the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@told
def import_submissions(file: Path, name: str, version: int | None, *, as_json: bool) -> None:
    """Take in submissions (CSV, XLSX, OpenRosa XML; a folder or zip of them); exit 1 if some were
    set aside."""
    if not file.exists():
        raise Failure(f"{file}: there is no such file.")
    settings = settings_module.read()
    with wiring.opened(settings) as engine, database.writing(engine) as db:
        number = version or forms.newest(db, name)
        if number is None:
            raise Failure(f"No questionnaire {name} has been published. Publish it first.")
        script = forms.load(db, name, number)
        with collected.unpacked(file) as parts:
            results = [_take(db, part, script, stores.of(settings)) for part in parts]
    result = importing.together(results)
    if result.rejected:
        aside = file.with_name(f"{file.stem}.rejected.csv")
        importing.set_aside(result.rejected, aside)
        click.echo(
            f"{aside}: {len(result.rejected)} set aside. Correct them there, and import that file.",
            err=True,
        )
    for missing in result.missing:
        click.echo(f"{missing}: no such recording or photo beside the file.", err=True)
    counts = {"taken": result.taken, "repeated": result.repeated, "rejected": len(result.rejected)}
    if as_json:
        further = {"unknown_columns": list(result.unknown), "missing_files": list(result.missing)}
        click.echo(json.dumps({**counts, **further}))
    else:
        click.echo(", ".join(f"{what}: {count}" for what, count in counts.items()))
    sys.exit(1 if result.rejected else 0)


def _take(db: Connection, file: Path, script: Script, media: Store) -> Imported:
    """Take in one file, and tell what is wrong with its rows."""
    try:
        found = submissions.read(file, script)
    except tables.TableError as error:
        raise Failure(f"{file}: {error}") from None
    beside = collected.beside(file, media)
    result = importing.take(db, script, found, now(), SystemRandom(), beside)
    for held in result.rejected:
        click.echo(
            f"{file}, row {held.submission.row}: {' '.join(map(str, held.faults))}", err=True
        )
    return result
