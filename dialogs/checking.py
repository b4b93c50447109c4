"""Everything that can be said of a questionnaire before anybody is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dialogs import attachments, columns, kinds, reaching, rows, simulation
from dialogs import script as scripts
from dialogs.faults import Fault, said
from dialogs.questions import REFERENCE, Option, Question, Script
from dialogs.simulation import Result
from dialogs.tables import Sheet, Workbook
from dialogs.values import Text

MOST_PROMPTS = 15
MOST_LETTERS = 300  # of a message: many people pay for their data by the day
BUTTON, LIST = 20, 24  # letters on a WhatsApp button (up to 3 choices), and in a list (up to 10)
MOST_LISTED = 10
READABLE = 40  # letters that a Telegram button shows on a small screen
BODIES = ((1024, "takes_buttons"), (1600, "takes_whatsapp"), (4096, "takes_telegram"))
PEOPLE = 40  # simulated, for the reading time
OURS = re.compile(r"max-length\s*=\s*\d+[\s,;]*", re.IGNORECASE)
ROW = re.compile(r"\[row\s*:\s*(\d+|unknown)\]")
NAMED = re.compile(r"'([^']+)'|\bnamed (\w+)")


@dataclass(frozen=True, slots=True)
class Checked:
    """A questionnaire, what makes it unusable, and what could be better."""

    script: Script | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()
    walked: Result | None = field(default=None)
    unreadable: bool = False


def check(path: Path, now: datetime = simulation.START) -> Checked:
    """Read a file and look at everything, as of a day. Raises OSError if it cannot be read."""
    reading = scripts.load(path)
    if reading.script is None:
        return Checked(None, reading.faults, reading.warnings, unreadable=reading.unreadable)
    found = reading.script
    faults = [
        *_pyxform(path, reading.book, reading.script),
        *reaching.faults(found, now),
        *attachments.faults(path.parent, found),
    ]
    walked = simulation.simulate(found, PEOPLE, 1, now) if not faults else None
    warnings = [
        *reading.warnings,
        *attachments.warnings(found),
        *_translations(reading.book),
        *(warning for question in found.questions for warning in _lengths(question)),
        *(_guide(found, walked) if walked else ()),
    ]
    return Checked(found, _sorted(faults), _sorted(warnings), walked)


def unopened(error: OSError) -> Checked:
    """What is said, among other files, of one that cannot be opened at all."""
    missing = isinstance(error, FileNotFoundError)
    what = said("not_there") if missing else said("not_opened", error=str(error.strerror))
    return Checked(None, (Fault("survey", 1, "", what),), unreadable=True)


def _sorted(found: Sequence[Fault]) -> tuple[Fault, ...]:
    order = {"survey": 0, "choices": 1, "settings": 2}
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda fault: (order.get(fault.sheet, 3), fault.row)))


# what pyxform says


def _pyxform(path: Path, book: Workbook, script: Script) -> Iterator[Fault]:
    """Whether ODK and KoboToolbox would take the form too."""
    from pyxform.errors import PyXFormError  # here: a server seldom checks a form
    from pyxform.xls2xform import convert

    try:
        convert(_definition(book, script), warnings=[], form_name="data", default_language=None)
    except PyXFormError as error:
        told = " ".join(str(error).split())
        row = _row_of(told, book["survey"])
        yield Fault("survey", row, "", said("odk_refuses", error=ROW.sub("", told).strip(" .")))
    except Exception as error:  # noqa: BLE001  # its reader has no interface of its own for faults
        told = f"{type(error).__name__}: {error}"
        yield Fault("survey", 1, "", said("odk_stops", error=told, file=path.name))


def _row_of(told: str, survey: Sheet) -> int:
    """The row that pyxform names, or the only one with the words or the parameter it names."""
    if (match := ROW.search(told)) and match[1].isdecimal():
        return int(match[1])
    named = {word for words in NAMED.findall(told) for word in words} - {"", "survey"}
    named -= {columns.header(written)[0] for written in survey.headers}
    named |= kinds.PARAMETERS & {*re.findall(r"[\w-]+", told)}
    found = {
        number
        for number, cells in survey.rows
        if any(
            word in cell or word in kinds.parameters(cell)
            for cell in cells.values()
            for word in named
        )
    }
    return found.pop() if len(found) == 1 else 1


def _definition(book: Workbook, script: Script) -> dict[str, object]:
    """The sheets as pyxform takes them, with the facts that only the chat knows."""
    book = {name: _plain(sheet) for name, sheet in book.items()}
    known = {name: list(_filled(sheet)) for name, sheet in book.items()}
    used = {name for question in script.questions for name in _named(question)}
    for fact in sorted(used & scripts.FACTS - script.places.keys()):
        known["survey"].append({"type": "hidden", "name": fact})
    found: dict[str, object] = {"fallback_form_name": script.name, **known}
    for name, sheet in book.items():
        headers = dict.fromkeys(
            (*sheet.headers, "type", "name") if name == "survey" else sheet.headers
        )
        found[f"{name}_header"] = [dict.fromkeys(headers)]
    wanted = ("survey", "choices", "settings", "external_choices", "entities", "osm")
    return {
        key: value
        for key, value in found.items()
        if key.removesuffix("_header") in wanted or key == "fallback_form_name"
    }


def _plain(sheet: Sheet) -> Sheet:
    """Without what is ours alone: review states, and how long a text may be."""
    headers = tuple(name for name in sheet.headers if columns.header(name)[0] != "review")
    cells = tuple(
        (number, {header: OURS.sub("", row.get(header, "")) for header in headers})
        if "parameters" in sheet.headers
        else (number, {header: row.get(header, "") for header in headers})
        for number, row in sheet.rows
    )
    return Sheet(headers, cells)


def _filled(sheet: Sheet) -> Iterator[dict[str, str]]:
    at = 2
    for number, row in sheet.rows:
        yield from ({} for _ in range(number - at))
        yield {header: cell for header, cell in row.items() if cell}
        at = number + 1


def _named(question: Question) -> Iterator[str]:
    for words in rows.texts(question):
        yield from REFERENCE.findall(words)


# translations


def _translations(book: Workbook) -> Iterator[Fault]:
    """Cells that are empty in one language and full in another."""
    for name in ("survey", "choices"):
        sheet = book.get(name)
        by_column = _languages(sheet) if sheet else {}
        for number, row in sheet.rows if sheet else ():
            for column, headers in by_column.items():
                yield from _missing(name, number, row, column, headers)


def _languages(sheet: Sheet) -> Mapping[str, Sequence[str]]:
    """Column -> its headers, one a language; columns with only one are left out."""
    found: dict[str, list[str]] = {}
    for written in sheet.headers:
        column, _ = columns.header(written)
        if column in columns.WORDS - {"review"} and not column.startswith("media"):
            found.setdefault(column, []).append(written)
    spoken = found.get("label", [])
    return {
        column: headers for column, headers in found.items() if len(spoken) > 1 and len(headers) > 1
    }


def _missing(
    sheet: str, number: int, row: Mapping[str, str], column: str, headers: Sequence[str]
) -> Iterator[Fault]:
    if not any(row.get(header) for header in headers):
        return
    name = next((cell for key, cell in row.items() if columns.header(key)[0] == "name"), "")
    for header in headers:
        if not row.get(header):
            language = header.replace("::", ":").partition(":")[2].strip(": ")
            spoken = language or said("default_language")
            what = said("untranslated", column=column, language=spoken, header=header)
            yield Fault(sheet, number, name, what)


# lengths


def _lengths(question: Question) -> Iterator[Fault]:
    if question.silent:
        return
    yield from _long_message(question)
    if not 0 < len(question.options) <= MOST_LISTED:
        return
    few = len(question.options) <= 3
    limit, where = (BUTTON, "shown_button") if few else (LIST, "shown_list")
    if question.type != "select_one":
        limit, where = READABLE, "shown_telegram"
    for option in question.options:
        if option.row and (words := _longest(option.label)) and len(words) > limit:
            yield _long_label(option, words, limit, where)


def _long_label(option: Option, words: str, limit: int, where: str) -> Fault:
    shown = said(where, most=limit)
    what = said("label_long", words=words, letters=len(words), limit=shown)
    return Fault("choices", option.row, option.name, what)


def _long_message(question: Question) -> Iterator[Fault]:
    words = _longest(question.label) + _longest(question.hint)
    listed = sum(len(_longest(option.label)) + 4 for option in question.options[:MOST_LISTED])
    full = len(words) + (listed if len(question.options) <= MOST_LISTED else 0)
    over = [kind for limit, kind in BODIES if full > limit]
    if over:
        what = said("message_parts", letters=full, limit=said(over[-1]))
        yield Fault("survey", question.row, question.name, what)
    elif len(words) > MOST_LETTERS:
        what = said("message_long", letters=len(words), most=MOST_LETTERS)
        yield Fault("survey", question.row, question.name, what)


def _longest(text: Text) -> str:
    return max(text.values(), key=len, default="")


# the guide


def _guide(script: Script, walked: Result) -> Iterator[Fault]:
    if walked.prompts > MOST_PROMPTS:
        prompts, minutes = f"{walked.prompts:g}", f"{walked.minutes:.0f}"
        what = said("many_prompts", prompts=prompts, minutes=minutes, most=MOST_PROMPTS)
        yield Fault("survey", 1, "", what)
    for name in walked.dead_ends:
        question = script.question(name)
        yield Fault("survey", question.row, name, said("stuck"))
    for name in walked.unreached:
        question = script.question(name)
        what = said("unreached", people=walked.people)
        yield Fault("survey", question.row, name, what)
