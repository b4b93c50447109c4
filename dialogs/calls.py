"""The functions an expression may call: what each takes, gives and does.

Most are plain functions of values, in a table; those that look at the scope (the time, the
repeat, labels, attached tables) have a handler each.
"""

import hashlib
import math
import operator
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from dialogs import closures, dates, repeats
from dialogs import functions as do
from dialogs.closures import Found, Node, Run, Scope, Several, as_number, as_text, as_truth, made
from dialogs.faults import Said, said
from dialogs.functions import LogicError, Value, text
from dialogs.grammar import Token


@dataclass(frozen=True, slots=True)
class Function:
    """What a function takes, gives and does.

    `takes` has a word an argument: the kind it is asked for as (several: each answer of a
    repeat), with ? if it may be missing, * if it repeats, = if "." stands in for it.
    """

    takes: tuple[str, ...]
    gives: Literal["text", "number", "truth"]
    of: Callable[..., Value]

    @property
    def least(self) -> int:
        return sum(word[-1] not in "?*=" for word in self.takes)

    @property
    def most(self) -> float:
        repeats = any(word.endswith("*") for word in self.takes)
        return math.inf if repeats else len(self.takes)


def _table(gives: Literal["text", "number", "truth"], **rows: Any) -> dict[str, Function]:
    return {
        name.strip("_").replace("_", "-"): Function(tuple(takes.split()), gives, of)
        for name, (takes, of) in rows.items()
    }


