"""The commands about facilitators, who capture for others in the chat."""

from __future__ import annotations

import json
from dataclasses import asdict
from random import SystemRandom

import click

from bot import settings as settings_module
from bot import wiring
from bot.cli_errors import Failure, told
from storage import database, facilitators, forms


@click.group()
def facilitator() -> None:
    """Facilitators: give a code, list, close."""


@facilitator.command("add")
@click.argument("name")
@click.option("--form", default="comunidades", show_default=True, help="What they capture with.")
@told
def facilitator_add(name: str, form: str) -> None:
    """A code for NAME. It is shown once: they write `facilitador CODE` in the chat."""
    with wiring.opened(settings_module.read()) as engine, database.writing(engine) as db:
        if forms.newest(db, form) is None:
            raise Failure(f"No questionnaire {form} has been published. Publish it first.")
        code = facilitators.add(db, name, form, SystemRandom())
    click.echo(f"facilitador {code[:4]}-{code[4:]}")


@facilitator.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@told
def facilitator_list(*, as_json: bool) -> None:
    """Who has a code."""
    with wiring.opened(settings_module.read()) as engine, database.reading(engine) as db:
        found = facilitators.every(db)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False))
    for each in () if as_json else found:
        click.echo(f"{each.name}: {each.form}")


@facilitator.command("close")
@click.argument("name")
@told
def facilitator_close(name: str) -> None:
    """NAME's codes work no more."""
    with wiring.opened(settings_module.read()) as engine, database.writing(engine) as db:
        closed = facilitators.close(db, name)
    if not closed:
        raise Failure(f"Nobody named {name} has a code. See: consulta facilitator list")
    click.echo(f"{name}: {closed}")
