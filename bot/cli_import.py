"""The command that takes in what ODK or KoboToolbox collected offline."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import SystemRandom

import click

from bot import collected, importing, wiring
from bot import settings as settings_module
from bot.cli_errors import Failure, told
from bot.delivery import now
from dialogs import submissions, tables
from storage import database, forms


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--form", "name", required=True, help="The published questionnaire's name.")
@click.option("--version", type=int, help="Its version; else the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@told
def import_submissions(file: Path, name: str, version: int | None, *, as_json: bool) -> None:
    """Take in submissions (CSV, XLSX, OpenRosa XML); exit 1 if some were set aside."""
    if not file.is_file():
        raise Failure(f"{file}: there is no such file.")
    settings = settings_module.read()
    with wiring.opened(settings) as engine, database.writing(engine) as db:
        number = version or forms.newest(db, name)
        if number is None:
            raise Failure(f"No questionnaire {name} has been published. Publish it first.")
        script = forms.load(db, name, number)
        try:
            found = submissions.read(file, script)
        except tables.TableError as error:
            raise Failure(f"{file}: {error}") from None
        beside = collected.beside(file, settings.data / "media")
        result = importing.take(db, script, found, now(), SystemRandom(), beside)
    for held in result.rejected:
        row = held.submission.row
        click.echo(f"{file}, row {row}: {'; '.join(held.faults)}", err=True)
    if result.rejected:
        aside = file.with_name(f"{file.stem}.rejected.csv")
        importing.set_aside(result.rejected, aside)
        click.echo(
            f"{aside}: {len(result.rejected)} set aside. Correct them there, and import that file.",
            err=True,
        )
    for name in result.missing:
        click.echo(f"{name}: no such recording or photo beside the file.", err=True)
    counts = {"taken": result.taken, "repeated": result.repeated, "rejected": len(result.rejected)}
    if as_json:
        further = {"unknown_columns": list(result.unknown), "missing_files": list(result.missing)}
        click.echo(json.dumps({**counts, **further}))
    else:
        click.echo(", ".join(f"{what}: {count}" for what, count in counts.items()))
    sys.exit(1 if result.rejected else 0)
