"""Questionnaires in the manner of many others': each is walked to its end, or refused by the row.

None of them is anybody's: they are written after what is usual with KoboToolbox, ODK, SurveyCTO,
in humanitarian needs assessments, nutrition surveys, elections and citizens' consultations.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dialogs import checking, columns, tables
from dialogs import script as scripts
from dialogs.questions import Script
from dialogs.walking import Library
from tests.test_forms import Chat

SAMPLES = Path(__file__).parent / "samples"
WALKED = (
    *("consulta_ciudadana", "customer_ratings", "election_day", "households_and_trips"),
    "kobo_household",
    *("house_and_owner", "last_visit"),
    *("needs_assessment", "numbered_names", "nutrition", "old_style", "plots_and_crops"),
)
REFUSED = {  # form -> rows of the survey sheet, and a word of what to do
    "paths_and_matrices": {6: "calculate inside", 8: "one after another", 9: "one after another"},
    "spreadsheet_habits": {3: "${x} and ${y}", 4: "small letters", 5: "string-length(",
                           6: "div 365", 7: "write !=", 8: "translate(", 9: "one =",
                           10: "close the quotes",
                           12: "calculate inside", 13: "write >="},
    "surveycto": {3: "Delete the row", 4: "Delete the row", 5: "Use hidden", 6: "choice_filter",
                  9: "Delete the row", 10: "Use text", 11: "Use geopoint", 12: "Ask for a photo",
                  13: "Use audio, image", 14: "Correct it"},
    "unreachable": {4: "relevant", 5: "relevant", 6: "relevant", 7: "choice_filter"},
}  # fmt: skip


def test_every_sample_is_tried():
    assert {path.stem for path in SAMPLES.glob("*.md")} == {*WALKED, *REFUSED}


@pytest.mark.parametrize("name", WALKED)
def test_a_questionnaire_of_others_is_walked_to_its_end_with_every_question_reached(name):
    found = checking.check(SAMPLES / f"{name}.md")
    assert found.faults == ()
    assert found.walked
    assert (found.walked.finished, found.walked.unreached) == (found.walked.people, ())


@pytest.mark.parametrize("name", WALKED)
def test_as_a_spreadsheet_it_is_the_same_questionnaire(name, tmp_path):
    for table in SAMPLES.glob("*.csv"):
        (tmp_path / table.name).write_bytes(table.read_bytes())
    tables.to_xlsx(columns.for_odk(tables.read(SAMPLES / f"{name}.md")), tmp_path / "f.xlsx")
    one = scripts.read(SAMPLES / f"{name}.md", name="f")
    other = scripts.read(tmp_path / "f.xlsx", name="f")
    assert one.questions == other.questions


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_carried_is_refused_with_its_row_and_a_cure(name):
    faults = checking.check(SAMPLES / f"{name}.md").faults
    told = {
        row: [f for f in faults if (f.sheet, f.row) == ("survey", row)] for row in REFUSED[name]
    }
    assert {fault.row for fault in faults} == set(REFUSED[name])
    for row, cure in REFUSED[name].items():
        assert any(cure in str(fault) for fault in told[row]), (row, told[row])
    assert all(fault.cure for fault in faults)


# what comes out is what the form means


def walked(name: str, *said: str) -> Chat:
    read: Script = scripts.read(SAMPLES / f"{name}.md")
    chat = Chat(Library(lambda _form, _version: read))
    for text in ("hola", *said):
        chat.hears(text=text)
    return chat


def test_a_roster_is_asked_as_often_as_there_are_members_and_added_up():
    chat = walked(
        "needs_assessment", "hoy", "1", "2", "1", "2",
        "Ana", "30", "1", "Beto", "9", "2", "no", "2",
    )  # fmt: skip
    assert "¿Cuántas embarazadas?" in chat.messages[-1]
    assert "Ana, Beto" in "\n".join(chat.messages)
    chat.says("2")
    assert "pregnant" not in chat.kept
    chat.says("1", "1, 2", "5")
    assert chat.ended
    wanted = {"admin3": "n2a", "why_not#2": "cost", "needs": "water food", "trust": "5"}
    computed = {"children": "1", "women": "1", "place": "Puerto", "names": "Ana, Beto"}
    assert wanted.items() <= chat.kept.items()
    assert computed.items() <= chat.kept.items()
    assert "school#1" not in chat.kept
    assert "order" not in chat.kept


def test_a_repeat_is_asked_within_each_instance_of_another():
    chat = walked("households_and_trips", "2", "Ana", "Beto", "30", "Muna", "50", "sí")
    assert chat.messages[-1].startswith("Trip · 1.1.2\n\n7 de 11 · Where does Beto go?")
    assert chat.says("Tekax", "40", "no") == "Member. ¿Otro más?"
    chat.says("sí", "Cruz", "8", "no")
    assert "Household 1 has 2 members." in "\n".join(chat.messages)
    chat.says("Dora")
    assert "the household of Dora?" in chat.messages[-1]
    chat.says("Eva", "60", "Ticul", "20", "no", "no")
    told = "Household 2 has 1 members.\n\nOnce more · 1\n\nAna\n\nOnce more · 2\n\nDora"
    assert told in "\n\n".join(chat.messages)
    chat.says("por la milpa")
    wanted = {"where#1#1#2": "Tekax", "age#1#2": "8", "who#2#1": "Eva", "trip#1#1#1": "si"}
    computed = {"people": "3", "travel": "110", "second": "Tekax", "members#1": "2"}
    assert {**wanted, **computed, "far": "por la milpa"}.items() <= chat.kept.items()
    chat.says(*["atrás"] * 19, "10")
    assert chat.kept["age#1#1"] == "10"
    assert "where#1#1#1" not in chat.kept
    assert "where#2#1#1" in chat.kept


def test_instances_are_picked_by_their_number_and_by_what_they_hold():
    chat = walked("last_visit", "Ana", "8", "sí", "Beto", "30")
    assert "Beto comes after Ana" in "\n".join(chat.messages)
    chat.says("sí", "Cruz", "9", "no")
    assert "Last: Cruz. Second: Beto. Children: 2, aged 17 together." in "\n".join(chat.messages)


def test_the_same_condition_in_two_groups_is_about_each_groups_own_answer():
    chat = walked("last_visit", "Ana", "8", "no", "no", "sí")
    assert "And the yard: what?" in chat.messages[-1]


def test_questions_of_one_name_in_several_groups_are_told_apart_by_the_group():
    chat = walked("house_and_owner", "40", "the roof", "Otro", "palm", "12")
    assert "How old is its owner" not in chat.messages[-1]
    chat.says("60", "1990", "my daughter")
    assert chat.messages == ["100 years together."]
    wanted = {"house-age": "40", "house-note": "the roof", "kind_other": "palm"}
    assert {**wanted, "owner-age": "60", "owner-note": "1990"}.items() <= chat.kept.items()
    assert {"heir-note": "my daughter", "years": "100"}.items() <= chat.kept.items()


def test_an_age_in_months_decides_what_is_measured():
    chat = walked("nutrition", "12345678", "no", "30", "8,5", "75", "yes", "110", "no", "Centro")
    chat.says("9:30", "1, 99")
    assert "vaccines" not in chat.kept
    chat.says("1, 2")
    assert chat.ended
    wanted = {"months": "30", "lying": "standing", "bmi": "15.1", "severe": "true"}
    assert wanted.items() <= chat.kept.items()
    assert (chat.kept["visit"], chat.kept["facility"]) == ("12345678-20210815", "Centro")
    young = walked("nutrition", "12345678", "no", "3")
    assert "measure the mother" in "\n".join(young.messages)


def test_a_repeat_is_asked_once_for_each_choice_and_named_for_it():
    chat = walked("plots_and_crops", "1, 3", "2")
    assert "Area of Maize?" in chat.messages[-1]
    chat.says("12", "40", "otro")
    assert "buyer#1" in chat.kept
    chat.says("la tienda", "0,5")
    assert {"crop_label#1": "Maize", "crop_label#2": "Chili"}.items() <= _now(chat).items()
    assert "Why less" in chat.messages[-1]
    chat.says("se secó")
    assert "You have 12.5 ha in 2 plots." in "\n".join(chat.messages)


def test_computed_texts_are_shown_and_what_is_too_much_is_asked_again():
    chat = walked("election_day", "Dora", "9:10", "llovía", "100", "80", "40")
    assert any("Votaron 120 %" in said for said in chat.messages)
    assert "vuelve a contar" in chat.messages[-1]
    assert {"late": "true", "total": "120"}.items() <= _now(chat).items()


def _now(chat: Chat) -> dict[str, str]:
    return dict(chat.talk.dialogs[-1].answers)


def test_markup_for_phones_is_not_read_out(tmp_path):
    chat = walked("kobo_household")
    assert "**" not in "\n".join(chat.messages)
    for written, said in {
        "<span style=\"color:red\">Hola</span><br/>¿Qué <b>tal</b>?": "Hola\n¿Qué tal?",
        "## Parte 2\n**¿Cuántos?** 3 < 5 & 5 > 3": "Parte 2\n¿Cuántos? 3 < 5 & 5 > 3",
        "Lee [el aviso](https://x.mx/a) &amp; sigue&nbsp;": "Lee el aviso: https://x.mx/a & sigue ",
        "Mi nombre es ____ y **2 ** 3** es raro": "Mi nombre es ____ y 2 ** 3 es raro",
        "<5 años": "<5 años",
    }.items():  # fmt: skip
        assert columns.spoken(written) == said
