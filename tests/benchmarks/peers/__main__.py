"""The same work by ourselves and by others, against the same provider, in one run.

    .venv/bin/python -m tests.benchmarks.peers broadcast [--people 3000] [--only consulta,grammy]
    .venv/bin/python -m tests.benchmarks.peers turns [--only consulta,ptb]

What others need is put into a folder of its own (--folder), once. A whole run writes its part of
docs/peers.md; one with --only is shown alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.peers import broadcast, turns

PAGE = Path("docs/peers.md")


def written(what: str, words: str) -> None:
    """In the place of what stood under the heading before."""
    before, heading, after = PAGE.read_text(encoding="utf-8").partition(f"## {what.capitalize()}\n")
    assert heading, f"{PAGE} has no part of that name: {what}"
    _, following, rest = after.partition("\n## ")
    PAGE.write_text(f"{before}{heading}\n{words}{following}{rest}", encoding="utf-8")
    sys.stderr.write(f"written to {PAGE}\n")


def main() -> None:
    given = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given.add_argument("what", choices=("broadcast", "turns"))
    given.add_argument("--people", type=int, default=3000, help="Of the broadcast.")
    given.add_argument("--rate", type=float, default=1000.0, help="Of the broadcast.")
    given.add_argument("--only", default="", help="Names, with commas between.")
    given.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "consulta-peers"
    )
    asked = given.parse_args()
    only = [name for name in asked.only.split(",") if name]
    if asked.what == "broadcast":
        words = broadcast.page(asked.folder, only, asked.people, asked.rate)
    else:
        words = turns.page(asked.folder, only)
    sys.stdout.write(words)
    if not only:
        written(asked.what, words)


if __name__ == "__main__":
    main()
