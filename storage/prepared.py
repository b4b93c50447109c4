"""Statements of every turn, compiled once: SQLAlchemy's own way to run one costs five times what
the database takes for it."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import Select

Processor = Callable[[Any], Any]
Statement = UpdateBase | Select[Any]


@dataclass(slots=True)
class _Compiled:
    """Its words for one kind of database, and what its values and columns pass through."""

    words: str
    fixed: Mapping[str, Any]  # what stands in the statement itself
    order: Sequence[str] | None  # of the parameters; None: they go by name
    given: Sequence[tuple[str, Processor]]
    row: Callable[[Sequence[Any]], Any] | None  # None: it returns nothing
    found: Sequence[tuple[int, Processor]] | None = None  # not known before it ran once


class Prepared:
    """A statement that is compiled when it is first run with parameters of these names. It runs
    within a transaction that has begun."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}  # by dialect, and what is given

    def run(self, db: Connection, given: Mapping[str, Any]) -> list[Any]:
        """Its rows, as named tuples; none if it returns none. Raises what SQLAlchemy would."""
        key = (db.dialect.name, *given)
        made = self._compiled.get(key)
        if made is None:
            made = self._compiled[key] = _compile(self._statement, db.dialect, list(given))
        values = {**made.fixed, **given}
        for name, process in made.given:
            values[name] = process(values[name])
        return self._run(
            db, made, values if made.order is None else [values[n] for n in made.order]
        )

    def _run(self, db: Connection, made: _Compiled, values: Any) -> list[Any]:
        cursor, rows = _executed(db, made.words, values)
        if made.row is None:
            return []
        if made.found is None:
            made.found = _processors(self._statement, db.dialect, cursor.description or ())
        return [_row(made.row, made.found, row) for row in rows]


def plainly(db: Connection, words: str) -> None:
    """Run what has no parameters and returns nothing."""
    _executed(db, words, ())


def _executed(db: Connection, words: str, values: Any) -> tuple[Any, Sequence[Sequence[Any]]]:
    """The database's own cursor, and all rows."""
    connection: Any = db.connection.dbapi_connection
    try:
        cursor = connection.execute(words, values)
        return cursor, cursor.fetchall() if cursor.description else ()
    except db.dialect.loaded_dbapi.Error as error:
        lost = db.dialect.is_disconnect(error, connection, None)
        raise _explained(db, words, error, lost=lost) from error


def _row(
    made: Callable[[Sequence[Any]], Any], found: Sequence[tuple[int, Processor]], row: Sequence[Any]
) -> Any:
    values = list(row)
    for place, process in found:
        values[place] = process(values[place])
    return made(values)


def _explained(db: Connection, words: str, error: Exception, *, lost: bool) -> BaseException:
    """The error as SQLAlchemy raises it; a connection that is lost is not used again."""
    if lost:
        db.invalidate(error)
    return DBAPIError.instance(
        words,
        None,
        error,
        db.dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=db.dialect,
    )


def _compile(statement: Statement, dialect: Dialect, names: Sequence[str]) -> _Compiled:
    made: Any = statement.compile(dialect=dialect, column_keys=names)
    columns = [column.key or "" for column in statement.exported_columns]
    processes = {
        name: bind.type.dialect_impl(dialect).bind_processor(dialect)
        for bind, name in made.bind_names.items()
    }
    row: Any = namedtuple("row", columns)  # type: ignore[misc]
    return _Compiled(
        words=str(made),
        fixed={name: value for name, value in made.params.items() if name not in names},
        order=made.positiontup,
        given=[(name, process) for name, process in processes.items() if process],
        row=row._make if columns else None,
    )


def _processors(
    statement: Statement, dialect: Dialect, described: Sequence[Any]
) -> Sequence[tuple[int, Processor]]:
    """What the columns pass through that do not come as they are."""
    found = [
        column.type.dialect_impl(dialect).result_processor(dialect, told[1])
        for column, told in zip(statement.exported_columns, described, strict=True)
    ]
    return [(place, process) for place, process in enumerate(found) if process]
