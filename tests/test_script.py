"""A questionnaire is read whole or refused by name, row and cure; never half."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogs import checking, columns, kinds, moments, replies, script, tables
from dialogs.questions import Script

NOW = datetime(2021, 8, 15, 15, tzinfo=UTC)


def written(folder: Path, text: str, name: str = "form.md") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def survey(*rows: str, header: str = "type | name | label") -> str:
    return "| survey |\n" + "".join(f"| | {row} |\n" for row in (header, *rows))


def made(folder: Path, *rows: str, header: str = "type | name | label", more: str = "") -> Script:
    return script.read(written(folder, survey(*rows, header=header) + more))


def problems(folder: Path, text: str) -> list[str]:
    return [str(fault) for fault in script.load(written(folder, text)).faults]


# types and columns


@pytest.mark.parametrize(
    ("written", "type_"),
    [
        ("text", "text"),
        ("string", "text"),
        ("int", "integer"),
        ("dateTime", "datetime"),
        ("date time", "datetime"),
        ("photo", "image"),
        ("gps", "geopoint"),
        ("trigger", "acknowledge"),
        ("begin group", "begin_group"),
        ("begin_repeat", "begin_repeat"),
        ("end lgroup", "end_repeat"),
        ("select one si_no", "select_one"),
        ("select1 si_no", "select_one"),
        ("select all that apply from si_no", "select_multiple"),
        ("select_one si_no or_other", "select_one"),
        ("select one from si_no or specify other", "select_one"),
        ("select_multiple_from_file towns.csv", "select_multiple"),
        ("select_one_external towns", "select_one"),
        ("rank si_no", "rank"),
        ("deviceid", "hidden"),
        ("get phone number", "hidden"),
    ],
)
def test_a_type_is_known_in_all_its_spellings(written, type_):
    assert kinds.kind(written).type == type_


REFUSED = [
    *("barcode", "geotrace", "geoshape", "osm", "video", "background-audio", "start-geopoint"),
    *("begin_kobomatrix", "begin loop", "percentage", "include", "rank"),
    *("select_one", "begin_score", "matrix", "hologram", "select_one ${other}"),
]


@pytest.mark.parametrize("type_", REFUSED)
def test_what_a_chat_cannot_carry_is_refused_with_its_row_and_a_cure(tmp_path, type_):
    found = script.load(written(tmp_path, survey("text | uno | ¿Uno?", f"{type_} | dos | ¿Dos?")))
    fault = found.faults[0]
    assert (fault.sheet, fault.row, fault.name) == ("survey", 3, "dos")
    assert type_ in fault.problem
    assert len(fault.cure) > 10
    assert found.script is None


FAULTS = [
    (
        "text | uno | ¿?\n| | text | uno | ¿?",
        "row 3, column name (uno): Another question has this name.",
    ),
    ("text | | ¿?", "row 2, column name: The question has no name."),
    (
        "begin_group | g |\n| | text | uno | ¿?\n| | text | UNO | ¿?\n| | end_group | |",
        "row 4, column name (UNO): Another question has this name.",
    ),
    (
        "text | uno | ¿?\n| | begin_group | g |\n| | text | uno | ${uno}\n| | end_group | |",
        "row 4, column label (g-uno): ${uno} is the name of several questions. Rename",
    ),
    (
        "begin_group | g |\n| | begin_repeat | r |\n| | text | a | ¿?\n| | end_repeat | |\n"
        "| | end_group | |\n| | begin_repeat | r |\n| | text | b | ¿?\n| | end_repeat | |",
        "row 7, column name (r): Another question has this name.",
    ),
    ("text | 1a | ¿?", "row 2, column name (1a): The name cannot be used."),
    (f"text | {'a' * 101} | ¿?", "The name has 101 letters; 100 fit."),
    ("text | uno |", "row 2, column label (uno): The question has no label."),
    (" | uno | ¿?", "row 2, column type (uno): The row has no type."),
    (
        "select_one no_hay | uno | ¿?",
        "row 2, column type (uno): The list 'no_hay' is not on the choices sheet.",
    ),
    (
        "select_one_from_file x.csv | uno | ¿?",
        "row 2, column type (uno): The file 'x.csv' is not there.",
    ),
    (
        "select_one_from_file x.geojson | uno | ¿?",
        "row 2, column type (uno): The file 'x.geojson' is not there.",
    ),
    (
        "select_one_from_file x.txt | uno | ¿?",
        "row 2, column type (uno): The file 'x.txt' is no list",
    ),
    ("begin_group | g | \n| | text | uno | ¿?", "row 2, column type (g): This group never ends."),
    (
        "text | uno | ¿?\n| | end_group | |",
        "row 3, column type: This group ends without having begun.",
    ),
    (
        "begin_repeat | r | \n| | text | uno | ¿?\n| | end_group | |",
        "row 4, column type: This group ends",
    ),
    (
        "text | uno | Hola ${dos}",
        "row 2, column label (uno): It names ${dos}, and no question has that name.",
    ),
    ("calculate | uno | ", "row 2, column calculation (uno): Nothing is calculated."),
]


@pytest.mark.parametrize(("rows", "problem"), FAULTS)
def test_a_fault_says_where_and_what(tmp_path, rows, problem):
    assert problem in "\n".join(problems(tmp_path, survey(rows)))


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        ("relevant", "1 = = 2", "In relevant:"),
        ("relevant", "${nadie} = 1", "nadie"),
        ("relevant", "uno = 'x'", "'uno' is no answer"),
        ("relevant", "${dos} = 'x'", "depends on itself"),
        ("choice_filter", "2", "a number picks that one choice by its place"),
        ("choice_filter", "string-length(${uno})", "a number picks that one choice"),
        ("constraint", "regex(., '[')", "In constraint:"),
        ("constraint", "sorcery(.)", "sorcery"),
        ("constraint", ". <= '28/11/2026'", "'28/11/2026' is no number and no date"),
        ("relevant", "${uno} = 'x' and not(${uno} > date('5/6/2024'))", "'5/6/2024' is no number"),
        ("relevant", "'08:00' < ${uno}", "decimal-time(.) > decimal-time('08:00')"),
        ("calculation", "pulldata('no_hay', 'a', 'b', ${uno})", "'no_hay.csv' is not there"),
        ("trigger", "${nadie}", "In trigger: there is no question nadie"),
        ("required", "maybe(", "In required:"),
        ("required", "Sí", "ODK does not take 'Sí' in required. Write yes."),
        ("relevant", "${uno} = 'x' y ${uno} != ''", "in place of y, write and"),
        ("relevant", "Si(${uno} = 'x', 1, 0)", "write for instance if(${x} = 'a', 1, 0)"),
        ("read_only", "${uno} = 'x'", "read_only cannot depend"),
        ("parameters", "start=few", "The parameter start is not a number"),
        ("role", "wizard", "The role 'wizard' is not known"),
        ("appearance", "ex:my.app", "appearance 'ex:my.app'"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named(tmp_path, column, cell, problem):
    header = f"type | name | label | {column}"
    text = survey("text | uno | ¿?", f"text | dos | ¿? | {cell}", header=header)
    found = problems(tmp_path, text)
    assert all(each.startswith(f"survey, row 3, column {column} (dos)") for each in found)
    assert any(problem in each for each in found), found


@pytest.mark.parametrize(
    "cell", ["randomize=ukanga", "randomize=true seed=x", "seed=4", "randomize=true step=2"]
)
def test_what_pyxform_refuses_is_told_with_the_row_that_it_does_not_name(tmp_path, cell):
    text = survey(
        "text | a | ¿? |",
        f"select_one l | b | ¿? | {cell}",
        header="type | name | label | parameters",
    )
    choices = "| choices |\n| | list_name | name | label |\n| | l | x | X |\n"
    found = checking.check(written(tmp_path, text + choices)).faults
    assert [(fault.sheet, fault.row) for fault in found] == [("survey", 3)]


LIST = "| choices |\n| | list_name | name | label |\n| | l | x | X |\n| | l | y | {} |\n"


@pytest.mark.parametrize(
    ("rows", "more", "place", "words"),
    [
        (["image | b | ¿? | max-pixels=x"], "", ("survey", 3, "b"), "stands in parameters"),
        (["note | b | Hola ${ a |"], "", ("survey", 3, "b"), "stands in label"),
        (["begin_group | | G |", "text | b | ¿? |", "end_group | | |"], "",
         ("survey", 3, ""), "no name"),
        (["select_one l | b | ¿? |"], LIST.format("Y ${a"), ("choices", 3, "y"), "stands in label"),
        (["select_one l | b | ¿? |"], LIST.format("Y ${nobody}"), ("choices", 3, "y"), "${nobody}"),
        (["select_one l | b | ¿? |"], "| choices |\n| | l | x | X |\n",
         ("choices", 1, ""), "no column"),
        ([], "| settings |\n| | name |\n| | my form |\n", ("settings", 2, "my form"), "in name"),
    ],
)  # fmt: skip
def test_a_fault_is_found_in_its_sheet_row_and_cell(tmp_path, rows, more, place, words):
    text = survey("text | a | ¿? |", *rows, header="type | name | label | parameters") + more
    found = checking.check(written(tmp_path, text)).faults
    assert any((each.sheet, each.row, each.name) == place and words in str(each) for each in found)


def test_how_often_a_repeat_may_be_asked_is_a_number(tmp_path):
    rows = ("begin_repeat | r | | muchos", "text | x | ¿? |", "end_repeat")
    (told,) = problems(tmp_path, survey(*rows, header="type | name | label | most"))
    assert told.startswith("survey, row 2, column most (r): 'muchos' does not say how many")


def test_types_in_capitals_are_told_with_how_odk_writes_them(tmp_path):
    rows = ("Begin Group | g | G", "Select_One l | a | ¿?", "TEXT | b | ¿?", "dateTime | c | ¿?",
            "End Group | |")  # fmt: skip
    found = checking.check(written(tmp_path, survey(*rows) + LIST.format("Y"))).faults
    told = [(fault.row, fault.cure.rpartition(": ")[2]) for fault in found]
    small = ("begin group.", "select_one l.", "text.", "end group.")
    assert told == list(zip((2, 3, 4, 6), small, strict=True))


def test_all_that_pyxform_refuses_is_told_at_once(tmp_path):
    bad = ("image | b | ¿? | max-pixels=x", "audio | c | ¿? | quality=x", "text | d | ¿? | rows=x")
    text = survey("text | a | ¿? |", *bad, header="type | name | label | parameters")
    assert [fault.row for fault in checking.check(written(tmp_path, text)).faults] == [3, 4, 5]


@pytest.mark.parametrize(
    ("type_", "value", "taken"),
    [
        ("integer", "tres", False), ("integer", "-3", True), ("decimal", "2.5", True),
        ("decimal", "2,5", False), ("date", "mañana", False), ("date", "2024-05-06", True),
        ("time", "9:30", True), ("time", "noon", False), ("select_one l", "z", False),
        ("select_multiple l", "x y", True), ("text", "lo que sea", True),
    ],
)  # fmt: skip
def test_what_is_preset_is_an_answer(tmp_path, type_, value, taken):
    rows = survey(f"{type_} | a | ¿? | {value}", header="type | name | label | default")
    found = script.load(written(tmp_path, rows + LIST.format("Y"))).faults
    assert [fault.said.kind[:7] for fault in found] == ([] if taken else ["default"])


def test_two_columns_for_one_language_must_say_the_same(tmp_path):
    header = "type | name | label::Español (es) | label::Espanol (es)"
    assert problems(tmp_path, survey("text | a | ¿Sí? | ¿Sí?", header=header)) == []
    (fault,) = problems(tmp_path, survey("text | a | ¿Sí? | ¿No?", header=header))
    assert fault.startswith("survey, row 2, column label::Español (es): The columns")


@pytest.mark.parametrize(
    ("column", "cell", "source"),
    [
        ("relevant", "TRUE", "true()"),
        ("relevant", "no", "false()"),
        ("constraint", "Yes", "true()"),
        ("calculation", "FALSE", "false()"),
    ],
)
def test_a_cell_that_a_spreadsheet_makes_true_or_false_is_read_as_pyxform_reads_it(
    tmp_path, column, cell, source
):
    found = made(tmp_path, f"text | a | ¿? | {cell}", header=f"type | name | label | {column}")
    test = getattr(found.questions[0], column)
    assert (test[0] if column == "relevant" else test).source == source


def test_what_only_a_phone_remembers_is_told_and_nothing_is_preset(tmp_path):
    rows = survey("text | a | ¿? | ${last-saved#a}", header="type | name | label | default")
    found = script.load(written(tmp_path, rows))
    assert found.faults == ()
    assert found.script
    assert found.script.questions[0].default == ""
    assert [warning.row for warning in found.warnings] == [2]


def test_every_fault_is_told_at_once_whoever_finds_it(tmp_path):
    text = survey(
        "text | a | ¿? | k'áat | | |",
        "video | b | ¿? | k'áat | | |",
        "select_one l | c | ¿? | k'áat | | |",
        "text | d | ¿? | k'áat | ${c} = 'x' and ${c} = 'y' | |",
        "text | e | ¿? | ${nobody} | | |",
        "image | f | ¿? | k'áat | | max-pixels=x |",
        "text | g | ¿? | k'áat | | | none.ogg",
        "text | h | ¿? | | 1 = = 2 | |",
        "text | i | ¿? | k'áat | ${h} = '1' and ${b} = '2' | |",
        f"note | j | {'Largo. ' * 60} | k'áat | | |",
        header="type | name | label::Español (es) | label::Maya (yua) | relevant | parameters"
        " | media::audio::Maya (yua)",
    )
    checked = checking.check(written(tmp_path, text + LIST.format("Y")))
    assert [(each.row, each.name, each.column) for each in checked.faults] == [
        (3, "b", "type"),
        (5, "d", "relevant"),
        (6, "e", "label::Maya (yua)"),
        (7, "f", "parameters"),
        (8, "g", "media::audio::Maya (yua)"),
        (9, "h", "relevant"),
    ]
    assert [(each.row, each.column) for each in checked.warnings] == [
        (9, "label::Maya (yua)"),
        (11, "label::Español (es)"),
    ]


def test_where_a_group_has_no_end_the_rest_is_read_all_the_same(tmp_path):
    text = survey("begin_repeat | r | R", "text | a | ¿?", "video | b | ¿?")
    told = [(each.row, each.said.kind) for each in checking.check(written(tmp_path, text)).faults]
    assert told == [(2, "no_end"), (4, "type_refused")]


def test_circles_are_found(tmp_path):
    header = "type | name | label | relevant"
    text = survey("text | a | ¿? | ${b} = '1'", "text | b | ¿? | ${a} = '1'", header=header)
    assert any("depends on itself" in problem for problem in problems(tmp_path, text))


@pytest.mark.parametrize(
    ("spelt", "column", "language"),
    [
        ("label", "label", ""),
        ("Label::Español (es)", "label", "es"),
        ("label:English", "label", "en"),
        ("label::Español", "label", "es"),
        ("hint::Maya", "hint", "yua"),
        ("label::Français", "label", "français"),
        ("LABEL :: Maya (yua)", "label", "yua"),
        ("caption", "label", ""),
        ("media::audio::Maya (yua)", "media::audio", "yua"),
        ("audio::es", "media::audio", "es"),
        ("bind::relevant", "relevant", ""),
        ("bind:relevant", "relevant", ""),
        ("bind::jr:constraintMsg::English (en)", "constraint_message", "en"),
        ("bind:jr:constraintMsg", "constraint_message", ""),
        ("jr:count", "repeat_count", ""),
        ("read only", "read_only", ""),
        ("control::appearance", "appearance", ""),
        ("label::Português (pt-BR)", "label", "pt"),
        ("review_yua", "review", "yua"),
    ],
)
def test_a_column_is_known_in_all_its_spellings(spelt, column, language):
    assert columns.header(spelt) == (column, language)


def test_an_unknown_column_is_told_and_changes_nothing(tmp_path):
    found = script.load(
        written(tmp_path, survey("text | uno | ¿? | x", header="type | name | label | colour"))
    )
    assert found.faults == ()
    assert [warning.column for warning in found.warnings] == ["colour"]


def test_a_form_without_spanish_is_said_in_its_own_language(tmp_path):
    found = made(
        tmp_path,
        "text | a | Name? | Nom?",
        "text | b | | Âge?",
        header="type | name | label::English (en) | label::Français (fr)",
    )
    assert found.questions[0].label == {"en": "Name?", "fr": "Nom?", "es": "Name?"}
    assert found.questions[1].label["es"] == "Âge?"
    assert set(found.languages) == {"es", "en", "fr"}


def test_smart_quotes_from_a_word_processor_are_read(tmp_path):
    header = "type | name | label | relevant"
    found = made(tmp_path, "text | a | ¿?", "text | b | ¿? | ${a} = ‘x’", header=header)
    assert found.questions[1].relevant[0].source == "${a} = 'x'"


def test_or_other_adds_a_choice_and_asks_which(tmp_path):
    more = (
        "| choices |\n| | list_name | name | label |\n| | s | f | Mujer |\n| | s | m | Hombre |\n"
    )
    found = made(tmp_path, "select one from s or specify other | sex | ¿?", more=more)
    assert [question.name for question in found.questions] == ["sex", "sex_other"]
    assert found.questions[0].options[-1].name == "other"


def test_a_list_on_both_sheets_of_choices_is_the_one_that_is_asked_for(tmp_path):
    sheet = "| {} |\n| | list_name | name | label |\n| | s | {} |\n"
    more = sheet.format("choices", "f | Mujer") + sheet.format("external_choices", "m | Hombre")
    found = made(tmp_path, "select_one s | a | ¿?", "select_one_external s | b | ¿?", more=more)
    assert [option.name for each in found.questions for option in each.options] == ["f", "m"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("integer | b | ¿B? | ${a} + 1 |", True),
        ("integer | b | ¿B? | ${a} + 1 | yes", False),
        ("integer | b | | ${a} + 1 |", False),
        ("note | b | B | ${a} + 1 |", False),
    ],
)
def test_what_is_calculated_and_shown_is_told_to_be_no_question(tmp_path, row, told):
    header = "type | name | label | calculation | read_only"
    text = survey("integer | a | ¿A? | |", row, header=header)
    warnings = script.load(written(tmp_path, text)).warnings
    assert [each.said.kind for each in warnings] == ["only_shown"] * told


@pytest.mark.parametrize(
    ("relevant", "told"),
    [
        ("regex(${n}, '[0-9]{3}')", ["pattern_open"]),
        ("regex(${n}, '^[A-Z]')", ["pattern_open"]),
        ("regex(${n}, '^[0-9]{1,3}$')", []),
        ("${n}", ["nothing_asked"]),
        ("${n} > 1 and (${t} or not(${n}))", ["nothing_asked"] * 2),
        ("${n} > 1 or boolean(${t} != '')", []),
        ("${t} = 'a' or 'b'", ["always_so"]),
        ("now() + 0.5 > ${n}", ["days_added"]),
        ("int((now() - ${n}) div 365.25) > 5 or decimal-date-time(now()) - 1 > 7", []),
    ],
)
def test_what_phones_read_in_two_ways_is_told(tmp_path, relevant, told):
    rows = ("integer | n | ¿? |", "text | t | ¿? |", f"text | a | ¿? | {relevant}")
    text = survey(*rows, header="type | name | label | relevant")
    warnings = script.load(written(tmp_path, text)).warnings
    assert [each.said.kind for each in warnings] == told
    assert all((each.row, each.column) == (4, "relevant") for each in warnings)


def test_that_collect_does_not_know_last_is_told(tmp_path):
    rows = ("begin_repeat | r | R |", "text | n | ¿? |", "end_repeat | | |")
    asked = "text | a | ¿? | ${{r}}[position() = {}]/n = 'x'"
    header = "type | name | label | relevant"
    for number, told in (("last()", ["last_called"]), ("count(${r})", [])):
        text = survey(*rows, asked.format(number), header=header)
        warnings = script.load(written(tmp_path, text)).warnings
        assert [each.said.kind for each in warnings] == told


def test_what_nobody_sees_in_a_cell_is_told_with_its_row_and_column(tmp_path):
    assert problems(tmp_path, survey("text | a | Uno\vdos")) == [
        "survey, row 2, column label: An invisible control character is in the column label. "
        "Type the cell anew."
    ]


# tables


def test_a_spreadsheet_keeps_its_row_numbers_also_with_blank_rows(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "survey"
    for number, row in {
        1: ("type", "name", "label"),
        4: ("text", "a", "¿?"),
        9: ("x", "b", "¿?"),
    }.items():
        for column, cell in enumerate(row, 1):
            sheet.cell(number, column, cell)
    book.save(tmp_path / "form.xlsx")
    found = script.load(tmp_path / "form.xlsx")
    assert [(fault.row, fault.name) for fault in found.faults] == [(9, "b")]


def test_a_spreadsheet_is_known_by_its_content_not_its_name(tmp_path):
    shipped = tables.read(Path(script.__file__).parent / "forms" / "consulta.md")
    tables.to_xlsx(shipped, tmp_path / "form.md.xlsx")
    (tmp_path / "form.md.xlsx").rename(tmp_path / "form.xls")
    assert tables.read(tmp_path / "form.xls")["settings"].headers == shipped["settings"].headers


@pytest.mark.parametrize("content", [b"", b"hola", b"PK\x03\x04junk", b"\xff\xfe\x00", b"| a |"])
def test_what_is_no_table_is_refused_in_words(tmp_path, content):
    (tmp_path / "form.xlsx").write_bytes(content)
    found = script.load(tmp_path / "form.xlsx")
    assert found.script is None
    assert found.faults[0].cure


def test_forms_go_to_a_spreadsheet_and_back_without_loss(tmp_path):
    for path in (Path(script.__file__).parent / "forms").glob("*.md"):
        before = path.read_text(encoding="utf-8")
        tables.to_xlsx(columns.for_odk(tables.read(path)), tmp_path / "f.xlsx")
        back = tables.to_markdown(columns.from_odk(tables.read(tmp_path / "f.xlsx")))
        assert back.split() == before.split(), path


def test_a_cell_keeps_bars_breaks_zeros_and_formulas(tmp_path):
    text = survey("text | a | uno \\| dos<br>tres", "text | b | =1+1", "text | c | 007")
    path = written(tmp_path, text)
    tables.to_xlsx(tables.read(path), tmp_path / "f.xlsx")
    labels = [row["label"] for _, row in tables.read(tmp_path / "f.xlsx")["survey"].rows]
    assert labels == ["uno | dos\ntres", "=1+1", "007"]


CELLS = st.text("a-|\\<br>\n\u2028\u0085é=", max_size=12) | st.sampled_from(
    ["--", "---", "<br>", "|"]
)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(CELLS.map(str.strip), min_size=1, max_size=4))
def test_whatever_stands_in_a_cell_comes_back_from_markdown_and_from_a_spreadsheet(cells):
    rows = tuple((number, {"name": "x", "label": cell}) for number, cell in enumerate(cells, 2))
    book = {"survey": tables.Sheet(("name", "label"), rows)}
    with TemporaryDirectory() as folder:
        markdown, xlsx = Path(folder, "f.md"), Path(folder, "f.xlsx")
        markdown.write_text(tables.to_markdown(book), encoding="utf-8", newline="")
        tables.to_xlsx(book, xlsx)
        for path in (markdown, xlsx):
            back = tables.read(path)["survey"].rows
            assert [row["label"] for _, row in back] == cells, path.suffix


def test_a_character_that_no_spreadsheet_holds_is_named_by_its_cell(tmp_path):
    path = written(tmp_path, survey("text | a | uno\vdos"))
    with pytest.raises(tables.TableError, match="survey, row 2, column C"):
        tables.to_xlsx(tables.read(path), tmp_path / "f.xlsx")


# what people write


@pytest.mark.parametrize(
    ("type_", "said", "value"),
    [
        ("date", "15/8/21", "2021-08-15"),
        ("date", "15-08-2021", "2021-08-15"),
        ("date", "2021-08-15", "2021-08-15"),
        ("date", "08/15/2021", "2021-08-15"),
        ("date", "15082021", "2021-08-15"),
        ("date", "hoy", "2021-08-15"),
        ("date", "Ayer.", "2021-08-14"),
        ("date", "mañana", "2021-08-16"),
        ("date", "5 de mayo de 2021", "2021-05-05"),
        ("date", "el 5 de mayo", "2021-05-05"),
        ("date", "agosto 15, 2021", "2021-08-15"),
        ("date", "1/1/32", "1932-01-01"),
        ("date", "31/02/2021", None),
        ("date", "12", None),
        ("date", "no sé", None),
        ("date", "15/8/21 9:30", None),
        ("time", "9:30", "09:30:00.000-06:00"),
        ("time", "3pm", "15:00:00.000-06:00"),
        ("time", "3:30 p.m.", "15:30:00.000-06:00"),
        ("time", "12 am", "00:00:00.000-06:00"),
        ("time", "a las 4 de la tarde", "16:00:00.000-06:00"),
        ("time", "8 y media", "08:30:00.000-06:00"),
        ("time", "cuatro y cuarto de la tarde", "16:15:00.000-06:00"),
        ("time", "mediodía", "12:00:00.000-06:00"),
        ("time", "25:00", None),
        ("time", "temprano", None),
        ("datetime", "15/08/2021 9:30", "2021-08-15T09:30:00.000-05:00"),
        ("datetime", "2021-08-15T09:30", "2021-08-15T09:30:00.000-05:00"),
        ("datetime", "hoy a las 4 de la tarde", "2021-08-15T16:00:00.000-05:00"),
        ("datetime", "hoy", None),
    ],
)
def test_dates_and_times_are_read_as_people_write_them(type_, said, value):
    assert moments.value(type_, said, NOW) == value


@pytest.mark.parametrize(
    ("said", "value"),
    [("2.5", 2.5), ("2,5", 2.5), ("1,500", 1500.0), ("1,500.5", 1500.5), ("dos", 2.0),
     ("unos 4", 4.0), ("dos y medio", 2.5), ("-3.2 km", -3.2), ("a", None), ("1.2.3", None)],
)  # fmt: skip
def test_numbers_with_a_point_or_a_comma_are_read(said, value):
    assert replies.decimal(said) == value


def test_cells_under_no_header_and_spaces_around_cells_are_told_once_a_sheet(tmp_path):
    book = openpyxl.Workbook()
    survey = book.active
    survey.title = "survey"
    for row in (
        ("type", "name", "label", None, None),
        ("text", " edad ", "¿Cuántos años?", "ojo: revisar", None),
        ("text", "lugar", "¿Dónde? ", None, "y esto"),
    ):
        survey.append(row)
    book.save(tmp_path / "f.xlsx")
    read = script.load(tmp_path / "f.xlsx")
    assert [question.name for question in read.script.questions] == ["edad", "lugar"]
    assert [(each.sheet, each.row, each.said.kind) for each in read.warnings] == [
        ("survey", 2, "no_header"),
        ("survey", 2, "spaces"),
    ]
    assert "2 cells stand under no header, the first of them 'ojo: revisar'" in str(
        read.warnings[0]
    )
    assert "2 cells begin or end with spaces, the first under 'name'" in str(read.warnings[1])


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8-sig", ","), ("cp1252", ";"), ("utf-16", "\t")]
)
def test_a_csv_and_its_tables_are_read_however_excel_saved_them(tmp_path, encoding, mark):
    form = [["survey"], ["", "type", "name", "label"],
            ["", "select_one_from_file pueblos.csv", "pueblo", "¿Dónde, o cerca de dónde?"],
            ["", "calculate", "sede", ""]]  # fmt: skip
    form[1].append("calculation")
    form[3].append("pulldata('pueblos', 'sede', 'name', ${pueblo})")
    towns = [["name", "label", "sede"], ["t", "Tixkokob; el pueblo, no el cabo", "Motul"]]
    for name, rows in (("f.csv", form), ("pueblos.csv", towns)):
        with (tmp_path / name).open("w", encoding=encoding, newline="") as file:
            csv.writer(file, delimiter=mark).writerows(rows)
    read = script.read(tmp_path / "f.csv")
    question = read.question("pueblo")
    assert question.label["es"] == "¿Dónde, o cerca de dónde?"
    assert question.options[0].label["es"] == "Tixkokob; el pueblo, no el cabo"
    assert read.tables["pueblos"][0]["sede"] == "Motul"


def test_a_time_alone_in_a_spreadsheet_is_no_day_of_1899():
    assert tables._cell(datetime(1899, 12, 31, 9, 30)) == "09:30:00"  # noqa: DTZ001  # as xlrd has it
    assert tables._cell(datetime(2024, 5, 6)) == "2024-05-06"  # noqa: DTZ001


def test_a_formula_whose_result_is_not_in_the_file_is_told_and_so_is_one_that_fails(tmp_path):
    book = openpyxl.Workbook()
    book.worksheets[0].title = "survey"
    for row in (
        ("type", "name", "label"),
        ("text", "a", '=CONCATENATE("¿", "A?")'),
        ("text", "b", "#REF!"),
    ):
        book.worksheets[0].append(row)
    book.create_sheet("settings").append(("form_title",))
    book.worksheets[1].append(("=survey!A1",))
    book.save(tmp_path / "f.xlsx")
    found = script.load(tmp_path / "f.xlsx").faults
    assert [(each.sheet, each.row, each.column, each.said.kind) for each in found] == [
        ("settings", 2, "form_title", "formula"),
        ("survey", 2, "label", "formula"),
        ("survey", 3, "label", "formula_error"),
    ]
    assert "save it, or write the text" in found[1].cure


def test_a_formula_is_read_as_what_the_file_says_it_comes_to(tmp_path):
    book = openpyxl.Workbook()
    book.worksheets[0].title = "survey"
    for row in (("type", "name", "label"), ("text", "a", '=CONCATENATE("¿", "A?")')):
        book.worksheets[0].append(row)
    book.save(tmp_path / "bare.xlsx")
    with ZipFile(tmp_path / "bare.xlsx") as bare, ZipFile(tmp_path / "f.xlsx", "w") as saved:
        for name in bare.namelist():
            part = bare.read(name).decode()
            part = part.replace('r="C2"><f>', 'r="C2" t="str"><f>')
            saved.writestr(name, re.sub(r"</f><v\s*/?>(</v>)?", "</f><v>¿A?</v>", part))
    assert script.read(tmp_path / "f.xlsx").question("a").label == {"es": "¿A?"}


def test_a_list_named_in_merged_cells_and_a_sheet_without_its_header_are_told(tmp_path):
    book = openpyxl.Workbook()
    book.worksheets[0].title = "survey"
    for row in (("Encuesta", None, None), ("type", "name", "label"), ("select_one s", "a", "¿A?")):
        book.worksheets[0].append(row)
    for row in (("list_name", "name", "label"), ("s", "x", "X"), (None, "y", "Y")):
        (book["choices"] if "choices" in book else book.create_sheet("choices")).append(row)
    book["choices"].merge_cells("A2:A3")
    book.save(tmp_path / "f.xlsx")
    found = script.load(tmp_path / "f.xlsx").faults
    assert [(each.sheet, each.row, each.column, each.said.kind) for each in found] == [
        ("choices", 3, "list_name", "choice_listless"),
        ("survey", 1, "type", "column_missing"),
    ]


def test_the_one_sheet_that_excel_saves_as_csv_is_the_questions(tmp_path):
    (tmp_path / "f.csv").write_text("Type;name;label\ntext;a;¿Qué?; dónde\n", encoding="cp1252")
    assert script.read(tmp_path / "f.csv").question("a").label == {"es": "¿Qué?"}


def test_a_spreadsheet_of_another_program_is_refused_with_what_to_do(tmp_path):
    with ZipFile(tmp_path / "f.ods", "w") as made:
        made.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    _, (fault,) = script.check(tmp_path / "f.ods")
    assert "Export it as .xlsx" in fault.cure
