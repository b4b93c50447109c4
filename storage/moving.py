"""From one database to another: every row of every table, and the counts compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, Engine, Table, func, insert, select

from storage import schema
from storage.database import DatabaseError, reading, writing

BATCH = 1000  # rows at once


def move(
    here: Engine, there: Engine, moved: Callable[[str, int], None] = lambda _name, _rows: None
) -> dict[str, int]:
    """Copy everything into an empty database with the same tables; rows by table.

    All or nothing: it is one transaction there. Raises DatabaseError if rows are there already,
    or if the counts do not agree at the end.
    """
    counts: dict[str, int] = {}
    with reading(here) as source, writing(there) as target:
        for table in schema.metadata.sorted_tables:
            _empty(target, table)
            for rows in _batches(source, table):
                target.execute(insert(table), rows)
            counts[table.name] = _count(target, table)
            if counts[table.name] != _count(source, table):
                raise DatabaseError(f"The rows of {table.name} do not agree; nothing was moved.")
            _go_on_counting(target, table)
            moved(table.name, counts[table.name])
    return counts


def _empty(target: Connection, table: Table) -> None:
    """What the program itself puts into a new database makes room for what comes."""
    if table.name in ("facts", "forms", "form_files"):
        target.execute(table.delete())
    elif _count(target, table):
        raise DatabaseError(
            f"The table {table.name} over there has rows already. Move into an empty database."
        )


def _batches(source: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    rows = source.execute(select(table).execution_options(yield_per=BATCH))
    for part in rows.partitions(BATCH):
        yield [dict(row._mapping) for row in part]


def _count(db: Connection, table: Table) -> int:
    return db.scalar(select(func.count()).select_from(table)) or 0


def _go_on_counting(target: Connection, table: Table) -> None:
    """PostgreSQL's sequences do not see rows that come with their numbers."""
    column = table.c.get("id")
    if target.dialect.name != "postgresql" or column is None or not column.autoincrement:
        return
    if not isinstance(column.type.python_type(), int):
        return
    sequence = func.pg_get_serial_sequence(table.name, "id")
    following = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
    target.execute(select(func.setval(sequence, following, False)))  # noqa: FBT003 - SQL's own
