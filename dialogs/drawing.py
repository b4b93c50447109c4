"""A questionnaire drawn: as a tree for the terminal, and as SVG for the pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING

from dialogs.questions import CHOSEN, REPEAT_ROLE, Question, Script
from dialogs.values import in_language

if TYPE_CHECKING:  # else where it is used: a server draws SVG alone, and spares 5 MB
    from rich.tree import Tree

WIDTH, ROW, TOP, INDENT = 920, 46, 40, 26  # of the drawing, in its own units
WORDS = 120  # letters of a name and its label that fit
COLOURS = {  # fill, by what a row is
    "note": "#f3f4f6",
    "silent": "#ffffff",
    "choice": "#e8f0fe",
    "open": "#e6f4ea",
    "other": "#fef7e0",
}


SPANISH = {  # for a drawing on the organizers' pages
    "required": "obligatoria",
    "rule": "regla",
    "filter": "filtro",
    "role": "papel",
    "choices": "opciones",
    "if": "si",
    "repeated": "se repite",
}
Words = Mapping[str, str]  # instead of English ones


def tree(script: Script, language: str = "es") -> Tree:
    """The questions in order; a condition is said once, where it begins."""
    from rich.text import Text as Line
    from rich.tree import Tree

    root = Tree(f"[bold]{script.name}[/] · {in_language(script.title, 'es')}")
    stack: list[tuple[tuple[str, ...], Tree]] = [((), root)]
    for question in script.questions:
        conditions = _conditions(question, script)
        while stack[-1][0] != conditions[: len(stack[-1][0])]:
            stack.pop()
        for depth in range(len(stack[-1][0]), len(conditions)):
            branch = stack[-1][1].add(Line(f"if {conditions[depth]}", style="italic yellow"))
            stack.append((conditions[: depth + 1], branch))
        _leaf(stack[-1][1], question, language)
    return root


def _conditions(question: Question, script: Script) -> tuple[str, ...]:
    chain = script.chains.get(question.name)
    repeated = (f"repeated: {' › '.join(chain)}",) if chain else ()
    return (*(test.source for test in question.relevant), *repeated)


def _leaf(tree: Tree, question: Question, language: str) -> None:
    from rich.text import Text as Line

    line = Line.assemble((question.name, "bold"), "  ", (question.type, "cyan"), "  ")
    line.append(_label(question, language))
    for mark in _marks(question):
        line.append(f"  {mark}", style="dim")
    branch = tree.add(line)
    if len(question.options) > 12:
        branch.add(Line(f"{len(question.options)} choices, typed", style="dim"))
        return
    for option in question.options:
        branch.add(Line(in_language(option.label, language), style="green"))


def _label(question: Question, language: str) -> str:
    if question.silent and question.calculation is not None:
        return f"= {question.calculation.source}"
    return " ".join(in_language(question.label, language).split())


def _marks(question: Question, words: Words = MappingProxyType({})) -> Iterator[str]:
    if question.required:
        yield words.get("required", "required")
    given = {
        "rule": question.constraint and question.constraint.source,
        "filter": question.choice_filter and question.choice_filter.source,
        "role": question.role,
    }
    for name, source in given.items():
        if source and source != REPEAT_ROLE:  # how often it repeats is said already
            yield f"{words.get(name, name)}: {source}"


def svg(script: Script, language: str = "es", words: Words = MappingProxyType({})) -> str:
    """The same as a drawing: one box a question, indented by its conditions. It has its own size:
    a browser would shrink a long one until all of it is seen, and nobody could read it."""
    rows = list(_rows(script, language, words))
    height = TOP + ROW * len(rows) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{escape(in_language(script.title, 'es'))}</title>",
        f'<text x="10" y="24" font-size="16" font-weight="600">'
        f"{escape(in_language(script.title, 'es'))}</text>",
    ]
    for number, (indent, kind, *words_of) in enumerate(rows):
        parts.append(_box(number, indent, kind, *words_of))
    return "\n".join((*parts, "</svg>\n"))


def _rows(script: Script, language: str, words: Words) -> Iterator[tuple[int, str, str, str, str]]:
    """Indentation, kind, name, label and second line of each box."""
    for question in script.questions:
        indent = min(len(_conditions(question, script)), 6)
        condition = question.relevant[-1].source if question.relevant else ""
        chain = " › ".join(script.chains.get(question.name, ()))
        told = (
            f"{words.get('repeated', 'repeated')}: {chain}" if chain else "",
            f"{words.get('if', 'if')} {condition}" if condition else "",
            *_marks(question, words),
            _choices(question, language, words),
        )
        second = " · ".join(part for part in told if part)
        name = question.name.removesuffix(".title")
        yield indent, _kind(question), name, _label(question, language), second


def _choices(question: Question, language: str, words: Words) -> str:
    if len(question.options) > 12:
        return f"{len(question.options)} {words.get('choices', 'choices')}"
    return " / ".join(in_language(option.label, language) for option in question.options)


def _kind(question: Question) -> str:
    if question.silent or question.type == "note":
        return "silent" if question.silent else "note"
    if question.type in CHOSEN:
        return "choice"
    return "open" if question.open else "other"


def _box(number: int, indent: int, kind: str, name: str, label: str, second: str) -> str:
    x, y = 10 + indent * INDENT, TOP + number * ROW
    room = WORDS - indent * 4
    lines = [
        f'<rect x="{x}" y="{y}" width="{WIDTH - x - 10}" height="{ROW - 8}" rx="6" '
        f'fill="{COLOURS[kind]}" stroke="#9aa0a6"/>',
        f'<text x="{x + 10}" y="{y + 16}"><tspan font-weight="600">{escape(name)}</tspan>'
        f'<tspan dx="8">{escape(_cut(label, max(room - len(name) - 2, 10)))}</tspan></text>',
    ]
    if second:
        lines.append(
            f'<text x="{x + 10}" y="{y + 31}" font-size="11" fill="#5f6368">'
            f"{escape(_cut(second, room + 20))}</text>"
        )
    return "\n".join(lines)


def _cut(words: str, room: int) -> str:
    return words if len(words) <= room else f"{words[: room - 1]}…"
