"""The sheets of a questionnaire, from a spreadsheet or Markdown and back, row by row."""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import zip_longest
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from dialogs.faults import Said, said

Line = tuple[int, Sequence[str]]  # a row's number as a spreadsheet counts it, and its cells
UNPACKED = 100_000_000  # bytes of a spreadsheet that may lie in a file a thousandth as large
MOST_CELLS = 20_000_000  # of a sheet, empty ones too: one cell at the end makes 17 thousand million
DAYLESS = 1899  # the year of what is a time alone in a spreadsheet
SHEETS = ("survey", "choices", "settings")
KNOWN = (*SHEETS, "external_choices", "entities", "osm")  # to XLSForm, however they are spelt
WIDEST = 45  # letters of a column, where a sheet is written for people
BAR = re.compile(r"(?<!\\)((?:\\\\)*)\|")  # not a bar that a backslash makes part of its cell
RULE = re.compile(r"^\|\s*:?-+:?\s*\|[\s:|-]*$")  # a row of the table begins with an empty cell
MARK = re.compile(r"(\\*)(\||<br>)")
TO_ESCAPE = re.compile(r"(\\*)(\||<br>|\n)")
OPEN_DOCUMENT = b"application/vnd.oasis.opendocument"  # of LibreOffice, at its file's beginning
FORMULA = frozenset("=+-@\t\r＝＋－＠")  # with these a cell begins that is computed
UNCOMPUTED = re.compile(  # a formula in a sheet's XML without what it comes to
    rb"<f(?:\s[^<>]*)?(?:/>|>[^<]*</f>)(?!\s*<v[^<>/]*>[^<])"
)
NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*")
ERRORS = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A")  # of formulas
LINE = re.compile(r"\r\n?|\n")  # and nothing else that Python takes for the end of a line


class Formula(str):
    """A cell that a spreadsheet computes, as it is written: what it comes to is not in the file."""

    __slots__ = ()


class TableError(ValueError):
    """The file is not a table that can be read; says what to do."""

    def __init__(self, what: Said) -> None:
        super().__init__(str(what))
        self.said = what


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: its header as written, and its rows that are not empty."""

    headers: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]
    repeated: tuple[str, ...] = ()  # headers that stand there twice
    stray: tuple[tuple[int, str], ...] = ()  # cells under no header, which are left out: row, words
    spaced: tuple[tuple[int, str], ...] = ()  # cells with spaces around, taken off: row, header
    formulas: tuple[tuple[int, str], ...] = ()  # cells whose result is not there: row, header


Workbook = Mapping[str, Sheet]


def read(path: Path) -> Workbook:
    """Every sheet by its name, XLSForm's own in small letters.

    Raises TableError, or OSError if unreadable.
    """
    content = path.read_bytes()
    if OPEN_DOCUMENT in content[:100]:
        raise TableError(said("no_spreadsheet"))
    if content[:4] == b"PK\x03\x04":
        return _sheets(_from_xlsx(content))
    if content[:4] == b"\xd0\xcf\x11\xe0":  # whatever the extension says
        return _sheets(_from_xls(content))
    if path.suffix.lower() == ".csv":
        lines = [*_separated(_text(content, path.name))]
        if lines and {"type", "name"} <= {cell.strip().lower() for cell in lines[0]}:
            return _sheets([("survey", enumerate(lines, 1))])  # the one sheet that Excel saved
        return _sheets(_from_lines(lines))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TableError(said("no_text")) from None
    return _sheets(_from_lines(_markdown(text)))


def read_any(path: Path) -> Workbook:
    """Every sheet of a spreadsheet by its name, whatever it holds. Raises TableError."""
    content = path.read_bytes()
    if content[:4] == b"PK\x03\x04":
        return {name: _sheet(lines) for name, lines in _from_xlsx(content)}
    if content[:4] == b"\xd0\xcf\x11\xe0":
        return {name: _sheet(lines) for name, lines in _from_xls(content)}
    raise TableError(said("no_spreadsheet"))


def read_csv(path: Path) -> Sheet:
    """One table: commas, semicolons or tabs; UTF-8, or as Excel saves it. Raises TableError."""
    return _sheet(enumerate(_separated(_text(path.read_bytes(), path.name)), 1))


def _text(content: bytes, name: str) -> str:
    """Excel writes UTF-16 as "Unicode text", and CSV in the code page of Windows."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TableError(said("no_utf8", file=name))


