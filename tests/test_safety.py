"""What an attacker, a broken provider or another program may send, and what must not come of it."""

from __future__ import annotations

import json
import logging
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import delete, insert, select

from bot import conversation, telegram, wiring
from bot.wiring import Parts
from storage import answers, pacing, people, schema
from storage.database import reading, writing
from storage.pacing import MOST_ALIKE, MOST_IN_A_MINUTE
from tests.emulators import telegram as provider
from tests.emulators import telegram_people, twilio, twilio_people
from tests.listening import SECRETS, Ear
from tests.world import ANA, PUBLIC, SECRET, START, Clock, World, settings
from webhooks import create_app
from webhooks.app import HSTS, LARGEST_CALL

HOOK = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
FUZZ = int(os.environ.get("CONSULTA_FUZZ", "1000"))  # hostile calls; more by hand

# what is logged


XIMENA = telegram_people.Person(8000000000123, "Canariohalach", "x0canary")
YUM = twilio_people.Person("+5219999876543", "Canariohalach")


def test_whatever_fails_nothing_of_a_person_is_logged(world: World) -> None:
    ear = Ear()
    logging.getLogger().addHandler(ear)
    world.cast |= {"ximena": XIMENA, "yum": YUM}
    for name in ("ximena", "yum"):
        world.answers_until(name, "hola", "es", "si", "3", "Mérida", "colonia x0canary")
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
    logging.getLogger().removeHandler(ear)
    assert len(ear.lines) > 5  # it was said that things failed
    assert ear.overheard() == []


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
    assert ear.overheard() == []
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


def test_nobody_types_more_than_a_message_a_second() -> None:
    kept, verdicts = None, []
    for number in range(MOST_IN_A_MINUTE + 3):
        at = START + timedelta(milliseconds=100 * number)
        kept, verdict = pacing.heard(kept, str(number), at)
        verdicts.append(verdict)
    assert verdicts == ["go on"] * MOST_IN_A_MINUTE + ["tell", "silent", "silent"]
    later = START + timedelta(minutes=6)
    assert pacing.heard(kept, "hola", later)[1] == "go on"


def test_who_writes_at_leisure_is_never_stopped() -> None:
    kept = None
    for number in range(500):
        at = START + timedelta(seconds=20 * number)
        kept, verdict = pacing.heard(kept, "si" if number % 3 else "no", at)
        assert verdict == "go on"


# what a browser is told


@pytest.mark.parametrize("path", ["/", "/aviso", "/entrar", "/chat", "/healthz", "/nada"])
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
    small_world.answers_until("beto", "hola", "es", "si", "3", "Mérida")
    note = {**twilio_people.voice(small_world.cast["beto"]), "MediaUrl0": url}
    small_world.does("beto", note)
    with reading(small_world.parts.engine) as db:
        row = db.execute(select(schema.media)).one()
    assert (row.state, row.file) == ("refused", None)


# hostile calls


