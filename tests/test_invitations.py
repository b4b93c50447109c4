"""Invitations: whom they reach, when they go out, and a ledger whose sums always agree."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update

from bot import invitations as calling
from bot import rsvp, timing, wiring
from bot.cli import main
from bot.invitations import PlanError
from storage import database, invitations, outbox, people, schema
from storage.database import reading, writing
from tests import databases
from tests.forum_world import ASKED, DAY, HOUR, WATER, Forums
from tests.world import World, settings, world

MINUTE = timedelta(minutes=1)


@pytest.fixture
def there(world: World, tmp_path: Path) -> Forums:
    return Forums(world, tmp_path)


@pytest.fixture
def small(small_world: World, tmp_path: Path) -> Forums:
    return Forums(small_world, tmp_path)


def test_only_those_who_consented_and_have_not_stopped_or_blocked_are_reached(
    there: Forums,
) -> None:
    for name in ("eva", "fito", "gina", "hugo", "ines"):
        there.guest(name, municipality="31050")
    with reading(there.engine) as db:
        ids = list(db.scalars(select(schema.people.c.id).order_by(schema.people.c.id)))
    there.consents(ids[1], given=False)
    there.consents(ids[1], given=True)  # the last word counts
    there.consents(ids[2], given=False)
    with writing(there.engine) as db:
        people.stop(db, ids[3], there.now)
        people.block(db, ids[4], there.now)
    made, reach = there.plan(there.forum())
    assert reach.total == made.reach == 2
    assert dict(reach.municipality) == {"31050": 2}
    assert dict(reach.left_out) == {
        "no consent": 1,
        "the person asked us to stop": 1,
        "the person blocked us": 1,
    }
    there.tick()
    assert there.status(made.id) == {
        "intended": 4,
        "sent": 2,
        "skipped": {"the person asked us to stop": 1, "the person blocked us": 1},
    }
    assert there.world.told("gina") == []


def test_whoever_stops_before_it_goes_out_is_skipped(there: Forums) -> None:
    there.guest("eva")
    there.guest("fito")
    made, _ = there.plan(there.forum(), at=there.now, spread=HOUR)
    with writing(there.engine) as db:
        db.execute(update(schema.invitations).values(paused_at=None))
    there.world.says("fito", "baja")
    there.tick(after=2 * HOUR)
    assert there.status(made.id) == {
        "intended": 2, "sent": 1, "skipped": {"the person asked us to stop": 1},
    }  # fmt: skip


def test_nobody_is_invited_twice_however_often_it_is_queued(there: Forums) -> None:
    there.guest("eva")
    sent = there.invited(there.forum())
    with writing(there.engine) as db:
        invitations.change(db, sent, state="queueing", cursor=0)
    there.tick()
    assert there.status(sent) == {"intended": 1, "sent": 1}
    assert there.world.told("eva") == [ASKED]


def test_it_waits_for_its_time(small: Forums) -> None:
    small.guest("eva")
    made, _ = small.plan(small.forum(), at=small.now + 2 * HOUR)
    small.tick()
    assert small.status(made.id) == {}
    small.tick(after=2 * HOUR)
    assert small.status(made.id) == {"intended": 1, "sent": 1}


def test_what_would_begin_at_night_waits_for_the_morning(small: Forums) -> None:
    small.guest("eva")
    night = timing.aware(datetime(2027, 6, 29, 23, 30))  # noqa: DTZ001 - as clocks in Mérida show
    made, _ = small.plan(small.forum(), at=night)
    assert timing.shown(made.due) == "2027-06-30 08:00"
    small.tick(after=night - small.now + HOUR)
    assert small.world.told("eva") == []
    small.tick(after=8 * HOUR)
    assert small.world.told("eva") == [ASKED]


def test_what_is_still_queued_at_night_waits_too(small: Forums) -> None:
    small.guest("eva")
    made, _ = small.plan(small.forum())
    small.world.clock.advance(14 * HOUR)
    with reading(small.engine) as db:
        assert timing.quiet(small.now), db
    small.tick_only()
    assert small.status(made.id) == {"intended": 1, "queued": 1}
    small.world.clock.advance(10 * HOUR)
    small.tick()
    assert small.status(made.id) == {"intended": 1, "sent": 1}


def test_past_its_last_sensible_moment_it_is_missed_never_late(there: Forums) -> None:
    there.guest("eva")
    made, _ = there.plan(there.forum(), at=there.now + HOUR, until=there.now + 2 * HOUR)
    there.tick(after=5 * HOUR)
    there.tick()
    assert there.world.told("eva") == []
    assert there.status(made.id) == {"intended": 1, "missed": 1}


def test_an_invitation_after_the_forum_cannot_be_planned(small: Forums) -> None:
    forum = small.forum()
    with pytest.raises(PlanError, match="it makes sense only until 2027-07-10 09:00"):
        small.plan(forum, at=forum.plan.starts_at)
    small.cancelled(forum)
    with reading(small.engine) as db:
        forum = calling.forums.get(db, forum.id)
    with pytest.raises(PlanError, match="is cancelled"):
        small.plan(forum, at=small.now)


def test_a_spread_invitation_goes_out_bit_by_bit(small: Forums) -> None:
    for number in range(10):
        small.guest(f"guest{number}")
    made, _ = small.plan(small.forum(), spread=10 * HOUR)
    small.tick_only()
    small.world.clock.advance(5 * HOUR)
    small.wait_for(made.id, 5, 7)
    small.world.clock.advance(5 * HOUR)
    small.wait_for(made.id, 10, 10)


def test_it_is_paused_resumed_and_cancelled_while_it_runs(small: Forums) -> None:
    small.guest("eva")
    small.guest("fito")
    forum = small.forum()
    made, _ = small.plan(forum, spread=2 * HOUR)
    small.tick_only()
    small.wait_for(made.id, 1, 1)
    with writing(small.engine) as db:
        invitations.pause(db, made.id, small.now)
    small.world.clock.advance(3 * HOUR)
    small.tick_only()
    assert small.status(made.id) == {"intended": 2, "sent": 1, "queued": 1}
    with writing(small.engine) as db:
        invitations.pause(db, made.id, None)
    small.tick()
    assert small.status(made.id) == {"intended": 2, "sent": 2}
    again, _ = small.plan(forum, at=small.now, spread=2 * HOUR)
    small.tick_only()
    small.wait_for(again.id, 1, 1)
    with writing(small.engine) as db:
        invitations.cancel(db, again.id)
    assert small.status(again.id) == {
        "intended": 2, "sent": 1, "skipped": {"the invitation was cancelled": 1},
    }  # fmt: skip


def test_who_has_answered_is_not_asked_again(small: Forums) -> None:
    small.guest("eva")
    forum = small.forum()
    small.invited(forum)
    small.world.answers_until("eva", "2")
    again = small.invited(forum)
    assert small.status(again) == {
        "intended": 1, "skipped": {"the person has answered already": 1},
    }  # fmt: skip


def test_outside_whatsapps_window_it_is_held_until_the_person_writes(there: Forums) -> None:
    there.guest("beto2", channel="whatsapp", heard_at=there.now - 2 * DAY)
    forum = there.forum()
    sent = there.invited(forum)
    assert there.status(sent) == {"intended": 1, "held": 1}
    assert there.world.told("beto2") == []
    told = there.world.says("beto2", "hola")
    assert ASKED in told
    assert there.status(sent) == {"intended": 1, "sent": 1}
    there.world.says("beto2", "sí voy")
    assert there.attendance(forum) == {"yes": 1}


def test_outside_the_window_a_template_asks_first(there: Forums) -> None:
    template = "HX" + "0" * 31 + "1"
    there.world.twilio.contents[template] = {
        "sid": template,
        "types": {"twilio/quick-reply": {
            "body": "Foro {{1}}, {{2}}. ¿Te mandamos la invitación?",
            "actions": [{"type": "QUICK_REPLY", "title": "Sí", "id": "ver"}],
        }},
    }  # fmt: skip
    there.world.twilio.approve(template)
    there.guest("beto2", channel="whatsapp", heard_at=there.now - 2 * DAY)
    forum = there.forum()
    sent = there.invited(forum, template=template)
    assert there.status(sent) == {"intended": 1, "held": 1}
    [call] = there.world.twilio.called("CreateMessage")
    assert call.fields["ContentSid"] == template
    assert json.loads(call.fields["ContentVariables"])["1"] == "Agua y servicios en el oriente"
    there.world.told("beto2")
    assert there.world.says("beto2", "sí") == [ASKED]
    assert there.status(sent) == {"intended": 1, "sent": 1}
    assert there.attendance(forum) == {}
    there.world.says("beto2", "sí")
    assert there.attendance(forum) == {"yes": 1}


def test_whoever_declines_the_template_gets_no_invitation(small: Forums) -> None:
    template = "HX" + "0" * 31 + "2"
    small.world.twilio.contents[template] = {
        "sid": template, "types": {"twilio/text": {"body": "Foro {{1}}, {{2}}. ¿La quieres?"}},
    }  # fmt: skip
    small.world.twilio.approve(template)
    small.guest("beto2", channel="whatsapp", heard_at=small.now - 2 * DAY)
    sent = small.invited(small.forum(), template=template)
    small.world.told("beto2")
    assert small.world.says("beto2", "no") == ["Está bien, no te lo mandamos. Gracias por avisar."]
    assert small.status(sent) == {
        "intended": 1, "skipped": {"the person did not want the invitation": 1},
    }  # fmt: skip


def test_a_person_on_a_channel_that_is_off_is_accounted_for(small: Forums) -> None:
    small.guest("eva", channel="sms")
    sent = small.invited(small.forum())
    assert small.status(sent) == {"intended": 1, "skipped": {"the channel is off": 1}}


def test_every_notice_goes_by_the_usual_template_where_the_window_is_closed(
    tmp_path: Path, database_url: str
) -> None:
    template = "HX" + "0" * 31 + "9"
    with world(tmp_path, database_url, whatsapp_template=template) as made:
        there = Forums(made, tmp_path)
        body = {"twilio/text": {"body": "Hay un aviso sobre {{1}}, {{2}}. ¿Lo quieres ver?"}}
        made.twilio.contents[template] = {"sid": template, "types": body}
        made.twilio.approve(template)
        there.guest("beto2", channel="whatsapp")
        there.guest("eva")
        forum = there.forum(capacity=1)
        there.invited(forum)
        made.says("eva", "1")
        made.answers_until("beto2", "1", "0", "no")
        assert there.attendance(forum) == {"yes": 1, "waiting": 1}
        made.told("beto2")
        made.clock.advance(2 * DAY)
        made.says("eva", "no puedo")  # from here on the seat may move up at any moment
        there.tick()
        assert there.attendance(forum) == {"yes": 1, "no": 1}
        assert made.told("beto2") == [
            "Hay un aviso sobre Agua y servicios en el oriente, "
            "Sábado 10 de julio, 10:00 a 13:00. ¿Lo quieres ver?"
        ]
        assert made.says("beto2", "sí")[0].startswith("¡Se abrió un lugar!")
        made.clock.advance(2 * DAY)
        there.cancelled(forum)
        there.tick()
        assert made.told("beto2")[0].startswith("Hay un aviso")
        assert made.says("beto2", "sí")[0].startswith("Se canceló el foro")


def test_whoever_gets_a_seat_at_night_sleeps_on(small: Forums) -> None:
    small.guest("eva")
    small.guest("fito")
    forum = small.forum(capacity=1)
    small.invited(forum)
    small.world.answers_until("eva", "1", "0", "no")
    small.world.answers_until("fito", "1", "0", "no")
    small.world.clock.advance(14 * HOUR)
    small.world.says("eva", "no puedo")
    small.tick_only()
    assert small.attendance(forum) == {"yes": 1, "no": 1}
    assert small.world.told("fito") == []
    small.tick(after=10 * HOUR)
    assert small.world.told("fito")[0].startswith("¡Se abrió un lugar!")
    small.world.says("fito", "no puedo")
    assert small.attendance(forum) == {"no": 2}


def test_words_change_while_it_runs(small: Forums) -> None:
    small.guest("eva")
    small.guest("fito")
    made, _ = small.plan(small.forum(), spread=2 * HOUR)
    small.tick_only()
    small.wait_for(made.id, 1, 1)
    with writing(small.engine) as db:
        invitations.change(db, made.id, words={"es": "Trae tu recibo de agua."})
    small.tick(after=3 * HOUR)
    [last] = small.world.told("fito")
    assert "Trae tu recibo de agua." in last
    assert "Trae tu recibo" not in small.world.told("eva")[0]


def test_who_has_answered_does_not_count_as_reached(small: Forums) -> None:
    small.guest("eva")
    small.guest("fito")
    forum = small.forum()
    small.invited(forum)
    small.world.says("eva", "2")
    _, reach = small.plan(forum)
    assert (reach.total, dict(reach.left_out)) == (1, {"the person has answered already": 1})


# trying it on oneself

TRIAL = "🧪 Prueba: solo tú la recibes, y lo que contestes no cuenta."


def tried(there: Forums, person_id: int, channel: str, invitation: int) -> None:
    with writing(there.engine) as db:
        message = rsvp.tried(db, there.library, person_id, invitation)
        outbox.put(db, person_id, channel, message, there.now)
    there.settle()


@pytest.mark.parametrize("channel", ["telegram", "whatsapp"])
@pytest.mark.parametrize("way", ["buttons", "words"])
def test_whoever_tries_it_goes_all_the_way_and_nothing_counts(
    small: Forums, channel: str, way: str
) -> None:
    dora = small.guest("dora2", channel=channel)
    forum = small.forum(capacity=1)
    made, _ = small.plan(forum, at=small.now + 2 * HOUR)
    tried(small, dora, channel, made.id)
    assert small.world.told("dora2") == [f"{TRIAL}\n\n{ASKED}"]
    told = small.world.taps("dora2", "Sí") if way == "buttons" else small.world.says("dora2", "sí")
    assert "¡Anotado!" in told[0]
    assert "¿Vas con alguien más?" in told[0]
    assert "¿Necesitas algo" in small.world.says("dora2", "5")[-1]
    assert small.world.says("dora2", "3")[-1].startswith("Listo, gracias.")
    assert small.attendance(forum) == {}
    assert small.status(made.id) == {}
    with reading(small.engine) as db:
        assert people.needs(db, dora) is None
    small.tick(after=2 * HOUR)
    assert small.world.told("dora2") == [ASKED]
    small.world.says("dora2", "sí")
    assert small.attendance(forum) == {"yes": 1}


def test_a_trial_interrupts_and_the_questionnaire_goes_on(small: Forums) -> None:
    small.world.answers_until("ana", "hola", "es", "si", "3")
    with reading(small.engine) as db:
        ana = people.find(db, "telegram", "101")
    assert ana
    forum = small.forum()
    made, _ = small.plan(forum, at=small.now + DAY)
    tried(small, ana.id, "telegram", made.id)
    assert "¿En qué municipio vives?" in small.world.says("ana", "no puedo")[-1]
    small.world.says("ana", "Mérida")
    assert small.world.stored("ana")["municipio"] == "31050"
    assert small.attendance(forum) == {}


# from the terminal


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A command, its exit code, and its output as JSON if it is that."""
    databases.sqlite(tmp_path / "data")
    monkeypatch.setenv("CONSULTA_DATA", str(tmp_path / "data"))

    def call(*words: str, code: int = 0):
        done = CliRunner().invoke(main, [*words])
        assert done.exit_code == code, done.output
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.output

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agua.toml"
    text = WATER.replace("2027", str(datetime.now().year + 1))  # noqa: DTZ005 - only the year
    path.write_text(text.format(capacity="capacity = 80"), encoding="utf-8")
    return path


