"""Submissions that ODK or KoboToolbox collected: read from an export, and held against the form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError  # nosec B405 # defusedxml reads

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from dialogs import closures, dates, headers, moments, replies, settling, tables, walking
from dialogs.faults import Said, said
from dialogs.headers import Names
from dialogs.questions import CHOSEN, MOMENTS, NUMBERS, Question, Script
from dialogs.state import Dialog
from dialogs.tables import Sheet
from dialogs.values import in_language
from dialogs.walking import Library

INSTANCE = ("instanceID", "_uuid", "KEY", "meta-instanceID", "meta/instanceID", "__id", "uuid")
WHEN = ("end", "SubmissionDate", "_submission_time", "today", "start")
PARENTS = ("PARENT_KEY", "_submission__uuid", "_parent_index")
ASIDE = ("problems", "row")  # columns of a file that was set aside, besides the answers
CUT = 28  # letters that are left at least of a sheet's name that was cut off
FORMULA = re.compile(r"^'(?=[=+\-@])")  # how a cell is kept from being taken for a formula
JUNK = re.compile(r"^(_|__|meta|formhub|\$)")


@dataclass(frozen=True, slots=True)
class Submission:
    """One filled-in form. `values` are by question, "name#2" inside a repeat, "name#2#1"
    in a repeat within it."""

    row: int
    instance: str
    values: Mapping[str, str]
    at: datetime | None = None
    unknown: tuple[str, ...] = ()  # columns that are no question of this form


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of a repeat's sheet, and their places by the row they name as theirs."""

    rows: Sequence[Mapping[str, str]]
    places: Mapping[str, Sequence[int]]

    def of(self, row: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
        own = {row.get(name, "") for name in (*INSTANCE, "_index")} - {""}
        return [
            self.rows[at] for at in sorted({at for key in own for at in self.places.get(key, ())})
        ]


@dataclass(frozen=True, slots=True)
class Held:
    """A submission held against its form."""

    submission: Submission
    dialog: Dialog
    faults: tuple[Said, ...] = field(default=())


def read(path: Path, script: Script) -> list[Submission]:
    """The submissions in a CSV, XLSX or OpenRosa XML. Raises TableError if it is none of these."""
    content = path.read_bytes()
    if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return _from_xml(content, script)
    main, others = _sheets(path)
    known, parts = headers.names(script), {name: _parts(each) for name, each in others.items()}
    return [_from_row(number, row, parts, known) for number, row in main.rows]


def _parts(sheet: Sheet) -> Parts:
    """Each row is looked at once: 12,000 of them took two minutes for 4,000 submissions."""
    rows, places = [cells for _, cells in sheet.rows], dict[str, list[int]]()
    for at, cells in enumerate(rows):
        for name in PARENTS:
            if cells.get(name):
                places.setdefault(cells[name], []).append(at)
    return Parts(rows, places)


def _sheets(path: Path) -> tuple[Sheet, Mapping[str, Sheet]]:
    """The sheet of the submissions, and those of repeats by name."""
    if path.suffix.lower() != ".csv":
        book = tables.read_any(path)
        first, *rest = book
        return book[first], {name: book[name] for name in rest}
    prefix = f"{path.stem}-"
    others = {
        other.stem.removeprefix(prefix).lower(): tables.read_csv(other)
        for other in path.parent.glob(f"{prefix}*.csv")
    }
    return tables.read_csv(path), others


def _from_row(
    number: int, row: Mapping[str, str], others: Mapping[str, Parts], known: Names
) -> Submission:
    script = known.script
    values: dict[str, str] = {}
    unknown = _read_row(row, known, values, "")
    _read_repeats(row, (), "", others, known, values)
    _close_repeats(values, script)
    instance = next((row[name] for name in INSTANCE if row.get(name)), "")
    return Submission(number, instance, values, _when(row), unknown)


def _read_repeats(
    row: Mapping[str, str],
    within: tuple[str, ...],
    path: str,
    others: Mapping[str, Parts],
    known: Names,
    values: dict[str, str],
) -> None:
    """The rows of the repeats right within these, as far as they belong to this row."""
    repeats = known.script.repeats
    for name, parts in others.items():
        meant = [each for each in repeats if _names(name.lower(), each.lower())]
        repeat = repeats[max(meant, key=len)] if meant else None
        if repeat is None or repeat.chain[:-1] != within:
            continue
        for at, cells in enumerate(parts.of(row), 1):
            _read_row(cells, known, values, f"{path}#{at}")
            _read_repeats(cells, repeat.chain, f"{path}#{at}", others, known, values)


def _names(sheet: str, repeat: str) -> bool:
    """Whether a sheet is that of a repeat; Excel cuts names off after 31 letters."""
    short = sheet.removesuffix("...").removesuffix("…")
    return sheet.endswith(repeat) or (len(sheet) >= CUT and repeat.startswith(short))


def _read_row(
    row: Mapping[str, str], known: Names, values: dict[str, str], instance: str
) -> tuple[str, ...]:
    """Put a row's cells to their questions; the columns that have none are given back."""
    unknown, several = [], dict[str, list[str]]()
    for column, cell in row.items():
        if column in (*INSTANCE, *WHEN, *PARENTS, *ASIDE) and column not in known.script.places:
            continue
        name, option = headers.meaning(column, known)
        if name and option:
            said = headers.ticked(cell, option)
            marked = [cell] if said is None else [option.name] * said
            several.setdefault(name, []).extend(marked)
        elif name and cell:
            values.setdefault(f"{name}{instance}", FORMULA.sub("", cell))
        elif not name and not JUNK.match(column):
            unknown.append(column)
    for name, chosen in several.items():
        if chosen:
            values.setdefault(f"{name}{instance}", " ".join(chosen))
    return tuple(unknown)


def _close_repeats(values: dict[str, str], script: Script) -> None:
    """As if each instance had been asked for by the one before."""
    for repeat in script.repeats.values():
        depth, last = len(repeat.chain), dict[str, int]()  # by the instance around it
        for key in values if repeat.count is None else ():
            name, *path = key.split("#")
            if repeat.name in script.chains.get(name, ()) and len(path) >= depth:
                around = "#".join((repeat.name, *path[: depth - 1]))
                last[around] = max(last.get(around, 0), int(path[depth - 1]))
        for around, most in last.items():
            for number in range(1, most + 1):
                values[f"{around}#{number}"] = "si" if number < most else "no"


def _when(row: Mapping[str, str]) -> datetime | None:
    for column, cell in row.items():
        if cell and any(column == name or column.endswith(f"/{name}") for name in WHEN):
            found = dates.read(cell.replace(" ", "T", 1))
            if found is not None:
                return found if found.tzinfo else found.replace(tzinfo=dates.ZONE)
    return None


# OpenRosa XML


def _from_xml(content: bytes, script: Script) -> list[Submission]:
    """One submission, or several within an element that holds nothing else."""
    try:
        root = fromstring(content)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise tables.TableError(said("bad_xml", error=str(error))) from None
    several = [element for element in root.iter() if element is not root and _is_one(element)]
    found = [root] if _is_one(root) or not several else several
    return [_from_element(number, element, script) for number, element in enumerate(found, 1)]


def _is_one(element: Element) -> bool:
    """Whether it is a whole submission: it has an instance id of its own."""
    own = (child for child in element if child.tag.rpartition("}")[2] == "meta")
    inner = (each.tag.rpartition("}")[2] for meta in own for each in meta)
    return "instanceID" in element.attrib or "instanceID" in inner


def _from_element(number: int, root: Element, script: Script) -> Submission:
    values: dict[str, str] = {}
    row: dict[str, str] = {}
    for name, text, instance in _leaves(root, script, ""):
        row.setdefault(name, text)
        if name in script.places and text:
            values[f"{name}{instance}"] = text
    _close_repeats(values, script)
    instance = row.get("instanceID", "") or root.get("instanceID", "")
    row.setdefault("SubmissionDate", root.get("submissionDate", ""))
    return Submission(number, instance, values, _when(row))


def _leaves(
    element: Element, script: Script, instance: str, around: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, str]]:
    seen: dict[str, int] = {}
    for child in element:
        name = child.tag.rpartition("}")[2]
        here, path = instance, (*around, name)
        if name in script.repeats:
            seen[name] = seen.get(name, 0) + 1
            here = f"{instance}#{seen[name]}"
        if len(child):
            yield from _leaves(child, script, here, path)
        else:
            yield closures.meant(path, script.places), (child.text or "").strip(), here


