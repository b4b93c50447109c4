"""The command `consulta notice`: the privacy notice and its versions."""

from __future__ import annotations

from pathlib import Path

import click

from bot import settings as settings_module
from bot import wiring
from bot.cli_errors import Failure, told
from bot.cli_forums import as_json, tell
from bot.timing import now
from dialogs.notices import NoticeError
from storage import notices
from storage.database import reading, writing


@click.group()
def notice() -> None:
    """The privacy notice: every version stays, and consents name theirs."""


@notice.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@told
def publish(file: Path) -> None:
    """Make FILE (TOML, as `show` prints it) the notice in force."""
    try:
        with wiring.opened(settings_module.read()) as engine, writing(engine) as db:
            made = notices.publish(db, file.read_bytes(), now())
    except NoticeError as error:
        raise Failure("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from None
    click.echo(f"version {made.version}, sha256 {made.sha256}")
    for name in made.notice.missing:
        click.echo(f"{file}: [values] {name} is still empty.", err=True)


@notice.command("list")
@as_json
@told
def list_(*, as_json: bool) -> None:
    """Every version, the newest first."""
    with wiring.opened(settings_module.read()) as engine, reading(engine) as db:
        found = notices.all_(db)
    rows = [
        {"version": each.version, "published_at": each.at.isoformat(), "sha256": each.sha256,
         "missing": each.notice.missing}
        for each in found
    ]  # fmt: skip
    lines = [f"{row['version']}  {row['published_at']}  {row['sha256']}" for row in rows]
    tell(rows, "\n".join(lines), as_json=as_json)


@notice.command("show")
@click.argument("version", type=int, required=False)
@told
def show(version: int | None) -> None:
    """The file of a version (default: the one in force), to be changed and published anew."""
    with wiring.opened(settings_module.read()) as engine, reading(engine) as db:
        content = notices.content(db, version)
    if content is None:
        raise Failure(f"There is no notice {version}. `consulta notice list` shows them.")
    click.echo(content.decode("utf-8"), nl=False)
