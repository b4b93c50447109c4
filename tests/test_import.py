"""What facilitators collected offline comes in once, whole, or is set aside with its reason."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import openpyxl
import pytest
from sqlalchemy import func, select

from bot import collected, importing, voices, wiring
from bot.stores import Folder
from dialogs import script, submissions, tables
from dialogs.state import Dialog
from dialogs.walking import Library
from storage import database, erasing, exports, forms, institutions, schema
from storage.database import vault_of
from tests import databases
from tests.emulators import samples
from tests.world import settings

NOW = datetime(2021, 8, 20, 15, tzinfo=UTC)
FORMS = Path(script.__file__).parent / "forms"
HEADER = (
    "SubmissionDate,idioma,consiente,sesion_abierta-consentimiento_voz,sesion_abierta-modalidad,"
    "sesion_abierta-asistentes,sesion_abierta-municipio,sesion_abierta-informacion,"
    "sesion_abierta-propuesta,facilitador,meta-instanceID\n"
)
GOOD = (
    "2021-08-14T10:00:00Z,es,si,si.m4a,grupal,7 4 1,31050,radio asamblea,Pozos,Ana,uuid:1\n"
    "2021-08-14T11:00:00Z,es,si,si.m4a,individual,,31002,radio,Caminos,,uuid:2\n"
)


@pytest.fixture
def engine(tmp_path):
    databases.sqlite(tmp_path / "data")
    engine = wiring.open_database(settings(tmp_path / "data"))
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
        told = {row["question"]: row["value"] for row in exports.answers(db)}
    assert modes == ["facilitator", "import"]
    assert dates[0] == datetime(2021, 8, 14, 10, tzinfo=UTC)
    assert values["informacion"] == "radio asamblea"
    assert (told["n_no_resp"], told["n_personas"]) == ("1", "12")
    hidden = ("propuesta", "facilitador", "n_personas")  # words, and what is computed from them
    assert [values[name] for name in hidden] == [None, None, None]


@pytest.mark.parametrize(
    ("old", "new", "problem", "spanish"),
    [
        ("7 4 1", "7 4", "asistentes: '7 4' breaks its rule", "«7 4» no cumple su regla"),
        ("grupal", "tumulto", "modalidad: 'tumulto' is no answer to it", "«tumulto» no es una"),
        (",31050,", ",,", "municipio: it has to be answered", "municipio: hace falta"),
        (",uuid:1", ",", "It has no instance id", "No tiene identificador"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason_and_the_others_come_in(
    engine, tmp_path, old, new, problem, spanish
):
    found = take(engine, tmp_path / "s.csv", HEADER + GOOD.replace(old, new, 1))
    assert found.taken == 1
    assert problem in " ".join(map(str, found.rejected[0].faults))
    importing.set_aside(found.rejected, tmp_path / "aside.csv")
    assert spanish in (tmp_path / "aside.csv").read_text(encoding="utf-8")


def test_who_refused_leaves_no_answers(engine, tmp_path):
    text = HEADER + "2021-08-14,es,no,,,,,,,Ana,uuid:9\n"
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
    with pytest.raises(tables.TableError):
        take(engine, tmp_path / "bomb.xml", bomb)


SMALL = """| survey |
| | type | name | label::es | label::yua | role | constraint |
| | select_one si_no | acepta | ¿Aceptas participar? | ¿A k'áat? | consent | |
| | begin_group | vida | Tu vida | | | |
| | integer | edad | ¿Cuántos años tienes? | | age | . < 120 |
| | select_multiple temas | temas | ¿Qué temas? | ¿Ba'ax? | | |
| | text | relato | Cuéntanos | | | |
| | audio | voz | Dilo | | | |
| | image | foto | Una foto | | | |
| | end_group | | | | | |
| choices |
| | list_name | name | label::es | label::yua |
| | si_no | si | Sí | Jaaj |
| | si_no | no | No | Ma' |
| | temas | agua | Agua potable | Ja' |
| | temas | luz | Luz, y alumbrado | Sáasil |
| | temas | calle_1 | Calles | Bej |
"""


@pytest.fixture
def small(engine, tmp_path):
    (tmp_path / "chica.md").write_text(SMALL, encoding="utf-8")
    with database.writing(engine) as db:
        read = forms.publish(db, tmp_path / "chica.md", NOW)
    (tmp_path / "chica.md").unlink()

    def bring(path: Path) -> importing.Imported:
        with database.writing(engine) as db:
            found = submissions.read(path, read)
            beside = collected.beside(path, Folder(tmp_path / "kept"))
            return importing.take(db, read, found, NOW, Random(1), beside)

    return bring


def stored(engine) -> dict[str, str]:
    with database.reading(engine) as db:
        vault = vault_of(db)
        rows = db.execute(select(schema.answers))
        return {r.question: r.value or vault.show("answers.said", r.said) for r in rows}


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("utf-16", ","), ("cp1252", ";")],
)
def test_a_table_is_read_however_a_spreadsheet_program_saved_it(
    engine, small, tmp_path, encoding, mark
):
    lines = ("instanceID", "acepta", "relato"), ("a", "si", "No hay agua, ni luz: ¡años así! «ñ»")
    with (tmp_path / "s.csv").open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=mark).writerows(lines)
    assert small(tmp_path / "s.csv").taken == 1
    assert stored(engine)["relato"] == "No hay agua, ni luz: ¡años así! «ñ»"


@pytest.mark.parametrize(
    ("headers", "cells", "temas"),
    [
        ("temas/agua,temas/luz", "1,0", "agua"),
        ("vida/temas/agua,vida/temas/luz", "True,TRUE", "agua luz"),
        ("vida.temas.agua,vida.temas.luz", "x,", "agua"),
        ("temas_agua,temas_calle_1", "no,sí", "calle_1"),
        ("vida-temas-agua,vida-temas-luz", "Agua potable,", "agua"),
        ("temas:agua,temas:luz", "agua,luz", "agua luz"),
        ("¿Qué temas?/Agua potable,¿Qué temas?/Calles", "1,1", "agua calle_1"),
        ("Tu vida/¿Qué temas?", "Calles; Agua potable", "calle_1 agua"),
        ("Ba'ax?", "Ja' Sáasil", "agua luz"),
        ("temas", "Agua potable Luz y alumbrado", "agua luz"),
        ("temas,temas/agua", "luz,1", "luz"),
    ],
)
def test_several_choices_come_together_or_in_a_column_each(
    engine, small, tmp_path, headers, cells, temas
):
    text = f"instanceID,acepta,{headers}\na,Sí,{cells}\n"
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    found = small(tmp_path / "s.csv")
    assert (found.taken, found.unknown) == (1, ())
    assert stored(engine)["temas"] == temas


def test_a_mark_that_says_neither_is_set_aside(small, tmp_path):
    text = "instanceID,acepta,temas/agua\na,si,quizás\n"
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    (held,) = small(tmp_path / "s.csv").rejected
    assert [fault.problem() for fault in held.faults] == ["temas: 'quizás' is no answer to it."]


def test_labels_stand_for_names_in_headers_and_cells(engine, small, tmp_path):
    text = "_uuid,¿Aceptas participar?,Tu vida/¿Cuántos años tienes?,Cuéntanos\nk,Jaaj,34,Todo\n"
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    assert small(tmp_path / "s.csv").unknown == ()
    assert stored(engine) == {"acepta": "si", "edad": "34", "relato": "Todo"}


def test_what_was_set_aside_comes_in_once_it_is_mended(engine, small, tmp_path):
    text = "instanceID,SubmissionDate,acepta,edad,relato\n"
    text += 'a,2021-08-14T10:00:00Z,si,340,"=SUM(1); ""así"" lo dije"\nb,,si,20,-\n'
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    found = small(tmp_path / "s.csv")
    importing.set_aside(found.rejected, tmp_path / "s.rejected.csv")
    aside = (tmp_path / "s.rejected.csv").read_text(encoding="utf-8-sig")
    assert (found.taken, len(found.rejected)) == (1, 1)
    assert "'=SUM(1)" in aside
    assert small(tmp_path / "s.rejected.csv").rejected[0].submission.instance == "a"
    (tmp_path / "s.rejected.csv").write_text(aside.replace(",340,", ",34,"), encoding="utf-8-sig")
    mended = small(tmp_path / "s.rejected.csv")
    assert (mended.taken, mended.rejected, mended.unknown) == (1, (), ())
    assert stored(engine)["relato"] == '=SUM(1); "así" lo dije'
    with database.reading(engine) as db:
        assert datetime(2021, 8, 14, 10, tzinfo=UTC) in db.scalars(
            select(schema.responses.c.started_at)
        )


def test_a_repeat_that_was_set_aside_comes_back_whole(engine, tmp_path):
    text = """<data><consiente>si</consiente><sesion_abierta><modalidad>individual</modalidad>
      <consentimiento_voz>a.ogg</consentimiento_voz><municipio>99</municipio>
      <problemas><tema>agua</tema></problemas><problemas><tema>salud</tema></problemas>
      </sesion_abierta><meta><instanceID>uuid:x</instanceID></meta></data>"""
    found = take(engine, tmp_path / "s.xml", text)
    importing.set_aside(found.rejected, tmp_path / "aside.csv")
    aside = (tmp_path / "aside.csv").read_text(encoding="utf-8-sig").replace(",99,", ",31002,")
    assert take(engine, tmp_path / "aside.csv", aside).taken == 1
    assert {"tema#1": "agua", "tema#2": "salud"}.items() <= stored(engine).items()


def test_several_submissions_come_in_one_xml(engine, small, tmp_path):
    one = '<data instanceID="{0}"><acepta>si</acepta><vida><edad>{1}</edad></vida></data>'
    two = "<data><acepta>no</acepta><meta><instanceID>uuid:c</instanceID></meta></data>"
    text = f"<all><list>{one.format('a', 20)}{one.format('b', 500)}</list>{two}</all>"
    (tmp_path / "s.xml").write_text(text, encoding="utf-8")
    found = small(tmp_path / "s.xml")
    assert (found.taken, [held.submission.row for held in found.rejected]) == (2, [2])


def test_recordings_and_photos_beside_an_export_are_kept_unless_they_may_not_be(
    engine, small, tmp_path
):
    (tmp_path / "media" / "uuid:b").mkdir(parents=True)
    (tmp_path / "media" / "v.ogg").write_bytes(samples.OGG)
    (tmp_path / "media" / "uuid:b" / "una_foto.jpg").write_bytes(samples.JPEG)
    (tmp_path / "nota.ogg").write_bytes(b"nada")
    text = "instanceID,acepta,edad,voz,foto\na,si,30,v.ogg,no.jpg\nuuid:b,si,30,,una foto.jpg\n"
    text += "c,si,12,v.ogg,\nd,si,40,nota.ogg,\n"
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    found = small(tmp_path / "s.csv")
    assert (found.taken, found.missing) == (4, ("no.jpg", "nota.ogg"))
    with database.reading(engine) as db:
        kept = db.execute(select(schema.media.c.file, schema.media.c.state)).all()
        vault = vault_of(db)
    contents = [voices.read(Folder(tmp_path / "kept"), row.file, vault) for row in kept]
    assert [row.state for row in kept] == ["kept", "kept"]
    assert contents == [samples.OGG, samples.JPEG]  # and not that of a child


def test_nobody_is_written_to_because_of_an_import(engine, tmp_path):
    take(engine, tmp_path / "s.csv", HEADER + GOOD)
    with database.reading(engine) as db:
        assert None not in db.scalars(select(schema.people.c.stopped_at)).all()
        assert db.scalars(select(schema.outbox.c.id)).all() == []


def test_who_was_erased_does_not_come_in_again_with_the_same_file_dated_or_not(engine, tmp_path):
    undated = GOOD.replace("2021-08-14T10:00:00Z", "")
    assert take(engine, tmp_path / "s.csv", HEADER + undated).taken == 2
    with database.writing(engine) as db:
        for one in db.scalars(select(schema.people.c.id)).all():
            erasing.erase(db, one, NOW + timedelta(days=1))
        assert not db.scalars(select(schema.inbox.c.provider_id)).all()
    for now in (NOW, NOW + timedelta(days=9)):
        with database.writing(engine) as db:
            read = forms.load(db, "comunidades", 1)
            found = submissions.read(tmp_path / "s.csv", read)
            again = importing.take(db, read, found, now, Random(2))
            assert (again.taken, again.repeated) == (0, 2)
            for table in (schema.people, schema.inbox, schema.responses):
                assert db.scalar(select(func.count()).select_from(table)) == 0


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
    assert (found.taken, len(found.rejected)) == (1, 2)
    assert "has answered already" in str(found.rejected[0].faults[0])
    assert len([each for each in tracked if each.kind == "ayuntamiento"]) == 106
    assert [each.label for each in tracked if each.folio] == [
        read.tables["instituciones"][0]["nombre"]
    ]
    assert tracked[0].earlier == 0


PLOTS = """
| survey |
| | type | name | label |
| | begin_repeat | plot | Milpa |
| | text | place | ¿Dónde está? |
| | begin_repeat | subplot | Siembra |
| | integer | kilos | ¿Cuántos kilos? |
| | end_repeat | | |
| | end_repeat | | |
"""
CENTRAL = {
    "f.csv": "KEY\nu1\n",
    "f-plot.csv": "place,PARENT_KEY,KEY\nMuna,u1,u1/plot[1]\nTekax,u1,u1/plot[2]\n",
    "f-subplot.csv": "kilos,PARENT_KEY\n7,u1/plot[2]\n9,u1/plot[2]\n5,u1/plot[1]\n",
}
XML = """<data instanceID="u1">
<plot><place>Muna</place><subplot><kilos>5</kilos></subplot></plot>
<plot><place>Tekax</place><subplot><kilos>7</kilos></subplot><subplot><kilos>9</kilos></subplot>
</plot></data>"""


@pytest.mark.parametrize("files", [CENTRAL, {"f.xml": XML}], ids=["csv", "xml"])
def test_repeats_within_repeats_come_in_where_they_were(tmp_path, files):
    for name, text in {"f.md": PLOTS, **files}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    read = script.read(tmp_path / "f.md")
    (found,) = submissions.read(tmp_path / next(iter(files)), read)
    first = {"place#1": "Muna", "kilos#1#1": "5", "plot#1": "si", "subplot#1#1": "no"}
    second = {"place#2": "Tekax", "kilos#2#1": "7", "kilos#2#2": "9", "plot#2": "no"}
    answers = {**first, **second, "subplot#2#1": "si", "subplot#2#2": "no"}
    assert found.values == answers
    dialog = Dialog("d", "f", 1)
    held = submissions.hold(found, dialog, Library(lambda _form, _version: read))
    assert held.faults == ()
    assert dict(held.dialog.answers) == answers


KOBO = {  # a sheet each, with the names of sheets cut off after 31 letters
    "f": (("_uuid", "_index"), ("u0", 1), ("u1", 2)),
    "siembras_de_la_milpa_de_este...": (
        ("siembras/cosechas/kilos", "_index", "_parent_table_name", "_parent_index"),
        (7, 1, "plot", 3), (9, 2, "plot", 3), (5, 3, "plot", 2), (1, 4, "plot", 1),
    ),
    "plot": (
        ("plot/place", "_index", "_parent_table_name", "_parent_index", "_submission__uuid"),
        ("Otra", 1, "f", 1, "u0"), ("Muna", 2, "f", 2, "u1"), ("Tekax", 3, "f", 2, "u1"),
    ),
}  # fmt: skip


def test_repeats_within_repeats_come_in_from_the_sheets_of_a_spreadsheet(tmp_path):
    long = "siembras_de_la_milpa_de_este_ciclo"
    form = PLOTS.replace("begin_repeat | subplot", f"begin_repeat | {long}")
    (tmp_path / "f.md").write_text(form, encoding="utf-8")
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in KOBO.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(tmp_path / "f.xlsx")
    _, found = submissions.read(tmp_path / "f.xlsx", script.read(tmp_path / "f.md"))
    asked = {"place#1": "Muna", "kilos#1#1": "5", "place#2": "Tekax", "kilos#2#1": "7"}
    assert {**asked, "kilos#2#2": "9", f"{long}#2#2": "no"}.items() <= found.values.items()
    assert len(found.values) == 10


ALIKE = """<data instanceID="u1"><house><age>40</age><note>roof</note><kind>wood</kind></house>
<owner><age>60</age><note>1990</note><heir><note>Ana</note></heir></owner></data>"""
COLUMNS = "house-age,house-note,house-kind,owner-age,owner-note,owner-heir-note,KEY\n"
CELLS = "40,roof,wood,60,1990,Ana,u1\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("central.csv", COLUMNS + CELLS),
        ("kobo.csv", COLUMNS.replace("-", "/") + CELLS),
        ("f.xml", ALIKE),
    ],
)
def test_answers_to_questions_of_one_name_come_in_by_their_group(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    read = script.read(Path(__file__).parent / "samples" / "house_and_owner.md")
    (found,) = submissions.read(tmp_path / name, read)
    assert found.values == {
        "house-age": "40",
        "house-note": "roof",
        "kind": "wood",
        "owner-age": "60",
        "owner-note": "1990",
        "heir-note": "Ana",
    }


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        *((cell, f"'{cell}") for cell in ("=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "＝1", "-1+1")),
        *((cell, cell) for cell in ("-89.62", "+52", "1,5", "agua = vida", "", "-1.5")),
        (None, ""),
    ],
)
def test_a_cell_for_people_is_no_formula_and_numbers_stay(cell, written):
    assert tables.inert(cell) == written
