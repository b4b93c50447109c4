"""The two emulators under the real clients: what they keep, what they refuse, how they fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from telegram import Bot, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram import error as tg_error
from telegram.request import HTTPXRequest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList

from tests.emulators import samples, schemas, server, telegram_people, twilio_people
from tests.emulators import telegram as tg
from tests.emulators import twilio as tw

ANA = telegram_people.Person(101, "Ana", "ana")
BETO = telegram_people.Person(102, "Beto")
DORA = twilio_people.Person("+5219991234567", "Dora")
ELSA = twilio_people.Person("+5219997654321", "Elsa")

YES_NO = InlineKeyboardMarkup(
    [
        [
            InlineKeyboardButton("Sí", callback_data="q:1"),
            InlineKeyboardButton("Ma'", callback_data="q:0"),
        ]
    ]
)


@pytest.fixture(autouse=True)
def _seconds_are_timedeltas(monkeypatch):
    """Otherwise python-telegram-bot warns at every RetryAfter and every duration."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
def telegram() -> Iterator[tg.Telegram]:
    with tg.Telegram() as running:
        yield running


@pytest.fixture
def twilio() -> Iterator[tw.Twilio]:
    with tw.Twilio() as running:
        yield running


class Redirected(TwilioHttpClient):
    """Twilio's client, sent to another scheme and host."""

    def __init__(self, base: str):
        super().__init__(timeout=5)
        self.base = base

    def request(self, method: str, url: str, *rest: Any, **more: Any) -> Any:
        parts = urlsplit(url)
        target = self.base + parts.path + (f"?{parts.query}" if parts.query else "")
        return super().request(method, target, *rest, **more)


@pytest.fixture
def client(twilio) -> Iterator[Client]:
    http = Redirected(twilio.url)
    yield Client(twilio.account, twilio.auth_token, http_client=http)
    http.session.close()


def on(telegram: tg.Telegram, *acts: Callable[[Bot], Awaitable[Any]]) -> list[Any]:
    """Do these one after another with one Bot."""

    async def run() -> list[Any]:
        async with a_bot(telegram) as bot:
            return [await act(bot) for act in acts]

    return asyncio.run(run())


def a_bot(telegram: tg.Telegram, token: str | None = None) -> Bot:
    """A real Bot; without TLS, for reading the certificates takes longer than most tests."""
    plain = [HTTPXRequest(httpx_kwargs={"verify": False}) for _ in range(2)]
    return Bot(
        token or telegram.token,
        base_url=telegram.base_url,
        base_file_url=telegram.base_file_url,
        request=plain[0],
        get_updates_request=plain[1],
    )


def one_button(**does: str) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "a", **does}]]}


def say(text: str, to: int = ANA.id, **more: Any) -> Callable[[Bot], Awaitable[Any]]:
    return lambda bot: bot.send_message(to, text, **more)


def send(client: Client, to: twilio_people.Person = DORA, **fields: Any) -> Any:
    sender = f"whatsapp:{twilio_people.SENDER}"
    return client.messages.create(to=f"whatsapp:{to.number}", from_=sender, **fields)


def content(client: Client, kind: str, what: dict[str, Any], **more: Any) -> str:
    made = {"friendly_name": "q", "language": "es", "types": ContentList.Types({kind: what})}
    request = ContentList.ContentCreateRequest({**made, **more})
    return str(client.content.v1.contents.create(request).sid)


def buttons(*titles: str, body: str = "¿Vienes?") -> dict[str, Any]:
    actions = [{"type": "QUICK_REPLY", "title": one, "id": one.lower()} for one in titles]
    return {"body": body, "actions": actions}


def listed(*items: str) -> dict[str, Any]:
    rows = [{"id": str(n), "item": one, "description": "x"} for n, one in enumerate(items)]
    return {"body": "¿Dónde vives?", "button": "Elegir", "items": rows}


# --- Telegram: what it keeps


def test_a_chat_reads_as_people_see_it(telegram):
    async def talk(bot: Bot) -> None:
        first = await bot.send_message(ANA.id, "¿Vienes?", reply_markup=YES_NO)
        gone = await bot.send_message(ANA.id, "espera")
        await bot.edit_message_text("¿Vienes al foro?", ANA.id, first.message_id)
        await bot.edit_message_reply_markup(ANA.id, first.message_id, reply_markup=YES_NO)
        await bot.delete_message(ANA.id, gone.message_id)
        await bot.send_message(BETO.id, "<b>Bix a beel</b> &amp; más", parse_mode="HTML")

    on(telegram, talk)
    (seen,) = telegram.history(ANA)
    assert (seen.text, seen.edits) == ("¿Vienes al foro?", ("¿Vienes?",))
    assert [button.text for button in seen.buttons] == ["Sí", "Ma'"]
    assert telegram.texts(BETO) == ["Bix a beel & más"]
    assert telegram.faults == []


