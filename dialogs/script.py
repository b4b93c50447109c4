"""A questionnaire, read from an XLSForm (.xlsx, or its tables in Markdown): every fault at once."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyxform.errors import PyXFormError
from pyxform.xls2json_backends import get_xlsform

from dialogs import logic
from dialogs.values import LANGUAGES, Text

MOST_FAULTS_OF_ONE_KIND = 50
REFERENCE = re.compile(r"\$\{\s*([^}\s]+)\s*\}")
HEADER = re.compile(r"^(?P<column>[^:]+(?:::(?:audio|image|video))?)::?\s*(?P<language>.+)$")
CODE = re.compile(r"\(([a-z]{2,3})\)\s*$")

ASKED = ("acknowledge", "select_one", "select_multiple", "integer", "text", "audio")
TYPES = ("note", *ASKED)
WORDS = ("label", "hint", "constraint_message", "required_message", "media::audio", "review")
PLAIN = (
    *("type", "name", "role", "required", "relevant", "constraint", "choice_filter", "appearance"),
    *("default", "parameters"),
)
ROLES = (
    *("language", "consent", "municipality", "locality", "age", "gender", "speaks", "topics"),
    *("consent:sensitive", "consent:forums", "consent:feedback", "consent:voice", "consent:quote"),
)

FACTS = frozenset(("folio", "aviso_url", "foro"))  # what a label may name besides answers


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a questionnaire: where, what, and what to do."""

    sheet: str
    row: int  # as a spreadsheet counts them: the header is row 1
    name: str
    problem: str
    cure: str

    def __str__(self) -> str:
        named = f" ({self.name})" if self.name else ""
        return f"{self.sheet}, row {self.row}{named}: {self.problem} {self.cure}"


