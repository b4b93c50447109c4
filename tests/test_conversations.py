"""One message in, one answer out: over the real providers' clients, on both databases."""

from __future__ import annotations

from tests.world import World


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
