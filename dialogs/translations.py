"""The state of every string in a language: a sheet for the translator, and taking it back.

In a form, the column `review::Maya (yua)` says what a row's texts are: `draft`, or `reviewed: who,
when`. In phrases.toml, `state` says the same of a phrase.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dialogs import columns, tables
from dialogs.tables import Sheet, Workbook

HEADERS = ("where", "name", "column", "source", "translation", "audio", "state", "by", "on")
MISSING, DRAFT, REVIEWED = "missing", "draft", "reviewed"
BRACES = re.compile(r"\$?\{[^}]+\}")
TABLE = re.compile(r"^\[(?P<key>[\w.-]+)\]\s*$")


@dataclass(frozen=True, slots=True)
class String:
    """One text, in the language it was written in and in the one it is wanted in."""

    where: str  # "survey 4", "choices 12", "phrases"
    name: str
    column: str
    source: str
    translation: str = ""
    audio: str = ""
    state: str = MISSING
    by: str = ""
    on: str = ""  # a date


class TranslationError(ValueError):
    """The sheet cannot be taken back; says where and what to do."""


# out


def of_form(book: Workbook, language: str) -> list[String]:
    """Every text of a form, with what it says in a language (its code)."""
    return [
        string
        for sheet in ("survey", "choices")
        if sheet in book
        for number, row in book[sheet].rows
        for string in _of_row(sheet, number, row, book[sheet], language)
    ]


def _of_row(
    sheet: str, number: int, row: Mapping[str, str], whole: Sheet, language: str
) -> Iterator[String]:
    by_column = _pairs(whole, language)
    written = next((row.get(h, "") for h in whole.headers if _is(h, "review", language)), "")
    audio = next((row.get(h, "") for h in whole.headers if _is(h, "media::audio", language)), "")
    state, by, on = _state(written)
    name = next((row.get(h, "") for h in whole.headers if columns.header(h)[0] == "name"), "")
    for column, (source, target) in by_column.items():
        if not row.get(source):
            continue
        said = row.get(target, "") if target else ""
        yield String(
            where=f"{sheet} {number}",
            name=name,
            column=column,
            source=row[source],
            translation=said,
            audio=audio if column == "label" else "",
            state=(state or DRAFT) if said else MISSING,
            by=by if said else "",
            on=on if said else "",
        )


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


def _state(written: str) -> tuple[str, str, str]:
    """ "reviewed: Ana Pech, 2021-07-01" in its parts."""
    state, _, rest = written.partition(":")
    by, _, on = rest.rpartition(",") if "," in rest else (rest, "", "")
    return state.strip(), by.strip(), on.strip()


def of_phrases(path: Path, language: str) -> list[String]:
    """Every phrase of the bot, with what it says in a language."""
    found = []
    for key, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
        said = entry.get(language, "")
        state, by, on = _state(entry.get("state", ""))
        state = (state or DRAFT) if said else MISSING
        found.append(String("phrases", key, "", entry["es"], said, "", state, by, on))
    return found


def export(strings: Sequence[String], path: Path) -> None:
    """A sheet for the translator."""
    rows = tuple(
        (number, {header: getattr(string, header) for header in HEADERS})
        for number, string in enumerate(strings, 2)
    )
    tables.to_xlsx({"survey": Sheet(HEADERS, rows)}, path)


# back


def read(path: Path) -> list[String]:
    """The sheet as it came back. Raises TranslationError with every fault, or TableError."""
    sheet = tables.read(path)["survey"]
    faults = [f"there is no column '{name}'" for name in HEADERS[:5] if name not in sheet.headers]
    strings = []
    for number, row in sheet.rows if not faults else ():
        string = String(**{name: row.get(name, "") for name in HEADERS})
        strings.append(string)
        faults.extend(f"row {number} ({string.name}): {fault}" for fault in _faults(string))
    if faults:
        raise TranslationError("\n".join(f"{path.name}, {fault}" for fault in faults))
    return strings


def _faults(string: String) -> Iterator[str]:
    if string.state not in (MISSING, DRAFT, REVIEWED):
        yield f"the state '{string.state}' is not known. Write missing, draft or reviewed."
    if string.state == REVIEWED and string.translation and not (string.by and string.on):
        yield "it is reviewed, but not by whom and when. Fill in by and on."
    if string.translation:
        source, said = (set(BRACES.findall(t)) for t in (string.source, string.translation))
        lost = source - said if string.state == REVIEWED else set()  # a draft may be shorter
        for name in sorted(lost | (said - source)):
            yield f"{name} must stand in the translation as it does in the source."


def into_form(book: Workbook, strings: Sequence[String], language: str, name: str) -> Workbook:
    """The form with these translations in it. `name` is the language as headers write it."""
    by_place: dict[tuple[str, str], dict[str, String]] = {}
    for string in strings:
        sheet, _, number = string.where.partition(" ")
        by_place.setdefault((sheet, number), {})[string.column] = string
    return {
        sheet: _translated(sheet, whole, by_place, language, name)
        if sheet in ("survey", "choices")
        else whole
        for sheet, whole in book.items()
    }


def _translated(
    sheet: str,
    whole: Sheet,
    by_place: Mapping[tuple[str, str], Mapping[str, String]],
    language: str,
    name: str,
) -> Sheet:
    mine = {place: found for place, found in by_place.items() if place[0] == sheet}
    used = dict.fromkeys(
        s.column for found in mine.values() for s in found.values() if s.translation
    )
    wanted = [*used]
    wanted += ["media::audio"] * any(s.audio for found in mine.values() for s in found.values())
    headers = {
        column: next((h for h in whole.headers if _is(h, column, language)), f"{column}::{name}")
        for column in (*wanted, *(["review"] if used else []))
    }
    rows = tuple(
        (number, _with(row, mine.get((sheet, str(number)), {}), headers))
        for number, row in whole.rows
    )
    return Sheet(tuple(dict.fromkeys((*whole.headers, *headers.values()))), rows, whole.repeated)


def _with(
    row: Mapping[str, str], strings: Mapping[str, String], headers: Mapping[str, str]
) -> dict[str, str]:
    cells = dict(row)
    for column, string in strings.items():
        if column in headers:
            cells[headers[column]] = string.translation
        if string.audio and "media::audio" in headers:
            cells[headers["media::audio"]] = string.audio
    said = [string for string in strings.values() if string.translation]
    if said and "review" in headers:
        cells[headers["review"]] = _written(said)
    return cells


def _written(said: Sequence[String]) -> str:
    """A row is reviewed when all that it says is."""
    if any(string.state != REVIEWED for string in said):
        return DRAFT
    latest = max(said, key=lambda string: string.on)
    return f"{REVIEWED}: {latest.by}, {latest.on}"


def into_phrases(text: str, strings: Sequence[String], language: str) -> str:
    """The text of phrases.toml with these translations in it; its comments and order stay."""
    by_key = {string.name: string for string in strings if string.translation}
    parts: list[str] = []
    key = ""
    for line in text.splitlines():
        if match := TABLE.match(line):
            key = match["key"]
        if key in by_key and line.startswith((f"{language} =", "state =")):
            continue
        parts.append(line)
        if key in by_key and line.startswith("es ="):
            string = by_key[key]
            parts.append(f"{language} = {_quoted(string.translation)}")
            parts.append(f"state = {_quoted(_written([string]))}")
    return "\n".join(parts) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def counts(strings: Sequence[String]) -> dict[str, int]:
    return {
        state: sum(string.state == state for string in strings)
        for state in (MISSING, DRAFT, REVIEWED)
    }
