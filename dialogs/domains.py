"""The answers worth trying at each question, by what a form's expressions compare them with."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations, pairwise, permutations, product
from random import Random

from dialogs import dates, examples, functions, logic, minors, moments, rows, wishes
from dialogs.logic import Expression, Scope
from dialogs.questions import CHOSEN, MOMENTS, NUMBERS, Question, Script
from dialogs.wishes import COMPUTED, LOOKED_UP, SELECTED, Use

NOW = datetime(2021, 8, 15, 18, tzinfo=UTC)  # where nobody says what day it is
FEW = 12  # choices that are all tried, whatever they are compared with
MOST = 300  # values of one question: with more, nothing is claimed
MOST_RECKONED = 8  # numbers of an expression, of which every two are tried together
MOST_ORDERED = 4  # choices of which any may be taken, in any order
MOST_RANKED = 5  # choices that are ranked in every order
MOST_MARKED = 6  # choices of several that are tried in every combination
PLAIN_NUMBERS = (0.0, 1.0, 7.0, 20.0, 40.0, 1000.0)
AMOUNTS = (*PLAIN_NUMBERS, 2.0, 3.0, 5.0, 10.0, 15.0, 30.0, 60.0, 100.0, -1.0)
AGES = (
    0.0,
    1.0,
    10.0,
    30.0,
    100.0,
    400.0,
    *(365.25 * years for years in (2, 4, 8, 15, 25, 40, 70)),
)
CLOSE = 1e-9
BEYOND, BEYOND_DAYS = (1e6, -1e6), 40_000.0  # where an answer has to lie beyond others
FILLED_IN = (minors.SESSION, "facilitador")  # hidden questions that a session fills in
OLDEST = 200  # what a date may be compared with, in any of the units below
SPANS = (1.0, 7.0, 30.4375, 365.25)  # days, of the units in which ages are counted
SHORT = "Agua"


@dataclass(frozen=True, slots=True)
class Domain:
    """Answers to a question, "" for none; `complete` if any other does as one of them."""

    values: tuple[str, ...]
    complete: bool = True
    whole: tuple[str, ...] = ()  # every answer that there is, where these are few


Domains = Mapping[str, Domain]
NOTHING = Domain(("",))


def of(script: Script, here: Scope) -> Domains:
    """By question. `here` is what expressions see apart from answers."""
    used = _uses([(each, tuple(rows.logic_of(each))) for each in script.questions])
    return {
        each.name: _allowed(_domain(each, used[each.name], script, here.now or NOW), each, here)
        for each in script.questions
    }


def unclear(
    asked: Sequence[Question], terms: Sequence[Expression], script: Script
) -> frozenset[str]:
    """The questions whose domains may lack what makes a difference to what is computed of them,
    to who of them is asked, or to the terms."""
    tests = [(each, (*each.relevant, *_own(each))) for each in asked]
    used = _uses([*tests, (asked[-1], tuple(terms))] if asked else [])
    found = ((each.base, _domain(each, used[each.base], script, NOW)) for each in asked)
    return frozenset(name for name, domain in found if not (domain.complete or domain.whole))


def _own(question: Question) -> Iterator[Expression]:
    if question.calculation is not None:
        yield question.calculation
    if question.constraint is not None and not question.constraint.names - {question.base}:
        yield question.constraint


def _uses(
    tested: Sequence[tuple[Question, Sequence[Expression]]],
) -> Mapping[str, Sequence[Use]]:
    """What is asked of each answer, also by way of what is computed from it."""
    alike = {test.key: test for _, tests in tested for test in tests}
    read = {key: wishes.uses(test) for key, test in alike.items()}
    used = defaultdict[str, dict[Use, None]](dict)
    for question, tests in tested:
        for test in tests:
            for use in read[test.key]:
                used[question.base if use.name == "." else use.name][use] = None
    for question, tests in reversed(tested):
        if question.calculation is not None and question.calculation in tests:
            near = [replace(use, through=COMPUTED, table="") for use in used[question.base]]
            for flow in read[question.calculation.key]:
                if flow.through == COMPUTED and flow.value is None and flow.name != ".":
                    used[flow.name].update((replace(use, name=flow.name), None) for use in near)
    return defaultdict(tuple, {name: tuple(found) for name, found in used.items()})


def _allowed(domain: Domain, question: Question, here: Scope) -> Domain:
    """Those that the question's own rule lets through; all, if it lets through none."""
    rule = question.constraint
    if rule is None or rule.names - {question.name}:
        return domain

    def kept(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            value
            for value in values
            if not value
            or logic.truth(rule.evaluate(replace(here, this=value, values={question.name: value})))
        )

    allowed = replace(domain, values=kept(domain.values), whole=kept(domain.whole))
    return allowed if any(allowed.values) else domain


