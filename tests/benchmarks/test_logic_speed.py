"""How long an expression takes: a step evaluates some dozens of them while a person waits."""

import pytest

from dialogs import logic, patterns
from dialogs.logic import Scope

ANSWERS = {f"pregunta{number}": str(number) for number in range(150)} | {
    "consiente": "si",
    "edad": "18",
    "temas": "agua salud otro",
    "nacimiento": "1990-05-06",
    "años#1": "7",
    "años#2": "31",
}
TOWNS = [{"name": f"{number:03}", "label": f"Pueblo {number}"} for number in range(106)]
SCOPE = Scope(ANSWERS, this="9991234567", table={"municipios": TOWNS}.__getitem__)

EXPRESSIONS = {
    "selected": "selected(${temas}, 'otro')",
    "and": "${consiente} = 'si' and ${edad} > 17",
    "regex": "regex(., '^[0-9]{10}$')",
    "unanswered": "${falta} = '' or ${falta} = 'x'",
    "if": "if(${edad} > 17, 'mayor', 'menor')",
    "age": "int((date('2024-05-06') - ${nacimiento}) div 365.25)",
    "repeat": "sum(${años}) > 2",
    "pulldata": "pulldata('municipios', 'label', 'name', '100')",
    "instance": "instance('municipios')/root/item[name = '100']/label",
}


@pytest.mark.parametrize("source", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_evaluating(benchmark, source):
    benchmark(logic.compile(source).evaluate, SCOPE)


def test_evaluating_from_outside(benchmark):
    benchmark(logic.evaluate, EXPRESSIONS["and"], ANSWERS)


def test_compiling(benchmark):
    benchmark(logic.compile, EXPRESSIONS["and"])


def test_a_pattern_that_would_never_end(benchmark):
    search = patterns.searcher("^([a-z]+ ?)+$")
    assert benchmark(search, "a" * 60 + "!") is False
