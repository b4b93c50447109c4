"""What operators copy: backups that come back, and files that say what the program knows."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from bot import erasure, serving
from bot.cli import main
from storage import schema
from storage.database import reading
from tests import databases
from tests.databases import Postgres
from tests.emulators import twilio_people
from tests.world import PATIENCE, World
from tests.world import world as live

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
KEY = "una clave de prueba"


def script(name: str, folder: Path, data: Path) -> str:
    known = {**os.environ, "CONSULTA_DATA": str(data)}
    command = ["sh", str(DEPLOY / name), str(folder)]
    ran = subprocess.run(command, env=known, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@dataclass(frozen=True)
class Copied:
    """A copy that was made while the program ran, and what Ana had answered then."""

    folder: Path
    answers: dict[str, str]
    beto: bytes  # his pseudonym
    erased: str  # the list of who was erased since


def copied(data: Path, url: str, copies: Path) -> Copied:
    """Ana and Beto answer and speak; a copy is made; then Beto has everything erased."""
    with live(data, url) as world:
        world.answers_until("ana", "hola", "es", "si", "3", "Mérida", "sí")
        world.answers_until("beto", "hola", "es", "si", "2", "Tizimín", "si", "saltar", "si")
        world.speaks("ana")
        world.does("beto", twilio_people.voice(world.cast["beto"], "audio/mpeg"))
        made, before = script("backup.sh", copies, data), world.stored("ana")
        with reading(world.parts.engine) as db:
            his = select(schema.people.c.pseudonym).where(schema.people.c.channel == "whatsapp")
            pseudonym: str = db.execute(his).scalar_one()
        world.answers_until("beto", "borrar mis datos", "sí")
        file, until = data / erasure.FILE, time.monotonic() + PATIENCE
        while not file.exists() or not file.read_text():
            assert time.monotonic() < until
            time.sleep(0.02)
    return Copied(Path(made), before, pseudonym.encode(), file.read_text())


def put_back(made: Copied, data: Path, url: str, out: Path) -> None:
    """As docs/privacy.md says. What is exported at once, before anything runs, is without Beto."""
    shutil.rmtree(data)
    script("restore.sh", made.folder, data)
    (data / erasure.FILE).write_text(made.erased)
    known = {"CONSULTA_DATA": str(data), "CONSULTA_DATABASE_URL": url, "CONSULTA_SECRET_KEY": KEY}
    ran = CliRunner().invoke(main, ["export", "--format", "csv", str(out)], env=known)
    assert ran.exit_code == 0, ran.output
    exported = (out / "answers.csv").read_text(encoding="utf-8")
    assert "31050" in exported
    assert "31096" not in exported


def all_is_there_but_beto(made: Copied, world: World) -> None:
    assert world.stored("ana") == made.answers
    [row] = [row for row in world.rows("ana") if row["question"] == "localidad"]
    assert [row["media"]] == world.parts.post.media.names()
    assert world.count(schema.people) == world.count(schema.media) == 1
    assert world.count(schema.erased_responses) == 1
    assert "Las tres preguntas" in world.says("ana", "repetir")[-1]


def test_a_copy_made_while_it_runs_comes_back_whole_but_for_who_was_erased_since(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    url = databases.sqlite(data)
    made = copied(data, url, tmp_path / "copies")
    put_back(made, data, url, tmp_path / "out")
    with live(data, url) as world:
        all_is_there_but_beto(made, world)
    assert not any(made.beto in file.read_bytes() for file in data.glob("consulta.db*"))


def test_a_copy_of_postgresql_comes_back_whole_but_for_who_was_erased_since(
    tmp_path: Path, pg: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("PATH", f"{databases.binaries()}{os.pathsep}{os.environ['PATH']}")
    with pg.fresh() as url:
        monkeypatch.setenv("CONSULTA_DATABASE_URL", url)
        made = copied(data, url, tmp_path / "copies")
    with pg.fresh("template1") as url:
        monkeypatch.setenv("CONSULTA_DATABASE_URL", url)
        put_back(made, data, url, tmp_path / "out")
        monkeypatch.delenv("CONSULTA_DATABASE_URL")
        with live(data, url) as world:
            all_is_there_but_beto(made, world)


@pytest.mark.parametrize("unit", sorted(DEPLOY.glob("systemd/*.service")), ids=lambda p: p.stem)
def test_units_start_commands_that_exist(unit: Path) -> None:
    parsed = configparser.ConfigParser(strict=False)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(unit)
    command = parsed["Service"]["ExecStart"].split()
    if command[0].startswith("/opt/consulta/deploy/"):
        assert os.access(ROOT / command[0].removeprefix("/opt/consulta/"), os.X_OK)
        return
    assert command[0].endswith("/.venv/bin/consulta")
    assert command[1] in main.commands


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in DEPLOY.glob("systemd/*"):
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    command = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert [line for line in ran.stderr.splitlines() if "consulta" in line] == []


def test_the_dashboard_shows_figures_that_are_published(tmp_path: Path, pg: Postgres) -> None:
    shown = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    with pg.fresh() as url, live(tmp_path, url) as world:
        published = world.app.test_client().get("/metrics").text
    queries = [target["expr"] for panel in shown["panels"] for target in panel["targets"]]
    assert queries
    for query in queries:
        name = query.partition("{")[0].rpartition("(")[2].strip(")")
        assert name in published, query


def test_from_sqlite_to_postgresql_by_one_command(tmp_path: Path, pg: Postgres) -> None:
    here = databases.sqlite(tmp_path)
    with live(tmp_path, here) as world:
        world.answers_until("ana", "hola", "es", "si", "3", "Mérida", "sí", '=1 \x00 "😀"')
        world.answers_until("beto", "hola", "maya", "jaaj")
        before = world.rows("ana")
    with pg.fresh("template1") as there:
        known = {
            "CONSULTA_DATA": str(tmp_path),
            "CONSULTA_DATABASE_URL": here,
            "CONSULTA_SECRET_KEY": KEY,
        }
        moved = CliRunner().invoke(main, ["db", "move", there], env=known)
        assert moved.exit_code == 0, moved.output
        assert "people: 2" in moved.stdout
        again = CliRunner().invoke(main, ["db", "move", there], env=known)
        assert (again.exit_code, "has rows already" in again.stderr) == (2, True)
        with live(tmp_path, there) as world:
            assert world.rows("ana") == before
            assert world.says("ana", "no") != []
            assert world.says("beto", "3") != []


OFFICE = (ROOT / "docs" / "small-office.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("caddy"), reason="Caddy is not installed")
@pytest.mark.parametrize("file", ["Caddyfile", "small-office.md"])
def test_caddy_takes_its_file(file: str, tmp_path: Path) -> None:
    shown = OFFICE.partition("reload caddy`:\n   ```\n")[2].partition("   ```")[0]
    text = (DEPLOY / file).read_text() if file == "Caddyfile" else shown
    (tmp_path / "Caddyfile").write_text(text)
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config"]
    known = {**os.environ, "DOMAIN": "consulta.example.mx", "HOME": str(tmp_path)}
    ran = subprocess.run(
        [*command, str(tmp_path / "Caddyfile")], env=known, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def test_no_image_holds_data_or_keys() -> None:
    left_out = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {".git", "data", "deploy/.env"} <= set(left_out)


def test_whoever_ends_a_server_waits_longer_than_the_server_for_its_child() -> None:
    units = [path.read_text() for path in DEPLOY.glob("systemd/*.service")]
    lasting = [unit for unit in units if "Restart=always" in unit]
    waits = [int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]) for unit in lasting]
    compose = (DEPLOY / "compose.yaml").read_text()
    waits.append(int(re.findall(r"stop_grace_period: (\d+)s", compose)[0]))
    assert min(waits) > serving.PATIENCE
