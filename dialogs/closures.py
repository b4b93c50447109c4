"""From the tree of an expression to closures over a Scope: names, operators and paths.

A node knows its kind beforehand, so that `${a} = 'x'` compares texts without asking; what does
not look at the scope is computed once, here.
"""

import difflib
import operator
import re
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any, Literal

from dialogs import datasets, functions, grammar
from dialogs.dates import ZONE
from dialogs.faults import Said, said
from dialogs.functions import LogicError, Value, number, text, truth
from dialogs.grammar import Token

Row = Mapping[str, str]
Chains = Mapping[
    str, tuple[str, ...]
]  # question or repeat -> the repeats it is in, itself among them
Kind = Literal["text", "number", "truth", "value"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything an expression may see.

    An answer is "" or absent while unanswered. A question in a repeat has a key an instance,
    "name#1", "name#2", …, in a repeat within a repeat "name#1#1", and so has the repeat itself
    (its values do not matter); the first instance keeps its key even while empty. Dates and
    times are local, as people say them: "2024-05-06", "2024-05-06T18:30:00.000-06:00".
    """

    values: Mapping[str, str]
    this: str = ""  # the answer in question: "." and once()
    now: datetime | None = None  # aware
    zone: tzinfo = ZONE
    path: str = ""  # the instance of the repeat we are in: "2", or "2#1"; "" outside
    within: tuple[str, ...] = ()  # the repeats we are in, the outermost first
    chains: Chains | None = None  # None: whatever has instances is in the repeats we are in
    row: Row | None = None  # the choice (or table row) that plain names read
    nth: int = 0  # which of the rows, or instances of a repeat, this is, in […]
    last: int = 0  # how many there are
    outside: "Scope | None" = None  # where one is, while instances of a repeat are picked
    label: Callable[[str, str], str] | None = None  # of a question's choice, by their names
    table: Callable[[str], Sequence[Row]] | None = None  # rows of an attached table or list
    seed: str = ""  # of random() and uuid(): the same seed gives the same value


NOWHERE = Scope({})
Run = Callable[[Scope], Value]
Several = Callable[[Scope], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Node:
    kind: Kind
    run: Run
    several: Several | None = None  # each value, where there can be more than one
    constant: bool = False
    question: str = ""  # if it is one's answer
    counted: bool = False  # a number as it is written: 0 is no, though a text of it would be yes


THIS = Node("text", lambda scope: scope.this)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands in its form."""

    around: tuple[str, ...] = ()  # the groups and repeats around its question, the outermost first
    known: Collection[str] | None = None  # names that it may use; None: any
    chains: Chains | None = None  # None: not known
    numbers: Collection[str] = ()  # questions that are answered with numbers


ANYWHERE = Place()


@dataclass(slots=True)
class Found:
    """What compiling an expression needs, and what it gathers on its way."""

    source: str
    handlers: Mapping[str, "Handler"]  # by the symbol of a token
    place: Place = ANYWHERE
    strict: bool = True  # refuse a wrong call now, or only when it is reached
    names: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    relative: set[str] = field(default_factory=set)  # paths that depend on where it stands
    in_table: bool = False  # within […] of a lookup, or of a repeat
    in_filter: bool = False  # of choices: what a choice_filter says stands within […], too
    picking: str = ""  # the repeat, within its […]
    depth: int = 0

    def node(self, token: Token) -> Node:
        self.depth += 1
        if self.depth > grammar.MAX_DEPTH:
            raise LogicError(grammar.TOO_DEEP)
        node = self.handlers.get(token.symbol, _refuse)(token, self)
        self.depth -= 1
        return node

    def error(self, what: Said, token: Token) -> LogicError:
        return LogicError(said("at", error=what, place=grammar.place(self.source, token)))


Handler = Callable[[Token, Found], Node]


def as_text(node: Node) -> Callable[[Scope], str]:
    run = node.run
    return run if node.kind == "text" else lambda scope: text(run(scope))  # type: ignore[return-value]


def as_number(node: Node) -> Callable[[Scope], float]:
    run = node.run
    return run if node.kind == "number" else lambda scope: number(run(scope))  # type: ignore[return-value]


def as_truth(node: Node) -> Callable[[Scope], bool]:
    run = node.run
    if node.counted:  # as JavaRosa, which knows of each answer whether it is a number
        return lambda scope: truth(number(run(scope)))
    return run if node.kind == "truth" else lambda scope: truth(run(scope))  # type: ignore[return-value]


AS: Mapping[str, Callable[[Node], Run]] = {
    "text": as_text,
    "number": as_number,
    "truth": as_truth,
    **dict.fromkeys(("value", "several"), lambda node: node.run),
}


def made(kind: Kind, run: Run, *parts: Node) -> Node:
    """A node of these parts; if none of them looks at the scope, its value is found now."""
    if not all(part.constant for part in parts):
        return Node(kind, run)
    value = run(NOWHERE)
    return Node(kind, lambda _: value, constant=True)


def joint(*nodes: Node) -> Kind:
    """The kind of what may be any of them."""
    kinds = {node.kind for node in nodes}
    return kinds.pop() if len(kinds) == 1 else "value"


def single(run: Run) -> Callable[[Scope], Sequence[Value]]:
    return lambda scope: (run(scope),)


def nearest(name: str, names: Collection[str]) -> Said | str:
    close = difflib.get_close_matches(name, names, 1)
    return said("nearest", word=close[0]) if close else ""


# Literals and names


def _text(token: Token, found: Found) -> Node:
    value = str(token.value)
    if re.fullmatch(r"\$\{[^{}]*\}", value):
        raise found.error(said("quoted_answer", word=value), token)
    return Node("text", lambda _: value, constant=True)


def _number(token: Token, _: Found) -> Node:
    value = float(str(token.value))
    return Node("number", lambda _: value, constant=True)


def _variable(token: Token, found: Found) -> Node:
    return _from_outside(answer(str(token.value), token, found), token, found)


def _from_outside(node: Node, token: Token, found: Found) -> Node:
    """In […] of a repeat, the answer where one is, and not in the instance that is looked at."""
    if not found.picking:
        return node
    chains, ours = found.place.chains, is_call(steps(token)[0], "current")
    if not ours and (chains is None or found.picking in chains.get(node.question, ())):
        what = said("own_of_repeat", word=node.question, repeat=found.picking)
        raise found.error(what, token)
    run = node.run
    return replace(node, run=lambda scope: run(scope.outside or scope), several=None)


def answer(name: str, token: Token, found: Found) -> Node:
    known = found.place.known
    if known is not None and name not in known:
        raise found.error(said("unknown_question", word=name, nearest=nearest(name, known)), token)
    found.names.add(name)
    once = _asked_once(name, found)

    def run(scope: Scope) -> str:
        value = scope.values.get(name, "" if once else None)
        return scope.values.get(key(name, scope), "") if value is None else value

    several: Several = lambda scope: instances(name, scope)  # noqa: E731
    return Node("text", run, several, question=name, counted=name in found.place.numbers)


def _asked_once(name: str, found: Found) -> bool:
    """Whether a question certainly is in no repeat."""
    return found.place.chains is not None and found.place.chains.get(name) == ()


def depths(name: str, scope: Scope) -> tuple[int, int]:
    """In how many repeats a question is, and how many of them are those we are in."""
    if scope.chains is None:
        here = len(scope.path.split("#")) if scope.path else 0
        return here or 1, here
    chain = scope.chains.get(name, ())
    return len(chain), sum(repeat in scope.within for repeat in chain)


def key(name: str, scope: Scope) -> str:
    """Which of a question's answers is meant here: of our instances, else of the first."""
    own, shared = depths(name, scope)
    parts = [*(scope.path.split("#")[:shared] if shared else ()), *("1" * (own - shared))]
    return "#".join((name, *parts))


def instances(name: str, scope: Scope) -> Sequence[str]:
    """The answers in all instances of a repeat; from inside it, the answer in this one."""
    if name in scope.values:
        return (scope.values[name],)
    own, shared = depths(name, scope)
    if 0 < own == shared:
        there = key(name, scope)
        first = f"{there.rpartition('#')[0]}#1"
        return (scope.values.get(there, ""),) if first in scope.values else ()
    return family(name, scope, shared)


def family(name: str, scope: Scope, shared: int = 0) -> Sequence[str]:
    """The answers in all instances that have so many numbers of ours before their own."""
    start = "#".join((name, *(scope.path.split("#")[:shared] if shared else ()), ""))
    found = [
        (tuple(map(int, parts)), value)
        for key, value in scope.values.items()
        if key.startswith(start)
        and all(map(str.isdecimal, parts := key[len(name) + 1 :].split("#")))
    ]
    return [value for _, value in sorted(found)]


def _column(token: Token, found: Found) -> Node:
    """A plain name: of the row at hand, or, without one, of an answer."""
    name = str(token.value)
    if found.picking:
        return answer(name, token, found)
    found.columns.add(name)

    def run(scope: Scope) -> str:
        return (scope.values if scope.row is None else scope.row).get(name, "")

    return Node("text", run)


# Operators


def _spine(token: Token, symbols: Collection[str]) -> tuple[Token, list[Token]]:
    """`a + b - c` is ((a + b) - c) in the tree: a, and the operators from left to right."""
    operators = []
    while token.symbol in symbols and len(token) == 2:
        operators.append(token)
        token = token[0]
    return token, operators[::-1]


def _logical(token: Token, found: Found) -> Node:
    first, operators = _spine(token, {token.symbol})
    parts = [found.node(part) for part in (first, *(operator[1] for operator in operators))]
    tests = tuple(map(as_truth, parts))
    if len(tests) > 2:
        every = all if token.symbol == "and" else any
        return made("truth", lambda scope: every(test(scope) for test in tests), *parts)
    one, other = tests
    if token.symbol == "and":
        return made("truth", lambda scope: one(scope) and other(scope), *parts)
    return made("truth", lambda scope: one(scope) or other(scope), *parts)


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "div": functions.divide,
    "mod": functions.modulo,
}


