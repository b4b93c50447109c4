"""Data out: one row an answer, one row a pass through a form, in the formats people use."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import xlsxwriter
from sqlalchemy import Connection

from dialogs import comparing
from dialogs.asking import Library
from dialogs.script import Question, Script
from dialogs.values import in_language
from storage import exports

ANSWERS = (
    *("person", "form", "version", "question", "value", "said", "language", "confidence"),
    *("channel", "at"),
)
RESPONSES = (
    *("person", "form", "version", "folio", "state", "mode", "started_at", "finished_at"),
    "came_by",  # the code of the link by which it was begun
    "quote",  # whether they may be quoted: yes, no, or nothing if they were never asked
)
CHANGES = ("form", "from_version", "to_version", "name", "what", "before", "after")
TYPES = {
    "from_version": "integer",
    "to_version": "integer",
    "version": "integer",
    "confidence": "number",
    "at": "datetime",
    "started_at": "datetime",
    "finished_at": "datetime",
}
FLOIP_TYPES = {
    "select_one": "select_one",
    "select_multiple": "select_many",
    "integer": "numeric",
    "decimal": "numeric",
    "range": "numeric",
    "audio": "audio",
}
FORMATS = ("csv", "xlsx", "json", "frictionless", "floip")


def write(
    db: Connection, library: Library, format_: str, folder: Path, now: datetime
) -> list[Path]:
    """Write everything that counts into a folder, under pseudonyms; the files made.

    What people wrote in their own words comes along: it may name somebody.
    """
    folder.mkdir(parents=True, exist_ok=True)
    match format_:
        case "csv":
            return [_csv(folder, *table) for table in _tables(db, library)]
        case "json":
            return [_json(folder, name, rows) for name, _, rows in _tables(db, library)]
        case "xlsx":
            return [_xlsx(folder / "consulta.xlsx", _tables(db, library))]
        case "frictionless":
            return _frictionless(db, library, folder, now)
        case "floip":
            return _floip(db, library, folder, now)
    raise LookupError(f"The format {format_} is not known. Use one of: {', '.join(FORMATS)}")


Table = tuple[str, tuple[str, ...], Iterator[dict[str, Any]]]


def _tables(db: Connection, library: Library) -> tuple[Table, ...]:
    """The answers of all versions together, by question name, and what changed between them."""
    return (
        ("answers", ANSWERS, map(_plain, exports.answers(db))),
        ("responses", RESPONSES, map(_plain, exports.responses(db))),
        ("changes", CHANGES, _changes(db, library)),
    )


def _changes(db: Connection, library: Library) -> Iterator[dict[str, Any]]:
    """From each version that somebody answered to the next one that somebody did."""
    for old, new in pairwise(_scripts(db, library)):
        for change in comparing.changes(old, new) if old.name == new.name else ():
            versions = {"from_version": old.version, "to_version": new.version}
            yield {"form": new.name, **versions, **asdict(change)}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Moments as ISO 8601 in UTC, nothing as an empty cell, confidence to three places."""
    plain: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        plain[name] = (
            "" if value is None else round(value, 3) if isinstance(value, float) else value
        )
    return plain


