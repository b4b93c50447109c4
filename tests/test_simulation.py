"""What is found before anybody is asked: reach, lengths, translations; and simulated people."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogs import checking, drawing, logic, reaching, script, simulation, walking, ways
from dialogs.logic import Scope
from tests import autopsy

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
MANY = "".join(
    f"\n| | many | {name} | {name} | {name} |" for name in ("v", "w", "x", "y", "z", "no")
)
HEAD = (
    "| | type | name | label::Español (es) | label::Maya (yua) "
    "| relevant | constraint | calculation |\n"
)
FIRST = "| | select_one si_no | a | ¿A? | A? | | |\n| | integer | n | ¿N? | N? | | . <= 10 |\n"
FURTHER = """| | date | d | ¿D? | D? | | . <= today() | |
| | date | e | ¿E? | E? | | | |
| | text | t | ¿T? | T? | | | |
| | select_multiple many | m | ¿M? | M? | | not(selected(., 'no') and count-selected(.) > 1) | |
| | integer | most | ¿Cuántos? | ¿? | ${n} != '' | . >= ${n} and . <= ${n} + 3 | |
| | calculate | years | | | | | int((today() - ${d}) div 365.25) |
| | calculate | group | | | | | if(${years} >= 18, 'adult', 'child') |
"""


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
        ("${n} * 3 = 24", True),
        ("${n} div 4 > 2 and ${n} mod 2 = 0", True),
        ("${n} = 3.5", False),
        ("${d} > date('2020-02-29') and ${d} < '2020-03-02'", True),
        ("${e} > date('2020-02-29') and ${e} < '2020-03-01'", False),
        ("${d} > today()", None),
        ("int((today() - ${d}) div 365.25) = 17", True),
        ("format-date(${d}, '%Y') = '1996'", None),
        ("string-length(${t}) > 120", True),
        ("regex(${t}, '^[A-Z]{3}-[0-9]{4}$') and ${n} > 4", True),
        ("${t} = 'x' and ${t} = 'y'", False),
        ("starts-with(${t}, 'Ka') and contains(${t}, 'n')", None),
        ("count-selected(${m}) = 4 and not(selected(${m}, 'w'))", True),
        ("count-selected(${m}) = 5 and not(selected(${m}, 'w'))", False),
        ("selected(${m}, 'v') and selected(${m}, 'w') and selected(${m}, 'x')", True),
        ("selected(${m}, 'no') and count-selected(${m}) > 1", False),
        ("selected-at(${m}, 1) = 'w'", True),
        ("${years} >= 18 and ${group} = 'adult'", True),
        ("${years} >= 18 and ${group} = 'child'", None),
        ("${most} > ${n}", True),
        ("${n} = '' and ${a} = ''", True),
        ("coalesce(${t}, ${a}) = 'si'", True),
    ],
)
def test_a_question_that_no_answer_can_reach_is_found(tmp_path, relevant, reached):
    """None: too much matters to be sure, so nothing is claimed."""
    survey = HEAD + FIRST + FURTHER + f"| | text | b | ¿B? | B? | {relevant} | | |"
    checked = check(tmp_path, survey, SI_NO + MANY)
    unreachable = [fault.name for fault in checked.faults if "No answer leads" in fault.problem]
    assert unreachable == (["b"] if reached is False else [])
    if reached:
        assert not [warning for warning in checked.warnings if "None of" in warning.problem]


@pytest.mark.parametrize(
    ("relevant", "reached"),
    [
        ("${p} != 'si' and ${p} != 'no'", False),
        ("not(${p} = 'si') and not(${p} = 'no')", False),
        ("${o} != 'si' and ${o} != 'no'", True),  # whoever skips it
        ("${t} = ''", False),
        ("${t} != 'a'", True),  # a recording is taken whatever the constraint
        ("${g} = ''", True),  # a place that is named
        ("${n} + ${n} = 7", False),
        ("${n} + ${k} = 10", True),
        ("${n} > 3.2 and ${k} > 3.2 and ${k} < 3.3", True),
        ("${late} != 'si' and ${late} != 'no'", True),  # it is asked only afterwards
        ("${part} = 'north' and ${p} = 'no'", False),
        ("selected-at(${order}, 0) = 'si' and selected-at(${order}, 1) = 'si'", False),
        ("selected-at(${order}, 1) = 'si'", True),
        ("${sesion} != ''", True),  # a facilitator's session fills it in
    ],
)
def test_what_must_be_answered_is_known_and_nothing_is_claimed_too_much(
    tmp_path, relevant, reached
):
    (tmp_path / "f.md").write_text(MUST.format(relevant), encoding="utf-8")
    ground = ways.ground(script.read(tmp_path / "f.md"))
    found = ways.to(ground.script.question("x"), ground)
    assert found.impossible is not reached


MUST = """| survey |
| | type | name | label | required | relevant | constraint | choice_filter |
| | hidden | sesion | | | | | |
| | select_one l | p | ¿P? | yes | | | |
| | select_one l | o | ¿O? | | | | |
| | text | t | ¿T? | yes | | . = 'a' | |
| | geopoint | g | ¿G? | yes | | | |
| | integer | n | ¿N? | yes | | . >= 0 and . <= 5 | |
| | decimal | k | ¿K? | yes | | . >= 0 and . <= 5 | |
| | select_one z | part | ¿Z? | yes | | | who = ${{p}} |
| | rank l | order | ¿R? | yes | | | |
| | text | x | ¿X? | | {} | | |
| | select_one l | late | ¿L? | yes | | | |
| choices |
| | list_name | name | label | who |
| | l | si | Sí | |
| | l | no | No | |
| | z | north | N | si |
| | z | south | S | no |
"""


def test_in_a_repeat_conditions_on_the_same_instance_are_seen_through(tmp_path):
    rows = "".join(
        f"| | {row} |\n"
        for row in (
            "type | name | label | required | relevant",
            "begin_repeat | r | R | |",
            "select_one l | p | ¿P? | yes |",
            "text | x | ¿X? | | ${p} != 'si' and ${p} != 'no'",
            "text | y | ¿Y? | | ${p} != 'si'",
            "text | z | ¿Z? | | count(${p}) > 3",
            "end_repeat | | | |",
        )
    )
    choices = "| choices |\n| | list_name | name | label |\n| | l | si | Sí |\n| | l | no | No |\n"
    (tmp_path / "f.md").write_text(f"| survey |\n{rows}{choices}", encoding="utf-8")
    faults = checking.check(tmp_path / "f.md").faults
    assert [fault.name for fault in faults] == ["x"]


def test_an_answer_that_must_lie_beyond_another_is_no_dead_end(tmp_path):
    survey = "| | type | name | label | required | constraint | relevant | calculation |\n"
    later = "decimal-time(.) > decimal-time(${atime})"
    rules = {"integer": ". > ${ainteger}", "date": ". > ${adate}", "decimal": ". < ${adecimal}"}
    for kind, rule in {**rules, "time": later}.items():
        survey += f"| | {kind} | a{kind} | ¿? | yes | | | |\n"
        survey += f"| | {kind} | b{kind} | ¿? | yes | {rule} | | |\n"
    survey += "| | integer | born | ¿? | yes | . > 1900 and . <= 2021 | | |\n"
    survey += "| | calculate | age | | | | | number(format-date(today(), '%Y')) - ${born} |\n"
    survey += "| | text | adult | ¿? | | | ${age} >= 60 and not(${age} > 65) | |\n"
    found = check(tmp_path, survey)
    assert (found.walked.unreached, found.walked.dead_ends) == ((), {})


def test_what_is_asked_of_today_is_tried_on_the_day_of_the_check(tmp_path):
    rows = "| | date | day | ¿? | ¿? | | . >= date('2031-05-01') and . <= today() | |\n"
    rows += "| | text | late | ¿? | ¿? | today() >= date('2031-06-01') | | |"
    (tmp_path / "f.md").write_text(f"| survey |\n{HEAD}{rows}\n", encoding="utf-8")
    on = datetime(2031, 6, 2, 15, tzinfo=UTC)
    walked = checking.check(tmp_path / "f.md", on).walked
    assert (walked.unreached, walked.dead_ends, walked.finished) == ((), {}, walked.people)
    earlier = checking.check(tmp_path / "f.md").walked
    assert earlier.unreached == ("late",)


def test_a_moment_is_answered_at_whatever_second_the_check_runs(tmp_path):
    rows = """| survey |
