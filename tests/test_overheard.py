"""What our processes and PostgreSQL write down while people write and everything fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import psycopg
from click.testing import CliRunner
from psycopg import sql

from bot.cli import main
from tests import databases, listening
from tests.emulators import telegram as provider
from tests.emulators import telegram_people
from tests.emulators.telegram import Telegram
from tests.forum_world import Forums
from tests.test_machines import machine
from tests.test_serve import bring, environment, free_port, started
from tests.test_serve import telegram as telegram
from tests.world import PATIENCE, world

KEY = "una clave de prueba"
XIMENA = telegram_people.Person(8000000000123, "Canariohalach", "x0canary")
WORDS = "el pozo-canario no sirve, llama al 999 987 6543"


def said(port: int, telegram: Telegram, *words: str) -> None:
    """Ximena says these, and is answered each time."""
    for word in words:
        before = len(telegram.texts(XIMENA))
        bring(port, telegram_people.text(XIMENA, word))
        telegram.wait(lambda n=before: len(telegram.texts(XIMENA)) > n, 3 * PATIENCE)


def test_a_process_says_nothing_of_a_person_whatever_fails(
    tmp_path: Path, telegram: Telegram
) -> None:
    port = free_port()
    known = environment(tmp_path, telegram, CONSULTA_SECRET_KEY=KEY)
    with started("serve", port, known):
        said(port, telegram, "hola", "es", "si", "3", "Mérida", "sí", "colonia x0canary")
        for how in (provider.broken(500), provider.half(), provider.too_many(1)):
            telegram.fail(how, method="sendMessage")
            bring(port, telegram_people.text(XIMENA, WORDS))
        odd = telegram_people.text(XIMENA, "")
        odd["message"]["text"] = ["x0canary"]
        bring(port, odd)
        spoken = heard(lambda lines: any("unreadable" in line for line in lines))
    spoken += listening.written()
    assert listening.overheard(spoken) == []


def heard(there: Callable[[list[str]], bool]) -> list[str]:
    """What is said until something is there."""
    lines, until = listening.written(), time.monotonic() + PATIENCE
    while not there(lines):
        assert time.monotonic() < until, lines
        time.sleep(0.05)
        lines += listening.written()
    return lines


def test_a_database_that_writes_every_statement_down_writes_nobody_down(
    tmp_path: Path, telegram: Telegram, pg: databases.Postgres
) -> None:
    with pg.fresh() as url:
        _write_everything_down(pg, url)
        port = free_port()
        known = environment(tmp_path, telegram, CONSULTA_DATABASE_URL=url, CONSULTA_SECRET_KEY=KEY)
        with machine("web", known, port), machine("worker", known):
            said(port, telegram, "hola", "es", "si", "3", "Mérida", "sí", "colonia x0canary")
            _run(url, "ALTER TABLE answers RENAME TO elsewhere")  # a fault of ours
            bring(port, telegram_people.text(XIMENA, WORDS))
            lines = heard(lambda lines: any('relation "answers"' in line for line in lines))
            _run(url, "ALTER TABLE elsewhere RENAME TO answers")
            said(port, telegram, "colonia x0canary", "no", "1", WORDS)
        lines += listening.written()
    assert any("INSERT INTO answers" in line for line in lines)
    assert any("parameters: " in line and "31050" in line for line in lines)  # a choice is open
    assert listening.overheard(lines) == []


def _write_everything_down(pg: databases.Postgres, url: str) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    for setting in ("log_min_duration_statement = 0", "log_parameter_max_length_on_error = -1"):
        pg.run(f"ALTER DATABASE {{}} SET {setting}", name)


def _run(url: str, statement: str) -> Any:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        return connection.execute(sql.SQL(statement))  # type: ignore[arg-type]


NAMED = {  # the operator says who; or what it takes is a file, and its words are a file's
    *("chat", "demo", "serve", "web", "worker", "poll", "import", "language evaluate"),
    *("form check", "form show", "form simulate", "form xlsx", "form import", "form publish"),
    *("form translations export", "form translations import", "facilitator add"),
    *("facilitator close", "organizer add", "forum add", "forum change", "forum cancel"),
    *("forum attend", "forum qr", "forum conclusions", "forum role", "invite plan", "invite test"),
    *(
        "db rotate-key",
        "invite change",
        "person forget",
        "notice publish",
        "telegram set-webhook",
        "db move",
    ),
}


def test_what_commands_print_names_nobody(tmp_path: Path) -> None:
    """A person's own words and name are in no list, state or figure; files are another matter."""
    with world(tmp_path / "data", databases.sqlite(tmp_path / "data")) as made:
        made.cast["ximena"] = XIMENA
        there = Forums(made, tmp_path)
        there.guest("eva")
        made.answers_until("ximena", "hola", "es", "si", "3", "Mérida", "sí", "colonia x0canary")
        made.telegram.fail(provider.broken(500), method="sendMessage")
        sent, forum = there.invited(there.forum()), "1"
        made.says("ximena", WORDS)
    known = {"CONSULTA_DATA": str(tmp_path / "data"), "CONSULTA_SECRET_KEY": KEY}
    file = {name: str(tmp_path / name) for name in ("out", "r.html", "p.json", "copy")}
    given = {
        "form translations status": ["consulta"], "form changes": ["consulta"],
        "form link": ["consulta", "--bot", "b"], "forum show": [forum],
        "forum attendance": [forum], "export": [file["out"]], "report": [file["r.html"]],
        "person export": [f"telegram:{XIMENA.id}", file["p.json"]], "media copy": [file["copy"]],
        **{f"invite {what}": [str(sent)] for what in (
            "preview", "status", "pause", "resume", "resend-uncertain", "cancel")},
    }  # fmt: skip
    commands = [name for name in every(main) if name not in NAMED]
    for name in sorted(commands, key=lambda name: (name == "invite cancel", name)):
        ran = CliRunner().invoke(main, [*name.split(), *given.get(name, [])], env=known)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), name
        assert listening.overheard(ran.output.splitlines()) == [], name


def every(group: click.Group, before: str = "") -> Iterator[str]:
    """The commands of a group and of those within."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from every(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"
