"""What an attacker, a broken provider or another program may send, and what must not come of it."""

from __future__ import annotations

import json
import logging
import os
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest
import structlog
from sqlalchemy import delete, insert, select

from bot import conversation, telegram, wiring
from dialogs import language, replies, script, stopping, tables
from storage import pacing, schema
from storage.database import reading, writing
from storage.pacing import MOST_ALIKE, MOST_IN_A_MINUTE, Pace
from tests.emulators import telegram as provider
from tests.emulators import telegram_people, twilio, twilio_people
from tests.hostile import HOOK, siege
from tests.listening import SECRETS, Ear, overheard
from tests.world import PUBLIC, START, World, settings
from webhooks import create_app
from webhooks.app import HSTS
from webhooks.hooks import LARGEST_CALL

FUZZ = int(os.environ.get("CONSULTA_FUZZ", "1000"))  # hostile calls; more by hand

# what is logged


XIMENA = telegram_people.Person(8000000000123, "Canariohalach", "x0canary")
YUM = twilio_people.Person("+5219999876543", "Canariohalach")


def test_whatever_fails_nothing_of_a_person_is_logged(world: World) -> None:
    ear = Ear()
    logging.getLogger().addHandler(ear)
    world.cast |= {"ximena": XIMENA, "yum": YUM}
    for name in ("ximena", "yum"):
        world.answers_until(name, "hola", "es", "si", "3", "Mérida", "sí", "colonia x0canary")
    for how in (provider.broken(500), provider.too_many(1), provider.half(), provider.blocked()):
        world.telegram.fail(how, method="sendMessage")
        world.bring("ximena", world.update("ximena", "el pozo-canario no sirve, 8000000000123"))
        let_pass(world)
    for how in (twilio.broken(500), twilio.half(), twilio.refused(21211), twilio.unauthorized()):
        world.twilio.fail(how, operation="CreateMessage")
        world.bring("yum", world.update("yum", "llámame al 999 987 6543, soy canariohalach"))
        let_pass(world)
    _break(world, "ximena")
    world.app.test_client().post("/hooks/telegram", data=b"x0canary", headers=HOOK)
    odd = world.update("ximena", "")
    odd["message"]["text"] = ["x0canary"]  # words where no words may stand
    world.app.test_client().post("/hooks/telegram", json=odd, headers=HOOK)
    logging.getLogger().removeHandler(ear)
    assert len(ear.lines) > 5  # it was said that things failed
    assert overheard(ear.lines) == []


def let_pass(world: World) -> None:
    for _ in range(6):
        world.clock.advance(timedelta(seconds=2))
        world.parts.bell.ring()
        threading.Event().wait(0.03)


def _break(world: World, name: str) -> None:
    """A fault of ours, with the person's words in the midst of it."""
    files = schema.form_files
    with writing(world.parts.engine) as db:
        kept = db.execute(delete(files).returning(files)).mappings().all()
    parts = wiring.build(world.parts.settings, clock=world.clock)
    inbound = telegram.read(world.update(name, "pozo-canario"), world.clock())
    assert inbound is not None
    assert conversation.receive(parts.desk, inbound) == "failed"
    parts.engine.dispose()
    with writing(world.parts.engine) as db:
        db.execute(insert(files), [dict(row) for row in kept])
        assert "canario" not in (db.scalar(select(schema.inbox.c.error)) or "")


def test_the_ear_would_hear_it(small_world: World) -> None:
    ear = Ear()
    logging.getLogger().addHandler(ear)
    structlog.get_logger().warning("sent", number="9991112233", link="/mis-datos/abcDEF-_1")
    logging.getLogger("aiohttp.client").warning("to 999 111 22 33: %s", small_world.telegram.token)
    logging.getLogger().removeHandler(ear)
    assert overheard(ear.lines) == []
    assert "[number]" in ear.lines[0]
    assert "abcDEF" not in ear.lines[0]
    assert "[token]" in ear.lines[1]
    assert small_world.telegram.token in SECRETS


# how quickly


