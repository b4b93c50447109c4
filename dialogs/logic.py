"""XLSForm expressions (relevant, constraint, calculation, choice_filter): compiled once, then
evaluated many times, over answers by question name.

grammar reads an expression, closures and calls turn its tree into closures over a Scope,
functions, dates and patterns are what these call. Whatever is wrong with an expression by
itself is raised by `compile`, as a LogicError in words for the form's author.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from dialogs import calls, grammar
from dialogs.closures import ANYWHERE, Chains, Found, Node, Place, Run, Scope, as_truth
from dialogs.faults import said
from dialogs.functions import LogicError, Value, number, text, truth

__all__ = [
    "Expression",
    "LogicError",
    "Scope",
    "Value",
    "compile",
    "evaluate",
    "number",
    "text",
    "truth",
]


@dataclass(frozen=True, slots=True)
class Expression:
    source: str
    names: frozenset[str]  # questions it reads, by ${name} or by path
    columns: frozenset[str]  # plain names: the choices sheet's columns, in a choice_filter
    tables: frozenset[str]  # attached tables and lists it looks things up in
    run: Run = field(repr=False, compare=False)
    key: str = field(
        default="", repr=False, compare=False
    )  # alike if and only if they mean the same
    place: Place = field(default=ANYWHERE, repr=False, compare=False)

    def evaluate(self, scope: Scope) -> Value:
        """Raises LogicError where the scope lacks what is asked for: the time, a table."""
        return self.run(scope)


def compile(  # noqa: A001  # logic.compile, as re.compile
    source: str,
    known: Collection[str] | None = None,
    *,
    strict: bool = True,
    around: tuple[str, ...] = (),
    chains: Chains | None = None,
    numbers: Collection[str] = (),
    in_filter: bool = False,
    asks: bool = False,
) -> Expression:
    """Raises LogicError for what cannot be read, and for questions not in `known`, if given.

    `around` are the groups of the question whose expression it is: relative paths begin there.
    Without `chains`, the repeats that each name is in, no instances can be picked by […].
    Of questions among `numbers`, 0 is no where something `asks` whether it holds, and not a text.
    In a choice_filter (`in_filter`), position() and last() are of the choices.

    A call to a function that does not exist, or with too few or many values, is refused too;
    unless `strict`, only when it is reached.
    """
    place = Place(around, known, chains, numbers)
    found = Found(source, calls.HANDLERS, place, strict, in_filter=in_filter)
    try:
        node = found.node(grammar.parse(source))
    except RecursionError:
        raise LogicError(grammar.TOO_DEEP) from None
    if in_filter and node.kind == "number":
        raise LogicError(said("filter_number"))
    return expression(source, node, found, asks=asks)


def expression(source: str, node: Node, found: Found, *, asks: bool) -> Expression:
    names, columns, tables = map(frozenset, (found.names, found.columns, found.tables))
    key = "/".join((source, *found.place.around)) if found.relative else source
    run = as_truth(node) if asks and node.counted else node.run
    return Expression(source, names, columns, tables, run, key, found.place)


def evaluate(expression: str, values: Mapping[str, str], now: datetime | None = None) -> Value:
    """An expression over answers by question name; "." among them is the one in question."""
    return _compiled(expression).run(Scope(values, values.get(".", ""), now))


@lru_cache(maxsize=1024)
def _compiled(source: str) -> Expression:
    return compile(source, strict=False)
