"""Consents one by one, what minors are spared, and the notice in all its versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from bot.cli import main
from bot.stores import PUBLISHED
from dialogs import minors, notices
from storage import exports, forms, schema
from storage import notices as published
from storage.database import reading, vault_of, writing
from tests.emulators import samples
from tests.world import World

SHIPPED = Path(notices.__file__).with_name("notice.toml")
FORM = """
| survey | | | | | | |
|---|---|---|---|---|---|---|
| | type | name | label::Español (es) | role | relevant | media::audio::Español (es) |
| | note | aviso | Tus palabras se usan solo aquí. | | | aviso.ogg |
| | select_one sn | acepta | ¿Aceptas? | consent | | acepta.ogg |
| | {age} | edad | ¿Qué edad tienes? | age | | |
| | select_one sn | sensible | ¿Te preguntamos tu género? | consent:sensitive | | |
| | select_one gen | genero | ¿Cuál es? | gender | ${{sensible}} = 'si' | |
| | select_one sn | voz | ¿Podemos guardar y transcribir tu voz? | consent:voice | | |
| | select_one sn | cita | ¿Podemos citarte sin tu nombre? | consent:quote | | |
| | text | problema | Cuéntanos el problema. | | | |
| | text | idea | ¿Qué propones? | | | |

| choices | | | |
|---|---|---|---|
| | list_name | name | label::Español (es) |
| | sn | si | Sí |
| | sn | no | No |
| | edades | menor | Menos de 18 |
| | edades | mayor | 18 o más |
| | gen | mujer | Mujer |
| | gen | hombre | Hombre |

