"""What goes out, and people's rights over it: through the commands, as an organizer runs them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

import dialogs.forms
from bot import report
from bot.cli import main
from dialogs.script import read
from storage import forms
from storage.database import writing
from tests.emulators import telegram_people
from tests.world import World


@pytest.fixture
def answered(world: World) -> World:
    """Ana has said what a spreadsheet would take for a formula, Beto refused."""
    said = (
        "hola",
        "es",
        "si",
        "3",
        "Mérida",
        "sí",
        '=HYPERLINK("http://x.mx")',
        "no",
        "agua, salud",
        "2",
    )
    world.answers_until("ana", *said, "mina'an ja' tin kaajal, jach talam u beetik", "4")
    world.speaks("ana")
    world.answers_until("beto", "hola", "es", "no")
    return world


def run(world: World, *command: str, answer: str = "") -> tuple[int, str, str]:
    settings = world.parts.settings
    known = {
        "CONSULTA_DATA": str(settings.data),
        "CONSULTA_DATABASE_URL": settings.database_url,
        "CONSULTA_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    result = CliRunner().invoke(main, command, env=known, input=answer)
    return result.exit_code, result.stdout, result.stderr


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_answers_go_out_as_csv_under_pseudonyms(answered: World, tmp_path: Path) -> None:
    assert run(answered, "export", "--format", "csv", str(tmp_path / "out"))[0] == 0
    out = rows(tmp_path / "out" / "answers.csv")
    columns = "person form version question value said language confidence channel at"
    assert list(out[0]) == columns.split()
    by_question = {row["question"]: row for row in out}
    assert by_question["municipio"]["value"] == "31050"
    assert by_question["temas"]["value"] == "agua salud"
    assert by_question["localidad"]["said"] == '=HYPERLINK("http://x.mx")'
    assert by_question["problema"]["language"] == "yua"
    assert float(by_question["problema"]["confidence"]) > 0.9
    assert by_question["municipio"]["at"].endswith("Z")
    whole = (tmp_path / "out" / "answers.csv").read_text(encoding="utf-8")
    assert "101" not in {row["person"] for row in out}
    assert "9991112233" not in whole
    passes = rows(tmp_path / "out" / "responses.csv")
    assert {row["state"] for row in passes} == {"started", "refused"}
    assert len({row["person"] for row in out}) == 1
    assert {row["quote"] for row in passes} == {""}  # nobody was asked


def test_a_spreadsheet_holds_no_formula(answered: World, tmp_path: Path) -> None:
    assert run(answered, "export", "--format", "xlsx", str(tmp_path / "out"))[0] == 0
    book = openpyxl.load_workbook(tmp_path / "out" / "consulta.xlsx")
    cells = [cell for row in book["answers"].iter_rows() for cell in row]
    assert '=HYPERLINK("http://x.mx")' in {cell.value for cell in cells}
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    book.close()


@pytest.mark.parametrize("name", ["json", "frictionless", "floip"])
def test_open_formats_are_whole(answered: World, tmp_path: Path, name: str) -> None:
    code, out, _ = run(answered, "export", "--format", name, str(tmp_path / "out"), "--json")
    assert code == 0
    files = {Path(file).name: Path(file) for file in json.loads(out)}
    if name == "frictionless":
        package = json.loads(files["datapackage.json"].read_text(encoding="utf-8"))
        listed = {resource["path"] for resource in package["resources"]}
        assert listed == {"answers.csv", "responses.csv", "questions.csv", "changes.csv"}
    elif name == "floip":
        package = json.loads(files["flow-results-package.json"].read_text(encoding="utf-8"))
        data = json.loads(files["flow-results-data.json"].read_text(encoding="utf-8"))
        questions = package["resources"][0]["schema"]["questions"]
        assert all(len(row) == 7 and row[4] in questions for row in data)
    else:
        assert len(json.loads(files["answers.json"].read_text(encoding="utf-8"))) > 5


def test_a_person_can_have_all_that_is_known(answered: World, tmp_path: Path) -> None:
    file = tmp_path / "ana.json"
    assert run(answered, "person", "export", "telegram:101", str(file))[0] == 0
    known = json.loads(file.read_text())
    assert (known["address"], known["language"]) == ("101", "es")
    assert known["municipality"] == "31050"
    assert {row["question"] for row in known["answers"]} > {"temas", "problema"}
    folio = known["folios"][0]
    assert run(answered, "person", "export", folio, str(tmp_path / "ana.csv"))[0] == 0
    told = rows(tmp_path / "ana.csv")
    assert len(told) == len(known["answers"])
    assert """'=HYPERLINK("http://x.mx")""" in {row["said"] for row in told}, "no formula"


