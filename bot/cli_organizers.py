"""The command `consulta organizer`: accounts for the organizers' pages."""

from __future__ import annotations

import json
import secrets
import sys

import click

from bot import settings as settings_module
from bot import wiring
from bot.cli_errors import Failure, told
from bot.timing import now
from storage import organizers
from storage.database import reading, writing


@click.group()
def organizer() -> None:
    """Accounts: who may open the organizers' pages."""


@organizer.command("add")
@click.argument("email")
@click.option("--role", type=click.Choice(organizers.ROLES), default="organizer")
@click.option("--name", default="", help="How the pages greet them.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@told
def add(*, email: str, role: str, name: str, password_stdin: bool, as_json: bool) -> None:
    """Open an account. Without --password-stdin a password is made up and printed once."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else secrets.token_urlsafe(15)
    try:
        with wiring.opened(settings_module.read()) as engine, writing(engine) as db:
            made = organizers.add(db, email, name, role, password, now())
            organizers.note(db, "consola", "abrió una cuenta", f"{made.email} ({role})", now())
    except organizers.AccountError as error:
        raise Failure(str(error)) from None
    shown = {"email": made.email, "role": made.role, "name": made.name}
    if not password_stdin:
        shown["password"] = password
    lines = "\n".join(f"{key}: {value}" for key, value in shown.items())
    click.echo(json.dumps(shown, ensure_ascii=False) if as_json else lines)


@organizer.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@told
def list_(*, as_json: bool) -> None:
    """Every account, and when it was last used."""
    with wiring.opened(settings_module.read()) as engine, reading(engine) as db:
        found = organizers.everybody(db)
    rows = [
        {
            "email": each.email,
            "name": each.name,
            "role": each.role,
            "totp": each.totp,
            "signed_in_at": each.signed_in_at.isoformat() if each.signed_in_at else None,
            "open": each.closed_at is None,
        }
        for each in found
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
    for row in [] if as_json else rows:
        click.echo(f"{row['email']}  {row['role']}  {'' if row['open'] else 'closed'}".rstrip())
