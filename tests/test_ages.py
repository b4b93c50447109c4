"""Ages beside the census: what is shipped, what an organizer brings, and what can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from bot import age_files
from bot.cli import main
from bot.forum_files import ForumFileError
from dialogs import ages
from dialogs.ages import Row
from storage import ages as stored
from storage import forms, schema
from storage.database import writing
from tests import databases
from tests.pages_world import Pages, pages

YEARS = [Row(age, age, 20, 10, 10) for age in range(100)] + [Row(100, None, 40, 10, 30)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Pages]:
    with pages(tmp_path, people=60) as made:
        yield made


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("Menos de 18", (0, 17)), ("18 a 29", (18, 29)), ("18_29", (18, 29)), ("18-29", (18, 29)),
        ("60 o más", (60, None)), ("60_mas", (60, None)), ("60+", (60, None)),
        ("85 años y más", (85, None)), ("0 a 4 años", (0, 4)), ("34 años", (34, 34)),
        ("Prefiero no responder", None),
    ],
)  # fmt: skip
def test_ages_are_read_as_people_write_them(written, span):
    assert ages.span(written) == span


def test_ages_are_compared_as_finely_as_both_know_them():
    assert [block.names for block in ages.blocks(ages.USUAL, YEARS)] == [
        ("18 a 29",), ("30 a 44",), ("45 a 59",), ("60 o más",),
    ]  # fmt: skip
    found = ages.blocks(ages.USUAL, age_files.shipped())
    assert [block.names for block in found] == [("18 a 29", "30 a 44", "45 a 59"), ("60 o más",)]
    assert sum(block.row.people for block in found) == 1_650_160
    fives = [Row(age, age + 4, 5) for age in range(0, 85, 5)] + [Row(85, None, 5)]
    known = ages.blocks(ages.USUAL, fives)  # 15 to 19 lies on both sides of 18
    assert [block.names for block in known] == [("30 a 44",), ("45 a 59",), ("60 o más",)]


def test_what_is_shipped_agrees_with_the_municipalities():
    """All but 3,816 people, whose age the census does not know."""
    assert sum(row.people for row in age_files.shipped()) == 2_320_898 - 3_816


def test_a_table_of_inegi_is_taken_as_it_is(tmp_path, monkeypatch):
    databases.sqlite(tmp_path)
    monkeypatch.setenv("CONSULTA_DATA", str(tmp_path))
    path = tmp_path / "tabla.csv"
    path.write_text(
        "Grupo de edad;Población total;Hombres;Mujeres\nTotal;40;18;22\n0 a 17 años;1 000;490;510\n"
        "18 a 59 años;2,000;900;1,100\n60 años y más;500;200;300\nNo especificado;3;1;2\n",
        encoding="utf-8",
    )
    done = CliRunner().invoke(main, ["census", "ages", str(path), "--source", "INEGI", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["source"] == "INEGI"
    assert found["rows"][2] == {"start": 60, "end": None, "people": 500, "men": 200, "women": 300}
    assert (
        "18 to 59: 2,000 (900 men, 1,100 women)"
        in CliRunner().invoke(main, ["census", "ages"]).stdout
    )


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["edad,gente", "18,3"], ["Begin with the line: age,men,women"]),
        (["age,people", "nada,3", "9,tres"], ["line 2: 'nada' is no age", "line 3: 'tres' is no"]),
        (["age,people,men,women", "18 y más,5,2,2"], ["2 men and 2 women are not 5 people"]),
        (["age,people", "0 a 17,5", "17 y más,5"], ["the age 17 stands in two lines"]),
        (["age,people", "0 a 17,5", "19 y más,5"], ["the ages 18 to 18 are missing"]),
        (["age,people", "0 a 17,5", "18 a 59,5"], ["Write the last line as: 18 y más"]),
        (["age,people", "18 y más,"], ["the number of people is missing"]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_table_is_told_at_once(tmp_path, lines, told):
    path = tmp_path / "tabla.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ForumFileError) as caught:
        age_files.read(path)
    for words in told:
        assert words in str(caught.value)


def test_the_page_compares_with_what_there_is_and_says_where_it_is_from(site):
    shown = site.as_("analyst").reads("/participacion")
    assert "18 a 59, en conjunto" in shown
    assert "Censo: 82 %" in shown  # 1,361,125 of 1,650,160
    assert "Censo: 18 %" in shown
    assert "INEGI, Censo de Población y Vivienda 2020" in shown
    assert "consulta census ages tabla.csv" in shown
    with writing(site.parts.engine) as db:
        db.execute(update(schema.people).values(age="18_29", gender="mujer"))
        stored.replace(db, YEARS, "INEGI, por años de edad")
    shown = site.as_("analyst").reads("/participacion")
    assert "en conjunto" not in shown
    assert "Las edades se comparan con: INEGI, por años de edad" in shown
    assert "Mujeres, 18 a 29" in shown
    assert "Censo: 7.1 %" in shown  # 120 of 1,680, of either sex


def test_shares_in_the_questionnaire_s_own_sheet_come_first(site):
    sheet = resources.files("dialogs.forms").joinpath("consulta.md").read_text("utf-8")
    head = sheet.index("| choices")
    row = next(line for line in sheet[head:].splitlines() if "list_name" in line)
    sheet = sheet.replace(row, row + " census |").replace(
        "| | edades | 18_29 | 18 a 29 | | | |", "| | edades | 18_29 | 18 a 29 | | | | 27.5 |"
    )
    file = site.parts.settings.data / "consulta.md"
    file.write_text(sheet, encoding="utf-8")
    shipped = resources.files("dialogs.forms").joinpath("municipios.csv")
    (file.parent / "municipios.csv").write_bytes(shipped.read_bytes())
    with writing(site.parts.engine) as db:
        forms.publish(db, file, site.parts.clock(), state="pilot", front=True)
    shown = site.as_("analyst").reads("/participacion")
    assert "Censo: 28 %" in shown
    assert "porcentajes que trae el propio cuestionario" in shown