def test_a_person_is_forgotten_with_words_and_voice(answered: World, tmp_path: Path) -> None:
    assert len(answered.parts.post.media.names()) == 1
    code, out, _ = run(answered, "person", "forget", "telegram:101", "--yes")
    assert (code, "removed" in out) == (0, True)
    assert answered.stored("ana") == {}
    assert answered.parts.post.media.names() == []
    code, _, errors = run(answered, "person", "export", "telegram:101", str(tmp_path / "x.json"))
    assert (code, "nobody is known by this" in errors) == (2, True)
    answered.does("ana", telegram_people.start(answered.cast["ana"]))
    assert answered.stored("ana") == {}


def test_without_a_yes_nothing_is_removed(answered: World) -> None:
    code, _, _ = run(answered, "person", "forget", "whatsapp:+5219991112233", answer="n\n")
    assert code == 1
    assert run(answered, "person", "forget", "whatsapp:+529991112233", "--yes")[0] == 0


@pytest.mark.parametrize("ending", ["html", "md"])
def test_the_report_counts_and_shows_no_few(answered: World, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"informe.{ending}"
    assert run(answered, "report", str(file))[0] == 0
    written = file.read_text(encoding="utf-8")
    assert "0 personas terminaron, 1 empezaron" in written
    assert "1 prefirieron no participar" in written
    assert "menos de 5" in written
    assert "Se preguntó con maya sin revisar: " in written
    assert "HYPERLINK" not in written


def test_in_the_report_no_small_number_follows_from_the_others() -> None:
    question = read(Path(dialogs.forms.__path__[0]) / "consulta.md").question("participo")
    names = [option.name for option in question.options]
    counts = dict(zip(names, (12, 6, 2), strict=False))
    tally = report.Tally(chosen={question.name: Counter(counts)},
                         people={question.name: {str(n) for n in range(20)}})  # fmt: skip
    lines = list(report._question(question, tally))
    assert lines[3] == "Contestaron 20 personas."
    numbers = [line.split(" | ")[1:] for line in lines if line.startswith("| ")][1:]
    assert numbers == [["12", "60 |"], ["5 o más", "– |"], ["menos de 5", "– |"]]


@pytest.mark.parametrize("name", ["csv", "xlsx", "json", "frictionless", "floip"])
def test_versions_go_out_together_with_what_changed(
    world: World, tmp_path: Path, name: str
) -> None:
    world.answers_until("ana", "hola", "es", "si", "3")
    shipped = Path(forms.__file__).parents[1] / "dialogs" / "forms"
    text = (shipped / "consulta.md").read_text(encoding="utf-8")
    (tmp_path / "municipios.csv").write_bytes((shipped / "municipios.csv").read_bytes())
    changed = text.replace("¿Qué edad tienes?", "¿Cuántos años tienes?")
    (tmp_path / "consulta.md").write_text(changed, encoding="utf-8")
    with writing(world.parts.engine) as db:
        forms.publish(db, tmp_path / "consulta.md", world.clock(), front=True)
    world.answers_until("beto", "hola", "es", "si", "3")
    assert run(world, "export", "--format", name, str(tmp_path / "out"))[0] == 0
    told = {"form": "consulta", "from_version": "1", "to_version": "2", "name": "edad_rango",
            "what": "label::es", "before": "¿Qué edad tienes?",
            "after": "¿Cuántos años tienes?"}  # fmt: skip
    assert _changes(tmp_path / "out") == [told]


def _changes(out: Path) -> list[dict[str, str]]:
    if (out / "changes.csv").is_file():
        return rows(out / "changes.csv")
    if (out / "changes.json").is_file():
        found = json.loads((out / "changes.json").read_text(encoding="utf-8"))
        return [{key: str(cell) for key, cell in row.items()} for row in found]
    book = openpyxl.load_workbook(out / "consulta.xlsx")
    header, *cells = book["changes"].iter_rows(values_only=True)
    book.close()
    return [dict(zip(map(str, header), map(str, row), strict=True)) for row in cells]
