"""What is installed besides our own code: each package pinned by its hash, and each for a reason.

Known vulnerabilities are looked up by `python -m tests.audit`, which needs the network.
"""

from __future__ import annotations

import ast
import json
import re
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from typing import Any

import pytest

from tests import audit
from tests.audit import ROOT, entries, pins

LISTS = ("requirements.txt", "requirements-dev.txt")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PRODUCT = ("bot", "dialogs", "storage", "webhooks")
DATA = {"tzdata"}  # never imported by name: the zones that zoneinfo reads
TOOLS = {  # run, loaded by what is run, or looked for and done without
    "bandit", "playwright", "pytest-benchmark", "pytest-randomly", "pytest-xdist", "mypy", "ruff",
    "types-jsonschema", "types-requests",
}  # fmt: skip


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


# known vulnerabilities


@contextmanager
def answering(answer: Callable[[Any], Any]) -> Iterator[str]:
    """Somebody at this address who answers each question so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer(asked)).encode())

        def log_message(self, *_given: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def of_flask(asked: Any) -> Any:
    """As OSV answers (POST /v1/querybatch): in the order of the questions, nothing for nothing."""
    flask = {"vulns": [{"id": "PYSEC-2027-1", "modified": "2027-01-01T00:00:00Z"}]}
    names = [each["package"]["name"] for each in asked["queries"]]
    return {"results": [flask if name == "flask" else {} for name in names]}


def test_a_known_vulnerability_of_a_pinned_package_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(of_flask) as url:
        assert audit.main(url) == audit.SOME
    version = pins(LISTS[0])["flask"]
    said = f"flask {version}: PYSEC-2027-1, https://osv.dev/PYSEC-2027-1. Raise it: make lock\n"
    assert capsys.readouterr().out == said


def test_where_nothing_is_known_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(lambda asked: {"results": [{} for _ in asked["queries"]]}) as url:
        assert audit.main(url) == audit.NONE
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("answer", [{"results": []}, {"code": 3}, [], {"results": [None]}])
def test_no_answer_is_no_good_answer(answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(lambda _asked: answer) as url:
        assert audit.main(url) == audit.UNKNOWN
    assert audit.main(url) == audit.UNKNOWN  # nobody is there any more
    assert all(line.startswith("not audited: ") for line in capsys.readouterr().out.splitlines())
