"""The choices of a questionnaire: its lists, and the tables that lie beside it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dialogs import columns, datasets
from dialogs.columns import Row
from dialogs.datasets import Table
from dialogs.faults import Fault, Said, said
from dialogs.questions import Option
from dialogs.tables import TableError, Workbook

Lists = Mapping[str, tuple[Option, ...]]


@dataclass(slots=True)
class Reader:
    """What reading collects on its way through the sheets."""

    folder: Path
    default: str = "es"  # the language of words in a column without one
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    lists: dict[str, tuple[Option, ...]] = field(default_factory=dict)
    external: dict[str, tuple[Option, ...]] = field(default_factory=dict)  # of external_choices
    tables: dict[str, Table] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)  # names that expressions may use
    shared: frozenset[str] = frozenset()  # names that several questions have: only paths tell
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the repeats of each name
    numbers: frozenset[str] = frozenset()  # names that are answered with numbers
    around: tuple[str, ...] = ()  # the groups around the row being read

    def fault(self, row: Row, name: str, what: Said) -> None:
        self.faults.append(Fault(row.sheet, row.number, name, what))

    def warn(self, row: Row, name: str, what: Said) -> None:
        self.warnings.append(Fault(row.sheet, row.number, name, what))


def read_lists(reader: Reader, book: Workbook) -> None:
    """The sheets that hold choices, by list name."""
    repeated = _setting(book, "allow_choice_duplicates") in ("yes", "true", "1")
    for sheet, lists in (("choices", reader.lists), ("external_choices", reader.external)):
        found: dict[str, list[Option]] = {}
        names = set[tuple[str, str]]()
        for row in columns.rows(sheet, book[sheet], reader.default) if sheet in book else ():
            list_name, option = row.cell("list_name"), _option(row)
            key = (list_name, option.name)
            if not _stands(reader, row, option):
                continue
            if key in names and not repeated and sheet == "choices":
                reader.fault(row, option.name, said("choice_twice", list=list_name))
                continue
            names.add(key)
            found.setdefault(list_name, []).append(option)
        lists.update({name: tuple(options) for name, options in found.items()})


def _setting(book: Workbook, name: str) -> str:
    for _, cells in book["settings"].rows if "settings" in book else ():
        for written, cell in cells.items():
            if columns.header(written)[0] == name:
                return cell.lower()
    return ""


def _stands(reader: Reader, row: Row, option: Option) -> bool:
    """Whether a row holds a choice; a list without one, or one without a list, is a fault."""
    list_name = row.cell("list_name")
    if list_name and option.name:
        if not row.text("label"):
            reader.warn(row, option.name, said("choice_unlabelled"))
        return True
    if list_name or option.name:
        kind = "choice_nameless" if list_name else "choice_listless"
        reader.fault(row, option.name, said(kind))
    return False


def _option(row: Row) -> Option:
    name = row.cell("name")
    return Option(
        name=name,
        label=row.text("label") or {"es": name},
        audio=row.text("media::audio"),
        columns={key: cell for key, cell in row.plain.items() if ":" not in key},
        image=row.text("media::image"),
        row=row.number,
        sheet=row.sheet,
    )


def attached(
    reader: Reader, row: Row, file: str, parameters: Mapping[str, str]
) -> tuple[Option, ...]:
    """The choices in a file that lies beside the questionnaire."""
    first, second = datasets.COLUMNS.get(Path(file).suffix.lower(), ("name", "label"))
    name_column, label_column = parameters.get("value", first), parameters.get("label", second)
    rows = table(reader, row, file)
    if rows is None:
        return ()
    if not rows or not {name_column, label_column} <= rows[0].keys():
        what = said("file_columns", file=file, first=name_column, second=label_column)
        reader.fault(row, row.cell("name"), what)
        return ()
    renamed = [
        {**cells, "name": cells[name_column], "label": cells[label_column]} for cells in rows
    ]
    made = (
        _option(columns.row(file, number, cells, reader.default))
        for number, cells in enumerate(renamed, 2)
    )
    return tuple(option for option in made if option.name)


def table(reader: Reader, row: Row, file: str, column: str = "type") -> Table | None:
    """The rows of a file beside the questionnaire; what is wrong with it is noted."""
    key = datasets.stem(file)
    if key not in reader.tables:
        try:
            reader.tables[key] = datasets.read(reader.folder / Path(file).name)
        except FileNotFoundError:
            what = said("file_missing", file=file, column=column)
            reader.fault(row, row.cell("name"), what)
        except (OSError, csv.Error, TableError) as error:
            what = said("file_unreadable", file=file, error=_reason(error), column=column)
            reader.fault(row, row.cell("name"), what)
    return reader.tables.get(key)


def _reason(error: Exception) -> Said | str:
    return error.said if isinstance(error, TableError) else str(error)


def looked_up(reader: Reader, row: Row, name: str, column: str) -> None:
    """Bring in the table that an expression looks things up in, whatever its file's ending."""
    endings = (each for each in datasets.SUFFIXES if (reader.folder / f"{name}{each}").is_file())
    table(reader, row, f"{name}{next(endings, '.csv')}", column)


def listed_rows(options: Sequence[Option]) -> Table:
    """A list of the choices sheet as instance('list') sees it."""
    return [{**option.columns, "label": option.label.get("es", option.name)} for option in options]
