"""A questionnaire, read from an XLSForm (spreadsheet or Markdown): every fault at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from dialogs import (
    choices,
    columns,
    datasets,
    form_texts,
    kinds,
    minors,
    naming,
    rows,
    tables,
    translations,
)
from dialogs.choices import Reader
from dialogs.columns import Row
from dialogs.faults import Fault, said
from dialogs.logic import Expression
from dialogs.phrases import both
from dialogs.questions import (
    NUMBERS,
    REFERENCE,
    REPEAT_ROLE,
    Option,
    Question,
    Repeat,
    Script,
    ScriptError,
)
from dialogs.tables import Sheet, Workbook
from dialogs.values import LANGUAGES, Text, in_language

__all__ = ["REFERENCE", "Fault", "Option", "Question", "Reading", "Script", "ScriptError"]

LONGEST_NAME = 100  # letters of a question; answers are stored by it, "#2#1" behind it
INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
LONGEST_QUOTED = 40  # letters of a cell that a fault names
FACTS = frozenset(("folio", "aviso_url", "foro"))  # what labels may name besides answers
REFUSED_SHEETS = {
    "osm": "use_osm",
    "entities": "entities",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a file. Without faults there is a script."""

    script: Script | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()
    book: Workbook = field(default_factory=dict)
    sound: Script | None = None  # the script without what is at fault
    unreadable: bool = False  # whatever the file is, it is no table


def read(path: Path, *, name: str = "", version: int = 1, pilot: bool = False) -> Script:
    """The questionnaire in a file. Raises ScriptError with every fault, OSError if unreadable."""
    found = load(path, name=name, version=version, pilot=pilot)
    if found.faults or found.script is None:
        raise ScriptError(path.name, found.faults, unreadable=found.unreadable)
    return found.script


def check(
    path: Path, *, name: str = "", version: int = 1, pilot: bool = False
) -> tuple[Script | None, list[Fault]]:
    """The questionnaire, if it can be used, and everything that is wrong with it."""
    found = load(path, name=name, version=version, pilot=pilot)
    return found.script, list(found.faults)


def load(path: Path, *, name: str = "", version: int = 1, pilot: bool = False) -> Reading:
    """Read a file, keeping what is wrong and what is doubtful beside the script."""
    try:
        book = tables.read(path)
    except tables.TableError as error:
        unreadable = error.said.kind != "no_survey"
        return Reading(None, (Fault("survey", 1, "", error.said),), unreadable=unreadable)
    settings = _settings(book)
    reader = Reader(path.parent, _default(settings, book))
    _check_sheets(reader, book)
    choices.read_lists(reader, book)
    survey = columns.rows("survey", book["survey"], reader.default)
    questions, repeats = _survey(reader, survey)
    questions = minors.spared(questions)
    if not questions and not reader.faults:
        reader.faults.append(Fault("survey", 1, "", said("nothing")))
    script = Script(
        name=name or _form_id(settings, path),
        version=version,
        title=settings.text("form_title") or {"es": settings.cell("form_title") or path.stem},
        questions=questions,
        languages=_languages(questions),
        drafts=translations.unreviewed(form_texts.of_form(book, "yua"), {}),
        pilot=pilot,
        places={question.name: place for place, question in enumerate(questions)},
        read_names=frozenset(_read_names(questions, repeats)),
        personal=frozenset(rows.personal(questions)),
        repeats=repeats,
        chains=_chains(questions, repeats),
        tables=reader.tables,
        dependents=_dependents(questions),
        settles=bool(repeats) or rows.settles(questions),
        bilingual=any(question.role == "language" for question in questions),
    )
    found = dict.fromkeys(columns.placed(reader.faults, book))
    faults = tuple(sorted(found, key=lambda fault: (fault.sheet, fault.row)))
    warnings = tuple(columns.placed(reader.warnings, book))
    return Reading(None if faults else script, faults, warnings, book, script)


def _settings(book: Workbook) -> Row:
    sheet = book.get("settings")
    found = columns.rows("settings", sheet, "es") if sheet else []
    return found[0] if found else Row("settings", 2, {}, {})


def _default(settings: Row, book: Workbook) -> str:
    """The language of words in a column that names none."""
    written = columns.language_of(settings.cell("default_language"))
    spoken = columns.languages(book["survey"], "")
    if written and written != "default":
        return written
    return "es" if not spoken or "es" in spoken or "" in spoken else spoken[0]