def test_voice_photo_papers_and_places_are_kept_and_can_be_fetched(telegram):
    async def talk(bot: Bot) -> bytes:
        sent = await bot.send_voice(ANA.id, samples.OGG, caption="¿Vienes?", reply_markup=YES_NO)
        await bot.send_voice(BETO.id, sent.voice.file_id)
        await bot.send_audio(ANA.id, samples.OGG)
        await bot.send_photo(ANA.id, samples.JPEG)
        await bot.send_document(ANA.id, samples.PDF, filename="foro.pdf")
        await bot.send_location(ANA.id, 20.97, -89.62)
        await bot.send_venue(ANA.id, 20.97, -89.62, "Foro", "Calle 60")
        await bot.send_chat_action(ANA.id, "typing")
        file = await bot.get_file(sent.voice.file_id)
        return bytes(await file.download_as_bytearray())

    assert on(telegram, talk) == [samples.OGG]
    kinds = [seen.kind for seen in telegram.history(ANA)]
    assert kinds == ["voice", "audio", "photo", "document", "location", "venue"]
    assert telegram.last(BETO).file == samples.OGG
    assert telegram.faults == []


def test_settings_of_the_bot_are_kept_by_language(telegram):
    async def set_up(bot: Bot) -> Any:
        await bot.set_my_commands([BotCommand("ayuda", "Pedir ayuda")], language_code="es")
        await bot.set_my_description("Consulta pública")
        await bot.set_my_short_description("Consulta")
        await bot.set_webhook("https://consulta.example/h", secret_token="s", max_connections=10)
        info = await bot.get_webhook_info()
        await bot.delete_webhook(drop_pending_updates=True)
        return info

    (info,) = on(telegram, set_up)
    assert (info.url, info.max_connections) == ("https://consulta.example/h", 10)
    assert telegram.settings["setMyCommands", "es"]["commands"][0]["command"] == "ayuda"
    assert telegram.webhook == {}
    assert telegram.faults == []


# --- Telegram: what it refuses


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (say("x" * 4097), "4096"),
        (say(" "), "empty"),
        (say("x", to=0), "chat not found"),
        (say("<blink>x", parse_mode="HTML"), "can't parse entities"),
        (lambda bot: bot.send_voice(ANA.id, "no-such-file"), "wrong file identifier"),
        (lambda bot: bot.edit_message_text("x", ANA.id, 5), "message to edit not found"),
        (lambda bot: bot.set_my_commands([BotCommand("ayuda", "x")], language_code="yua"), "yua"),
        (lambda bot: bot.set_my_description("x" * 513), "512"),
        (lambda bot: bot.set_webhook("http://consulta.example/h"), "HTTPS"),
        (lambda bot: bot.get_file("nothing"), "wrong file_id"),
        (lambda bot: bot.answer_callback_query("1", "x" * 201), "200"),
    ],
)
def test_what_telegram_would_refuse_is_refused(telegram, act, words):
    if words == "yua" and not schemas.described():
        pytest.skip("the provider's own description is not at hand")
    with pytest.raises(tg_error.BadRequest, match=f"(?i){words}"):
        on(telegram, act)


def test_a_message_that_stays_as_it_was_cannot_be_edited(telegram):
    async def talk(bot: Bot) -> None:
        sent = await bot.send_message(ANA.id, "hola")
        await bot.edit_message_text("hola", ANA.id, sent.message_id)

    with pytest.raises(tg_error.BadRequest, match="not modified"):
        on(telegram, talk)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"chat_id": 1}, "text"),
        ({"chat_id": 1, "text": "x", "txt": "x"}, "txt"),
        ({"chat_id": "[1]", "text": "x"}, "chat_id"),
        ({"chat_id": 1, "text": "x", "reply_markup": one_button()}, "one"),
        ({"chat_id": 1, "text": "x", "reply_markup": one_button(callback_data="ñ" * 33)}, "bytes"),
    ],
)
def test_a_request_against_the_description_is_named_and_refused(telegram, fields, fault):
    if fault == "txt" and not schemas.described():
        pytest.skip("the provider's own description is not at hand")
    plain = {name: v if isinstance(v, str) else json.dumps(v) for name, v in fields.items()}
    answer = requests.post(f"{telegram.base_url}{telegram.token}/sendMessage", plain, timeout=5)
    assert answer.status_code == 400
    assert fault in " ".join(telegram.faults)
    assert telegram.history(1) == []