def _separated(text: str) -> Iterator[list[str]]:
    """The cells of each line, by whichever mark the first line with one has most of."""
    first = next((line for line in text.splitlines() if re.search("[,;\t]", line)), "")
    mark = max(",;\t", key=first.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=mark)


def _sheets(found: Iterable[tuple[str, Iterable[Line]]]) -> Workbook:
    sheets = {_title(name.strip()): _sheet(lines) for name, lines in found}
    if not sheets:
        raise TableError(said("no_table"))
    if "survey" not in sheets:
        raise TableError(said("no_survey"))
    return sheets


def _title(name: str) -> str:
    return name.lower() if name.lower() in KNOWN else name


def _sheet(lines: Iterable[Line]) -> Sheet:
    filled = [(number, cells) for number, cells in lines if any(map(str.strip, cells))]
    if not filled:
        return Sheet((), ())
    headers = [" ".join(cell.split()) for cell in filled[0][1]]
    rows = []
    stray, spaced, formulas = (list[tuple[int, str]]() for _ in range(3))
    for number, cells in filled[1:]:
        row: dict[str, str] = {}
        for header, cell in zip_longest(headers, cells, fillvalue=""):
            plain = cell.strip()
            if header:
                row[header] = plain
            elif plain:
                stray.append((number, plain))
            if header and plain != cell:
                spaced.append((number, header))
            if header and isinstance(cell, Formula):
                formulas.append((number, header))
        rows.append((number, row))
    named = tuple(header for header in headers if header)
    twice = tuple(dict.fromkeys(header for header in named if named.count(header) > 1))
    return Sheet(
        tuple(dict.fromkeys(named)),
        tuple(rows),
        twice,
        tuple(stray),
        tuple(spaced),
        tuple(formulas),
    )


# from each format


def _from_xlsx(content: bytes) -> Iterator[tuple[str, Iterable[Line]]]:
    try:
        packed = ZipFile(io.BytesIO(content))
        if sum(part.file_size for part in packed.filelist) > UNPACKED:
            raise TableError(said("too_much"))
        results = written = _opened(content, results=True)
        if any(UNCOMPUTED.search(packed.read(name)) for name in packed.namelist()):
            written = _opened(content, results=False)
    except (BadZipFile, KeyError, ValueError, TypeError) as error:
        raise TableError(said("damaged", error=str(error))) from None
    for sheet in results.worksheets:
        if sheet.max_row * sheet.max_column > MOST_CELLS:
            raise TableError(said("too_much"))
        both = zip(sheet.iter_rows(values_only=True), written[sheet.title].iter_rows(), strict=True)
        yield (
            sheet.title,
            [
                (number, [_computed(*pair) for pair in zip(values, cells, strict=True)])
                for number, (values, cells) in enumerate(both, 1)
            ],
        )


def _opened(content: bytes, *, results: bool) -> Any:
    import openpyxl  # here: a server needs it seldom, and would hold it in memory

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the spreadsheet holds besides its cells
        return openpyxl.load_workbook(io.BytesIO(content), data_only=results)


def _computed(value: object, cell: Any) -> str:
    """A program that computes nothing, and not Excel, writes formulas without what they come to."""
    if value is None and cell.data_type == "f":
        return Formula(getattr(cell.value, "text", cell.value))
    return _cell(value)


def _from_xls(content: bytes) -> Iterator[tuple[str, Iterable[Line]]]:
    import xlrd

    try:
        book = xlrd.open_workbook(file_contents=content)
    except (xlrd.XLRDError, AssertionError, ValueError) as error:
        raise TableError(said("unreadable", error=str(error))) from None
    for sheet in book.sheets():
        yield (
            sheet.name,
            [
                (number + 1, [_xls_cell(cell, book.datemode) for cell in sheet.row(number)])
                for number in range(sheet.nrows)
            ],
        )


