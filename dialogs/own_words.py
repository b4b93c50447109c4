"""The bot's own phrases and commands on the translator's road: out of their files and back."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dialogs import translations
from dialogs.translations import MISSING, String

PHRASES, COMMANDS = "phrases", "commands"
OWN = (PHRASES, COMMANDS)
AND = "; "  # between the ways to say one command
TABLE = re.compile(r"^\[(?P<key>[\w.-]+)\]\s*$")


def file(name: str) -> Path:
    """Where the bot's phrases, or its commands, stand."""
    return Path(__file__).with_name(f"{name}.toml")


def strings(name: str, language: str = "yua") -> list[String]:
    """Every phrase or command as the program brings it."""
    return list(_strings(name, language))


@cache
def _strings(name: str, language: str) -> tuple[String, ...]:
    return tuple(of_text(file(name).read_text(encoding="utf-8"), name, language))


def of_text(text: str, name: str, language: str) -> list[String]:
    """Every phrase or command in the text of its file, with what it says in a language."""
    return [_string(name, key, entry, language) for key, entry in tomllib.loads(text).items()]


def _string(name: str, key: str, entry: Mapping[str, Any], language: str) -> String:
    source, said = _joined(entry["es"]), _joined(entry.get(language, ""))
    written = entry.get("state", "")
    state, by, on = translations.state(written, source) if said else (MISSING, "", "")
    return String(name, key, "", source, said, "", state, by, on)


def _joined(words: str | Sequence[str]) -> str:
    return words if isinstance(words, str) else AND.join(words)


def parted(words: str) -> list[str]:
    """The ways to say a command, one by one."""
    return [way for each in words.split(AND.strip()) if (way := each.strip())]


def into_text(text: str, given: Sequence[String], language: str) -> str:
    """The text of the file with these translations in it; its comments and order stay."""
    by_key = {string.name: string for string in given if string.translation}
    parts: list[str] = []
    key = ""
    for line in text.splitlines():
        if match := TABLE.match(line):
            key = match["key"]
        if key in by_key and line.startswith((f"{language} =", "state =")):
            continue
        parts.append(line)
        if key in by_key and line.startswith("es ="):
            parts += _lines(by_key[key], language)
    return "\n".join(parts) + "\n"


def _lines(string: String, language: str) -> list[str]:
    said = _quoted(string.translation)
    if string.where == COMMANDS:
        said = f"[{', '.join(map(_quoted, parted(string.translation)))}]"
    return [f"{language} = {said}", f"state = {_quoted(translations.written(string))}"]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
