"""The questions that the libraries in Python ask, and what an answer means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

QUESTIONS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("questionnaire.json").read_text(encoding="utf-8")
)
AGAIN = "No entendí. Toca una opción o escribe su número."
THANKS = "Gracias."


def understood(question: dict[str, Any], said: str) -> str | None:
    """The answer, or None where the question has to be asked again."""
    said = said.strip()
    if "choices" not in question:
        return said if said == "saltar" or len(said) >= question.get("least", 1) else None
    known: dict[str, str] = {}
    for number, (name, label) in enumerate(question["choices"].items(), 1):
        known |= {str(number): name, name: name, label.casefold(): name}
    parts = said.casefold().split(",") if question.get("many") else [said.casefold()]
    found = [known.get(part.strip()) for part in parts]
    return None if None in found else ",".join(map(str, found))