def hostile(rng: Random, deep: int = 3) -> Any:
    """Something that is nearly an update, or nothing like one."""
    shape = rng.randrange(deep + 1)
    leaf: list[Callable[[], Any]] = [
        lambda: None,
        lambda: rng.choice((True, False)),
        lambda: rng.randrange(-(2**70), 2**70),
        lambda: rng.random() * 10 ** rng.randrange(-300, 300),
        lambda: "".join(chr(rng.randrange(1, 0xD7FF)) for _ in range(rng.randrange(40))),
        lambda: rng.choice(("baja", "hola", "1", "\x00", "\ud800", "'; DROP TABLE people; --")),
    ]
    if shape == 0:
        return rng.choice(leaf)()
    if shape == 1:
        return [hostile(rng, deep - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(KEYS): hostile(rng, deep - 1) for _ in range(rng.randrange(6))}


KEYS_TEXT = (
    "update_id message edited_message callback_query my_chat_member chat from id text type voice "
    "file_id data entities location latitude longitude photo sticker poll contact date caption "
    "message_id first_name document new_chat_member status reply_to_message forward_origin x"
)
KEYS = KEYS_TEXT.split()


def damaged(rng: Random, update: Any) -> Any:
    """A real update in which something is not as it should be."""
    if isinstance(update, dict):
        return {
            key: hostile(rng) if rng.random() < 0.08 else damaged(rng, value)
            for key, value in update.items()
            if rng.random() > 0.04
        }
    return [damaged(rng, each) for each in update] if isinstance(update, list) else update


def to_telegram(client: FlaskClient, rng: Random) -> int:
    person = telegram_people.Person(rng.randrange(1, 50))
    whole = rng.choice(
        (telegram_people.text(person, rng.choice(KEYS)), telegram_people.voice(person))
    )
    update = hostile(rng) if rng.random() < 0.3 else damaged(rng, whole)
    body = json.dumps(update)[: rng.choice((None, None, None, rng.randrange(200)))]
    return client.post("/hooks/telegram", data=body, headers=HOOK).status_code


def to_whatsapp(client: FlaskClient, rng: Random, token: str) -> int:
    person = twilio_people.Person(f"+52199911{rng.randrange(10000, 10050)}")
    whole = rng.choice((twilio_people.text(person, rng.choice(KEYS)), twilio_people.voice(person)))
    form = {
        str(key): str(hostile(rng)) if rng.random() < 0.15 else value
        for key, value in whole.items()
        if rng.random() > 0.05
    }
    form = {key: value.encode("utf-8", "replace").decode() for key, value in form.items()}
    headers: Mapping[str, str] = twilio_people.signed(f"{PUBLIC}/hooks/whatsapp", form, token)
    if rng.random() < 0.1:
        headers = {
            "X-Twilio-Signature": str(hostile(rng)).encode("ascii", "ignore").decode("ascii")
        }
        headers = {key: value.replace("\n", "").replace("\r", "") for key, value in headers.items()}
    return client.post("/hooks/whatsapp", data=form, headers=headers).status_code


@pytest.fixture
def _unheard() -> Iterator[None]:
    """What is logged is held by pytest, and would be counted as growth."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_unheard")
def test_hostile_calls_break_nothing_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    rng, token = Random(int(os.environ.get("CONSULTA_FUZZ_SEED", "7"))), "f" * 32
    known = settings(
        tmp_path, public_url=PUBLIC,
        telegram_token=SecretStr("1:x"), telegram_secret=SecretStr(SECRET),
        twilio_account_sid="AC" + "0" * 32, twilio_auth_token=SecretStr(token),
        whatsapp_from="whatsapp:+5219990000000",
    )  # fmt: skip
    parts = wiring.build(known, clock=Clock(), channels={})
    client = create_app(known, parts).test_client()
    for said in ("hola", "es", "si", "3", "Mérida"):
        client.post("/hooks/telegram", json=telegram_people.text(ANA, said), headers=HOOK)
    before = stored(parts)
    calls = (lambda: to_telegram(client, rng), lambda: to_whatsapp(client, rng, token))
    seen = {rng.choice(calls)() for _ in range(FUZZ)}
    assert _grown(calls, FUZZ // 10, seen, rng) < 2_000_000
    assert seen <= {200, 401, 403}
    with reading(parts.engine) as db:
        failed = select(schema.inbox.c.error).where(schema.inbox.c.state == "failed")
        assert db.scalars(failed).all() == []
    assert stored(parts) == before != []
    parts.engine.dispose()


def stored(parts: Parts) -> list[tuple[str, str]]:
    with reading(parts.engine) as db:
        found = people.find(db, "telegram", str(ANA.id))
        rows = answers.of_person(db, found.id) if found else []
    return [(row["question"], row["value"]) for row in rows]


def _grown(calls: Any, number: int, seen: set[int], rng: Random) -> int:
    """Bytes that are held after so many calls and were not before."""
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    for _ in range(number):
        seen.add(rng.choice(calls)())
    held = tracemalloc.get_traced_memory()[0] - start
    tracemalloc.stop()
    return held
