"""The pictures and recordings of a questionnaire, kept where the channels look for them."""

from __future__ import annotations

from pathlib import Path

from dialogs import attachments
from dialogs.questions import Script


def keep(folder: Path, script: Script, target: Path) -> None:
    """Copy what lies beside a form to the folder of published files.

    Raises FileExistsError, and copies nothing, where another of the same name is published.
    """
    found = [(name, attachments.find(folder, name)) for name in attachments.named(script)]
    beside = [(target / name, path) for name, path in found if path is not None]
    target.mkdir(parents=True, exist_ok=True)
    for kept, path in beside:
        if kept.is_file() and kept.read_bytes() != path.read_bytes():
            raise FileExistsError(kept.name)
    for kept, path in beside:
        kept.write_bytes(path.read_bytes())
