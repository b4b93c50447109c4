"""Lists and look-ups from what lies beside a questionnaire: GeoJSON and XML, like CSV."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dialogs import checking, script
from dialogs.walking import Library
from storage import database, forms
from tests.test_forms import Chat

NOW = datetime(2021, 8, 15, 15, tzinfo=UTC)
FORM = """
| survey |
| | type | name | label | choice_filter | calculation |
| | calculate | people | | | instance('towns')/root/item[id = ${town}]/people |
| | xml-external | parts | | | |
| | select_one_from_file parts.xml | part | ¿Región? | | |
| | select_one_from_file towns.geojson | town | ¿Pueblo? | part = ${part} | |
| | calculate | place | | | instance('towns')/root/item[id = ${town}]/geometry |
| | calculate | named | | | instance('parts')/root/item[name = ${part}]/label |
| | note | end | ${named}: ${people} en ${place} | | |
"""
TOWNS = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "id": "t", "geometry": {"type": "Point", "coordinates": [-89.5, 20.9]},
 "properties": {"title": "Tixkokob", "part": "n", "people": 17176.0}},
{"type": "Feature", "geometry": {"type": "LineString",
                                 "coordinates": [[-88, 20], [-87.5, 20.5, 9]]},
 "properties": {"id": "v", "title": "Valladolid", "part": "o", "people": null, "big": true}}]}"""
PARTS = """<?xml version="1.0"?><root xmlns="urn:x"><item><name>n</name><label>Norte</label></item>
<item><label>Oriente</label><name>o</name></item></root>"""


@pytest.fixture
def form(tmp_path):
    for name, text in (("f.md", FORM), ("towns.geojson", TOWNS), ("parts.xml", PARTS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "f.md"


def test_a_list_of_places_and_one_in_xml_are_chosen_from_and_looked_up(form):
    checked = checking.check(form)
    assert (checked.faults, checked.walked.unreached) == ((), ())
    chat = Chat(Library(lambda _form, _version: checked.script))
    chat.says("hola", "Oriente")
    assert chat.labels[-1] == ["Valladolid"]
    chat.says("1")
    assert "Oriente:  en 20 -88 0 0; 20.5 -87.5 0 0" in "\n".join(chat.messages)
    assert checked.script.tables["towns"][0]["people"] == "17176"


def test_they_are_published_with_the_questionnaire(form, tmp_path, small_world):
    (tmp_path / "other.xml").write_text("<a/>", encoding="utf-8")
    with database.writing(small_world.parts.engine) as db:
        made = forms.publish(db, form, NOW)
        assert [option.name for option in made.question("town").options] == ["t", "v"]
        (tmp_path / "out").mkdir()
        forms.files(db, made.name, 1, tmp_path / "out")
    laid = {path.name for path in (tmp_path / "out").iterdir()}
    assert laid == {"f.md", "towns.geojson", "parts.xml"}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("towns.geojson", '{"type": "Feature"}', "it is no FeatureCollection"),
        ("towns.geojson", "[", "it is no FeatureCollection"),
        ("towns.geojson", '{"features": [{"properties": {"id": "1"}}]}', "'id' and 'title'"),
        ("parts.xml", "<root><item>", "it is no XML"),
        ("parts.xml", '<!DOCTYPE a [<!ENTITY b "c">]><root>&b;</root>', "it is no XML"),
        ("parts.xml", "<root/>", "'name' and 'label'"),
    ],
)
def test_a_broken_one_is_told_where_it_is_used(form, name, text, problem):
    form.with_name(name).write_text(text, encoding="utf-8")
    _, faults = script.check(form)
    row = 5 if name == "towns.geojson" else 3
    told = [str(fault) for fault in faults if problem in str(fault)]
    assert told
    assert any(fault.row in (row, row + 1) for fault in faults)
