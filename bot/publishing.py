"""The pictures and recordings of a questionnaire, kept where the channels look for them."""

from __future__ import annotations

from pathlib import Path

from bot.stores import Store
from dialogs import attachments
from dialogs.questions import Script


def keep(folder: Path, script: Script, target: Store) -> None:
    """Copy what lies beside a form to the published files.

    Raises FileExistsError, and copies nothing, where another of the same name is published.
    """
    found = [(name, attachments.find(folder, name)) for name in attachments.named(script)]
    beside = {name: path.read_bytes() for name, path in found if path is not None}
    new = [name for name, content in beside.items() if not _kept(target, name, content)]
    for name in new:
        target.write(name, beside[name])


def _kept(target: Store, name: str, content: bytes) -> bool:
    try:
        same = target.read(name) == content
    except FileNotFoundError:
        return False
    if not same:
        raise FileExistsError(name)
    return True