def _arithmetic(token: Token, found: Found) -> Node:
    if len(token) < 2:
        return _sign(token, found)
    same = ("+", "-") if token.symbol in ("+", "-") else ("*", "div", "mod")
    first, operators = _spine(token, same)
    nodes = [found.node(part) for part in (first, *(operator[1] for operator in operators))]
    start, *others = map(as_number, nodes)
    steps = [
        (_ARITHMETIC[token.symbol], part) for token, part in zip(operators, others, strict=True)
    ]
    if len(steps) == 1:
        ((operation, other),) = steps
        return made("number", lambda scope: operation(start(scope), other(scope)), *nodes)

    def run(scope: Scope) -> float:
        result = start(scope)
        for operation, part in steps:
            result = operation(result, part(scope))
        return result

    return made("number", run, *nodes)


def _sign(token: Token, found: Found) -> Node:
    if token.symbol != "-" or not token:
        raise found.error(said("value_missing", sign=token.symbol), token)
    node = found.node(token[0])
    amount = as_number(node)
    return made("number", lambda scope: -amount(scope), node)


def _equal(left: Value, right: Value) -> bool:
    """XPath's =: as truths if one is, else as numbers if one is, else as texts."""
    if isinstance(left, bool) or isinstance(right, bool):
        return truth(left) == truth(right)
    if isinstance(left, float) or isinstance(right, float):
        return functions.same_number(number(left), number(right))
    return left == right