# --- Telegram: how it fails


@pytest.mark.parametrize(
    ("how", "raised", "taken"),
    [
        (tg.too_many(7), tg_error.RetryAfter, False),
        (tg.blocked(), tg_error.Forbidden, False),
        (tg.deactivated(), tg_error.Forbidden, False),
        (tg.chat_not_found(), tg_error.BadRequest, False),
        (tg.migrated(-1009), tg_error.ChatMigrated, False),
        (tg.unauthorized(), tg_error.InvalidToken, False),
        (tg.conflict(), tg_error.Conflict, False),
        (tg.broken(500), tg_error.NetworkError, False),
        (tg.broken(502, taken=True), tg_error.NetworkError, True),
        (tg.silence(), tg_error.TimedOut, True),
        (tg.silence(taken=False), tg_error.TimedOut, False),
        (tg.dropped(taken=False), tg_error.NetworkError, False),
        (tg.dropped(taken=True), tg_error.NetworkError, True),
        (tg.half(), tg_error.TelegramError, True),
        (tg.cut(), tg_error.NetworkError, True),
    ],
)
def test_each_failure_raises_what_the_real_one_does_and_the_next_call_works(
    telegram, how, raised, taken
):
    telegram.fail(how, "sendMessage", ANA)

    async def fails(bot: Bot) -> BaseException:
        with pytest.raises(raised) as caught:
            await say("uno", read_timeout=0.2 if how.line == "silent" else 5)(bot)
        return caught.value

    error, _, _ = on(telegram, fails, say("a Beto", BETO.id), say("dos"))
    assert type(error) is raised
    assert telegram.texts(ANA) == (["uno", "dos"] if taken else ["dos"])
    assert [call.taken for call in telegram.called("sendMessage", ANA)] == [taken, True]


def test_a_failure_says_when_to_try_again_and_where_the_chat_went(telegram):
    telegram.fail(tg.too_many(7))
    with pytest.raises(tg_error.RetryAfter) as later:
        on(telegram, lambda bot: bot.get_me())
    assert later.value.retry_after == timedelta(seconds=7)
    telegram.fail(tg.migrated(-1009), "sendMessage")
    with pytest.raises(tg_error.ChatMigrated) as moved:
        on(telegram, say("hola", to=-4))
    assert moved.value.new_chat_id == -1009


def test_a_failure_lasts_as_often_as_told_or_until_healed(telegram):
    telegram.fail(tg.broken(), "sendMessage", times=2)
    telegram.fail(tg.blocked(), "sendMessage", BETO, times=None)

    async def tries(bot: Bot) -> list[str]:
        return [await outcome(bot, to) for to in (ANA, ANA, ANA, BETO, BETO)]

    async def outcome(bot: Bot, to: telegram_people.Person) -> str:
        try:
            await bot.send_message(to.id, "hola")
        except tg_error.TelegramError as error:
            return type(error).__name__
        return "sent"

    found = on(telegram, tries)
    assert found == [["NetworkError", "NetworkError", "sent", "Forbidden", "Forbidden"]]
    telegram.heal()
    on(telegram, say("ya", BETO.id))
    assert telegram.texts(BETO) == ["ya"]


def test_a_wrong_token_is_not_let_in(telegram):
    async def run() -> None:
        async with a_bot(telegram, "1:wrong"):
            pass

    with pytest.raises(tg_error.InvalidToken):
        asyncio.run(run())


def test_answers_can_be_late(telegram):
    telegram.latency = timedelta(seconds=0.1)
    before = datetime.now(UTC)
    on(telegram, say("hola"))  # two calls: getMe comes first
    assert datetime.now(UTC) - before >= timedelta(seconds=0.2)


def test_a_download_can_fail(telegram):
    telegram.fail(tg.broken(502), "download")

    async def fetch(bot: Bot) -> None:
        file = await bot.get_file("voice-1")
        with pytest.raises(tg_error.NetworkError):
            await file.download_as_bytearray()
        assert bytes(await file.download_as_bytearray()) == samples.OGG

    on(telegram, fetch)


