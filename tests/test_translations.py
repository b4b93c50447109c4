"""Translations go to a translator's sheet and come back; versions are compared."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dialogs import columns, comparing, form_texts, own_words, script, tables, translations

FORM = Path(script.__file__).parent / "forms" / "consulta.md"


def there_and_back(strings, folder: Path):
    translations.export(strings, folder / "t.xlsx")
    return translations.read(folder / "t.xlsx")


def form(folder: Path, text: str) -> Path:
    (folder / "f.md").write_text(text, encoding="utf-8")
    return folder / "f.md"


def test_a_form_goes_to_the_translator_and_comes_back_as_it_was(tmp_path):
    book = tables.read(FORM)
    strings = form_texts.of_form(book, "yua")
    returned = there_and_back(strings, tmp_path)
    assert returned == strings
    assert translations.returned(strings, returned) == []
    back = form_texts.into_form(book, returned, "yua")
    assert tables.to_markdown(back) == FORM.read_text(encoding="utf-8")


def test_each_text_of_a_row_has_its_own_state(tmp_path):
    strings = form_texts.of_form(tables.read(FORM), "yua")
    hint = next(s for s in strings if (s.name, s.column) == ("problema", "hint"))
    assert (hint.state, hint.translation) == ("missing", "")
    said = replace(hint, translation="Ts'íib", state="reviewed", by="Ana; Pech", on="2021-07-01")
    back = form_texts.into_form(tables.read(FORM), [said], "yua")
    row = next(row for _, row in back["survey"].rows if row["name"] == "problema")
    assert row["hint::Maya (yua)"] == "Ts'íib"
    now = {s.column: s for s in form_texts.of_form(back, "yua") if s.name == "problema"}
    assert (now["label"].state, now["hint"].state) == ("draft", "reviewed")
    assert (now["hint"].by, now["hint"].on) == ("Ana, Pech", "2021-07-01")
    assert translations.counts(form_texts.of_form(back, "yua"))["reviewed"] == 1


REVIEWED = """| survey | | | | | |
|---|---|---|---|---|---|
| | type | name | label::Español (es) | label::Maya (yua) | review::Maya (yua) |
| | text | a | {0} | Bix? | reviewed: Ana, INDEMAYA, 2021-07-01, {1} |
"""


def test_what_was_reviewed_is_a_draft_again_once_the_spanish_changes(tmp_path):
    mark = translations.mark("¿Cómo?")
    path = form(tmp_path, REVIEWED.format("¿Cómo?", mark))
    (string,) = form_texts.of_form(tables.read(path), "yua")
    assert (string.state, string.by, string.on) == ("reviewed", "Ana, INDEMAYA", "2021-07-01")
    assert script.read(path).drafts == 0
    path = form(tmp_path, REVIEWED.format("¿Cómo estás?", mark))
    (string,) = form_texts.of_form(tables.read(path), "yua")
    assert (string.state, string.by, string.translation) == ("draft", "", "Bix?")
    assert script.read(path).drafts == 1


def test_a_review_without_a_mark_is_taken_at_its_word_and_maya_without_one_is_a_draft(tmp_path):
    path = form(tmp_path, REVIEWED.format("¿Cómo?", "").replace(",  |", " |"))
    assert script.read(path).drafts == 0
    text = path.read_text(encoding="utf-8").replace("reviewed: Ana, INDEMAYA, 2021-07-01", "")
    assert script.read(form(tmp_path, text)).drafts == 1


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"state": "fine"}, "The state 'fine' is not known"),
        ({"state": "reviewed"}, "not by whom and when"),
        ({"translation": "Folio: ${otro}", "state": "draft"}, "${otro} must stand"),
    ],
)
def test_a_sheet_that_cannot_be_taken_back_says_why(tmp_path, change, fault):
    strings = form_texts.of_form(tables.read(FORM), "yua")
    with pytest.raises(translations.TranslationError, match="row 2") as error:
        there_and_back([replace(strings[0], **change), *strings[1:]], tmp_path)
    assert fault in str(error.value)


def test_the_translators_sheet_is_in_spanish_and_one_with_the_headings_of_before_is_read(tmp_path):
    one = translations.String("survey", "a", "label", "Hola", "Bix", "", "reviewed", "Ana", "2021")
    translations.export([one], tmp_path / "h.xlsx")
    ((page, sheet),) = tables.read_any(tmp_path / "h.xlsx").items()
    assert (page, sheet.headers[0], sheet.rows[0][1]["estado"]) == ("textos", "dónde", "revisado")
    assert translations.read(tmp_path / "h.xlsx") == [one]
    before = tables.Sheet((*translations.HEADERS,), ((2, asdict(one)),))
    tables.to_xlsx({"survey": before}, tmp_path / "h.xlsx")
    assert translations.read(tmp_path / "h.xlsx") == [one]
    tables.to_xlsx({"x": replace(before, headers=("dónde", "NOMBRE"))}, tmp_path / "h.xlsx")
    with pytest.raises(translations.TranslationError, match=r"x, row 1: .*no column 'columna'"):
        translations.read(tmp_path / "h.xlsx")


def test_a_sheet_made_before_the_spanish_changed_brings_a_draft():
    strings = form_texts.of_form(tables.read(FORM), "yua")
    old = replace(strings[0], source="Hola", state="reviewed", by="Ana", on="2021-07-01")
    (changed,) = translations.returned(strings, [replace(old, translation="Bix")])
    assert (changed.translation, changed.state, changed.by) == ("Bix", "draft", "")
    assert changed.source == strings[0].source
    assert translations.returned(strings, [replace(old, name="otra")]) == []


@pytest.mark.parametrize("name", own_words.OWN)
def test_the_bots_own_words_take_the_same_road(tmp_path, name):
    text = own_words.file(name).read_text(encoding="utf-8")
    strings = own_words.strings(name)
    assert own_words.into_text(text, there_and_back(strings, tmp_path), "yua") == text
    one = replace(
        strings[0], translation='Bix "a" beel', state="reviewed", by="Ana", on="2021-07-01"
    )
    changed = own_words.into_text(text, [one], "yua")
    assert own_words.of_text(changed, name, "yua")[0] == one
    again = own_words.of_text(changed.replace("es = ", "es = 'x'  # ", 1), name, "yua")[0]
    assert (again.source, again.state, again.translation) == ("x", "draft", 'Bix "a" beel')


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
    heard = replace(new.question("s"), audio={"yua": "s.ogg"}, parameters={"randomize": "true"})
    told = replace(heard.options[0], label={"es": "Sí", "yua": "Jaaj"})
    asked = (*new.questions[:2], replace(heard, options=(told,)))
    found = [
        (each.name, each.what) for each in comparing.changes(new, replace(new, questions=asked))
    ]
    assert found == [("s", "parameters"), ("s", "media::audio::yua"), ("s/si", "label::yua")]