def _xls_cell(cell: Any, mode: int) -> str:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return _cell(xlrd.xldate_as_datetime(cell.value, mode))
        except (ValueError, OverflowError):
            return _cell(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return _cell(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, ERRORS[0]))
    return _cell(cell.value)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value.is_integer():
            return str(int(value))
        case datetime() if value.year == DAYLESS:
            return value.time().isoformat()
        case datetime():
            return value.date().isoformat() if value.time() == time() else value.isoformat()
        case date() | time():
            return value.isoformat()
    return str(value).replace("\u00a0", " ")


def _markdown(text: str) -> Iterator[Sequence[str]]:
    for line in map(str.strip, LINE.split(text)):
        if line.startswith("|") and not RULE.match(line):
            cells = BAR.sub("\\1\n", line).removesuffix("\n").split("\n")[1:]
            yield [MARK.sub(_unescaped, cell.strip()) for cell in cells]


def _unescaped(found: re.Match[str]) -> str:
    """Two backslashes before a mark are one; one that is left over makes it plain text."""
    backslashes, mark = found.groups()
    plain = len(backslashes) % 2 or mark == "|"
    return backslashes[: len(backslashes) // 2] + (mark if plain else "\n")


def _from_lines(lines: Iterable[Sequence[str]]) -> Iterator[tuple[str, Iterable[Line]]]:
    """Sheets below one another: a first cell names the sheet, an empty one goes on with it."""
    name, rows = "", list[Line]()
    for cells in lines:
        if cells and cells[0].strip():
            if name:
                yield name, rows
            name, rows = cells[0], []
        elif name:
            rows.append((len(rows) + 1, [cell.strip() for cell in cells[1:]]))
    if name:
        yield name, rows


# to each format


def to_markdown(book: Workbook) -> str:
    """The sheets as Markdown tables; a line break is written <br>, and <br> itself \\<br>."""
    return "\n\n".join(_table(name, sheet) for name, sheet in book.items() if sheet.headers) + "\n"


def _table(name: str, sheet: Sheet) -> str:
    rule = "|" + "---|" * (len(sheet.headers) + 1)
    rows = [[row.get(header, "") for header in sheet.headers] for row in _all(sheet)]
    top = _line([name, *("" for _ in sheet.headers)])
    return "\n".join((top, rule, _line(["", *sheet.headers]), *(_line(["", *row]) for row in rows)))


def _line(cells: Sequence[str]) -> str:
    return "|" + "".join(f" {_escaped(cell)} |" if cell else " |" for cell in cells)


def _all(sheet: Sheet) -> Iterator[Mapping[str, str]]:
    """The rows, with the empty ones between them, so that they keep their numbers."""
    at = 2
    for number, row in sheet.rows:
        yield from ({} for _ in range(number - at))
        yield row
        at = number + 1


def _escaped(cell: str) -> str:
    return TO_ESCAPE.sub(_escape, LINE.sub("\n", cell))


def _escape(found: re.Match[str]) -> str:
    backslashes, mark = found.groups()
    return backslashes * 2 + ("<br>" if mark == "\n" else f"\\{mark}")


def inert(value: object) -> str:
    """A cell of a CSV file for people that no spreadsheet program takes for a formula (OWASP, CSV
    injection); numbers stay as they are."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in FORMULA and not NUMBER.fullmatch(text) else text


def to_xlsx(book: Workbook, path: Path) -> None:
    """The sheets as a spreadsheet. Raises TableError for a character that no spreadsheet holds."""
    import openpyxl
    from openpyxl.utils import get_column_letter

    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for name, sheet in book.items():
        page = made.create_sheet(name)
        page.freeze_panes = "A2"
        for column, header in enumerate(sheet.headers, 1):
            _write(page, 1, column, header)
            longest = max(len(header), *(len(row.get(header, "")) for _, row in sheet.rows), 8)
            page.column_dimensions[get_column_letter(column)].width = min(longest + 2, WIDEST)
            for number, row in sheet.rows:
                _write(page, number, column, row.get(header, ""))
    made.save(path)


def _write(page: Any, row: int, column: int, text: str) -> None:
    """As text always: "007" stays so, and "=…" is no formula."""
    from openpyxl.utils.exceptions import IllegalCharacterError

    if text:
        cell = page.cell(row, column)
        try:
            cell.value = text
        except IllegalCharacterError:
            where = said("control_character", page=page.title, line=row, column=cell.column_letter)
            raise TableError(where) from None
        cell.data_type = "s"