# --- Telegram: people


PLAYED = [
    telegram_people.text(ANA, "hola"),
    telegram_people.start(ANA, "cartel-izamal"),
    telegram_people.voice(ANA),
    telegram_people.audio(ANA),
    telegram_people.photo(ANA, "mi calle"),
    telegram_people.sticker(ANA),
    telegram_people.document(ANA),
    telegram_people.video(ANA),
    telegram_people.contact(ANA),
    telegram_people.location(ANA),
    telegram_people.poll(ANA),
    telegram_people.edited(ANA, 7, "hola otra vez"),
    telegram_people.pressed(ANA, "q:1", 7),
    telegram_people.in_group(ANA, "/start"),
    telegram_people.channel_post("aviso"),
    telegram_people.blocked(ANA),
    telegram_people.unblocked(ANA),
]


def test_every_update_is_one_that_telegram_could_send():
    assert all(Update.de_json(update).update_id for update in PLAYED)
    assert all(Update.de_json(update).api_kwargs == {} for update in PLAYED)
    if schemas.described():
        faults = [schemas.telegram_type("Update", update) for update in PLAYED]
        assert faults == [[]] * len(PLAYED)


def test_ids_only_grow():
    ids = [update["update_id"] for update in PLAYED]
    assert ids == sorted(set(ids))


def test_updates_are_polled_once_confirmed_they_are_gone(telegram):
    first, second = telegram_people.text(ANA, "uno"), telegram_people.text(ANA, "dos")
    telegram.queue(first, second)

    async def poll(bot: Bot) -> list[list[str]]:
        seen = [await bot.get_updates(), await bot.get_updates(limit=1)]
        seen.append(await bot.get_updates(offset=second["update_id"]))
        seen.append(await bot.get_updates(offset=second["update_id"] + 1))
        return [[update.message.text for update in one] for one in seen]

    assert on(telegram, poll) == [[["uno", "dos"], ["uno"], ["dos"], []]]
    assert [seen.text for seen in telegram.history(ANA)] == ["uno", "dos"]


def test_a_person_can_change_what_they_wrote(telegram):
    first = telegram_people.text(ANA, "ola")
    telegram.queue(first)
    telegram.queue(telegram_people.edited(ANA, first["message"]["message_id"], "hola"))
    (seen,) = telegram.history(ANA)
    assert (seen.sender, seen.text, seen.edits) == ("person", "hola", ("ola",))


def test_a_long_poll_ends_when_something_comes(telegram):
    later = Thread(target=lambda: telegram.queue(telegram_people.text(ANA, "hola")))

    async def poll(bot: Bot) -> Any:
        task = asyncio.create_task(bot.get_updates(timeout=5))
        await asyncio.sleep(0.05)
        later.start()
        return await task

    (updates,) = on(telegram, poll)
    later.join()
    assert [update.message.text for update in updates] == ["hola"]


def test_two_pollers_are_in_conflict_and_so_is_a_webhook(telegram):
    async def poll(bot: Bot) -> None:
        first = asyncio.create_task(bot.get_updates(timeout=5))
        await asyncio.sleep(0.05)
        async with a_bot(telegram) as other:
            await other.get_updates()
        with pytest.raises(tg_error.Conflict, match="other getUpdates"):
            await first
        await bot.set_webhook("https://consulta.example/hook")
        with pytest.raises(tg_error.Conflict, match="webhook is active"):
            await bot.get_updates()

    on(telegram, poll)


def test_only_the_kinds_asked_for_are_reported(telegram):
    async def poll(bot: Bot) -> Any:
        await bot.get_updates(allowed_updates=["callback_query"])
        telegram.queue(telegram_people.text(ANA, "hola"), telegram_people.pressed(ANA, "q:1", 7))
        return await bot.get_updates()

    ((update,),) = on(telegram, poll)
    assert update.callback_query.data == "q:1"


def test_a_press_goes_to_the_last_keyboard_and_must_be_answered(telegram):
    on(telegram, say("¿Vienes?", reply_markup=YES_NO), say("Gracias."))
    press = telegram.press(ANA, 1)
    telegram.queue(press)
    query = press["callback_query"]
    assert (query["data"], query["message"]["text"]) == ("q:0", "¿Vienes?")
    assert telegram.unanswered() == [query["id"]]
    on(telegram, lambda bot: bot.answer_callback_query(query["id"], "Anotado"))
    assert (telegram.unanswered(), telegram.answered) == ([], {query["id"]: "Anotado"})


