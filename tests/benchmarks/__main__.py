"""The figures of the README: `make bench`. Ratios are to floors measured in the same run.

It takes about ten minutes, wants the machine for itself, and writes docs/figures.md and
docs/pictures/figures.svg.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

from tests import databases
from tests.benchmarks import delivery
from tests.benchmarks.turns import Served, consulta, floor, measure

DOCS = Path("docs")
PEOPLE, AT_ONCE = 200, 32
WIDTH, LINE, LABELS = 640, 26, 250

Bar = tuple[str, float, float]  # what it is, ours, the floor's


def turns(
    served: Served, url: str | None = None, wait: timedelta = timedelta(0)
) -> dict[str, float]:
    return asyncio.run(measure(served, PEOPLE, AT_ONCE, wait, url))


def on_postgresql(served: Served) -> dict[str, float]:
    with databases.postgres(durable=True) as server, server.fresh("template1") as url:
        return turns(served, url)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def picture(bars: Sequence[Bar]) -> str:
    """Ours, and behind it the floor, a line for each workload."""
    most = max(max(ours, least) for _, ours, least in bars)
    drawn = []
    for place, (name, ours, least) in enumerate(bars):
        y, room = 8 + place * LINE, WIDTH - LABELS - 100
        drawn += [
            f'<text x="{LABELS - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LABELS}" y="{y}" width="{room * least / most:.1f}" height="18" '
            'fill="#cfd8d3"/>',
            f'<rect x="{LABELS}" y="{y + 3}" width="{room * ours / most:.1f}" height="12" '
            'fill="#1b6e53"/>',
            f'<text x="{LABELS + room * max(ours, least) / most + 6:.1f}" y="{y + 14}">'
            f"{ours:.0f} / {least:.0f}</text>",
        ]
    height = 16 + len(bars) * LINE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13" role="img" aria-label="A second: consulta, and '
        'behind it the bare view">' + "".join(drawn) + "</svg>\n"
    )


def main() -> None:
    lite, post = [[run(one) for one in (floor, consulta)] for run in (turns, on_postgresql)]
    slow = turns(consulta, wait=timedelta(milliseconds=50))
    sent = delivery.send(20_000, 1000.0)
    queued = delivery.plan(1_000_000)
    names = list(lite[0])
    rows = [
        [name, *(f"{run[name]:.1f}" for run in (*lite, *post)),
         f"{lite[1][name] / lite[0][name]:.2f} · {post[1][name] / post[0][name]:.2f}"]
        for name in names
    ]  # fmt: skip
    first = table(["", "bare view, SQLite", "consulta, SQLite", "bare view, PostgreSQL",
                   "consulta, PostgreSQL", "ratios"], rows)  # fmt: skip
    second = table(["", "measured"], [
        ["turns a second when the provider takes 50 ms", f"{slow['turns a second']:.0f}"],
        ["use of an allowed 1,000 messages a second", str(sent["use of the rate"])],
        ["the fullest second", str(sent["fullest second"])],
        ["seconds to queue 1,000,000 calls", str(queued["queued in s"])],
        ["memory that this took, MB", str(queued["memory grown in MB"])],
    ])  # fmt: skip
    where = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    words = (
        "# Figures\n\n"
        f"Measured by `make bench` on {datetime.now(UTC):%-d %B %Y}: {where}; the people, the "
        "providers and the databases on the same machine.\n\n"
        "A turn is a Telegram update over HTTP, understood, stored (each commit waits for the "
        "disk) and answered over HTTP. The bare view checks the secret, stores the update and "
        "answers nobody. On PostgreSQL there are two web processes, and for consulta a worker. "
        "Calls to many are queued and sent on a PostgreSQL that does not wait for the disk.\n\n"
        f"{first}\n\n![Turns a second](pictures/figures.svg)\n\n{second}\n"
    )
    (DOCS / "figures.md").write_text(words, encoding="utf-8")
    bars = [("SQLite, one process", lite[1][names[0]], lite[0][names[0]]),
            ("PostgreSQL, two processes", post[1][names[0]], post[0][names[0]])]  # fmt: skip
    (DOCS / "pictures" / "figures.svg").write_text(picture(bars), encoding="utf-8")
    print(words)  # noqa: T201


if __name__ == "__main__":
    main()
