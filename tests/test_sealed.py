"""Words of a person in any kind of answer stand nowhere openly: the database is read as a thief."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import insert, select, update

from bot import wiring
from storage import database, exports, facilitators, forms, personal, rotation, schema
from storage.database import disposing, reading, writing
from storage.vault import vault
from tests import databases
from tests.emulators import telegram_people
from tests.world import ANA, KEY, World

WORD = "Xunáan"  # in everything that somebody says
NAME = "Ana Pech"  # holds sessions
PLACE = (20.987654, -89.612345)
KINDS = """
| survey | | | | | | | |
|---|---|---|---|---|---|---|---|
| | type | name | label::Español (es) | calculation | default | read_only | relevant |
| | hidden | facilitador | | | | | |
| | text | nombre | ¿Cómo te llamas? | | | | |
| | select_one colores or_other | color | ¿Qué color? | | | | |
| | select_multiple colores or_other | colores_todos | ¿Qué colores? | | | | |
| | integer | hijos | ¿Cuántos hijos? | | | | |
| | geopoint | casa | ¿Dónde vives? | | | | |
| | text | repetido | ¿Es así? | | ${nombre} | | |
| | text | leido | Lo que dijiste. | | ${nombre} | yes | |
| | calculate | saludo | | concat('Hola, ', ${nombre}) | | | |
| | calculate | dos_veces | | concat(${saludo}, ' y ', ${saludo}) | | | |
| | calculate | letras | | string-length(${dos_veces}) | | | |
| | calculate | lejos | | concat('en ', ${casa}) | | | |
| | calculate | el_doble | | ${hijos} * 2 | | | |
| | begin repeat | gente | Gente | | | | |
| | text | quien | ¿Quién vive contigo? | | | | |
| | calculate | con_quien | | concat(${nombre}, ' con ', ${quien}) | | | |
| | end repeat | | | | | | |
| | calculate | todos | | join(', ', ${con_quien}) | | | |
| | image | retrato | Manda una foto. | | | | |
| | audio | voz | Cuéntanos. | | | | |

| choices | | | |
|---|---|---|---|
| | list_name | name | label::Español (es) |
| | colores | rojo | Rojo |
| | colores | azul | Azul |
"""
OPEN, IS_OPEN = schema.answers.c, schema.answers.c.value.is_not(None)
COMPUTED = ("casa", "leido", "saludo", "dos_veces", "con_quien#1", "todos", "lejos", "letras")


def publish(world: World, folder: Path) -> None:
    path = folder / "todo.md"
    path.write_text(KINDS, encoding="utf-8")
    with writing(world.parts.engine) as db:
        forms.publish(db, path, world.clock(), front=True)


def told(world: World) -> Iterator[list[str]]:
    """Somebody answers all kinds of questions, the word in each that takes words."""
    yield world.does("ana", telegram_people.start(ANA, "cartel-tizimin"))
    for said in (f"Soy {WORD}", "otro", f"color {WORD}", "otro", f"colores de {WORD}", "2"):
        yield world.says("ana", said)
    yield world.does("ana", telegram_people.location(ANA, *PLACE))
    yield world.says("ana", f"sí, soy {WORD}")
    for said in (f"mi hija {WORD}", "no"):
        yield world.says("ana", said)
    yield world.does("ana", telegram_people.photo(ANA, f"esta es {WORD}"))
    yield world.says("ana", f"ya dije que soy {WORD}")


def stolen(world: World) -> bytes:
    """All that is on the disk of the database, and in a dump of it."""
    url = world.parts.engine.url
    if url.drivername.startswith("sqlite"):
        return b"".join(p.read_bytes() for p in world.parts.settings.data.glob("consulta.db*"))
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    program = databases.binaries()
    assert program is not None
    with reading(world.parts.engine) as db:
        kept = "".join(str(tuple(row)) for row in db.execute(select(schema.answers)))
    dumped = subprocess.run(
        [program / "pg_dump", "--inserts", plain], check=True, capture_output=True
    )
    return dumped.stdout + kept.encode()


def bare(heap: bytes) -> list[str]:
    """Which of the traces stand in it, to the letter, escaped, or as bytes are written."""
    traces = [WORD, WORD.encode().hex(), WORD.encode("unicode_escape").decode(), NAME]
    traces += [f"{PLACE[0]:.3f}", f"{PLACE[1]:.3f}", NAME.encode().hex()]
    return [trace for trace in traces if trace.encode() in heap]


@pytest.fixture
def answered(world: World, tmp_path: Path) -> World:
    publish(world, tmp_path)
    with writing(world.parts.engine) as db:
        facilitators.add(db, NAME, "todo", Random(1))
    assert "folio" in [*told(world)][-1][-1]
    return world


def test_no_word_stands_openly_whatever_kind_of_answer_it_is_in(answered: World) -> None:
    assert bare(stolen(answered)) == []
    with reading(answered.parts.engine) as db:
        values = {row["question"]: row["value"] for row in exports.answers(db)}
        chosen = dict(map(tuple, db.execute(select(OPEN.question, OPEN.value).where(IS_OPEN))))
    assert values["todos"] == f"Soy {WORD} con mi hija {WORD}"
    assert values["lejos"] == "en 20.987654 -89.612345 0 0"
    assert (values["letras"], values["leido"]) == ("35", f"Soy {WORD}")
    ours = {"color": "other", "colores_todos": "other", "hijos": "2", "el_doble": "4"}
    assert chosen == {**ours, "gente#1": "no"}, "what is counted"


def test_what_stood_openly_before_is_sealed_once_no_older_program_runs(answered: World) -> None:
    engine, library, now = answered.parts.engine, answered.parts.desk.library, answered.clock()
    before = answered.stored("ana")
    _as_of_before(answered, now)
    assert {WORD, NAME} <= set(bare(stolen(answered)))
    assert not wiring.seal(engine, library, now), "an older program may be writing"
    while wiring.seal(engine, library, now + timedelta(days=2)):
        pass
    assert bare(stolen(answered)) == []
    assert answered.stored("ana") == before
    with disposing(database.connect(_url(answered), vault("otra clave", KEY))) as anew:
        list(rotation.run(anew))
        rotation.finish(anew)
    alone = database.connect(_url(answered), vault("otra clave"))
    with disposing(alone), writing(alone) as db:
        assert [each.name for each in facilitators.every(db)] == [NAME]
        assert facilitators.close(db, NAME) == 1


def _url(world: World) -> str:
    return world.parts.engine.url.render_as_string(hide_password=False)


def _as_of_before(world: World, now: datetime) -> None:
    """As programs of before migration 0022 left it, which ended a day ago."""
    rows = [row for row in world.rows("ana") if row["question"] in COMPUTED]
    nothing = vault(KEY).hide("answers.said", "")
    facts = schema.facts
    with writing(world.parts.engine) as db:
        for row in rows:
            mine = update(schema.answers).where(OPEN.question == row["question"])
            db.execute(mine.values(value=row["said"], said=nothing))
        a_facilitator = update(facts).where(facts.c.key.startswith(facilitators.PREFIX))
        db.execute(a_facilitator.values(value=json.dumps({"name": NAME, "form": "todo"})))
        until = (now + timedelta(days=1)).isoformat()
        db.execute(insert(facts).values(key=personal.SINCE, value=until))