def test_an_update_is_posted_with_the_secret(telegram):
    got: list[server.Request] = []

    def hook(request: server.Request) -> server.Answer:
        got.append(request)
        return server.Answer(204)

    with server.Loopback(hook) as ours:
        update = telegram_people.text(ANA, "hola")
        answers = [telegram.deliver(update, f"{ours.url}/hooks/telegram", "s3cret")] * 2
    assert [answer.status for answer in answers] == [204, 204]
    assert got[0].headers["x-telegram-bot-api-secret-token"] == "s3cret"
    assert json.loads(got[0].body) == update


def test_answers_are_what_telegram_documents(telegram):
    if not schemas.described():
        pytest.skip("the provider's own description is not at hand")
    on(
        telegram,
        say("¿Vienes?", reply_markup=YES_NO),
        lambda bot: bot.send_voice(ANA.id, samples.OGG),
        lambda bot: bot.send_venue(ANA.id, 20.97, -89.62, "Foro", "Calle 60"),
    )
    for seen in telegram.history(ANA):
        assert schemas.telegram_type("Message", tg.message(seen)) == []


# --- Twilio: what it keeps


def test_a_message_is_kept_and_its_fate_comes_by_callback(twilio, client):
    sent = send(client, body="Hola, ¿cómo estás?", status_callback="https://consulta.example/h?a=1")
    assert (sent.status, sent.direction) == ("queued", "outbound-api")
    assert twilio.texts(DORA) == ["Hola, ¿cómo estás?"]
    callbacks = twilio.callbacks(read=True)
    assert [one.form["MessageStatus"] for one in callbacks] == ["sent", "delivered", "read"]
    assert client.messages(sent.sid).fetch().status == "read"
    for one in callbacks:
        signature = one.headers["X-Twilio-Signature"]
        assert RequestValidator(twilio.auth_token).validate(one.url, one.form, signature)
    assert twilio.callbacks() == []
    assert twilio.faults == []


def test_quick_replies_are_seen_with_their_variables_and_can_be_tapped(twilio, client):
    made = content(client, "twilio/quick-reply", buttons("Sí", "No", body="¿Vienes, {{1}}?"))
    send(client, content_sid=made, content_variables='{"1": "Dora"}')
    seen = twilio.last(DORA)
    assert (seen.text, seen.shown) == ("¿Vienes, Dora?", "buttons")
    form = twilio.press(DORA, 1)
    assert (form["ButtonText"], form["ButtonPayload"], form["Body"]) == ("No", "no", "No")
    assert form["OriginalRepliedMessageSid"] == seen.sid
    assert twilio.faults == []


def test_a_list_is_seen_and_can_be_picked_from(twilio, client):
    made = content(client, "twilio/list-picker", listed("Mérida", "Izamal"))
    send(client, content_sid=made)
    form = twilio.press(DORA, 1)
    assert (form["ListId"], form["ListTitle"]) == ("1", "Izamal")
    assert twilio.faults == []


def test_contents_are_listed_fetched_approved_and_deleted(twilio, client):
    made = content(client, "twilio/quick-reply", buttons("Sí", "No"))
    contents = client.content.v1
    assert [one.sid for one in contents.contents.list()] == [made]
    assert contents.contents(made).fetch().types["twilio/quick-reply"]["actions"][0]["id"] == "sí"
    assert contents.contents(made).approval_fetch().fetch().whatsapp["status"] == "unsubmitted"
    twilio.approve(made)
    assert contents.contents(made).approval_fetch().fetch().whatsapp["status"] == "approved"
    assert contents.contents(made).delete()
    assert contents.contents.list() == []
    assert twilio.faults == []


def test_messages_are_looked_up_by_recipient_and_time_newest_first():
    noon = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
    times = iter(noon + timedelta(minutes=n) for n in range(100))
    with tw.Twilio(clock=lambda: next(times)) as twilio:
        http = Redirected(twilio.url)
        client = Client(twilio.account, twilio.auth_token, http_client=http)
        for n in range(4):
            send(client, DORA if n else ELSA, body=f"{n}")
        to = f"whatsapp:{DORA.number}"
        every = client.messages.list(to=to, page_size=2)
        later = client.messages.list(to=to, date_sent_after=noon + timedelta(minutes=2))
        earlier = client.messages.list(date_sent_before=noon + timedelta(minutes=1))
        http.session.close()
    assert [one.body for one in every] == ["3", "2", "1"]
    assert [one.body for one in later] == ["3", "2"]
    assert [one.body for one in earlier] == ["1", "0"]
    assert twilio.faults == []


