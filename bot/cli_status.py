"""`consulta status`: how the program is, from any machine that reaches its database."""

from __future__ import annotations

import json
import secrets
from typing import Any

import click

from bot import settings as settings_module
from bot import stores, wiring
from bot.cli_errors import told
from bot.settings import Settings
from bot.timing import now
from storage import database, health


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@told
def status(*, as_json: bool) -> None:
    """What is waiting, what failed, and which channels are on."""
    settings = settings_module.read()
    with wiring.opened(settings) as engine, database.reading(engine) as db:
        found = health.figures(db, now())
    channels = {"telegram": settings.telegram_on, "whatsapp": settings.whatsapp_on}
    found = {"channels": channels, "media": _media(settings), **found}
    click.echo(json.dumps(found) if as_json else "\n".join(_lines(found)))


def _media(settings: Settings) -> str:
    """Whether files can be kept: one is written, and removed."""
    store, name = stores.of(settings), f"status-{secrets.token_hex(8)}"
    try:
        store.write(name, b"")
        store.remove(name)
    except OSError as error:
        return error.strerror or str(error)
    return "writable"


def _lines(found: dict[str, Any]) -> list[str]:
    on = [name for name, is_on in found["channels"].items() if is_on]
    states = ", ".join(f"{count} {state}" for state, count in found["outbox"].items() if count)
    lines = [
        f"channels: {', '.join(on) or 'none has credentials'}",
        f"media: {found['media']}",
        f"people: {found['people']}",
        f"outbox: {states or 'nothing waits and nothing failed'}",
        f"oldest message due has waited: {found['oldest_due_seconds']} s",
        f"voice notes to fetch: {found['voices_to_fetch']}",
        f"messages failed by our own fault: {found['messages_failed_by_our_fault']}",
    ]
    if "workers" in found:
        ticking = "one of them ticks" if found["ticking"] else "nobody ticks"
        lines.append(f"workers: {found['workers']}, {ticking}")
    waits = found["senders_told_to_wait"].items()
    return lines + [f"{name} was told to wait until {until}" for name, until in waits]