| | type | name | label | required | constraint |
| | dateTime | came | ¿Cuándo llegaste? | yes | . >= date-time('2021-06-01T10:30:45') |
| | time | left | ¿A qué hora te fuiste? | yes | |
"""
    (tmp_path / "f.md").write_text(rows, encoding="utf-8")
    on = datetime(2021, 6, 2, 15, 12, 9, 355_000, tzinfo=UTC)
    assert checking.check(tmp_path / "f.md", on).warnings == ()


def test_what_depends_on_the_unreachable_is_unreachable_too(tmp_path):
    rows = "| | select_one si_no | b | ¿B? | B? | ${n} > 10 | |\n"
    rows += "| | text | c | ¿C? | C? | ${b} = 'si' | |"
    found = check(tmp_path, HEAD + FIRST + rows, SI_NO)
    assert [fault.name for fault in found.faults] == ["b", "c"]


def test_only_the_second_of_a_repeat_may_be_asked_something(tmp_path):
    rows = (
        "| | type | name | label | relevant |\n| | begin_repeat | r | R | |\n"
        "| | text | x | ¿X? | |\n| | text | y | ¿Y? | position(..) > 1 |\n| | end_repeat | | | |"
    )
    found = check(tmp_path, rows)
    assert found.faults == ()
    assert found.walked
    assert found.walked.unreached == ()


def test_pictures_at_an_address_are_looked_at_as_far_as_the_address_says(tmp_path):
    rows = (
        "| | type | name | label | media::image | media::audio |\n"
        "| | text | x | ¿X? | https://x.mx/a.png | https://x.mx/a.ogg?v=2 |\n"
        "| | text | y | ¿Y? | https://x.mx/a.svg | https://x.mx/a.wav |"
    )
    found = check(tmp_path, rows)
    assert [(fault.row, fault.name) for fault in found.faults] == [(3, "y"), (3, "y")]
    rows = rows.replace(".svg", "").replace(".wav", ".mp3")
    assert told(check(tmp_path, rows)).count("nobody looks whether it is there") == 4


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


def test_a_choice_that_is_offered_and_never_taken_is_told(tmp_path):
    rows = (
        "type | name | label | constraint",
        "select_one l | a | ¿? | . = 'si'",
        "select_multiple l | b | ¿? | not(selected(., 'no')) or count-selected(.) > 2",
        "select_multiple l | c | ¿? | not(selected(., 'no')) or count-selected(.) > 1",
    )
    choices = "| choices |\n| | list_name | name | label |\n| | l | si | Sí |\n| | l | no | No |\n"
    text = "| survey |\n" + "".join(f"| | {row} |\n" for row in rows) + choices
    (tmp_path / "f.md").write_text(text, encoding="utf-8")
    told_ = checking.check(tmp_path / "f.md").warnings
    assert [fault.name for fault in told_ if "never taken" in fault.problem] == ["a", "b"]


@pytest.mark.parametrize(
    ("count", "rule", "most"),
    [("${n}", "", 1000), ("${n}", ". <= 100", 0), ("${n} + 2", ". < 100", 101), ("300", "", 300)],
)
def test_a_repeat_that_may_be_longer_than_a_chat_asks_is_told(tmp_path, count, rule, most):
    lines = (
        "type | name | label | constraint | repeat_count",
        f"integer | n | ¿Cuántos? | {rule} |",
        f"begin_repeat | r | | | {count}",
        "text | x | ¿? | |",
        "end_repeat",
    )
    text = "".join(f"| | {line} |\n" for line in lines)
    (tmp_path / "f.md").write_text(f"| survey |\n{text}", encoding="utf-8")
    told = [*reaching.warnings(script.read(tmp_path / "f.md"))]
    assert [(each.row, each.said.column, dict(each.said.given)["count"]) for each in told] == (
        [(3, "repeat_count", most)] if most else []
    )


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


def test_of_a_large_form_every_question_is_reached_within_seconds(tmp_path):
    (tmp_path / "f.md").write_text(autopsy.markdown(), encoding="utf-8")
    begun = process_time()
    found = checking.check(tmp_path / "f.md")
    assert process_time() - begun < 6  # 2 s of a quiet processor
    assert len(autopsy.rows()) == 531
    assert sum(row[3:4] not in ((), ("",)) for row in autopsy.rows()) >= 420
    assert not found.faults
    assert found.walked
    assert (found.walked.unreached, found.walked.dead_ends) == ((), {})


NAMED = st.sampled_from(["x", "y", "z"])
TERMS = st.one_of(
    st.builds("${{one}} {} '{}'".format, st.sampled_from(["=", "!="]), NAMED),
    st.builds("${{few}} {} {}".format, st.sampled_from(["<", "=", "!=", ">="]), st.integers(0, 4)),
    st.builds("selected(${{several}}, '{}')".format, NAMED),
    st.builds(
        "count-selected(${{several}}) {} {}".format, st.sampled_from("<=>"), st.integers(0, 3)
    ),
    st.builds("${{twice}} {} {}".format, st.sampled_from("<=>"), st.integers(0, 5)),
)
CONDITIONS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not({})".format, inner),
    ),
    max_leaves=6,
)
SMALL = """| survey |
| | type | name | label | relevant | constraint | calculation | required |
| | select_one l | one | ¿? | | | | {} |
| | integer | few | ¿? | {} | . >= 0 and . <= 3 | | {} |
| | select_multiple l | several | ¿? | {} | | | {} |
| | calculate | twice | | {} | | ${{few}} * 2 |
| | text | last | ¿? | {} | | |
| choices |
| | list_name | name | label |
| | l | x | X |
| | l | y | Y |
| | l | z | Z |
"""


@given(st.tuples(*[CONDITIONS] * 4), st.tuples(*[st.sampled_from(["", "yes"])] * 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_what_is_unreachable_is_just_what_no_answers_lead_to(tmp_path_factory, conditions, must):
    few, several, twice, last = conditions
    few = "true()" if "few" in few or "several" in few or "twice" in few else few
    several = "true()" if "several" in several or "twice" in several else several
    twice = "true()" if "twice" in twice else twice
    file = tmp_path_factory.mktemp("small") / "f.md"
    cells = (must[0], few, must[1], several, must[2], twice, last)
    file.write_text(SMALL.format(*cells), encoding="utf-8")
    read = script.read(file)
    ground = ways.ground(read)
    found = ways.to(read.question("last"), ground)
    reached = any(_leads_there(read, answers) for answers in ALL_ANSWERS)
    assert (found.answers is not None, found.impossible) in ((reached, not reached), (False, False))
    if found.answers:
        told = [found.answers.get(name) for name in ASKED]
        fit = (
            each
            for each in ALL_ANSWERS
            if all(one in (None, other) for one, other in zip(told, each, strict=True))
        )
        assert any(_leads_there(read, each) for each in fit)


ASKED = ("one", "few", "several")
ALL_ANSWERS = tuple(
    product(("", "x", "y", "z"), ("", *"0123"), ("", "x", "y", "z", "x y", "x z", "y z", "x y z"))
)


def _leads_there(read, answers):
    """Whether a person who answers so is asked the last question, by the form's own rules."""
    held = {}
    for name, answer in zip((*ASKED, "twice"), (*answers, ""), strict=True):
        question = read.question(name)
        if walking.holds(question, Scope(held), read):
            if question.required and not answer:
                return False
            if question.computed:
                answer = logic.text(question.calculation.evaluate(Scope(held)))
            held[name] = answer
    return walking.holds(read.question("last"), Scope(held), read)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_the_shipped_questionnaires_keep_to_the_guide_and_every_question_is_reached(path):
    found = checking.check(path)
    assert found.faults == ()
    assert {each.said.kind for each in found.warnings} <= {"untranslated"}
    assert found.script is not None
    result = simulation.simulate(found.script, 200, 7)
    assert (result.finished, result.dead_ends, result.unreached) == (200, {}, ())
    assert result.prompts <= checking.MOST_PROMPTS


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
    read = next(script.read(path) for path in FORMS if path.stem == "comunidades")
    drawn = drawing.svg(read, words=drawing.SPANISH)
    assert all(f">{question.name}<" in drawn for question in read.questions)
    assert "se repite: problemas · si ${consiente}" in drawn
    assert "papel: repeat" not in drawn
    height = drawing.TOP + drawing.ROW * len(read.questions) + 20  # else a browser shrinks it
    assert f'width="{drawing.WIDTH}" height="{height}"' in drawn
    assert "<script" not in drawn


