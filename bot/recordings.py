"""The recordings of a questionnaire, kept where the channels look for them."""

from __future__ import annotations

from pathlib import Path

from dialogs.questions import Script


def keep(folder: Path, script: Script, media: Path) -> None:
    """Copy the recordings that lie beside a form into the media folder.

    Raises FileExistsError, and copies nothing, where another of the same name is published.
    """
    names = {
        file
        for question in script.questions
        for audio in (question.audio, *(option.audio for option in question.options))
        for file in audio.values()
        if not file.startswith(("http://", "https://"))
    }
    beside = [folder / name for name in sorted(names)]
    found = [path if path.is_file() else folder / "media" / path.name for path in beside]
    media.mkdir(parents=True, exist_ok=True)
    for path in found:
        kept = media / path.name
        if kept.is_file() and kept.read_bytes() != path.read_bytes():
            raise FileExistsError(path.name)
    for path in found:
        (media / path.name).write_bytes(path.read_bytes())
