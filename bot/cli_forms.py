"""The commands about questionnaires: check, show, try, translate, compare and publish."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bot import publishing, stores, wiring
from bot import settings as settings_module
from bot.cli_errors import FAULTS_FOUND, WRONG_USE, Failure, Faulty, told
from bot.cli_words import form_changes, form_link, form_tracker, words
from bot.timing import now
from dialogs import attachments, checking, columns, drawing, script, simulation, tables
from dialogs.checking import Checked
from dialogs.faults import Fault
from dialogs.questions import Script
from dialogs.script import Reading
from dialogs.tables import Workbook
from storage import database, forms, translating

FORM = click.Path(path_type=Path)


@click.group()
def form() -> None:
    """Questionnaires: check, show, try, translate, compare, publish."""


form.add_command(words)
form.add_command(form_changes)
form.add_command(form_link)
form.add_command(form_tracker)


@form.command("check")
@click.argument("files", nargs=-1, required=True, type=FORM)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@told
def form_check(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Every fault at once; exit 1 if there is one. Warnings are told and change nothing.

    A file that is not there or is no table is told among the others, and the exit is 2.
    """
    found = [(file, _checked(file)) for file in files]
    if as_json:
        reports = [_report(file, checked) for file, checked in found]
        click.echo(json.dumps(reports, ensure_ascii=False))
    else:
        for file, checked in found:
            _tell(file, checked)
    unreadable = any(checked.unreadable for _, checked in found)
    faulty = any(checked.faults for _, checked in found)
    sys.exit(WRONG_USE if unreadable else FAULTS_FOUND if faulty else 0)


def _checked(file: Path) -> Checked:
    try:
        return checking.check(file, now())
    except OSError as error:
        return checking.unopened(error)


def _there(file: Path) -> None:
    if not file.is_file():
        raise Failure(f"{file}: there is no such file.")


def _tell(file: Path, checked: Checked) -> None:
    for fault in checked.faults:
        click.echo(f"{file}, {fault}", err=True)
    for warning in checked.warnings:
        click.echo(f"{file}, {warning} (warning)", err=True)
    if checked.faults:
        click.echo(f"{file}: {_counted(checked.faults, 'fault')}")
        return
    few = f", {_counted(checked.warnings, 'warning')}" if checked.warnings else ""
    if walked := checked.walked:
        few += f"; about {walked.prompts:g} questions and {walked.minutes:.0f} minutes a person"
    click.echo(f"{file}: no faults{few}")


def _counted(found: Sequence[Fault], what: str) -> str:
    return f"{len(found)} {what}{'s' if len(found) != 1 else ''}"


def _report(file: Path, checked: Checked) -> dict[str, Any]:
    return {
        "file": str(file),
        "ok": not checked.faults,
        "faults": [_plain(fault) for fault in checked.faults],
        "warnings": [_plain(warning) for warning in checked.warnings],
    }


def _plain(fault: Fault) -> dict[str, Any]:
    names = ("sheet", "row", "column", "name", "problem", "cure")
    return {name: getattr(fault, name) for name in names}


def _read(file: Path) -> Script:
    _there(file)
    found = script.load(file)
    if found.script is None:
        raise _faulty(file, found)
    return found.script


def _faulty(file: Path, found: Reading | Checked) -> Failure:
    """Every fault in a line, as `form check` tells it."""
    told = "\n".join(f"{file}, {fault}" for fault in found.faults)
    return Failure(told) if found.unreadable else Faulty(told)


@form.command("show")
@click.argument("file", type=FORM)
@click.option("--language", default="es", help="In which language the labels are shown.")
@click.option("--svg", type=click.Path(path_type=Path), help="Write a drawing to this file.")
@told
def form_show(file: Path, language: str, svg: Path | None) -> None:
    """The questions as a tree: what is asked, when, and which choices there are."""
    found = _read(file)
    if svg is not None:
        svg.write_text(drawing.svg(found, language), encoding="utf-8")
        click.echo(f"{svg}")
        return
    Console().print(drawing.tree(found, language))


@form.command("simulate")
@click.argument("file", type=FORM)
@click.option("--people", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@told
def form_simulate(file: Path, people: int, seed: int, *, as_json: bool) -> None:
    """Let random people walk it: who ends, who is stuck, what nobody reaches; exit 1 if stuck."""
    result = simulation.simulate(_read(file), people, seed, now())
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False))
    else:
        for name, value in result.to_json().items():
            click.echo(f"{name.replace('_', ' ')}: {_listed(value)}")
    sys.exit(1 if result.dead_ends else 0)


def _listed(value: object) -> str:
    if isinstance(value, list | dict):
        return ", ".join(map(str, value)) or "none"
    return str(value)


# tables


@form.command("xlsx")
@click.argument("file", type=FORM)
@click.argument("out", type=click.Path(path_type=Path))
@told
def form_xlsx(file: Path, out: Path) -> None:
    """The questionnaire as a spreadsheet, for ODK, KoboToolbox and Excel."""
    _there(file)
    try:
        tables.to_xlsx(columns.for_odk(_whole(file)), out)
    except tables.TableError as error:
        raise Failure(f"{file}: {error}") from None
    click.echo(str(out))


@form.command("import")
@click.argument("file", type=FORM)
@click.argument("out", type=click.Path(path_type=Path))
@told
def form_import(file: Path, out: Path) -> None:
    """A spreadsheet as Markdown tables, which can be read and compared. Nothing is lost."""
    _there(file)
    try:
        book = columns.from_odk(_whole(file))
        out.write_text(tables.to_markdown(book), encoding="utf-8")
    except tables.TableError as error:
        raise Failure(f"{file}: {error}") from None
    click.echo(str(out))


def _whole(file: Path) -> Workbook:
    """Every sheet; what cannot be taken along is told, and what cannot be read is refused."""
    book = tables.read(file)
    unusable = [fault for name, sheet in book.items() for fault in script.unusable(name, sheet)]
    if unusable:
        raise Faulty("\n".join(f"{file}, {fault}" for fault in unusable))
    for name, sheet in book.items():
        for fault in script.left_out(name, sheet):
            click.echo(f"{file}, {fault}", err=True)
    return book


# publishing


@form.command("publish")
@click.argument("file", type=FORM)
@click.option("--accept-drafts", is_flag=True, help="Publish Maya that nobody has reviewed.")
@told
def form_publish(file: Path, *, accept_drafts: bool) -> None:
    """Make a new version of a questionnaire; running conversations end on theirs."""
    checked = _checked(file)
    if checked.faults or checked.script is None:
        raise _faulty(file, checked)
    found = checked.script
    if found.drafts and not accept_drafts:
        raise Failure(
            f"{file}: {found.drafts} texts in Maya are drafts that nobody has reviewed. "
            "Have them reviewed, or say so: --accept-drafts"
        )
    settings = settings_module.read()
    with wiring.opened(settings) as engine:
        try:
            publishing.keep(file.parent, found, stores.of(settings).within(stores.PUBLISHED))
        except FileExistsError as error:
            raise Failure(
                f"{error}: another file is already published by this name. "
                "Rename it, in the form too: a published version never changes."
            ) from None
        with database.writing(engine) as db:
            front = forms.front(db)
            first = front is None or front[0] == found.name
            published = forms.publish(db, file, now(), front=first)
            translating.published(db, published.name)
    click.echo(f"{published.name}, version {published.version}")
    if attachments.named(found) and settings.whatsapp_on and not settings.public_url:
        click.echo(
            "Its pictures and recordings do not reach WhatsApp: Twilio fetches them from "
            "CONSULTA_PUBLIC_URL, which is not set.",
            err=True,
        )
