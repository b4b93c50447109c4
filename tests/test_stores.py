"""Files in a folder, and in a store that fsspec reaches: the same program, the same promises."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fsspec.implementations.memory import MemoryFileSystem
from sqlalchemy import select, update

from bot import delivery, publishing, rotating, stores, voices
from bot.cli import main
from bot.stores import PUBLISHED, Folder
from dialogs import script
from storage import forms, schema
from storage.database import reading, writing
from storage.vault import vault
from tests import databases
from tests.emulators import samples
from tests.test_deploy import DEPLOY
from tests.test_pictures import FILES, FORM
from tests.test_rights import wait_for
from tests.world import START, World
from tests.world import world as live

SPOKEN = ("hola", "es", "si", "3", "Mérida", "sí")


@pytest.fixture(params=["folder", "file URL", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Somewhere of one's own, as CONSULTA_MEDIA names it."""
    kinds = {
        "folder": str(tmp_path / "there"),
        "file URL": f"file://{tmp_path}/th%65re",
        "memory": f"memory://{secrets.token_hex(8)}/consulta",
    }
    return kinds[request.param]


@pytest.fixture
def away(tmp_path: Path) -> Iterator[World]:
    """The program, with its files in a store that fsspec reaches."""
    place = f"memory://{secrets.token_hex(8)}/consulta/"
    with live(tmp_path, databases.sqlite(tmp_path), media=place) as made:
        yield made


def test_what_is_written_is_read_listed_and_removed(place: str) -> None:
    store = stores.at(place)
    assert store.names() == []
    store.write("b.ogg", b"uno")
    store.within("forms").write("a b*?.jpg", b"dos")
    store.write("b.ogg", b"tres")
    again = stores.at(place)
    assert again.names() == ["b.ogg", "forms/a b*?.jpg"]
    assert (again.read("b.ogg"), again.read("forms/a b*?.jpg")) == (b"tres", b"dos")
    again.remove("b.ogg")
    again.remove("b.ogg")
    assert store.names() == ["forms/a b*?.jpg"]


@pytest.mark.parametrize(
    "name", ["none", "../out", "forms/../../out", "/etc/passwd", "", "forms", "a\0", "ñ" * 130]
)
def test_no_name_leads_out(place: str, name: str) -> None:
    store = stores.at(place)
    store.write("forms/a.jpg", b"uno")
    with pytest.raises(FileNotFoundError):
        store.within(".").read(name)


def test_a_voice_is_kept_heard_sealed_anew_and_erased_there(away: World) -> None:
    away.answers_until("ana", *SPOKEN)
    away.speaks("ana")
    store = away.parts.post.media
    [name] = store.names()
    assert not (away.parts.settings.data / "media").exists()
    sealed = store.read(name)
    assert samples.OGG not in sealed
    both = vault("otra clave de prueba", "una clave de prueba")
    assert rotating.reseal(store, both) == 1
    assert voices.read(store, name, vault("otra clave de prueba")) == samples.OGG
    away.answers_until("ana", "borrar mis datos", "si")
    wait_for(lambda: not away.count(schema.doomed_files))
    assert store.names() == []


def test_pictures_are_published_there_and_reach_everybody(away: World, tmp_path: Path) -> None:
    (tmp_path / "f.md").write_text(FORM, encoding="utf-8")
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    read = script.read(tmp_path / "f.md")
    publishing.keep(tmp_path, read, away.parts.post.media.within(PUBLISHED))
    with writing(away.parts.engine) as db:
        forms.publish(db, tmp_path / "f.md", START, front=True)
    away.says("ana", "hola")
    kinds = [seen.kind for seen in away.telegram.history(away.cast["ana"])]
    assert kinds == ["text", "photo", "text", "photo", "voice", "text"]
    found = away.app.test_client().get("/media/mapa.png")
    assert (found.status_code, found.data) == (200, samples.PNG)
    assert away.app.test_client().get("/media/no.png").status_code == 404


def test_while_the_store_is_away_a_voice_waits_however_long(
    away: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: object, _path: str, _content: bytes) -> None:
        raise RuntimeError("no route to the store")

    def told() -> tuple[str, str]:
        with reading(away.parts.engine) as db:
            row = db.execute(select(schema.media)).one()
            return row.state, row.reason

    away.answers_until("ana", *SPOKEN)
    with monkeypatch.context() as broken:
        broken.setattr(MemoryFileSystem, "pipe_file", refuse)
        away.speaks("ana")
        failed = ("waiting", "the store at memory:// failed (RuntimeError)")
        wait_for(lambda: told() == failed)
        with writing(away.parts.engine) as db:
            later = {"attempts": 99, "reason": "", "due": away.clock()}
            db.execute(update(schema.media).values(later))
        away.parts.bell.ring()
        wait_for(lambda: told() == failed)
        shown = CliRunner().invoke(main, ["status"], env=known(away))
        assert "media: the store at memory:// failed (RuntimeError)" in shown.output
    away.clock.advance(delivery.STORE_AWAY)
    away.parts.bell.ring()
    wait_for(lambda: told()[0] == "kept")
    assert "media: writable" in CliRunner().invoke(main, ["status"], env=known(away)).output


def known(world: World) -> dict[str, str]:
    data, media = world.parts.settings.data, world.parts.settings.media
    secret = {"CONSULTA_SECRET_KEY": "una clave de prueba"}
    return {"CONSULTA_DATA": str(data), "CONSULTA_MEDIA": media, **secret}


def test_copies_are_made_of_any_store_and_put_back_exactly(tmp_path: Path) -> None:
    """As deploy/backup.sh and restore.sh do it, with whatever CONSULTA_MEDIA names."""
    data, media, copies = (tmp_path / name for name in ("data", "media", "copies"))
    with live(data, databases.sqlite(data), media=f"file://{media}") as world:
        world.answers_until("ana", *SPOKEN)
        world.speaks("ana")
        [name] = world.parts.post.media.names()
    given = {**os.environ, "CONSULTA_DATA": str(data), "CONSULTA_MEDIA": f"file://{media}"}
    given["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{given['PATH']}"

    def run(script: str, folder: Path) -> str:
        command = ["sh", str(DEPLOY / script), str(folder)]
        ran = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    made = Path(run("backup.sh", copies))
    kept = (media / name).read_bytes()
    (media / name).write_bytes(b"spoilt")
    (media / "later.ogg").write_bytes(b"after the copy")
    run("restore.sh", made)
    assert Folder(media).names() == [name]
    assert (media / name).read_bytes() == kept


def test_a_store_that_cannot_be_used_says_so_without_its_address(tmp_path: Path) -> None:
    for place in ("s3://clave:secreto@cubo/x", "nowhere://clave:secreto@cubo"):
        known = {"CONSULTA_DATA": str(tmp_path), "CONSULTA_MEDIA": place}
        for command in ("status", "web"):
            ran = CliRunner().invoke(main, [command], env=known)
            assert ran.exit_code == 2
            assert "pip install fsspec" in ran.stderr
            assert "secreto" not in ran.output


def test_without_fsspec_a_folder_is_enough() -> None:
    code = "import sys, bot.wiring; print('fsspec' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
