"""Delivery: the rate holds, errors lead where the table says, and what is unknown is said."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from bot import delivery, flights, outcomes, rate, sending
from bot.channel import Broken, TryLater, Uncertain
from bot.flights import Flights
from bot.post import Bell, Pace, Post, Ready
from dialogs.values import Message, Receipt
from storage import invitations, outbox, receipts, schema, senders
from storage.database import reading, writing
from storage.outbox import Letter
from tests import databases
from tests.emulators import telegram as api
from tests.emulators import twilio as rest
from tests.forum_world import ASKED, DAY, Forums, told_to_wait
from tests.world import World

SECOND = timedelta(seconds=1)


@pytest.fixture
def there(world: World, tmp_path: Path) -> Forums:
    return Forums(world, tmp_path)


@pytest.fixture
def small(small_world: World, tmp_path: Path) -> Forums:
    return Forums(small_world, tmp_path)


# the rate


def test_no_second_holds_more_than_the_rate_also_after_a_stall() -> None:
    pace, now, sent = Pace(), 1000.0, []
    for _ in range(200):
        while (wait := pace.turn(now, 25.0, 1)) > 0:
            now += wait
        pace.left(now)
        sent.append(now)
        if len(sent) == 60:
            now += 5  # a stall: everything after it is late
    for moment in sent:
        assert sum(moment <= other < moment + 1 for other in sent) <= 25
    assert len(sent) / (sent[-1] - sent[0] - 5) > 23


def test_what_leaves_later_than_its_turn_counts_from_when_it_left() -> None:
    pace, sent = Pace(), []
    for place in range(25):
        assert pace.turn(1000 + place / 25, 25.0, 1) == 0
    assert pace.turn(1001.5, 25.0, 1) > 0  # nobody knows yet in which second they will be
    for place in range(25):
        sent.append(1001.5 + place / 1000)
        pace.left(sent[-1])
    assert pace.turn(sent[0] + 1, 25.0, 1) > 0
    assert pace.turn(sent[0] + 1.03, 25.0, 1) == 0


def test_slots_of_all_workers_are_one_row(there: Forums) -> None:
    now = there.now
    with writing(there.engine) as db:
        first = senders.free(db, "x", now, 100.0, 50)
        senders.take(db, "x", first, 5)
        second = senders.free(db, "x", now, 100.0, 50)
    assert first.count > second.count
    assert second.first == pytest.approx(first.at(5))
    assert first.apart >= 0.01


def test_only_who_sends_alone_takes_up_slots_that_were_missed(there: Forums) -> None:
    """Beside another they were too late: the second that they belonged to held his messages."""
    rates = {"rates": {"x": 100.0}}
    one, other = (replace(there.post, **rates, paces={}, mine={}, shared={}) for _ in range(2))
    missed, start = 0.025, there.now  # seconds: two slots

    def sends(post: Post, after: float) -> float:
        """By how much its next slot is ahead; less than nothing: one that was missed."""
        now = start + timedelta(seconds=after)
        with writing(there.engine) as db:
            slots = rate.free(db, post, "x", now, 1)
            rate.take(db, post, "x", slots, 1, replied=False)
        return slots.first - now.timestamp()

    sends(one, 0)
    assert sends(one, missed) < 0
    for number in (2, 3, 4):  # here each sees that there is another
        sends((one, other)[number % 2], number * missed)
    assert [sends((one, other)[n % 2], n * missed) for n in range(5, 13)] == [0.0] * 8
    later = 13 * missed + rate.SHARED
    sends(one, later)
    sends(one, later + rate.SHARED)
    assert sends(one, later + rate.SHARED + missed) < 0


def test_who_comes_late_to_its_slots_beside_others_takes_them_further_ahead(there: Forums) -> None:
    """Else it would lease each letter many times over, and most slots would go by unused."""
    now = there.now
    post = replace(there.post, rates={"x": 100.0}, paces={}, ahead={}, clock=lambda: now)
    letter = Letter(1, 1, "x", outbox.REPLY, "a", Message("hola"), 1, now)
    took = timedelta(seconds=0.08)  # from the lease of a letter until it could go out

    def late() -> bool:
        """Whether the next letter comes too late to be sent."""
        nonlocal now
        post.shared["x"] = now.timestamp() + rate.SHARED
        with writing(there.engine) as db:
            slots = rate.free(db, post, "x", now, 1)
            rate.take(db, post, "x", slots, 1, replied=False)
        now += took
        ready = Ready(letter, Message("hola"), moment=slots.first)
        rate.learn_from(post, ready)
        return rate.too_late(post, ready)

    assert [late() for _ in range(10)].index(False) < 8
    assert sum(late() for _ in range(100)) < 10
    took = timedelta(seconds=0.02)
    assert not any(late() for _ in range(300))
    assert post.ahead["x"] < 0.01


def test_a_fifth_is_kept_for_replies_while_people_write(small: Forums) -> None:
    post = replace(small.post, credit={})
    given = [rate.share(post, "telegram", 3) for _ in range(100)]
    assert sum(given) == pytest.approx(240, abs=1)


def test_replies_go_before_broadcasts(there: Forums) -> None:
    for number in range(5):
        there.guest(f"guest{number}")
    person = there.guest("eva")
    with writing(there.engine) as db:
        told_to_wait(db, 2e9)
        senders.free(db, "telegram", there.now, 1.0, 1)
        told_to_wait(db, 2e9)
    made, _ = there.plan(there.forum())
    there.tick_only()
    with writing(there.engine) as db:
        outbox.put(db, person, "telegram", Message("hola"), there.now)
        letters = outbox.claim(db, ("telegram",), there.now + 5 * SECOND, 3)
    assert [letter.lane for letter in letters] == [outbox.REPLY, outbox.BROADCAST, outbox.BROADCAST]
    assert letters[0].person_id == person
    assert there.status(made.id)["intended"] == 6


def test_told_to_wait_the_whole_sender_stops_and_nobody_is_lost(there: Forums) -> None:
    for number in range(40):
        there.guest(f"guest{number}")
    there.world.telegram.fail(api.too_many(1), "sendMessage", times=1)
    sent = there.invited(there.forum())
    assert there.status(sent) == {"intended": 40, "sent": 40}
    calls = there.world.telegram.called("sendMessage")
    refused = next(call for call in calls if call.status == 429)
    meanwhile = [call for call in calls if refused.at < call.at < refused.at + 0.9 * SECOND]
    assert len(meanwhile) <= 40
    assert len(calls) == 41


# what cannot be known


def test_an_invitation_of_unknown_fate_is_not_sent_again(there: Forums) -> None:
    there.guest("eva")
    there.world.telegram.fail(api.dropped(taken=True), "sendMessage")
    sent = there.invited(there.forum())
    assert there.status(sent) == {"intended": 1, "uncertain": 1}
    there.tick(after=DAY)
    assert there.world.told("eva") == [ASKED]
    with writing(there.engine) as db:
        assert invitations.resend(db, sent, there.now) == 1
    there.settle()
    assert there.status(sent) == {"intended": 1, "sent": 1}


def test_on_whatsapp_it_is_looked_up_first(there: Forums) -> None:
    there.guest("beto2", channel="whatsapp")
    there.guest("dora2", channel="whatsapp")
    beto, dora = there.world.cast["beto2"], there.world.cast["dora2"]
    there.world.twilio.fail(rest.dropped(taken=True), "CreateMessage", beto)
    there.world.twilio.fail(rest.dropped(taken=False), "CreateMessage", dora)
    sent = there.invited(there.forum())
    assert there.status(sent) == {"intended": 2, "uncertain": 2}
    there.world.clock.advance(outcomes.LOOK_AFTER)
    there.wait_for(sent, 2, 2)
    assert there.world.told("beto2") == [ASKED]
    assert there.world.told("dora2") == [ASKED]


@pytest.mark.parametrize(
    "late",
    [
        lambda db, old, now: outbox.later(db, old, now, "the provider does not have it"),
        lambda db, old, now: outbox.unsent(db, old),
        lambda db, old, now: outbox.uncertain(db, old, "no answer", now),
        lambda db, old, now: outbox.hold(db, old, "closed"),
        lambda db, old, now: outbox.failed(db, old, "given up"),
    ],
)
def test_what_is_written_late_of_one_attempt_does_not_touch_the_next(
    there: Forums, late: Callable[[Any, Letter, datetime], None]
) -> None:
    """Two look the same letter up, and the slower one writes what it found when it went again."""
    there.guest("beto2", channel="whatsapp")
    there.world.twilio.fail(rest.dropped(taken=False), "CreateMessage")
    sent = there.invited(there.forum())
    with reading(there.engine) as db:
        (old,) = receipts.doubtful(db, "whatsapp", there.now + outcomes.LOOK_AFTER, 9)
    there.world.clock.advance(outcomes.LOOK_AFTER)
    there.wait_for(sent, 1, 1)
    with writing(there.engine) as db:
        late(db, old, there.now)
    there.settle()
    assert there.status(sent) == {"intended": 1, "sent": 1}
    assert there.world.told("beto2") == [ASKED]


def test_a_dead_senders_invitations_are_uncertain_and_its_replies_go_again(there: Forums) -> None:
    person = there.guest("eva")
    there.guest("fito")
    with writing(there.engine) as db:
        db.execute(update(schema.people).values(channel="nowhere"))
    made, _ = there.plan(there.forum())
    with writing(there.engine) as db:
        while calling_queue(db, there):
            pass
        db.execute(update(schema.outbox).values(state="queued", reason=None))
        outbox.put(db, person, "nowhere", Message("hola"), there.now)
        letters = outbox.claim(db, ("nowhere",), there.now + 5 * SECOND, 9)
        assert [letter.invitation_id for letter in letters] == [None, made.id]
        assert outbox.hand_over(db, [letters[1].id], there.now) == {letters[1].id}
        assert outbox.hand_over(db, [letters[1].id], there.now) == set()
    with writing(there.engine) as db:
        assert outbox.recover(db, there.now + outbox.LEASE) == 0
        assert outbox.recover(db, there.now + outbox.LEASE + 10 * SECOND) == 2
    assert there.status(made.id) == {"intended": 2, "queued": 1, "uncertain": 1}


def calling_queue(db: Any, there: Forums) -> bool:
    from bot import invitations as calling

    return calling._queue(db, there.library, ("nowhere",), there.now)


def test_what_lay_long_after_it_was_handed_over_is_not_sent_by_who_may_be_taken_for_dead(
    small: Forums, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.guest("eva")
    handed: list[datetime] = []

    class Late(timedelta):  # the first time it is asked, the moment has gone by
        def __lt__(self, since: timedelta) -> bool:
            handed.append(small.now)
            return len(handed) == 1 or super().__lt__(since)

    monkeypatch.setattr(sending, "FRESH", Late(seconds=20))
    sent = small.invited(small.forum())
    assert len(handed) == 2
    assert small.status(sent) == {"intended": 1, "sent": 1}
    assert small.world.told("eva") == [ASKED]


def test_who_died_may_have_sent_it_a_moment_ago(small: Forums) -> None:
    small.guest("beto2", channel="whatsapp")
    sent = small.invited(small.forum())
    with writing(small.engine) as db:
        mine = schema.outbox.c.invitation_id == sent
        lease = {"state": "leased", "leased_by": 7, "leased_until": small.now + outbox.LEASE}
        db.execute(update(schema.outbox).where(mine).values(attempted_at=small.now, **lease))
        assert outbox.recover(db, small.now, of=(7,)) == 1
        assert receipts.doubtful(db, "whatsapp", small.now + 59 * SECOND, 9) == []
        assert len(receipts.doubtful(db, "whatsapp", small.now + 60 * SECOND, 9)) == 1


def test_what_a_dead_sender_had_not_handed_over_goes_out_again(small: Forums) -> None:
    small.guest("eva")
    with writing(small.engine) as db:
        told_to_wait(db)
        db.execute(update(schema.people).values(channel="nowhere"))
    made, _ = small.plan(small.forum())
    with writing(small.engine) as db:
        while calling_queue(db, small):
            pass
        [letter] = outbox.claim(db, ("nowhere",), small.now + 5 * SECOND, 9)
        outbox.recover(db, small.now + outbox.LEASE + 10 * SECOND)
        late = small.now + outbox.LEASE
        assert outbox.hand_over(db, [letter.id], late) == set()
    assert small.status(made.id) == {"intended": 1, "queued": 1}


def test_the_notes_of_the_dead_tell_what_was_sent_and_what_was_not(
    small: Forums, tmp_path: Path
) -> None:
    names = ("taken", "kept", "begun", "handed", "asked", "other")
    ids = {name: small.guest(name) for name in names}
    with writing(small.engine) as db:
        db.execute(update(schema.people).values(channel="nowhere"))
    made, _ = small.plan(small.forum())
    with writing(small.engine) as db:
        while calling_queue(db, small):
            pass
        db.execute(update(schema.outbox).values(state="queued", reason=None))
        letters = outbox.claim(db, ("nowhere",), small.now + 5 * SECOND, 9)
        outbox.hand_over(db, [letter.id for letter in letters], small.now)
        then = db.scalar(select(schema.outbox.c.attempted_at).limit(1))
    row = {name: next(x.id for x in letters if x.person_id == ids[name]) for name in names}
    notes = Flights(tmp_path / "flights")
    notes.handed([row[name] for name in names if name != "other"], then)
    notes.handed([row["other"]], then - SECOND)  # by now it is in another sender's hands
    notes.taken(row["taken"], "77")
    notes.kept(row["kept"])
    notes.begun(row["begun"])
    notes.asked(row["asked"], "SM78")
    assert flights.settle(small.engine, notes.folder) == 0  # its writer lives
    notes.close()
    assert flights.settle(small.engine, notes.folder) == 5
    assert list(notes.folder.iterdir()) == []
    found = {"queued": 2, "sent": 1, "uncertain": 1, "held": 1, "leased": 1}
    assert small.status(made.id) == {"intended": 6, **found}
    with reading(small.engine) as db:
        assert receipts.told_of(db, "nowhere", "77")


def test_half_a_note_says_nothing() -> None:
    at = "2027-07-10T16:00:00+00:00"
    found = flights.read(f"handed 5 {at}\nbegun 5\ntaken 7 12\ntaken 5 1")
    assert [(each.id, each.last) for each in found] == [(5, "begun")]


def test_a_note_torn_by_a_full_disk_is_none_and_nothing_goes_out_unnoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noting, write = Flights(tmp_path), os.write
    at = datetime(2027, 7, 10, 16, tzinfo=UTC)
    assert noting.handed([1, 12], at)
    assert noting.begun(1)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, content: write(file, content[:-2]))
        assert not noting.begun(12)
    noting.taken(1, "77")
    noting.close()
    [path] = tmp_path.glob("*.notes")
    found = {each.id: each.last for each in flights.read(path.read_text())}
    assert found == {1: "taken", 12: "handed"}


def test_after_the_providers_own_fault_an_invitation_is_not_sent_again(there: Forums) -> None:
    there.guest("eva")
    there.world.telegram.fail(api.broken(500, taken=True), "sendMessage")
    sent = there.invited(there.forum())
    assert there.status(sent) == {"intended": 1, "uncertain": 1}
    there.tick(after=DAY)
    assert there.world.told("eva") == [ASKED]


def test_notes_go_on_in_another_file_when_one_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "LARGEST", 100)
    notes = Flights(tmp_path)
    for number in range(30):
        notes.begun(number)
    assert len(list(tmp_path.glob("*.notes"))) >= 3
    assert len(notes._open) == 2
    notes.close()


@pytest.mark.parametrize("taken", [True, False])
def test_a_template_of_unknown_fate_is_looked_up_too(there: Forums, *, taken: bool) -> None:
    template = approved(there)
    there.guest("beto2", channel="whatsapp", heard_at=there.now - 2 * DAY)
    there.world.twilio.fail(rest.dropped(taken=taken), "CreateMessage")
    sent = there.invited(there.forum(), template=template)
    assert there.status(sent) == {"intended": 1, "uncertain": 1}
    there.world.clock.advance(outcomes.LOOK_AFTER)
    there.tick_until(lambda: there.status(sent) == {"intended": 1, "held": 1})
    assert len(there.world.told("beto2")) == 1
    assert there.world.says("beto2", "sí") == [ASKED]


def approved(there: Forums) -> str:
    """A template that asks whether the invitation is wanted."""
    sid = "HX" + "0" * 31 + "3"
    body = "Foro {{1}}, {{2}}. ¿Te mandamos la invitación?"
    there.world.twilio.contents[sid] = {"sid": sid, "types": {"twilio/text": {"body": body}}}
    there.world.twilio.approve(sid)
    return sid


# what the provider says (the table of its errors: test_outcomes.py)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory):
    """A database with one invited person whose letter is out; each case is taken back."""
    from tests.world import world

    folder = tmp_path_factory.mktemp("ledger")
    with world(folder, databases.sqlite(folder)) as made:
        there = Forums(made, folder)
        there.guest("beto2", channel="whatsapp")
        sent = there.invited(there.forum())
        yield there, sent


@pytest.mark.parametrize("state", ["queued", "leased", "uncertain"])
def test_what_is_told_again_of_one_attempt_does_not_touch_the_next(
    there: Forums, state: str
) -> None:
    """A failure would queue the letter once more while it is on its way, and invite somebody twice;
    that it was sent would end it before it has gone out, and invite nobody."""
    there.guest("beto2", channel="whatsapp")
    sent = there.invited(there.forum())
    mine = schema.outbox.c.invitation_id == sent
    with writing(there.engine) as db:
        first = db.scalars(select(schema.outbox.c.provider_id).where(mine)).one()
        told = Receipt("whatsapp", first, "failed", there.now, "63010", "not now")
        outcomes.told(db, told)
        assert db.scalars(select(schema.outbox.c.state).where(mine)).one() == "queued"
        db.execute(update(schema.outbox).where(mine).values(state=state))
        for again in (told, replace(told, state="sent")):
            outcomes.told(db, again)
            assert db.scalars(select(schema.outbox.c.state).where(mine)).one() == state


def test_a_status_callback_may_come_before_its_message_is_known(there: Forums) -> None:
    there.guest("beto2", channel="whatsapp")
    early = Receipt("whatsapp", "SM" + "0" * 32, "delivered", there.now)
    with writing(there.engine) as db:
        assert not outcomes.told(db, early)
    sent = there.invited(there.forum())
    with writing(there.engine) as db:
        mine = schema.outbox.c.invitation_id == sent
        db.execute(update(schema.outbox).where(mine).values(provider_id="SM" + "0" * 32))
    there.tick(after=2 * SECOND)
    assert there.status(sent) == {"intended": 1, "delivered": 1}


def test_callbacks_of_unknown_messages_are_looked_at_ever_more_seldom(there: Forums) -> None:
    early, now = schema.early_receipts, there.now

    def looked_at(db: Any, at: datetime) -> int:
        due = db.scalar(select(func.count()).where(early.c.due <= at))
        assert receipts.take_early(db, at) == []
        return due or 0

    with writing(there.engine) as db:
        told = Receipt("whatsapp", "", "read", now)
        for number in range(receipts.LOOKED_AT):
            receipts.keep_early(db, replace(told, provider_id=f"SM{number}"))
        ages = [timedelta(seconds=second) for second in range(40)]
        looks = [looked_at(db, now + age) // receipts.LOOKED_AT for age in ages]
        assert [second for second, look in enumerate(looks) if look] == [0, 1, 2, 4, 8, 16, 32]
        assert looked_at(db, now + receipts.EARLY_KEPT + SECOND) == receipts.LOOKED_AT
        assert db.scalar(select(func.count()).select_from(early)) == 0


def test_status_callbacks_move_the_ledger_on(small: Forums) -> None:
    small.guest("beto2", channel="whatsapp")
    small.guest("dora2", channel="whatsapp")
    dora = small.world.cast["dora2"]
    small.world.twilio.fail(rest.failed_later(63024), "CreateMessage", dora)
    sent = small.invited(small.forum())
    client = small.world.app.test_client()
    for callback in small.world.twilio.callbacks(read=True):
        answer = client.post("/hooks/whatsapp", data=callback.form, headers=dict(callback.headers))
        assert answer.status_code == 200
    assert small.status(sent) == {"intended": 2, "read": 1, "failed": 1}
    with reading(small.engine) as db:
        blocked = schema.people.c.blocked_at.is_not(None)
        assert len(db.execute(select(schema.people).where(blocked)).all()) == 1


@pytest.mark.parametrize("error", [TryLater("x"), Uncertain("x"), Broken("x")])
def test_what_may_be_tried_again_is_not_lost(ledger: Any, error: Exception) -> None:
    there, sent = ledger
    with there.engine.connect() as db:
        row = db.execute(select(schema.outbox).where(schema.outbox.c.invitation_id == sent)).one()
        letter = receipts.told_of(db, "whatsapp", row.provider_id)
        outcomes.unsent(db, letter, error, there.now)
        found = invitations.status(db, sent)
        db.rollback()
    assert found["queued"] + found["uncertain"] == found["intended"] == 1


def test_what_was_sent_while_it_ends_is_noted_by_the_last_round(small: Forums) -> None:
    note = (1, "provider's id", small.now)
    ending = replace(small.post, loop=None, taken=deque([note]))
    with delivery.along(ending):
        pass
    assert list(ending.taken) == [note]


def test_the_delivery_ends_when_told(small: Forums) -> None:
    async def go() -> None:
        stop = asyncio.Event()
        stop.set()
        bell = Bell()
        await delivery.work(replace(small.post, bell=bell, settled=deque(), taken=deque()), stop)

    asyncio.run(go())