def test_the_highest_score_of_many_questions_is_found_through_its_level(tmp_path):
    asked = range(1, 11)
    header = "type | name | label | calculation | relevant"
    sums = " + ".join(f"${{p{at}}}" for at in asked)
    level = "if(${total} = 30, 'all', if(${total} >= 25, 'high', 'low'))"
    rows = (
        *(f"select_one s | q{at} | Q{at}? | | | |" for at in asked),
        *(f"calculate | p{at} | | number(${{q{at}}}) | |" for at in asked),
        f"calculate | total | | {sums} | |",
        f"calculate | level | | {level} | |",
        "text | why | Why? | | not(${level} != 'all') |",
        "text | how | How? | | ${level} = 'high' and ${q1} = '0' |",
    )
    lines = "".join(f"| | {row} |\n" for row in (header, *rows))
    choices = "| choices |\n| | list_name | name | label |\n"
    choices += "".join(f"| | s | {score} | {score} points |\n" for score in range(4))
    (tmp_path / "f.md").write_text(f"| survey |\n{lines}{choices}", encoding="utf-8")
    found = ways.ground(script.read(tmp_path / "f.md"))
    why = ways.to(found.script.question("why"), found).answers
    how = ways.to(found.script.question("how"), found).answers
    assert why
    assert how
    assert sum(int(why[f"q{at}"]) for at in asked) == 30
    assert how["q1"] == "0"


