"""What can be wrong with a questionnaire or a plan, in English and Spanish (faults.toml)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SLOT = re.compile(
    r"(?<!\$)\{(\w+)\}|\$\{\{(\w+)\}\}"
)  # ${name} is an answer's, ${{word}} is filled


@dataclass(frozen=True, slots=True)
class Said:
    """A kind of faults.toml, and what its words leave open: values, or parts that are kinds too."""

    kind: str
    given: tuple[tuple[str, str | int | Said], ...] = ()

    def problem(self, language: str = "en") -> str:
        return _filled(_texts(self.kind, language)[0], self, language)

    def cure(self, language: str = "en") -> str:
        return _filled(" ".join(_texts(self.kind, language)[1:]), self, language)

    @property
    def column(self) -> str:
        """Where on its row it stands: always the same, or as it was given; "" if in no one cell."""
        always = _catalogue()[self.kind].get("column") or dict(self.given).get("column")
        return str(always or "")

    def __str__(self) -> str:
        return f"{self.problem()} {self.cure()}".rstrip()


def said(kind: str, **given: str | int | Said) -> Said:
    return Said(kind, tuple(given.items()))


class Misstated(ValueError):
    """What somebody asked for cannot be used; `said` tells why, and what to do."""

    def __init__(self, kind: str, **given: str | int | Said) -> None:
        self.said = said(kind, **given)
        super().__init__(str(self.said))


@cache
def _catalogue() -> Mapping[str, Mapping[str, str | Sequence[str]]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _texts(kind: str, language: str) -> Sequence[str]:
    found = _catalogue()[kind][language]
    return [found] if isinstance(found, str) else found


def _filled(words: str, by: Said, language: str) -> str:
    given = dict(by.given)

    def fill(slot: re.Match[str]) -> str:
        value = given[slot[1] or slot[2]]
        text = value.problem(language) if isinstance(value, Said) else str(value)
        if words[slot.end() : slot.end() + 1] == ".":
            text = text.removesuffix(".")
        return text if slot[1] else f"${{{text}}}"

    return SLOT.sub(fill, words)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a questionnaire: where, and what."""

    sheet: str
    row: int  # as a spreadsheet counts them: the header is row 1
    name: str
    said: Said
    column: str = ""  # its header as written, or one of its plain names; "" for the whole row

    @property
    def problem(self) -> str:
        return self.said.problem()

    @property
    def cure(self) -> str:
        return self.said.cure()

    def __str__(self) -> str:
        cell = f", column {self.column}" if self.column else ""
        named = f" ({self.name})" if self.name else ""
        return f"{self.sheet}, row {self.row}{cell}{named}: {self.said}"
