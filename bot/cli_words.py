"""The commands about a questionnaire's words, versions and answers: who has answered yet."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import resources
from itertools import pairwise
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bot import settings as settings_module
from bot import wiring
from bot.cli_errors import Failure, told
from dialogs import columns, comparing, tables, translations
from dialogs.translations import String
from storage import database, forms, institutions

FILE = click.Path(path_type=Path)
NAMES = {"yua": "Maya (yua)", "es": "Español (es)"}
PHRASES = "phrases"  # in place of a form: the bot's own words


@click.group("translations")
def words() -> None:
    """Every string's state in a language, and a sheet for the translator."""


@words.command("status")
@click.argument("file")
@click.option("--language", default="yua", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@told
def words_status(file: str, language: str, *, as_json: bool) -> None:
    """How many strings are missing, drafts, reviewed. FILE: a form, or `phrases`."""
    counts = translations.counts(_strings(file, language))
    if as_json:
        click.echo(json.dumps(counts))
        return
    click.echo(", ".join(f"{state}: {number}" for state, number in counts.items()))


@words.command("export")
@click.argument("file")
@click.argument("out", type=FILE)
@click.option("--language", default="yua", show_default=True)
@told
def words_export(file: str, out: Path, language: str) -> None:
    """A spreadsheet with every string, for the translator. FILE: a form, or `phrases`."""
    strings = _strings(file, language)
    translations.export(strings, out)
    click.echo(f"{out}: {len(strings)} strings")


@words.command("import")
@click.argument("file")
@click.argument("sheet", type=FILE)
@click.option("--out", type=FILE, help="Write here; else the file itself is changed.")
@click.option("--language", default="yua", show_default=True)
@told
def words_import(file: str, sheet: Path, out: Path | None, language: str) -> None:
    """Take the translator's spreadsheet back. FILE: a form in Markdown, or `phrases`."""
    try:
        strings = translations.read(sheet)
    except (translations.TranslationError, tables.TableError) as error:
        raise Failure(str(error)) from None
    if file == PHRASES:
        path = out or _phrases()
        text = translations.into_phrases(_phrases().read_text(encoding="utf-8"), strings, language)
    else:
        path = out or Path(file)
        name = _name(_book(file), language)
        book = translations.into_form(_book(file), strings, language, name)
        if path.suffix != ".md":
            tables.to_xlsx(columns.for_odk(book), path)
            click.echo(f"{path}: {len(strings)} strings")
            return
        text = tables.to_markdown(book)
    path.write_text(text, encoding="utf-8")
    click.echo(f"{path}: {len(strings)} strings")


def _strings(file: str, language: str) -> list[String]:
    if file == PHRASES:
        return translations.of_phrases(_phrases(), language)
    return translations.of_form(_book(file), language)


def _phrases() -> Path:
    return Path(str(resources.files("dialogs"))) / "phrases.toml"


def _book(file: str) -> tables.Workbook:
    if not Path(file).is_file():
        raise Failure(f"{file}: there is no such file. Name a form, or: {PHRASES}")
    try:
        return columns.from_odk(tables.read(Path(file)))
    except tables.TableError as error:
        raise Failure(f"{file}: {error}") from None


def _name(book: tables.Workbook, language: str) -> str:
    """The language as the form's headers write it."""
    for header in book["survey"].headers:
        if columns.header(header) == ("label", language):
            return header.partition("::")[2] or language
    return NAMES.get(language, language)


@click.command("changes")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@told
def form_changes(name: str, *, as_json: bool) -> None:
    """What changed from each published version of a questionnaire to the next."""
    with wiring.opened(settings_module.read()) as engine, database.reading(engine) as db:
        newest = forms.newest(db, name)
        if newest is None:
            raise Failure(f"No questionnaire {name} has been published.")
        versions = [forms.load(db, name, number) for number in range(1, newest + 1)]
    found = [
        {"from": old.version, "to": new.version, **asdict(change)}
        for old, new in pairwise(versions)
        for change in comparing.changes(old, new)
    ]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table("versions", "question", "what", "before", "after")
    for change in found:
        table.add_row(
            f"{change['from']} → {change['to']}",
            *(str(change[key]) for key in ("name", "what", "before", "after")),
        )
    Console().print(table)


@click.command("tracker")
@click.argument("name", default="ayuntamientos")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@told
def form_tracker(name: str, *, as_json: bool) -> None:
    """Which institutions have answered, and which have not: one answer each counts."""
    with wiring.opened(settings_module.read()) as engine, database.reading(engine) as db:
        newest = forms.newest(db, name)
        if newest is None:
            raise Failure(f"No questionnaire {name} has been published.")
        found = institutions.tracker(db, forms.load(db, name, newest))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], ensure_ascii=False, default=str))
        return
    answered = sum(bool(each.folio) for each in found)
    click.echo(f"{answered} of {len(found)} have answered")
    for each in found:
        click.echo(f"{each.folio or '—':10} {each.label}" + " (again)" * bool(each.earlier))