def test_what_counts_the_instances_of_a_repeat_within_another_is_looked_at(tmp_path):
    rows = (
        ("begin_repeat", "casa", "Casa", ""),
        ("text", "calle", "¿Calle?", ""),
        ("begin_repeat", "quien", "Quién", ""),
        ("select_one si_no", "vive", "¿Vive aquí?", "position(..) < 3 and ${calle} != ''"),
        ("text", "nombre", "¿Nombre?", "${vive} = 'si' and position(../..) = 1"),
        ("end_repeat", "", "", ""),
        ("text", "primera", "¿Primera?", "position(..) = 1"),
        ("end_repeat", "", "", ""),
        ("begin_repeat", "otra", "Otra", ""),
        ("text", "única", "¿Única?", "position(..) = 1"),  # the same words, of another repeat
        ("end_repeat", "", "", ""),
    )
    survey = "".join(f"| | {' | '.join(row)} |\n" for row in rows)
    choices = "| choices |\n| | list_name | name | label |\n| | si_no | si | Sí |\n"
    path = tmp_path / "f.md"
    path.write_text(f"| survey |\n| | type | name | label | relevant |\n{survey}{choices}")
    found = checking.check(path)
    assert found.faults == ()
    assert found.walked is not None
    assert found.walked.unreached == ()
