"""The commands about questionnaires keep their contracts: what they print, and how they exit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
from click.testing import CliRunner

from bot.cli import main
from dialogs import script, tables, translations
from tests import databases
from tests.emulators import samples

FORMS = Path(script.__file__).parent / "forms"
BAD = "| survey |\n| | type | name | label |\n| | barcode | a | ¿A? |\n| | text | b | ${c} |\n"
GOOD = "| survey |\n| | type | name | label |\n| | text | a | ¿A? |\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    databases.sqlite(tmp_path / "data")
    monkeypatch.setenv("CONSULTA_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CONSULTA_DATABASE_URL", raising=False)
    runner = CliRunner()
    return lambda *words: runner.invoke(main, [str(word) for word in words])


@pytest.fixture
def files(tmp_path):
    for name, text in (("bad.md", BAD), ("good.md", GOOD)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_check_prints_every_fault_and_exits_1(run, files):
    found = run("form", "check", files / "bad.md", files / "good.md", "--json")
    bad, good = json.loads(found.stdout)
    assert found.exit_code == 1
    assert (bad["ok"], good["ok"]) == (False, True)
    assert [(fault["row"], fault["name"]) for fault in bad["faults"]] == [(2, "a"), (3, "b")]
    assert set(bad["faults"][0]) == {"sheet", "row", "column", "name", "problem", "cure"}
    assert run("form", "check", files / "good.md").exit_code == 0
    assert run("form", "check", files / "none.md").exit_code == 2


def test_what_is_no_table_is_told_among_the_others_and_exits_2(run, files):
    (files / "letter.xlsx").write_text("Dear all,", encoding="utf-8")
    (files / "cut.xlsx").write_bytes(b"PK\x03\x04 and no more")
    given = ("bad.md", "letter.xlsx", "cut.xlsx", "none.md")
    found = run("form", "check", *(files / name for name in given), "--json")
    reports = json.loads(found.stdout)
    assert [len(report["faults"]) for report in reports] == [2, 1, 1, 1]
    assert all(fault["cure"] for report in reports for fault in report["faults"])
    assert found.exit_code == 2
    for command in ("show", "simulate", "publish"):
        assert run("form", command, files / "letter.xlsx").exit_code == 2
    assert run("chat", files / "letter.xlsx").exit_code == 2
    (files / "lists.md").write_text("| choices |\n| | list_name | name |\n", encoding="utf-8")
    assert run("form", "check", files / "lists.md").exit_code == 1


@pytest.mark.parametrize("command", ["show", "simulate"])
def test_a_form_with_faults_is_neither_drawn_nor_walked_and_they_are_listed(run, files, command):
    found = run("form", command, files / "bad.md")
    listed = run("form", "check", files / "bad.md").stderr
    assert (found.exit_code, found.stdout, found.stderr) == (1, "", listed)
    assert run("form", command, files / "none.md").exit_code == 2


def test_simulate_says_who_ended_and_what_nobody_reached(run):
    words = ("form", "simulate", FORMS / "consulta.md", "--people", 60, "--seed", 2, "--json")
    found = json.loads(run(*words).stdout)
    assert (found["people"], found["finished"]) == (60, 60)
    assert (found["dead_ends"], found["unreached"]) == ([], [])


def test_show_prints_the_tree_and_writes_a_drawing(run, tmp_path):
    assert "edad_rango" in run("form", "show", FORMS / "consulta.md").stdout
    run("form", "show", FORMS / "consulta.md", "--svg", tmp_path / "c.svg")
    assert (tmp_path / "c.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_form_goes_to_a_spreadsheet_and_back(run, tmp_path):
    assert run("form", "xlsx", FORMS / "comunidades.md", tmp_path / "c.xlsx").exit_code == 0
    assert run("form", "import", tmp_path / "c.xlsx", tmp_path / "c.md").exit_code == 0
    before = (FORMS / "comunidades.md").read_text(encoding="utf-8")
    assert (tmp_path / "c.md").read_text(encoding="utf-8") == before


def test_other_sheets_go_along_and_what_cannot_is_told(run, tmp_path):
    text = f"{GOOD}\n| external_choices |\n| | list_name | name |\n| | l | a |\n"
    text += "\n| Notas |\n| | Una nota |\n| | a\\|b | suelta |\n"
    (tmp_path / "n.md").write_text(text, encoding="utf-8")
    made = run("form", "xlsx", tmp_path / "n.md", tmp_path / "n.xlsx")
    assert "Notas, row 2: 1 cells stand under no header, the first of them 'suelta'" in made.stderr
    run("form", "import", tmp_path / "n.xlsx", tmp_path / "again.md")
    book = tables.read(tmp_path / "again.md")
    assert list(book) == ["survey", "external_choices", "Notas"]
    assert book["Notas"].rows == ((2, {"Una nota": "a|b"}),)
    (tmp_path / "n.md").write_text(text.replace("| name | label |", "| name | name |"), "utf-8")
    twice = run("form", "import", tmp_path / "n.md", tmp_path / "no.md")
    assert (twice.exit_code, "'name' stands there twice" in twice.stderr) == (1, True)
    assert not (tmp_path / "no.md").exists()


def test_publishing_drafts_has_to_be_said_and_versions_are_compared(run, files):
    refused = run("form", "publish", FORMS / "comunidades.md")
    assert refused.exit_code == 2
    assert "--accept-drafts" in refused.stderr
    accepted = run("form", "publish", FORMS / "comunidades.md", "--accept-drafts")
    assert accepted.stdout == "comunidades, version 1\n"
    run("form", "publish", files / "good.md")
    (files / "good.md").write_text(GOOD.replace("¿A?", "¿Cuál?"), encoding="utf-8")
    assert run("form", "publish", files / "good.md").stdout == "good, version 2\n"
    faulty = run("form", "publish", files / "bad.md")
    assert (faulty.exit_code, len(faulty.stderr.splitlines())) == (1, 2)
    (change,) = json.loads(run("form", "changes", "good", "--json").stdout)
    assert (change["from"], change["to"], change["after"]) == (1, 2, "¿Cuál?")


def test_publishing_says_when_pictures_cannot_reach_whatsapp(run, tmp_path, monkeypatch):
    text = GOOD.replace("| label |", "| label | media::image |").replace("¿A? |", "¿A? | a.jpg |")
    (tmp_path / "f.md").write_text(text, encoding="utf-8")
    (tmp_path / "a.jpg").write_bytes(samples.JPEG)
    assert run("form", "publish", tmp_path / "f.md").stderr == ""
    assert (tmp_path / "data" / "media" / "forms" / "a.jpg").read_bytes() == samples.JPEG
    for name, value in (("ACCOUNT_SID", "AC" + "0" * 32), ("AUTH_TOKEN", "0" * 32)):
        monkeypatch.setenv(f"CONSULTA_TWILIO_{name}", value)
    monkeypatch.setenv("CONSULTA_WHATSAPP_FROM", "+5219990000000")
    assert "CONSULTA_PUBLIC_URL" in run("form", "publish", tmp_path / "f.md").stderr
    (tmp_path / "a.jpg").write_bytes(samples.JPEG + b"x")
    other = run("form", "publish", tmp_path / "f.md")
    assert (other.exit_code, "already published by this name" in other.stderr) == (2, True)


def test_a_facilitator_gets_a_code_once_there_is_a_form(run):
    assert "Publish it first" in run("facilitator", "add", "Ana").stderr
    run("form", "publish", FORMS / "comunidades.md", "--accept-drafts")
    assert run("facilitator", "add", "Ana").stdout.startswith("facilitador ")
    assert run("facilitator", "list").stdout == "Ana: comunidades\n"
    assert run("facilitator", "close", "Ana").exit_code == 0
    assert run("facilitator", "close", "Ana").exit_code == 2


def test_submissions_come_in_by_a_command(run, tmp_path):
    (tmp_path / "s.csv").write_text("consiente,instanceID\nsi,a\nquizás,b\n", encoding="utf-8")
    run("form", "publish", FORMS / "consulta.md", "--accept-drafts")
    found = run("import", tmp_path / "s.csv", "--form", "consulta", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["taken"] == 1
    assert (tmp_path / "s.rejected.csv").is_file()


def test_a_zip_and_a_folder_of_submissions_come_in_with_their_recordings(run, tmp_path):
    form = "| survey |\n| | type | name | label |\n| | text | a | ¿A? |\n| | image | f | Foto |\n"
    form += "| | begin_repeat | r | R |\n| | integer | n | ¿N? |\n| | end_repeat | | |\n"
    (tmp_path / "f.md").write_text(form, encoding="utf-8")
    run("form", "publish", tmp_path / "f.md")
    with ZipFile(tmp_path / "export.zip", "w") as packed:
        packed.writestr("f.csv", "KEY,a,f\nuuid:1,uno,p.jpg\nuuid:2,dos,\n")
        packed.writestr("f-r.csv", "PARENT_KEY,n\nuuid:1,3\nuuid:1,x\n")
        packed.writestr("media/p.jpg", samples.JPEG)
    found = json.loads(run("import", tmp_path / "export.zip", "--form", "f", "--json").stdout)
    assert (found["taken"], found["rejected"], found["missing_files"]) == (1, 1, [])
    assert (tmp_path / "export.rejected.csv").is_file()
    for number in (3, 4):
        folder = tmp_path / "instances" / str(number)
        folder.mkdir(parents=True)
        xml = f"<data><a>x</a><meta><instanceID>uuid:{number}</instanceID></meta></data>"
        (folder / "i.xml").write_text(xml)
    (tmp_path / "instances" / "form.xml").write_text("<h:html xmlns:h='x'/>")
    found = json.loads(run("import", tmp_path / "instances", "--form", "f", "--json").stdout)
    assert (found["taken"], found["rejected"]) == (2, 0)
    (tmp_path / "empty").mkdir()
    assert run("import", tmp_path / "empty", "--form", "f").exit_code == 2
    (tmp_path / "bad.zip").write_bytes(b"PK")
    assert run("import", tmp_path / "bad.zip", "--form", "f").exit_code == 2


def test_what_is_published_goes_to_the_translator_and_comes_back(run, tmp_path):
    run("form", "publish", FORMS / "consulta.md", "--accept-drafts")
    for name in ("consulta", "phrases", "commands"):
        assert run("form", "translations", "export", name, tmp_path / "t.xlsx").exit_code == 0
        first, *rest = translations.read(tmp_path / "t.xlsx")
        first = replace(first, translation="Beey", state="reviewed", by="Ana", on="2021-07-01")
        translations.export([first, *rest], tmp_path / "t.xlsx")
        found = run("form", "translations", "import", name, tmp_path / "t.xlsx")
        assert f"{name}: 1 of {len(rest) + 1} strings changed" in found.stdout
        status = run("form", "translations", "status", name, "--json").stdout
        assert json.loads(status)["reviewed"] == 1
    refused = run("form", "translations", "status", "nada")
    assert (refused.exit_code, "no questionnaire of that name" in refused.stderr) == (2, True)


def test_the_state_of_every_string_is_told(run):
    found = json.loads(run("form", "translations", "status", "phrases", "--json").stdout)
    assert set(found) == {"missing", "draft", "reviewed"}
    assert found["draft"] > 0


def test_the_links_of_a_questionnaire_are_told(run):
    found = run("form", "link", "consulta", "--bot", "consulta_bot", "--poster", "a1", "--json")
    assert json.loads(found.stdout) == {
        "code": "consulta-a1", "words": "cuestionario consulta-a1",
        "links": {"Telegram": "https://t.me/consulta_bot?start=consulta-a1"},
    }  # fmt: skip
    wrong = run("form", "link", "consulta", "--bot", "consulta_bot", "--poster", "á é")
    assert (wrong.exit_code, "No such link can be made" in wrong.stderr) == (2, True)
    assert "Say which bot" in run("form", "link", "consulta").stderr
    assert "No questionnaire nada" in run("form", "link", "nada", "--bot", "consulta_bot").stderr
