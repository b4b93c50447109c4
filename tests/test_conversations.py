"""One message in, one answer out: over the real providers' clients, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot import voices
from storage import schema
from storage.database import reading
from tests.emulators import samples, telegram_people, twilio_people
from tests.world import ANA, BETO, CHELA, World


def test_a_newcomer_is_greeted_in_both_languages(world: World) -> None:
    assert world.says("ana", "hola") == [
        "Hola 👋 Soy el canal de la consulta de Gobierno Abierto de Yucatán.\n"
        "¿En qué idioma quieres seguir?\n"
        "Bix a beel. Maayat'aan wáaj káastelan?\n1. Español\n2. Maayat'aan"
    ]


def test_the_same_conversation_runs_over_whatsapp(world: World) -> None:
    world.says("beto", "hola")
    told = world.taps("beto", "Español")
    assert told[-1].endswith("¿Aceptas participar?\n1. Sí, acepto\n2. No, gracias")
    assert world.taps("beto", "Sí, acepto")[0].startswith("1 de 9 · ¿Qué edad tienes?")
    assert world.stored("beto") == {"idioma": "es", "consiente": "si"}


def test_a_button_press_is_always_settled(world: World) -> None:
    world.says("ana", "hola")
    world.taps("ana", "Español")
    world.taps("ana", "Sí, acepto")
    assert world.telegram.unanswered() == []


def test_several_choices_are_marks_that_stay_visible(world: World) -> None:
    world.answers_until("ana", "hola", "es", "si", "3", "Mérida", "sí", "saltar", "no")
    world.taps("ana", "Agua")
    world.taps("ana", "Salud")
    world.taps("ana", "Agua")
    world.taps("ana", "Transporte")
    asked = [seen for seen in world.telegram.history(ANA) if "más urgentes" in seen.text]
    assert len(asked) == 1
    marked = [button.text for button in asked[0].buttons if button.text.startswith("☑")]
    assert marked == ["☑ Salud", "☑ Transporte"]
    world.taps("ana", "Listo ✔")
    assert world.stored("ana")["temas"] == "salud transporte"
    after = next(seen for seen in world.telegram.history(ANA) if seen.id == asked[0].id)
    assert "☑ Salud" in [button.text for button in after.buttons]
    assert world.telegram.unanswered() == []


def test_an_old_button_changes_the_earlier_answer(world: World) -> None:
    world.answers_until("ana", "hola", "es", "si", "3")
    told = world.taps("ana", "60 o más")
    assert told[0].startswith("Cambié tu respuesta: 60 o más")
    assert world.stored("ana")["edad_rango"] == "60_mas"
    assert told[-1].splitlines()[-2].startswith("2 de")


def test_an_old_button_works_on_whatsapp_too(world: World) -> None:
    world.answers_until("beto", "hola", "es", "si")
    first = next(seen for seen in world.twilio.history(BETO) if "¿Aceptas" in seen.text)
    told = world.does("beto", world.twilio.press(BETO, 1, first))
    assert told[0].startswith("Cambié tu respuesta: No, gracias")
    assert world.stored("beto") == {}


def test_whatsapp_buttons_are_laid_down_once_for_everybody(world: World) -> None:
    world.cast["dora"] = twilio_people.Person("+5219994445566", "Dora")
    world.answers_until("beto", "hola", "es", "si")
    laid = len(world.twilio.contents)
    world.answers_until("dora", "hola", "es", "si")
    assert len(world.twilio.contents) == laid > 0


def test_a_voice_note_is_fetched_and_kept(world: World) -> None:
    world.answers_until("ana", "hola", "es", "si", "3", "Mérida", "sí")
    assert world.speaks("ana")[0].startswith("La recibí, gracias.")
    [row] = [row for row in world.rows("ana") if row["question"] == "localidad"]
    vault = world.parts.engine.get_execution_options()["vault"]
    assert world.parts.post.media.read(row["media"]) != samples.OGG
    assert voices.read(world.parts.post.media, row["media"], vault) == samples.OGG
    world.answers_until("beto", "hola", "es", "si", "3", "Mérida", "sí")
    world.speaks("beto")
    [row] = [row for row in world.rows("beto") if row["question"] == "localidad"]
    assert row["media"] in world.parts.post.media.names()


def test_a_deep_link_says_by_which_poster_a_person_came(world: World) -> None:
    world.does("ana", telegram_people.start(ANA, "cartel-tizimin"))
    with reading(world.parts.engine) as db:
        assert db.scalar(select(schema.people.c.came_by)) == "cartel-tizimin"


def test_52_and_521_are_one_person_answered_where_they_wrote(world: World) -> None:
    other = twilio_people.Person(BETO.number.replace("+521", "+52"), "Beto")
    world.says("beto", "hola")
    world.cast["beto too"] = other
    told = world.says("beto too", "1")
    assert told[-1].endswith("¿Aceptas participar?\n1. Sí, acepto\n2. No, gracias")
    assert world.count(schema.people) == 1


@pytest.mark.parametrize(
    ("happens", "answered"),
    [
        (telegram_people.in_group(ANA, "hola a todos"), False),
        (telegram_people.channel_post("aviso"), False),
        (telegram_people.sticker(ANA), True),
        (telegram_people.photo(ANA), True),
        (telegram_people.document(ANA), True),
        (telegram_people.contact(ANA), True),
        (telegram_people.location(ANA, 20.97, -89.62), True),
        (telegram_people.poll(ANA), True),
        (telegram_people.video(ANA), True),
    ],
    ids=lambda given: "" if isinstance(given, bool) else next(k for k in given if k != "update_id"),
)
def test_whatever_comes_gets_a_fitting_answer_or_a_deliberate_silence(
    small_world: World, happens: dict[str, object], answered: bool
) -> None:
    small_world.answers_until("ana", "hola", "es", "si", "3")
    assert bool(small_world.does("ana", happens)) is answered
    assert small_world.telegram.texts(telegram_people.GROUP) == []


def test_who_blocks_us_is_not_written_to(world: World) -> None:
    world.says("chela", "hola")
    world.does("chela", telegram_people.blocked(CHELA))
    with reading(world.parts.engine) as db:
        assert db.scalar(select(schema.people.c.blocked_at)) is not None
    world.does("chela", telegram_people.unblocked(CHELA))
    assert world.says("chela", "hola")
    with reading(world.parts.engine) as db:
        assert db.scalar(select(schema.people.c.blocked_at)) is None


def test_a_reply_in_the_other_language_is_an_answer_all_the_same(world: World) -> None:
    world.answers_until("ana", "hola", "Español")
    assert world.says("ana", "jaaj")[0].startswith("1 de 9")
    assert world.stored("ana")["consiente"] == "si"


def test_after_two_sure_replies_in_the_other_language_the_switch_is_offered(world: World) -> None:
    world.answers_until("ana", "hola", "Español", "jaaj", "3", "Mérida", "sí", "saltar", "no", "1")
    told = world.says("ana", "mina'an ja' tin kaajal, jach talam u beetik k-kuxtal")
    assert told == ["Maayat'aan?\n1. Jaaj\n2. No, en español"]
    told = world.says("ana", "no")
    assert told[0].startswith("7 de") or "Sobre ese tema" in told[0]
    [row] = [row for row in world.rows("ana") if row["question"] == "problema"]
    assert (row["language"], row["confidence"] > 0.9) == ("yua", True)