def _form_id(settings: Row, path: Path) -> str:
    written = settings.cell("form_id") or settings.cell("id_string") or path.stem
    return re.sub(r"[^\w.-]+", "_", written)[:64]


def _languages(questions: Sequence[Question]) -> tuple[str, ...]:
    """Every language in which something is said; ours first."""
    found = dict.fromkeys(code for question in questions for code in question.label)
    return (
        *(code for code in LANGUAGES if code in found),
        *(c for c in found if c not in LANGUAGES),
    )


def _check_sheets(reader: Reader, book: Workbook) -> None:
    for name, cure in REFUSED_SHEETS.items():
        if name in book and book[name].rows:
            what = said("sheet_refused", page=name, cure=said(cure))
            reader.faults.append(Fault(name, book[name].rows[0][0], "", what))
    for name in book.keys() & {*tables.SHEETS, "external_choices"}:
        reader.faults += unusable(name, book[name])
    for name in book.keys() & {"survey", "choices"}:
        _check_same(reader, name, book[name])
        _check_cells(reader, name, book[name])
    _check_columns(reader, "survey", book["survey"], ("type", "name"))
    if "choices" in book:
        _check_columns(reader, "choices", book["choices"], ("list_name", "name"))
    for header in columns.unknown(book["survey"]):
        reader.warnings.append(Fault("survey", 1, "", said("column_unknown", column=header)))


def _check_columns(reader: Reader, name: str, sheet: Sheet, needed: Sequence[str]) -> None:
    known = {columns.header(written)[0] for written in sheet.headers}
    missing = [column for column in needed if column not in known]
    if sheet.headers and missing:
        what = said("column_missing", page=name, column=missing[0])
        reader.faults.append(Fault(name, 1, "", what))


def _check_same(reader: Reader, name: str, sheet: Sheet) -> None:
    """Two columns for the same words that do not say the same."""
    first: dict[tuple[str, str], str] = {}
    for written in sheet.headers:
        column, language = columns.header(written)
        other = first.setdefault((column, language or reader.default), written)
        if other == written or column not in columns.WORDS:
            continue
        for number, cells in sheet.rows:
            if cells.get(other) and cells.get(written) and cells[other] != cells[written]:
                what = said("column_same", column=other, other=written)
                reader.faults.append(Fault(name, number, "", what))
                break


def _check_cells(reader: Reader, name: str, sheet: Sheet) -> None:
    """Characters that none sees, and what reading left out."""
    for row, cells in sheet.rows:
        for column in [column for column, cell in cells.items() if INVISIBLE.search(cell)]:
            reader.faults.append(Fault(name, row, "", said("control_in", column=column)))
    reader.warnings += left_out(name, sheet)


def unusable(name: str, sheet: Sheet) -> Iterator[Fault]:
    """Two columns by one name, of which only one would be read; formulas that came to nothing."""
    for header in sheet.repeated:
        yield Fault(name, 1, "", said("column_twice", column=header), header)
    cells = dict(sheet.rows)
    for row, header in sheet.formulas:
        formula = cells[row][header][:LONGEST_QUOTED]
        yield Fault(name, row, "", said("formula", formula=formula), header)
    for row, header in ((row, header) for row, by in sheet.rows for header in by):
        if cells[row][header] in tables.ERRORS:
            what = said("formula_error", error=cells[row][header])
            yield Fault(name, row, "", what, header)


def left_out(name: str, sheet: Sheet) -> Iterator[Fault]:
    """What reading left out: told once for each sheet, with the first of them."""
    if sheet.stray:
        row, words = sheet.stray[0]
        what = said("no_header", count=len(sheet.stray), words=words[:LONGEST_QUOTED])
        yield Fault(name, row, "", what)
    if sheet.spaced:
        row, header = sheet.spaced[0]
        yield Fault(name, row, "", said("spaces", count=len(sheet.spaced), column=header))


# the survey sheet


@dataclass(frozen=True, slots=True)
class Frame:
    """A group or repeat that has begun."""

    row: Row
    repeat: bool
    name: str
    tests: tuple[Expression, ...]
    first: int  # place of its first question


