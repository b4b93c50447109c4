"""What a form may hold, walked as people walk it: the engine alone, no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogs import checking, engine, script
from dialogs.state import (
    Dialog,
    Effect,
    End,
    Keep,
    Say,
    SetAside,
    TakeBack,
    Talk,
    from_json,
    to_json,
)
from dialogs.values import Inbound, Media
from dialogs.walking import Library

NOW = datetime(2021, 8, 15, 15, tzinfo=UTC)
LISTS = """
| choices |
| | list_name | name | label | zone |
| | si_no | si | Sí | |
| | si_no | no | No | |
| | zones | sur | Sur | |
| | zones | norte | Norte | |
| | towns | tizimin | Tizimín | norte |
| | towns | tekax | Tekax | sur |
| | towns | oxkutzcab | Oxkutzcab | sur |
| | three | a | Agua | |
| | three | b | Basura | |
| | three | c | Calles | |
"""


@dataclass
class Chat:
    """One person on one form."""

    library: Library
    talk: Talk = field(default_factory=lambda: Talk(language="es"))
    kept: dict[str, str] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    labels: list[list[str]] = field(default_factory=list)
    payloads: list[list[str]] = field(default_factory=list)

    def hears(self, **inbound) -> list[str]:
        heard = Inbound("chat", "1", "a", "a", NOW, **inbound)
        fresh = Dialog("d", "f", 1, "K7M-42P")
        self.talk, self.effects = engine.hear(self.talk, heard, self.library, fresh)
        said = [effect.message for effect in self.effects if isinstance(effect, Say)]
        self.messages = [message.text for message in said]
        self.labels = [[choice.label for choice in message.choices] for message in said]
        self.payloads = [[choice.payload for choice in message.choices] for message in said]
        for effect in self.effects:
            if isinstance(effect, Keep):
                self.kept[effect.question] = effect.value or effect.said
            if isinstance(effect, SetAside):
                self.kept = {k: v for k, v in self.kept.items() if k not in effect.questions}
        return self.messages

    def says(self, *texts: str) -> str:
        for text in texts:
            self.hears(text=text)
        return self.messages[-1]

    @property
    def ended(self) -> bool:
        return any(isinstance(effect, End) for effect in self.effects)


@pytest.fixture
def chat(tmp_path: Path):
    def begin(header: str, *rows: str, files: dict[str, str] | None = None) -> Chat:
        for name, content in (files or {}).items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        lines = (header, *rows)
        text = "| survey |\n" + "".join(f"| | {line} |\n" for line in lines) + LISTS
        (tmp_path / "f.md").write_text(text, encoding="utf-8")
        read = script.read(tmp_path / "f.md")
        begun = Chat(Library(lambda _form, _version: read, {"aviso_url": "https://x"}))
        begun.hears(text="hola")
        return begun

    return begin


PLAIN = "type | name | label"


@pytest.mark.parametrize(
    ("row", "good", "value", "bad"),
    [
        ("decimal | q | ¿?", "2,5", "2.5", "dos o tres"),
        ("integer | q | ¿?", "veinte", "20", "2.5"),
        ("date | q | ¿?", "5 de mayo", "2021-05-05", "31/2/2021"),
        ("time | q | ¿?", "3 pm", "15:00:00.000-06:00", "25:00"),
        ("dateTime | q | ¿?", "hoy 9:30", "2021-08-15T09:30:00.000-05:00", "hoy"),
        ("rank three | q | ¿?", "3, 1, 2", "c a b", "3, 1"),
        ("select_multiple three | q | ¿?", "1 y 3", "a c", "9"),
        ("acknowledge | q | ¿?", "entendido", "OK", "quizá"),
        ("geopoint | q | ¿?", "la plaza", "la plaza", None),
    ],
)
def test_each_type_takes_its_answers_and_no_other(chat, row, good, value, bad):
    person = chat(PLAIN, row)
    if bad is not None:
        person.says(bad)
        assert not person.ended
        assert "q" not in person.kept
    person.says(good)
    assert person.ended
    assert person.kept["q"] == value


def test_a_range_holds_its_bounds_and_steps(chat):
    person = chat(f"{PLAIN} | parameters", "range | q | ¿Cuánto? | start=0 end=10 step=5")
    assert "del 0 al 10" in person.messages[-1]
    assert "del 0 al 10" in person.says("7")
    person.says("5")
    assert person.kept == {"q": "5"}


def test_a_month_is_enough_where_a_month_is_asked(chat):
    person = chat(f"{PLAIN} | appearance", "date | q | ¿Desde cuándo? | month-year")
    person.says("agosto 2020")
    assert person.kept == {"q": "2020-08-01"}


def test_a_shared_location_is_a_place_and_a_photo_an_image(chat):
    person = chat(PLAIN, "geopoint | donde | ¿?", "image | foto | ¿?", "file | hoja | ¿?")
    person.hears(kind="location", point=(20.97, -89.62))
    assert person.kept == {"donde": "20.970000 -89.620000 0 0"}
    assert "foto" in person.says("no tengo")
    person.hears(kind="photo", media=Media("ref", "image/jpeg"))
    person.hears(kind="document", media=Media("ref2", "application/pdf"))
    kept = [effect for effect in person.effects if isinstance(effect, Keep)]
    assert kept[0].media == Media("ref2", "application/pdf")
    assert person.ended


def test_a_repeat_asks_for_another_and_counts_them(chat):
    person = chat(
        f"{PLAIN} | calculation | hint | most",
        "begin_repeat | problemas | | | ¿Hay otro? | 3",
        "text | tema | ¿Cuál problema? | |",
        "integer | gente | ¿A cuántas personas afecta ${tema}? | |",
        "end_repeat | | | |",
        "calculate | cuantos | | count(${problemas})",
        "calculate | total | | sum(${gente})",
        "note | fin | ${cuantos} problemas, ${total} personas, primero ${primero} |",
        "calculate | primero | | indexed-repeat(${tema}, ${problemas}, 1)",
        "acknowledge | ok | ¿Bien?",
    )
    assert "afecta agua?" in person.says("agua")
    assert person.says("10") == "¿Hay otro?"
    assert "¿Cuál problema?" in person.says("sí")
    assert "afecta luz?" in person.says("luz")
    person.says("5", "no")
    assert "2 problemas, 15 personas, primero agua" in "".join(person.messages)
    person.says("1")
    assert person.kept["tema#1"] == "agua"
    assert person.kept["gente#2"] == "5"
    assert person.kept["total"] == "15"
    assert person.ended


def test_no_more_than_the_most_instances_are_asked_for(chat):
    person = chat(f"{PLAIN} | most", "begin_repeat | r | | 2", "text | x | ¿?", "end_repeat")
    person.says("uno")
    assert "Cabe uno más." in person.messages[-1]
    person.says("sí", "dos")
    assert person.ended
    assert set(person.kept) == {"x#1", "r#1", "x#2"}


def test_a_counted_repeat_asks_as_often_as_was_said(chat):
    person = chat(
        f"{PLAIN} | repeat_count",
        "integer | n | ¿Cuántos hijos? |",
        "begin_repeat | hijo | Hijo | ${n}",
        "text | nombre | ¿Cómo se llama? |",
        "end_repeat",
        "note | fin | Listo. |",
    )
    person.says("2")
    assert "Hijo · 1" in "".join(person.messages)
    person.says("Ana", "Beto")
    assert person.ended
    assert person.kept == {"n": "2", "nombre#1": "Ana", "nombre#2": "Beto"}


def test_who_names_more_than_a_chat_asks_for_is_told_so_once(chat):
    rows = ("integer | n | ¿? |", "begin_repeat | r | | ${n}", "text | x | ¿X? |", "end_repeat")
    person = chat(f"{PLAIN} | repeat_count", *rows)
    assert "Son 120. Por aquí te preguntamos solo por los primeros 100." in person.says("120")
    assert "Son 120" not in person.says("uno")
    assert person.hears(text="atrás")
    assert person.hears(text="atrás")
    assert "Son" not in person.says("100")


def test_taking_back_another_sets_its_answers_aside(chat):
    person = chat(PLAIN, "begin_repeat | r |", "text | x | ¿?", "end_repeat", "text | z | ¿Z?")
    person.says("uno")
    buttons = person.payloads[-1]
    person.says("sí", "dos", "no")
    person.hears(kind="button", payload=buttons[1])  # the first "¿Otro más?" is now a no
    assert set(person.kept) == {"x#1", "r#1"}
    person.hears(kind="button", payload=buttons[0])
    assert any(isinstance(effect, TakeBack) for effect in person.effects)


def test_a_cascade_offers_only_what_belongs(chat):
    person = chat(
        f"{PLAIN} | choice_filter",
        "select_one zones | z | ¿Zona? |",
        "select_one towns | t | ¿Dónde? | zone = ${z}",
    )
    zones = person.payloads[-1]
    person.says("1")
    assert person.labels[-1] == ["Tekax", "Oxkutzcab"]
    person.says("2")
    assert person.kept == {"z": "sur", "t": "oxkutzcab"}
    person.hears(kind="button", payload=zones[1])
    assert "t" not in person.kept
    assert person.labels[-1] == ["Tizimín"]


def test_a_question_whose_choices_are_all_filtered_out_is_no_dead_end(chat):
    person = chat(
        f"{PLAIN} | choice_filter",
        "select_multiple three | m | ¿? |",
        "select_one towns | t | ¿? | zone = ${m}",
        "text | u | ¿Última? |",
    )
    assert "¿Última?" in person.says("1")


def test_what_is_computed_follows_and_is_kept(chat):
    person = chat(
        f"{PLAIN} | calculation | default | read_only",
        "start | inicio",
        "today | hoy",
        "hidden | origen | | | cartel",
        "integer | a | ¿Cuánto? |",
        "calculate | doble | | ${a} * 2",
        "integer | visto | El doble es | ${a} * 2 | | yes",
        "select_one si_no | s | ¿Sí? | |",
        "calculate | dicho | | jr:choice-name(${s}, '${s}')",
        "end | fin",
    )
    person.says("21")
    assert "El doble es 42" in "".join(person.messages)
    person.says("1")
    assert person.kept["doble"] == "42"
    assert person.kept["dicho"] == "Sí"
    assert person.kept["origen"] == "cartel"
    assert person.kept["hoy"] == "2021-08-15"
    assert person.kept["inicio"].startswith("2021-08-15T10:00")
    assert person.kept["fin"].startswith("2021-08-15T10:00")


def test_what_repeats_a_persons_words_is_kept_as_words(chat):
    person = chat(
        f"{PLAIN} | calculation", "text | n | ¿Nombre?", "calculate | c | | concat(${n}, '!')"
    )
    person.says("Ana")
    keep = next(e for e in person.effects if isinstance(e, Keep) and e.question == "c")
    assert (keep.value, keep.said) == ("", "Ana!")


def test_a_preset_is_told_and_stays_if_it_is_skipped(chat):
    person = chat(f"{PLAIN} | default", "integer | n | ¿Cuántos? | 3", "text | m | ¿Más? |")
    assert "anotamos: 3" in person.messages[-1]
    person.says("saltar")
    assert person.kept == {"n": "3"}


def test_choices_are_counted_in_their_filter(chat):
    person = chat(
        f"{PLAIN} | choice_filter",
        "select_one three | a | ¿A? | position() < last()",
        "select_one three | b | ¿B? | name = ${a} or position() = 3",
        "text | c | ¿C? |",
    )
    assert person.labels[-1] == ["Agua", "Basura"]
    person.says("Basura")
    assert person.labels[-1] == ["Basura", "Calles"]


def test_zero_is_no_where_a_number_is_asked_whether_it_is_there(chat):
    person = chat(
        f"{PLAIN} | relevant",
        "decimal | n | ¿Cuántos? |",
        "text | sí | ¿De qué? | ${n}",
        "text | más | ¿Algo? | if(${n} > 5, 1, ${n}) and ${nombre} = ''",
        "text | nombre | ¿Ninguno? | not(${n})",
        "text | fin | ¿Ya? | ${nombre}",
    )
    assert "¿Ninguno?" in person.says("0.0")
    assert "¿Ya?" in person.says("0")
    assert "¿De qué?" in person.says("atrás", "atrás", "2")
    assert "¿Algo?" in person.says("x")


def test_a_trigger_computes_only_when_its_question_changes(chat):
    person = chat(
        f"{PLAIN} | calculation | trigger",
        "integer | a | ¿A? |",
        "integer | b | ¿B? |",
        "calculate | sum | | coalesce(${b}, 0) + ${a} | ${a}",
        "note | n | Suma ${sum} |",
    )
    person.says("1", "2")
    assert person.kept["sum"] == "1"  # b was not there yet when a changed


def test_what_is_no_number_is_no_answer_and_what_has_no_words_is_not_said(chat):
    person = chat(
        f"{PLAIN} | calculation | relevant",
        "integer | a | ¿A? | |",
        "calculate | more | | ${a} + 1 |",
        "integer | half | | ${a} div 2 |",
        "text | b | ¿B? | | ${more} = ''",
        "note | n | Es ${more}, y la mitad ${half}. | |",
        "acknowledge | ok | ¿Bien? | |",
    )
    assert "¿B?" in person.says("saltar")
    said = person.says("x")
    assert "Es , y la mitad ." in "".join(person.messages), said
    assert person.kept == {"b": "x"}
    person.says("atrás", "atrás", "5", "entendido")
    assert person.kept == {"a": "5", "more": "6", "half": "2", "ok": "OK"}


def test_what_is_preset_and_breaks_a_rule_is_not_taken_by_whoever_skips(chat):
    person = chat(
        f"{PLAIN} | default | constraint | required | choice_filter",
        "integer | n | ¿Cuántos? | 30 | . < 20 | |",
        "select_one zones | zone | ¿Zona? | | | |",
        "select_one towns | town | ¿Pueblo? | tekax | | yes | zone = ${zone}",
        "text | b | ¿B? | | | |",
    )
    assert "¿Zona?" in person.says("saltar")
    assert person.kept == {}
    person.says("Norte")
    assert "¿B?" not in person.says("saltar")
    person.says("Tizimín")
    assert person.kept == {"zone": "norte", "town": "tizimin"}


def test_answers_that_became_irrelevant_are_set_aside_and_come_back(chat):
    person = chat(
        f"{PLAIN} | relevant",
        "select_one si_no | a | ¿A? |",
        "text | b | ¿B? | ${a} = 'si'",
        "text | c | ¿C? | ${b} != ''",
        "text | d | ¿D? |",
    )
    buttons = person.payloads[-1]
    person.says("sí", "b", "c")
    assert set(person.kept) == {"a", "b", "c"}
    person.hears(kind="button", payload=buttons[1])
    assert set(person.kept) == {"a"}
    person.hears(kind="button", payload=buttons[0])
    assert any(isinstance(e, TakeBack) and set(e.questions) == {"b", "c"} for e in person.effects)


def test_a_later_answer_may_clear_an_earlier_one(chat):
    person = chat(
        f"{PLAIN} | relevant",
        "text | a | ¿A? | not(${b} = 'no')",
        "select_one si_no | b | ¿B? |",
        "note | c | Fin. |",
    )
    person.says("algo", "no")
    assert person.kept == {"b": "no"}


def test_a_constraint_is_not_evaluated_on_an_empty_answer(chat):
    person = chat(f"{PLAIN} | constraint", "integer | a | ¿A? | . > 5", "text | b | ¿B? |")
    person.says("3")
    assert "a" not in person.kept
    assert "¿B?" in person.says("saltar")


def test_required_may_depend_on_an_answer(chat):
    header = f"{PLAIN} | required | required_message"
    rows = (
        "select_one si_no | a | ¿A? | |",
        "text | b | ¿B? | ${a} = 'si' | Hace falta.",
        "text | c | ¿C?",
    )
    needed, free = chat(header, *rows), chat(header, *rows)
    needed.says("sí", "saltar")
    assert "Hace falta." in needed.messages[0]
    assert "¿C?" in free.says("no", "saltar")


def test_a_voice_note_counts_as_an_answer_for_what_follows(chat):
    person = chat(f"{PLAIN} | relevant", "text | a | ¿A? |", "text | b | ¿B? | ${a} != ''")
    person.hears(kind="voice", media=Media("ref", "audio/ogg"))
    assert "¿B?" in person.messages[-1]


def test_randomized_choices_keep_their_order_for_a_person_and_the_last_stay_last(chat):
    rows = ("select_one_from_file o.csv | q | ¿? | randomize=true",)
    table = (
        "name,label,last\n" + "".join(f"c{i},Opción {i},\n" for i in range(9)) + "otro,Otro,yes\n"
    )
    person = chat(f"{PLAIN} | parameters", *rows, files={"o.csv": table})
    first = person.labels[-1]
    assert first[-1] == "Otro"
    assert first != sorted(first)
    person.says("repetir")
    assert person.labels[-1] == first
    person.says("2")
    assert f"Opción {person.kept['q'][1:]}" == first[1]


def test_pulldata_reads_the_attached_table(chat):
    table = "clave,nombre\nA1,Mérida\nB2,Tekax\n"
    person = chat(
        f"{PLAIN} | calculation | constraint",
        "text | k | ¿Clave? | | pulldata('t', 'nombre', 'clave', .) != ''",
        "calculate | n | | pulldata('t', 'nombre', 'clave', ${k})",
        "select_one si_no | s | ¿Eres de ${n}? |",
        files={"t.csv": table},
    )
    person.says("C3")
    assert "k" not in person.kept
    assert "¿Eres de Tekax?" in person.says("B2")


def test_max_length_is_held(chat):
    person = chat(f"{PLAIN} | parameters", "text | a | ¿A? | max-length=5")
    assert "5 letras" in person.says("demasiado largo")
    person.says("corto")
    assert person.kept == {"a": "corto"}


def test_guidance_is_told_to_those_who_ask_for_help(chat):
    person = chat(f"{PLAIN} | guidance_hint", "text | a | ¿A? | Piensa en tu calle.")
    assert "Piensa en tu calle." not in "".join(person.messages)
    person.says("ayuda")
    assert "Piensa en tu calle." in "".join(person.messages)


def test_a_form_without_a_language_question_is_said_in_spanish(chat):
    person = chat(PLAIN, "integer | a | ¿Cuántos?", "text | b | ¿B?")
    person.talk = Talk()
    person.hears(text="hola")
    assert "Contesta con un número." in person.messages[-1]


def test_choices_of_a_filter_that_no_longer_stand_cannot_be_pressed(chat):
    person = chat(
        f"{PLAIN} | choice_filter",
        "select_one zones | z | ¿Zona? |",
        "select_one towns | t | ¿Dónde? | zone = ${z}",
        "text | u | ¿? |",
    )
    zones = person.payloads[-1]
    person.says("1")
    towns = person.payloads[-1]
    person.hears(kind="button", payload=zones[1])
    person.hears(kind="button", payload=towns[0])
    assert person.kept == {"z": "norte"}


EVERYTHING = """| survey |
| | type | name | label | calculation | constraint | relevant | most |
| | text | t | ¿T? | | string-length(.) > 1 | | |
| | decimal | d | ¿D? | | . < 100 | | |
| | date | f | ¿F? | | . <= today() | | |
| | time | h | ¿H? | | | | |
| | select_multiple three | m | ¿M? | | count-selected(.) < 3 | | |
| | begin_repeat | r | R | | | ${d} > 0 | 3 |
| | rank three | k | ¿K? | | | | |
| | geopoint | g | ¿G de ${t}? | | | | |
| | end_repeat | | | | | | |
| | calculate | c | | concat(${t}, count(${r}), format-date(${f}, '%Y')) | | | |
| | select_one si_no | s | ¿S ${c}? | | | | |
"""
REPLIES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["1", "2", "1, 2, 3", "sí", "no", "5", "hoy", "9:30", "saltar", "atrás", "hola"]
    ),
    st.sampled_from(
        ["ayuda", "menú", "repetir", "baja", "volver", "idioma", "maya", "1 y 3", "-1"]
    ),
)


@settings(max_examples=60, deadline=None)
@given(said=st.lists(REPLIES, max_size=25), presses=st.lists(st.integers(0, 40), max_size=8))
def test_whatever_is_said_or_pressed_nothing_breaks_and_there_is_always_an_answer(said, presses):
    with TemporaryDirectory() as folder:
        path = Path(folder, "f.md")
        path.write_text(EVERYTHING + LISTS, encoding="utf-8")
        read = script.read(path)
    person = Chat(Library(lambda _form, _version: read))
    buttons: list[str] = []
    for text in ("hola", *said):
        assert person.hears(text=text) or person.talk.stopped
        buttons += [payload for payloads in person.payloads for payload in payloads]
        assert from_json(to_json(person.talk)) == person.talk
    for press in presses:
        if buttons:
            person.hears(kind="button", payload=buttons[press % len(buttons)])
            assert all(len(payload.encode()) <= 64 for payload in buttons)


def test_a_trigger_without_a_calculation_clears_the_answer_and_asks_again(chat):
    talk = chat(
        "type | name | label | trigger",
        "text | where | ¿Dónde? |",
        "text | why | ¿Por qué ahí? | ${where}",
        "text | who | ¿Quién? |",
    )
    talk.says("En Sisal", "Por el mar", "atrás", "atrás", "En Muna")
    assert "¿Por qué ahí?" in talk.messages[-1]
    assert talk.kept == {"where": "En Muna"}
    talk.says("Por las grutas", "Ana")
    assert talk.ended
    assert talk.kept == {"where": "En Muna", "why": "Por las grutas", "who": "Ana"}


def test_a_picture_or_a_recording_asks_by_itself(chat):
    files = {"mapa.png": "x", "pregunta.ogg": "x"}
    talk = chat(
        "type | name | media::image | media::audio",
        "text | a | mapa.png |",
        "text | b | | pregunta.ogg",
        files=files,
    )
    assert "Mira la imagen." in talk.messages[-1]
    assert "Escucha la grabación." in talk.says("ahí")


def test_a_rule_that_several_choices_break_is_not_called_misunderstood(chat):
    rule = "not(selected(., 'a') and count-selected(.) > 1)"
    talk = chat("type | name | label | constraint", f"select_multiple three | q | ¿? | {rule}")
    assert talk.says("1, 2") == "Esa respuesta no se puede guardar así. ¿La cambias?"


def test_a_range_says_by_which_step_it_goes(chat):
    row = "range | q | ¿? | start=0.5 end=2.5 step=0.5"
    talk = chat("type | name | label | parameters", row)
    assert "del 0.5 al 2.5, de 0.5 en 0.5" in talk.messages[-1]
    assert "de 0.5 en 0.5" in talk.says("1.25")
    assert talk.says("1.5")
    assert talk.kept == {"q": "1.5"}


def test_a_choice_whose_label_names_an_answer_is_said_with_it_everywhere(tmp_path):
    form = """