def _csv(folder: Path, name: str, columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> Path:
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _json(folder: Path, name: str, rows: Iterable[dict[str, Any]]) -> Path:
    path = folder / f"{name}.json"
    with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
        json.dump(list(rows), file, ensure_ascii=True, indent=1)
    return path


def _xlsx(path: Path, tables: Iterable[Table]) -> Path:
    """Words are cells of text: what begins with = never becomes a formula."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        for name, columns, rows in tables:
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, columns)
            for number, row in enumerate(rows, 1):
                sheet.write_row(number, 0, [_cell(row[column]) for column in columns])
    return path


def _cell(value: Any) -> Any:
    """What XML can hold: control characters and lone surrogates are replaced."""
    if not isinstance(value, str):
        return value
    kept = "".join(sign if sign >= " " or sign in "\t\n" else "\ufffd" for sign in value)
    return kept.encode("utf-8", "replace").decode()[:32_767]


def _frictionless(db: Connection, library: Library, folder: Path, now: datetime) -> list[Path]:
    """The CSV files, a codebook, and the descriptor of a Tabular Data Package."""
    tables = [
        (name, columns, _csv(folder, name, columns, rows))
        for name, columns, rows in _tables(db, library)
    ]
    columns = ("form", "version", "question", "type", "label", "choices")
    codebook = _csv(folder, "questions", columns, _codebook(db, library))
    tables.append(("questions", columns, codebook))
    package = {
        "profile": "tabular-data-package",
        "name": "consulta",
        "created": now.isoformat(),
        "licenses": [{"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"}],
        "resources": [_resource(name, columns, path) for name, columns, path in tables],
    }
    descriptor = folder / "datapackage.json"
    descriptor.write_text(json.dumps(package, ensure_ascii=False, indent=1), encoding="utf-8")
    return [path for _, _, path in tables] + [descriptor]


def _resource(name: str, columns: tuple[str, ...], path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    fields = [{"name": column, "type": TYPES.get(column, "string")} for column in columns]
    return {
        "profile": "tabular-data-resource",
        "name": name,
        "path": path.name,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": len(content),
        "hash": f"sha256:{sha256(content).hexdigest()}",
        "schema": {"fields": fields, "missingValues": [""]},
    }


def _scripts(db: Connection, library: Library) -> list[Script]:
    return [library.lookup(name, version) for name, version in exports.versions(db)]


def _codebook(db: Connection, library: Library) -> Iterator[dict[str, Any]]:
    for script in _scripts(db, library):
        for question in script.questions:
            if question.asked:
                yield _described(script, question)


def _described(script: Script, question: Question) -> dict[str, Any]:
    return {
        "form": script.name,
        "version": script.version,
        "question": question.name,
        "type": question.type,
        "label": in_language(question.label, "es"),
        "choices": " | ".join(
            f"{option.name}: {in_language(option.label, 'es')}" for option in question.options
        ),
    }


def _floip(db: Connection, library: Library, folder: Path, now: datetime) -> list[Path]:
    """A FLOIP Flow Results package: the descriptor, the rows as arrays of seven, the changes."""
    questions = {
        question.name: _floip_question(question)
        for script in _scripts(db, library)
        for question in script.questions
        if question.asked
    }
    rows = [_floip_row(number, row) for number, row in enumerate(exports.answers(db), 1)]
    data = folder / "flow-results-data.json"
    data.write_text(json.dumps(rows, ensure_ascii=True), encoding="utf-8")
    package = {
        "profile": "flow-results-package",
        "flow_results_specification_version": "1.0.0-rc1",
        "name": "consulta",
        "id": str(uuid5(NAMESPACE_URL, "consulta")),
        "created": now.isoformat(),
        "modified": now.isoformat(),
        "resources": [
            {
                "path": data.name,
                "name": "consulta-data",
                "mediatype": "application/json",
                "encoding": "utf-8",
                "schema": {"language": "spa", "questions": questions},
            }
        ],
    }
    descriptor = folder / "flow-results-package.json"
    descriptor.write_text(json.dumps(package, ensure_ascii=False, indent=1), encoding="utf-8")
    return [descriptor, data, _csv(folder, "changes", CHANGES, _changes(db, library))]


def _floip_question(question: Question) -> dict[str, Any]:
    choices = [option.name for option in question.options]
    return {
        "type": FLOIP_TYPES.get(question.type, "open"),
        "label": in_language(question.label, "es"),
        "type_options": {"choices": choices} if choices else {},
    }


def _floip_row(number: int, row: Mapping[str, Any]) -> list[Any]:
    """timestamp, row id, contact, session, question, response, and what is known of it."""
    language = {"es": "spa", "yua": "yua"}.get(row["language"] or "")
    known = {"language": language, "confidence": row["confidence"]} if language else {}
    return [
        row["at"].astimezone(UTC).isoformat(),
        number,
        row["person"],
        row["response"],
        row["question"],
        row["value"],
        known,
    ]
