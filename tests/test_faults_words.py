"""What is wrong can be said whole in English and in Spanish."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from dialogs import faults, kinds, logic, script

PACKAGE = Path(faults.__file__).parent
KINDS = tomllib.loads(PACKAGE.joinpath("faults.toml").read_text(encoding="utf-8"))


def slots(text: str | list[str]) -> list[set[str]]:
    texts = [text] if isinstance(text, str) else text
    return [{one or two for one, two in faults.SLOT.findall(each)} for each in texts]


def test_every_kind_is_said_alike_in_both_languages_and_is_used():
    folders = (PACKAGE, PACKAGE.parent / "storage", PACKAGE.parent / "bot")
    paths = [path for folder in folders for path in folder.glob("*.py")]
    sources = "".join(path.read_text(encoding="utf-8") for path in paths)
    for kind, texts in KINDS.items():
        assert set(texts) - {"column"} == {"en", "es"}, kind
        assert slots(texts["en"]) == slots(texts["es"]), kind
        assert f'"{kind}"' in sources, kind
    said = set(re.findall(r'\b(?:said|SegmentError|PlanError)\(\s*"(\w+)"', sources))
    named = {*kinds.REFUSED.values(), *script.REFUSED_SHEETS.values()}
    assert (said | named) - KINDS.keys() == set()


@pytest.mark.parametrize(
    ("expression", "spanish"),
    [
        ("${edad} == 1", "== en el carácter 9: escribe un solo ="),
        ("${edd} = 1", "no hay ninguna pregunta edd (¿quizá edad?), en «${edd} = 1» (carácter 1)"),
        ("last() = 1", "last() no se puede usar en un chat: escribe count(${repeat})"),
        ("substr(1)", "substr() lleva de 2 a 3 valores, no 1"),
        ("regex(., '(')", "«(» no es una expresión regular"),
        ("1 +", "termina antes de tiempo"),
    ],
)
def test_an_expression_is_refused_in_spanish_too(expression, spanish):
    with pytest.raises(logic.LogicError) as refusal:
        logic.compile(expression, {"edad"})
    assert spanish in refusal.value.said.problem("es")


def test_a_fault_names_its_place_and_fills_every_slot(tmp_path):
    file = tmp_path / "f.md"
    file.write_text("| survey |\n| | type | name | label |\n| | barcode | a | ¿A? |\n"
                    "| | select_one nada | b | ${c} |\n", encoding="utf-8")  # fmt: skip
    _, found = script.check(file)
    assert [(each.row, each.said.problem("es"), each.said.cure("es")) for each in found] == [
        (2, "En un chat no cabe el tipo 'barcode'.",
         "Usa text, y pide el número que está debajo de las barras."),
        (3, "La lista 'nada' no está en la hoja choices.",
         "Agrega sus opciones, o corrige el nombre."),
        (3, "Nombra ${c}, y ninguna pregunta se llama así.",
         "Corrige el nombre, o agrega la pregunta."),
    ]  # fmt: skip
    assert "A chat cannot carry the type 'barcode'. Use text," in str(found[0])