def _survey(
    reader: Reader, survey: Sequence[Row]
) -> tuple[tuple[Question, ...], Mapping[str, Repeat]]:
    used = [row for row in survey if row.cell("disabled").lower() not in ("yes", "true", "1")]
    found, reader.shared = naming.told_apart([*naming.placed(used)])
    used = [each.row for each in found]
    reader.known |= {row.cell("name") for row in used} - {""}
    reader.known |= {
        f"{row.cell('name')}_other" for row in used if kinds.kind(row.cell("type")).other
    }
    reader.known -= reader.shared - {row.cell("name") for row in used if _repeats(row)}
    reader.chains = naming.chains(found)
    reader.numbers = frozenset(
        row.cell("name") for row in used if kinds.kind(row.cell("type")).type in NUMBERS
    )
    _externals(reader, used)
    frames: list[Frame] = []
    made: list[Question] = []
    repeats: dict[str, Repeat] = {}
    names: set[str] = set()
    for each in found:
        row, reader.around = each.row, each.around
        kind = kinds.kind(row.cell("type"))
        match kind.type:
            case "begin_group" | "begin_repeat":
                _begin(reader, row, kind.type == "begin_repeat", frames, made, names)
            case "end_group" | "end_repeat":
                _end(reader, row, kind.type == "end_repeat", frames, made, repeats)
            case _:
                outer = tuple(test for frame in frames for test in frame.tests)
                within = _within(frames)
                for question in rows.questions(reader, row, kind, outer, within):
                    if _named(reader, row, question.name, names):
                        made.append(question)
    for frame in frames:
        what = "repeat" if frame.repeat else "group"
        reader.fault(frame.row, frame.name, said("no_end", frame=what))
    _check_texts(reader, made)
    _check_circles(reader, made)
    return tuple(made), repeats


def _repeats(row: Row) -> bool:
    return kinds.kind(row.cell("type")).type == "begin_repeat"


def _check_texts(reader: Reader, made: Sequence[Question]) -> None:
    for question in made:
        place = ("survey", question.row, question.name)
        _check_named(reader, place, rows.worded(question))
        for option in question.options:
            place = (option.sheet, option.row, option.name)
            _check_named(reader, place, [("label", option.label)])


def _check_named(
    reader: Reader, place: tuple[str, int, str], texts: Iterable[tuple[str, Text]]
) -> None:
    named = {
        name: f"{column}::{language}"
        for column, text in texts
        for language, words in text.items()
        if "${" in words
        for name in REFERENCE.findall(words)
    }
    for missing in sorted(named.keys() - reader.known - FACTS):
        kind = "names_several" if missing in reader.shared else "names_nothing"
        what = said(kind, answer=f"${{{missing}}}")
        reader.faults.append(Fault(*place, what, named[missing]))


