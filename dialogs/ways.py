"""Answers that lead to a question: sought through its conditions, and those of what they ask."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

from dialogs import climbing, domains, logic, settling, walking, wishes
from dialogs.domains import NOW, Domains
from dialogs.logic import Expression, Scope
from dialogs.questions import Option, Question, Script
from dialogs.state import Dialog
from dialogs.walking import Library

CHANGING = re.compile(r"\b(?:today|now|random|uuid|position)\s*\(")  # not the same every time
OF_ALL = re.compile(  # looks at more than the instance of a repeat at hand
    r"\b(?:count|count-non-empty|sum|min|max|join|concat|indexed-repeat|last|once)\s*\("
)
Answers = Mapping[str, str]  # "" for a question that is skipped, or not asked
MOST_LOOKED_AT = 250  # questions on which one depends
FIRST_TRIES, TRIES = 300, 20_000  # answers tried: at first, and until nothing is claimed
AFRESH = 8  # times that a search which took too long begins with other answers
MOST_STANDING = 50  # choices that a filter leaves, of which any may do
TO_JOIN = 150  # answers tried to bring one more question into a plan


@dataclass(frozen=True, slots=True)
class Ground:
    """What a search stands on."""

    script: Script
    domains: Domains
    here: Scope
    parts: dict[str, tuple[Expression, ...]] = field(default_factory=dict)  # by key: a cache
    lost: set[str] = field(default_factory=set)  # questions that were sought in vain: not again


def ground(script: Script, now: datetime = NOW) -> Ground:
    library = Library(lambda _form, _version: script, now=now)
    here = walking.over({}, script, Dialog("x", script.name, script.version), library)
    here = replace(here, chains=None)  # one instance of each repeat is enough
    return Ground(script, domains.of(script, here), here)


@dataclass(slots=True)
class Search:
    """One search, under way."""

    ground: Ground
    order: Sequence[Question]  # every question that matters, as the form asks them
    tests: Sequence[Sequence[Expression]]  # that can be decided once each of these is answered
    needed: frozenset[str]  # questions that must be asked
    scope: Scope
    held: dict[str, str]
    taken: Answers  # answers that stand
    first: Answers  # answers to try before others
    strict: bool  # whether all rules are kept; else more is tried than may be answered
    left: int  # answers that may still be tried
    place: int = 0  # of the question that is sought
    unclear: frozenset[str] = frozenset()  # questions that may have other answers than those tried
    rng: Random | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What came of looking: answers that lead there, or that there are surely none."""

    answers: Answers | None
    impossible: bool = False


def to(question: Question, ground: Ground, first: Answers | None = None) -> Found:
    """Answers that lead to a question. `first` are tried before others."""
    terms = _terms(question, ground)
    found = through(question, terms, ground, first)
    if found.answers is not None or found.impossible:
        return found
    made = _search(question, terms, ground)
    return Found(_climbed(made, question, terms)) if made else found


def _climbed(search: Search, question: Question, terms: Sequence[Expression]) -> Answers | None:
    """Answers found step by step, where trying one after another took too long."""
    far = climbing.measure(terms, search.ground.script)
    reached = climbing.climb(
        search.order,
        lambda each: _worth_trying(each, search),
        lambda each: search.ground.domains[each.base].values,
        search.held,
        lambda: far(search.scope),
        Random(question.name),  # nosec B311 # an order, not a secret
    )
    tests = (test for tests in search.tests for test in tests)
    if reached and all(logic.truth(test.run(search.scope)) for test in tests):
        return _answers(search)
    return None


def offering(question: Question, option: Option, ground: Ground) -> Found:
    """Answers under which a choice is offered."""
    test = question.choice_filter
    assert test is not None
    row = {**option.columns, "name": option.name}
    nth, last = question.options.index(option) + 1, len(question.options)
    stands = replace(test, run=lambda scope: test.run(replace(scope, row=row, nth=nth, last=last)))
    return through(question, (*_terms(question, ground), stands), ground)


def through(
    question: Question,
    terms: Sequence[Expression],
    ground: Ground,
    first: Answers | None = None,
) -> Found:
    """Answers under which these terms hold."""
    made = _search(question, terms, ground)
    if made is None:
        return Found(None)
    for at in range(AFRESH + 1):
        rng = Random(at) if at > 1 else None  # nosec B311 # an order, not a secret
        again = replace(made, left=FIRST_TRIES, first=(first or {}) if not at else {}, rng=rng)
        if _fill(again, 0):
            return Found(_answers(again))
        if again.left >= 0:
            break  # all have been tried
    return Found(None, impossible=_impossible(made, question, terms))