def test_the_contract_of_the_commands(run, file: Path) -> None:
    assert run("forum", "add", str(file), "--json") == {"forum": 1}
    planned = run("invite", "plan", "1", "--at", "+2h", "--segment", "language=yua", "--json")
    assert planned == {"invitation": 4, "reach": 0}
    assert run("invite", "status", "4", "--json") == {
        "intended": 0, "queued": 0, "leased": 0, "sent": 0, "delivered": 0, "read": 0,
        "failed": 0, "uncertain": 0, "held": 0, "missed": 0, "skipped": {},
    }  # fmt: skip
    assert run("forum", "attendance", "agua", "--json") == {
        "yes": 0, "no": 0, "maybe": 0, "waiting": 0, "companions": 0,
    }  # fmt: skip
    assert run("invite", "pause", "4", "--json")["state"] == "paused"
    assert run("invite", "resume", "4", "--json")["state"] == "planned"
    assert run("invite", "cancel", "4", "--json")["state"] == "cancelled"
    assert [one["purpose"] for one in run("invite", "list", "agua", "--json")].count("reminder")
    assert run("forum", "show", "agua", "--json")["capacity"] == 80
    assert "Agua y servicios" in run("invite", "preview", "4")
    assert run("invite", "resend-uncertain", "4", "--json") == {"resent": 0}
    assert run("forum", "cancel", "agua", "--json") == {"forum": 1, "state": "cancelled"}


