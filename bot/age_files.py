"""The population by age as an organizer brings it, in CSV: read with every fault at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from bot.forum_files import ForumFileError
from dialogs import ages, tables
from dialogs.ages import Row
from dialogs.replies import plain

# 2,317,082 of 2,320,898 people: the census does not know the age of the others.
SHIPPED = "INEGI, Censo de Población y Vivienda 2020, principales resultados (18 y más, 60 y más)"
HEADERS = {  # in a table of INEGI's, or in ours
    "age": ("age", "edad", "grupo de edad", "grupos de edad", "grupo quinquenal de edad"),
    "people": ("people", "total", "poblacion", "poblacion total", "personas"),
    "men": ("men", "hombres"),
    "women": ("women", "mujeres"),
}
SKIPPED = ("total", "no especificado")  # lines of INEGI's tables that are no age


@cache
def shipped() -> list[Row]:
    """The state's population by the ages that are known here; not parted by sex."""
    with resources.as_file(resources.files("dialogs.forms") / "edades.csv") as path:
        return read(path)


def read(path: Path) -> list[Row]:
    """The table: a line for each age or range of ages. Raises ForumFileError, OSError."""
    try:
        sheet = tables.read_csv(path)
    except tables.TableError as error:
        raise ForumFileError(str(error)) from None
    columns = {
        meant: header
        for header in sheet.headers
        for meant, known in HEADERS.items()
        if plain(header) in known
    }
    if "age" not in columns or not ({"men", "women"} <= columns.keys() or "people" in columns):
        raise ForumFileError(
            f"{path.name}: there is no table of ages. Begin with the line: age,men,women "
            "(or age,people), and go on with lines such as: 18,20114,20450 or 60 y más,1200,1300."
        )
    rows, faults = [], []
    for number, cells in sheet.rows:
        given = {meant: cells.get(header, "") for meant, header in columns.items()}
        if plain(given["age"]).startswith(SKIPPED):
            continue
        row = _row(given)
        if isinstance(row, str):
            faults.append(f"{path.name}, line {number}: {row}.")
        else:
            rows.append(row)
    rows.sort(key=lambda row: row.start)
    if not faults and (wrong := ages.whole(rows)):
        faults.append(f"{path.name}: {wrong}.")
    if faults:
        raise ForumFileError("\n".join(faults))
    return rows


def _row(given: Mapping[str, str]) -> Row | str:
    """A line, or what is wrong with it."""
    span = ages.span(given["age"])
    if span is None or (span[1] is not None and span[1] < span[0]):
        return f"'{given['age']}' is no age. Write 34, 18 a 29, or 60 y más"
    counts = {}
    for column in ("people", "men", "women"):
        written = re.sub(r"[,\s]", "", given.get(column, ""))
        if written and not written.isdecimal():
            return f"'{given[column]}' is no number of people. Write it without decimals"
        counts[column] = int(written) if written else None
    men, women = counts["men"], counts["women"]
    both = men + women if men is not None and women is not None else None
    people = counts["people"] if counts["people"] is not None else both
    if people is None:
        return "the number of people is missing. Add it"
    if both is not None and both != people:
        return f"{men} men and {women} women are not {people} people. Correct one of them"
    return Row(*span, people, men, women)