class ScriptError(ValueError):
    """The questionnaire cannot be used; `faults` says everything that is wrong with it."""

    def __init__(self, file: str, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(f"{file}, {fault}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Option:
    """A choice of a question; `columns` are the further columns of its row (lat, lon, alias…)."""

    name: str
    label: Text
    audio: Text
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """A row of the survey sheet that is said or asked."""

    row: int
    type: str
    name: str
    label: Text
    hint: Text
    role: str
    required: bool
    required_message: Text
    relevant: tuple[logic.Expression, ...]  # its own and its groups': all must hold
    constraint: logic.Expression | None
    constraint_message: Text
    choice_filter: logic.Expression | None
    options: tuple[Option, ...]
    audio: Text
    appearance: str

    @property
    def asked(self) -> bool:
        """Whether it waits for an answer."""
        return self.type != "note"

    @property
    def counted(self) -> bool:
        """Whether "3 de 12" counts it: what is asked before the consultation proper is not."""
        return self.asked and self.role != "language" and not self.role.startswith("consent")

    @property
    def open(self) -> bool:
        """Whether any words, or a voice, are an answer."""
        return self.type in ("text", "audio")


@dataclass(frozen=True, slots=True)
class Script:
    """A questionnaire that can be walked."""

    name: str
    version: int
    title: Text
    questions: tuple[Question, ...]
    languages: tuple[str, ...]
    drafts: int  # strings in a language that nobody has reviewed
    pilot: bool = False
    places: Mapping[str, int] = field(default_factory=dict)  # question name -> place in questions
    read_names: frozenset[str] = frozenset()  # answers that an expression or a label needs

    def question(self, name: str) -> Question:
        return self.questions[self.places[name]]


def read(path: Path, *, name: str = "", version: int = 1, pilot: bool = False) -> Script:
    """The questionnaire in a file. Raises ScriptError with every fault, OSError if unreadable."""
    found, faults = check(path, name=name, version=version, pilot=pilot)
    if faults or found is None:
        raise ScriptError(path.name, faults)
    return found


def check(
    path: Path, *, name: str = "", version: int = 1, pilot: bool = False
) -> tuple[Script | None, list[Fault]]:
    """The questionnaire, if it can be used, and everything that is wrong with it."""
    try:
        sheets = get_xlsform(str(path))
    except PyXFormError as error:
        cure = "Correct the file and check it again."
        return None, [Fault("survey", 1, "", f"The spreadsheet cannot be read: {error}.", cure)]
    reader = _Reader(folder=path.parent, faults=[])
    questions = tuple(_questions(reader, sheets.survey or [], _lists(reader, sheets)))
    settings = (sheets.settings or [{}])[0]
    script = Script(
        name=name or str(settings.get("form_id") or path.stem),
        version=version,
        title={"es": str(settings.get("form_title") or path.stem)},
        questions=questions,
        languages=tuple(
            code for code in LANGUAGES if any(code in question.label for question in questions)
        ),
        drafts=reader.drafts,
        pilot=pilot,
        places={question.name: place for place, question in enumerate(questions)},
        read_names=frozenset(_read_names(questions)),
    )
    _check_references(reader, script)
    return (None if reader.faults else script), reader.faults


@dataclass(slots=True)
class _Reader:
    """What reading collects on its way through the sheets."""

    folder: Path
    faults: list[Fault]
    drafts: int = 0

    def fault(self, sheet: str, row: int, name: str, problem: str, cure: str) -> None:
        self.faults.append(Fault(sheet, row, name, problem, cure))


def language_of(written: str) -> str:
    """The code in a column's language: "Maya (yua)" is yua; "es" is itself."""
    match = CODE.search(written)
    return match.group(1) if match else written.strip().lower()


def _words(reader: _Reader, row: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The cells of a row that hold words, by column and language."""
    words: dict[str, dict[str, str]] = {column: {} for column in WORDS}
    for header, cell in row.items():
        match = HEADER.match(header)
        column, language = (match["column"], match["language"]) if match else (header, "es")
        if column in WORDS and str(cell or "").strip():
            words[column][language_of(language)] = str(cell).strip().replace("<br>", "\n")
    if words["review"]:
        reader.drafts += sum(state == "draft" for state in words["review"].values())
    return words


def _lists(reader: _Reader, sheets: Any) -> dict[str, tuple[Option, ...]]:
    """The choices sheet, by list name."""
    lists: dict[str, list[Option]] = {}
    for number, row in enumerate(sheets.choices or [], 2):
        list_name = str(row.get("list_name") or row.get("list name") or "").strip()
        option = _option(reader, row)
        if not list_name or not option.name:
            cure = "Give the choice a list_name and a name, or delete the row."
            reader.fault("choices", number, option.name, "A choice without a name.", cure)
            continue
        if any(option.name == other.name for other in lists.setdefault(list_name, [])):
            problem = f"The list {list_name} has this name twice."
            reader.fault("choices", number, option.name, problem, "Rename one of the two.")
            continue
        if not option.label:
            reader.fault("choices", number, option.name, "The choice has no label.", "Write one.")
        lists[list_name].append(option)
    return {name: tuple(options) for name, options in lists.items()}


def _option(reader: _Reader, row: Mapping[str, Any]) -> Option:
    words = _words(reader, row)
    return Option(
        name=str(row.get("name") or "").strip(),
        label=words["label"],
        audio=words["media::audio"],
        columns={
            key: str(cell) for key, cell in row.items() if cell is not None and ":" not in key
        },
    )


def _questions(
    reader: _Reader, rows: Sequence[Mapping[str, Any]], lists: Mapping[str, tuple[Option, ...]]
) -> Iterator[Question]:
    names: set[str] = set()
    groups: list[tuple[int, tuple[logic.Expression, ...]]] = []
    for number, row in enumerate(rows, 2):
        kind = " ".join(str(row.get("type") or "").split())
        match kind.lower().replace(" ", "_"):
            case "":
                continue
            case "begin_group":
                groups.append((number, _compiled(reader, number, row, "relevant")))
            case "end_group":
                if not groups:
                    problem = "This group ends without having begun."
                    reader.fault("survey", number, "", problem, "Add its begin_group.")
                else:
                    groups.pop()
            case _:
                outer = tuple(test for _, tests in groups for test in tests)
                question = _question(reader, number, row, kind, lists, outer)
                if question and _named(reader, number, question.name, names):
                    yield question
    for number, _ in groups:
        reader.fault("survey", number, "", "This group never ends.", "Add its end_group.")


def _named(reader: _Reader, number: int, name: str, names: set[str]) -> bool:
    if not name:
        reader.fault("survey", number, "", "The question has no name.", "Give it one.")
    elif not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
        cure = "Begin with a letter; then letters, digits, _ . or - only."
        reader.fault("survey", number, name, "The name cannot be used.", cure)
    elif name in names:
        reader.fault("survey", number, name, "Another question has this name.", "Rename one.")
    else:
        names.add(name)
        return True
    return False


def _question(
    reader: _Reader,
    number: int,
    row: Mapping[str, Any],
    kind: str,
    lists: Mapping[str, tuple[Option, ...]],
    groups: tuple[logic.Expression, ...],
) -> Question | None:
    words = _words(reader, row)
    name = str(row.get("name") or "").strip()
    type_, _, list_name = kind.partition(" ")
    type_ = type_.lower()
    _refuse_columns(reader, number, name, row)
    options: tuple[Option, ...] = ()
    if type_ == "select_one_from_file":
        type_, options = "select_one", _attached(reader, number, name, list_name)
    elif type_ in ("select_one", "select_multiple"):
        options = _listed(reader, number, name, list_name, lists)
    elif type_ not in TYPES:
        cure = f"Use one of: {', '.join(TYPES)}, select_one_from_file, begin_group, end_group."
        reader.fault("survey", number, name, f"The type '{kind}' is not supported.", cure)
        return None
    if not words["label"]:
        reader.fault("survey", number, name, "The question has no label.", "Write what is asked.")
    role = str(row.get("role") or "").strip()
    if role and role not in ROLES:
        cure = f"Use one of: {', '.join(ROLES)}; or leave it empty."
        reader.fault("survey", number, name, f"The role '{role}' is not known.", cure)
    constraint = _compiled(reader, number, row, "constraint")
    choice_filter = _compiled(reader, number, row, "choice_filter")
    return Question(
        row=number,
        type=type_,
        name=name,
        label=words["label"],
        hint=words["hint"],
        role=role,
        required=str(row.get("required") or "").strip().lower() in ("yes", "true", "true()", "1"),
        required_message=words["required_message"],
        relevant=(*groups, *_compiled(reader, number, row, "relevant")),
        constraint=constraint[0] if constraint else None,
        constraint_message=words["constraint_message"],
        choice_filter=choice_filter[0] if choice_filter else None,
        options=options,
        audio=words["media::audio"],
        appearance=str(row.get("appearance") or ""),
    )


def _refuse_columns(reader: _Reader, number: int, name: str, row: Mapping[str, Any]) -> None:
    """What is not supported is refused by name and row, never ignored."""
    for header, cell in row.items():
        match = HEADER.match(header)
        column = match["column"] if match else header
        if column in (*WORDS, *PLAIN) and header not in ("default", "parameters"):
            continue
        if str(cell or "").strip():
            problem = f"The column '{header}' is not supported."
            reader.fault("survey", number, name, problem, "Leave its cells empty.")


def _listed(
    reader: _Reader,
    number: int,
    name: str,
    list_name: str,
    lists: Mapping[str, tuple[Option, ...]],
) -> tuple[Option, ...]:
    if list_name not in lists:
        problem = f"The list '{list_name}' is not on the choices sheet."
        reader.fault("survey", number, name, problem, "Add its choices, or correct the name.")
    return lists.get(list_name, ())


def _attached(reader: _Reader, number: int, name: str, file: str) -> tuple[Option, ...]:
    """The choices in a CSV file that lies beside the questionnaire."""
    path = reader.folder / Path(file).name
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError) as error:
        problem = f"The file '{file}' cannot be read ({error})."
        reader.fault("survey", number, name, problem, "Put it beside the questionnaire, as CSV.")
        return ()
    if not rows or not {"name", "label"} <= rows[0].keys():
        problem = f"The file '{file}' has no columns 'name' and 'label'."
        reader.fault("survey", number, name, problem, "Add them in its first line.")
        return ()
    return tuple(_option(reader, row) for row in rows)


def _compiled(
    reader: _Reader, number: int, row: Mapping[str, Any], column: str
) -> tuple[logic.Expression, ...]:
    source = str(row.get(column) or "").strip()
    if not source:
        return ()
    try:
        return (logic.compile(source),)
    except logic.LogicError as error:
        name = str(row.get("name") or "")
        reader.fault("survey", number, name, f"In {column}: {error}", "")
        return ()


def _read_names(questions: Sequence[Question]) -> Iterator[str]:
    for question in questions:
        for test in (*question.relevant, question.constraint, question.choice_filter):
            if test is not None:
                yield from test.names
        for words in _templates(question):
            yield from REFERENCE.findall(words)


def _templates(question: Question) -> Iterator[str]:
    for text in (question.label, question.hint, question.constraint_message):
        yield from text.values()


def _check_references(reader: _Reader, script: Script) -> None:
    known = {*script.places, *FACTS}
    for question in script.questions:
        used = set(_read_names([question]))
        for missing in sorted(used - known):
            problem = f"It refers to ${{{missing}}}, and no question has that name."
            cure = "Correct the name, or add the question."
            reader.fault("survey", question.row, question.name, problem, cure)