def test_what_is_planned_is_changed_from_the_terminal(run, file: Path) -> None:
    run("forum", "add", str(file))
    run("invite", "plan", "1", "--at", "+1h", "--json")
    first = run("invite", "list", "1", "--json")[0]
    year = datetime.now().year + 1  # noqa: DTZ005 - only the year
    at, until = f"{year}-07-01T10:00", f"{year}-07-09T20:00"
    found = run("invite", "change", "4", "--at", at, "--until", until, "--spread", "2h", "--json")
    assert (found["at"], found["until"], found["spread"]) == (
        f"{year}-07-01T16:00:00+00:00", f"{year}-07-10T02:00:00+00:00", 7200,
    )  # fmt: skip
    assert found["segment"] == first["segment"] == ""
    words = ("--es", "Ven, hay café.", "--yua", "Ko'oten.")
    found = run("invite", "change", "4", *words, "--template", "HX1", "--json")
    assert found["words"] == {"es": "Ven, hay café.", "yua": "Ko'oten."}
    assert "Ven, hay café." in run("invite", "preview", "4")
    assert "template HX1" in run("invite", "preview", "4")
    found = run("invite", "change", "4", "--es", "Ven.", "--segment", "language = yua", "--json")
    assert (found["words"]["es"], found["segment"]) == ("Ven.", "language = yua")
    assert found["words"]["yua"] == "Ko'oten."
    night = run("invite", "change", "4", "--at", f"{year}-07-02T23:00", "--json")
    assert night["at"] == f"{year}-07-03T14:00:00+00:00"  # people sleep: at eight in the morning
    assert run("invite", "change", "4", "--template", "", "--json")["template"] == ""
    assert "People have no 'lengua'" in run(
        "invite", "change", "4", "--segment", "lengua=x", code=2
    )
    late = ("invite", "change", "4", "--at", f"{year}-07-09T19:00")
    assert "end after its last sensible moment" in run(*late, code=2)
    run("invite", "cancel", "4")
    assert "is cancelled. Plan another one" in run("invite", "change", "4", "--es", "x", code=2)


