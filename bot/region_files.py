"""Regions as an organizer lists them, in CSV: read with every fault reported at once."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from bot.forum_files import ForumFileError
from dialogs import replies
from storage.segments import Place

COLUMNS = ("municipality", "region")
LONGEST = 64  # characters of a name


def read(path: Path, places: Mapping[str, Place]) -> dict[str, list[str]]:
    """The codes of the municipalities in each region. A municipality is given by its code or its
    name, and may stand in several regions. Raises ForumFileError, OSError."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ForumFileError(
            f"{path.name}: this is no CSV in UTF-8 ({error}). Correct it."
        ) from None
    if not rows or any(column not in rows[0] for column in COLUMNS):
        raise ForumFileError(
            f"{path.name}: there is no table. Begin with the line: {','.join(COLUMNS)}."
        )
    known = {replies.plain(key): code for code, place in places.items()
             for key in (code, place.name)}  # fmt: skip
    found: dict[str, list[str]] = {}
    faults = []
    for number, row in enumerate(rows, 2):
        town, name = (str(row[column] or "").strip() for column in COLUMNS)
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
