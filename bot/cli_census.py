"""The command `consulta census`: the population with which those who answer are compared."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from bot import age_files
from bot.cli_forums import as_json, explained, office, tell
from storage import ages


@click.group()
def census() -> None:
    """The population with which those who answer are compared."""


@census.command("ages")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--source", help="Where it is from, as the page says it; else the file's name.")
@as_json
@explained
def census_ages(file: Path | None, source: str | None, *, as_json: bool) -> None:
    """Take the population by age in FILE (CSV: age,men,women or age,people) instead of the one
    there was; without FILE, show it. Single years of age fit any questionnaire.
    """
    with office(changes=file is not None) as (db, _, _s):
        if file is not None:
            ages.replace(db, age_files.read(file), source or file.name)
        rows, told = ages.read(db)
    rows, told = (rows, told) if rows else (age_files.shipped(), age_files.SHIPPED)
    lines = [f"{told}: {sum(row.people for row in rows):,} people"]
    for row in rows:
        until = "and older" if row.end is None else f"to {row.end}"
        parted = "" if row.men is None else f" ({row.men:,} men, {row.women:,} women)"
        lines.append(f"  {row.start} {until}: {row.people:,}{parted}")
    found = {"source": told, "rows": [asdict(row) for row in rows]}
    tell(found, "\n".join(lines), as_json=as_json)
