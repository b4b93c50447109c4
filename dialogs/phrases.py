"""The bot's own words, in both languages, as they stand in phrases.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dialogs.values import LANGUAGES, Text, in_language


@cache
def _all() -> Mapping[str, Text]:
    found = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {
        key: {language: entry[language] for language in LANGUAGES if language in entry}
        for key, entry in found.items()
    }


def say(key: str, language: str | None, values: Mapping[str, object] | None = None) -> str:
    """A phrase in a language, or in Spanish where it has none yet."""
    words = in_language(_all()[key], language)
    for name, value in (values or {}).items():
        words = words.replace("{" + name + "}", str(value))
    return words


def both(key: str) -> Text:
    """A phrase in every language it has."""
    return _all()[key]