def test_what_has_begun_keeps_its_time_and_its_people(run, file: Path, tmp_path: Path) -> None:
    run("forum", "add", str(file))
    run("invite", "plan", "1", "--at", "+1h", "--json")
    engine = wiring.open_database(settings(tmp_path / "data"))
    with database.disposing(engine), writing(engine) as db:
        invitations.change(db, 4, state="sending")
    for words in (("--at", "+2h"), ("--segment", "language = es"), ("--spread", "1h")):
        assert "has begun" in run("invite", "change", "4", *words, code=2)
    assert run("invite", "change", "4", "--es", "Ya casi.", "--json")["words"] == {"es": "Ya casi."}


def test_errors_are_one_line_that_says_what_to_do(run, file: Path) -> None:
    run("forum", "add", str(file))
    assert "There is a forum 'agua' already" in run("forum", "add", str(file), code=2)
    assert "Write it as 2027-08-14T10:00" in run("invite", "plan", "1", "--at", "pronto", code=2)
    assert "There is no forum 9" in run("invite", "plan", "9", "--at", "now", code=2)
    wrong = ("invite", "plan", "1", "--at", "+1h", "--segment", "lengua=yua")
    assert "People have no 'lengua'" in run(*wrong, code=2)
    file.write_text(file.read_text().replace("thematic", "party"))
    assert "There is no kind 'party'" in run("forum", "change", "1", str(file), code=1)
    file.write_text("kind = ")
    assert "this is no TOML" in run("forum", "change", "1", str(file), code=1)


