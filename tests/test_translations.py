"""Translations go to a translator's sheet and come back; versions are compared."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from dialogs import columns, comparing, script, tables, translations

FORM = Path(script.__file__).parent / "forms" / "consulta.md"
PHRASES = Path(script.__file__).parent / "phrases.toml"


def there_and_back(strings, folder: Path):
    translations.export(strings, folder / "t.xlsx")
    return translations.read(folder / "t.xlsx")


def test_a_form_goes_to_the_translator_and_comes_back_as_it_was(tmp_path):
    book = tables.read(FORM)
    strings = translations.of_form(book, "yua")
    returned = there_and_back(strings, tmp_path)
    assert translations.counts(returned) == translations.counts(strings)
    back = translations.into_form(book, returned, "yua", "Maya (yua)")
    assert tables.to_markdown(back) == FORM.read_text(encoding="utf-8")


def test_a_translation_and_its_review_come_into_the_form(tmp_path):
    book = tables.read(FORM)
    strings = [
        replace(s, translation="Jaytúul a ja'abil?", state="reviewed", by="Ana", on="2021-07-01")
        if s.name == "edad_rango"
        else s
        for s in translations.of_form(book, "yua")
    ]
    back = translations.into_form(book, there_and_back(strings, tmp_path), "yua", "Maya (yua)")
    row = next(row for _, row in back["survey"].rows if row["name"] == "edad_rango")
    assert row["label::Maya (yua)"] == "Jaytúul a ja'abil?"
    assert row["review::Maya (yua)"] == "reviewed: Ana, 2021-07-01"
    states = translations.counts(translations.of_form(back, "yua"))
    assert states["reviewed"] == 1


def test_a_reviewed_text_is_no_draft_when_the_form_is_published(tmp_path):
    book = tables.read(FORM)
    before = script.read(FORM).drafts
    text = FORM.read_text(encoding="utf-8").replace("| draft |", "| reviewed: Ana, 2021-07-01 |", 1)
    (tmp_path / "consulta.md").write_text(text, encoding="utf-8")
    (tmp_path / "municipios.csv").write_bytes(FORM.with_name("municipios.csv").read_bytes())
    assert script.read(tmp_path / "consulta.md").drafts == before - 1
    assert book


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"state": "fine"}, "the state 'fine' is not known"),
        ({"state": "reviewed"}, "not by whom and when"),
        ({"translation": "Folio: ${otro}", "state": "draft"}, "${otro} must stand"),
    ],
)
def test_a_sheet_that_cannot_be_taken_back_says_why(tmp_path, change, fault):
    strings = translations.of_form(tables.read(FORM), "yua")
    with pytest.raises(translations.TranslationError, match="row 2") as error:
        there_and_back([replace(strings[0], **change), *strings[1:]], tmp_path)
    assert fault in str(error.value)


def test_the_bots_own_phrases_take_the_same_road(tmp_path):
    text = PHRASES.read_text(encoding="utf-8")
    strings = translations.of_phrases(PHRASES, "yua")
    same = translations.into_phrases(text, there_and_back(strings, tmp_path), "yua")
    before, after = tomllib.loads(text), tomllib.loads(same)
    assert {k: (v["es"], v.get("yua")) for k, v in before.items()} == {
        k: (v["es"], v.get("yua")) for k, v in after.items()
    }
    one = replace(
        strings[0], translation='Bix "a" beel', state="reviewed", by="Ana", on="2021-07-01"
    )
    changed = tomllib.loads(translations.into_phrases(text, [one], "yua"))
    assert changed[one.name]["yua"] == 'Bix "a" beel'
    assert changed[one.name]["state"] == "reviewed: Ana, 2021-07-01"


def test_review_columns_have_a_name_that_odk_takes():
    book = tables.read(FORM)
    assert "review_yua" in columns.for_odk(book)["choices"].headers
    assert columns.from_odk(columns.for_odk(book)) == book


def test_what_changed_between_versions_is_told(tmp_path):
    def read(*rows: str):
        text = "| survey |\n| | type | name | label | relevant |\n" + "".join(
            f"| | {row} |\n" for row in rows
        )
        text += "| choices |\n| | list_name | name | label |\n| | s | si | Sí |\n"
        (tmp_path / "f.md").write_text(text, encoding="utf-8")
        return script.read(tmp_path / "f.md")

    old = read("text | a | ¿A?", "text | b | ¿B?", "select_one s | s | ¿S?")
    new = read("text | c | ¿C?", "text | a | ¿A, dices?", "select_one s | s | ¿S? | ${a} != ''")
    found = [(change.name, change.what) for change in comparing.changes(old, new)]
    assert found == [("c", "added"), ("a", "label::es"), ("s", "relevant"), ("b", "removed")]
    assert comparing.changes(old, old) == []