def _check_circles(reader: Reader, made: Sequence[Question]) -> None:
    """Whether a question is asked, or what it comes to, must not depend on itself."""
    outside = {question.name: question for question in made if not question.repeat}
    graph = {
        name: {
            other
            for test in (*question.relevant, question.calculation)
            if test is not None
            for other in test.names & outside.keys()
        }
        for name, question in outside.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
        what = said("circle", way=" → ".join(reversed(circle)))
        first = outside[circle[0]]
        asked = any(circle[-2] in test.names for test in first.relevant)
        column = "relevant" if asked else "calculation"
        reader.faults.append(Fault("survey", first.row, first.name, what, column))


def _externals(reader: Reader, survey: Sequence[Row]) -> None:
    """Tables that expressions may name: attached ones, and the lists of the choices sheet."""
    for row in survey:
        kind = kinds.kind(row.cell("type"))
        if kind.type in kinds.EXTERNAL:
            choices.table(reader, row, f"{row.cell('name')}{kinds.EXTERNAL[kind.type]}")
        elif kind.file and kind.list_name.lower().endswith(datasets.SUFFIXES):
            choices.table(reader, row, kind.list_name)
    for name, options in reader.lists.items():
        reader.tables.setdefault(name, choices.listed_rows(options))


def _begin(
    reader: Reader,
    row: Row,
    repeat: bool,  # noqa: FBT001  # of the two kinds of frame
    frames: list[Frame],
    made: list[Question],
    names: set[str],
) -> None:
    name = row.cell("name")
    tests = rows.expressions(reader, row, "relevant")
    if repeat or name:
        _named(reader, row, name, names)
    if repeat and name:
        if f"repeat {name}" in names:  # pyxform wants it so, and answers are counted by it
            reader.fault(row, name, said("same_name"))
        names.add(f"repeat {name}")
    frames.append(Frame(row, repeat, name, tests, len(made)))
    if row.text("label"):
        outer = tuple(test for frame in frames for test in frame.tests)
        within = _within(frames)
        heading = rows.heading(row, outer, within, len(made))
        if any(heading.name == other.name for other in made):  # groups in others may share a name
            heading = replace(heading, name=f"{row.number}.title")
        made.append(heading)


def _end(
    reader: Reader,
    row: Row,
    repeat: bool,  # noqa: FBT001  # of the two kinds of frame
    frames: list[Frame],
    made: list[Question],
    repeats: dict[str, Repeat],
) -> None:
    what = "repeat" if repeat else "group"
    if not frames or frames[-1].repeat != repeat:
        reader.fault(row, row.cell("name"), said("no_beginning", frame=what))
        return
    frame = frames.pop()
    if not repeat:
        return
    if len(made) == frame.first:
        reader.fault(frame.row, frame.name, said("repeat_empty"))
    outer = tuple(test for other in (*frames, frame) for test in other.tests)
    counts = rows.expressions(reader, frame.row, "repeat_count")
    if not counts:
        nested = bool(_within(frames)) or any(
            each.chain[:1] == (frame.name,) for each in repeats.values()
        )
        made.append(_another(frame, outer, nested=nested))
    most = frame.row.cell("most")
    if most and not (most.isdecimal() and int(most)):
        reader.fault(frame.row, frame.name, said("most_number", value=most))
    repeats[frame.name] = Repeat(
        name=frame.name,
        first=frame.first,
        size=len(made) - frame.first,
        relevant=outer,
        count=counts[0] if counts else None,
        most=int(most) if most.isdecimal() and int(most) else 20,
        inside=frozenset(q.name for q in made[frame.first :] if q.repeat == frame.name),
        chain=(*(other.name for other in frames if other.repeat), frame.name),
        row=frame.row.number,
    )


def _within(frames: Sequence[Frame]) -> str:
    """The innermost repeat that has begun."""
    return next((frame.name for frame in reversed(frames) if frame.repeat), "")


def _chains(
    questions: Sequence[Question], repeats: Mapping[str, Repeat]
) -> Mapping[str, tuple[str, ...]]:
    """The repeats that each question in one is in, the outermost first; and each repeat."""
    inside = {each.name: repeats[each.repeat].chain for each in questions if each.repeat in repeats}
    return {**inside, **{name: repeat.chain for name, repeat in repeats.items()}}


def _another(frame: Frame, outer: tuple[Expression, ...], *, nested: bool) -> Question:
    """¿Otro más? The begin_repeat's hint, if it has one, says it in the form's own words.

    With a repeat in or around it, it says of what.
    """
    title = frame.row.text("label") if nested else {}
    asked = both("another")
    named = {code: f"{words}. {in_language(asked, code)}" for code, words in title.items()}
    answers = [("si", both("yes")), ("no", both("no"))]
    return Question(
        row=frame.row.number,
        type="select_one",
        name=frame.name,
        label=frame.row.text("hint") or named or asked,
        role=REPEAT_ROLE,
        relevant=outer,
        options=tuple(Option(name, label, {}, {}) for name, label in answers),
        repeat=frame.name,
    )


def _named(reader: Reader, row: Row, name: str, names: set[str]) -> bool:
    if not name:
        reader.fault(row, "", said("no_name"))
    elif not re.fullmatch(r"[^\W\d][\w.-]*", name):
        reader.fault(row, name, said("bad_name"))
    elif len(name) > LONGEST_NAME:
        reader.fault(row, name, said("name_long", letters=len(name), most=LONGEST_NAME))
    elif (unique := "/".join((*reader.around, name.lower()))) in names:
        reader.fault(row, name, said("same_name"))
    else:
        names.add(unique)
        return True
    return False


def _dependents(questions: Sequence[Question]) -> Mapping[str, frozenset[str]]:
    """Who has to be looked at again when an answer changes, directly and through others."""
    direct: dict[str, set[str]] = {}
    for question in questions:
        looked_at = {name for test in rows.logic_of(question) for name in test.names}
        for name in looked_at | {*question.trigger}:
            direct.setdefault(name, set()).add(question.name)
    found: dict[str, frozenset[str]] = {}
    for name, first in direct.items():
        all_, to_do = set[str](), list(first)
        while to_do:
            if (next_ := to_do.pop()) not in all_:
                all_.add(next_)
                to_do.extend(direct.get(next_, ()))
        found[name] = frozenset(all_)
    return found


def _read_names(questions: Sequence[Question], repeats: Mapping[str, Repeat]) -> Iterator[str]:
    for question in questions:
        yield from rows.names(question)
    for repeat in repeats.values():
        if repeat.count is not None:
            yield from repeat.count.names