def test_regions_come_from_a_table_that_organizers_bring(run, tmp_path: Path) -> None:
    path = tmp_path / "regiones.csv"
    path.write_text("municipality,region\nValladolid,VI Oriente\n31085,VI Oriente\nMerida,Costa\n")
    assert run("forum", "regions", "--json") == {}
    assert run("forum", "regions", str(path), "--json") == {"Costa": 1, "VI Oriente": 2}
    reach = run("invite", "reach", "--segment", 'region = "vi oriente"', "--json")
    assert reach["total"] == 0
    path.write_text("municipality,region\nOz,Sur\nTizimín,\n")
    told = run("forum", "regions", str(path), code=1)
    assert "line 2: 'Oz' is no municipality" in told
    assert "line 3: the region has no name" in told
    assert run("forum", "regions", "--json") == {"Costa": 1, "VI Oriente": 2}


def test_the_qr_code_for_the_door_is_written(run, file: Path, tmp_path: Path) -> None:
    run("forum", "add", str(file))
    made = run(
        "forum", "qr", "agua", str(tmp_path / "puerta.svg"), "--bot", "consulta_bot", "--json"
    )
    assert made["link"].startswith("https://t.me/consulta_bot?start=puerta-")
    assert (tmp_path / "puerta.svg").read_bytes().startswith(b"<?xml")