def test_two_programs_that_talk_to_each_other_are_told_once_and_left_alone(
    small_world: World,
) -> None:
    told = [small_world.says("beto", "Gracias por su mensaje") for _ in range(MOST_ALIKE + 5)]
    assert all(told[:MOST_ALIKE])
    assert "muy seguidos" in told[MOST_ALIKE][0]
    assert told[MOST_ALIKE + 1 :] == [[]] * 4
    assert small_world.says("beto", "dejen de escribirme")  # a stop is heard whatever the pace
    small_world.clock.advance(pacing.CALM)
    assert small_world.says("beto", "volver")


def test_two_programs_with_ever_other_words_are_noticed_at_any_pace(small_world: World) -> None:
    """The other one greets, thanks and asks, each time in other words, once in three minutes."""
    small_world.answers_until("beto", "hola", "es", "si")
    told = ""
    for number in range(200):
        small_world.clock.advance(timedelta(minutes=3))
        said = small_world.says("beto", f"Agradecemos su preferencia, su turno es el {number:04}x")
        told = said[0] if said else told
        if not said:
            break
    assert "muy seguidos" in told
    assert small_world.says("beto", "dejen de escribirme")


def test_nobody_types_more_than_a_message_a_second() -> None:
    pace, verdicts = Pace(), []
    for number in range(MOST_IN_A_MINUTE + 3):
        at = START + timedelta(milliseconds=100 * number)
        pace, verdict = pacing.heard(pace, str(number), at)
        verdicts.append(verdict)
    assert verdicts == ["go on"] * MOST_IN_A_MINUTE + ["tell", "silent", "silent"]
    later = START + timedelta(minutes=6)
    assert pacing.heard(pace, "hola", later)[1] == "go on"


def test_who_answers_a_long_questionnaire_quickly_is_never_stopped() -> None:
    pace = Pace()
    for number in range(3000):  # two seconds each, and of five four are not understood
        at = START + timedelta(seconds=2 * number)
        pace, verdict = pacing.heard(pace, str(number), at)
        assert verdict == "go on"
        pace = pacing.led_on(pace) if number % 5 == 0 else pace


def test_who_chats_on_for_months_is_never_stopped() -> None:
    pace = Pace()
    for number in range(500):
        at = START + timedelta(hours=2 * number)
        pace, verdict = pacing.heard(pace, str(number), at)
        assert verdict == "go on"


def test_who_writes_at_leisure_is_never_stopped() -> None:
    pace = Pace()
    for number in range(500):
        at = START + timedelta(seconds=20 * number)
        pace, verdict = pacing.heard(pace, "si" if number % 3 else "no", at)
        assert verdict == "go on"
        pace = pacing.led_on(pace)


def test_a_version_before_reads_what_is_kept_of_somebodys_pace_and_goes_on_with_it() -> None:
    pace = Pace()
    for minute in range(40):
        pace, _ = pacing.heard(pace, f"palabras {minute}", START + timedelta(minutes=minute))
    known = json.loads(pacing.written(pace))
    assert set(known) == {"since", "number", "words", "alike_since", "alike", "shut_at"}
    known |= {"words": "otras", "number": 1}  # as that version leaves it
    later = START + timedelta(minutes=41)
    assert pacing.heard(pacing.read(json.dumps(known)), "hola", later)[1] == "go on"
    pace = pacing.read(pacing.written(pace))
    for minute in range(21):
        pace, verdict = pacing.heard(pace, f"más {minute}", later + timedelta(minutes=minute))
    assert verdict == "tell"  # this one has forgotten nothing


# what a browser is told


PATHS = ("/", "/aviso", "/entrar", "/chat", "/healthz", "/nada", "/hooks/telegram", "/hooks/nada")


@pytest.mark.parametrize("path", PATHS)
def test_every_page_says_what_a_browser_may_do(small_world: World, path: str) -> None:
    headers = small_world.app.test_client().get(path).headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Strict-Transport-Security"] == HSTS


def test_cookies_are_secure_over_https_alone(tmp_path: Path) -> None:
    for url, secure in ((PUBLIC, True), ("", False)):
        folder = tmp_path / str(secure)
        app = create_app(settings(folder, public_url=url, chat=True))
        reply = app.test_client().get("/chat")
        cookie = reply.headers["Set-Cookie"]
        assert ("Secure" in cookie) is secure
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert ("Strict-Transport-Security" in reply.headers) is secure
        app.extensions["parts"].engine.dispose()


