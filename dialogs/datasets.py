"""The tables that lie beside a questionnaire: CSV, GeoJSON and XML, as ODK takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError  # nosec B405 # defusedxml reads

from dialogs import tables
from dialogs.faults import said
from dialogs.tables import TableError

Table = Sequence[Mapping[str, str]]

SUFFIXES = (".csv", ".geojson", ".xml")
COLUMNS = {".geojson": ("id", "title")}  # of a choice's name and label, where no other is named


def stem(file: str) -> str:
    """The name by which expressions know a file: without its ending."""
    suffix = Path(file).suffix
    return file.removesuffix(suffix) if suffix.lower() in SUFFIXES else file


def read(path: Path) -> Table:
    """The rows of a file, each with every column. Raises TableError, csv.Error or OSError."""
    match path.suffix.lower():
        case ".geojson":
            rows = [*_features(path)]
        case ".xml":
            rows = [*_items(path)]
        case _:
            sheet = tables.read_csv(path)
            return _whole(sheet.headers, [cells for _, cells in sheet.rows])
    return _whole([*dict.fromkeys(name for row in rows for name in row)], rows)


def _whole(headers: Sequence[str], rows: Table) -> Table:
    blank = dict.fromkeys(headers, "")
    return [{**blank, **row} for row in rows]


# GeoJSON (RFC 7946): a feature's properties, its id, and its place as an answer has it


def _features(path: Path) -> Iterator[Mapping[str, str]]:
    try:
        found = json.loads(path.read_bytes().decode("utf-8-sig"))
        for feature in found["features"]:
            own = {"id": feature["id"]} if feature.get("id") is not None else {}
            cells = {**own, **(feature.get("properties") or {})}
            place = _place(feature.get("geometry") or {})
            yield {"geometry": place, **{name: _text(cell) for name, cell in cells.items()}}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TableError(said("bad_geojson", error=f"{type(error).__name__}: {error}")) from None


def _text(cell: object) -> str:
    match cell:
        case str():
            return cell.strip()
        case None:
            return ""
        case float() if cell.is_integer():
            return str(int(cell))
        case bool() | dict() | list():
            return json.dumps(cell, ensure_ascii=False)
    return str(cell)


def _place(geometry: Mapping[str, Any]) -> str:
    """ "lat lon 0 0"; of a line or an area its points, with semicolons between them."""
    given: Any = geometry.get("coordinates")
    points: Sequence[Any] = ()
    match geometry.get("type"):
        case "Point":
            points = [given]
        case "LineString":
            points = given
        case "Polygon":
            points = given[0]
    return "; ".join(f"{latitude} {longitude} 0 0" for longitude, latitude, *_ in points)


# XML: what stands below the root, such as <item><name>…</name><label>…</label></item>


def _items(path: Path) -> Iterator[Mapping[str, str]]:
    from defusedxml import DefusedXmlException  # here: a server seldom reads one
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(path.read_bytes())
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise TableError(said("bad_items", error=str(error))) from None
    for item in root:
        yield {_tag(cell): "".join(cell.itertext()).strip() for cell in item}


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
