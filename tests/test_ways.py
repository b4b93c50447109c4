"""Each questionnaire has a way in of its own: a link or a word, kept with what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select, update

from bot import conversation, invitations, ways, wiring
from bot.conversation import Desk
from dialogs import script
from dialogs.values import Inbound
from storage import database, exports, forms, outbox, schema
from tests.world import settings

NOW = datetime(2027, 7, 1, 15, tzinfo=UTC)
FORMS = Path(script.__file__).parent / "forms"
IDEA = """
| survey | | | | |
|---|---|---|---|---|
| | type | name | label::Español (es) | role |
| | select_one acepto | consiente | ¿Aceptas? | consent |
| | text | idea | ¿Qué propones? | |

| choices | | | |
|---|---|---|---|
| | list_name | name | label::Español (es) |
| | acepto | si | Sí |
| | acepto | no | No |

| settings | | |
|---|---|---|
| | form_title | form_id |
| | Una idea | Idea_2 |
"""


@dataclass
class Office:
    """The program with several questionnaires open, and people who write to it."""

    desk: Desk
    number: int = 0

    def says(self, who: str, text: str = "", code: str = "") -> str:
        """Somebody writes, or follows a link with a code; what they are told."""
        self.number += 1
        at = NOW + timedelta(minutes=self.number)
        kind = "start" if code else "text"
        came = Inbound("chat", f"m{self.number}", who, who, at, text=text, kind=kind, code=code)
        assert conversation.receive(self.desk, came) == "kept"
        heard = []
        with database.writing(self.desk.engine) as db:
            while letters := outbox.claim(db, ("chat",), at, 20):
                for letter in letters:
                    outbox.sent(db, letter.id, "", at)
                    heard.append(letter.message.text)
        return "\n".join(heard)

    def begun(self) -> list[tuple[str, str, str | None]]:
        with database.reading(self.desk.engine) as db:
            return [(row["form"], row["state"], row["came_by"]) for row in exports.responses(db)]


@pytest.fixture
def office(tmp_path: Path, database_url: str) -> Iterator[Office]:
    known = settings(tmp_path, database_url=database_url)
    engine = wiring.open_database(known)
    file = tmp_path / "idea.md"
    file.write_text(IDEA, encoding="utf-8")
    with database.writing(engine) as db:
        forms.publish(db, FORMS / "especialistas.md", NOW)
        forms.publish(db, FORMS / "comunidades.md", NOW)
        forms.publish(db, file, NOW)
    yield Office(wiring.desk(engine, known, Random(2)))
    engine.dispose()


def test_a_link_begins_just_its_questionnaire_after_its_notice(office: Office) -> None:
    told = office.says("eva", code="especialistas")
    assert "mesas de especialistas" in told
    assert "Aviso completo" in told
    assert "¿Acepta participar?" in told
    assert "¿En qué mesa participa?" in office.says("eva", "sí")
    assert office.begun() == [("especialistas", "started", "especialistas")]


def test_a_word_does_the_same_and_says_by_which_poster(office: Office) -> None:
    assert "¿Aceptas?" in office.says("eva", "Cuestionario idea_2-Centro")
    assert office.begun() == [("Idea_2", "started", "idea_2-Centro")]
    assert "¿Qué propones?" in office.says("eva", "sí")
    assert office.says("eva", "cuestionario muy largo")  # names none: it is the answer
    assert office.begun() == [("Idea_2", "completed", "idea_2-Centro")]
    with database.reading(office.desk.engine) as db:
        said = db.scalars(select(schema.answers.c.question)).all()
    assert said == ["consiente", "idea"]


def test_whoever_was_answering_another_goes_on_there_afterwards(office: Office) -> None:
    office.says("eva", "hola")
    before = office.says("eva", "español")
    assert "¿Aceptas participar?" in before
    assert "¿Aceptas?" in office.says("eva", code="idea_2")
    office.says("eva", "sí")
    after = office.says("eva", "Más árboles")
    assert "¿Aceptas participar?" in after
    office.says("eva", code="idea_2")
    assert office.begun() == [("consulta", "started", None), ("Idea_2", "completed", "idea_2")]


def test_coming_again_goes_on_and_does_not_begin_twice(office: Office) -> None:
    office.says("eva", code="idea_2")
    office.says("eva", "sí")
    assert "¿Qué propones?" in office.says("eva", code="idea_2-otro")
    office.says("eva", "Más árboles")
    with database.reading(office.desk.engine) as db:
        folio = db.scalar(select(schema.responses.c.folio))
    assert f"ya está contestado, gracias. El folio es {folio}" in office.says("eva", code="idea_2")
    assert office.begun() == [("Idea_2", "completed", "idea_2")]


def test_each_institution_is_answered_for_anew(office: Office) -> None:
    with database.writing(office.desk.engine) as db:
        forms.publish(db, FORMS / "ayuntamientos.md", NOW)
    office.says("eva", code="ayuntamientos")
    with database.writing(office.desk.engine) as db:
        done = update(schema.responses).values(state="completed", finished_at=NOW)
        db.execute(done)
        db.execute(update(schema.people).values(talk='{"language":"es"}'))
    assert "una respuesta por institución" in office.says("eva", code="ayuntamientos")
    assert len(office.begun()) == 2


def test_a_closed_one_and_a_session_say_what_to_do_instead(office: Office) -> None:
    office.says("eva", "hola")
    assert "facilitadora ABCD-2345" in office.says("eva", code="comunidades")
    with database.writing(office.desk.engine) as db:
        named = update(schema.forms).where(schema.forms.c.name == "Idea_2")
        db.execute(named.values(state="closed"))
    assert "ya se cerró" in office.says("eva", code="idea_2")
    assert "¿En qué idioma" in office.says("fito", code="idea_2")  # new: what is open begins
    assert [row[0] for row in office.begun()] == ["consulta", "consulta"]


def test_who_said_stop_is_not_drawn_in_by_a_link(office: Office) -> None:
    office.says("eva", "hola")
    office.says("eva", "baja")
    assert "¿Aceptas?" not in office.says("eva", code="idea_2")
    assert [row[0] for row in office.begun()] == ["consulta"]


def test_people_are_found_by_any_code_by_which_they_came(office: Office) -> None:
    office.says("eva", code="cartel-tizimin")
    office.says("eva", code="idea_2-mesa3")
    for source in ("came_by = cartel-tizimin", "came_by = idea_2-mesa3"):
        with database.reading(office.desk.engine) as db:
            found = invitations.reach(db, office.desk.library, source)
        assert found.left_out == {"no consent": 1}, source


def test_the_links_open_the_chat_with_the_code_ready() -> None:
    assert ways.links("idea_2-a", "cuestionario idea_2-a", "consulta_bot", "whatsapp:+5219991") == {
        "Telegram": "https://t.me/consulta_bot?start=idea_2-a",
        "WhatsApp": "https://wa.me/5219991?text=cuestionario%20idea_2-a",
    }
    assert ways.links("x", "x", "", "") == {}