# against the form


def hold(submission: Submission, dialog: Dialog, library: Library) -> Held:
    """The answers as a conversation would have left them, and what is wrong with them."""
    script = library.script(dialog)
    library = library._replace(now=submission.at)
    faults = [] if submission.instance else [said("no_instance", names=", ".join(INSTANCE[:3]))]
    answers: dict[str, str] = {}
    for key, cell in submission.values.items():
        if key.partition("#")[0] not in script.places:
            continue
        question = script.question(key)
        value = _value(question, cell, submission.at)
        if value is None:
            faults.append(said("cell_no_answer", question=key, value=cell))
        elif not question.computed:
            answers[key] = value
    passed = tuple(name for name in script.places if name not in answers)  # nothing is preset
    held, _ = settling.settle(dialog._replace(answers=answers, passed=passed), library)
    faults.extend(_broken(held, library))
    return Held(submission, held, tuple(faults))


def _value(question: Question, cell: str, at: datetime | None) -> str | None:
    if question.type in CHOSEN:
        return headers.chosen(question, cell)
    if question.type in NUMBERS:
        number = replies.decimal(cell)
        if number is None or (question.type == "integer" and not number.is_integer()):
            return None
        return str(int(number)) if number.is_integer() else str(number)
    if question.type in MOMENTS:
        if question.type == "time":
            return cell if re.match(r"\d\d:\d\d", cell) else moments.value("time", cell, at)
        found = dates.read(cell.replace(" ", "T", 1))
        return None if found is None else (cell[:10] if question.type == "date" else cell)
    return cell


def _broken(dialog: Dialog, library: Library) -> Iterator[Said]:
    """Rules that the answers break, and answers that the form cannot do without."""
    script, here = library.script(dialog), walking.scope(dialog, library)
    refused = walking.disposition(dialog, script) == "refused"
    for question in walking.steps(script, here):
        if not question.asked or not walking.holds(question, here, script):
            continue
        value = dialog.answers.get(question.name, "")
        fault = walking.fault(question, value, dialog, library)
        if fault == "required" and (question.type in ("select_multiple", "rank") or refused):
            fault = "required" if question.required and not refused else ""
        if fault == "required" and question.role != "language":
            yield said("cell_missing", question=question.name)
        elif fault in ("constraint", "long"):
            rule = in_language(question.constraint_message, "es").rstrip(". ")
            told = f" ({rule})" if rule and "${" not in rule else ""
            yield said("cell_breaks_rule", question=question.name, value=value, rule=told)


def answers_of(held: Held, script: Script) -> Sequence[tuple[Question, str]]:
    """What is to be stored, in the form's order."""
    library = Library(lambda _form, _version: script, now=held.submission.at)
    here = walking.scope(held.dialog, library)
    return [
        (question, held.dialog.answers[question.name])
        for question in walking.steps(script, here)
        if held.dialog.answers.get(question.name)
    ]
