"""`consulta forum …`: forums, who comes to them, and what is sent back to them."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from random import SystemRandom
from typing import Any

import click
import segno
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from bot import forum_files, forum_words, invitations, region_files, timing, ways, wiring
from bot import settings as settings_module
from bot.cli_data import find
from bot.cli_errors import Failure, told
from bot.forum_files import ForumFileError
from bot.invitations import PlanError
from bot.settings import Settings
from bot.timing import now
from dialogs.asking import Library
from storage import forums, people, regions, segments
from storage.database import reading, writing
from storage.forums import Forum
from storage.segments import SegmentError

FILE = click.Path(dir_okay=False, path_type=Path)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def explained(command: Callable[..., Any]) -> Callable[..., Any]:
    """As `told`, and also what forums and invitations refuse; faults of a file are exit 1."""

    @told
    @wraps(command)
    def run(*given: Any, **options: Any) -> Any:
        try:
            return command(*given, **options)
        except ForumFileError as error:
            click.echo(str(error), err=True)
            sys.exit(1)
        except (PlanError, SegmentError) as error:
            raise Failure(str(error)) from None

    return run


@contextmanager
def office(*, changes: bool = False) -> Iterator[tuple[Connection, Library, Settings]]:
    """The database, in one transaction, and the questionnaires."""
    settings = settings_module.read()
    with wiring.opened(settings) as engine:
        opened = writing(engine) if changes else reading(engine)
        with opened as db:
            yield db, wiring.library(engine, settings), settings


def tell(found: Any, words: str, *, as_json: bool) -> None:
    """Print a result, for a program or for a person."""
    click.echo(json.dumps(found, ensure_ascii=False, default=str) if as_json else words)


@click.group()
def forum() -> None:
    """Forums: add, change, cancel; who comes; the door, the thanks, the conclusions.

    FORUM is the number or the name of one.
    """


@forum.command("add")
@click.argument("file", type=FILE)
@as_json
@explained
def forum_add(file: Path, *, as_json: bool) -> None:
    """Keep the forum in FILE (TOML), with its reminders and its thanks."""
    with office(changes=True) as (db, library, _):
        plan = forum_files.read(file, invitations.catalogue(db, library).places)
        rng = SystemRandom()
        codes = people.code(rng, 16).lower(), people.code(rng, 6)
        made = invitations.open_forum(db, plan, codes, now())
    tell({"forum": made.id}, f"forum {made.id}: {_line(made)}", as_json=as_json)


def _line(one: Forum) -> str:
    called_off = " (cancelled)" if one.state == "cancelled" else ""
    return f"{one.plan.name}, {timing.shown(one.plan.starts_at)}{called_off}"


@forum.command("change")
@click.argument("name", metavar="FORUM")
@click.argument("file", type=FILE)
@as_json
@explained
def forum_change(name: str, file: Path, *, as_json: bool) -> None:
    """Take what FILE says instead; those who had answered are told of another time or place."""
    with office(changes=True) as (db, library, _):
        before = forums.named(db, name)
        plan = forum_files.read(file, invitations.catalogue(db, library).places)
        after = invitations.change_forum(db, before, plan, now())
        heard = bool(forum_words.difference(before.plan, after.plan))
    words = "those who had answered are told" if heard else "nobody has to be told"
    tell({"forum": after.id, "told": heard}, f"{_line(after)}: {words}", as_json=as_json)


@forum.command("cancel")
@click.argument("name", metavar="FORUM")
@click.option("--yes", is_flag=True, help="Do not ask back.")
@as_json
@explained
def forum_cancel(name: str, *, yes: bool, as_json: bool) -> None:
    """Call it off: invitations stop, and those who had answered are told."""
    with office(changes=True) as (db, _, _s):
        found = forums.named(db, name)
        if not yes and not as_json:
            click.confirm(f"Call off {_line(found)}?", abort=True)
        invitations.cancel_forum(db, found, now())
    words = f"{found.plan.name}: cancelled; those who had answered are told"
    tell({"forum": found.id, "state": "cancelled"}, words, as_json=as_json)


@forum.command("list")
@as_json
@explained
def forum_list(*, as_json: bool) -> None:
    """Every forum, in the order in which they take place."""
    with office() as (db, _, _s):
        found = [(one, forums.attendance(db, one.id)) for one in forums.all_(db)]
    if as_json:
        click.echo(json.dumps([_known(*pair) for pair in found], ensure_ascii=False))
        return
    table = Table("id", "name", "kind", "when", "where", "yes", "seats", "state")
    for one, counts in found:
        plan = one.plan
        row = (one.id, plan.name, plan.kind, timing.shown(plan.starts_at), forum_words.where(plan))
        seats = plan.capacity or "–"
        table.add_row(*map(str, (*row, counts["yes"] + counts["companions"], seats, one.state)))
    Console().print(table)


def _known(one: Forum, counts: Mapping[str, int]) -> dict[str, Any]:
    plan = one.plan
    return {
        "forum": one.id,
        "name": plan.name,
        "kind": plan.kind,
        "state": one.state,
        "start": plan.starts_at.isoformat(),
        "end": plan.ends_at.isoformat(),
        "capacity": plan.capacity,
        "title": dict(plan.title),
        "description": dict(plan.description),
        "place": {key: value for key, value in asdict(plan.place).items() if value},
        "door": one.door,
        "attendance": dict(counts),
    }


@forum.command("show")
@click.argument("name", metavar="FORUM")
@as_json
@explained
def forum_show(name: str, *, as_json: bool) -> None:
    """One forum: what is said of it, who comes, what they need, and the code at its door."""
    with office() as (db, _, settings):
        found = forums.named(db, name)
        known = _known(found, forums.attendance(db, found.id))
        known["needs"] = people.needs_of_guests(db, found.id)
        known["calendar"] = str(forum_words.links(settings.address, found)["ics"])
    lines = [forum_words.heading(found.plan, "es"), f"door: {found.door}", known["calendar"]]
    counts = {**known["attendance"], **known["needs"]}
    lines.append(", ".join(f"{key}: {number}" for key, number in counts.items()))
    tell(known, "\n".join(lines), as_json=as_json)


@forum.command("attendance")
@click.argument("name", metavar="FORUM")
@as_json
@explained
def forum_attendance(name: str, *, as_json: bool) -> None:
    """How many come, do not come, may come or wait, and who comes along."""
    with office() as (db, _, _s):
        counts = forums.attendance(db, forums.named(db, name).id)
    there = counts.pop("attended")
    words = ", ".join(f"{key}: {number}" for key, number in counts.items())
    tell(counts, f"{words}; were there: {there}", as_json=as_json)


@forum.command("attend")
@click.argument("name", metavar="FORUM")
@click.argument("addresses", nargs=-1, metavar="ADDRESS…")
@click.option("--list", "file", type=FILE, help="A file with an ADDRESS a line.")
@as_json
@explained
def forum_attend(
    name: str, addresses: tuple[str, ...], file: Path | None, *, as_json: bool
) -> None:
    """Take attendance by a list: ADDRESS is telegram:…, whatsapp:+… or a folio.

    Whoever is not known is told and left out; the others are noted all the same.
    """
    listed = file.read_text(encoding="utf-8-sig").split("\n") if file else []
    given = [each.strip() for each in (*addresses, *listed) if each.strip()]
    if not given:
        raise Failure("Say who was there: an ADDRESS or more, or --list FILE.")
    new, unknown = 0, []
    with office(changes=True) as (db, _, _s):
        found, at = forums.named(db, name), now()
        for each in given:
            try:
                new += invitations.arrive(db, found.id, find(db, each).id, at)
            except Failure as failure:
                unknown.append(failure.message)
        there = forums.attendance(db, found.id)["attended"]
    tell({"attended": there}, f"{new} more, {there} in all", as_json=as_json)
    for problem in unknown:
        click.echo(problem, err=True)
    if unknown:
        sys.exit(1)


@forum.command("qr")
@click.argument("name", metavar="FORUM")
@click.argument("file", type=FILE)
@click.option("--bot", help="The bot's name in t.me links, without @: a scan then opens the chat.")
@as_json
@explained
def forum_qr(name: str, file: Path, bot: str | None, *, as_json: bool) -> None:
    """The QR code for the door (SVG or PNG): whoever scans it and sends it is there."""
    with office() as (db, _, settings):
        found = forums.named(db, name)
        number = settings.whatsapp_from
    found_links = links(f"puerta-{found.door}", f"aqui {found.door}", bot, number)
    link = next(iter(found_links.values()))
    segno.make(link, error="m").save(str(file), scale=10)
    tell({"link": link, "file": str(file)}, f"{file}: {link}", as_json=as_json)


def links(start: str, words: str, bot: str | None, whatsapp: str) -> Mapping[str, str]:
    """The links of each channel that is named."""
    try:
        found = ways.links(start, words, bot or "", whatsapp)
    except ValueError as error:
        raise Failure(f"No such link can be made: {error}") from None
    if not found:
        raise Failure("Say which bot: --bot NAME; or set CONSULTA_WHATSAPP_FROM.")
    return found


@forum.command("conclusions")
@click.argument("name", metavar="FORUM")
@click.argument("file", type=FILE)
@as_json
@explained
def forum_conclusions(name: str, file: Path, *, as_json: bool) -> None:
    """Send the conclusions to those who were there. FILE: es and yua in TOML, or plain text."""
    text = file.read_text(encoding="utf-8")
    try:
        words = tomllib.loads(text) if file.suffix == ".toml" else {"es": text.strip()}
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"{file}: this is no TOML ({error}). Correct it.") from None
    if not words.get("es"):
        raise Failure(f'{file}: there are no Spanish words. Write: es = "…"')
    with office(changes=True) as (db, _, _s):
        made = invitations.conclude(db, forums.named(db, name), words, now())
    tell({"invitation": made}, f"planned: consulta invite status {made}", as_json=as_json)


@forum.command("role")
@click.argument("address")
@click.argument("role", type=click.Choice(segments.ROLES))
@explained
def forum_role(address: str, role: str) -> None:
    """Note what somebody is, so that a segment may say role = specialist."""
    with office(changes=True) as (db, _, _s):
        people.learn(db, find(db, address).id, "role", role)
    click.echo(f"{address}: {role}")


@forum.command("regions")
@click.argument("file", type=FILE, required=False)
@as_json
@explained
def forum_regions(file: Path | None, *, as_json: bool) -> None:
    """Take the regions in FILE (CSV: municipality,region) instead of those there were; without
    FILE, list them. A segment may then say region = NAME."""
    with office(changes=file is not None) as (db, library, _):
        if file is not None:
            places = invitations.catalogue(db, library).places
            regions.replace(db, region_files.read(file, places))
        found = {name: len(codes) for name, codes in regions.all_(db).items()}
    lines = [f"{name}: {count} municipalities" for name, count in found.items()]
    tell(found, "\n".join(lines) or "There are no regions yet.", as_json=as_json)
