"""What changed between two versions of a questionnaire, question by question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dialogs import rows
from dialogs.questions import Option, Question, Script
from dialogs.values import Text


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
    found = {"type": question.type, "role": question.role, "appearance": question.appearance}
    found["required"] = "yes" if question.required else ""
    found["read_only"] = "yes" if question.read_only else ""
    found |= _by_language(*rows.worded(question), *_media(question))
    for column in ("relevant", "constraint", "choice_filter", "calculation", "required", "default"):
        tests = [test.source for name, test in rows.tests(question) if name == column]
        found[column] = " and ".join(tests) or found.get(column, "")
    found["default"] = found["default"] or (
        question.default if isinstance(question.default, str) else ""
    )
    found["trigger"] = " ".join(question.trigger)
    found["parameters"] = " ".join(f"{name}={of}" for name, of in question.parameters.items())
    return found


def _media(of: Question | Option) -> Iterator[tuple[str, Text]]:
    yield from (("media::audio", of.audio), ("media::image", of.image))


def _by_language(*texts: tuple[str, Text]) -> dict[str, str]:
    return {
        f"{column}::{language}": words for column, text in texts for language, words in text.items()
    }


def _of_choices(before: Question, after: Question) -> Iterator[Change]:
    old = {option.name: option for option in before.options}
    new = {option.name: option for option in after.options}
    for name in dict.fromkeys((*old, *new)):
        place = f"{after.name}/{name}"
        if name not in new:
            yield Change(place, "choice removed", old[name].label.get("es", ""), "")
        elif name not in old:
            yield Change(place, "choice added", "", new[name].label.get("es", ""))
        else:
            was, is_ = (
                _by_language(("label", each.label), *_media(each))
                for each in (old[name], new[name])
            )
            for column in dict.fromkeys((*was, *is_)):
                if was.get(column, "") != is_.get(column, ""):
                    yield Change(place, column, was.get(column, ""), is_.get(column, ""))