Compare = Callable[[Any, Any], bool]
_ORDERS: Mapping[str, Compare] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTS: Mapping[str, Compare] = {"=": operator.eq, "!=": operator.ne}
_EQUALITIES: Mapping[str, Compare] = {
    "=": _equal,
    "!=": lambda left, right: not _equal(left, right),
}
_CONVERT: Mapping[Kind, Callable[[Value], Value]] = {
    "text": text,
    "number": number,
    "truth": truth,
    "value": lambda value: value,
}


def _comparison(token: Token, found: Found) -> Node:
    left, right = found.node(token[0]), found.node(token[1])
    kind, compare = _comparer(token.symbol, {left.kind, right.kind})
    one, other = AS[kind](left), AS[kind](right)
    several = any(node.several and not _asked_once(node.question, found) for node in (left, right))
    if kind == "truth" or not several:
        return made("truth", lambda scope: compare(one(scope), other(scope)), left, right)
    convert = _CONVERT[kind]
    ones, others = left.several or single(one), right.several or single(other)

    def run(scope: Scope) -> bool:
        """True if it is of any pair, where a question has several answers (XPath 1.0, 3.4)."""
        if compare(one(scope), other(scope)):
            return True
        lefts, rights = ones(scope), others(scope)
        return (len(lefts) > 1 or len(rights) > 1) and any(
            compare(convert(value), convert(against)) for value in lefts for against in rights
        )

    return Node("truth", run)


