"""One answer per institution: the second is told so, and the page says who is missing."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from bot import importing
from dialogs import script, submissions
from dialogs.state import Dialog
from dialogs.values import Inbound
from storage import answers, forms, institutions, people, schema
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


def test_of_two_who_begin_together_one_goes_on_and_the_other_is_told_who(asked):
    answers_for(asked, "ana", KEYS[0])
    (told,) = answers_for(asked, "beto", KEYS[0])
    assert told.startswith("Por Ayuntamiento de Abalá ya contesta otra persona; empezó el ")
    assert "pónganse de acuerdo" in told
    for text in REST[:2]:
        asked.says("ana", text)
    assert "contesta otra persona, desde Transparencia; empezó" in asked.says("beto", KEYS[0])[-1]
    assert len(told) <= 300


def test_who_is_silent_for_days_loses_it_and_does_not_answer_beside_the_other(asked):
    answers_for(asked, "ana", KEYS[0])
    asked.clock.advance(institutions.HELD + timedelta(hours=1))
    assert "Contesta por: Ayuntamiento de Abalá" in answers_for(asked, "beto", KEYS[0])[-1]
    assert "ya contesta otra persona" in asked.says("ana", "sí")[-1]
    ends(asked, "beto")
    assert "ya contestó" in asked.says("ana", "sí")[-1]
    with reading(asked.parts.engine) as db:
        states = db.scalars(select(schema.responses.c.state).order_by(schema.responses.c.state))
        assert states.all() == ["completed", "started"]


def test_who_named_another_by_mistake_lets_it_go(asked):
    answers_for(asked, "ana", KEYS[0])
    asked.says("ana", "atrás")
    assert "¿Desde qué área contesta?" in asked.says("ana", KEYS[1])[-1]
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
            found = importing.take(db, read, given, site.parts.clock(), Random(1))
            again = importing.take(db, read, given, site.parts.clock(), Random(2))
        assert (found.taken, found.repeated, again.taken, again.repeated) == (1, 0, 0, 1)
        for each in (*found.rejected, *again.rejected):
            assert "this institution has answered already, since" in str(each.faults[0])
        assert len(found.rejected) == len(again.rejected) == 1
        dora = site.as_("organizer")
        assert "Quién ha contestado" in dora.reads("/cuestionarios/ayuntamientos/1")
        page = dora.reads("/cuestionarios/ayuntamientos/instituciones")
        assert f"1 de {len(KEYS)} ha contestado" in page
        assert "Ayuntamiento de Abalá" in page.partition("Faltan")[0]
        assert "Ayuntamiento de Acanceh" in page.partition("Faltan")[2]
        assert "Quién ha contestado" not in dora.reads("/cuestionarios/consulta/1")
        assert dora.opens("/cuestionarios/consulta/instituciones").status_code == 404


def test_of_two_at_the_same_moment_the_database_takes_one(tmp_path, database_url):
    with pages(tmp_path, database_url, people=0) as site:
        engine, now = site.parts.engine, site.parts.clock()
        with writing(engine) as db:
            for name in ("a", "b"):
                person = people.hear(db, Inbound("chat", name, name, name, now), Random(name))
                answers.begin(db, person, Dialog(name, "ayuntamientos", 1), now, "chat")
        started, found = threading.Barrier(2), {}

        def claims(name: str) -> None:
            started.wait()
            with writing(engine) as db:
                found[name] = institutions.claim(db, "ayuntamientos", "31001", name, now)

        both = [threading.Thread(target=claims, args=(name,)) for name in ("a", "b")]
        for each in both:
            each.start()
        for each in both:
            each.join()
        assert sorted(found.values()) in (["", "a"], ["", "b"])
        with reading(engine) as db:
            kept = db.scalars(select(schema.institution_claims.c.response_id)).all()
        assert found[kept[0]] == ""
