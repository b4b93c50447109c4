"""The commands about a questionnaire's words, versions and answers: who has answered yet."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bot import settings as settings_module
from bot import ways, wiring
from bot.cli_errors import Failure, told
from bot.cli_forums import as_json, explained, links, office, tell
from dialogs import columns, comparing, form_texts, own_words, tables, translations
from dialogs.translations import String
from storage import database, forms, institutions, translating

FILE = click.Path(path_type=Path)


@click.group("translations")
def words() -> None:
    """Every string's state in a language, and a sheet for the translator.

    FILE is a form, the name of a published one, or the bot's own words: `phrases`, `commands`.
    """


@words.command("status")
@click.argument("file")
@click.option("--language", default="yua", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@told
def words_status(file: str, language: str, *, as_json: bool) -> None:
    """How many strings are missing, drafts, reviewed."""
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
    """A spreadsheet with every string, for the translator."""
    strings = _strings(file, language)
    translations.export(strings, out)
    click.echo(f"{out}: {len(strings)} strings")


@words.command("import")
@click.argument("file")
@click.argument("sheet", type=FILE)
@click.option("--out", type=FILE, help="Write a file with the translations here.")
@click.option("--language", default="yua", show_default=True)
@told
def words_import(file: str, sheet: Path, out: Path | None, language: str) -> None:
    """Take the translator's spreadsheet back: into the form's file, or for what is published into
    the database, as the pages do."""
    try:
        given = translations.read(sheet)
    except (translations.TranslationError, tables.TableError) as error:
        raise Failure(str(error)) from None
    changed = translations.returned(_strings(file, language), given)
    if out is None and not Path(file).is_file():
        with wiring.opened(settings_module.read()) as engine, database.writing(engine) as db:
            translating.put(db, file, language, changed)
    else:
        out = out or Path(file)
        _write(out, file, changed, language)
    click.echo(f"{out or file}: {len(changed)} of {len(given)} strings changed")


def _strings(file: str, language: str) -> list[String]:
    if Path(file).is_file():
        return form_texts.of_form(_book(file), language)
    with wiring.opened(settings_module.read()) as engine, database.reading(engine) as db:
        try:
            return translating.now(db, file, language)
        except LookupError:
            raise Failure(
                f"{file}: there is no such file, and no questionnaire of that name is published. "
                f"Name one, or: {', '.join(own_words.OWN)}"
            ) from None


def _write(out: Path, file: str, changed: list[String], language: str) -> None:
    if file in own_words.OWN:
        text = own_words.file(file).read_text(encoding="utf-8")
        out.write_text(own_words.into_text(text, changed, language), encoding="utf-8")
        return
    book = form_texts.into_form(_book(file), changed, language)
    if out.suffix == ".md":
        out.write_text(tables.to_markdown(book), encoding="utf-8")
    else:
        tables.to_xlsx(columns.for_odk(book), out)


def _book(file: str) -> tables.Workbook:
    if not Path(file).is_file():
        raise Failure(f"{file} is published. To write a file, name the form's own.")
    try:
        return columns.from_odk(tables.read(Path(file)))
    except tables.TableError as error:
        raise Failure(f"{file}: {error}") from None


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


@click.command("link")
@click.argument("name")
@click.option("--bot", help="The bot's name in t.me links, without @.")
@click.option("--poster", default="", help="Letters, digits, _ or -: who came by this one is seen.")
@as_json
@explained
def form_link(name: str, bot: str | None, poster: str, *, as_json: bool) -> None:
    """The links that begin questionnaire NAME in the chat, and the words that do the same."""
    with office() as (db, _, settings):
        ways_in = {form: way for way, (form, _, _) in forms.ways(db).items()}
    if name not in ways_in:
        raise Failure(f"No questionnaire {name} has been published.")
    code = "-".join(filter(None, (ways_in[name], poster)))
    words = f"{ways.WORD} {code}"
    found = links(code, words, bot, settings.whatsapp_from)
    lines = [*(f"{channel}: {link}" for channel, link in found.items()), f"in words: {words}"]
    tell({"code": code, "words": words, "links": dict(found)}, "\n".join(lines), as_json=as_json)


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
