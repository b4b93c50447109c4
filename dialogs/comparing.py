"""What changed between two versions of a questionnaire, question by question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dialogs.questions import Question, Script


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: of a question, or of the choice `question/choice`."""

    name: str
    what: str  # added, removed, moved, or the column that changed
    before: str
    after: str


def changes(old: Script, new: Script) -> list[Change]:
    """In the order of the new version; what is gone comes last."""
    return [*_of_questions(old, new), *_gone(old, new)]


def _of_questions(old: Script, new: Script) -> Iterator[Change]:
    kept = [question.name for question in old.questions if question.name in new.places]
    order = [question.name for question in new.questions if question.name in old.places]
    for question in new.questions:
        if question.name not in old.places:
            yield Change(question.name, "added", "", question.label.get("es", ""))
            continue
        before = old.question(question.name)
        if kept.index(question.name) != order.index(question.name):
            place = old.places[question.name], new.places[question.name]
            yield Change(question.name, "moved", str(place[0] + 1), str(place[1] + 1))
        yield from _of_cells(before, question)
        yield from _of_choices(before, question)


def _gone(old: Script, new: Script) -> Iterator[Change]:
    for question in old.questions:
        if question.name not in new.places:
            yield Change(question.name, "removed", question.label.get("es", ""), "")


def _of_cells(before: Question, after: Question) -> Iterator[Change]:
    old, new = _cells(before), _cells(after)
    for column in dict.fromkeys((*old, *new)):
        if old.get(column, "") != new.get(column, ""):
            yield Change(after.name, column, old.get(column, ""), new.get(column, ""))


def _cells(question: Question) -> dict[str, str]:
    found = {"type": question.type, "role": question.role}
    found["required"] = "yes" if question.required else ""
    for column in ("label", "hint", "constraint_message"):
        for language, words in getattr(question, column).items():
            found[f"{column}::{language}"] = words
    found["relevant"] = " and ".join(test.source for test in question.relevant)
    for column in ("constraint", "choice_filter", "calculation"):
        test = getattr(question, column)
        found[column] = test.source if test else ""
    return found


def _of_choices(before: Question, after: Question) -> Iterator[Change]:
    old = {option.name: option.label for option in before.options}
    new = {option.name: option.label for option in after.options}
    for name in dict.fromkeys((*old, *new)):
        said = old.get(name, {}).get("es", ""), new.get(name, {}).get("es", "")
        if name not in old or name not in new:
            what = "choice removed" if name in old else "choice added"
            yield Change(f"{after.name}/{name}", what, *said)
        elif said[0] != said[1]:
            yield Change(f"{after.name}/{name}", "label", *said)
