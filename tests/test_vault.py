"""What is sealed: each value names its key, and a change of keys may stop and go on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, select, text

from bot import voices
from bot.cli import main
from bot.cli_errors import Failure, told
from bot.settings import Settings, secret
from bot.stores import Folder
from storage import answers, database, people, rotation, schema
from storage.database import disposing, reading, writing
from storage.vault import UnknownKey, vault
from tests.world import World

OLD, NEW, THIRD = "una clave de prueba", "otra clave de prueba", "y una tercera clave"
LONG = (
    *("hola", "es", "si", "2", "Tizimín", "sí", "saltar", "si", "Mujer", "Lo hablo"),
    *("nada de esto", "1"),
    "El pozo del pueblo está seco",
)


@given(st.text(max_size=200))
def test_what_is_sealed_is_opened_again(words: str) -> None:
    kept = vault(OLD)
    assert kept.open("a.b", kept.seal("a.b", words)) == words
    assert kept.show("a.b", kept.hide("a.b", words)) == words
    assert kept.seal("a.b", words) == kept.seal("a.b", words)
    assert kept.hide("a.b", words) != kept.hide("a.b", words)


def test_a_value_cannot_be_moved_changed_or_opened_by_another_key() -> None:
    kept = vault(OLD)
    sealed, hidden = kept.seal("a.b", "Tizimín"), kept.hide("a.b", "Tizimín")
    with pytest.raises(InvalidTag):
        kept.open("a.c", sealed)
    with pytest.raises(InvalidTag):
        kept.show("a.b", hidden[:-1] + bytes([hidden[-1] ^ 1]))
    with pytest.raises(UnknownKey, match="CONSULTA_SECRET_KEY_OLD"):
        vault(NEW).open("a.b", sealed)
    both = vault(NEW, OLD)
    assert both.open("a.b", sealed) == both.show("a.b", hidden) == "Tizimín"
    assert sealed in both.seals("a.b", "Tizimín")
    assert both.seal("a.b", "Tizimín") not in (sealed, b"")


def test_every_sealed_column_is_known_to_the_rotation() -> None:
    plain = {("form_files", "content"), ("notices", "content"), ("erasures", "who")}  # a hash
    binary = {
        (table.name, column.name)
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if column.type.python_type is bytes
    }
    assert {(p.table.name, p.column.name) for p in rotation.PLACES} == binary - plain


def test_keys_are_changed_while_people_write_and_it_may_stop_on_the_way(world: World) -> None:
    world.answers_until("beto", *LONG)
    world.speaks("beto")
    before = world.rows("beto")
    url = str(world.parts.engine.url.render_as_string(hide_password=False))
    both = database.connect(url, vault(NEW, OLD))
    database.check(both)
    list(islice(rotation.run(both), 2))
    for secrets in ((THIRD, NEW), (THIRD, OLD), (NEW,), (OLD,), (THIRD,)):
        with pytest.raises(database.DatabaseError, match=r"begun and not ended.*Give both again"):
            _checked(url, *secrets)
    _checked(url, OLD, NEW)  # back again is as good
    with writing(both) as db:
        found = people.find(db, "whatsapp", "+529991112233")  # sealed by either key
        assert found is not None
    assert sum(rows for _, rows in rotation.run(both)) > 20
    assert list(rotation.run(both)) == []
    with pytest.raises(database.DatabaseError, match="not ended"):  # there are recordings, too
        _checked(url, THIRD, NEW)
    rotation.finish(both)
    both.dispose()
    alone = database.connect(url, vault(NEW))
    database.check(alone)
    with reading(alone) as db:
        for place in rotation.PLACES:
            for sealed in db.scalars(select(place.column).where(place.column.is_not(None))):
                assert sealed[:1] == vault(NEW).newest.id
    alone.dispose()
    with pytest.raises(database.DatabaseError, match="another secret"):
        _checked(url, OLD)
    with disposing(database.connect(url, vault(THIRD, NEW))) as further:
        database.check(further)
        list(rotation.run(further))
        rotation.finish(further)
    with disposing(database.connect(url, vault(THIRD))) as alone, reading(alone) as db:
        database.check(alone)
        found = people.find(db, "whatsapp", "+529991112233")
        assert found is not None
        assert [row["said"] for row in answers.of_person(db, found.id)] == [
            row["said"] for row in before
        ]
    assert len(before) > 5


def _checked(url: str, *secrets: str) -> None:
    with disposing(database.connect(url, vault(*secrets))) as engine:
        database.check(engine)


def test_the_command_changes_the_key_in_the_data_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    known = {"CONSULTA_DATA": str(data)}
    run = CliRunner().invoke
    assert run(main, ["db", "upgrade"], env=known).exit_code == 0
    assert data.stat().st_mode & 0o077 == 0  # nobody else's eyes
    old = (data / "secret.key").read_text()
    from bot.channel import File

    name = voices.keep(Folder(data / "media"), vault(old), File(b"OggS voz", "audio/ogg"))
    done = run(main, ["db", "rotate-key", "--yes"], env=known)
    assert (done.exit_code, "media: 1" in done.output) == (0, True)
    new = (data / "secret.key").read_text()
    assert new != old
    assert not (data / "secret.key.old").exists()
    assert voices.read(Folder(data / "media"), name, vault(new)) == b"OggS voz"
    assert run(main, ["status"], env=known).exit_code == 0


def test_a_key_is_made_whole_and_once_and_an_empty_one_seals_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as many:
        made = set(many.map(secret, [Settings(data=tmp_path)] * 8))
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0
    (tmp_path / "secret.key").write_text("")
    ran = CliRunner().invoke(main, ["status"], env={"CONSULTA_DATA": str(tmp_path)})
    assert (ran.exit_code, "secret.key is empty" in ran.stderr) == (2, True)


def test_a_full_disk_is_told_as_such() -> None:
    @told
    def fill() -> None:
        engine = create_engine("sqlite://")
        with database.disposing(engine), engine.begin() as db:
            db.execute(text("PRAGMA max_page_count = 2"))
            db.execute(text("CREATE TABLE kept AS SELECT randomblob(100000)"))

    with pytest.raises(Failure, match="The disk is full"):
        fill()


def test_with_a_key_of_ones_own_both_have_to_be_given(tmp_path: Path) -> None:
    known = {"CONSULTA_DATA": str(tmp_path), "CONSULTA_SECRET_KEY": "la primera de todas"}
    run = CliRunner().invoke
    assert run(main, ["db", "upgrade"], env=known).exit_code == 0
    alone = run(main, ["db", "rotate-key", "--yes"], env=known)
    assert (alone.exit_code, "CONSULTA_SECRET_KEY_OLD" in alone.output) == (2, True)
    both = known | {
        "CONSULTA_SECRET_KEY": "la segunda de todas",
        "CONSULTA_SECRET_KEY_OLD": "la primera de todas",
    }
    assert run(main, ["db", "rotate-key", "--yes"], env=both).exit_code == 0
