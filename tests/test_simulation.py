"""What is found before anybody is asked: reach, lengths, translations; and simulated people."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialogs import checking, drawing, script, simulation

FORMS = sorted((Path(script.__file__).parent / "forms").glob("*.md"))


def check(folder: Path, survey: str, choices: str = "") -> checking.Checked:
    (folder / "f.md").write_text(
        f"| survey |\n{survey}\n| choices |\n{choices}\n", encoding="utf-8"
    )
    return checking.check(folder / "f.md")


def told(found: checking.Checked) -> str:
    return "\n".join(map(str, (*found.faults, *found.warnings)))


SI_NO = """| | list_name | name | label::Español (es) | label::Maya (yua) |
| | si_no | si | Sí | Jaaj |
| | si_no | no | No | Ma' |"""
HEAD = "| | type | name | label::Español (es) | label::Maya (yua) | relevant | constraint |\n"
FIRST = "| | select_one si_no | a | ¿A? | A? | | |\n| | integer | n | ¿N? | N? | | . <= 10 |\n"


@pytest.mark.parametrize(
    ("relevant", "reached"),
    [
        ("${a} = 'si'", True),
        ("${a} = 'si' and ${a} = 'no'", False),
        ("${n} > 9", True),
        ("${n} > 10", False),
        ("${n} > 3 and ${n} < 2", False),
        ("not(selected(${a}, 'si')) and ${n} = 7", True),
        ("false()", False),
        ("${a} = 'quizá'", False),
        ("string-length(${a}) = 2", True),
    ],
)
def test_a_question_that_no_answer_can_reach_is_found(tmp_path, relevant, reached):
    found = check(tmp_path, HEAD + FIRST + f"| | text | b | ¿B? | B? | {relevant} | |", SI_NO)
    unreachable = [fault for fault in found.faults if "No answer leads" in fault.problem]
    assert [(fault.row, fault.name) for fault in unreachable] == ([] if reached else [(4, "b")])


def test_what_depends_on_the_unreachable_is_unreachable_too(tmp_path):
    rows = "| | select_one si_no | b | ¿B? | B? | ${n} > 10 | |\n"
    rows += "| | text | c | ¿C? | C? | ${b} = 'si' | |"
    found = check(tmp_path, HEAD + FIRST + rows, SI_NO)
    assert [fault.name for fault in found.faults] == ["b", "c"]


def test_a_choice_that_leads_nowhere_and_one_that_is_never_offered_are_found(tmp_path):
    survey = """| | type | name | label | relevant | choice_filter |
| | select_one z | a | ¿A? | | |
| | text | b | ¿B? | ${a} = 'oeste' | |
| | select_one t | t | ¿T? | | zone = ${a} |"""
    choices = """| | list_name | name | label | zone |
| | z | norte | Norte | |
| | z | sur | Sur | |
| | t | uno | Uno | norte |
| | t | dos | Dos | este |"""
    found = told(check(tmp_path, survey, choices))
    assert "It waits for 'oeste', which is no choice of a." in found
    assert "The choice 'dos' is never offered." in found


def test_a_translation_missing_in_one_cell_is_found(tmp_path):
    found = check(tmp_path, HEAD + FIRST + "| | text | b | ¿B? | | | |", SI_NO.replace("Ma'", ""))
    assert not found.faults
    missing = [w for w in found.warnings if "no text in Maya" in w.problem]
    assert [(w.sheet, w.row, w.name) for w in missing] == [("survey", 4, "b"), ("choices", 3, "no")]


def test_labels_and_messages_that_are_too_long_are_told(tmp_path):
    survey = f"| | type | name | label |\n| | select_one s | a | {'x' * 301} |\n"
    survey += f"| | note | b | {'x' * 1700} |"
    choices = "| | list_name | name | label |\n| | s | si | Sí, estoy de acuerdo con eso |\n"
    found = told(check(tmp_path, survey, choices))
    assert "has 301 letters; the guide is 300" in found
    assert "WhatsApp takes 1,600 letters" in found
    assert "a WhatsApp button shows 20" in found


def test_recordings_are_looked_for(tmp_path):
    (tmp_path / "b.wma").write_bytes(b"x")
    (tmp_path / "c.ogg").write_bytes(b"OggS")
    with (tmp_path / "d.ogg").open("wb") as large:
        large.truncate(16_000_001)
    survey = "| | type | name | label | media::audio |\n" + "".join(
        f"| | text | {file[0]} | ¿? | {file} |\n" for file in ("a.ogg", "b.wma", "c.ogg", "d.ogg")
    )
    found = check(tmp_path, survey)
    assert [fault.name for fault in found.faults] == ["a", "b", "d"]
    assert all(fault.cure for fault in found.faults)


def test_what_odk_would_not_take_is_told(tmp_path):
    found = check(
        tmp_path,
        "| | type | name | label |\n| | begin_group | | G |\n"
        "| | text | a | ¿? |\n| | end_group | | |",
    )
    assert "ODK would not take it" in told(found)


def test_too_many_questions_are_told(tmp_path):
    rows = "".join(f"| | text | q{number} | ¿{number}? |\n" for number in range(20))
    assert "asked 20 questions" in told(check(tmp_path, "| | type | name | label |\n" + rows))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_the_shipped_questionnaires_have_no_fault_and_every_question_is_reached(path):
    found = checking.check(path)
    assert found.faults == ()
    assert found.script is not None
    result = simulation.simulate(found.script, 200, 7)
    assert (result.finished, result.dead_ends, result.unreached) == (200, {}, ())


def test_shipped_labels_and_messages_are_short():
    for path in FORMS:
        long = [w for w in checking.check(path).warnings if "letters" in w.problem]
        assert not long, (path.name, long)


def test_the_same_seed_gives_the_same_people():
    read = script.read(FORMS[0])
    assert simulation.simulate(read, 20, 3) == simulation.simulate(read, 20, 3)


def test_a_dead_end_is_found(tmp_path):
    (tmp_path / "f.md").write_text(
        "| survey |\n| | type | name | label | required | constraint |\n"
        "| | integer | a | ¿? | yes | . > 5 and . < 3 |\n| | text | b | ¿? | | |",
        encoding="utf-8",
    )
    result = simulation.simulate(script.read(tmp_path / "f.md"), 10, 1)
    assert result.to_json()["dead_ends"] == ["a"]
    assert result.unreached == ("b",)
    assert result.finished == 0


def test_a_form_is_drawn_with_every_question():
    read = script.read(FORMS[-1])
    drawn = drawing.svg(read)
    assert all(question.name in drawn for question in read.questions)
    assert "<script" not in drawn
