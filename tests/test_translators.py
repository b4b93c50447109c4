"""The translators' pages: a text is written, reviewed, published; what is a draft is said."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bot import words as words_in_force
from dialogs import form_texts, phrases, replies, script, tables, translations
from dialogs.translations import String
from storage import database, forms, translating
from storage.database import reading, writing
from storage.vault import vault
from tests import databases
from tests.emulators import samples
from tests.pages_world import Pages, account
from tests.world import KEY, settings
from webhooks import create_app, recordings

NOW = datetime(2027, 7, 1, tzinfo=UTC)
FORMS = Path(script.__file__).parent / "forms"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Pages]:
    databases.sqlite(tmp_path)
    made = Pages(create_app(settings(tmp_path, chat=True)))
    with writing(made.parts.engine) as db:
        for role in ("organizer", "translator"):
            account(db, role, f"{role} Canul", made.parts.clock())
    yield made
    phrases.take({})
    replies.take({})
    made.parts.engine.dispose()


def text(site: Pages, name: str, place: str) -> String:
    with reading(site.parts.engine) as db:
        return next(each for each in translating.now(db, name, "yua") if each.place == place)


def fields(string: String, said: str, act: str) -> dict[str, str]:
    return {"lugar": string.place, "marca": translations.mark(string.source), "texto": said,
            "a": act}  # fmt: skip


def test_a_translator_reviews_a_text_and_the_drafts_are_fewer(site):
    with reading(site.parts.engine) as db:
        before = translating.unreviewed(db)
    translator, string = site.as_("translator"), text(site, "consulta", "survey|municipio|label")
    page = translator.reads("/traducciones/consulta?estado=missing")
    assert f"Faltan: {page.count(' falta ')}" in page
    given = fields(string, string.translation, "revisado")
    assert (
        translator.sends("/traducciones/consulta", "/traducciones/consulta", **given).status_code
        == 302
    )
    now = text(site, "consulta", string.place)
    assert (now.state, now.by) == ("reviewed", "translator Canul")
    assert f"Maya sin revisar: {before - 1} textos" in site.stranger().reads("/chat")
    assert ("translator@consulta.mx", "revisó una traducción") in site.log()


def test_only_who_translates_says_that_a_text_is_reviewed(site):
    organizer, string = site.as_("organizer"), text(site, "consulta", "survey|municipio|label")
    sends = organizer.sends("/traducciones/consulta", "/traducciones/consulta",
                            **fields(string, "Tu'ux?", "revisado"))  # fmt: skip
    assert sends.status_code == 403
    organizer.sends("/traducciones/consulta", "/traducciones/consulta",
                    **fields(string, "Tu'ux?", "borrador"))  # fmt: skip
    now = text(site, "consulta", string.place)
    assert (now.translation, now.state) == ("Tu'ux?", "draft")


@pytest.mark.parametrize(
    ("said", "mark", "told"),
    [
        ("Folio", None, "Revisa ${folio}: debe estar igual"),
        ("Folio: ${folio} ${otro}", None, "Revisa ${otro}"),
        ("Folio: ${folio}", "0" * 12, "El español cambió mientras escribías"),
    ],
)
def test_a_text_that_cannot_be_kept_says_why(site, said, mark, told):
    string = text(site, "consulta", "survey|gracias|label")
    given = fields(string, said, "revisado")
    given = {**given, "marca": mark or given["marca"]}
    page = site.as_("translator")
    page.sends("/traducciones/consulta", "/traducciones/consulta", **given)
    assert told in page.reads("/traducciones/consulta")
    assert text(site, "consulta", string.place) == string


def test_an_edit_reaches_people_with_a_new_version(site):
    translator, organizer = site.as_("translator"), site.as_("organizer")
    string = text(site, "consulta", "choices generos|mujer|label")
    translator.sends("/traducciones/consulta", "/traducciones/consulta",
                     **fields(string, "Ko'olel", "revisado"))  # fmt: skip
    with reading(site.parts.engine) as db:
        assert (forms.newest(db, "consulta"), translating.waiting(db, "consulta")) == (1, 1)
    page, path = "/traducciones/consulta", "/traducciones/consulta/publicar"
    organizer.sends(page, path)
    assert "hay maya sin revisar" in organizer.reads(page)
    organizer.sends(page, path, borradores="si")
    with reading(site.parts.engine) as db:
        assert forms.front(db) == ("consulta", 2)
        found = forms.load(db, "consulta", 2)
        assert translating.waiting(db, "consulta") == 0
    options = {each.name: each.label for each in found.question("sexo_genero").options}
    assert options["mujer"]["yua"] == "Ko'olel"
    assert found.pilot
    assert text(site, "consulta", string.place).state == "reviewed"


def test_a_reviewed_phrase_is_said_and_a_reviewed_command_understood_at_once(site):
    translator = site.as_("translator")
    skip, help_ = (
        text(site, "phrases", "phrases|again_short|"),
        text(site, "commands", "commands|help|"),
    )
    draft = fields(skip, "Ma' tin na'atik", "borrador")
    translator.sends("/traducciones/phrases", "/traducciones/phrases", **draft)
    assert phrases.say("again_short", "yua") != "Ma' tin na'atik"
    translator.sends("/traducciones/phrases", "/traducciones/phrases", **{**draft, "a": "revisado"})
    assert phrases.say("again_short", "yua") == "Ma' tin na'atik"
    given = fields(help_, "áantaj; áanten; ma'", "revisado")
    translator.sends("/traducciones/commands", "/traducciones/commands", **given)
    assert replies.command("Áanten") == "help"
    assert replies.command("ma'") == "no"  # a word that means something else stays that


def test_what_was_reviewed_elsewhere_is_followed(site, monkeypatch):
    monkeypatch.setattr(words_in_force, "EVERY", timedelta(0))
    string = text(site, "phrases", "phrases|again_short|")
    said = replace(string, translation="Je'", state="reviewed", by="Ana", on="2027-07-01")
    with writing(site.parts.engine) as db:  # as another process would
        translating.put(db, "phrases", "yua", [said])
    assert phrases.say("again_short", "yua") != "Je'"
    site.stranger().opens("/chat")
    assert phrases.say("again_short", "yua") == "Je'"


def test_a_sheet_is_taken_down_filled_in_and_taken_back(site, tmp_path):
    translator, organizer = site.as_("translator"), site.as_("organizer")
    (tmp_path / "h.xlsx").write_bytes(translator.opens("/traducciones/consulta/hoja.xlsx").data)
    first, *rest = translations.read(tmp_path / "h.xlsx")
    assert first.state == "draft"
    reviewed = replace(first, state="reviewed", by="Ana Pech", on="2021-07-01")
    translations.export([reviewed, *rest], tmp_path / "h.xlsx")
    for visitor, state in ((organizer, "draft"), (translator, "reviewed")):
        sheet = (io.BytesIO((tmp_path / "h.xlsx").read_bytes()), "h.xlsx")
        visitor.sends("/traducciones/consulta", "/traducciones/consulta/hoja", hoja=sheet)
        assert text(site, "consulta", first.place).state == state
    bad = (io.BytesIO(b"nada"), "h.xlsx")
    translator.sends("/traducciones/consulta", "/traducciones/consulta/hoja", hoja=bad)
    told = translator.reads("/traducciones/consulta")
    assert "No se guardó nada. El archivo no es una hoja de cálculo." in told
    translations.export([replace(reviewed, by=""), *rest], tmp_path / "h.xlsx")
    bad = (io.BytesIO((tmp_path / "h.xlsx").read_bytes()), "h.xlsx")
    translator.sends("/traducciones/consulta", "/traducciones/consulta/hoja", hoja=bad)
    told = translator.reads("/traducciones/consulta")
    assert "Fila 2 (idioma): Está revisado, pero no dice por quién ni cuándo." in told


def test_every_role_that_may_sees_what_is_missing(site):
    assert "Lo que dice el programa" in site.as_("translator").reads("/traducciones")
    for path in ("nada", "consulta?lengua=otra", "consulta/hoja.xlsx?lengua=%00"):
        assert site.as_("translator").opens(f"/traducciones/{path}").status_code == 404


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database.connect(database_url, vault(KEY))
    database.upgrade(engine)
    yield engine
    engine.dispose()


def test_what_a_new_version_brings_reviewed_stands_and_other_edits_are_kept(engine, tmp_path):
    sheet = FORMS / "comunidades.md"
    with writing(engine) as db:
        forms.publish(db, sheet, NOW)
        one, two = [each for each in translating.now(db, "comunidades", "yua") if each.translation][
            :2
        ]
        edits = [replace(each, translation="Bey", state="draft") for each in (one, two)]
        translating.put(db, "comunidades", "yua", edits)
    newer = [replace(one, translation="Beyo'", state="reviewed", by="Ana", on="2021-07-01")]
    with writing(engine) as db:
        book = form_texts.into_form(translating.book(db, "comunidades"), newer, "yua")
        (tmp_path / sheet.name).write_text(tables.to_markdown(book), encoding="utf-8")
        (tmp_path / "municipios.csv").write_bytes((FORMS / "municipios.csv").read_bytes())
        forms.publish(db, tmp_path / sheet.name, NOW)
        translating.published(db, "comunidades")
        found = {each.place: each.translation for each in translating.now(db, "comunidades", "yua")}
        assert (found[one.place], found[two.place]) == ("Beyo'", "Bey")
        assert translating.waiting(db, "comunidades") == 1


# aloud


def _recorded(site, string, content, name="a.ogg"):
    page = "/traducciones/consulta"
    given = {"lugar": string.place, "marca": translations.mark(string.source)}
    found = site.as_("translator")
    found.sends(page, f"{page}/grabacion", grabacion=(io.BytesIO(content), name), **given)
    return found.reads(f"{page}?estado=todos"), found


def test_a_text_is_recorded_heard_and_goes_out_with_the_next_version(site):
    string = text(site, "consulta", "survey|municipio|label")
    told, translator = _recorded(site, string, samples.OGG, "la grabación.mp3")
    assert "Grabación guardada: municipio · texto" in told
    audio = text(site, "consulta", string.place).audio
    assert audio.endswith(".ogg")  # by what it is, not by what it is called
    assert translator.opens(f"/media/{audio}").data == samples.OGG
    page = translator.opens("/traducciones/consulta?estado=todos").text
    assert f'src="/media/{audio}"' in page
    dora = site.as_("organizer")
    dora.sends("/traducciones/consulta", "/traducciones/consulta/publicar", borradores="si")
    question = site.parts.desk.library.lookup("consulta", 2).question("municipio")
    assert question.audio["yua"] == audio
    page = "/traducciones/consulta?estado=todos"
    translator.sends(page, "/traducciones/consulta/grabacion/quitar", lugar=string.place)
    assert text(site, "consulta", string.place).audio == ""
    assert question.audio["yua"] == audio  # who began with this version goes on hearing it
    dora.sends("/traducciones/consulta", "/traducciones/consulta/publicar", borradores="si")
    assert not site.parts.desk.library.lookup("consulta", 3).question("municipio").audio


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "Falta la grabación"),
        (b"MZ\x90\x00" + b"x" * 200, "no es un audio que WhatsApp mande"),
        (b"\x1a\x45\xdf\xa3" + b"x" * 200, "Guárdalo como OGG, MP3 o M4A"),
        (samples.OGG + b"\0" * 9000, "pasa de 16 MB"),
    ],
    ids=["nothing", "a program", "webm", "large"],
)
def test_what_is_no_recording_is_refused_with_what_to_do(site, content, told, monkeypatch):
    monkeypatch.setattr(recordings, "LARGEST_AUDIO", 9000)
    string = text(site, "consulta", "survey|municipio|label")
    assert told in _recorded(site, string, content)[0]
    assert text(site, "consulta", string.place).audio == ""


def test_a_new_text_saved_by_two_at_once_is_kept(engine: Engine) -> None:
    string = String("survey", "agua", "label", "¿Hay agua?")
    start = threading.Barrier(2)

    def saves(said: str) -> None:
        with writing(engine) as db:
            if engine.dialect.name == "postgresql":  # on SQLite one waits for the other anyway
                start.wait()
            translating.put(db, "phrases", "yua", [replace(string, translation=said)])

    with ThreadPoolExecutor() as pool:
        list(pool.map(saves, ("Yaan ja'", "Yan ha'")))
    with reading(engine) as db:
        kept = translating.edits(db, "phrases", "yua")["survey|agua|label"].translation
    assert kept in ("Yaan ja'", "Yan ha'")


def test_what_was_reviewed_here_needs_no_flag_when_it_is_uploaded_again(site):
    dora, translator = site.as_("organizer"), site.as_("translator")
    form = (
        "| survey | | | | |\n|---|---|---|---|---|\n| | type | name | label::Español (es) |"
        " label::Maya (yua) | review::Maya (yua) |\n| | text | idea | ¿Qué propones? | Ba'ax? |"
        " draft |\n\n| settings | | |\n|---|---|---|\n| | form_title | form_id |\n| | I | idea |\n"
    )

    def uploaded() -> str:
        file = (io.BytesIO(form.encode()), "idea.md")
        return dora.sends("/cuestionarios", "/cuestionarios/revisar", archivos=file).text

    first = uploaded()
    assert "Sé que hay maya sin revisar" in first
    draft = first.partition('name="borrador" value="')[2].partition('"')[0]
    given = {"borrador": draft, "archivo": "idea.md"}
    dora.sends("/cuestionarios", "/cuestionarios/publicar", **given, borradores="si")
    string = text(site, "idea", "survey|idea|label")
    page = "/traducciones/idea"
    translator.sends(page, page, **fields(string, string.translation, "revisado"))
    assert "Sé que hay maya sin revisar" not in uploaded()
    dora.sends("/cuestionarios", "/cuestionarios/publicar", **given)
    assert "Publicado: idea, versión 2" in dora.reads("/cuestionarios")