| settings | | |
|---|---|---|
| | form_title | form_id |
| | Prueba | prueba |
"""


@pytest.fixture
def asking(small_world: World, tmp_path: Path) -> World:
    """A world whose questionnaire asks for every consent by itself."""
    return with_form(small_world, tmp_path, "select_one edades")


def with_form(world: World, folder: Path, age: str) -> World:
    path = folder / "prueba.md"
    path.write_text(FORM.format(age=age), encoding="utf-8")
    with writing(world.parts.engine) as db:
        forms.publish(db, path, world.clock(), front=True)
    return world


def ledger(world: World) -> list[tuple[str, bool]]:
    consents = schema.consents
    with reading(world.parts.engine) as db:
        rows = db.execute(select(consents.c.kind, consents.c.given).order_by(consents.c.id))
        return [(row.kind, row.given) for row in rows]


def kept_files(world: World) -> list[str]:
    return world.parts.post.media.names()


def files_of(world: World) -> list[str | None]:
    with reading(world.parts.engine) as db:
        return list(db.scalars(select(schema.media.c.file)))


def test_every_consent_is_kept_by_itself_with_all_that_proves_it(asking: World) -> None:
    asking.answers_until("ana", "hola", "si", "2", "si", "Mujer", "si", "no")
    kinds = [("answer", True), ("sensitive", True), ("voice", True), ("quote", False)]
    assert ledger(asking) == kinds
    with reading(asking.parts.engine) as db:
        last = db.execute(select(schema.consents).order_by(schema.consents.c.id.desc())).first()
        assert last is not None
        assert (last.form, last.version, last.notice, last.channel) == ("prueba", 1, 1, "telegram")
        assert vault_of(db).show("consents.words", last.words) == "no"
    assert asking.speaks("ana")[0].startswith("La recibí, gracias.")
    assert len(files_of(asking)) == 1


def test_who_may_be_quoted_is_told_with_the_answers(asking: World) -> None:
    asking.answers_until("ana", "hola", "si", "2", "no", "no", "si")
    asking.answers_until("beto", "hola", "si", "2", "no", "no", "no")
    asking.answers_until(
        "chela", "hola", "si", "2", "no", "no", "si", "permisos", "Citar mis palabras"
    )
    with reading(asking.parts.engine) as db:
        assert [row["quote"] for row in exports.responses(db)] == ["yes", "no", "no"]


def test_without_consent_to_it_no_voice_is_kept(asking: World) -> None:
    told = asking.answers_until("ana", "hola", "si", "2", "no", "no", "no")
    assert "Cuéntanos el problema.\nEscríbelo con tus palabras." in told[-1]
    [refused] = asking.speaks("ana")
    assert refused.startswith("Sin tu permiso no guardamos tu voz")
    assert "Cuéntanos el problema." in refused
    assert asking.count(schema.media) == 0
    asking.says("ana", "No hay agua en el pueblo")
    assert asking.stored("ana")["problema"] == "No hay agua en el pueblo"


def test_a_consent_to_voice_taken_back_takes_the_recordings_along(asking: World) -> None:
    asking.answers_until("ana", "hola", "si", "2", "no", "si", "no")
    asking.speaks("ana")
    [name] = [file for file in files_of(asking) if file]
    asking.answers_until("ana", "permisos", "Guardar mi voz")
    assert files_of(asking) == [None]
    assert ledger(asking)[-1] == ("voice", False)
    [refused] = asking.speaks("ana")
    assert refused.startswith("Sin tu permiso no guardamos tu voz")
    while name in kept_files(asking):
        asking.settle()


@pytest.mark.parametrize(("age", "answer"), [("select_one edades", "1"), ("integer", "15")])
def test_minors_are_asked_nothing_sensitive_and_no_voice_of_theirs_is_kept(
    small_world: World, tmp_path: Path, age: str, answer: str
) -> None:
    world = with_form(small_world, tmp_path, age)
    told = world.answers_until("ana", "hola", "si", answer)
    assert "Cuéntanos el problema." in told[-1]
    [refused] = world.speaks("ana")
    assert "menos de 18 años no la guardamos" in refused
    assert world.count(schema.media) == 0
    world.answers_until("ana", "Falta una cancha", "Que la hagan")
    assert set(world.stored("ana")) == {"acepta", "edad", "problema", "idea"}
    assert ledger(world) == [("answer", True)]


def test_the_shipped_questionnaire_tells_minors_what_is_theirs(small_world: World) -> None:
    told = "\n".join(small_world.answers_until("ana", "hola", "es", "si", "Menos de 18"))
    assert "Tienes derecho a saber qué se hizo con lo que digas." in told
    assert "¿En qué municipio vives?" in told
    told = "\n".join(small_world.answers_until("ana", "Mérida", "saltar"))
    assert "los más urgentes donde vives" in told  # nothing of gender or language


def test_who_turns_out_to_be_a_minor_loses_what_minors_are_spared(asking: World) -> None:
    asking.answers_until("ana", "hola", "si", "2", "si", "Mujer", "si", "si")
    asking.speaks("ana")
    asking.answers_until("ana", "corregir", "¿Qué edad tienes?", "1")
    assert files_of(asking) == [None]
    assert "genero" not in {row["question"] for row in asking.rows("ana", aside=True)}
    assert "genero" not in asking.stored("ana")
    assert set(ledger(asking)[-3:]) == {("sensitive", False), ("voice", False), ("quote", False)}


def test_going_back_and_saying_no_takes_a_consent_back(asking: World) -> None:
    asking.answers_until("ana", "hola", "si", "2", "si", "Mujer", "atrás", "atrás", "no")
    assert ledger(asking)[-1] == ("sensitive", False)
    assert "genero" not in asking.stored("ana")
    assert "genero" not in {row["question"] for row in asking.rows("ana", aside=True)}


def test_the_notice_and_the_consent_are_heard_too(asking: World) -> None:
    for name in ("aviso.ogg", "acepta.ogg"):
        asking.parts.post.media.within(PUBLISHED).write(name, samples.OGG)
    asking.says("ana", "hola")
    sent = [call.operation for call in asking.telegram.calls]
    sent = [operation for operation in sent if operation.startswith("send")]
    assert sent == ["sendVoice", "sendMessage", "sendVoice", "sendMessage"]


YOUNG = {"menor": True, "17": True, "18": False, "mayor": False, "no_dice": False, "": False}


@pytest.mark.parametrize(("age", "young"), YOUNG.items())
def test_who_is_a_minor(age: str, young: bool) -> None:
    assert minors.is_minor(age) is young


# the notice


def run(world: World, *words: str) -> Any:
    known = {
        "CONSULTA_DATA": str(world.parts.settings.data),
        "CONSULTA_SECRET_KEY": world.parts.settings.secret_key.get_secret_value(),
        "CONSULTA_DATABASE_URL": str(world.parts.settings.url),
    }
    return CliRunner().invoke(main, ["notice", *words], env=known)


def test_a_changed_notice_is_a_new_version_and_consents_name_theirs(
    world: World, tmp_path: Path
) -> None:
    world.answers_until("ana", "hola", "es", "si")
    first = world.app.test_client().get("/aviso").text
    assert "Texto de ejemplo" in first
    assert "[falta: address]" in first
    file = tmp_path / "aviso.toml"
    words = SHIPPED.read_text(encoding="utf-8").replace("sample = true", "sample = false")
    for empty in ("address", "transparency_unit", "state_law", "basis"):
        words = words.replace(f'{empty} = ""', f'{empty} = "lo de {empty}"')
    file.write_text(words.replace("answer = 20", "answer = 15"), encoding="utf-8")
    with writing(world.parts.engine) as db:
        made = published.publish(db, file.read_bytes(), world.clock())
        assert published.publish(db, file.read_bytes(), world.clock()).version == made.version == 2
        assert published.answer_within(db) == 15
    page = world.app.test_client().get("/aviso").text
    assert "Texto de ejemplo" not in page
    assert "con domicilio en lo de address" in page
    assert "15 días hábiles" in page
    assert made.sha256 in page
    assert "ya no es la vigente" in world.app.test_client().get("/aviso/1").text
    assert world.app.test_client().get("/aviso/3").status_code == 404
    world.answers_until("beto", "hola", "es", "si")
    with reading(world.parts.engine) as db:
        found = db.scalars(select(schema.consents.c.notice).order_by(schema.consents.c.id))
        assert list(found) == [1, 2]


def test_the_command_publishes_lists_and_shows(small_world: World, tmp_path: Path) -> None:
    file = tmp_path / "aviso.toml"
    file.write_bytes(SHIPPED.read_bytes() + b"\n# otra\n")
    done = run(small_world, "publish", str(file))
    assert (done.exit_code, done.output.startswith("version 2, sha256 ")) == (0, True)
    assert "[values] address is still empty." in done.output
    rows = json.loads(run(small_world, "list", "--json").output)
    assert [row["version"] for row in rows] == [2, 1]
    assert run(small_world, "show", "1").output.encode() == SHIPPED.read_bytes()
    assert run(small_world, "show").output.encode() == file.read_bytes()
    assert run(small_world, "show", "9").exit_code == 2


def test_every_fault_of_a_notice_is_told_at_once(small_world: World, tmp_path: Path) -> None:
    file = tmp_path / "aviso.toml"
    file.write_text('[days]\nanswer = "x"\n[[section]]\ntitle.es = "Quién"\n', encoding="utf-8")
    done = run(small_world, "publish", str(file))
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 5
    file.write_text(SHIPPED.read_text().replace("{basis}", "{otra_cosa}"), encoding="utf-8")
    assert "{otra_cosa} stands in the text" in run(small_world, "publish", str(file)).output
    assert run(small_world, "list").output.count("\n") == 1


def test_the_notice_is_found_from_the_chat(small_world: World) -> None:
    small_world.answers_until("ana", "hola", "es", "si")
    assert "https://consulta.example.mx/aviso" in "\n".join(small_world.says("ana", "aviso"))
    small_world.says("ana", "baja")
    assert "https://consulta.example.mx/aviso" in "\n".join(small_world.says("ana", "AVISO"))
