"""What operators copy: backups that come back, and files that say what the program knows."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot import serving
from bot.cli import main
from tests import databases
from tests.databases import Postgres
from tests.world import World
from tests.world import world as live

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"


def script(name: str, folder: Path, data: Path) -> str:
    known = {**os.environ, "CONSULTA_DATA": str(data)}
    command = ["sh", str(DEPLOY / name), str(folder)]
    ran = subprocess.run(command, env=known, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def test_a_copy_made_while_it_runs_comes_back_whole(tmp_path: Path) -> None:
    data = tmp_path / "data"
    url = f"sqlite:///{data / 'consulta.db'}"
    with live(data, url) as world:
        world.answers_until("ana", "hola", "es", "si", "3", "Mérida", "sí")
        world.speaks("ana")
        made = script("backup.sh", tmp_path / "copies", data)
        before = world.stored("ana")
    shutil.rmtree(data)
    script("restore.sh", Path(made), data)
    with live(data, url) as world:
        assert world.stored("ana") == before
        [row] = [row for row in world.rows("ana") if row["question"] == "localidad"]
        assert row["media"] in world.parts.post.media.names()
        assert "Las tres preguntas" in says_again(world)


def test_a_copy_of_postgresql_made_while_it_runs_comes_back_whole(
    tmp_path: Path, pg: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("PATH", f"{databases.binaries()}{os.pathsep}{os.environ['PATH']}")
    with pg.fresh() as url:
        monkeypatch.setenv("CONSULTA_DATABASE_URL", url)
        with live(data, url) as world:
            world.answers_until("ana", "hola", "es", "si", "3", "Mérida", "sí")
            world.speaks("ana")
            made = script("backup.sh", tmp_path / "copies", data)
            before = world.stored("ana")
            world.says("ana", "no")  # after the copy
    shutil.rmtree(data)
    with pg.fresh("template1") as url:
        monkeypatch.setenv("CONSULTA_DATABASE_URL", url)
        script("restore.sh", Path(made), data)
        monkeypatch.delenv("CONSULTA_DATABASE_URL")
        with live(data, url) as world:
            assert world.stored("ana") == before
            [row] = [row for row in world.rows("ana") if row["question"] == "localidad"]
            assert row["media"] in world.parts.post.media.names()
            assert "Las tres preguntas" in says_again(world)


def says_again(world: World) -> str:
    return world.says("ana", "repetir")[-1]


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
    here = f"sqlite:///{tmp_path / 'consulta.db'}"
    with live(tmp_path, here) as world:
        world.answers_until("ana", "hola", "es", "si", "3", "Mérida", "sí", '=1 \x00 "😀"')
        world.answers_until("beto", "hola", "maya", "jaaj")
        before = world.rows("ana")
    with pg.fresh("template1") as there:
        known = {
            "CONSULTA_DATA": str(tmp_path),
            "CONSULTA_DATABASE_URL": here,
            "CONSULTA_SECRET_KEY": "una clave de prueba",
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
