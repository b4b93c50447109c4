"""Everything that can be said of a questionnaire before anybody is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dialogs import attachments, columns, odk, reaching, simulation
from dialogs import script as scripts
from dialogs.faults import Fault, said
from dialogs.questions import Option, Question, Script
from dialogs.simulation import Result
from dialogs.tables import Sheet, Workbook
from dialogs.values import Text

MOST_PROMPTS = 15
MOST_LETTERS = 300  # of a message: many people pay for their data by the day
BUTTON, LIST = 20, 24  # letters on a WhatsApp button (up to 3 choices), and in a list (up to 10)
MOST_LISTED = 10
READABLE = 40  # letters that a Telegram button shows on a small screen
BODIES = ((1024, "takes_buttons"), (1600, "takes_whatsapp"), (4096, "takes_telegram"))
UNFRAMED = ("no_end", "no_beginning", "repeat_empty", "column_missing", "sheet_refused", "nothing")
PEOPLE = 40  # simulated, for the reading time


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
    found = reading.sound
    if found is None:
        return Checked(None, reading.faults, reading.warnings, unreadable=reading.unreadable)
    unframed = any(fault.said.kind in UNFRAMED for fault in reading.faults)
    sound = None if unframed else reaching.sound(found, reading.faults)
    faults = [
        *reading.faults,
        *(odk.faults(found, reading.book, reading.faults) if sound else ()),
        *(reaching.faults(sound, now) if sound else ()),
        *attachments.faults(path.parent, found),
    ]
    walked = simulation.simulate(sound, PEOPLE, 1, now) if sound else None
    warnings = [
        *reading.warnings,
        *attachments.warnings(found),
        *(reaching.warnings(sound, now) if sound else ()),
        *_translations(reading.book),
        *(warning for question in found.questions for warning in _lengths(question)),
        *(_guide(found, walked, faulty=bool(faults)) if walked else ()),
    ]
    return Checked(
        reading.script,
        _sorted(faults, reading.book),
        _sorted(warnings, reading.book),
        None if faults else walked,
    )


def unopened(error: OSError) -> Checked:
    """What is said, among other files, of one that cannot be opened at all."""
    missing = isinstance(error, FileNotFoundError)
    what = said("not_there") if missing else said("not_opened", error=str(error.strerror))
    return Checked(None, (Fault("survey", 1, "", what),), unreadable=True)


def _sorted(found: Sequence[Fault], book: Workbook) -> tuple[Fault, ...]:
    order = {"survey": 0, "choices": 1, "settings": 2}
    unique = dict.fromkeys(columns.placed(found, book))
    return tuple(sorted(unique, key=lambda fault: (order.get(fault.sheet, 3), fault.row)))


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
            what = said("untranslated", words=column, language=spoken, column=header)
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
    language = next(code for code, label in option.label.items() if label == words)
    return Fault(option.sheet, option.row, option.name, what, f"label::{language}")


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


def _guide(script: Script, walked: Result, *, faulty: bool) -> Iterator[Fault]:
    if walked.prompts > MOST_PROMPTS:
        prompts, minutes = f"{walked.prompts:g}", f"{walked.minutes:.0f}"
        what = said("many_prompts", prompts=prompts, minutes=minutes, most=MOST_PROMPTS)
        yield Fault("survey", 1, "", what)
    if faulty:
        return  # who is stuck, or comes nowhere, may well be for what is known to be wrong
    for name in walked.dead_ends:
        question = script.question(name)
        yield Fault("survey", question.row, name, said("stuck"))
    for name in walked.unreached:
        question = script.question(name)
        what = said("unreached", people=walked.people)
        yield Fault("survey", question.row, name, what)