# times


@pytest.mark.parametrize(
    ("starts", "before", "due"),
    [
        ("2027-07-10 10:00", 2 * DAY, "2027-07-08 10:00"),
        ("2027-07-10 10:00", 2 * HOUR, "2027-07-10 08:00"),
        ("2027-07-10 09:00", 2 * HOUR, "2027-07-10 08:00"),
        ("2027-07-10 08:30", 2 * HOUR, "2027-07-09 20:00"),
        ("2027-07-10 22:30", 2 * DAY, "2027-07-09 08:00"),
    ],
)
def test_reminders_do_not_wake_anybody(starts: str, before: timedelta, due: str) -> None:
    moment = timing.read(starts, timing.aware(datetime(2027, 1, 1)))  # noqa: DTZ001 - Mérida
    assert timing.shown(timing.reminder(moment, before)) == due


def test_times_are_read_as_clocks_in_merida_show_them() -> None:
    now = timing.read("2027-07-10T10:00", timing.aware(datetime(2027, 1, 1)))  # noqa: DTZ001
    assert now.isoformat() == "2027-07-10T16:00:00+00:00"
    assert timing.read("+30m", now) == now + 30 * MINUTE
    assert timing.read("2027-07-10T10:00Z", now).hour == 10
    with pytest.raises(ValueError, match="is no time"):
        timing.read("mañana", now)


def test_the_count_of_everything_is_in_the_ledger(small: Forums) -> None:
    small.guest("eva")
    sent = small.invited(small.forum())
    with reading(small.engine) as db:
        rows = db.scalar(select(func.count()).where(schema.outbox.c.invitation_id == sent))
    assert rows == small.status(sent)["intended"]