FUNCTIONS = {
    **_table(
        "truth",
        boolean=("truth", bool),
        boolean_from_string=("text", lambda source: source in ("1", "true")),
        checklist=("number number several*", do.checklist),
        contains=("text text", lambda source, part: part in source),
        ends_with=("text text", str.endswith),
        false=("", lambda: False),
        geofence=("text text", do.inside),
        is_selected=("text text", do.selected),
        not_=("truth", operator.not_),
        regex=("text text", do.regex),
        selected=("text text", do.selected),
        starts_with=("text text", str.startswith),
        true=("", lambda: True),
        weighted_checklist=("number number value*", do.weighted_checklist),
    ),
    **_table(
        "text",
        base64_decode=("text", do.base64_decode),
        concat=("several*", lambda *parts: "".join(map(text, parts))),
        date=("value", do.to_date),
        date_time=("value", do.to_date_time),
        digest=("text text text?", do.digest),
        format_date=("value text", do.format_date),
        format_date_time=("value text", do.format_date),
        join=("text several*", lambda mark, *parts: mark.join(map(text, parts))),
        normalize_space=("text=", do.normalize_space),
        selected_at=("text number", do.selected_at),
        string=("text=", str),
        substr=("text number number?", do.substr),
        substring=("text number number?", do.substring),
        substring_after=("text text", do.substring_after),
        substring_before=("text text", do.substring_before),
        translate=("text text text", do.translate),
    ),
    **_table(
        "number",
        abs=("number", abs),
        acos=("number", do.total(math.acos)),
        area=("several several*", do.area),
        asin=("number", do.total(math.asin)),
        atan=("number", math.atan),
        atan2=("number number", math.atan2),
        ceiling=("number", lambda value: -((-value) // 1) if math.isfinite(value) else value),
        cos=("number", do.total(math.cos)),
        count_selected=("text", lambda chosen: float(len(chosen.split()))),
        decimal_date_time=("value", do.decimal_date_time),
        decimal_time=("value", do.decimal_time),
        distance=("several several*", do.distance),
        exp=("number", do.total(math.exp)),
        exp10=("number", do.total(lambda value: math.pow(10, value))),
        floor=("number", lambda value: value // 1 if math.isfinite(value) else value),
        int=("value", do.to_int),
        log=("number", do.log),
        log10=("number", do.log10),
        max=("several several*", do.greatest),
        min=("several several*", do.least),
        number=("number=", do.number),
        pi=("", lambda: math.pi),
        pow=("number number", do.total(math.pow)),
        round=("number number?", do.round_half_up),
        sin=("number", do.total(math.sin)),
        sqrt=("number", do.total(math.sqrt)),
        string_length=("text=", lambda source: float(len(source))),
        sum=("several", lambda *values: sum(do.numbers(values), 0.0)),
        tan=("number", do.total(math.tan)),
    ),
}

REFUSED = {  # function -> the kind of faults.toml that says what to write instead
    "comment-status": "instead_nothing",
    "extract-signed": "instead_nothing",
    "id": "instead_name",
    "instance": "instead_lookup",
    "intersects": "instead_place",
    "jr:itext": "instead_choice_name",
    "lang": "instead_language",
    "local-name": "instead_name",
    "name": "instead_choice_name",
    **dict.fromkeys(("averageif", "countif", "sumif"), "instead_counting"),
    "namespace-uri": "instead_name",
    "property": "instead_device",
    "randomize": "instead_randomize",
    "version": "instead_version",
}
ELSEWHERE = {  # functions of spreadsheets and later XPaths -> what does the same here
    "and": "${x} = 'a' and ${y} = 'b'",
    "average": "sum(${x}) div count(${repeat})",
    "avg": "sum(${x}) div count(${repeat})",
    "concatenate": "concat(${x}, ${y})",
    "datedif": "int((today() - ${x}) div 365.25)",
    "datediff": "int((today() - ${x}) div 365.25)",
    "day": "format-date(${x}, '%d')",
    "decimal-date": "decimal-date-time(${x})",
    "empty": "${x} = ''",
    "iif": "if(${x} = 'a', 1, 0)",
    "index": "position(..)",
    "is-null": "${x} = ''",
    "isblank": "${x} = ''",
    "isnull": "${x} = ''",
    "left": "substr(${x}, 0, 3)",
    "len": "string-length(${x})",
    "length": "string-length(${x})",
    "lower": "translate(${x}, 'ABC', 'abc')",
    "lower-case": "translate(${x}, 'ABC', 'abc')",
    "matches": "regex(${x}, '^[0-9]+$')",
    "mean": "sum(${x}) div count(${repeat})",
    "mid": "substr(${x}, 2, 5)",
    "mod": "${x} mod 2",
    "month": "format-date(${x}, '%m')",
    "or": "${x} = 'a' or ${y} = 'b'",
    "power": "pow(${x}, 2)",
    "replace": "translate(${x}, 'a', 'b')",
    "right": "substr(${x}, -3)",
    "substitute": "translate(${x}, 'a', 'b')",
    "text": "string(${x})",
    "trim": "normalize-space(${x})",
    "upper": "translate(${x}, 'abc', 'ABC')",
    "upper-case": "translate(${x}, 'abc', 'ABC')",
    "value": "number(${x})",
    "year": "format-date(${x}, '%Y')",
    # of spreadsheets in Spanish
    "ahora": "now()",
    "concatenar": "concat(${x}, ${y})",
    "contar": "count(${repeat})",
    "entero": "int(${x})",
    "falso": "false()",
    "hoy": "today()",
    "largo": "string-length(${x})",
    "no": "not(${x} = 'a')",
    "o": "${x} = 'a' or ${y} = 'b'",
    "promedio": "sum(${x}) div count(${repeat})",
    "redondear": "round(${x}, 2)",
    "si": "if(${x} = 'a', 1, 0)",
    "sifecha": "int((today() - ${x}) div 365.25)",
    "suma": "sum(${x})",
    "verdadero": "true()",
    "y": "${x} = 'a' and ${y} = 'b'",
}
_CHECKS: Mapping[str, Callable[[str], object]] = {  # of a second argument written out
    "regex": do.searcher,
    "format-date": do.date_writer,
    "format-date-time": do.date_writer,
}


# Making a call


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    given: Sequence[Token]
    token: Token
    found: Found

    def node(self, place: int) -> Node:
        return self.found.node(self.given[place])

    def nodes(self) -> list[Node]:
        return [self.found.node(token) for token in self.given]

    def error(self, what: Said) -> LogicError:
        return self.found.error(what, self.token)


def name_or_call(token: Token, found: Found) -> Node:
    if token.label != "call":
        return closures.HANDLERS["(name)"](token, found)
    return _node(Call(str(token.value), list(token), token, found))


def prefixed(token: Token, found: Found) -> Node:
    if token[1].label != "call":
        raise found.error(said("colon"), token)
    return _node(Call(str(token.value), list(token[1]), token[0], found))


def _node(call: Call) -> Node:
    problem = _problem(call.name, len(call.given))
    if problem and call.found.strict:
        raise call.error(problem)
    if problem:
        return Node("value", _raising(call.error(problem)))
    if call.name in OVER_SCOPE:
        return OVER_SCOPE[call.name][2](call)
    return _apply(call, FUNCTIONS[call.name])


def _problem(name: str, count: int) -> Said | None:
    if name in FUNCTIONS:
        least, most = FUNCTIONS[name].least, FUNCTIONS[name].most
    elif name in OVER_SCOPE:
        least, most, _ = OVER_SCOPE[name]
    elif name in REFUSED:
        return said("function_refused", function=name, cure=said(REFUSED[name]))
    elif name.lower() in ELSEWHERE:
        return said("function_elsewhere", function=name, example=ELSEWHERE[name.lower()])
    else:
        near = closures.nearest(name.lower(), [*FUNCTIONS, *OVER_SCOPE])
        return said("unknown_function", function=name, nearest=near)
    if name == "weighted-checklist" and count % 2:
        return said("in_pairs", function=name)
    if least <= count <= most:
        return None
    wanted: Said | int = least
    if most == math.inf:
        wanted = said("or_more", least=least)
    elif least != most:
        wanted = said("to_most", least=least, most=int(most))
    return said("takes", function=name, wanted=wanted, count=count)


def _raising(error: LogicError) -> Run:
    def run(_: Scope) -> Value:
        raise error

    return run


def _apply(call: Call, function: Function) -> Node:
    takes, nodes = function.takes, call.nodes()
    if not nodes and takes and takes[0].endswith("="):
        nodes = [closures.THIS]
    if call.name == "sum" and nodes[0].several is None:
        raise call.error(said("sums_repeat"))
    if call.name in _CHECKS and nodes[1].constant:
        _CHECKS[call.name](text(nodes[1].run(closures.NOWHERE)))
    kinds = [takes[min(place, len(takes) - 1)].rstrip("?*=") for place in range(len(nodes))]
    run = _spread if "several" in kinds else _applied
    return made(function.gives, run(function.of, kinds, nodes), *nodes)


def _applied(of: Callable[..., Value], kinds: list[str], nodes: list[Node]) -> Run:
    parts = [closures.AS[kind](node) for kind, node in zip(kinds, nodes, strict=True)]
    match parts:
        case []:
            return lambda _: of()
        case [one]:
            return lambda scope: of(one(scope))
        case [one, other]:
            return lambda scope: of(one(scope), other(scope))
        case _:
            return lambda scope: of(*[part(scope) for part in parts])


def _spread(of: Callable[..., Value], kinds: list[str], nodes: list[Node]) -> Run:
    """With each answer of a repeat in its place."""
    parts = [
        (kind == "several" and node.several) or closures.single(closures.AS[kind](node))
        for kind, node in zip(kinds, nodes, strict=True)
    ]
    return lambda scope: of(*[value for part in parts for value in part(scope)])


# Functions that look at the scope


def _if(call: Call) -> Node:
    """With the `if`s that stand in its last place, as in a list of a hundred towns."""
    given, branches = call.given, []
    while True:
        branches.append((call.found.node(given[0]), call.found.node(given[1])))
        last = given[2]
        if (last.label, last.value, len(last)) != ("call", "if", 3):
            break
        given = last
    otherwise = call.found.node(last)
    tests = [(as_truth(condition), then.run) for condition, then in branches]

    def run(scope: Scope) -> Value:
        for test, then in tests:
            if test(scope):
                return then(scope)
        return otherwise.run(scope)

    given_back = (otherwise, *(then for _, then in branches))
    return _one_of(given_back, run, otherwise, *(node for branch in branches for node in branch))


def _one_of(given_back: Sequence[Node], run: Run, *parts: Node) -> Node:
    counted = all(node.counted or node.kind == "number" for node in given_back)
    return replace(made(closures.joint(*given_back), run, *parts), counted=counted)


def _coalesce(call: Call) -> Node:
    first, second = call.nodes()

    def run(scope: Scope) -> Value:
        value = first.run(scope)
        return second.run(scope) if value == "" or value != value else value

    return _one_of((first, second), run, first, second)


def _once(call: Call) -> Node:
    run = call.node(0).run
    return Node("value", lambda scope: scope.this or run(scope))


def _local(scope: Scope) -> datetime:
    if scope.now is None:
        raise LogicError(said("no_time"))
    return scope.now.astimezone(scope.zone)


def _today(_: Call) -> Node:
    return Node("text", lambda scope: _local(scope).date().isoformat())


def _now(_: Call) -> Node:
    return Node("text", lambda scope: dates.stamp(_local(scope)))


def _position(call: Call) -> Node:
    """Which instance of a repeat this is; in […], which of those that are looked at."""
    found, token = call.found, call.given[0] if call.given else None
    picks = found.in_table or found.in_filter
    if token is None:
        if not picks:
            raise call.error(said("position"))
        return Node("number", lambda scope: float(scope.nth))
    up = _up(token)
    if up is not None:
        if picks and not closures.is_call(closures.steps(token)[0], "current"):
            raise call.error(said("position_in_table"))
        return _position_up(up, call)
    name = call.node(0).question
    if not name:
        raise call.error(said("position"))

    def run(scope: Scope) -> float:
        parts = scope.path.split("#")[: closures.depths(name, scope)[1] or None]
        return float(parts[-1] or 0)

    return _number_outside(run)


def _up(token: Token) -> int | None:
    """How many groups a path goes up; None if it goes elsewhere, too."""
    first, *rest = closures.steps(token)
    begins = first.symbol in (".", "..") or closures.is_call(first, "current")
    if not begins or any(step.symbol not in (".", "..") for step in rest):
        return None
    return sum(step.symbol == ".." for step in (first, *rest))


def _position_up(up: int, call: Call) -> Node:
    """The number of the repeat that many groups up; a group is the first of its kind."""
    around = call.found.place.around
    call.found.relative.add("/".join(("..",) * up))
    if up > len(around) + 1 and around:
        raise call.error(said("path_position"))
    name = around[-up] if 0 < up <= len(around) else ""

    def run(scope: Scope) -> float:
        parts = scope.path.split("#")
        if not around or not up:
            return float(parts[-max(up, 1)] or 0) if up <= len(parts) else 1.0
        numbers = dict(zip(scope.within, parts, strict=False))  # a check looks at one path alone
        return float(numbers.get(name) or 1)

    return _number_outside(run)


def _number_outside(run: Callable[[Scope], float]) -> Node:
    return Node("number", lambda scope: run(scope.outside or scope))


def _last(call: Call) -> Node:
    """[last()] of a lookup or of choices; of a repeat, count() says it."""
    if not (call.found.in_table or call.found.in_filter):
        raise call.error(said("function_refused", function="last", cure=said("instead_count")))
    return Node("number", lambda scope: float(scope.last))


def _count(call: Call) -> Node:
    values = _all_of(call)
    return Node("number", lambda scope: float(len(values(scope))))


def _count_non_empty(call: Call) -> Node:
    values = _all_of(call)
    return Node("number", lambda scope: float(sum(value != "" for value in values(scope))))


def _all_of(call: Call) -> Several:
    """Of all instances, even from within the repeat: there count(${repeat}) is how many so far."""
    node = call.node(0)
    if node.several is None:
        raise call.error(said("counts_repeat", function=call.name))
    if not node.question:
        return node.several
    name = node.question

    def run(scope: Scope) -> Sequence[str]:
        own, shared = closures.depths(name, scope)
        siblings = closures.family(name, scope, max(min(own - 1, shared), 0))
        return siblings or closures.instances(name, scope)

    return run


def _indexed_repeat(call: Call) -> Node:
    question, *pairs = call.nodes()
    repeats, indices = pairs[::2], [as_number(node) for node in pairs[1::2]]
    if len(repeats) > len(indices) or not all(node.question for node in (question, *repeats)):
        raise call.error(said("indexed_repeat"))
    name, first = question.question, repeats[0].question
    if (chains := call.found.place.chains) is not None:
        around = {repeat for repeat in chains.get(name, ()) if repeat != name}
        for wrong in (repeat.question for repeat in repeats if repeat.question not in around):
            raise call.error(said("indexed_elsewhere", word=wrong, question=name))

    def run(scope: Scope) -> str:
        outer = closures.depths(first, scope)[0] - 1  # repeats around the first that is counted
        before = scope.path.split("#")[:outer] if scope.path else ["1"] * outer
        places = (do.whole(index(scope)) or 1 for index in indices)  # unanswered is the first
        return scope.values.get("#".join((name, *before, *(str(max(n, 1)) for n in places))), "")

    return Node("text", run)


def _choice_name(call: Call) -> Node:
    chosen, question = as_text(call.node(0)), _question_in_quotes(call)

    def run(scope: Scope) -> str:
        if scope.label is None:
            raise LogicError(said("no_labels", word=question))
        name = chosen(scope)
        return scope.label(question, name) if name else ""

    return Node("text", run)


def _question_in_quotes(call: Call) -> str:
    """jr:choice-name() takes its question as '${question}', or as a path in quotes."""
    match = re.fullmatch(r"\s*(?:\$\{\s*|.*/)([^\s/${}]+)\s*\}?\s*", str(call.given[1].value))
    if match is None:
        raise call.error(said("choice_name_quoted"))
    return closures.answer(match[1], call.given[1], call.found).question


def _pulldata(call: Call) -> Node:
    table = closures.table_name(call.token, call.found)
    wanted, key, value = (as_text(call.node(place)) for place in (1, 2, 3))

    def run(scope: Scope) -> str:
        column, sought = key(scope), value(scope)
        rows = (row for row in closures.rows(table, scope) if row.get(column) == sought)
        return next(rows, {}).get(wanted(scope), "")

    return Node("text", run)


def _chance(call: Call) -> Callable[[Scope], bytes]:
    """Drawn from the seed and the place in the expression, so that it can be repeated."""
    place = call.token.span[0]
    return lambda scope: hashlib.sha256(f"{place} {scope.seed}".encode("utf-8", "replace")).digest()


def _random(call: Call) -> Node:
    chance = _chance(call)
    return Node("number", lambda scope: int.from_bytes(chance(scope)[:6]) / 2**48)


def _uuid(call: Call) -> Node:
    chance = _chance(call)
    if not call.given:
        return Node("text", lambda scope: str(uuid.UUID(bytes=chance(scope)[:16], version=4)))
    length = as_number(call.node(0))
    return Node("text", lambda scope: chance(scope).hex()[: max(do.whole(length(scope)) or 0, 0)])


OVER_SCOPE: Mapping[str, tuple[int, int, Callable[[Call], Node]]] = {
    "coalesce": (2, 2, _coalesce),
    "count": (1, 1, _count),
    "count-non-empty": (1, 1, _count_non_empty),
    "current": (0, 0, lambda _: closures.THIS),
    "if": (3, 3, _if),
    "indexed-repeat": (3, 7, _indexed_repeat),
    "jr:choice-name": (2, 2, _choice_name),
    "last": (0, 0, _last),
    "now": (0, 0, _now),
    "once": (1, 1, _once),
    "position": (0, 1, _position),
    "pulldata": (4, 4, _pulldata),
    "random": (0, 0, _random),
    "today": (0, 0, _today),
    "uuid": (0, 1, _uuid),
}
HANDLERS = {**closures.HANDLERS, "(name)": name_or_call, ":": prefixed, "[": repeats.picked}