def _impossible(made: Search, question: Question, terms: Sequence[Expression]) -> bool:
    """Whether no answers at all make the terms hold, or those of them that can be seen through."""
    if not _certain(made, question):
        return False
    ground = made.ground
    every = [term for tests in made.tests for term in tests]
    unclear = domains.unclear(made.order, every, ground.script)
    lenient = replace(made, strict=False, left=TRIES, first={}, unclear=unclear)
    lenient.held.clear()
    if not _fill(lenient, 0):
        return lenient.left >= 0
    clear = [term for term in terms if not _rests_on(term, unclear, ground)]
    fewer = _search(question, clear, ground) if len(clear) < len(terms) else None
    return fewer is not None and _impossible(fewer, question, clear)


def _rests_on(term: Expression, names: Collection[str], ground: Ground) -> bool:
    order = _order({*term.names}, ground)
    return order is None or any(each.base in names for each in order)


def plan(targets: Collection[str], ground: Ground) -> dict[str, str]:
    """Answers of one person that lead to as many of these questions as fit together."""
    taken: dict[str, str] = {}
    for name in targets:
        question = ground.script.question(name)
        if name in ground.lost:
            continue
        if not taken:
            found = to(question, ground).answers
            taken.update(found or {})
            if found is None:
                ground.lost.add(name)
        elif made := _search(question, _terms(question, ground), ground):
            joining = replace(made, taken=taken, left=TO_JOIN)
            if _fill(joining, 0):
                taken.update(_answers(joining))
    return taken


def under(answers: Answers, question: Question, ground: Ground) -> Scope:
    """What the expressions of a question see under these answers."""
    held = {name: value for name, value in answers.items() if value}
    return replace(ground.here, values=held, path="1" if question.repeat else "")


def _answers(search: Search) -> dict[str, str]:
    return {each.base: search.held.get(each.name, "") for each in search.order}


# what matters


def _search(question: Question, terms: Sequence[Expression], ground: Ground) -> Search | None:
    """A search for what makes the terms hold; None where too much matters."""
    script = ground.script
    needed, terms = _needed(terms, ground)
    names = {name for term in terms for name in term.names}
    order = _order(names, ground)
    if order is None or any(name not in script.places for name in names):
        return None
    places = {each.base: at for at, each in enumerate(order)}
    at_hand: list[list[Expression]] = [[] for _ in (*order, None)]
    for term in terms:
        last = max((places[name] for name in term.names), default=-1)
        at_hand[last + 1].append(term)
    held: dict[str, str] = {}
    path = "1" if question.repeat or any(each.repeat for each in order) else ""
    scope = replace(ground.here, values=held, path=path)
    place = 0 if question.silent else script.places[question.base]  # reckoned before all is asked
    return Search(
        ground, order, at_hand, needed, scope, held, {}, {}, strict=True, left=0, place=place
    )


def _terms(question: Question, ground: Ground) -> list[Expression]:
    """All that must hold so that a question is asked."""
    found: list[Expression] = []
    for test in question.relevant:
        if test.key not in ground.parts:
            ground.parts[test.key] = wishes.parts(test)
        found += ground.parts[test.key]
    return found


def _needed(
    terms: Sequence[Expression], ground: Ground
) -> tuple[frozenset[str], Sequence[Expression]]:
    """The questions that must be answered, and all that must hold so that they are asked."""
    needed, all_, to_do = set[str](), dict[int, Expression](), list(terms)
    while to_do:
        term = to_do.pop()
        if id(term) in all_:
            continue
        all_[id(term)] = term
        name = next(iter(term.names)) if len(term.names) == 1 else ""
        if name in needed or name not in ground.script.places:
            continue
        if logic.truth(term.evaluate(ground.here)):
            continue  # it holds without an answer, too
        needed.add(name)
        to_do += _terms(ground.script.question(name), ground)
    return frozenset(needed), tuple(all_.values())


