"""The privacy notice as data: read from TOML, every fault at once, and filled in for reading."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dialogs.values import LANGUAGES, Text, in_language

ANSWER_WITHIN = 20  # working days, where no notice says otherwise (LGPDPPSO 2025, art. 45)
NAMED = re.compile(r"\{(\w+)\}")


class NoticeError(ValueError):
    """The file is no notice; each line says what is wrong."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its paragraphs, by language."""

    title: Text
    text: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told before the first personal datum."""

    title: str
    sample: bool
    values: Mapping[str, str]
    days: Mapping[str, int]
    short: Text
    sections: tuple[Section, ...]

    @property
    def missing(self) -> list[str]:
        """The values that are still empty."""
        return [name for name, value in self.values.items() if not value]

    def filled(self, words: str) -> str:
        """The words with the values in them; what is missing is seen to be missing."""
        known = {**self.values, "days": str(self.days["answer"])}
        return NAMED.sub(lambda found: known[found[1]] or f"[falta: {found[1]}]", words)

    def in_short(self, language: str | None) -> str:
        return self.filled(in_language(self.short, language))

    def whole(self, language: str | None) -> Iterator[tuple[str, list[str]]]:
        """Each section's heading and paragraphs, in Spanish where there is nothing else."""
        for section in self.sections:
            paragraphs = section.text.get(language or "es") or section.text["es"]
            yield in_language(section.title, language), [self.filled(each) for each in paragraphs]


def read(content: bytes) -> Notice:
    """The notice in a file. Raises NoticeError with every fault."""
    try:
        given = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # also TOMLDecodeError and UnicodeDecodeError
        raise NoticeError(f"This is not a TOML file: {error}") from None
    if faults := list(_faults(given)):
        raise NoticeError("\n".join(faults))
    sections = [
        Section(each["title"], {key: tuple(lines) for key, lines in each["text"].items()})
        for each in given["section"]
    ]
    notice = Notice(
        given["title"], bool(given.get("sample")), given["values"],
        {"answer": ANSWER_WITHIN, **given.get("days", {})}, given["short"], tuple(sections),
    )  # fmt: skip
    if unknown := sorted(_named(notice) - {*notice.values, "days"}):
        names = ", ".join(f"{{{name}}}" for name in unknown)
        raise NoticeError(f"{names} stands in the text, but not under [values].")
    return notice


def _named(notice: Notice) -> set[str]:
    words = [*notice.short.values()]
    for section in notice.sections:
        words += [line for lines in section.text.values() for line in lines]
    return {name for line in words for name in NAMED.findall(line)}


def _faults(given: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(given.get("title"), str):
        yield 'title: say what the notice is called, for instance "Aviso de privacidad".'
    if not _is_text(given.get("values"), any_key=True):
        yield "[values]: every value is a text; an empty one is still missing."
    days = given.get("days", {})
    if not isinstance(days, dict) or not all(type(each) is int for each in days.values()):
        yield "[days]: every value is a number of working days."
    if not _is_text(given.get("short")):
        yield "[short]: the simplified notice needs at least es = …"
    sections = given.get("section")
    if not isinstance(sections, list) or not sections:
        yield "[[section]]: the whole notice needs at least one section."
        return
    for number, each in enumerate(sections, 1):
        fine = (
            isinstance(each, dict) and _is_text(each.get("title")) and _is_lines(each.get("text"))
        )
        if not fine:
            yield f"[[section]] {number}: needs title.es, and text.es as a list of paragraphs."


def _is_text(found: object, *, any_key: bool = False) -> bool:
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        return False
    return any_key or ("es" in found and set(found) <= set(LANGUAGES))


def _is_lines(found: object) -> bool:
    if not isinstance(found, dict) or "es" not in found or not set(found) <= set(LANGUAGES):
        return False
    lines = [line for one in found.values() if isinstance(one, list) for line in one]
    return bool(lines) and all(isinstance(line, str) for line in lines)
