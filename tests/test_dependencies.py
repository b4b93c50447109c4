"""What is installed besides our own code: each package pinned by its hash, and each for a reason.

Known vulnerabilities need the network: `make audit` looks the pinned packages up.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LISTS = ("requirements.txt", "requirements-dev.txt")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PRODUCT = ("bot", "dialogs", "storage", "webhooks")
DATA = {"tzdata"}  # never imported by name: the zones that zoneinfo reads
TOOLS = {  # run, loaded by what is run, or looked for and done without
    "playwright", "pytest-benchmark", "pytest-randomly", "pytest-xdist", "mypy", "ruff",
    "types-jsonschema", "types-requests",
}  # fmt: skip


def entries(name: str) -> Iterator[tuple[str, str]]:
    """Each requirement of a list with everything that belongs to it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[a-zA-Z])", text)[1:]:
        yield re.split(r"[=\s\[]", entry, maxsplit=1)[0], entry


def pins(name: str) -> dict[str, str]:
    return {package: entry.split()[0].rpartition("==")[2] for package, entry in entries(name)}


@pytest.mark.parametrize("name", LISTS)
def test_every_package_is_pinned_by_its_hash_and_asked_for_by_another(name: str) -> None:
    found = dict(entries(name))
    assert len(found) > 40
    for package, entry in found.items():
        assert re.match(r"\S+==\d[\w.]*( ;.*)? \\\n", entry), package
        assert "--hash=sha256:" in entry, package
        assert "# via" in entry, package


def test_the_tests_run_with_the_versions_that_are_deployed() -> None:
    deployed, tested = pins(LISTS[0]), pins(LISTS[1])
    assert {package: tested.get(package) for package in deployed} == deployed


def test_the_lists_hold_what_the_project_asks_for() -> None:
    assert set(asked(PROJECT["dependencies"])) <= set(pins(LISTS[0]))
    assert set(asked(PROJECT["optional-dependencies"]["dev"])) <= set(pins(LISTS[1]))


def test_no_package_is_without_use() -> None:
    product = imported(*PRODUCT)
    unused = [name for name in asked(PROJECT["dependencies"]) if not modules(name) & product]
    assert set(unused) == DATA
    tests = imported("tests")
    dev = asked(PROJECT["optional-dependencies"]["dev"])
    assert {name for name in dev if not modules(name) & tests} == TOOLS


def asked(requirements: list[str]) -> list[str]:
    return [re.split(r"[^\w-]", each, maxsplit=1)[0] for each in requirements]


def modules(package: str) -> set[str]:
    """The names under which a package is imported."""
    return {name for name, makers in _known().items() if package.lower() in makers}


@cache
def _known() -> dict[str, set[str]]:
    """By module, the packages that it may come from."""
    found = metadata.packages_distributions()
    return {name: {each.lower().replace("_", "-") for each in all_} for name, all_ in found.items()}


def imported(*folders: str) -> set[str]:
    """The first names of everything imported in these folders."""
    found: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found
