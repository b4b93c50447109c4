"""Whether ODK and KoboToolbox would take a form too, and which cells are in the way.

pyxform says so, in its own English. It stops at the first fault and often names no row: so it
is asked again with rows and cells left out, until the fault goes away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dialogs import columns, kinds, rows
from dialogs import script as scripts
from dialogs.faults import Fault, said
from dialogs.questions import REFERENCE, Question, Script
from dialogs.tables import Sheet, Workbook

MOST_FAULTS = 20
MOST_ASKED = 120  # times for one form: a form of 500 questions takes a second each
OURS = re.compile(r"max-length\s*=\s*\d+[\s,;]*", re.IGNORECASE)
ROW = re.compile(r"\[row\s*:\s*(\d+|unknown)\]")
SHEET = re.compile(r"\b(?:On the|sheet:) '(\w+)'")
UNNAMED = ("no_name", "bad_name", "name_long", "same_name")  # faults of rows that are none to ODK
SHEETS = ("survey", "choices", "settings", "external_choices", "entities", "osm")

Cells = Mapping[str, str]


@dataclass(slots=True)
class Converter:
    """A form as pyxform takes it; what is left out of it is found harmless."""

    script: Script
    book: dict[str, Sheet]
    left: int = MOST_ASKED
    told: dict[str, Exception] = field(default_factory=dict)

    def complains(self, book: Mapping[str, Sheet]) -> str:
        """What pyxform says against these sheets; "" for nothing."""
        from pyxform.errors import PyXFormError  # here: a server seldom checks a form
        from pyxform.xls2xform import convert

        self.left -= 1
        definition = _definition(book, self.script)
        try:
            convert(definition, warnings=[], form_name="data", default_language=None)
        except PyXFormError as error:
            told = " ".join(str(error).split())
            self.told[told] = error
            return told
        except Exception as error:  # noqa: BLE001  # its reader has no interface of its own for faults
            told = f"{type(error).__name__}: {error}"
            self.told[told] = error
            return told
        return ""


def faults(script: Script, book: Workbook, known: Sequence[Fault] = ()) -> Iterator[Fault]:
    """Everything that pyxform says against a form, with sheet, row and column.

    Rows that are known to be at fault are left out.
    """
    converter = Converter(script, {name: _plain(sheet) for name, sheet in book.items()})
    yield from _types(converter)
    _leave_out(known, converter)
    told_of = {(fault.sheet, fault.row) for fault in known}
    for _ in range(MOST_FAULTS):
        told = converter.complains(converter.book)
        if not told:
            return
        sheet, row = _place(told, converter)
        if (sheet, row) in told_of:
            return
        column = _column(told, sheet, row, converter)
        yield _fault(told, sheet, row, column, converter)
        if row < 2 or converter.left < 0:
            return
        converter.book[sheet] = _without(converter.book[sheet], sheet, row)


def _leave_out(known: Sequence[Fault], converter: Converter) -> None:
    """All in one go: there may be as many as rows."""
    nameless = {(each.sheet, each.row) for each in known if each.said.kind in UNNAMED}
    faulty = {(each.sheet, each.row) for each in known}

    def left(name: str, row: int, cells: Cells) -> Cells:
        if (name, row) in nameless:
            return {}
        return _harmless(name, row, cells) if (name, row) in faulty else cells

    for name, sheet in converter.book.items():
        kept = tuple((row, left(name, row, cells)) for row, cells in sheet.rows)
        converter.book[name] = replace(sheet, rows=kept)


def _types(converter: Converter) -> Iterator[Fault]:
    """Types that are not in small letters, which pyxform does not know; they are put right."""
    sheet = converter.book["survey"]
    type_ = next((name for name in sheet.headers if columns.header(name)[0] == "type"), "")
    for number, cells in sheet.rows:
        written = cells.get(type_, "")
        if (small := kinds.small(written)) != written:
            name = next((c for key, c in cells.items() if columns.header(key)[0] == "name"), "")
            yield Fault("survey", number, name, said("type_small", type=written, small=small))
            sheet = _changed(sheet, number, {**cells, type_: small})
    converter.book["survey"] = sheet


def _fault(told: str, sheet: str, row: int, column: str, converter: Converter) -> Fault:
    from pyxform.errors import PyXFormError

    cells = dict(converter.book[sheet].rows).get(row, {}) if sheet in converter.book else {}
    name = next((cell for key, cell in cells.items() if columns.header(key)[0] == "name"), "")
    error = ROW.sub("", told).strip(" .")
    if not isinstance(converter.told[told], PyXFormError):
        return Fault(sheet, row, name, said("odk_stops", error=error))
    if column:
        return Fault(sheet, row, name, said("odk_refuses_cell", column=column, error=error))
    return Fault(sheet, row, name, said("odk_refuses", error=error))


# where it is


def _place(told: str, converter: Converter) -> tuple[str, int]:
    """The sheet and the row that it names, or with whose row it comes."""
    named = SHEET.search(told)
    sheet = named[1] if named and named[1] in converter.book else "survey"
    if sheet == "settings" and converter.book[sheet].rows:
        return sheet, converter.book[sheet].rows[0][0]
    if (row := ROW.search(told)) and row[1].isdecimal():
        return sheet, int(row[1])
    for each in dict.fromkeys((sheet, "survey", "choices", "settings")):
        if each in converter.book and (found := _first(told, each, converter)):
            return each, found
    return sheet, 1


def _first(told: str, sheet: str, converter: Converter) -> int:
    """The first row of a sheet with which pyxform complains so; 0 if none has to do with it."""

    def complains(rows: int) -> bool:
        book = {**converter.book, sheet: _plain_after(converter.book[sheet], sheet, rows)}
        return converter.left > 0 and _same(converter.complains(book), told)

    numbers = [number for number, _ in converter.book[sheet].rows]
    low, high = 0, len(numbers)
    if not numbers or complains(0):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if complains(middle) else (middle, high)
    return numbers[high - 1]


def _column(told: str, sheet: str, row: int, converter: Converter) -> str:
    """The cell without which pyxform would not complain so; "" if there is no one such."""
    cells = dict(converter.book[sheet].rows).get(row, {}) if sheet in converter.book else {}
    kept = ("type", "name", "list_name") if sheet != "settings" else ()
    for column in cells if converter.left > 0 else ():
        if not cells[column] or columns.header(column)[0] in kept:
            continue
        changed = _changed(converter.book[sheet], row, {**cells, column: ""})
        if not _same(converter.complains({**converter.book, sheet: changed}), told):
            return column
    return ""


def _same(one: str, other: str) -> bool:
    return ROW.sub("", one) == ROW.sub("", other)


def _plain_after(sheet: Sheet, name: str, rows: int) -> Sheet:
    """The sheet with nothing unusual behind so many rows."""
    after = ((number, _harmless(name, number, cells)) for number, cells in sheet.rows[rows:])
    return replace(sheet, rows=(*sheet.rows[:rows], *after))


def _without(sheet: Sheet, name: str, row: int) -> Sheet:
    return _changed(sheet, row, _harmless(name, row, dict(sheet.rows).get(row, {})))


def _changed(sheet: Sheet, row: int, cells: Cells) -> Sheet:
    changed = ((number, cells if number == row else before) for number, before in sheet.rows)
    return replace(sheet, rows=tuple(changed))


def _harmless(sheet: str, number: int, cells: Cells) -> Cells:
    """A row that asks nothing, by the same name: others may look at it."""
    known = {columns.header(key)[0]: key for key in cells}

    def kept(*names: str) -> dict[str, str]:
        return {known[name]: cells[known[name]] for name in names if name in known}

    if sheet == "survey":
        kind = kinds.kind(cells.get(known.get("type", ""), "")).type
        if kind.startswith(("begin_", "end_")):
            return kept("type", "name")
        named = kept("name")
        return {known["type"]: "hidden", **named} if any(named.values()) else {}
    if sheet.endswith("choices"):
        label = {known["label"]: f"n{number}"} if "label" in known else {}
        name = {known["name"]: f"n{number}"} if "name" in known else {}
        return {**kept("list_name"), **name, **label}
    return {}


# the sheets as pyxform takes them


def _definition(given: Mapping[str, Sheet], script: Script) -> dict[str, object]:
    """With the facts that only the chat knows."""
    known = {name: [*_filled(sheet)] for name, sheet in given.items()}
    used = {name for question in script.questions for name in _named(question)}
    for fact in sorted(used & scripts.FACTS - script.places.keys()):
        known["survey"].append({"type": "hidden", "name": fact})
    found: dict[str, object] = {"fallback_form_name": script.name}
    for name in SHEETS:
        if name in given:
            more = ("type", "name") if name == "survey" else ()
            found[name] = known[name]
            found[f"{name}_header"] = [dict.fromkeys((*given[name].headers, *more))]
    return found


def _plain(sheet: Sheet) -> Sheet:
    """Without what is ours alone: review states, and how long a text may be."""
    headers = tuple(name for name in sheet.headers if columns.header(name)[0] != "review")
    limited = "parameters" in sheet.headers
    cells = (
        (number, {name: _ours_taken_out(row.get(name, ""), limited) for name in headers})
        for number, row in sheet.rows
    )
    return Sheet(headers, tuple(cells))


def _ours_taken_out(cell: str, limited: bool) -> str:  # noqa: FBT001  # of this sheet
    return OURS.sub("", cell) if limited else cell


def _filled(sheet: Sheet) -> Iterator[Cells]:
    at = 2
    for number, row in sheet.rows:
        yield from ({} for _ in range(number - at))
        yield {header: cell for header, cell in row.items() if cell}
        at = number + 1


def _named(question: Question) -> Iterator[str]:
    for words in rows.texts(question):
        yield from REFERENCE.findall(words)
