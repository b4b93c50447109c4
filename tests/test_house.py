"""The house itself: arrows between the packages, catalogues that are whole, words kept true."""

from __future__ import annotations

import ast
import csv
import re
import tomllib
from pathlib import Path

import pytest

from dialogs import phrases, replies
from dialogs.script import read

ROOT = Path(__file__).parent.parent
LINE = ["webhooks", "bot", "storage", "dialogs"]  # each imports only those to its right
SOURCES = [path for package in LINE for path in (ROOT / package).rglob("*.py")]


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_no_import_runs_backwards() -> None:
    backwards = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in SOURCES
        for name in imported(path) & set(LINE[: LINE.index(path.relative_to(ROOT).parts[0])])
    ]
    assert backwards == []


@pytest.mark.parametrize("package", ["dialogs", "storage"])
def test_what_is_inside_reads_no_clock(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "datetime.now(" not in text, path
        assert "time.time(" not in text, path


def test_the_pure_package_knows_no_database_and_no_network() -> None:
    outside = {"sqlalchemy", "flask", "telegram", "twilio", "aiohttp", "requests", "socket"}
    for path in (ROOT / "dialogs").glob("*.py"):
        assert not imported(path) & outside, path


def test_every_module_says_in_one_sentence_what_lives_there() -> None:
    silent = [path for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert silent == []


def test_the_threat_model_names_tests_and_files_that_are_there() -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("*.py"))
    named = set(re.findall(r"`(_?(?:test|nothing)_\w+)`", page))
    assert len(named) > 15
    assert [name for name in named if f"def {name}(" not in tests] == []
    files = set(re.findall(r"`((?:bot|dialogs|storage|webhooks|tests)/\w+\.py)`", page))
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_every_phrase_that_the_program_says_is_in_the_catalogue() -> None:
    known = tomllib.loads((ROOT / "dialogs" / "phrases.toml").read_text(encoding="utf-8"))
    said = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if called and node.func.id == "say" and isinstance(node.args[0], ast.Constant):  # type: ignore[attr-defined]
                said.add(node.args[0].value)  # type: ignore[attr-defined]
    assert said - known.keys() == set()


def test_phrases_are_short_and_their_maya_is_marked_as_a_draft() -> None:
    known = tomllib.loads((ROOT / "dialogs" / "phrases.toml").read_text(encoding="utf-8"))
    for key, entry in known.items():
        assert entry["es"], key
        assert all(len(entry[code]) <= 300 for code in ("es", "yua") if code in entry), key
        if "yua" in entry:
            assert entry["state"].startswith(("draft", "reviewed: ")), key
    assert phrases.say("progress", "yua", {"at": 3, "all": 12}) == "3 / 12"


def test_the_106_municipalities_are_whole_and_found_by_any_of_their_names() -> None:
    path = ROOT / "dialogs" / "forms" / "municipios.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [row["name"] for row in rows] == [str(31001 + n) for n in range(106)]
    assert sum(int(row["population"]) for row in rows) == 2_320_898
    assert sum(int(row["speakers_3_and_over"]) for row in rows) == 525_092
    question = read(ROOT / "dialogs" / "forms" / "consulta.md").question("municipio")
    for row in rows:
        found = replies.choice(question.options, row["label"].lower())
        assert [option.name for option in found.options] == [row["name"]], row["label"]


@pytest.mark.parametrize(
    ("written", "clave", "sure"),
    [
        ("merida", "31050", True),
        ("Mérida", "31050", True),
        ("MÉRIDA, YUC.", "31050", True),
        ("izamal yuc", "31040", True),
        ("Dzán", "31025", True),
        ("Dzan", "31025", True),
        ("Tixmehuac", "31094", True),
        ("Tixméhuac", "31094", True),
        ("tixcocob", "31093", False),
        ("valladolit", "31102", False),
        ("vivo en tizimin", "31096", True),
        ("kanasín", "31041", True),
        ("oscutzcab", "31056", False),
        ("Quintana Roo", "31060", False),
    ],
)
def test_a_municipality_is_found_as_people_write_it(written: str, clave: str, sure: bool) -> None:
    question = read(ROOT / "dialogs" / "forms" / "consulta.md").question("municipio")
    found = replies.choice(question.options, written)
    assert (found.options[0].name, found.sure) == (clave, sure)
