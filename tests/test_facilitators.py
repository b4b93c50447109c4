"""A facilitator signs in with a code and captures for others, never as themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from bot import conversation, wiring
from bot.conversation import Desk
from dialogs import script
from dialogs.values import Inbound, Media
from storage import database, exports, facilitators, forms, outbox, retention, rights, schema
from tests import databases
from tests.world import settings

NOW = datetime(2027, 7, 1, 15, tzinfo=UTC)
FORMS = Path(script.__file__).parent / "forms"


@dataclass
class Talk:
    """One telephone that writes to the program, without a network."""

    desk: Desk
    code: str
    number: int = 0
    heard: list[str] = field(default_factory=list)

    def says(self, text: str = "", **more) -> str:
        self.number += 1
        at = NOW + timedelta(seconds=self.number)
        inbound = Inbound("chat", str(self.number), "tel", "tel", at, text=text, **more)
        assert conversation.receive(self.desk, inbound) == "kept"
        self.heard = []
        with database.writing(self.desk.engine) as db:
            while letters := outbox.claim(db, ("chat",), at, 20):  # one a person at a time
                for letter in letters:
                    outbox.sent(db, letter.id, "", at)
                    self.heard.append(letter.message.text)
        return "\n".join(self.heard)


@pytest.fixture
def phone(tmp_path):
    databases.sqlite(tmp_path)
    known = settings(tmp_path)
    engine = wiring.open_database(known)
    with database.writing(engine) as db:
        forms.publish(db, FORMS / "comunidades.md", NOW)
        code = facilitators.add(db, "Ana Pech", "comunidades", Random(1))
    desk = wiring.desk(engine, known, Random(2))
    yield Talk(desk, code)
    engine.dispose()


def test_a_session_is_captured_for_others_with_consent_by_voice(phone):
    assert "Ana Pech" in phone.says(f"Facilitadora {phone.code[:4]}-{phone.code[4:]}".lower())
    assert "¿Aceptan participar?" in phone.says("español")
    assert "graba aquí" in phone.says("1")
    phone.says(kind="voice", media=Media("si.ogg", "audio/ogg"))
    for reply in ("una persona", "maya", "Tekax", "Kancab", "La cancha"):
        phone.says(reply)
    for reply in ("agua", "No llega", "todos", "no", "radio", "Pozos", "visita"):
        phone.says(reply)
    assert "folio de esta sesión" in phone.says("saltar")
    with database.reading(phone.desk.engine) as db:
        response = db.execute(select(schema.responses)).one()
        rows = db.execute(select(schema.answers.c.question, schema.answers.c.value)).all()
        people = {row.id: row for row in db.execute(select(schema.people))}
        consent, spoken = db.execute(select(schema.consents).order_by(schema.consents.c.id)).all()
        recording = db.execute(select(schema.media)).one()
        told = {row["question"]: row["value"] for row in exports.answers(db)}
    values = dict(map(tuple, rows))
    assert (response.mode, response.state) == ("facilitator", "completed")
    assert values["facilitador"] is None
    assert told["facilitador"] == "Ana Pech"
    assert values["tema#1"] == "agua"
    owner, facilitator = (
        people[response.person_id],
        next(row for row in people.values() if row.channel == "chat"),
    )
    assert owner.id != facilitator.id
    assert owner.stopped_at is not None
    assert facilitator.municipality is None  # where the session was is not where she lives
    assert consent.person_id == recording.person_id == owner.id
    assert (consent.kind, consent.given, consent.media_id) == ("answer", True, None)
    assert (spoken.kind, spoken.given, spoken.media_id) == ("answer", True, recording.id)


def test_a_recorded_consent_is_kept_as_long_as_it_proves_something(phone):
    for said in (f"facilitadora {phone.code}", "español", "1"):
        phone.says(said)
    phone.says(kind="voice", media=Media("si.ogg", "audio/ogg"))
    for reply in ("una persona", "maya", "Tekax", "Kancab"):
        phone.says(reply)
    phone.says(kind="voice", media=Media("cancha.ogg", "audio/ogg"))
    with database.writing(phone.desk.engine) as db:
        while retention.sweep(db, NOW + timedelta(days=181)):
            pass
        kept = db.execute(select(schema.media.c.file).order_by(schema.media.c.id)).scalars().all()
        assert kept == ["si.ogg", None]
        owner = db.scalar(select(schema.consents.c.person_id))
        rights.revoke(db, owner, "voice", "", "chat", NOW)
        assert set(db.scalars(select(schema.media.c.file))) == {None}


def test_who_would_not_be_recorded_has_agreed_all_the_same(phone):
    for said in (f"facilitadora {phone.code}", "español", "1", "sin grabación"):
        phone.says(said)
    with database.reading(phone.desk.engine) as db:
        consent = db.execute(select(schema.consents)).one()
    assert (consent.given, consent.media_id) == (True, None)


def test_each_code_opens_a_new_session(phone):
    phone.says(f"facilitadora {phone.code}")
    phone.says(f"facilitadora {phone.code}")
    with database.reading(phone.desk.engine) as db:
        sessions = db.execute(select(schema.responses)).all()
    assert len(sessions) == 2
    assert len({row.person_id for row in sessions}) == 2


def test_a_code_that_is_not_known_opens_nothing(phone):
    assert "No encontré ese código" in phone.says("facilitadora ABCD-2345")
    with database.writing(phone.desk.engine) as db:
        assert facilitators.close(db, "Ana Pech") == 1
    assert "No encontré ese código" in phone.says(f"facilitadora {phone.code}")
    with database.reading(phone.desk.engine) as db:
        assert db.execute(select(schema.responses)).all() == []


def test_the_word_without_a_code_is_an_ordinary_message(phone):
    assert "Hola" in phone.says("facilitadora")


def test_the_code_is_kept_as_a_hash_only(phone):
    with database.reading(phone.desk.engine) as db:
        kept = " ".join(f"{row.key} {row.value}" for row in db.execute(select(schema.facts)))
        assert [each.name for each in facilitators.every(db)] == ["Ana Pech"]
    assert phone.code not in kept
    assert "Ana Pech" not in kept
