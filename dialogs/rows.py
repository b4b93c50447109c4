"""One row of the survey sheet made a question; what is wrong with it is noted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from dialogs import choices, kinds, logic
from dialogs.choices import Reader
from dialogs.columns import Row
from dialogs.kinds import Kind
from dialogs.logic import Expression
from dialogs.phrases import both
from dialogs.questions import CHOSEN, REFERENCE, Option, Question

QUOTES = str.maketrans("“”„‘’‚", "\"\"\"'''")
TRUE, FALSE = ("yes", "true", "true()", "1"), ("no", "false", "false()", "0", "")
CALCULATED = re.compile(r"\$\{|[a-z][\w:-]*\s*\(")
OTHER = "other"
ROLES = (
    *("language", "consent", "municipality", "locality", "age", "gender", "speaks", "topics"),
    *("consent:sensitive", "consent:forums", "consent:feedback", "consent:voice", "consent:quote"),
    *("rsvp", "rsvp:companions", "rsvp:needs"),  # of the form that takes replies to invitations
)
LAST = ("yes", "true", "1", "si", "sí")


def questions(
    reader: Reader, row: Row, kind: Kind, outer: tuple[Expression, ...], repeat: str
) -> Iterator[Question]:
    """The question of a row, and the one that asks for the other that or_other lets say."""
    if kind.type in ("audit", "csv-external"):
        return
    if not kind.type:
        _refuse(reader, row, kind)
        return
    made = _question(reader, row, kind, outer, repeat)
    yield made
    if kind.other:
        test = logic.compile(f"selected(${{{made.name}}}, '{OTHER}')")
        name, label = f"{made.name}_{OTHER}", both("specify_other")
        relevant = (*made.relevant, test)
        yield Question(row.number, "text", name, label, relevant=relevant, repeat=repeat)


def _refuse(reader: Reader, row: Row, kind: Kind) -> None:
    name, written = row.cell("name"), row.cell("type")
    if written:
        reader.fault(row, name, f"A chat cannot carry the type '{written}'.", kind.cure)
    elif name or row.words:
        reader.fault(row, name, "The row has no type.", "Write one, or empty the row.")


def _question(
    reader: Reader, row: Row, kind: Kind, outer: tuple[Expression, ...], repeat: str
) -> Question:
    given = _parameters(reader, row)
    required, required_if = _truth(reader, row, "required")
    read_only, locked_if = _truth(reader, row, "read_only")
    calculation = _first(reader, row, "calculation")
    _check_row(reader, row, kind, calculation)
    _check_locked(reader, row, locked_if)
    return Question(
        row=row.number,
        type="note" if row.cell("appearance") == "label" else kind.type,
        name=row.cell("name") or (f"note_{row.number}" if kind.type == "note" else ""),
        label=row.text("label") or row.text("hint"),
        hint=row.text("hint") if row.text("label") else {},
        guidance=row.text("guidance_hint"),
        role=_role(reader, row),
        required=required,
        required_if=required_if,
        required_message=row.text("required_message"),
        relevant=(*outer, *expressions(reader, row, "relevant")),
        constraint=_first(reader, row, "constraint"),
        constraint_message=row.text("constraint_message"),
        choice_filter=_first(reader, row, "choice_filter"),
        calculation=calculation,
        default=_default(reader, row),
        trigger=_trigger(reader, row),
        read_only=read_only,
        options=_options(reader, row, kind, given),
        audio=row.text("media::audio"),
        image=row.text("media::image") or row.text("media::big-image"),
        appearance=row.cell("appearance"),
        parameters=given,
        repeat=repeat,
    )


def heading(row: Row, outer: tuple[Expression, ...], repeat: str, place: int) -> Question:
    """What a group is called, said once before its first question."""
    name = f"{row.cell('name') or place}.title"
    label, audio = row.text("label"), row.text("media::audio")
    return Question(row.number, "note", name, label, relevant=outer, repeat=repeat, audio=audio)


# cells


def expressions(reader: Reader, row: Row, column: str) -> tuple[Expression, ...]:
    """The expression in a cell, if there is one that can be used."""
    source = row.cell(column).translate(QUOTES).strip()
    if not source:
        return ()
    try:
        found = logic.compile(source, reader.known)
    except logic.LogicError as error:
        cure = "Correct the expression."
        reader.fault(row, row.cell("name"), f"In {column}: {error}.".replace("..", "."), cure)
        return ()
    if found.columns and column != "choice_filter":
        name = sorted(found.columns)[0]
        problem = f"In {column}: '{name}' is no answer."
        reader.fault(row, row.cell("name"), problem, f"Write ${{{name}}}, or '{name}' as a text.")
        return ()
    for table in sorted(found.tables - reader.tables.keys()):
        choices.table(reader, row, f"{table}.csv")
    return (found,)


def _first(reader: Reader, row: Row, column: str) -> Expression | None:
    return next(iter(expressions(reader, row, column)), None)


def _truth(reader: Reader, row: Row, column: str) -> tuple[bool, Expression | None]:
    """A cell that says yes, no, or when."""
    written = row.cell(column).lower()
    if written in (*TRUE, *FALSE):
        return written in TRUE, None
    return False, _first(reader, row, column)


def _default(reader: Reader, row: Row) -> Expression | str:
    written = row.cell("default")
    if CALCULATED.search(written):
        return _first(reader, row, "default") or ""
    return written


def _trigger(reader: Reader, row: Row) -> tuple[str, ...]:
    names = tuple(REFERENCE.findall(row.cell("trigger")))
    for missing in sorted(set(names) - reader.known):
        problem = f"In trigger: there is no question {missing}."
        reader.fault(row, row.cell("name"), problem, "Correct the name, or add the question.")
    if row.cell("trigger") and not names:
        reader.fault(row, row.cell("name"), "In trigger: no question is named.", "Write ${name}.")
    return names


def _role(reader: Reader, row: Row) -> str:
    role = row.cell("role")
    if role and role not in ROLES:
        cure = f"Use one of: {', '.join(ROLES)}; or leave it empty."
        reader.fault(row, row.cell("name"), f"The role '{role}' is not known.", cure)
    return role


def _parameters(reader: Reader, row: Row) -> Mapping[str, str]:
    given = kinds.parameters(row.cell("parameters"))
    for name in sorted(given.keys() - kinds.PARAMETERS):
        problem = f"The parameter '{name}' is not known: it changes nothing in the chat."
        reader.warn(row, row.cell("name"), problem, "Correct its name, or leave it.")
    for name in ("start", "end", "step", "max-length"):
        if name in given and not re.fullmatch(r"-?\d+(\.\d+)?", given[name]):
            problem = f"The parameter {name} is not a number."
            reader.fault(row, row.cell("name"), problem, f"Write for instance: {name}=5.")
    for name in REFERENCE.findall(given.get("seed", "")):
        if name not in reader.known:
            problem = f"In parameters: there is no question {name}."
            reader.fault(row, row.cell("name"), problem, "Correct the name of the seed.")
    return given


def _options(reader: Reader, row: Row, kind: Kind, given: Mapping[str, str]) -> tuple[Option, ...]:
    if kind.type not in CHOSEN:
        return ()
    found = _list(reader, row, kind, given)
    _check_filter(reader, row, found)
    if kind.type != "select_one" and any(" " in option.name for option in found):
        name = next(option.name for option in found if " " in option.name)
        problem = f"The choice '{name}' has a space in its name, and several may be chosen."
        reader.fault(row, row.cell("name"), problem, "Write its name without spaces.")
    if kind.other and not any(option.name == OTHER for option in found):
        return (*found, Option(OTHER, both("other_one"), {}, {"last": "yes"}))
    return found


def _list(reader: Reader, row: Row, kind: Kind, given: Mapping[str, str]) -> tuple[Option, ...]:
    if not kind.file:
        if kind.list_name not in reader.lists:
            problem = f"The list '{kind.list_name}' is not on the choices sheet."
            cure = "Add its choices, or correct the name."
            reader.fault(row, row.cell("name"), problem, cure)
        return reader.lists.get(kind.list_name, ())
    if not kind.list_name.lower().endswith(".csv"):
        problem = f"The file '{kind.list_name}' is no CSV."
        reader.fault(row, row.cell("name"), problem, "Save the same list as a CSV file.")
        return ()
    return choices.attached(reader, row, kind.list_name, given)


def _check_filter(reader: Reader, row: Row, found: Sequence[Option]) -> None:
    test = _first(reader, row, "choice_filter")
    have = {"name", "label"}.union(*(option.columns for option in found))
    for column in sorted(test.columns - have) if test and found else ():
        problem = f"In choice_filter: the choices have no column '{column}'."
        cure = f"Add the column to the choices; or write '{column}', or ${{{column}}}."
        reader.fault(row, row.cell("name"), problem, cure)


# what a row must have


def _check_row(reader: Reader, row: Row, kind: Kind, calculation: Expression | None) -> None:
    name, appearance = row.cell("name"), row.cell("appearance").lower()
    if kind.unknown_here:
        problem = "A chat knows nothing of the phone: this stays empty."
        reader.warn(row, name, problem, "Ask for it, if it is needed.")
    silent = kind.type in ("calculate", "hidden", "start", "end", "today")
    if not silent and not row.text("label") and not row.text("hint"):
        reader.fault(row, name, "The question has no label.", "Write what is asked.")
    if kind.type == "calculate" and not row.cell("calculation") and not row.cell("default"):
        reader.fault(row, name, "Nothing is calculated.", "Fill in the column calculation.")
    if row.cell("trigger") and not calculation and not silent:
        problem = "A trigger without a calculation does nothing."
        reader.fault(row, name, problem, "Fill in the column calculation, or empty the trigger.")
    if kind.type == "image" and any(word in appearance for word in kinds.DRAWN):
        problem = f"A chat cannot carry the appearance '{appearance}'."
        reader.fault(row, name, problem, "Ask for a photo, or use acknowledge for a consent.")
    if appearance.startswith(("ex:", "printer:", "search(", "search ")):
        problem = f"A chat cannot carry the appearance '{row.cell('appearance')}'."
        cure = "Use select_one_from_file with a choice_filter for a search; else ask for a text."
        reader.fault(row, name, problem, cure)
    if row.text("media::video"):
        problem = "A chat sends no video with a question: it is left out."
        reader.warn(row, name, problem, "Use media::image or media::audio.")


def _check_locked(reader: Reader, row: Row, locked_if: Expression | None) -> None:
    if locked_if is not None:
        problem = "read_only cannot depend on an answer here."
        cure = "Write yes or no; or two questions with a relevant each."
        reader.fault(row, row.cell("name"), problem, cure)


# what a question looks at


def logic_of(question: Question) -> Iterator[Expression]:
    default = question.default if isinstance(question.default, Expression) else None
    single = (question.constraint, question.choice_filter, question.calculation)
    for test in (*question.relevant, *single, question.required_if, default):
        if test is not None:
            yield test


def texts(question: Question) -> Iterator[str]:
    """Everything a question may say, in any language."""
    said = (question.label, question.hint, question.guidance, question.constraint_message)
    for text in (*said, question.required_message, *(option.label for option in question.options)):
        yield from text.values()


def names(question: Question) -> Iterator[str]:
    """The answers that a question looks at, or names."""
    yield from chain.from_iterable(test.names for test in logic_of(question))
    for words in texts(question):
        if "${" in words:
            yield from REFERENCE.findall(words)
    yield from REFERENCE.findall(question.parameters.get("seed", ""))
    yield from question.trigger
    if question.constraint is not None and question.constraint.names:
        yield question.name


def settles(questions: Sequence[Question]) -> bool:
    """Whether an answer may change others: computed, preset, or looked at before it is asked."""
    seen: set[str] = set()
    for question in questions:
        preset = question.default or question.type in ("start", "end", "today")
        if preset or question.computed or question.trigger:
            return True
        seen.add(question.name)
        if any(not test.names <= seen - {question.name} for test in question.relevant):
            return True
    return False
