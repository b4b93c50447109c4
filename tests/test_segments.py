"""Segments: a short expression finds exactly those people, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select

from storage import database, schema, segments
from storage.database import reading, writing
from storage.segments import Catalogue, Place, SegmentError
from storage.vault import vault

NOW = datetime(2027, 6, 28, 15, 0, tzinfo=UTC)
KNOWN = Catalogue(
    places={
        "31050": Place("Mérida", (20.967, -89.624)),
        "31102": Place("Valladolid", (20.690, -88.201)),
        "31085": Place("Temozón", (20.804, -88.202)),
    },
    ages=("menor", "18_29", "30_44", "45_59", "60_mas", "no_dice"),
    topics=("temas",),
    forums={"agua": 1, "1": 1},
    regions={"VI Oriente": ["31102", "31085"], "Costa": ["31050"]},
)
PEOPLE = {
    "ana": {"channel": "telegram", "language": "es", "municipality": "31050", "age": "18_29"},
    "beto": {"channel": "whatsapp", "language": "yua", "municipality": "31102", "age": "60_mas"},
    "chela": {"channel": "telegram", "language": "yua", "municipality": "31085", "gender": "mujer"},
    "dora": {"channel": "telegram", "role": "specialist", "came_by": "cartel uno"},
}
Who = Callable[[str], str]


@pytest.fixture
def who(database_url: str) -> Iterator[Who]:
    """The first letters of those whom an expression finds."""
    engine = database.connect(database_url, vault("una clave de prueba"))
    with writing(engine) as db:
        for number, (name, traits) in enumerate(PEOPLE.items(), 1):
            row = {"id": number, "pseudonym": name, "identity": name.encode(), "address": b""}
            db.execute(insert(schema.people).values(created_at=NOW, heard_at=NOW, **row, **traits))
        _answered(db, "r1", 1, "completed", "agua salud")
        _answered(db, "r2", 2, "started", "salud")
        db.execute(insert(schema.forums).values(
            id=1, name="agua", kind="thematic", state="planned", starts_at=NOW, ends_at=NOW,
            title="{}", description="{}", place="{}", token="t", door="D", created_at=NOW,
        ))  # fmt: skip
        for person, answer in ((1, "yes"), (2, "no")):
            db.execute(
                insert(schema.rsvps).values(forum_id=1, person_id=person, answer=answer, at=NOW)
            )

    def found(source: str) -> str:
        condition = segments.condition(source, KNOWN)
        with reading(engine) as db:
            names = db.scalars(select(schema.people.c.pseudonym).where(condition))
            return "".join(sorted(name[0] for name in names))

    yield found
    engine.dispose()


def _answered(db, response: str, person: int, state: str, topics: str) -> None:
    row = {"id": response, "person_id": person, "form": "consulta", "version": 1}
    db.execute(insert(schema.responses).values(**row, mode="chat", state=state, started_at=NOW))
    said = {"question": "temas", "value": topics, "said": b"", "confidence": 0.0}
    db.execute(insert(schema.answers).values(response_id=response, **said, channel="chat", at=NOW))


def test_each_test_finds_its_people(who: Who) -> None:
    expected = {
        "": "abcd",
        "channel = telegram": "acd",
        "channel != telegram": "b",
        "language=yua": "bc",
        "not language = yua": "ad",
        "municipality = 31050": "a",
        'municipality = "merida"': "a",
        "municipality in (Valladolid, 31085)": "bc",
        "near(Valladolid, 20)": "bc",
        'region = "vi oriente"': "bc",
        "region != Costa": "bcd",
        'region in (costa, "VI Oriente")': "abc",
        'not region = "VI Oriente" and region = Costa': "a",
        "age = 18_29": "a",
        "age < 30": "a",
        "age >= 60": "b",
        "age >= 18 and age <= 44": "a",
        "gender = mujer": "c",
        "not gender = mujer": "abd",
        "role = specialist": "d",
        "role in (citizen, official)": "abc",
        'came_by = "cartel uno"': "d",
        "came_by = cartel-dos": "",
        "topic = agua": "a",
        "topic in (agua, salud)": "ab",
        "chose(temas, salud)": "ab",
        "answered(consulta)": "a",
        "not answered(consulta)": "bcd",
        "started(consulta)": "ab",
        "rsvp(agua) = yes": "a",
        "rsvp(1) = none": "cd",
        "rsvp(agua) != yes": "bcd",
        "attended(agua)": "",
        "invited(agua)": "",
        "came(agua)": "a",
    }
    assert {source: who(source) for source in expected} == expected


def test_tests_are_joined(who: Who) -> None:
    expected = {
        "language = yua and channel = telegram": "c",
        "language = es or language = yua and channel = whatsapp": "ab",
        "(language = es or language = yua) and channel = whatsapp": "b",
        "NOT (language = yua OR role = specialist)": "a",
        "municipality=31102 and language=yua and not answered(consulta)": "b",
    }
    assert {source: who(source) for source in expected} == expected


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("language = ", "cannot be read"),
        ("(language = yua", "cannot be read"),
        ("language = yua channel = chat", "near 'channel = chat'"),
        ("lengua = yua", "People have no 'lengua'. Use one of: channel, language"),
        ("language = maya", "'maya' is no language. Use one of: es, yua."),
        ("channel = sms", "'sms' is no channel"),
        ("municipality = Oz", "'Oz' is no municipality"),
        ("region = Sur", "'Sur' is no region. There are: VI Oriente, Costa."),
        ("near(Mérida)", "near takes a municipality and kilometres"),
        ("near(Mérida, lejos)", "'lejos' stands where a number should"),
        ("rsvp(baile) = yes", "There is no forum 'baile'"),
        ("rsvp(agua) = perhaps", "'perhaps' is no answer"),
        ("rsvp(agua) < yes", "rsvp(…) < is no test"),
        ("likes(agua)", "'likes' is no test. Use one of: near, answered"),
        ("gender < mujer", "gender is compared with = or != only"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(source: str, told: str) -> None:
    with pytest.raises(SegmentError) as caught:
        segments.condition(source, KNOWN)
    assert told in str(caught.value)


def test_words_that_begin_like_operators_are_words(who: Who) -> None:
    assert who("came_by in (notas, orillas, andando)") == ""


def test_values_cannot_become_sql(who: Who) -> None:
    assert who("came_by = \"x' OR '1'='1\"") == ""
    assert who("chose(temas, '%')") == ""
