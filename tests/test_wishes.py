"""Invitations that a person does not want, by kind of forum: in words and buttons, and back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from bot import invitations
from bot.shape import units
from storage import forums, outbox, schema, wishes
from storage.database import reading, vault_of, writing
from tests.forum_world import ASKED, WATER, Forums, told_to_wait
from tests.test_rights import link, of
from tests.world import World

AFFIRMATIVE = WATER.replace('"thematic"', '"affirmative"')
KIND_LIST = "¿Qué invitaciones ya no quieres?"
SOON = timedelta(seconds=5)  # the last message to Eva has gone out a moment before
LONGEST_ROW = 24  # letters of the title of a row in WhatsApp's lists


@pytest.fixture
def there(world: World, tmp_path: Path) -> Forums:
    """Eva has begun, and may be called to forums."""
    made = Forums(world, tmp_path)
    made.guest("eva")
    world.answers_until("eva", "hola", "si")
    return made


@pytest.fixture
def small(small_world: World, tmp_path: Path) -> Forums:
    made = Forums(small_world, tmp_path)
    made.guest("eva")
    small_world.answers_until("eva", "hola", "si")
    return made


def test_a_kind_of_forum_is_stopped_and_the_others_go_on(there: Forums) -> None:
    told = there.world.says("eva", "Ya no me inviten a foros temáticos, por favor")
    assert "Listo, ya no te invitaremos a esto: foros temáticos. Lo demás sigue igual." in of(told)
    made, reach = there.plan(there.forum())
    assert (reach.total, dict(reach.left_out)) == (0, {wishes.SPARED: 1})
    there.tick()
    assert there.status(made.id) == {"intended": 1, "skipped": {wishes.SPARED: 1}}
    there.invited(there.forum(text=AFFIRMATIVE, name="mujeres"))
    assert there.world.told("eva") == [ASKED]


def test_it_is_looked_at_again_when_the_invitation_is_handed_out(there: Forums) -> None:
    made, _ = there.plan(there.forum())
    with writing(there.engine) as db:  # the sender was told to wait
        told_to_wait(db)
        while invitations._queue(db, there.library, ("telegram",), there.now):
            pass
        [person] = db.scalars(select(schema.outbox.c.person_id).where(schema.outbox.c.lane == 1))
        # said while it was being queued: neither saw the other
        wishes.spare(db, person, "thematic", "no más foros temáticos", "telegram", there.now)
        assert outbox.claim(db, ("telegram",), there.now + SOON, 9) == []
    assert there.status(made.id) == {"intended": 1, "skipped": {wishes.SPARED: 1}}


def test_a_consent_that_is_gone_is_noticed_there_too(there: Forums) -> None:
    made, _ = there.plan(there.forum())
    with writing(there.engine) as db:
        told_to_wait(db)
        while invitations._queue(db, there.library, ("telegram",), there.now):
            pass
        [person] = db.scalars(select(schema.outbox.c.person_id).where(schema.outbox.c.lane == 1))
        words = vault_of(db).hide("consents.words", "no")
        row = {"person_id": person, "kind": "forums", "given": False, "form": "consulta"}
        row |= {"version": 1, "words": words, "channel": "telegram", "at": there.now}
        db.execute(insert(schema.consents).values(row))
        assert outbox.claim(db, ("telegram",), there.now + SOON, 9) == []
    assert there.status(made.id) == {"intended": 1, "skipped": {wishes.NO_CONSENT: 1}}


def test_kinds_are_chosen_from_a_list_and_chosen_again(small: Forums) -> None:
    world = small.world
    told = world.answers_until("eva", "permisos", "Elegir foros")
    assert KIND_LIST in of(told)
    assert "2. Foros afirmativos" in of(told)
    assert "esto: foros afirmativos" in of(world.taps("eva", "Foros afirmativos"))
    assert "Ya no te invitamos a: foros afirmativos." in of(world.says("eva", "Invitaciones"))
    assert "te volveremos a invitar a esto: foros afirmativos" in of(world.says("eva", "2"))
    assert "Ya no te invitamos a:" not in of(world.says("eva", "invitaciones"))
    small.invited(small.forum(text=AFFIRMATIVE, name="mujeres"))
    assert world.told("eva")[-1:] == [ASKED]


def test_what_is_known_of_a_person_tells_of_it(small: Forums) -> None:
    told = small.world.answers_until("eva", "no quiero más foros temáticos", "mis datos")
    assert "Sin invitaciones a: foros temáticos" in of(told)
    known = small.world.app.test_client().post(f"{link(told)}/datos.json").get_json()
    [spared] = known["not_invited_to"]
    assert (spared["kind"], spared["until"]) == ("thematic", None)
    assert spared["words"] == "no quiero más foros temáticos"


def test_who_wanted_no_invitations_may_want_them_again(small: Forums) -> None:
    world = small.world
    assert "escribe: invitaciones." in of(world.says("eva", "no más invitaciones"))
    small.invited(small.forum())
    assert world.told("eva") == []
    assert "¿Quieres que te invitemos?" in of(world.says("eva", "invitaciones"))
    assert "Listo, te invitaremos a los foros." in of(world.says("eva", "sí"))
    consents = schema.consents
    with reading(small.engine) as db:
        rows = db.execute(select(consents).where(consents.c.kind == "forums")).all()
        assert [row.given for row in rows] == [True, False, True]
        assert vault_of(db).show("consents.words", rows[-1].words) == "sí"
    small.invited(small.forum(name="otro"))
    assert world.told("eva") == [ASKED]


def test_who_asked_for_silence_is_not_offered_invitations(small: Forums) -> None:
    world = small.world
    assert "Estás de baja" in of(world.answers_until("eva", "baja", "invitaciones"))
    assert "ya no te invitaremos a esto" in of(world.says("eva", "no más foros temáticos"))
    made = small.invited(small.forum())
    assert small.status(made) == {"intended": 1, "skipped": {outbox.STOPPED: 1}}


def test_the_list_fits_where_lists_are_short(small: Forums) -> None:
    small.guest("fito", channel="whatsapp")
    small.world.answers_until("fito", "hola", "si", "invitaciones")
    shown = small.world.twilio.history(small.world.cast["fito"])[-1]
    assert len(shown.choices) == 10
    assert max(units(choice.title) for choice in shown.choices) <= LONGEST_ROW


def test_who_does_not_want_to_know_what_was_done_gets_no_conclusions(there: Forums) -> None:
    guests = [there.guest("fito"), there.guest("gina")]
    forum = there.forum()
    with writing(there.engine) as db:
        for guest in guests:
            forums.answer(db, forums.lock(db, forum.id), guest, "yes", there.now)
        row = {"person_id": guests[0], "kind": "feedback", "given": False, "form": "consulta"}
        row |= {"version": 1, "channel": "telegram", "at": there.now}
        row["words"] = vault_of(db).hide("consents.words", "no")
        db.execute(insert(schema.consents).values(row))
        made = invitations.conclude(db, forum, {"es": "Habrá dos pozos."}, there.now)
    there.tick()
    assert there.status(made) == {"intended": 2, "sent": 1, "skipped": {wishes.NO_NEWS: 1}}
