"""Known vulnerabilities of the pinned packages, as https://osv.dev knows them.

Run: .venv/bin/python -m tests.audit. It ends with 0 if there are none, with 1 if there are, and
with 2 if nobody could be asked.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import click

ROOT = Path(__file__).parents[1]
ALL = "requirements-dev.txt"  # what is deployed, too
OSV = "https://api.osv.dev/v1/querybatch"
PATIENCE = 20.0  # seconds; it answers within one
ACCEPTED: Mapping[str, str] = {}  # by the id of a vulnerability, why it does not concern us
NONE, SOME, UNKNOWN = range(3)


def entries(name: str) -> Iterator[tuple[str, str]]:
    """Each requirement of a list with everything that belongs to it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[a-zA-Z])", text)[1:]:
        yield re.split(r"[=\s\[]", entry, maxsplit=1)[0], entry


def pins(name: str) -> dict[str, str]:
    """The version of each package of a list."""
    return {package: entry.split()[0].rpartition("==")[2] for package, entry in entries(name)}


def known(pinned: Mapping[str, str], url: str) -> dict[str, list[str]]:
    """The ids of what is known, by package. Raises OSError or ValueError if nobody answers."""
    queries = [
        {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
        for name, version in pinned.items()
    ]
    content = json.dumps({"queries": queries}).encode()
    asked = Request(url, content, {"Content-Type": "application/json"})
    with urlopen(asked, timeout=PATIENCE) as answer:
        results = json.load(answer)["results"]
    return {
        name: [each["id"] for each in result.get("vulns", ()) if each["id"] not in ACCEPTED]
        for name, result in zip(pinned, results, strict=True)
    }


def main(url: str = OSV) -> int:
    pinned = pins(ALL)
    try:
        found = known(pinned, url)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        click.echo(f"not audited: no answer from {url} ({error})")
        return UNKNOWN
    for name, ids in found.items():
        for each in ids:
            click.echo(
                f"{name} {pinned[name]}: {each}, https://osv.dev/{each}. Raise it: make lock"
            )
    return SOME if any(found.values()) else NONE


if __name__ == "__main__":
    sys.exit(main())
