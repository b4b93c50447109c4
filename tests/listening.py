"""What is logged while a test runs, as it would be printed, held against what must not be there."""

from __future__ import annotations

import logging

from bot import logs

SECRETS = {
    "una clave de prueba",
    *("9991112233", "999 111 22 33", "9999876543"),  # numbers, as people write them
    *("x0canary", "pozo-canario", "canariohalach"),  # answers and names
    "8000000000123",  # the id of a chat
}


class Ear(logging.Handler):
    """Hears what every logger says, with the program's own formatter."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logs.formatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def overheard(self) -> list[str]:
        """The lines in which somebody or something stands that must not."""
        return [line for line in self.lines if any(secret in line for secret in SECRETS)]