def test_no_form_is_taken_without_its_token(small_world: World) -> None:
    client = small_world.app.test_client()
    rules = small_world.app.url_map.iter_rules()
    posts = [rule for rule in rules if "POST" in (rule.methods or ()) and not rule.arguments]
    own_proof = ("hooks.",)  # a secret header, a signature
    for rule in posts:
        if not rule.endpoint.startswith(own_proof):
            status = client.post(rule.rule, data={"a": "b"}).status_code
            assert status in (302, 400, 401, 403), (rule.endpoint, status)


def test_a_call_that_is_too_large_is_refused_unread(small_world: World) -> None:
    client = small_world.app.test_client()
    large = b"x" * (LARGEST_CALL + 1)
    assert client.post("/hooks/telegram", data=large, headers=HOOK).status_code == 413
    signed = {"X-Twilio-Signature": "x"}
    reply = client.post("/hooks/whatsapp", data={"Body": "x" * LARGEST_CALL}, headers=signed)
    assert reply.status_code in (403, 413)
    update = json.dumps(small_world.update("ana", "x" * LARGEST_CALL)).encode()
    chunked = {"headers": {**HOOK, "Transfer-Encoding": "chunked"},
               "environ_overrides": {"wsgi.input_terminated": True}}  # fmt: skip
    for path in ("/hooks/telegram", "/hooks/whatsapp"):
        assert client.post(path, data=update, **chunked).status_code == 413
    assert small_world.count(schema.inbox) == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://api.twilio.com.evil.example/x",
        "https://api.twilio.com@evil.example/x",
        "file:///etc/passwd",
        "http://127.0.0.1:8000/admin",
    ],
)
def test_a_media_address_leads_nowhere_but_to_twilio(small_world: World, url: str) -> None:
    small_world.answers_until("beto", "hola", "es", "si", "3", "Mérida", "sí")
    note = {**twilio_people.voice(small_world.cast["beto"]), "MediaUrl0": url}
    small_world.does("beto", note)
    with reading(small_world.parts.engine) as db:
        row = db.execute(select(schema.media)).one()
    assert (row.state, row.file) == ("refused", None)


# files that are more than they seem


def bomb(path: Path) -> None:
    """Spreadsheets that unpack to a thousand times their size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b" " * (tables.UNPACKED + 1))


def far_cell(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "survey"
    sheet["XFD1048576"] = "x"
    book.save(path)


@pytest.mark.parametrize("make", [bomb, far_cell])
def test_a_spreadsheet_that_is_more_than_it_seems_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "x.xlsx"
    make(path)
    assert path.stat().st_size < 200_000
    for read in (tables.read, tables.read_any):
        with pytest.raises(tables.TableError, match="larger than can be read"):
            read(path)


# hostile calls


@pytest.fixture
def _unheard() -> Iterator[None]:
    """What is logged is held by pytest, and would be counted as growth."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_unheard")
def test_hostile_calls_break_nothing_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("CONSULTA_FUZZ_SEED", "7"))
    with siege(tmp_path, seed) as made:
        for _ in range(FUZZ):
            made.call()
        assert held(made.call, FUZZ // 10) < 2_000_000
        assert set(made.seen) <= {200, 302, 400, 401, 403, 404, 413}
        assert made.failed() == []
        assert made.kept > 0


def test_json_that_is_nested_too_deeply_is_no_fault_of_ours(small_world: World) -> None:
    client = small_world.app.test_client()
    body = b'{"a":' * 100_000
    assert client.post("/hooks/telegram", data=body, headers=HOOK).status_code == 200


def test_long_messages_are_not_held_in_memory_to_be_compared() -> None:
    towns = script.read(Path(script.__file__).with_name("forms") / "consulta.md")
    options = towns.question("municipio").options
    texts = (f"{number} " + "ñandú💧" * 600 + f" {number}" for number in range(100))

    def heard() -> None:
        said = next(texts)
        assert replies.choice(options, said).options == ()
        assert replies.command(said) == ""
        assert stopping.asked(said) is None
        language.detect(said)

    heard()
    assert held(heard, 99) < 500_000  # one of them has 14,000 bytes, and was held many times


def held(act: Callable[[], None], times: int) -> int:
    """Bytes that are held after this was done so often and were not before."""
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    for _ in range(times):
        act()
    grown = tracemalloc.get_traced_memory()[0] - start
    tracemalloc.stop()
    return grown