| survey |
| | type | name | label | default |
| | text | who | ¿Quién? | |
| | select_one go | go | ¿Va? | yes |
| | note | told | Dijiste: ${go} | |
| choices |
| | list_name | name | label |
| | go | yes | ${who} va |
| | go | no | No va |
"""
    (tmp_path / "f.md").write_text(form, encoding="utf-8")
    read = script.read(tmp_path / "f.md")
    talk = Chat(Library(lambda _form, _version: read))
    talk.says("hola", "Ana")
    assert "anotamos: Ana va." in talk.messages[-1]
    assert talk.says("saltar") == "Dijiste: Ana va"


def test_only_what_repeats_is_numbered(chat):
    talk = chat(
        PLAIN,
        "begin_repeat | child | Hijo",
        "begin_group | data | Datos",
        "text | name | ¿Nombre?",
        "end_group | | ",
        "end_repeat | | ",
    )
    assert talk.messages[0].startswith("Hijo · 1\n\nDatos\n\n1 de 1 · ¿Nombre?")


def test_of_many_choices_those_of_the_changed_answer_stand(tmp_path):
    towns = "".join(f"| | towns | t{at} | Lugar {at} | {at % 3} |\n" for at in range(150))
    form = f"""
| survey |
| | type | name | label | choice_filter |
| | integer | zone | ¿Zona? | |
| | select_one towns | town | ¿Lugar? | zone = ${{zone}} |
| choices |
| | list_name | name | label | zone |
{towns}"""
    (tmp_path / "f.md").write_text(form, encoding="utf-8")
    read = script.read(tmp_path / "f.md")
    talk = Chat(Library(lambda _form, _version: read))
    assert "Lugar" in talk.says("hola", "1")
    talk.says("Lugar 4", "atrás", "atrás", "2", "Lugar 4")
    assert talk.kept == {"zone": "2"}
    talk.says("Lugar 5")
    assert talk.kept == {"zone": "2", "town": "t5"}


def test_groups_of_one_name_in_several_others_are_each_announced(chat):
    inner = ("begin_group | data | Datos de {}", "text | who | ¿Quién {}?", "end_group | | ")
    talk = chat(
        PLAIN,
        *("begin_group | a | ", *(row.format("A") for row in inner), "end_group | | "),
        *("begin_group | b | ", *(row.format("B") for row in inner), "end_group | | "),
    )
    assert talk.messages[0].startswith("Datos de A")
    assert talk.says("Ana").startswith("Datos de B")
    talk.says("Beto")
    assert talk.kept == {"a-data-who": "Ana", "b-data-who": "Beto"}


def test_a_file_of_another_kind_than_is_asked_for_is_not_taken(chat):
    begun = chat(
        "type | name | label | body::accept | required", "file | f | ¿El acta? | .pdf | yes"
    )
    begun.says("hola")
    begun.hears(kind="photo", media=Media("1", ""))
    assert "no me sirve aquí. Mándame un PDF." in begun.messages[0]
    begun.hears(kind="document", media=Media("1", "application/pdf"))
    assert "f" in begun.kept
    assert begun.ended


@pytest.mark.parametrize(("accept", "taken"), [(".doc, .xlsx", False), (".doc,.pdf", True)])
def test_what_no_chat_keeps_is_not_asked_for(tmp_path, accept, taken):
    text = "| survey |\n| | type | name | label | body::accept |\n| | file | f | ¿? | {} |\n"
    (tmp_path / "f.md").write_text(text.format(accept), encoding="utf-8")
    found = checking.check(tmp_path / "f.md")
    assert (found.faults == ()) is taken
    assert not found.warnings
    if taken:
        assert found.walked.finished == found.walked.people
