"""One answer per institution: the second is told so, and the page says who is missing."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from bot import importing
from dialogs import script, submissions
from storage import forms, institutions, schema
from storage.database import reading, writing
from tests.pages_world import pages

FORMS = Path(script.__file__).parent / "forms"
KEYS = [row["clave"] for row in script.read(FORMS / "ayuntamientos.md").tables["instituciones"]]
REST = (
    *(
        "sí",
        "Transparencia",
        "sí",
        "ninguno",
        "agua",
        "Falta de agua según el censo",
        "1",
        "2",
        "3",
        "4",
    ),
    *("con apoyo", "por ahora ninguno", "sí", "Publicar el padrón, Obras"),
)


@pytest.fixture
def asked(world):
    with writing(world.parts.engine) as db:
        forms.publish(db, FORMS / "ayuntamientos.md", world.clock(), front=True)
    return world


def answers_for(world, name: str, key: str) -> list[str]:
    for text in ("hola", "sí, acepto", key):
        said = world.says(name, text)
    return said


def ends(world, name: str) -> list[str]:
    for text in REST:
        said = world.says(name, text)
        if "folio" in said[-1]:
            return said
    raise AssertionError(said)


def test_the_second_of_an_institution_is_told_who_has_answered(asked):
    assert "Contesta por: Ayuntamiento de Abalá" in answers_for(asked, "ana", KEYS[0])[-1]
    ends(asked, "ana")
    (again,) = answers_for(asked, "beto", KEYS[0].lower())
    assert again.startswith("Ayuntamiento de Abalá ya contestó, el ")
    assert ", desde Transparencia. Se toma una respuesta por institución" in again
    assert len(again) <= 300
    assert "Contesta por: Ayuntamiento de Acanceh" in asked.says("beto", KEYS[1])[-1]
    ends(asked, "beto")
    with reading(asked.parts.engine) as db:
        found = institutions.tracker(db, asked.parts.desk.library.lookup("ayuntamientos", 1))
        assert [each.earlier for each in found if each.folio] == [0, 0]
        assert db.scalars(select(schema.responses.c.state)).all() == ["completed"] * 2


def test_who_answered_may_correct_what_they_said(asked):
    answers_for(asked, "ana", KEYS[0])
    ends(asked, "ana")
    assert "ya contestó" not in asked.says("ana", "atrás")[-1]


def test_an_answer_that_is_not_complete_keeps_nobody_out(asked):
    answers_for(asked, "ana", KEYS[0])
    assert "Contesta por: Ayuntamiento de Abalá" in answers_for(asked, "beto", KEYS[0])[-1]


def test_the_page_says_who_has_answered_and_who_is_missing(tmp_path):
    with pages(tmp_path, people=0) as site:
        with writing(site.parts.engine) as db:
            read = forms.publish(db, FORMS / "ayuntamientos.md", site.parts.clock())
            sheet = tmp_path / "s.csv"
            sheet.write_text(
                "consiente,clave,es_correcta,SubmissionDate,instanceID\n"
                f"si,{KEYS[0]},si,2021-08-01,a\nsi,{KEYS[0]},si,2021-08-02,b\n",
                encoding="utf-8",
            )
            given = submissions.read(sheet, read)
            importing.take(db, read, given, site.parts.clock(), Random(1))
        dora = site.as_("organizer")
        assert "Quién ha contestado" in dora.reads("/cuestionarios/ayuntamientos/1")
        page = dora.reads("/cuestionarios/ayuntamientos/instituciones")
        assert f"1 de {len(KEYS)} ha contestado" in page
        assert "Ayuntamiento de Abalá" in page.partition("Faltan")[0]
        assert "otra respuesta anterior" in page.partition("Faltan")[0]
        assert "Ayuntamiento de Acanceh" in page.partition("Faltan")[2]
        assert "Quién ha contestado" not in dora.reads("/cuestionarios/consulta/1")
        assert dora.opens("/cuestionarios/consulta/instituciones").status_code == 404
