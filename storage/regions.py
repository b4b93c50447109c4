"""Regions: municipalities that organizers put together, such as those of the state's planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select

from storage import schema

regions = schema.regions


def all_(db: Connection) -> dict[str, list[str]]:
    """The municipalities of each region, by its name."""
    found: dict[str, list[str]] = {}
    for name, code in db.execute(select(regions).order_by(*regions.c)):
        found.setdefault(name, []).append(code)
    return found


def replace(db: Connection, given: Mapping[str, Sequence[str]]) -> None:
    """Keep these instead of whatever there was."""
    db.execute(delete(regions))
    rows = [
        {"region": name, "municipality": code}
        for name, codes in given.items()
        for code in dict.fromkeys(codes)
    ]
    if rows:
        db.execute(insert(regions), rows)