def _order(names: set[str], ground: Ground) -> Sequence[Question] | None:
    """The questions on which these depend, themselves among them; None if there are too many."""
    script = ground.script
    found, to_do = set[str](), [name for name in names if name in script.places]
    while to_do:
        name = to_do.pop()
        if name in found:
            continue
        found.add(name)
        if len(found) > MOST_LOOKED_AT:
            return None
        to_do += [other for test in _looked_at(script.question(name)) for other in test.names
                  if other in script.places]  # fmt: skip
    in_order = sorted(found, key=lambda name: script.places[name])
    return [
        script.instance(each, "1") if each.repeat else each
        for each in map(script.question, in_order)
    ]


def _looked_at(question: Question) -> Iterator[Expression]:
    """What decides whether a question is asked, and which answers it may have."""
    yield from question.relevant
    for test in (question.calculation, question.constraint, question.choice_filter):
        if test is not None:
            yield test


def _certain(search: Search, question: Question) -> bool:
    """Whether trying every answer would prove anything."""
    repeated = [each for each in search.order if each.repeat]
    if any(each.repeat != question.repeat for each in repeated):
        return False  # how many instances there are is beyond trying
    asked_later = set[str]()
    for each in reversed(search.order):
        asked_later.add(each.name)
        tests = (*each.relevant, *((each.calculation,) if each.calculation else ()))
        if any(test.names & asked_later for test in tests):
            return False
    terms = (term for tests in search.tests for term in tests)
    looked_at = (test for each in search.order for test in _looked_at(each))
    sources = {test.source for test in (*terms, *looked_at)}
    if repeated and any(OF_ALL.search(source) for source in sources):
        return False
    return not any(CHANGING.search(source) for source in sources)


# trying


def _fill(search: Search, at: int) -> bool:
    """Answer one question after another, going back where that leads nowhere."""
    if not all(logic.truth(test.run(search.scope)) for test in search.tests[at]):
        return False
    if at == len(search.order):
        return True
    question = search.order[at]
    script = search.ground.script
    if question.base in search.unclear and walking.holds(question, search.scope, script):
        return True  # some other answer may lead on
    for value in _worth_trying(question, search):
        search.left -= 1
        if search.left < 0:
            break
        if value:
            search.held[question.name] = value
        else:
            search.held.pop(question.name, None)
        if _fill(search, at + 1):
            return True
    search.held.pop(question.name, None)
    return False


def _worth_trying(question: Question, search: Search) -> Sequence[str]:
    script, name = search.ground.script, question.base
    if not walking.holds(question, search.scope, script):
        return () if name in search.needed else ("",)
    if question.calculation is not None and question.computed:
        return (settling.computed(question, search.scope),)
    if not search.strict:
        return _possible(question, search)
    if name in search.taken:
        return (search.taken[name],)
    values = [value for value in _values(question, search) if _stands(question, value, search)]
    if search.rng is not None:
        search.rng.shuffle(values)
    if (first := search.first.get(name)) in values:
        values.remove(first)
        values.insert(0, first)
    return values


def _possible(question: Question, search: Search) -> Sequence[str]:
    """Every answer that may stand when the question that is sought would be asked."""
    domain = search.ground.domains[question.base]
    values = list(domain.whole or domain.values)
    if question.choice_filter is not None and question.type == "select_one":
        standing = walking.standing(question, search.scope, search.ground.script)
        values = [*(option.name for option in standing), ""]
    if question.open:
        values.append(settling.VOICE)
    if not _surely_answered(question, search):
        return values
    return [value for value in values if value] or [""]


def _surely_answered(question: Question, search: Search) -> bool:
    """Whether nobody comes to the question that is sought without having answered this one."""
    return (
        question.required
        and question.asked
        and not question.trigger
        and question.type != "geopoint"  # a place that is named has no value
        and question.role != "language"  # passed by where the language is known
        and search.ground.script.places[question.base] < search.place
    )


def _values(question: Question, search: Search) -> Sequence[str]:
    values = search.ground.domains[question.base].values
    if question.choice_filter is None:
        return values
    standing = walking.standing(question, search.scope, search.ground.script)
    names = {option.name: None for option in standing}
    if question.type == "select_one":
        known = [value for value in values if value in names]
        return [*dict.fromkeys((*known, *list(names)[:MOST_STANDING])), ""]
    return [*(value for value in values if names.keys() >= set(value.split())), " ".join(names)]


def _stands(question: Question, value: str, search: Search) -> bool:
    """Whether the form would take this answer here."""
    if not value:
        return not question.required and question.base not in search.needed
    rule = question.constraint
    if rule is None or not rule.names - {question.base}:
        return True
    return logic.truth(rule.evaluate(replace(search.scope, this=value)))
