"""What a reply means: tables of what people type."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogs import replies
from dialogs.script import Option, read

FORM = read(Path(__file__).parent.parent / "dialogs" / "forms" / "consulta.md")
CONSENT = FORM.question("consiente").options
AGES = FORM.question("edad_rango").options
THEMES = FORM.question("temas").options
MUNICIPALITIES = FORM.question("municipio").options


@pytest.mark.parametrize(
    ("command", "written"),
    [
        ("help", ["ayuda", "AYUDA", "Ayuda.", "/ayuda", "¡ayuda!", "áantaj", "aantaj", "Áantaj"]),
        ("back", ["atrás", "atras", "ATRÁS", "/atras", "atrás.", "páchil", "pachil"]),
        ("skip", ["saltar", "Saltar", "/saltar", "SALTAR!", "uláak'", "ulaak", "uláak’", "uláakʼ"]),
        ("repeat", ["repetir", "/repetir", "Repetir…", "tu ka'atéen", "tu kaateen", "ka´atéen"]),
        ("language", ["idioma", "/idioma", "IDIOMA", "cambiar idioma"]),
        ("maya", ["maya", "en maya", "maayat'aan", "Maayataan", "MAAYAT`AAN"]),
        ("spanish", ["español", "espanol", "en español", "káastelan"]),
        ("menu", ["menú", "menu", "/menu", "MENÚ"]),
        ("pause", ["pausa", "/pausa", "Pausa.", "tak sáamal"]),
        ("stop", ["alto", "baja", "stop", "STOP", "/baja", "Baja.", "wa'atal", "waatal", "xuul"]),
        ("return", ["volver", "Volver!", "suut"]),
        ("yes", ["sí", "si", "SI", "Sí.", "jaaj", "beey", "👍"]),
        ("no", ["no", "NO", "ma'", "ma", "ma’", "nel"]),
        ("", ["agua", "no hay agua", "mayapan", "el alto costo", "", "😀", "ayudar", "1"]),
    ],
)
def test_a_command_is_understood_however_it_is_spelled(command: str, written: list[str]) -> None:
    assert {text: replies.command(text) for text in written} == dict.fromkeys(written, command)


@pytest.mark.parametrize(
    ("options", "written", "name"),
    [
        (CONSENT, "1", "si"),
        (CONSENT, " 1. ", "si"),
        (CONSENT, "1️⃣", "si"),
        (CONSENT, "１", "si"),
        (CONSENT, "la 2", "no"),
        (CONSENT, "opción uno", "si"),
        (CONSENT, "jun", "si"),
        (CONSENT, "2 No, gracias", "no"),
        (CONSENT, "SI ACEPTO", "si"),
        (CONSENT, "claro que sí", "si"),
        (CONSENT, "jaaj", "si"),
        (CONSENT, "ma’", "no"),
        (AGES, "25", "18_29"),
        (AGES, "tengo 70 años", "60_mas"),
        (AGES, "17", "menor"),
        (AGES, "3", "30_44"),
        (THEMES, "toj óolal", "salud"),
        (THEMES, "toj oolal", "salud"),
        (THEMES, "educasion", "educacion"),
        (THEMES, "Medioambiente", "ambiente"),
    ],
)
def test_one_choice_is_named(options: tuple[Option, ...], written: str, name: str) -> None:
    found = replies.choice(options, written)
    assert (found.sure, found.options[0].name) == (True, name)


@pytest.mark.parametrize("written", ["3", "0", "99", "qué", "???", "", "no sé", "1 o 2", "😀"])
def test_what_names_no_choice_is_not_guessed(written: str) -> None:
    assert not replies.choice(CONSENT, written).sure


SERVICES = tuple(
    Option(name, {"es": label}, {}, {})
    for name, label in (
        *(("agua", "Agua"), ("luz", "Luz"), ("calles", "Calles y banquetas"), ("otro", "Otro")),
        *(("tren", "Tren"), ("camion", "Camión")),
    )
)


@pytest.mark.parametrize(
    ("written", "names", "sure"),
    [
        ("agua, luz", "agua luz", False),
        ("el agua y la luz", "agua luz", False),
        ("Agua o calles", "agua calles", False),
        ("1, 3", "agua calles", False),
        ("luz/agua/calles", "luz agua calles", False),
        ("agua, drenaje", "agua", False),
        ("agua, gracias", "agua", True),
        ("agua, pues nunca nos llega a la casa", "agua", True),
        ("calles y banquetas", "calles", True),
        ("calles y vanquetas", "calles", True),
        ("camion, camión", "camion", True),
    ],
)
def test_where_one_may_be_chosen_two_are_not_taken_for_the_first(written, names, sure) -> None:
    found = replies.choice(SERVICES, written)
    assert (" ".join(option.name for option in found.options), found.sure) == (names, sure)
    assert found.named == (" " in names)


def test_a_number_is_no_place_in_a_list_that_is_not_shown() -> None:
    assert replies.choice(MUNICIPALITIES, "1").options == ()


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("1, 3", "agua educacion"),
        ("1,3 y 5", "agua educacion seguridad"),
        ("1 3 5", "agua educacion seguridad"),
        ("agua y salud", "agua salud"),
        ("Agua, salud, otro tema", "agua salud otro"),
        ("ja', toj óolal", "agua salud"),
        ("obra y servicios", "obra"),
        ("obra y servicios, agua", "obra agua"),
        ("uno y dos", "agua salud"),
        ("agua, salud y 11", "agua salud otro"),
        ("agua y empleo y campo", "agua empleo"),
        ("2, 2", "salud"),
        ("agua", "agua"),
        ("1, 99", None),
        ("mmm", None),
    ],
)
def test_several_choices_are_named(written: str, names: str | None) -> None:
    found = replies.several(THEMES, written)
    assert (None if found is None else " ".join(option.name for option in found)) == names


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("12", 12),
        ("doce", 12),
        ("20 años", 20),
        ("-3", -3),
        ("1,200", 1200),
        ("１２", 12),
        ("óox", 3),
        ("3.5", None),
        ("entre 3 y 5", None),
        ("muchos", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_a_whole_number_is_read(written: str, number: int | None) -> None:
    assert replies.integer(written) == number


@given(st.text())
def test_whatever_is_written_has_a_meaning_or_none(written: str) -> None:
    assert replies.command(written) in {"", *replies._commands().values()}
    assert all(found in MUNICIPALITIES for found in replies.choice(MUNICIPALITIES, written).options)
    assert all(found in THEMES for found in replies.several(THEMES, written) or ())
    number = replies.integer(written)
    assert number is None or isinstance(number, int)