def test_answers_are_what_twilio_documents(twilio, client):
    if not schemas.described():
        pytest.skip("the provider's own description is not at hand")
    made = content(client, "twilio/list-picker", listed("Mérida"))
    sid = send(client, content_sid=made).sid
    basic = (twilio.account, twilio.auth_token)
    here = f"{twilio.url}/2010-04-01/Accounts/{twilio.account}/Messages/{sid}.json"
    message = requests.get(here, auth=basic, timeout=5).json()
    assert schemas.twilio_type("api.v2010.account.message", message) == []
    found = requests.get(f"{twilio.url}/v1/Content/{made}", auth=basic, timeout=5).json()
    assert schemas.twilio_type("content.v1.content", found) == []


# --- Twilio: what it refuses


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"body": "x" * 1601}, 21617),
        ({"body": " "}, 21619),
        ({}, 21619),
        ({"content_sid": "HX" + "0" * 32}, 21655),
        ({"content_variables": "{}", "body": "x"}, 21654),
        ({"body": "x", "content_sid": "HX" + "0" * 32}, 20422),
        ({"body": "x", "status_callback": "consulta"}, 20422),
    ],
)
def test_what_twilio_would_refuse_is_refused(twilio, client, fields, code):
    with pytest.raises(TwilioRestException) as refused:
        send(client, **fields)
    assert (refused.value.status, refused.value.code) == (400, code)
    assert twilio.history(DORA) == []


@pytest.mark.parametrize("values", ["no", "[]", '{"1": ""}', '{"1": null}', '{"1": "a\\nb"}', "{}"])
def test_variables_must_be_whole(twilio, client, values):
    made = content(client, "twilio/quick-reply", buttons("Sí", body="¿Vienes, {{1}}?"))
    with pytest.raises(TwilioRestException) as refused:
        send(client, content_sid=made, content_variables=values)
    assert refused.value.code == 21656


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("twilio/quick-reply", buttons(*"abcdefghijk")),
        ("twilio/quick-reply", buttons("x" * 21)),
        ("twilio/quick-reply", buttons("Sí", body="x" * 1025)),
        ("twilio/list-picker", listed(*"abcdefghijk")),
        ("twilio/list-picker", listed("x" * 25)),
        ("twilio/list-picker", {**listed("x"), "button": ""}),
    ],
)
def test_contents_keep_to_the_limits(twilio, client, kind, what):
    with pytest.raises(TwilioRestException) as refused:
        content(client, kind, what)
    assert refused.value.status == 400
    assert twilio.contents == {}
    assert len(twilio.faults) == 1


def test_three_buttons_in_session_more_only_in_a_template(twilio, client):
    made = content(client, "twilio/quick-reply", buttons("a", "b", "c", "d"))
    with pytest.raises(TwilioRestException) as refused:
        send(client, content_sid=made)
    assert refused.value.code == 63021
    twilio.approve(made)
    send(client, content_sid=made)
    assert twilio.press(DORA, 3)["MessageType"] == "button"


def test_a_variable_can_make_a_button_too_long(twilio, client):
    made = content(client, "twilio/quick-reply", buttons("{{1}}"))
    with pytest.raises(TwilioRestException) as refused:
        send(client, content_sid=made, content_variables=json.dumps({"1": "x" * 21}))
    assert refused.value.code == 63021


def test_strange_numbers_and_senders_are_refused(twilio, client):
    for to, sender, code in (
        ("whatsapp:+52", twilio_people.SENDER, 21211),
        (f"whatsapp:{DORA.number}", "+15550001111", 63007),
    ):
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to=to, from_=f"whatsapp:{sender}", body="x")
        assert refused.value.code == code


def test_an_unknown_parameter_is_named_and_refused(twilio):
    if not schemas.described():
        pytest.skip("the provider's own description is not at hand")
    url = f"{twilio.url}/2010-04-01/Accounts/{twilio.account}/Messages.json"
    sender = f"whatsapp:{twilio.sender}"
    fields = {"To": f"whatsapp:{DORA.number}", "From": sender, "Body": "x", "Bogus": "1"}
    answer = requests.post(url, fields, auth=(twilio.account, twilio.auth_token), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, 20422)
    assert "Bogus" in twilio.faults[0]