def _domain(question: Question, used: Sequence[Use], script: Script, now: datetime) -> Domain:
    if question.computed or question.type == "note":
        return NOTHING
    if question.silent or question.read_only:
        return _preset(question, now)
    if question.type in CHOSEN:
        return _chosen(question, used)
    if question.type in NUMBERS:
        return _numbers(question, used, now)
    if question.type in MOMENTS:
        return _moments(question, used, now)
    if question.type in ("text", "audio"):
        return _texts(used, script)
    if question.type == "acknowledge":
        return Domain(("OK", ""), _direct(used))
    value = "20.970000 -89.620000 0 0" if question.type == "geopoint" else "photo"
    return Domain((value, ""), _direct(used) and not any(use.value for use in used))


def _preset(question: Question, now: datetime) -> Domain:
    if question.type in ("start", "end", "today"):
        stamp = dates.stamp(now.astimezone(dates.ZONE))
        return Domain((stamp[:10] if question.type == "today" else stamp,), complete=False)
    given = question.default
    if isinstance(given, str) and question.base not in FILLED_IN:
        return Domain((given,))
    return Domain(("",), complete=False)


def _direct(used: Sequence[Use], *through: str) -> bool:
    """Whether the answer is only compared as it is, or through these functions."""
    return all(use.through in ("", *through) and use.value is not None for use in used)


# choices


def _chosen(question: Question, used: Sequence[Use]) -> Domain:
    names = [option.name for option in question.options]
    named = dict.fromkeys(str(use.value) for use in used if isinstance(use.value, str))
    first = [name for name in named if name in names]
    others = [name for name in names if name not in named]
    if question.type == "rank":
        turned = [" ".join((name, *(n for n in names if n != name))) for name in (*first, *names)]
        few = len(names) <= MOST_RANKED
        turned += map(" ".join, permutations(names)) if few else ()
        return Domain((*tuple(dict.fromkeys(turned))[:MOST], ""), few or not used)
    if question.type == "select_multiple":
        return _several(first, others, used)
    alike = _direct(used, *SELECTED) and not any(isinstance(use.value, float) for use in used)
    if alike and len(names) > FEW:
        others = others[:1]  # none is told from another
    listed = (*first, *others)
    return Domain((*listed[:MOST], ""), complete=len(listed) <= MOST)


def _several(first: Sequence[str], others: Sequence[str], used: Sequence[Use]) -> Domain:
    """Every combination of the choices that are asked for, with some of the others."""
    direct = _direct(used, *SELECTED, "count-selected")
    counted = [int(use.value) for use in used if use.through == "count-selected"
               and isinstance(use.value, float) and use.value == use.value]  # fmt: skip
    further = {0, 1, len(others)} | {min(count + 1, len(others)) for count in counted if count >= 0}
    if counted:
        further |= set(range(min(max(counted) + 2, len(others) + 1)))
    marked, plenty = first[:MOST_MARKED], len(first) > MOST_MARKED
    values = (
        " ".join((*several, *others[:count]))
        for size in range(len(marked) + 1)
        for several in combinations(marked, size)
        for count in sorted(further)
    )
    found = [*dict.fromkeys(values), *([" ".join((*first, *others))] if plenty else ())]
    found += first[MOST_MARKED:]
    tidy = tuple(sorted(dict.fromkeys(found), key=lambda value: not value))
    names = (*first, *others)
    sizes = range(len(names) + 1) if len(names) <= MOST_ORDERED else ()
    whole = (" ".join(several) for size in sizes for several in permutations(names, size))
    complete = direct and not plenty and len(tidy) <= 4 * MOST
    return Domain(tidy[: 4 * MOST], complete, tuple(whole))


# numbers and moments


def _amounts(used: Sequence[Use]) -> set[float]:
    found = (functions.number(use.value) for use in used if use.value not in (None, ""))
    return {value for value in found if abs(value) < 1e12}


def _beside(question: Question) -> bool:
    """Whether its rule compares it with other answers: then it may have to lie beyond them."""
    return question.constraint is not None and bool(question.constraint.names - {question.name})


