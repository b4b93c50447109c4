"""Who was erased stays gone, wherever the database goes: moved, put back, read in again."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner

from bot import erasure
from bot.cli import main
from storage import forms
from storage.database import writing
from tests import databases
from tests.databases import Postgres
from tests.world import KEY
from tests.world import world as live

FORM = """
| survey | | | |
|---|---|---|---|
| | type | name | label::Español (es) |
| | hidden | facilitador | |
| | text | propuesta | ¿Qué propone? |
"""
HERS = "propuesta,facilitador,instanceID\nCaminos a Xunáan,Rosa Uc,suyo\n"
NEXT = "propuesta,facilitador,instanceID\nPozos,Rosa Uc,otro\n"
OF_BETO = ("hola", "es", "si", "2", "Tizimín", "sí", "saltar", "no", "1", "Que arreglen Xunáan")
TRACES = ("Xunáan", "9991112233", "suyo", "31096")  # words, number, instance, municipality


def run(env: Mapping[str, str], *args: str) -> str:
    done = CliRunner().invoke(main, args, env=env)
    assert done.exit_code == 0, done.output
    return done.stdout


def dump(url: str) -> str:
    """The whole of a database, but what a questionnaire consists of."""
    program = databases.binaries()
    assert program is not None
    plain = url.replace("+psycopg", "")
    options = ["--inserts", "--exclude-table-data=form_files", plain]
    done = subprocess.run([program / "pg_dump", *options], check=True, capture_output=True)
    return done.stdout.decode()


def there(url: str) -> list[str]:
    """Which traces of Beto and of her submission stand in a dump, to the letter or as bytes."""
    whole = dump(url)
    return [each for each in TRACES if each in whole or each.encode().hex() in whole]


def test_who_was_erased_stays_gone_through_a_move_an_import_and_older_copies(
    tmp_path: Path, pg: Postgres
) -> None:
    data = tmp_path / "data"
    here = {"CONSULTA_DATA": str(data), "CONSULTA_SECRET_KEY": KEY}
    for name, lines in (("visita.md", FORM), ("suyo.csv", HERS), ("otro.csv", NEXT)):
        (tmp_path / name).write_text(lines, encoding="utf-8")
    brought = ("import", "--form", "visita")
    with live(data, databases.sqlite(data)) as world:
        with writing(world.parts.engine) as db:
            forms.publish(db, tmp_path / "visita.md", world.clock())
        assert "taken: 1" in run(here, *brought, str(tmp_path / "suyo.csv"))
        world.says("ana", "hola")
        world.answers_until("beto", *OF_BETO)
        assert "Xunáan" in "".join(world.stored("beto").values())
        copy(data / "consulta.db", tmp_path / "older.db")
        world.answers_until("beto", "borrar mis datos", "sí")
        run(here, "person", "forget", "--yes", "import:visita suyo")
        world.settle()
    with pg.fresh("template1") as url:
        away = {**here, "CONSULTA_DATABASE_URL": url}
        moved = run(here, "db", "move", url)
        assert ("people: 1" in moved, there(url)) == (True, [])
        assert "repeated: 1" in run(away, *brought, str(tmp_path / "suyo.csv"))
        assert "taken: 1" in run(away, *brought, str(tmp_path / "otro.csv"))
        assert there(url) == []
    copy(tmp_path / "older.db", data / "consulta.db")
    stones = (data / erasure.FILE).rename(tmp_path / "apart.txt")
    with pg.fresh("template1") as url:
        assert "people: 3" in run(here, "db", "move", url)  # a copy of before, without its stones
        assert set(there(url)) > {"31096"}
        stones.rename(data / erasure.FILE)
        run({**here, "CONSULTA_DATABASE_URL": url}, "status")
        assert there(url) == []


def copy(of: Path, to: Path) -> None:
    with closing(sqlite3.connect(of)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
