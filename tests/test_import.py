"""What facilitators collected offline comes in once, whole, or is set aside with its reason."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random

import openpyxl
import pytest
from sqlalchemy import select

from bot import importing, wiring
from bot.settings import Settings
from dialogs import script, submissions
from storage import database, forms, institutions, schema

NOW = datetime(2021, 8, 20, 15, tzinfo=UTC)
FORMS = Path(script.__file__).parent / "forms"
HEADER = (
    "SubmissionDate,idioma,consiente,sesion_abierta-consentimiento_voz,sesion_abierta-modalidad,"
    "sesion_abierta-asistencia-n_personas,sesion_abierta-asistencia-n_mujeres,"
    "sesion_abierta-asistencia-n_hombres,sesion_abierta-municipio,sesion_abierta-informacion,"
    "sesion_abierta-propuesta,facilitador,meta-instanceID\n"
)
GOOD = (
    "2021-08-14T10:00:00Z,es,si,si.m4a,grupal,12,7,4,31050,radio asamblea,Pozos,Ana,uuid:1\n"
    "2021-08-14T11:00:00Z,es,si,si.m4a,individual,,,,31002,radio,Caminos,,uuid:2\n"
)


@pytest.fixture
def engine(tmp_path):
    engine = wiring.open_database(Settings.model_construct(data=tmp_path / "data"))
    with database.writing(engine) as db:
        forms.publish(db, FORMS / "comunidades.md", NOW)
    yield engine
    engine.dispose()


def take(engine, path: Path, text: str | None = None) -> importing.Imported:
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with database.writing(engine) as db:
        read = forms.load(db, "comunidades", 1)
        return importing.take(db, read, submissions.read(path, read), NOW, Random(1))


def test_submissions_come_in_once_and_keep_their_mode(engine, tmp_path):
    first = take(engine, tmp_path / "s.csv", HEADER + GOOD)
    again = take(engine, tmp_path / "s.csv")
    assert (first.taken, first.repeated, first.rejected) == (2, 0, ())
    assert (again.taken, again.repeated) == (0, 2)
    responses, answers = schema.responses, schema.answers
    with database.reading(engine) as db:
        modes = sorted(db.scalars(select(responses.c.mode)))
        dates = sorted(db.scalars(select(responses.c.started_at)))
        values = dict(
            db.execute(
                select(answers.c.question, answers.c.value)
                .join(responses)
                .where(responses.c.mode == "facilitator")
            ).all()
        )
    assert modes == ["facilitator", "import"]
    assert dates[0] == datetime(2021, 8, 14, 10, tzinfo=UTC)
    assert values["informacion"] == "radio asamblea"
    assert values["n_no_resp"] == "1"
    assert values["propuesta"] is None  # words are kept as words, hidden


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("12,7,4", "12,7,9", "n_hombres: '9' breaks its rule"),
        ("12,7,4", "muchas,7,4", "n_personas: 'muchas' is no answer to it"),
        ("grupal", "tumulto", "modalidad: 'tumulto' is no answer to it"),
        (",31050,", ",,", "municipio: it has to be answered"),
        (",uuid:1", ",", "it has no instance id"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason_and_the_others_come_in(
    engine, tmp_path, old, new, problem
):
    found = take(engine, tmp_path / "s.csv", HEADER + GOOD.replace(old, new, 1))
    assert found.taken == 1
    assert problem in "; ".join(found.rejected[0].faults)
    importing.set_aside(found.rejected, tmp_path / "aside.csv")
    assert problem in (tmp_path / "aside.csv").read_text(encoding="utf-8")


def test_who_refused_leaves_no_answers(engine, tmp_path):
    text = HEADER + "2021-08-14,es,no,,,,,,,,,Ana,uuid:9\n"
    assert take(engine, tmp_path / "s.csv", text).taken == 1
    with database.reading(engine) as db:
        assert db.scalars(select(schema.responses.c.state)).all() == ["refused"]
        assert db.scalars(select(schema.answers.c.id)).all() == []


def test_a_kobo_spreadsheet_brings_its_repeats_and_its_split_columns(engine, tmp_path):
    book = openpyxl.Workbook()
    main = book.active
    assert main is not None
    main.title = "comunidades"
    group = "sesion_abierta"
    main.append(
        ["_submission_time", "consiente", f"{group}/consentimiento_voz", f"{group}/modalidad",
         f"{group}/municipio", f"{group}/informacion/radio", f"{group}/informacion/asamblea",
         "_uuid", "_index", "color"]
    )  # fmt: skip
    main.append(["2021-08-14T10:00:00", "si", "a.ogg", "individual", "31050", 1, 0, "k1", 1, "x"])
    repeat = book.create_sheet("problemas")
    repeat.append([f"{group}/problemas/tema", f"{group}/problemas/relato", "_parent_index"])
    repeat.append(["agua", "No hay", 1])
    repeat.append(["salud", "No hay doctor", 1])
    repeat.append(["obra", "De otra", 2])
    book.save(tmp_path / "s.xlsx")
    found = take(engine, tmp_path / "s.xlsx")
    assert (found.taken, found.rejected, found.unknown) == (1, (), ("color",))
    with database.reading(engine) as db:
        rows = select(schema.answers.c.question, schema.answers.c.value)
        values = dict(db.execute(rows).all())
    assert values["tema#1"] == "agua"
    assert values["tema#2"] == "salud"
    assert "tema#3" not in values
    assert values["informacion"] == "radio"


def test_an_openrosa_submission_is_read(engine, tmp_path):
    text = """<data xmlns:jr="http://openrosa.org/javarosa" id="comunidades">
      <idioma>yua</idioma><consiente>si</consiente>
      <sesion_abierta><consentimiento_voz>a.m4a</consentimiento_voz>
        <modalidad>individual</modalidad><municipio>31002</municipio>
        <problemas><tema>agua</tema></problemas><problemas><tema>salud</tema></problemas>
      </sesion_abierta>
      <meta><instanceID>uuid:x</instanceID></meta></data>"""
    assert take(engine, tmp_path / "s.xml", text).taken == 1
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    with pytest.raises(submissions.tables.TableError):
        take(engine, tmp_path / "bomb.xml", bomb)


def test_nobody_is_written_to_because_of_an_import(engine, tmp_path):
    take(engine, tmp_path / "s.csv", HEADER + GOOD)
    with database.reading(engine) as db:
        assert None not in db.scalars(select(schema.people.c.stopped_at)).all()
        assert db.scalars(select(schema.outbox.c.id)).all() == []


def test_of_each_institution_one_answer_counts(engine, tmp_path):
    with database.writing(engine) as db:
        read = forms.publish(db, FORMS / "ayuntamientos.md", NOW)
        code = read.tables["instituciones"][0]["clave"]
        header = "consiente,clave,es_correcta,SubmissionDate,instanceID\n"
        rows = f"si,{code.lower()},si,2021-08-01,a\nsi,{code},si,2021-08-02,b\n"
        rows += "si,NADA,si,2021-08-03,c\n"
        (tmp_path / "s.csv").write_text(header + rows, encoding="utf-8")
        found = importing.take(db, read, submissions.read(tmp_path / "s.csv", read), NOW, Random(1))
        tracked = institutions.tracker(db, read)
    assert (found.taken, len(found.rejected)) == (2, 1)
    assert len([each for each in tracked if each.kind == "ayuntamiento"]) == 106
    assert [each.label for each in tracked if each.folio] == [
        read.tables["instituciones"][0]["nombre"]
    ]
    assert tracked[0].earlier == 1
