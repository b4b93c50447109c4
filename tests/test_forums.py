"""Forums: an invitation goes out, the reply is understood, and the seats are counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from icalendar import Calendar

from bot import forum_files
from bot.forum_files import ForumFileError
from storage import people
from storage.database import reading
from storage.segments import Place
from tests.emulators import telegram_people
from tests.forum_world import ASKED, DAY, HOUR, WATER, Forums
from tests.world import World

QUESTION = "¿Vas con alguien más?\nEscribe cuántas personas, o 0."
NEEDS = "¿Necesitas algo para participar?"
DONE = "Listo, gracias. Si algo cambia, escribe: no puedo."
NO = "Gracias por avisarnos. Si cambias de idea, escribe: sí voy."


@pytest.fixture
def there(world: World, tmp_path: Path) -> Forums:
    return Forums(world, tmp_path)


@pytest.fixture
def small(small_world: World, tmp_path: Path) -> Forums:
    """The same on SQLite alone."""
    return Forums(small_world, tmp_path)


def test_an_invitation_is_sent_and_yes_takes_a_seat(there: Forums) -> None:
    there.guest("eva")
    forum = there.forum()
    sent = there.invited(forum)
    assert there.world.told("eva") == [ASKED]
    assert there.status(sent) == {"intended": 1, "sent": 1}
    told = there.world.taps("eva", "Sí")
    assert told[0].startswith("¡Anotado! Guárdalo en tu calendario: https://")
    assert QUESTION in told[0]
    assert there.world.says("eva", "2")[0].startswith(NEEDS)
    assert there.world.says("eva", "no") == [DONE]
    assert there.attendance(forum) == {"yes": 1, "companions": 2}


def test_whoever_comes_gets_a_map_point(small: Forums) -> None:
    small.guest("eva")
    small.invited(small.forum())
    small.world.taps("eva", "Sí")
    pins = small.world.telegram.called("sendLocation", small.world.cast["eva"])
    assert [(pin.fields["latitude"], pin.fields["longitude"]) for pin in pins] == [
        (20.6896, -88.2011)
    ]


def test_an_invitation_interrupts_and_the_questionnaire_goes_on(there: Forums) -> None:
    there.world.answers_until("ana", "hola", "es", "si", "3")
    with reading(there.engine) as db:
        ana = people.find(db, "telegram", "101")
    assert ana
    there.consents(ana.id, given=True)
    forum = there.forum()
    there.invited(forum)
    assert there.world.told("ana") == [ASKED]
    told = there.world.says("ana", "2")
    assert told[0].startswith(NO)
    assert "¿En qué municipio vives?" in told[-1]
    assert there.attendance(forum) == {"no": 1}
    assert "Mérida" not in there.world.stored("ana").values()
    there.world.says("ana", "Mérida")
    assert there.world.stored("ana")["municipio"] == "31050"


def test_an_answer_to_the_questionnaire_is_not_taken_for_a_reply(there: Forums) -> None:
    there.world.answers_until("ana", "hola", "es", "si", "3")
    with reading(there.engine) as db:
        ana = people.find(db, "telegram", "101")
    assert ana
    there.consents(ana.id, given=True)
    forum = there.forum()
    there.invited(forum)
    there.world.says("ana", "Tixkokob")
    assert there.world.stored("ana")["municipio"] == "31093"
    assert there.attendance(forum) == {}
    assert "Anotado" in there.world.says("ana", "sí voy")[0]
    assert there.attendance(forum) == {"yes": 1}


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("1", "yes"), ("2", "no"), ("3", "maybe"), ("uno", "yes"), ("SÍ", "yes"), ("si.", "yes"),
        ("claro que sí", "yes"), ("Ahí estaré", "yes"), ("jaaj", "yes"), ("beey", "yes"),
        ("ko’ox", "yes"), ("ma'", "no"), ("ma’", "no"), ("no puedo ir", "no"), ("nel", "no"),
        ("tal vez", "maybe"), ("Quizás", "maybe"), ("a lo mejor", "maybe"), ("no sé", "maybe"),
    ],
)  # fmt: skip
def test_a_reply_is_understood(small: Forums, said: str, answer: str) -> None:
    small.guest("eva")
    forum = small.forum()
    small.invited(forum)
    small.world.says("eva", said)
    assert small.attendance(forum) == {answer: 1}


def test_a_reply_comes_days_later(small: Forums) -> None:
    small.guest("eva")
    forum = small.forum()
    small.invited(forum)
    small.world.clock.advance(5 * DAY)
    small.world.says("eva", "sí")
    assert small.attendance(forum) == {"yes": 1}


def test_what_is_not_understood_is_asked_again(small: Forums) -> None:
    small.guest("eva")
    forum = small.forum()
    small.invited(forum)
    small.world.told("eva")
    told = small.world.says("eva", "¿quién organiza?")
    assert told[-1].splitlines()[-3:] == ["1. Sí", "2. No puedo", "3. Tal vez"]
    small.world.says("eva", "1")
    assert small.attendance(forum) == {"yes": 1}


def test_in_maya_it_is_asked_and_answered(small: Forums) -> None:
    small.guest("beto2", language="yua")
    forum = small.forum()
    small.invited(forum)
    assert small.world.told("beto2")[0].splitlines()[-4:] == [
        "Ko'ox?", "1. Jaaj", "2. Ma'", "3. Tal vez",
    ]  # fmt: skip
    small.world.says("beto2", "jaaj")
    assert small.attendance(forum) == {"yes": 1}


def test_minds_change_by_words_and_by_the_old_button(there: Forums) -> None:
    there.guest("eva")
    forum = there.forum()
    there.invited(forum)
    there.world.answers_until("eva", "1", "2", "no")
    assert there.attendance(forum) == {"yes": 1, "companions": 2}
    there.world.says("eva", "ya no puedo")
    assert there.attendance(forum) == {"no": 1}
    there.world.says("eva", "siempre sí voy")
    assert there.attendance(forum) == {"yes": 1}
    there.world.says("eva", "0")
    first = next(
        seen
        for seen in there.world.telegram.history(there.world.cast["eva"])
        if seen.text.endswith("¿Vas?")
    )
    eva = there.world.cast["eva"]
    there.world.does("eva", there.world.telegram.press(eva, 2, first))
    assert there.attendance(forum) == {"maybe": 1}


@pytest.mark.parametrize("said", ["no puedo", "Ya no voy.", "tal vez"])
@pytest.mark.parametrize("before", [("1",), ("1", "2")])
def test_minds_change_in_the_midst_of_the_questions(
    small: Forums, said: str, before: tuple[str, ...]
) -> None:
    small.guest("eva")
    forum = small.forum()
    small.invited(forum)
    small.world.answers_until("eva", *before)
    small.world.says("eva", said)
    assert small.attendance(forum) == {"maybe" if said == "tal vez" else "no": 1}


def test_nobody_is_told_no_company_is_a_number(small: Forums) -> None:
    small.guest("eva")
    forum = small.forum()
    small.invited(forum)
    small.world.says("eva", "1")
    assert small.world.says("eva", "voy sola")[0].startswith(NEEDS)


def test_needs_are_asked_once_in_a_life(small: Forums) -> None:
    eva = small.guest("eva")
    first, second = small.forum(), small.forum(name="salud")
    small.invited(first)
    small.world.answers_until("eva", "1", "0", "2, 3")
    with reading(small.engine) as db:
        assert people.needs(db, eva) == "maya senas"
    small.world.clock.advance(HOUR)
    small.invited(second)
    small.world.says("eva", "1")
    assert small.world.says("eva", "0") == [DONE]


def test_the_waiting_list_moves_up_by_itself_and_tells_people(there: Forums) -> None:
    for name in ("eva", "fito", "gina"):
        there.guest(name)
    forum = there.forum(capacity=2)
    there.invited(forum)
    there.world.answers_until("eva", "1", "1", "no")
    assert there.attendance(forum) == {"yes": 1, "companions": 1}
    told = there.world.says("fito", "1")
    assert told[-1].startswith("Ya no hay lugares, pero estás en la lista de espera (número 1).")
    assert "(número 2)" in there.world.says("gina", "1")[-1]
    assert there.attendance(forum) == {"yes": 1, "waiting": 2, "companions": 1}
    there.world.answers_until("fito", "0", "no")
    there.world.answers_until("gina", "0", "no")
    there.world.says("eva", "no puedo")
    there.tick()
    assert there.world.told("fito") == [
        "¡Se abrió un lugar! Ya estás en la lista para Agua y servicios en el oriente, "
        "Sábado 10 de julio, 10:00 a 13:00, en Casa de la Cultura, Valladolid. "
        "Si no puedes, escribe: no puedo."
    ]
    assert there.attendance(forum) == {"yes": 2, "no": 1}


def test_more_seats_let_more_people_in(small: Forums) -> None:
    small.guest("eva")
    small.guest("fito")
    forum = small.forum(capacity=1)
    small.invited(forum)
    small.world.says("eva", "1")
    small.world.says("fito", "1")
    small.changed(forum, "", "", capacity=5)
    small.tick()
    assert small.attendance(forum) == {"yes": 2}


def test_no_more_companions_than_seats(small: Forums) -> None:
    small.guest("eva")
    forum = small.forum(capacity=3)
    small.invited(forum)
    small.world.says("eva", "1")
    assert small.world.says("eva", "6")[0].startswith(
        "Quedaba menos espacio: anotamos a 2 personas contigo."
    )
    assert small.attendance(forum) == {"yes": 1, "companions": 2}


def test_reminders_go_only_to_those_who_come(small: Forums) -> None:
    small.guest("eva")
    small.guest("fito")
    small.invited(small.forum())
    small.world.answers_until("eva", "1", "0", "no")
    small.world.says("fito", "2")
    small.world.told("fito")
    small.tick(after=10 * DAY + 2 * HOUR)
    assert small.world.told("eva") == [
        "Te esperamos en Agua y servicios en el oriente.\n"
        "📅 Sábado 10 de julio, 10:00 a 13:00\n"
        "📍 Casa de la Cultura, Valladolid\n"
        "Si ya no puedes, escribe: no puedo."
    ]
    small.tick(after=2 * DAY - 3 * HOUR)
    assert len(small.world.told("eva")) == 1
    assert small.world.told("fito") == []


def test_a_change_of_time_is_told_to_those_who_had_answered(small: Forums) -> None:
    for name in ("eva", "fito", "gina"):
        small.guest(name)
    forum = small.forum()
    small.invited(forum)
    small.world.answers_until("eva", "1", "0", "no")
    small.world.says("fito", "2")
    for name in ("eva", "fito", "gina"):
        small.world.told(name)
    small.world.clock.advance(HOUR)
    small.changed(forum, "T10:00:00", "T11:00:00")
    small.tick()
    told = small.world.told("eva")
    assert told[0].startswith(
        "Cambio: el foro ahora será el Sábado 10 de julio, 11:00 a 13:00. El lugar es el mismo."
    )
    assert told[0].endswith("¿Vas?\n1. Sí\n2. No puedo\n3. Tal vez")
    assert small.world.told("fito") == small.world.told("gina") == []
    small.world.taps("eva", "No puedo")
    assert small.attendance(forum) == {"no": 2}


def test_a_cancelled_forum_is_told_and_invites_nobody_more(small: Forums) -> None:
    small.guest("eva")
    forum = small.forum()
    sent = small.invited(forum)
    small.world.answers_until("eva", "3")
    small.guest("late")
    again, _ = small.plan(forum, at=small.now + DAY)
    small.cancelled(forum)
    small.tick()
    assert small.world.told("eva")[-1].startswith("Se canceló el foro Agua y servicios")
    small.tick(after=DAY)
    assert small.world.told("late") == []
    assert small.status(again.id) == {}
    assert small.status(sent) == {"intended": 1, "sent": 1}
    assert small.world.taps("eva", "Sí") == [
        "Ese foro se canceló. Si hay nueva fecha, te avisamos por aquí."
    ]


def test_thanks_and_conclusions_go_to_those_who_were_there(small: Forums) -> None:
    from bot import invitations
    from storage.database import writing

    for name in ("eva", "fito"):
        small.guest(name)
    forum = small.forum()
    small.invited(forum)
    small.world.answers_until("eva", "1", "0", "no")
    small.world.answers_until("fito", "1", "0", "no")
    small.world.clock.advance(forum.plan.starts_at - small.now)
    scanned = telegram_people.start(small.world.cast["eva"], f"puerta-{forum.door}")
    assert small.world.does("eva", scanned) == [
        "¡Qué bueno que viniste! Anotamos tu llegada a Agua y servicios en el oriente."
    ]
    small.world.told("fito")
    small.tick(after=6 * HOUR)
    assert small.world.told("eva")[-1].startswith("Gracias por venir a Agua y servicios")
    with writing(small.engine) as db:
        invitations.conclude(db, forum, {"es": "Pozos: se harán dos."}, small.now)
    small.tick()
    assert small.world.told("eva")[-1] == (
        "Conclusiones del foro Agua y servicios en el oriente:\nPozos: se harán dos."
    )
    assert not any("Gracias" in each for each in small.world.told("fito"))
    with writing(small.engine) as db:  # the list of the door is brought in the day after
        fito = people.find(db, "telegram", str(small.world.cast["fito"].id))
        assert fito
        assert invitations.arrive(db, forum.id, fito.id, small.now)
        assert not invitations.arrive(db, forum.id, fito.id, small.now)
    small.tick()
    told = small.world.told("fito")
    assert sorted(each.partition(" ")[0] for each in told) == ["Conclusiones", "Gracias"]
    assert small.world.told("eva") == []


def test_a_wrong_code_at_the_door_says_what_to_do(small: Forums) -> None:
    small.guest("eva")
    assert small.world.says("eva", "aquí ZZZZZZ") == [
        "No encontramos ese código. Revisa el cartel de la entrada o pregunta a quien recibe."
    ]


def test_the_calendar_file_knows_meridas_clock(small: Forums) -> None:
    forum = small.forum()
    answer = small.world.app.test_client().get(f"/ics/{forum.token}.ics")
    assert answer.status_code == 200
    assert answer.content_type == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.data)
    assert [zone["tzid"] for zone in calendar.walk("VTIMEZONE")] == ["America/Merida"]
    [event] = calendar.walk("VEVENT")
    assert event["dtstart"].dt == forum.plan.starts_at
    assert event["dtstart"].params["TZID"] == "America/Merida"
    assert event["location"] == "Casa de la Cultura, Valladolid"


def test_google_calendar_opens_filled_in(small: Forums) -> None:
    forum = small.forum()
    client = small.world.app.test_client()
    where = client.get(f"/ics/{forum.token}").headers["Location"]
    assert where.startswith("https://calendar.google.com/calendar/render?action=TEMPLATE")
    assert "dates=20270710T160000Z%2F20270710T190000Z" in where
    assert client.get("/ics/nothing.ics").status_code == 404


def test_a_forum_file_tells_all_its_faults_at_once(tmp_path: Path) -> None:
    path = tmp_path / "foro.toml"
    text = 'kind = "party"\nstart = "ayer"\ncapacity = 0\nseats = 3\n[place]\nmunicipality = "Oz"'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ForumFileError) as caught:
        forum_files.read(path, {"31050": Place("Mérida", None)})
    told = str(caught.value).splitlines()
    assert [line.split(":")[0].removeprefix("foro.toml, ") for line in told] == [
        "seats", "kind", "start", "end", "capacity", "title", "place",
    ]  # fmt: skip


def test_local_times_are_meridas(tmp_path: Path) -> None:
    path = tmp_path / "agua.toml"
    path.write_text(WATER.format(capacity=""), encoding="utf-8")
    plan = forum_files.read(path, {"31102": Place("Valladolid", None)})
    assert plan.starts_at.isoformat() == "2027-07-10T16:00:00+00:00"
    assert plan.place.municipality == "31102"
    assert plan.name == "agua"
    assert plan.capacity is None
