"""The texts of a questionnaire in a language, out of its sheets and back into them.

The column `review::Maya (yua)` says what a row's texts are: `draft` or `reviewed: …` of all of
them, or one by one: `label reviewed: …; hint draft`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from dialogs import columns, translations
from dialogs.tables import Sheet, Workbook
from dialogs.translations import DRAFT, MISSING, REVIEWED, String

SHEETS = ("survey", "choices")
NAMES = {"yua": "Maya (yua)", "es": "Español (es)"}  # as headers write them
ONE = re.compile(r"(?:(?P<column>\w+) )?(?P<state>(?:draft|reviewed)\b.*)", re.DOTALL)


def of_form(book: Workbook, language: str) -> list[String]:
    """Every text of a form, with what it says in a language (its code)."""
    return [string for sheet in SHEETS for _, found in _strings(book, sheet, language)
            for string in found]  # fmt: skip


def languages(book: Workbook) -> list[str]:
    """The languages into which a form is translated; Maya always."""
    found = (columns.header(written) for name in SHEETS if name in book
             for written in book[name].headers)  # fmt: skip
    codes = dict.fromkeys(["yua", *(code for column, code in found if column == "label" and code)])
    return [code for code in codes if code != "es"]


def _strings(book: Workbook, sheet: str, language: str) -> Iterator[tuple[int, list[String]]]:
    """The texts of each row of a sheet; a name that stands there twice is told apart."""
    if sheet not in book:
        return
    pairs, seen = _pairs(book[sheet], language), dict[tuple[str, str], int]()
    for number, row in book[sheet].rows:
        plain = {columns.header(h): cell for h, cell in row.items()}
        where = " ".join((sheet, plain.get(("list_name", ""), ""))).strip()
        name = plain.get(("name", ""), "") or f"row {number}"
        seen[where, name] = seen.get((where, name), 0) + 1
        if seen[where, name] > 1:
            name = f"{name} #{seen[where, name]}"
        yield number, list(_of_row(where, name, row, plain, pairs, language))


def _of_row(
    where: str,
    name: str,
    row: Mapping[str, str],
    plain: Mapping[tuple[str, str], str],
    pairs: Mapping[str, tuple[str, str]],
    language: str,
) -> Iterator[String]:
    states = _states(plain.get(("review", language), ""))
    for column, (source, target) in pairs.items():
        if not row.get(source):
            continue
        said = row.get(target, "") if target else ""
        whole = states.get(column) or states.get("", "")
        state, by, on = translations.state(whole, row[source]) if said else (MISSING, "", "")
        audio = plain.get(("media::audio", language), "") if column == "label" else ""
        yield String(where, name, column, row[source], said, audio, state, by, on)


def _states(cell: str) -> dict[str, str]:
    """Column -> its state as written; under "" that of every column of the row."""
    matches = (ONE.fullmatch(part.strip()) for part in cell.split(";"))
    return {match["column"] or "": match["state"] for match in matches if match}


def _is(header: str, column: str, language: str) -> bool:
    return columns.header(header) == (column, language)


def _pairs(sheet: Sheet, language: str) -> dict[str, tuple[str, str]]:
    """Column -> (header of the source, header of the translation or "")."""
    found: dict[str, tuple[str, str]] = {}
    for header in sheet.headers:
        column, code = columns.header(header)
        words = column in columns.WORDS - {"review"} and not column.startswith("media")
        if words and code != language and column not in found:
            target = next((h for h in sheet.headers if _is(h, column, language)), "")
            found[column] = (header, target)
    return found


def into_form(book: Workbook, strings: Sequence[String], language: str) -> Workbook:
    """The form with these translations in it."""
    given = {string.place: string for string in strings}
    return {
        sheet: _translated(book, sheet, given, language) if sheet in SHEETS else whole
        for sheet, whole in book.items()
    }


def _translated(book: Workbook, sheet: str, given: Mapping[str, String], language: str) -> Sheet:
    whole = book[sheet]
    by_row = {
        number: [given.get(string.place, string) for string in found]
        for number, found in _strings(book, sheet, language)
    }
    every = [string for found in by_row.values() for string in found]
    wanted = [*dict.fromkeys(string.column for string in every if string.translation)]
    heard = any(_is(header, "media::audio", language) for header in whole.headers)
    wanted += ["media::audio"] if heard or any(string.audio for string in every) else []
    wanted += ["review"] if any(string.translation for string in every) else []
    name = _name(whole, language)
    headers = {
        column: next((h for h in whole.headers if _is(h, column, language)), f"{column}::{name}")
        for column in wanted
    }
    rows = tuple((number, _with(row, by_row[number], headers)) for number, row in whole.rows)
    return Sheet(tuple(dict.fromkeys((*whole.headers, *headers.values()))), rows, whole.repeated)


def _name(sheet: Sheet, language: str) -> str:
    """The language as the sheet's headers write it."""
    for header in sheet.headers:
        if _is(header, "label", language):
            return header.partition("::")[2] or language
    return NAMES.get(language, language)


def _with(
    row: Mapping[str, str], strings: Sequence[String], headers: Mapping[str, str]
) -> dict[str, str]:
    cells = dict(row)
    for string in strings:
        if string.column in headers:
            cells[headers[string.column]] = string.translation
        if string.column == "label" and "media::audio" in headers:
            cells[headers["media::audio"]] = string.audio
    said = [string for string in strings if string.translation]
    if "review" in headers and (said or cells.get(headers["review"])):
        cells[headers["review"]] = _review(said)
    return cells


def _review(said: Sequence[String]) -> str:
    """What the cell says of a row's texts: of all at once where that is enough."""
    if all(string.state != REVIEWED for string in said):
        return DRAFT if said else ""
    if len(said) == 1:
        return translations.written(said[0])
    return "; ".join(f"{string.column} {translations.written(string)}" for string in said)