def _comparer(symbol: str, kinds: set[Kind]) -> tuple[Kind, Compare]:
    """As what two values are compared, and how (XPath 1.0, 3.4)."""
    if symbol in _ORDERS:
        return "number", _ORDERS[symbol]
    if kinds == {"text"}:
        return "text", _TEXTS[symbol]
    if "truth" in kinds:
        return "truth", _EQUALITIES[symbol]
    return "number" if kinds <= {"text", "number"} else "value", _EQUALITIES[symbol]


# Paths


def _path(token: Token, found: Found) -> Node:
    """A path that comes to a question's name, or to a column of an attached table."""
    first, *rest = steps(token)
    if first.label == "call" and first.value == "instance":
        return _lookup(first, rest, found)
    if any(step.symbol == "[" for step in (first, *rest)):
        return found.handlers["["](token, found)
    here = first.symbol == "." or (bool(found.picking) and _is_name(first))
    if not here and first.symbol not in ("/", "..") and not is_call(first, "current"):
        raise found.error(said("path_nowhere"), token)
    names = [step for step in (first, *rest) if step.symbol not in (".", "..", "/")]
    names = [step for step in names if not is_call(step, "current")]
    if not all(map(_is_name, names)):
        raise found.error(said("path_several"), token)
    if not names and any(step.symbol in ("/", "..") for step in (first, *rest)):
        raise found.error(said("path_position"), token)
    if not names:
        return THIS
    node = answer(_meant(first, rest, found), token, found)
    return node if here else _from_outside(node, token, found)


def _is_name(token: Token) -> bool:
    return bool(token.symbol == "(name)" and token.label != "call")


def is_call(token: Token, name: str) -> bool:
    return (token.label, token.value) == ("call", name)


def _meant(first: Token, rest: Sequence[Token], found: Found) -> str:
    """The question at the end of a path; of several with its name, the one in that group."""
    path = [*base(first, rest, found), *(str(each.value) for each in rest if each.value != "..")]
    return meant([part for part in path if part != "."], found.place.known or ())


def base(first: Token, rest: Sequence[Token], found: Found) -> list[str]:
    """The groups from which a path goes down; without any, those it begins with are not known."""
    if first.symbol == "/":
        return []
    if _is_name(first):
        return [str(first.value)]
    up = sum(step.symbol == ".." for step in (first, *rest)) - 1  # the first comes to our group
    found.relative.add("/".join(("..",) * (up + 1)))
    around = found.place.around
    return list(around[: len(around) - max(up, 0)])


