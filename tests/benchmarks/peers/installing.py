"""What others need, in the versions that stand here: put into a folder of its own, once."""

from __future__ import annotations

import json
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

PYTHON = {
    "ptb": ["python-telegram-bot[rate-limiter,webhooks]==22.8"],
    "aiogram": ["aiogram==3.31.0", "aiosqlite==0.22.1", "redis==8.1.0"],
    "botframework": [
        *("botbuilder-core==4.17.1", "botbuilder-dialogs==4.17.1"),
        *("aiohttp==3.14.5", "aiosqlite==0.22.1"),
    ],
}
NODE = {
    "grammy": "1.46.0",
    "@grammyjs/transformer-throttler": "1.2.1",
    "@grammyjs/auto-retry": "2.0.2",
    "telegraf": "4.16.3",
    "better-sqlite3": "12.11.1",  # it is compiled, which takes minutes
}


def python(folder: Path, name: str) -> Path:
    """The interpreter that finds a library."""
    there, wanted = folder / name, PYTHON[name]
    found = there / "bin" / "python"
    if not _done(there, "\n".join(wanted)):
        venv.create(there, with_pip=True)
        subprocess.run([found, "-m", "pip", "install", "-q", *wanted], check=True)
        _note(there, "\n".join(wanted))
    return found


def node(folder: Path, scripts: Sequence[Path]) -> Path:
    """Where the scripts are laid: they have to lie beneath what they import."""
    there, wanted = folder / "node", json.dumps({"dependencies": NODE})
    if not _done(there, wanted):
        there.mkdir(parents=True, exist_ok=True)
        (there / "package.json").write_text(wanted, encoding="utf-8")
        subprocess.run(["npm", "install", "--silent", "--no-audit"], cwd=there, check=True)
        _note(there, wanted)
    laid = there / scripts[0].parent.name
    laid.mkdir(exist_ok=True)
    for script in scripts:
        (laid / script.name).write_bytes(script.read_bytes())
    return laid


def _done(there: Path, wanted: str) -> bool:
    stamp = there / "installed"
    return stamp.exists() and stamp.read_text(encoding="utf-8") == wanted


def _note(there: Path, wanted: str) -> None:
    (there / "installed").write_text(wanted, encoding="utf-8")
