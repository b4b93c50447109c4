"""What the README says is so: its commands run, its settings are all there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORM = ROOT / "dialogs" / "forms" / "consulta.md"
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
COMMANDS = [line.partition("#")[0].strip() for line in BLOCKS.splitlines()]
FORUM = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[0]
NAMED = sorted({found.strip() for found in re.findall(r"`consulta ([a-z][a-z -]*)", README)})


@pytest.mark.parametrize("name", NAMED)
def test_every_command_that_is_named_exists(name: str) -> None:
    command: click.Command = main
    for word in name.split():
        if isinstance(command, click.Group) and not word.startswith("-"):
            assert word in command.commands, f"consulta {name}"
            command = command.commands[word]
    assert command is not main


def test_every_setting_is_named_and_no_other() -> None:
    named = set(re.findall(r"`(CONSULTA_[A-Z_]+)`", README))
    assert named == {f"CONSULTA_{field.upper()}" for field in Settings.__dataclass_fields__}


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_is_linked_is_there() -> None:
    linked = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert [link for link in linked if not (ROOT / link).exists()] == []


def test_the_organizers_commands_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    made = runner.invoke(main, ["form", "xlsx", str(FORM), "mi_cuestionario.xlsx"])
    assert made.exit_code == 0, made.output
    (tmp_path / "municipios.csv").write_bytes((FORM.parent / "municipios.csv").read_bytes())
    (tmp_path / "foro.toml").write_text(FORUM, encoding="utf-8")
    ran = [shlex.split(line)[1:] for line in COMMANDS if line.startswith("consulta ")]
    assert len(ran) >= 5
    for words in ran:
        words += ["--accept-drafts"] if words[:2] == ["form", "publish"] else []
        if words[:2] == ["person", "forget"]:  # there is nobody yet, and that is said
            assert runner.invoke(main, words).exit_code == 2
            continue
        result = runner.invoke(main, words, input="hola\nadiós\n")
        assert result.exit_code == 0, (words, result.output)
    assert (tmp_path / "salida" / "answers.csv").exists()
