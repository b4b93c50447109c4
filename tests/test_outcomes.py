"""The table of the providers' errors, row by row, through the real clients and their emulators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_args

import pytest
from sqlalchemy import Row, delete, select, update

from bot import timing
from bot.twilio_http import ACTIONS, HOLD, UNPRESENTABLE, Action
from storage import schema
from storage.database import reading, writing
from tests import databases
from tests.emulators import telegram as api
from tests.emulators import twilio as rest
from tests.forum_world import ASKED, DAY, Forums
from tests.world import world

SECOND = timedelta(seconds=1)
TEMPLATE = "HX" + "0" * 31 + "7"


@dataclass(slots=True)
class Desk:
    """One forum, one person on each channel, and what became of the last invitation."""

    there: Forums
    forum: Any

    def invites(self, segment: str, template: str = "") -> int:
        return self.there.invited(self.forum, segment, template=template)

    def letter(self, invitation: int) -> Row[Any]:
        with reading(self.there.engine) as db:
            mine = schema.outbox.c.invitation_id == invitation
            return db.execute(select(schema.outbox).where(mine)).one()

    def invitation(self, number: int) -> Row[Any]:
        made = schema.invitations
        with reading(self.there.engine) as db:
            return db.execute(select(made).where(made.c.id == number)).one()

    def blocked(self, channel: str) -> bool:
        people = schema.people
        with reading(self.there.engine) as db:
            at = db.scalar(select(people.c.blocked_at).where(people.c.channel == channel))
        return at is not None

    def paused(self, channel: str) -> bool:
        """Whether the whole sender waits."""
        senders = schema.senders
        with reading(self.there.engine) as db:
            until = db.scalar(select(senders.c.paused_until).where(senders.c.channel == channel))
        return (until or 0.0) > self.there.now.timestamp()

    def clear(self) -> None:
        """As if nothing had happened."""
        self.there.world.twilio.heal()
        self.there.world.telegram.heal()
        self.there.post.waits.clear()
        self.there.post.channels["whatsapp"]._known.clear()
        self.there.post.channels["whatsapp"]._refused.clear()
        with writing(self.there.engine) as db:
            db.execute(delete(schema.contents))
            db.execute(delete(schema.outbox))
            db.execute(delete(schema.invitations))
            db.execute(update(schema.people).values(blocked_at=None, heard_at=self.there.now))
            for name in self.there.post.channels:  # in the order in which the delivery locks them
                mine = schema.senders.c.channel == name
                db.execute(update(schema.senders).where(mine).values(paused_until=0.0))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("outcomes")
    with world(folder, databases.sqlite(folder)) as made:
        there = Forums(made, folder)
        there.guest("beto2", channel="whatsapp")
        there.guest("eva")
        body = {"twilio/text": {"body": "Foro {{1}}, {{2}}. ¿Te mandamos la invitación?"}}
        there.world.twilio.contents[TEMPLATE] = {"sid": TEMPLATE, "types": body}
        there.world.twilio.approve(TEMPLATE)
        yield Desk(there, there.forum())


@pytest.fixture
def desk(office: Desk) -> Desk:
    office.clear()
    return office


# WhatsApp: each code in the answer to a send, and later in a status callback

GOES_AGAIN = ("retry", "slow", "config")


@pytest.mark.parametrize("way", ["answer", "callback"])
@pytest.mark.parametrize("code", ACTIONS)
def test_every_code_leads_where_the_table_says(desk: Desk, code: str, way: str) -> None:
    action, there = ACTIONS[code], desk.there
    failure = rest.refused(int(code)) if way == "answer" else rest.failed_later(int(code))
    always = way == "answer" and code in UNPRESENTABLE  # else it goes out as plain text
    there.world.twilio.fail(failure, "CreateMessage", times=None if always else 1)
    before = len(there.world.twilio.called("CreateMessage"))
    there.world.told("beto2")
    sent = desk.invites("channel = whatsapp")
    if way == "callback":
        bring_callbacks(there)
    letter, invitation = desk.letter(sent), desk.invitation(sent)
    assert desk.blocked("whatsapp") == (action in ("stop", "permanent"))
    assert (invitation.paused_at is not None) == (action == "pause")
    assert bool(invitation.alert) == (action in ("pause", "author"))
    if action in ("stop", "permanent", "pause", "author"):
        assert (letter.state, letter.code) == ("failed", code)
    elif action == "template":
        there.tick_until(lambda: desk.letter(sent).state == "held")
    elif action == "hold":
        assert letter.state == "queued"
        assert letter.due >= there.now + HOLD - 60 * SECOND
    if action in ("slow", "config"):
        assert desk.paused("whatsapp")
    if action in GOES_AGAIN:
        there.world.clock.advance(timing.LONGEST_WAIT)
        there.wait_for(sent, 1, 1)
        assert there.world.told("beto2")[-1] == ASKED
        assert len(there.world.twilio.called("CreateMessage")) == before + 2


def bring_callbacks(there: Forums) -> None:
    """Twilio tells what became of the last message, by signed calls to the hook."""
    client = there.world.app.test_client()
    beto = there.world.cast["beto2"]
    for callback in there.world.twilio.callbacks(beto)[-2:]:
        answer = client.post("/hooks/whatsapp", data=callback.form, headers=dict(callback.headers))
        assert answer.status_code == 200


def test_every_action_has_its_row() -> None:
    assert {*ACTIONS.values(), "fault"} == set(get_args(Action))  # a fault has a status, no code


def test_a_window_that_twilio_says_is_closed_leads_to_the_template(desk: Desk) -> None:
    there = desk.there
    there.world.told("beto2")
    there.world.twilio.fail(rest.refused(63016), "CreateMessage", times=1)
    sent = desk.invites("channel = whatsapp", template=TEMPLATE)
    there.tick_until(lambda: desk.letter(sent).asked_at is not None)
    assert desk.letter(sent).state == "held"
    assert len(there.world.told("beto2")) == 1
    assert there.world.says("beto2", "sí") == [ASKED]
    assert there.status(sent) == {"intended": 1, "sent": 1}


def test_whom_meta_spares_is_tried_again_after_longer_and_longer(desk: Desk) -> None:
    there = desk.there
    there.world.twilio.fail(rest.refused(63049), "CreateMessage", times=2)
    sent = desk.invites("channel = whatsapp")
    first = desk.letter(sent).due - there.now
    with writing(there.engine) as db:  # within the 24 hours, and by day
        db.execute(update(schema.people).values(heard_at=there.now + first))
        db.execute(update(schema.invitations).values(any_hour=True))
    there.world.clock.advance(first + SECOND)
    there.tick_until(
        lambda: desk.letter(sent).attempts == 2 and desk.letter(sent).state == "queued"
    )
    assert desk.letter(sent).due - there.now > first * 1.9
    assert desk.letter(sent).code == "63049"


# Telegram

GONE, MENDED, UNSURE = "gone", "mended", "unsure"


@pytest.mark.parametrize(
    ("failure", "end"),
    [
        (api.blocked(), GONE),
        (api.deactivated(), GONE),
        (api.Failure(400, "Bad Request: chat not found"), GONE),
        (api.Failure(400, "Bad Request: message text is empty"), "failed"),
        (api.too_many(1), MENDED),
        (api.unauthorized(), MENDED),
        (api.conflict(), MENDED),
        (api.broken(502), UNSURE),
        (api.dropped(taken=True), UNSURE),
        (api.dropped(taken=False), UNSURE),
        (api.cut(), UNSURE),
        (api.half(), UNSURE),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status}-{value.line}",
)
def test_what_telegram_says_is_settled(desk: Desk, failure: api.Failure, end: str) -> None:
    there = desk.there
    there.world.telegram.fail(failure, "sendMessage", times=1)
    sent = desk.invites("channel = telegram")
    letter = desk.letter(sent)
    assert desk.blocked("telegram") == (end == GONE)
    if end in (GONE, "failed"):
        assert letter.state == "failed"
    elif end == UNSURE:
        assert letter.state == "uncertain"
        there.tick(after=DAY)
        assert desk.letter(sent).state == "uncertain"
    else:
        there.world.clock.advance(timing.LONGEST_WAIT)
        there.wait_for(sent, 1, 1)


def test_whoever_moved_is_written_to_where_they_are(desk: Desk) -> None:
    there = desk.there
    there.world.telegram.fail(api.migrated(-100777), "sendMessage", times=1)
    sent = desk.invites("channel = telegram")
    there.wait_for(sent, 1, 1)
    assert there.world.telegram.texts(-100777) == [ASKED.split("\n1.")[0]]
