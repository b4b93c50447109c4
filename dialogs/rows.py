"""One row of the survey sheet made a question; what is wrong with it is noted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from dialogs import choices, datasets, dates, functions, grammar, kinds, logic, wishes
from dialogs.choices import Reader
from dialogs.columns import Row
from dialogs.faults import said
from dialogs.kinds import Kind
from dialogs.logic import Expression
from dialogs.phrases import both
from dialogs.questions import CHOSEN, PERSONAL, REFERENCE, SILENT, Option, Question
from dialogs.values import Text

QUOTES = str.maketrans("“”„‘’‚", "\"\"\"'''")
TRUE, FALSE = ("yes", "true", "true()", "1"), ("no", "false", "false()", "0", "")
SPELT_TRUTHS = {"yes": "true()", "true": "true()", "no": "false()", "false": "false()"}
SPANISH = {  # as people write who do not know ODK's words
    **dict.fromkeys(("sí", "si", "s", "x", "verdadero", "obligatoria", "obligatorio"), "yes"),
    **dict.fromkeys(("n", "falso", "opcional"), "no"),
}
PATTERN = re.compile(r"""\bregex\([^'"]*,\s*('[^']*'|"[^"]*")\s*\)""")
LAST_SAVED = re.compile(r"\$\{\s*last-saved#[^{}]+\}")
LAST_CALLED = re.compile(r"(?<![\w$.-])last\s*\(\s*\)")
DAYS_ADDED = re.compile(r"\bnow\(\s*\)\s*[+-]\s*\(?\s*[\d.]")
ASKS = ("relevant", "required", "constraint", "choice_filter")
CALCULATED = re.compile(r"\$\{|[a-z][\w:-]*\s*\(")
OTHER = "other"
ROLES = (
    *("language", "consent", "municipality", "locality", "age", "gender", "speaks", "topics"),
    "spoken_consent",  # a recording of the yes that was said to a facilitator
    *("consent:sensitive", "consent:forums", "consent:feedback", "consent:voice", "consent:quote"),
    *("rsvp", "rsvp:companions", "rsvp:needs"),  # of the form that takes replies to invitations
)
LAST = ("yes", "true", "1", "si", "sí")


def questions(
    reader: Reader, row: Row, kind: Kind, outer: tuple[Expression, ...], repeat: str
) -> Iterator[Question]:
    """The question of a row, and the one that asks for the other that or_other lets say."""
    if kind.type in ("audit", *kinds.EXTERNAL):
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
    if written and kind.cure:
        reader.fault(row, name, said("type_refused", type=written, cure=kind.cure))
    elif name or row.words:
        reader.fault(row, name, said("no_type"))


def _question(
    reader: Reader, row: Row, kind: Kind, outer: tuple[Expression, ...], repeat: str
) -> Question:
    given = _parameters(reader, row)
    required, required_if = _truth(reader, row, "required")
    read_only, locked_if = _truth(reader, row, "read_only")
    calculation = _first(reader, row, "calculation")
    default, options = _default(reader, row), _options(reader, row, kind, given)
    _check_row(reader, row, kind)
    _check_default(reader, row, kind, default, options)
    _check_locked(reader, row, locked_if)
    return Question(
        row=row.number,
        type="note" if row.cell("appearance") == "label" else kind.type,
        name=row.cell("name") or (f"note_{row.number}" if kind.type == "note" else ""),
        label=row.text("label") or row.text("hint") or _unwritten(row),
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
        default=default,
        trigger=_trigger(reader, row),
        read_only=read_only,
        options=options,
        audio=row.text("media::audio"),
        image=row.text("media::image") or row.text("media::big-image"),
        appearance=row.cell("appearance"),
        accept=kinds.accepted(row.cell("accept")) if kind.type == "file" else frozenset(),
        parameters=given,
        repeat=repeat,
    )


def _unwritten(row: Row) -> Text:
    """What is said where a picture or a recording asks by itself."""
    if row.text("media::image"):
        return both("by_picture")
    return both("by_recording") if row.text("media::audio") else {}


def heading(row: Row, outer: tuple[Expression, ...], repeat: str, place: int) -> Question:
    """What a group is called, said once before its first question."""
    name = f"{row.cell('name') or place}.title"
    return Question(
        row=row.number,
        type="note",
        name=name,
        label=row.text("label"),
        relevant=outer,
        audio=row.text("media::audio"),
        image=row.text("media::image"),
        repeat=repeat,
    )


# cells


def expressions(reader: Reader, row: Row, column: str) -> tuple[Expression, ...]:
    """The expression in a cell, if there is one that can be used."""
    source = row.cell(column).translate(QUOTES).strip()
    if not source:
        return ()
    if column != "choice_filter":
        source = SPELT_TRUTHS.get(source.lower(), source)  # as pyxform takes them
    try:
        for name in REFERENCE.findall(source):
            if name in reader.shared - reader.known:
                raise logic.LogicError(said("names_several", answer=f"${{{name}}}"))
        found = logic.compile(
            source,
            reader.known,
            around=reader.around,
            chains=reader.chains,
            numbers=reader.numbers,
            in_filter=column == "choice_filter",
            asks=column in ASKS,
        )
    except logic.LogicError as error:
        reader.fault(row, row.cell("name"), said("expression", column=column, error=error.said))
        return ()
    if found.columns and column != "choice_filter":
        what = said("no_answer", column=column, word=sorted(found.columns)[0])
        reader.fault(row, row.cell("name"), what)
        return ()
    for value in wishes.unordered(found):
        reader.fault(row, row.cell("name"), said("no_order", value=value, column=column))
    _warn_of_phones(reader, row, column, found)
    for table in sorted(found.tables - reader.tables.keys()):
        choices.looked_up(reader, row, table, column)
    return (found,)


def _warn_of_phones(reader: Reader, row: Row, column: str, found: Expression) -> None:
    """Of what ODK Collect and Enketo take in two ways."""
    for pattern in PATTERN.findall(found.source):
        if not (pattern[1:-1].startswith("^") and pattern[1:-1].endswith("$")):
            what = said("pattern_open", column=column, pattern=pattern[1:-1])
            reader.warn(row, row.cell("name"), what)
    if DAYS_ADDED.search(found.source):
        reader.warn(row, row.cell("name"), said("days_added", column=column))
    if LAST_CALLED.search(found.source):
        reader.warn(row, row.cell("name"), said("last_called", column=column))
    for name, alone in wishes.unasked(found) if column in ASKS else ():
        if alone:
            reader.warn(row, row.cell("name"), said("always_so", column=column, value=alone))
            continue
        zero = said("or_zero") if name in reader.numbers else ""
        what = said("nothing_asked", column=column, answer=f"${{{name}}}", zero=zero)
        reader.warn(row, row.cell("name"), what)


def _first(reader: Reader, row: Row, column: str) -> Expression | None:
    return next(iter(expressions(reader, row, column)), None)


def _truth(reader: Reader, row: Row, column: str) -> tuple[bool, Expression | None]:
    """A cell that says yes, no, or when."""
    written = row.cell(column).lower()
    if written in (*TRUE, *FALSE):
        return written in TRUE, None
    if written in SPANISH:
        what = said("spanish_truth", value=row.cell(column), wanted=SPANISH[written], column=column)
        reader.fault(row, row.cell("name"), what)
        return False, None
    return False, _first(reader, row, column)


def _default(reader: Reader, row: Row) -> Expression | str:
    written = row.cell("default")
    if LAST_SAVED.fullmatch(written):
        reader.warn(row, row.cell("name"), said("never_saved", answer=written))
        return ""
    if CALCULATED.search(written):
        return _first(reader, row, "default") or ""
    return written


def _trigger(reader: Reader, row: Row) -> tuple[str, ...]:
    names = tuple(REFERENCE.findall(row.cell("trigger")))
    for missing in sorted(set(names) - reader.known):
        what = said("trigger_unknown", word=missing)
        if missing in reader.shared:
            what = said("names_several", answer=f"${{{missing}}}")
        reader.fault(row, row.cell("name"), what)
    if row.cell("trigger") and not names:
        reader.fault(row, row.cell("name"), said("trigger_empty"))
    return names


def _role(reader: Reader, row: Row) -> str:
    role = row.cell("role")
    if role and role not in ROLES:
        what = said("role_unknown", role=role, names=", ".join(ROLES))
        reader.fault(row, row.cell("name"), what)
    return role


def _parameters(reader: Reader, row: Row) -> Mapping[str, str]:
    given = kinds.parameters(row.cell("parameters"))
    for name in sorted(given.keys() - kinds.PARAMETERS):
        reader.warn(row, row.cell("name"), said("parameter_unknown", word=name))
    for name in ("start", "end", "step", "max-length"):
        if name in given and not re.fullmatch(r"-?\d+(\.\d+)?", given[name]):
            reader.fault(row, row.cell("name"), said("parameter_number", word=name))
    for name in REFERENCE.findall(given.get("seed", "")):
        if name not in reader.known:
            reader.fault(row, row.cell("name"), said("seed_unknown", word=name))
    return given


def _options(reader: Reader, row: Row, kind: Kind, given: Mapping[str, str]) -> tuple[Option, ...]:
    if kind.type not in CHOSEN:
        return ()
    found = _list(reader, row, kind, given)
    _check_filter(reader, row, found)
    if kind.type != "select_one" and any(" " in option.name for option in found):
        name = next(option.name for option in found if " " in option.name)
        reader.fault(row, row.cell("name"), said("choice_spaced", option=name))
    if kind.other and not any(option.name == OTHER for option in found):
        return (*found, Option(OTHER, both("other_one"), {}, {"last": "yes"}))
    return found


def _list(reader: Reader, row: Row, kind: Kind, given: Mapping[str, str]) -> tuple[Option, ...]:
    if not kind.file:
        first, second = reader.lists, reader.external
        lists = {**first, **second} if kind.external else {**second, **first}
        if kind.list_name not in lists:
            reader.fault(row, row.cell("name"), said("no_list", list=kind.list_name))
        return lists.get(kind.list_name, ())
    if not kind.list_name.lower().endswith(datasets.SUFFIXES):
        reader.fault(row, row.cell("name"), said("no_dataset", file=kind.list_name))
        return ()
    return choices.attached(reader, row, kind.list_name, given)


def _check_filter(reader: Reader, row: Row, found: Sequence[Option]) -> None:
    test = _first(reader, row, "choice_filter")
    have = {"name", "label"}.union(*(option.columns for option in found))
    for column in sorted(test.columns - have) if test and found else ():
        reader.fault(row, row.cell("name"), said("filter_column", column=column))


# what a row must have


def _check_row(reader: Reader, row: Row, kind: Kind) -> None:
    name, appearance = row.cell("name"), row.cell("appearance").lower()
    if kind.unknown_here:
        reader.warn(row, name, said("unknown_here"))
    silent = kind.type in SILENT or row.cell("calculation")
    heads_a_grid = appearance == "label"  # drawn on a phone as the names of its choices alone
    worded = row.text("label") or row.text("hint") or _unwritten(row)
    if not (silent or heads_a_grid or worded):
        reader.fault(row, name, said("no_label"))
    fixed = row.cell("read_only").lower() in TRUE or row.cell("trigger") or kind.type == "note"
    if row.cell("calculation") and worded and not fixed and kind.type not in SILENT:
        reader.warn(row, name, said("only_shown"))
    if kind.type == "calculate" and not row.cell("calculation") and not row.cell("default"):
        reader.fault(row, name, said("no_calculation"))
    if kind.type == "image" and any(word in appearance for word in kinds.DRAWN):
        reader.fault(row, name, said("drawn", appearance=appearance))
    if appearance.startswith(("ex:", "printer:", "search(", "search ")):
        reader.fault(row, name, said("appearance", appearance=row.cell("appearance")))
    if kind.type == "file" and row.cell("accept") and not kinds.accepted(row.cell("accept")):
        reader.fault(row, name, said("accept", accept=row.cell("accept")))
    if row.text("media::video"):
        reader.warn(row, name, said("video"))


def _check_default(
    reader: Reader, row: Row, kind: Kind, default: Expression | str, options: Sequence[Option]
) -> None:
    """What is preset must be an answer: whoever skips the question takes it."""
    if not default or isinstance(default, Expression):
        return
    if options:
        given = [default] if kind.type == "select_one" else default.split()
        for value in sorted({*given} - {option.name for option in options}):
            reader.fault(row, row.cell("name"), said("default_no_choice", value=value))
    elif kind.type in READ and not READ[kind.type][0](default):
        what = said("default_bad", value=default, type=kind.type, example=READ[kind.type][1])
        reader.fault(row, row.cell("name"), what)


def _is_number(value: str) -> bool:
    return math.isfinite(functions.number(value)) and dates.read(value) is None


READ: Mapping[str, tuple[Callable[[str], object], str]] = {  # of a default: what takes it, example
    "integer": (lambda value: re.fullmatch(r"-?\d+", value), "5"),
    "decimal": (_is_number, "2.5"),
    "range": (_is_number, "5"),
    "date": (dates.read, "2024-05-06"),
    "time": (lambda value: re.fullmatch(r"\d\d?:\d\d(:.*)?", value), "09:30:00"),
    "datetime": (dates.read, "2024-05-06T09:30:00"),
}


def _check_locked(reader: Reader, row: Row, locked_if: Expression | None) -> None:
    if locked_if is not None:
        reader.fault(row, row.cell("name"), said("locked_if"))


# what a question looks at


def logic_of(question: Question) -> Iterator[Expression]:
    return (test for _, test in tests(question))


def tests(question: Question) -> Iterator[tuple[str, Expression]]:
    """Its expressions, each with the column that it stands in."""
    yield from (("relevant", test) for test in question.relevant)
    for column in ("constraint", "choice_filter", "calculation", "required_if", "default"):
        if isinstance(test := getattr(question, column), Expression):
            yield column.removesuffix("_if"), test


def texts(question: Question) -> Iterator[str]:
    """Everything a question may say, in any language."""
    own = (text for _, text in worded(question))
    for text in chain(own, (option.label for option in question.options)):
        yield from text.values()


def worded(question: Question) -> tuple[tuple[str, Text], ...]:
    """What it says besides its choices, each with the column that it stands in."""
    return (
        ("label", question.label),
        ("hint", question.hint),
        ("guidance_hint", question.guidance),
        ("constraint_message", question.constraint_message),
        ("required_message", question.required_message),
    )


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


def personal(questions: Sequence[Question]) -> set[str]:
    """What may hold somebody's words or place, or is computed from such, through others too.

    Not what is merely looked up by them: that is of the form's own files.
    """
    found = {question.name for question in questions if question.type in PERSONAL}
    given = {each.name: _given_by(each) for each in questions if not each.asked}
    while more := {name for name, by in given.items() if by & found} - found:
        found |= more
    return found


def _given_by(question: Question) -> frozenset[str]:
    """The questions that a value which nobody is asked for is made of."""
    made = [each for each in (question.calculation, question.default) if each]
    return frozenset[str]().union(
        *(each.names for each in made if isinstance(each, Expression) and not _looked_up(each))
    )


def _looked_up(expression: Expression) -> bool:
    outermost = grammar.parse(expression.source)
    return outermost.symbol == "(name)" and outermost.value == "pulldata"


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
