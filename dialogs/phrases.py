"""The bot's own words, in both languages, as they stand in phrases.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dialogs.values import LANGUAGES, Text, in_language

# What was reviewed since the program was made, by key. Its text replaces the shipped one in every
# place at once, as the shipped one is read: without being handed through every function.
_reviewed: dict[str, Text] = {}


@cache
def _shipped() -> Mapping[str, Text]:
    found = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {
        key: {language: entry[language] for language in LANGUAGES if language in entry}
        for key, entry in found.items()
    }


def say(key: str, language: str | None, values: Mapping[str, object] | None = None) -> str:
    """A phrase in a language, or in Spanish where it has none yet."""
    words = in_language(both(key), language)
    for name, value in (values or {}).items():
        words = words.replace("{" + name + "}", str(value))
    return words


def both(key: str) -> Text:
    """A phrase in every language it has."""
    return _reviewed.get(key) or _shipped()[key]


def take(reviewed: Mapping[str, str], language: str = "yua") -> None:
    """Say these phrases in a language as they were reviewed, and the others as they are shipped."""
    known = _shipped()
    _reviewed.update(
        {key: {**known[key], language: said} for key, said in reviewed.items() if key in known}
    )
    for key in _reviewed.keys() - reviewed.keys():
        del _reviewed[key]