# --- Twilio: how it fails


@pytest.mark.parametrize(
    ("how", "code", "status"),
    [
        (tw.too_many(), 20429, 429),
        (tw.refused(63018), 63018, 400),
        (tw.refused(21610), 21610, 400),
        (tw.unauthorized(), 20003, 401),
        (tw.broken(), 20500, 500),
        (tw.broken(503), 20500, 503),
    ],
)
def test_each_error_code_is_raised_and_nothing_is_sent(twilio, client, how, code, status):
    twilio.fail(how, "CreateMessage", DORA)
    with pytest.raises(TwilioRestException) as refused:
        send(client, body="uno")
    assert (refused.value.code, refused.value.status) == (code, status)
    send(client, body="dos")
    assert twilio.texts(DORA) == ["dos"]


@pytest.mark.parametrize(
    ("how", "raised", "taken"),
    [
        (tw.silence(), requests.ReadTimeout, True),
        (tw.silence(taken=False), requests.ReadTimeout, False),
        (tw.dropped(taken=False), requests.ConnectionError, False),
        (tw.dropped(taken=True), requests.ConnectionError, True),
        (tw.half(), json.JSONDecodeError, True),
        (tw.cut(), requests.exceptions.ChunkedEncodingError, True),
        (tw.broken(taken=True), TwilioRestException, True),
    ],
)
def test_a_broken_line_leaves_open_whether_it_was_sent(twilio, client, how, raised, taken):
    twilio.fail(how, "CreateMessage")
    client.http_client.timeout = 0.2 if how.line == "silent" else 5
    with pytest.raises(raised):
        send(client, body="uno")
    client.http_client.timeout = 5
    found = client.messages.list(to=f"whatsapp:{DORA.number}")
    assert [one.body for one in found] == (["uno"] if taken else [])


def test_a_message_can_fail_after_it_was_accepted(twilio, client):
    twilio.fail(tw.failed_later(63024, "failed"), number=ELSA)
    hook = "https://consulta.example/h"
    send(client, ELSA, body="hola", status_callback=hook)
    send(client, DORA, body="hola", status_callback=hook)
    (failed,) = twilio.callbacks(ELSA)
    assert (failed.form["MessageStatus"], failed.form["ErrorCode"]) == ("failed", "63024")
    assert [one.form["MessageStatus"] for one in twilio.callbacks()] == ["sent", "delivered"]


@pytest.mark.parametrize("window", ["callback", "create"])
def test_free_words_need_an_open_window_and_templates_do_not(window):
    now = [datetime(2026, 3, 2, 18, 0, tzinfo=UTC)]
    with tw.Twilio(clock=lambda: now[0], window=window) as twilio:
        http = Redirected(twilio.url)
        client = Client(twilio.account, twilio.auth_token, http_client=http)
        twilio.saw(twilio_people.text(DORA, "hola"))
        now[0] += timedelta(hours=23)
        assert fate(twilio, client, body="a tiempo") is None
        now[0] += timedelta(hours=1)
        assert fate(twilio, client, body="tarde") == 63016
        template = content(client, "twilio/quick-reply", buttons("Sí"))
        assert fate(twilio, client, content_sid=template) == 63016
        twilio.approve(template)
        assert fate(twilio, client, content_sid=template) is None
        http.session.close()


def fate(twilio: tw.Twilio, client: Client, **fields: Any) -> int | None:
    """The error code a message ends with, at once or by its callback."""
    try:
        send(client, status_callback="https://consulta.example/h", **fields)
    except TwilioRestException as refused:
        return refused.code
    code = twilio.callbacks()[-1].form.get("ErrorCode")
    return int(code) if code else None


# --- Twilio: people


def test_what_people_send_is_signed_as_the_real_validator_wants(twilio):
    got: list[server.Request] = []

    def hook(request: server.Request) -> server.Answer:
        got.append(request)
        return server.Answer(200, b"<Response/>", {"Content-Type": "text/xml"})

    public = "https://consulta.example/hooks/whatsapp"
    with server.Loopback(hook) as ours:
        form = twilio_people.text(DORA, "Ma'alob k'iin, señora 🌽")
        answer = twilio.deliver(form, f"{ours.url}/hooks/whatsapp", public)
    assert answer.status == 200
    read = {name: values[0] for name, values in server.form(got[0])[0].items()}
    signature = got[0].headers["x-twilio-signature"]
    assert read == form
    assert RequestValidator(twilio.auth_token).validate(public, read, signature)
    assert [seen.text for seen in twilio.history(DORA)] == [form["Body"]]