def meant(path: Sequence[str], known: Container[str]) -> str:
    """The question that a path leads to: its last name, or as many as tell it from others."""
    parts = [part for part in path if part]
    names = ("-".join(parts[at:]) for at in range(len(parts) - 1, -1, -1))
    return next((name for name in names if name in known), parts[-1] if parts else "")


def steps(token: Token) -> list[Token]:
    """The steps of a path; the first is its / if it begins at the top of the form."""
    behind = []
    while token.symbol == "/" and len(token) == 2:
        behind.append(token[1])
        token = token[0]
    return [token, *(token if token.symbol == "/" else ()), *behind[::-1]]


def _lookup(call: Token, steps: list[Token], found: Found) -> Node:
    """instance('table')/root/item[…]/column: the first row's value, or each row's."""
    table = table_name(call, found)
    item, predicates = steps[1] if len(steps) > 1 else call, []
    while item.symbol == "[":
        predicates.append(item[1])
        item = item[0]
    columns = steps[2:]
    if len(steps) not in (2, 3) or any(step.symbol != "(name)" for step in (item, *columns)):
        raise found.error(said("lookup"), call)
    filters = [_filter(predicate, found) for predicate in reversed(predicates)]
    column = str(columns[0].value) if columns else ""

    def several(scope: Scope) -> Sequence[str]:
        found_rows = rows(table, scope)
        for keep in filters:
            found_rows = keep(found_rows, scope)
        return [row.get(column, "") for row in found_rows]

    return Node("text", lambda scope: next(iter(several(scope)), ""), several)


def table_name(call: Token, found: Found) -> str:
    """The first argument, which must be written out: the form's check looks for the file."""
    if not call or call[0].symbol != "(string)":
        raise found.error(said("table_quoted", function=str(call.value)), call)
    name = datasets.stem(str(call[0].value))
    found.tables.add(name)
    return name


def rows(table: str, scope: Scope) -> Sequence[Row]:
    if scope.table is None:
        raise LogicError(said("table_missing", table=table))
    return scope.table(table)


def _filter(predicate: Token, found: Found) -> Callable[[Sequence[Row], Scope], Sequence[Row]]:
    """What […] keeps of a table's rows: those it is true for, or the one it counts out."""
    node = replace(found, columns=set(), in_table=True).node(predicate)
    if node.kind == "number":
        nth = as_number(node)
        return lambda rows, scope: _nth(rows, nth(replace(scope, last=len(rows))))
    test, counts = as_truth(node), "position" in found.source

    def keep(rows: Sequence[Row], scope: Scope) -> Sequence[Row]:
        at_hand: dict[str, str] = {}  # one scope for all rows: making one a row takes 2 µs
        inner = replace(scope, row=at_hand, last=len(rows))
        kept = []
        for at, row in enumerate(rows, 1):
            at_hand.clear()
            at_hand.update(row)
            if test(replace(inner, nth=at) if counts else inner):
                kept.append(row)
        return kept

    return keep


def _nth(rows: Sequence[Row], number: float) -> Sequence[Row]:
    place = int(number) if number == number and abs(number) < len(rows) + 1 else 0
    return rows[place - 1 : place] if place > 0 and place == number else ()


def _inner(token: Token, found: Found) -> Node:
    return found.node(token[0])


def _refuse(token: Token, found: Found) -> Node:
    raise found.error(said("not_here"), token)


HANDLERS: Mapping[str, Handler] = {
    "(string)": _text,
    "(integer)": _number,
    "(decimal)": _number,
    "(name)": _column,
    "$": _variable,
    ".": lambda _token, _found: THIS,
    "(": _inner,
    "/": _path,
    "..": _path,
    **dict.fromkeys(("and", "or"), _logical),
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    **dict.fromkeys((*_EQUALITIES, *_ORDERS), _comparison),
}
