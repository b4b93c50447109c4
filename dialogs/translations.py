"""Every text in a language and its state: missing, a draft, or reviewed by whom and when.

A state is written as `draft`, or `reviewed: who, when, mark`. The mark stands for the words that
were translated: once those change, what was reviewed is a draft again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from dialogs import tables
from dialogs.faults import Fault, Said, said
from dialogs.tables import Sheet

TAKEN_OUT = "-"  # for the recording of an edit: there is to be none
MISSING, DRAFT, REVIEWED = "missing", "draft", "reviewed"
STATES = (MISSING, DRAFT, REVIEWED)
PAGE = "textos"  # the translator's sheet, in Spanish; those of before have our own names
HEADERS = {
    "where": "dónde",
    "name": "nombre",
    "column": "columna",
    "source": "original",
    "translation": "traducción",
    "audio": "grabación",
    "state": "estado",
    "by": "revisó",
    "on": "fecha",
}
WRITTEN = {MISSING: "falta", DRAFT: "borrador", REVIEWED: "revisado"}
NEEDED = ("where", "name", "column", "source", "translation")
BRACES = re.compile(r"\$?\{[^}]+\}")
MARK = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class String:
    """One text, in the language it was written in and in the one it is wanted in."""

    where: str  # "survey", "choices temas", "phrases", "commands"
    name: str  # of the question, choice or phrase
    column: str  # "label", "hint"…; "" where there is one text alone
    source: str
    translation: str = ""
    audio: str = ""
    state: str = MISSING
    by: str = ""
    on: str = ""  # a date

    @property
    def place(self) -> str:
        """Where it stands, whatever it says: by this it is found again."""
        return "|".join((self.where, self.name, self.column))


@dataclass(frozen=True, slots=True)
class Edit:
    """What was written on a page, or taken back from a sheet, for one text."""

    mark: str  # of the words that it translates
    translation: str
    audio: str
    state: str
    by: str = ""
    on: str = ""


class TranslationError(ValueError):
    """The sheet cannot be taken back; says where and what to do."""

    def __init__(self, file: str, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(f"{file}, {fault}" for fault in faults))
        self.faults = tuple(faults)


# states


def mark(source: str) -> str:
    """Twelve signs that stand for a text: another text has others."""
    return sha256(source.encode()).hexdigest()[:12]


def state(written: str, source: str) -> tuple[str, str, str]:
    """ "reviewed: Ana Pech, 2021-07-01, 5d3f8a12cc01" as state, by whom and when; a draft if the
    words that it was reviewed for were others. Without a mark it is taken at its word."""
    found, _, rest = written.partition(":")
    if found.strip() != REVIEWED:
        return DRAFT, "", ""
    parts = [part.strip() for part in rest.split(",")]
    if MARK.fullmatch(parts[-1]) and parts.pop() != mark(source):
        return DRAFT, "", ""
    return REVIEWED, ", ".join(parts[:-1]), parts[-1]


def written(string: String) -> str:
    """The state as a form or phrases.toml keeps it."""
    if string.state != REVIEWED:
        return DRAFT
    by = string.by.replace(";", ",")
    return f"{REVIEWED}: {by}, {string.on}, {mark(string.source)}"


def counts(strings: Iterable[String]) -> dict[str, int]:
    states = [string.state for string in strings]
    return {each: states.count(each) for each in STATES}


def merged(strings: Sequence[String], edits: Mapping[str, Edit]) -> list[String]:
    """The texts as they were edited since, by their places. A review of earlier words is a draft;
    what a file brings that was reviewed later than the edit stays."""
    return [_merged(each, edits[each.place]) if each.place in edits else each for each in strings]


def _merged(string: String, edit: Edit) -> String:
    if superseded(edit, string) and edit.state == REVIEWED:
        return string
    fresh = edit.state == REVIEWED and edit.mark == mark(string.source)
    said = edit.translation
    return replace(
        string,
        translation=said,
        audio="" if edit.audio == TAKEN_OUT else edit.audio or string.audio,
        state=(REVIEWED if fresh else DRAFT) if said else MISSING,
        by=edit.by if fresh and said else "",
        on=edit.on if fresh and said else "",
    )


def superseded(edit: Edit, string: String) -> bool:
    """Whether a text was reviewed in its file, and the edit not since."""
    return string.state == REVIEWED and (edit.state != REVIEWED or edit.on < string.on)


def edit_of(string: String) -> Edit:
    return Edit(
        mark=mark(string.source),
        translation=string.translation,
        audio=string.audio,
        state=string.state,
        by=string.by,
        on=string.on,
    )


def unreviewed(strings: Iterable[String], edits: Mapping[str, Edit]) -> int:
    """How many texts say something that nobody has reviewed. An edit counts for a text that says
    the same: what was changed since has first to be published."""
    return sum(
        each.state == DRAFT and not _as_reviewed(each, edits.get(each.place)) for each in strings
    )


def _as_reviewed(string: String, edit: Edit | None) -> bool:
    if edit is None or edit.state != REVIEWED:
        return False
    return (edit.translation, edit.mark) == (string.translation, mark(string.source))


# the translator's sheet


def export(strings: Sequence[String], path: Path) -> None:
    """A sheet for the translator."""
    rows = tuple(
        (number, {header: _cell(string, name) for name, header in HEADERS.items()})
        for number, string in enumerate(strings, 2)
    )
    tables.to_xlsx({PAGE: Sheet(tuple(HEADERS.values()), rows)}, path)


def _cell(string: String, name: str) -> str:
    cell = str(getattr(string, name))
    return WRITTEN.get(cell, cell) if name == "state" else cell


def read(path: Path) -> list[String]:
    """The sheet as it came back. Raises TranslationError with every fault, or TableError."""
    page, sheet = _page(path)
    columns = {name: _header(name, sheet) for name in HEADERS}
    faults = [
        Fault(page, 1, "", said("sheet_column", column=HEADERS[name]))
        for name in NEEDED
        if not columns[name]
    ]
    strings = []
    for number, row in sheet.rows if not faults else ():
        cells = {name: row.get(header, "") for name, header in columns.items()}
        string = String(**{**cells, "state": _state(cells["state"])})
        strings.append(string)
        faults += [
            Fault(page, number, string.name, what, columns.get(what.column) or what.column)
            for what in _faults(string)
        ]
    if faults:
        raise TranslationError(path.name, faults)
    return strings


def _page(path: Path) -> tuple[str, Sheet]:
    """The sheet with the texts, by its name: the first of a spreadsheet that has several."""
    spreadsheet = path.suffix.lower() in (".xlsx", ".xls")
    book = tables.read_any(path) if spreadsheet else tables.read(path)
    page = next((name for name in (PAGE, "survey") if name in book), next(iter(book)))
    return page, book[page]


def _header(name: str, sheet: Sheet) -> str:
    """How a column is called in a sheet; "" if it has none such."""
    known = (HEADERS[name], name)
    return next((header for header in sheet.headers if header.lower() in known), "")


def _state(written: str) -> str:
    known = {told: state for state, told in WRITTEN.items()} | {"revisada": REVIEWED}
    return known.get(written.lower(), written.lower())


def _faults(string: String) -> Iterator[Said]:
    if string.state not in STATES:
        yield said("sheet_state", state=string.state)
    if string.state == REVIEWED and string.translation and not (string.by and string.on):
        yield said("sheet_by")
    for name in misplaced(string):
        yield said("sheet_braces", word=name)


def misplaced(string: String) -> list[str]:
    """The ${names} that a translation lost or made up; a draft may leave some out."""
    if not string.translation:
        return []
    source, said = (set(BRACES.findall(text)) for text in (string.source, string.translation))
    lost = source - said if string.state == REVIEWED else set()
    return sorted(lost | (said - source))


def returned(now: Sequence[String], sheet: Iterable[String]) -> list[String]:
    """What a sheet changes in the texts as they are now. Where the words were others when the sheet
    was made, its translation is a draft."""
    known = {string.place: string for string in now}
    found = []
    for string in sheet:
        if (here := known.get(string.place)) is None:
            continue
        state_ = string.state if string.translation else MISSING
        if state_ == REVIEWED and string.source != here.source:
            state_ = DRAFT
        by, on = (string.by, string.on) if state_ == REVIEWED else ("", "")
        state_ = DRAFT if string.translation and state_ == MISSING else state_
        said = {"translation": string.translation, "audio": string.audio}
        new = replace(here, **said, state=state_, by=by, on=on)
        if new != here:
            found.append(new)
    return found