def test_every_form_says_who_wrote_and_no_two_are_alike():
    forms = [
        twilio_people.text(DORA, "hola"),
        twilio_people.voice(DORA),
        twilio_people.photo(DORA, "mi calle"),
        twilio_people.sticker(DORA),
        twilio_people.document(DORA),
        twilio_people.video(DORA),
        twilio_people.contact(DORA),
        twilio_people.location(DORA, label="Parque", address="Calle 60"),
        twilio_people.replied(DORA, "eso", "SM1"),
        twilio_people.forwarded(DORA, "eso"),
        twilio_people.tapped(DORA, "sí", "Sí", "SM1"),
        twilio_people.picked(DORA, "1", "Izamal", "SM1"),
    ]
    assert {form["From"] for form in forms} == {f"whatsapp:{DORA.number}"}
    assert {form["WaId"] for form in forms} == {"5219991234567"}
    assert len({form["MessageSid"] for form in forms}) == len(forms)


@pytest.mark.parametrize("redirects", [False, True])
def test_media_are_given_to_the_account_alone(redirects):
    with tw.Twilio(redirects=redirects) as twilio:
        form = twilio_people.voice(DORA, api=twilio.url)
        twilio.saw(form)
        url, basic = form["MediaUrl0"], (twilio.account, twilio.auth_token)
        assert requests.get(url, timeout=5).status_code == 401
        found = requests.get(url, auth=basic, timeout=5)
        assert (found.content, found.headers["Content-Type"]) == (samples.OGG, "audio/ogg")
        twilio.fail(tw.broken(), "FetchMedia")
        assert requests.get(url, auth=basic, timeout=5).status_code == 500
        assert twilio.faults == []


def test_credentials_that_follow_a_redirect_are_a_fault():
    with tw.Twilio(redirects=True) as twilio:
        form = twilio_people.voice(DORA, api=twilio.url)
        twilio.saw(form)
        basic = (twilio.account, twilio.auth_token)
        first = requests.get(form["MediaUrl0"], auth=basic, timeout=5, allow_redirects=False)
        assert requests.get(first.headers["Location"], auth=basic, timeout=5).status_code == 400
        assert len(twilio.faults) == 1


def test_callbacks_can_be_sent_late_twice_and_out_of_order(twilio, client):
    got: list[str] = []

    def hook(request: server.Request) -> server.Answer:
        got.append(server.form(request)[0]["MessageStatus"][0])
        return server.Answer(204)

    with server.Loopback(hook) as ours:
        send(client, body="hola", status_callback=f"{ours.url}/hooks/whatsapp#rc=3")
        sent, delivered = twilio.callbacks()
        assert [one.send().status for one in (delivered, sent, sent)] == [204] * 3
    assert got == ["delivered", "sent", "sent"]


def test_closing_hangs_up_on_whoever_still_waits():
    telegram = tg.Telegram()
    telegram.fail(tg.silence(), "getMe")
    here = f"{telegram.base_url}{telegram.token}"
    ended: list[int] = []

    def wait(method: str) -> None:
        try:
            requests.get(f"{here}/{method}", timeout=30)
        except requests.ConnectionError:
            ended.append(0)
        else:
            ended.append(1)

    waiting = [Thread(target=wait, args=(method,)) for method in ("getMe", "getUpdates?timeout=30")]
    for thread in waiting:
        thread.start()
    telegram.wait(lambda: telegram.called("getMe") and telegram.polls)
    before = datetime.now(UTC)
    telegram.close()
    for thread in waiting:
        thread.join()
    assert datetime.now(UTC) - before < timedelta(seconds=5)
    assert len(ended) == 2


def test_waiting_ends_with_what_was_called(twilio):
    with pytest.raises(AssertionError, match="not so after"):
        twilio.wait(lambda: twilio.calls, timeout=0.01)


def test_a_voice_note_is_an_ogg_of_opus():
    assert samples.OGG.startswith(b"OggS")
    assert samples.OGG.count(b"OggS") == 3
    assert b"OpusHead" in samples.OGG[:64]
