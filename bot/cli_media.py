"""The command `consulta media`: people's recordings and the files of questionnaires."""

from __future__ import annotations

import click

from bot import settings as settings_module
from bot import stores
from bot.cli_errors import told


@click.group()
def media() -> None:
    """Recordings and pictures: in a folder, or wherever CONSULTA_MEDIA says."""


@media.command("copy")
@click.argument("place")
@click.option("--exact", is_flag=True, help="Remove what only PLACE has.")
@told
def copy(place: str, *, exact: bool) -> None:
    """Copy every file, sealed as it is, to PLACE: a folder, or a URL such as s3://bucket/folder.

    To move: copy, set CONSULTA_MEDIA to PLACE, start the program again, copy once more.
    """
    number = stores.copy(stores.of(settings_module.read()), stores.at(place), exact=exact)
    click.echo(f"{number} files")
