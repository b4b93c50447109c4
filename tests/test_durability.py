"""Where a toy would show: repeats, races, restarts, providers that fail, words nobody expects."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, text

from bot import conversation, telegram, wiring
from storage import schema
from storage.database import reading, writing
from tests.emulators import telegram as provider
from tests.emulators import telegram_people, twilio, twilio_people
from tests.world import ANA, BETO, PUBLIC, SECRET, World
from tests.world import world as live

HOOK = {"X-Telegram-Bot-Api-Secret-Token": SECRET}


def together(*works: Callable[[], object]) -> None:
    """Do several things at the same instant."""
    start = threading.Barrier(len(works))

    def begin(work: Callable[[], object]) -> None:
        start.wait()
        work()

    threads = [threading.Thread(target=begin, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_messages_at_the_same_instant_answer_two_questions(world: World) -> None:
    world.answers_until("ana", "hola", "es", "si")
    updates = [world.update("ana", "3"), world.update("ana", "Mérida")]
    together(*(lambda u=update: world.bring("ana", u) for update in updates))  # type: ignore[misc]
    world.settle()
    kept = world.stored("ana")
    answered = {"edad_rango", "municipio"} & kept.keys()
    assert answered, "one of the two was an answer in either order"
    asked = [row["question"] for row in world.rows("ana")]
    assert len(asked) == len(set(asked))


def test_many_people_press_at_once(world: World) -> None:
    crowd = {f"p{n}": telegram_people.Person(1000 + n, f"P{n}") for n in range(12)}
    world.cast.update(crowd)
    for said in ("hola", "es", "si"):
        updates = [(name, world.update(name, said)) for name in crowd]
        together(*(lambda n=name, u=update: world.bring(n, u) for name, update in updates))  # type: ignore[misc]
        world.settle()
    assert all(world.stored(name) == {"idioma": "es", "consiente": "si"} for name in crowd)


def test_the_same_update_three_times_is_one(world: World) -> None:
    world.answers_until("ana", "hola", "es")
    update = world.update("ana", "si")
    together(*(lambda: world.bring("ana", update) for _ in range(3)))
    world.settle()
    assert len(world.told("ana")) == 1
    assert world.bring("ana", update) == 200
    world.settle()
    assert world.told("ana") == []


def test_repeats_in_any_order_also_across_a_restart(tmp_path: Path, database_url: str) -> None:
    with live(tmp_path, database_url) as world:
        said = [world.update("ana", word) for word in ("hola", "es", "si", "3", "Mérida", "sí")]
        for update in said:
            world.does("ana", update)
        before = world.stored("ana")
    with live(tmp_path, database_url) as world:
        for update in (said[2], said[0], said[4], said[2], said[1], said[3]):
            assert world.does("ana", update) == []
        assert world.stored("ana") == before
        assert world.says("ana", "saltar") != []


def test_what_was_stored_before_a_crash_goes_out_after_it(
    tmp_path: Path, database_url: str
) -> None:
    with live(tmp_path, database_url) as world:
        world.says("ana", "hola")
        update = world.update("ana", "es")
        parts = world.parts
        inbound = telegram.read(update, world.clock())
        assert inbound is not None
        own = wiring.desk(parts.engine, parts.settings, Random(1))

        def leased(db: Connection) -> None:  # and the process died with the letters in its hands
            waiting = schema.outbox.c.state == "queued"
            lease = {"state": "leased", "leased_until": world.clock()}
            db.execute(schema.outbox.update().where(waiting).values(lease))

        conversation.receive(own, inbound, leased)
        world.clock.advance(timedelta(seconds=1))
        world.settle()
        assert "¿Aceptas participar?" in world.told("ana")[-1]


WORDS = [
    "palabra " * 4000,
    "😀😀😀🙏🏽",
    "مرحبا بالعالم שלום",
    "un NUL \x00 en medio",
    "uno suelto \ud83d aquí",
    "1 = = 2",
    '=HYPERLINK("http://x.mx")',
    "<b>&amp;</b> _*[`",
    "’a´bʼc`d'",
]


@pytest.mark.parametrize("said", WORDS, ids=lambda words: repr(words[:12]))
def test_words_are_stored_as_they_were_said(world: World, said: str) -> None:
    world.answers_until("ana", "hola", "es", "si", "3", "Mérida", "sí")
    body = json.dumps(world.update("ana", said))
    call = world.app.test_client().post(
        "/hooks/telegram", data=body, headers={**HOOK, "Content-Type": "application/json"}
    )
    assert call.status_code == 200
    world.settle()
    assert world.stored("ana")["localidad"] == said
    assert "Las tres preguntas" in world.telegram.texts(ANA)[-1]


FAILURES = {
    "429": provider.too_many(1),
    "500": provider.broken(500),
    "502": provider.broken(502),
    "half": provider.half(),
    "dropped before": provider.dropped(taken=False),
}


@pytest.mark.parametrize("how", FAILURES, ids=str)
def test_a_question_arrives_although_telegram_fails(small_world: World, how: str) -> None:
    small_world.says("ana", "hola")
    small_world.telegram.fail(FAILURES[how], method="sendMessage")
    assert small_world.bring("ana", small_world.update("ana", "es")) == 200
    arrives(small_world, lambda: "¿Aceptas" in small_world.telegram.texts(ANA)[-1])


def test_a_question_arrives_however_often_its_fate_was_unknown(small_world: World) -> None:
    """Whoever waits for one would wait for ever; one that comes twice is answered once."""
    small_world.says("ana", "hola")
    small_world.telegram.fail(provider.dropped(taken=False), method="sendMessage", times=4)
    assert small_world.bring("ana", small_world.update("ana", "es")) == 200
    arrives(small_world, lambda: small_world.states() == {"sent": 3})


TWILIO_FAILURES = {
    "429": twilio.too_many(),
    "500": twilio.broken(500),
    "half": twilio.half(),
    "dropped before": twilio.dropped(taken=False),
}


@pytest.mark.parametrize("how", TWILIO_FAILURES, ids=str)
def test_a_question_arrives_although_twilio_fails(small_world: World, how: str) -> None:
    small_world.says("beto", "hola")
    small_world.twilio.fail(TWILIO_FAILURES[how], operation="CreateMessage")
    assert small_world.bring("beto", small_world.update("beto", "es")) == 200
    arrives(small_world, lambda: "¿Aceptas" in small_world.twilio.texts(BETO)[-1])


def arrives(world: World, until: Callable[[], bool]) -> None:
    """Let time pass until it is so."""
    for _ in range(60):
        if until():
            return
        world.clock.advance(timedelta(seconds=1))
        world.parts.bell.ring()
        threading.Event().wait(0.05)
    raise AssertionError(f"it did not arrive: {world.states()}")


def test_what_is_said_while_an_answer_is_on_its_way_is_answered_after_it(world: World) -> None:
    world.says("ana", "hola")
    world.telegram.latency = timedelta(milliseconds=200)
    for word in ("es", "si", "3"):  # the answers to them line up behind the first
        world.bring("ana", world.update("ana", word))
    assert world.states() == {"sent": 1, "leased": 4}  # leased as they were queued
    world.settle()
    assert _in_order(world)


def test_when_an_answer_must_wait_those_after_it_do_not_overtake_it(world: World) -> None:
    world.says("ana", "hola")
    world.telegram.fail(provider.too_many(1), method="sendMessage")
    world.telegram.latency = timedelta(milliseconds=100)
    for word in ("es", "si"):
        world.bring("ana", world.update("ana", word))
    arrives(world, lambda: world.states() == {"sent": 4})
    assert _in_order(world)


def _in_order(world: World) -> bool:
    """Whether what was queued for the person came as it was queued."""
    with reading(world.parts.engine) as db:
        box = schema.outbox
        ids = db.scalars(select(box.c.provider_id).order_by(box.c.id)).all()
    return [int(each or 0) for each in ids] == sorted(int(each or 0) for each in ids)


def test_who_has_blocked_us_is_told_nothing_more(world: World) -> None:
    world.says("chela", "hola")
    world.telegram.fail(provider.blocked(), method="sendMessage")
    world.bring("chela", world.update("chela", "es"))
    world.settle()
    with reading(world.parts.engine) as db:
        assert db.scalar(select(schema.people.c.blocked_at)) is not None
    assert world.states() == {"sent": 1, "failed": 2}


def test_a_fault_of_ours_loses_no_words(world: World) -> None:
    world.answers_until("ana", "hola", "es", "si", "3", "Mérida", "sí")
    engine = world.parts.engine
    files = schema.form_files
    with writing(engine) as db:  # the questionnaire is gone, and no copy of it is in memory
        kept = db.execute(delete(files).returning(files)).mappings().all()
    parts = wiring.build(world.parts.settings, clock=world.clock)
    inbound = telegram.read(world.update("ana", "Centro"), world.clock())
    assert inbound is not None
    assert conversation.receive(parts.desk, inbound) == "failed"
    world.parts.bell.ring()
    world.settle()
    assert world.told("ana")[-1].startswith("Perdón, algo falló de nuestro lado.")
    with writing(engine) as db:
        db.execute(insert(files), [dict(row) for row in kept])
        failed = db.scalar(select(schema.inbox.c.id).where(schema.inbox.c.state == "failed"))
    assert failed is not None
    assert conversation.rerun(parts.desk, failed, world.clock()) == "kept"
    parts.engine.dispose()
    world.parts.bell.ring()
    world.settle()
    assert world.stored("ana")["localidad"] == "Centro"


def test_without_the_database_the_provider_is_asked_to_come_again(tmp_path: Path, pg: Any) -> None:
    with pg.fresh() as url, live(tmp_path, url) as world:
        world.says("ana", "hola")
        pg.drop(url.partition("@/")[2].partition("?")[0])
        assert world.bring("ana", world.update("ana", "es")) == 503
        assert world.app.test_client().get("/healthz").status_code == 503


def test_what_cannot_even_be_kept_is_brought_again(small_world: World) -> None:
    trouble = "CREATE TRIGGER trouble BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'no'); END"
    with writing(small_world.parts.engine) as db:
        db.execute(text(trouble))
    update = small_world.update("ana", "hola")
    assert small_world.bring("ana", update) == 500
    with writing(small_world.parts.engine) as db:
        db.execute(text("DROP TRIGGER trouble"))
    assert small_world.bring("ana", update) == 200


def test_whatsapp_is_not_written_to_after_24_hours_until_the_person_writes(world: World) -> None:
    world.says("beto", "hola")
    world.clock.advance(timedelta(hours=25))
    with writing(world.parts.engine) as db:
        person = db.scalar(select(schema.people.c.id))
        message = conversation.Message("Esto ya no puede salir.")
        conversation.outbox.put(db, person or 0, "whatsapp", message, world.clock())
    world.parts.bell.ring()
    world.settle()
    assert world.states() == {"sent": 1, "held": 1}
    told = world.says("beto", "1")
    assert told[0] == "Esto ya no puede salir."


def test_status_callbacks_may_come_in_any_order(world: World) -> None:
    world.says("beto", "hola")
    callbacks = world.twilio.callbacks(BETO, read=True)
    for one in [*reversed(callbacks), *callbacks]:
        status = world.app.test_client().post(
            "/hooks/whatsapp", data=dict(one.form), headers=dict(one.headers)
        )
        assert status.status_code == 200
    assert world.states() == {"read": 1}


@pytest.mark.parametrize("given", [None, "", "otro", SECRET + "x", "ñ"])
def test_a_call_without_telegrams_secret_is_refused(small_world: World, given: str | None) -> None:
    headers = {} if given is None else {"X-Telegram-Bot-Api-Secret-Token": given}
    update = small_world.update("ana", "hola")
    client = small_world.app.test_client()
    assert client.post("/hooks/telegram", json=update, headers=headers).status_code == 401
    assert small_world.count(schema.people) == 0


@pytest.mark.parametrize("many", [0, 2], ids=["no signature", "two signatures"])
def test_a_call_without_one_right_signature_is_refused(small_world: World, many: int) -> None:
    form = small_world.update("beto", "hola")
    right = twilio_people.signed(f"{PUBLIC}/hooks/whatsapp", form, small_world.twilio.auth_token)
    headers = [("X-Twilio-Signature", right["X-Twilio-Signature"])] * many
    client = small_world.app.test_client()
    assert client.post("/hooks/whatsapp", data=form, headers=headers).status_code == 403
    forged = {**form, "Body": "otra cosa"}
    call = client.post("/hooks/whatsapp", data=forged, headers=right)
    assert call.status_code == 403
    assert small_world.count(schema.people) == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"update_id": "x"}', b"\xff\xfe", b"null"])
def test_nonsense_with_the_right_secret_is_taken_and_dropped(
    small_world: World, body: bytes
) -> None:
    call = small_world.app.test_client().post("/hooks/telegram", data=body, headers=HOOK)
    assert call.status_code == 200
    assert small_world.count(schema.inbox) == 0
