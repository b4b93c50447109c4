"""Paths that pick instances of a repeat: /data/person[position() = 2]/age, ${person}[2]/age."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dialogs import closures
from dialogs.closures import Found, Node, Scope, as_number, as_truth
from dialogs.faults import said
from dialogs.grammar import Token

Numbers = Sequence[str]  # of the instances of a repeat that lie side by side


@dataclass(frozen=True, slots=True)
class Test:
    """What stands in […]: true for the instances that are kept, or the number of one."""

    node: Node

    def keep(self, numbers: Numbers, path: Numbers, within: Numbers, here: Scope) -> Numbers:
        picking = replace(here, within=tuple(within), last=len(numbers), outside=here, this="")
        if self.node.kind == "number":
            nth = as_number(self.node)(picking)
            return [each for at, each in enumerate(numbers, 1) if at == nth]
        test = as_truth(self.node)
        return [
            each
            for at, each in enumerate(numbers, 1)
            if test(replace(picking, path="#".join((*path, each)), nth=at))
        ]


def picked(token: Token, found: Found) -> Node:
    """The answers of the instances that are picked; of a repeat itself, an empty one for each."""
    chains = found.place.chains
    if chains is None or found.in_table:
        raise found.error(said("no_predicate"), token)
    steps = [_parted(each) for each in closures.steps(token)]
    (first, _), *rest = steps
    names = _names(token, first, [item for item, _ in rest], found)
    question = closures.meant(names, found.place.known or ())
    chain = chains.get(question, ())
    tests: dict[str, list[Test]] = {}
    for item, predicates in steps:
        repeat = str(item.value)
        if predicates and (repeat not in chain or chains[repeat][-1:] != (repeat,)):
            raise found.error(said("no_predicate"), token)
        inner = replace(found, columns=set(), in_table=True, picking=repeat)
        tests |= {repeat: [Test(inner.node(each)) for each in predicates]} if predicates else {}
    found.names.update((question, *tests))

    def several(scope: Scope) -> Sequence[str]:
        paths = _paths(chain, tests, scope)
        return [scope.values.get("#".join((question, *path)), "") for path in paths]

    return Node("text", lambda scope: next(iter(several(scope)), ""), several)


def _parted(step: Token) -> tuple[Token, list[Token]]:
    """What a step leads to, and its […] in their order."""
    predicates: list[Token] = []
    while step.symbol == "[":
        predicates.insert(0, step[1])
        step = step[0]
    return step, predicates


def _names(token: Token, first: Token, rest: Sequence[Token], found: Found) -> list[str]:
    """The groups on the way, as far as they are known, and the question."""
    if any(step.symbol not in ("(name)", "..", ".") or step.label == "call" for step in rest):
        raise found.error(said("path_several"), token)
    below = [str(step.value) for step in rest if step.symbol == "(name)"]
    if first.symbol == "$":
        return [closures.answer(str(first.value), token, found).question, *below]
    if first.symbol not in ("/", "..", ".") and not closures.is_call(first, "current"):
        raise found.error(said("path_nowhere"), token)
    return [*closures.base(first, rest, found), *below]


def _paths(
    chain: Sequence[str], tests: Mapping[str, Sequence[Test]], here: Scope
) -> Iterator[tuple[str, ...]]:
    """The instances that are meant: picked, or ours where we are in one, or all there are."""
    ours = here.path.split("#") if here.path else []
    shared = [one == other for one, other in zip(chain, here.within, strict=False)]
    found: list[tuple[str, ...]] = [()]
    for depth, repeat in enumerate(chain):
        mine = ours[: depth + 1] if depth < len(shared) and all(shared[: depth + 1]) else []
        further: list[tuple[str, ...]] = []
        for path in found:
            numbers: Numbers = [*_numbers(repeat, path, here)]
            if repeat not in tests and mine and list(path) == mine[:-1]:
                numbers = mine[-1:]
            for test in tests.get(repeat, ()):
                numbers = test.keep(numbers, path, chain[: depth + 1], here)
            further += [(*path, each) for each in numbers]
        found = further
    yield from found


def _numbers(repeat: str, path: Sequence[str], here: Scope) -> Numbers:
    start = "#".join((repeat, *path, ""))
    keys = (key.removeprefix(start) for key in here.values if key.startswith(start))
    return sorted((key for key in keys if key.isdecimal()), key=int)