def _numbers(question: Question, used: Sequence[Use], now: datetime) -> Domain:
    given = question.parameters
    if question.type == "range":
        start, end = float(given.get("start", 1)), float(given.get("end", 10))
        step = abs(float(given.get("step", 1))) or 1.0
        many = int(abs(end - start) / step + CLOSE) + 1
        steps = [round(min(start, end) + step * at, 9) for at in range(min(many, MOST))]
        return Domain((*map(_written, steps), ""), complete=many <= MOST)
    shifts = (0.0, 1.0, -1.0) if question.type == "integer" else (0.0, 1.0, -1.0, 0.5, -0.5)
    direct, amounts = _direct(used), sorted(_amounts(used))
    near = [value + shift for value in amounts for shift in shifts]
    near += [(one + other) / 2 for one, other in pairwise(amounts)]
    near += () if direct else _reckoned(used, now)
    beyond = BEYOND if _beside(question) else ()
    values = dict.fromkeys((*near, *(PLAIN_NUMBERS if direct else AMOUNTS), *beyond))
    finite = (value for value in values if math.isfinite(value))
    whole = question.type == "integer"
    values = dict.fromkeys(float(int(value)) if whole else value for value in finite)
    return Domain((*map(_written, values), ""), direct, _between(question) if whole else ())


def _between(question: Question) -> tuple[str, ...]:
    """Every whole number that its rule lets through, where it says from where to where."""
    if question.constraint is None:
        return ()
    low, high = wishes.bounds(question.constraint, question.base)
    if not math.isfinite(high - low) or high - low > MOST:
        return ()
    return (*map(str, range(math.ceil(low), math.floor(high) + 1)), "")


def _reckoned(used: Sequence[Use], now: datetime) -> Iterator[float]:
    """What an answer may have to be where it is reckoned with: 8 for `${n} * 3 = 24`.

    Where there are years, an age may be reckoned from this one.
    """
    known = sorted(_amounts(used))[:MOST_RECKONED]
    known += [float(now.year)] if any(abs(value - now.year) < OLDEST for value in known) else []
    for one, other in product(known, repeat=2):
        yield from (one + other, one - other, one * other, functions.divide(one, other))


def _written(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _moments(question: Question, used: Sequence[Use], now: datetime) -> Domain:
    if question.type == "time":
        times = [str(use.value)[:5] for use in used if use.value] + ["9:30", "16:00", "20:30"]
        times += ["0:05", "23:55"] if _beside(question) else []
        found = (moments.value("time", each, now) for each in times)
        return Domain((*dict.fromkeys(filter(None, found)), ""), not used)
    direct, local = _direct(used), now.astimezone(dates.ZONE)
    today = local.replace(hour=9, minute=30, second=0, microsecond=0)
    named = [moment for use in used if isinstance(use.value, str)
             and (moment := dates.read(use.value))]  # fmt: skip
    days = {value for value in _amounts(used) if abs(value) < OLDEST and not direct}
    ages = [*(() if direct else AGES), 1, -1, *(day * span for day in days for span in SPANS)]
    ages += [BEYOND_DAYS, -BEYOND_DAYS] if _beside(question) else []
    near = dict.fromkeys(
        dates.stamp((moment + timedelta(days=shift)).replace(tzinfo=dates.ZONE))
        for moment in (*named, *(today - timedelta(days=age) for age in ages))
        for shift in (0, 1, -1)
    )
    if question.type == "datetime":
        return Domain((*near, ""), complete=not used)
    return Domain((*dict.fromkeys(stamp[:10] for stamp in near), ""), direct)


# texts


def _texts(used: Sequence[Use], script: Script) -> Domain:
    found = chain.from_iterable(_as_asked(use, script) for use in used)
    numbers = [_written(value + shift) for value in _amounts(used) for shift in (0, 1, -1)]
    values = dict.fromkeys((*found, *numbers, examples.SAID, SHORT, ""))
    direct = all(isinstance(use.value, str) and not use.through for use in used)
    return Domain(tuple(values)[:MOST], direct and len(values) <= MOST)


def _as_asked(use: Use, script: Script) -> Iterator[str]:
    """Texts that are as an expression asks."""
    match use.through, use.value:
        case ("string-length", float() as length) if 0 <= length < 5000:
            for size in (int(length), int(length) + 1, int(length) - 1):
                yield (
                    (examples.SAID * (size // len(examples.SAID) + 1))[: max(size, 0)]
                    .strip()
                    .ljust(size, "a")
                )
        case ("regex", str() as pattern):
            for seed in range(4):
                yield examples.matching(pattern, Random(seed))  # nosec B311 # an example
        case (_, str() as column) if use.through == LOOKED_UP:
            listed = script.tables.get(use.table, ())[: MOST // 2]
            yield from dict.fromkeys(row.get(column, "") for row in listed)
        case ("starts-with", str() as begin):
            yield f"{begin} {SHORT}"
        case ("ends-with", str() as end):
            yield f"{SHORT} {end}"
        case (_, str() as literal):
            yield literal
