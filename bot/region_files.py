"""Regions as an organizer lists them, in CSV: read with every fault reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot.forum_files import ForumFileError
from dialogs import replies, tables
from storage.segments import Place

COLUMNS = ("municipality", "region")
LONGEST = 64  # characters of a name


def read(path: Path, places: Mapping[str, Place]) -> dict[str, list[str]]:
    """The codes of the municipalities in each region. A municipality is given by its code or its
    name, and may stand in several regions. Raises ForumFileError, OSError."""
    try:
        sheet = tables.read_csv(path)
    except tables.TableError as error:
        raise ForumFileError(str(error)) from None
    if not sheet.rows or any(column not in sheet.headers for column in COLUMNS):
        raise ForumFileError(
            f"{path.name}: there is no table. Begin with the line: {','.join(COLUMNS)}."
        )
    known = {replies.plain(key): code for code, place in places.items()
             for key in (code, place.name)}  # fmt: skip
    found: dict[str, list[str]] = {}
    faults = []
    for number, row in sheet.rows:
        town, name = (row.get(column, "") for column in COLUMNS)
        code = known.get(replies.plain(town))
        if code is None:
            faults.append(f"{path.name}, line {number}: '{town}' is no municipality. "
                          "Give its name or its code, such as 31050.")  # fmt: skip
        elif not name or len(name) > LONGEST:
            faults.append(f"{path.name}, line {number}: the region has no name, or a name of more "
                          f"than {LONGEST} characters. Correct it.")  # fmt: skip
        else:
            found.setdefault(name, []).append(code)
    if faults:
        raise ForumFileError("\n".join(faults))
    return found
