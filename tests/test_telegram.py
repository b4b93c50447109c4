"""Telegram: what people do is read, what is said arrives, and what fails says what may be done."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot import telegram
from bot.channel import Broken, Gone, Moved, Refused, SendError, TryLater, Uncertain
from bot.http import Pool
from bot.stores import Folder
from bot.telegram import Telegram
from bot.telegram_http import Request
from dialogs.values import Choice, Kind, Media, Message, Shown
from tests.emulators import samples
from tests.emulators import telegram as bot_api
from tests.emulators import telegram_people as people

NOW = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
SOON = timedelta(seconds=0.3)
ANA = people.Person(5001)
CONSENT = (Choice("c1:yes", "Sí, acepto"), Choice("c1:no", "No, gracias"))
THEMES = (Choice("t:agua", "Agua"), Choice("t:salud", "Salud"), Choice("t:done", "Listo ✔"))


@pytest.fixture
def api() -> Iterator[bot_api.Telegram]:
    with bot_api.Telegram() as running:
        yield running
        assert running.faults == []


def using(
    api: bot_api.Telegram, do: Callable[[Telegram], Awaitable[Any]], /, **options: Any
) -> Any:
    """Do one thing with a bot whose patience is short, and close it."""

    async def go() -> Any:
        given = {"token": api.token, "media": Folder(Path()), "api": api.url}
        channel = Telegram(**{**given, "request": Request(Pool(SOON, SOON)), **options})
        try:
            return await do(channel)
        finally:
            await channel.close()

    return asyncio.run(go())


def say(api: bot_api.Telegram, message: Message, /, to: str = str(ANA.id), **options: Any) -> str:
    sent = using(api, lambda channel: channel.send(to, message), **options)
    assert isinstance(sent, str)
    return sent


# --- in


@pytest.mark.parametrize(
    ("header", "secret", "answer"),
    [
        ("s3cret", "s3cret", True),
        ("S3cret", "s3cret", False),
        ("s3cret ", "s3cret", False),
        ("sécret\ud800", "s3cret", False),
        (None, "s3cret", False),
        ("", "", False),
        (None, "", False),
        ("s3cret", "", False),
    ],
)
def test_only_the_right_secret_is_telegram(header, secret, answer):
    assert telegram.genuine(header, secret) is answer


def started(body: str) -> people.Update:
    return people.text(ANA, body)


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (people.text(ANA, "Valladolid"), {"kind": "text", "text": "Valladolid"}),
        (people.text(ANA, "a\x00b \ud800 = 2"), {"kind": "text", "text": "a\x00b \ud800 = 2"}),
        (people.text(ANA, "/ayuda"), {"kind": "text", "text": "/ayuda"}),
        (people.start(ANA), {"kind": "start"}),
        (people.start(ANA, "cartel-izamal_3"), {"kind": "start", "code": "cartel-izamal_3"}),
        (started("/start@consulta_bot izamal"), {"kind": "start", "code": "izamal"}),
        (started("/start hola, ¿qué es?"), {"kind": "start", "text": "hola, ¿qué es?"}),
        (started("/started"), {"kind": "text", "text": "/started"}),
        (people.photo(ANA, "mi calle"), {"kind": "photo", "text": "mi calle"}),
        (people.sticker(ANA), {"kind": "sticker"}),
        (people.document(ANA), {"kind": "document"}),
        (people.video(ANA), {"kind": "video"}),
        (people.contact(ANA), {"kind": "contact"}),
        (people.location(ANA, 20.9, -89.6), {"kind": "location", "point": (20.9, -89.6)}),
        (people.poll(ANA), {"kind": "poll"}),
        (people.edited(ANA, 3, "Tizimín"), {"kind": "edited", "text": "Tizimín"}),
        (people.blocked(ANA), {"kind": "blocked"}),
        (people.unblocked(ANA), {"kind": "unblocked"}),
    ],
)
def test_what_a_person_does_is_read(update, expected):
    found = telegram.read(update, NOW)
    assert found is not None
    assert (found.channel, found.id) == ("telegram", str(update["update_id"]))
    assert (found.address, found.identity, found.at) == ("5001", "5001", NOW)
    fields = {name: getattr(found, name) for name in ("kind", "text", "code", "point")}
    assert fields == {"kind": "", "text": "", "code": "", "point": None, **expected}


def test_a_press_says_what_was_pressed_and_where():
    found = telegram.read(people.pressed(ANA, "c1:yes", 77), NOW)
    assert found is not None
    assert (found.kind, found.payload, found.pressed) == ("button", "c1:yes", "77")
    assert found.callback.isdecimal()


def test_a_press_under_a_message_too_old_to_show_still_counts():
    update = people.pressed(ANA, "c1:yes", 77)
    query = update["callback_query"]
    query["message"] = {"chat": query["message"]["chat"], "message_id": 77, "date": 0}
    found = telegram.read(update, NOW)
    assert found is not None
    assert (found.kind, found.address, found.pressed) == ("button", "5001", "77")


def test_a_voice_note_is_told_with_its_length_and_type():
    found = telegram.read(people.voice(ANA, seconds=7), NOW)
    assert found is not None
    assert found.media is not None
    assert (found.kind, found.media.type, found.media.seconds) == ("voice", "audio/ogg", 7)
    assert found.media.size == len(samples.OGG)
    assert found.media.ref.startswith("voice-")


def test_a_recording_sent_as_a_file_is_a_voice():
    update = people.document(ANA)
    update["message"]["document"]["mime_type"] = "audio/mp4"
    found = telegram.read(update, NOW)
    assert found is not None
    assert found.kind == "voice"


def test_a_song_is_a_voice_and_a_dice_is_something_else():
    song, dice = people.audio(ANA), people.text(ANA, "")
    dice["message"] |= {"dice": {"emoji": "🎲", "value": 3}}
    del dice["message"]["text"]
    kinds = [telegram.read(update, NOW).kind for update in (song, dice)]
    assert kinds == ["voice", "other"]


def test_a_venue_is_a_place():
    update = people.location(ANA, 20.9, -89.6)
    place = update["message"]["location"]
    update["message"]["venue"] = {
        "location": place,
        "title": "Casa de la Cultura",
        "address": "C 60",
    }
    found = telegram.read(update, NOW)
    assert found is not None
    assert (found.kind, found.point) == ("location", (20.9, -89.6))


@pytest.mark.parametrize("update", [people.in_group(ANA, "hola"), people.channel_post("aviso")])
def test_where_others_read_along_it_is_a_group(update):
    found = telegram.read(update, NOW)
    assert found is not None
    assert found.kind == "group"
    assert found.address.startswith("-")


def test_a_group_that_moved_says_where_to():
    update = people.in_group(ANA, "")
    del update["message"]["text"]
    update["message"]["migrate_to_chat_id"] = -100123
    found = telegram.read(update, NOW)
    assert found is not None
    assert (found.kind, found.moved_to) == ("group", "-100123")


def test_what_the_app_says_by_itself_asks_for_nothing():
    update = people.text(ANA, "")
    del update["message"]["text"]
    update["message"]["message_auto_delete_timer_changed"] = {"message_auto_delete_time": 86400}
    assert telegram.read(update, NOW) is None


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"message": {}},
        {"update_id": "x", "message": people.text(ANA, "a")["message"]},
        {"update_id": 1, "message": {"text": "a"}},
        {"update_id": 1, "message": "a"},
        {"update_id": 1, "message": {**people.text(ANA, "a")["message"], "text": 5}},
        {"update_id": 1, "message": {**people.text(ANA, "a")["message"], "chat": {"id": 1e30}}},
        {"update_id": 1, "callback_query": {"id": 1}},
    ],
)
def test_what_is_no_update_is_said_to_be_none(update):
    with pytest.raises(ValueError, match="not an update"):
        telegram.read(update, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
SHAPES = [
    people.text(ANA, "hola"),
    people.pressed(ANA, "c1:yes", 77),
    people.voice(ANA),
    people.photo(ANA),
    people.location(ANA),
    people.poll(ANA),
    people.blocked(ANA),
    people.in_group(ANA, "hola"),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, as the keys that lead to it."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    key, *rest = path
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[key] = put(value[key], tuple(rest), new) if rest else new
    return changed


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """An update as Telegram sends it, with anything at all in one or two places."""
    update = draw(st.sampled_from(SHAPES))
    for _ in range(draw(st.integers(1, 2))):
        update = put(update, draw(st.sampled_from(list(places(update)))), draw(JSON))
    return update


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON) | spoiled())
def test_whatever_comes_is_read_or_refused_and_nothing_else(update):
    try:
        found = telegram.read(update, NOW)
    except ValueError:
        return
    if found is not None:
        assert found.kind in get_args(Kind)
        assert int(found.address)
        for name in ("id", "text", "payload", "pressed", "callback", "code", "moved_to"):
            assert isinstance(getattr(found, name), str), name


# --- out


def test_a_message_arrives_with_its_buttons(api):
    sent = say(api, Message("¿Aceptas participar?", CONSENT))
    seen = api.last(ANA)
    assert (sent, seen.text) == (str(seen.id), "¿Aceptas participar?")
    assert [[(b.text, b.data) for b in row] for row in seen.keyboard] == [
        [("Sí, acepto", "c1:yes"), ("No, gracias", "c1:no")]
    ]


def test_words_are_plain_and_links_are_not_unfolded(api):
    say(api, Message("<b>*2 < 3* _x_ https://ejemplo.org"))
    call = api.called("sendMessage")[0]
    assert api.texts(ANA) == ["<b>*2 < 3* _x_ https://ejemplo.org"]
    assert "parse_mode" not in call.fields
    assert call.fields["link_preview_options"] == {"is_disabled": True}


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        (["Sí", "No"], [2]),
        (["Sí", "No", "Tal vez"], [3]),
        (["1", "2", "3", "4"], [2, 2]),
        (["Español", "Maayat'aan"], [2]),
        (["Sí, voy a ir", "No puedo", "Tal vez"], [2, 1]),
        (["Agua potable y drenaje", "Salud"], [1, 1]),
    ],
)
def test_short_labels_share_a_row(api, labels, rows):
    say(api, Message("?", tuple(Choice(str(n), label) for n, label in enumerate(labels))))
    assert [len(row) for row in api.last(ANA).keyboard] == rows


def test_labels_too_wide_for_a_button_stand_whole_in_the_text(api):
    long = "Que el gobierno publique en qué se gasta el dinero de mi municipio"
    say(api, Message("¿Qué prefieres?", (Choice("a", long), Choice("b", "Otra cosa"))))
    seen = api.last(ANA)
    assert seen.text == f"¿Qué prefieres?\n\n1. {long}\n2. Otra cosa"
    assert [b.text for b in seen.buttons] == ["1. Que el gobierno publique en…", "2. Otra cosa"]


def test_marks_are_shown_and_done_stands_alone(api):
    say(api, Message("¿Cuáles?", THEMES, several=True, chosen=("t:salud",)))
    rows = [[button.text for button in row] for row in api.last(ANA).keyboard]
    assert rows == [["☐ Agua", "☑ Salud"], ["Listo ✔"]]


def test_a_mark_changes_in_place(api):
    first = say(api, Message("¿Cuáles?", THEMES, several=True))
    marked = Message("¿Cuáles?", THEMES, several=True, chosen=("t:agua",), edits=first)
    assert say(api, marked) == first
    assert say(api, marked) == first  # "message is not modified" is as good
    assert len(api.history(ANA)) == 1
    assert api.last(ANA).buttons[0].text == "☑ Agua"


def test_a_message_that_cannot_be_edited_is_said_anew(api):
    api.fail(bot_api.bad_request("message can't be edited"), "editMessageText")
    sent = say(api, Message("¿Cuáles?", THEMES, several=True, edits="12"))
    assert sent == str(api.last(ANA).id) != "12"


def test_an_edit_whose_answer_is_lost_can_be_made_again(api):
    first = say(api, Message("¿Cuáles?", THEMES, several=True))
    api.fail(bot_api.silence(), "editMessageText")
    with pytest.raises(TryLater):
        say(api, Message("Listo.", edits=first))
    assert say(api, Message("Listo.", edits=first)) == first


def test_a_press_is_settled_with_the_words(api):
    say(api, Message("Anotado.", callback="44"))
    assert api.answered == {"44": ""}
    assert api.texts(ANA) == ["Anotado."]


def test_a_press_can_be_settled_without_words(api):
    assert say(api, Message("", callback="44")) == ""
    assert (api.answered, api.history(ANA)) == ({"44": ""}, [])


@pytest.mark.parametrize("how", [bot_api.bad_request("query is too old"), bot_api.broken()])
def test_words_go_out_also_when_the_press_cannot_be_settled(api, how):
    api.fail(how, "answerCallbackQuery")
    say(api, Message("Anotado.", callback="44"))
    assert api.texts(ANA) == ["Anotado."]


def test_an_old_press_is_no_error_by_itself(api):
    api.fail(bot_api.bad_request("query is too old"), "answerCallbackQuery")
    assert say(api, Message("", callback="44")) == ""


def test_a_long_text_goes_in_parts_with_the_buttons_under_the_last(api):
    text = "\n\n".join(["palabra " * 400] * 4).strip()
    sent = say(api, Message(text, CONSENT))
    assert all(len(part) <= 4096 for part in api.texts(ANA))
    assert "".join("".join(api.texts(ANA)).split()) == "".join(text.split())
    assert [bool(seen.keyboard) for seen in api.history(ANA)] == [False, False, False, True]
    assert sent == str(api.last(ANA).id)


def test_what_cannot_travel_is_replaced(api):
    say(api, Message("a\x00b\ud800c 👍", (Choice("x", "\ud800"),)))
    assert api.texts(ANA) == ["ab\ufffdc 👍"]


def test_a_recording_is_heard_before_the_words_and_uploaded_once(api, tmp_path):
    (tmp_path / "q1.ogg").write_bytes(samples.OGG)
    message = Message("¿De dónde eres?", audio="q1.ogg")

    async def twice(channel: Telegram) -> None:
        await channel.send("5001", message)
        await channel.send("5001", message)

    using(api, twice, media=Folder(tmp_path))
    assert [seen.kind for seen in api.history(ANA)] == ["voice", "text", "voice", "text"]
    assert [bool(call.files) for call in api.called("sendVoice")] == [True, False]


def test_a_recording_at_an_address_is_fetched_by_telegram(api):
    say(api, Message("Hola", audio="https://ejemplo.org/q1.mp3"))
    assert api.called("sendAudio")[0].fields["audio"] == "https://ejemplo.org/q1.mp3"


@pytest.mark.parametrize("name", ["missing.ogg", "../outside.ogg", "/etc/passwd"])
def test_words_go_out_also_without_their_recording(api, tmp_path, name):
    (tmp_path / "outside.ogg").write_bytes(samples.OGG)
    (tmp_path / "media").mkdir()
    with capture_logs() as logs:
        say(api, Message("Hola", audio=name), media=Folder(tmp_path / "media"))
    assert [seen.kind for seen in api.history(ANA)] == ["text"]
    assert [entry["event"] for entry in logs] == ["a file was not sent"]


def test_pictures_and_recordings_come_before_the_words_under_their_choices(api, tmp_path):
    for name in ("q.jpg", "a.jpg"):
        (tmp_path / name).write_bytes(samples.JPEG)
    for name in ("q.ogg", "b.ogg"):
        (tmp_path / name).write_bytes(samples.OGG)
    shown = (Shown("1. Pozo", image="a.jpg"), Shown("2. Llave" + "x" * 2000, audio="b.ogg"))
    choices = (Choice("x.0.0", "Pozo"), Choice("x.0.1", "Llave"))
    message = Message("¿De dónde?", choices, audio="q.ogg", image="q.jpg", shown=shown)
    assert message.sends == 5
    say(api, message, media=Folder(tmp_path))
    seen = api.history(ANA)
    assert [each.kind for each in seen] == ["photo", "voice", "photo", "voice", "text"]
    assert [each.text[:8] for each in seen] == ["", "", "1. Pozo", "2. Llave", "¿De dónd"]
    assert [button.text for button in seen[-1].buttons] == ["Pozo", "Llave"]


def test_words_go_out_also_when_telegram_cannot_make_a_picture_of_a_file(api, tmp_path):
    (tmp_path / "q.jpg").write_bytes(samples.PDF)
    with capture_logs() as logs:
        say(api, Message("Hola", image="q.jpg"), media=Folder(tmp_path))
    assert [seen.kind for seen in api.history(ANA)] == ["text"]
    assert "process_failed" in logs[0]["reason"]


def test_a_place_follows_the_words(api):
    sent = say(api, Message("Te esperamos aquí.", point=(20.69, -88.2)))
    words, pin = api.history(ANA)
    assert (words.kind, pin.kind, sent) == ("text", "location", str(words.id))


def test_words_that_went_out_are_sent_also_when_the_place_is_not(api):
    api.fail(bot_api.too_many(3), "sendLocation")
    assert say(api, Message("Te esperamos aquí.", point=(20.69, -88.2))) == str(api.last(ANA).id)


FAILURES = [
    (bot_api.too_many(7), TryLater, "429"),
    (bot_api.blocked(), Gone, "403"),
    (bot_api.deactivated(), Gone, "403"),
    (bot_api.chat_not_found(), Gone, "400"),
    (bot_api.bad_request("message text is empty"), Refused, "400"),
    (bot_api.migrated(-100555), Moved, ""),
    (bot_api.unauthorized(), Broken, "401"),
    (bot_api.conflict(), Broken, "409"),
    (bot_api.broken(500), TryLater, "5xx"),
    (bot_api.broken(502), TryLater, "5xx"),
    (bot_api.silence(taken=True), Uncertain, ""),
    (bot_api.silence(taken=False), Uncertain, ""),
    (bot_api.dropped(taken=True), Uncertain, ""),
    (bot_api.dropped(taken=False), Uncertain, ""),
    (bot_api.half(), Uncertain, ""),
    (bot_api.cut(), Uncertain, ""),
]


@pytest.mark.parametrize(("how", "error", "code"), FAILURES)
def test_every_failure_says_what_may_be_done(api, how, error, code):
    api.fail(how, "sendMessage")
    with pytest.raises(SendError) as caught:
        say(api, Message("Hola"))
    assert (type(caught.value), caught.value.code) == (error, code)
    assert len(api.called("sendMessage")) == 1  # one attempt: again is the outbox's to decide
    assert api.token not in "".join(traceback.format_exception(caught.value))


def test_a_pause_is_for_the_whole_bot_and_has_a_length(api):
    api.fail(bot_api.too_many(7))
    with pytest.raises(TryLater) as caught:
        say(api, Message("Hola"))
    assert (caught.value.wait, caught.value.everybody) == (timedelta(seconds=7), True)


def test_a_chat_that_moved_says_where_to(api):
    api.fail(bot_api.migrated(-100555))
    with pytest.raises(Moved) as caught:
        say(api, Message("Hola"))
    assert caught.value.address == "-100555"


def test_where_nobody_listens_nothing_was_sent(api):
    with bot_api.Telegram() as gone:
        pass
    with pytest.raises(TryLater, match="nothing was sent"):
        say(gone, Message("Hola"))


def test_an_office_behind_a_proxy_is_served_through_it(api, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", api.url)
    say(api, Message("Hola"), api="http://telegram.example")
    assert api.texts(ANA) == ["Hola"]


def test_a_wrong_token_stops_the_sender_and_is_not_told(api):
    wrong = api.token[:-1] + "x"
    with pytest.raises(Broken) as caught:
        say(api, Message("Hola"), token=wrong)
    assert wrong not in "".join(traceback.format_exception(caught.value))


# --- voice notes


def voice(ref: str, size: int | None = None) -> Media:
    return Media(ref, "audio/ogg", size)


def test_a_voice_note_is_brought(api):
    found = using(api, lambda channel: channel.fetch(voice("voice-1")))
    assert (found.content, found.type) == (samples.OGG, "audio/ogg")


def test_what_is_no_audio_is_refused_whatever_it_says(api):
    api.files["voice-1"] = samples.PDF
    with pytest.raises(Refused, match="no audio"):
        using(api, lambda channel: channel.fetch(voice("voice-1")))


def test_what_is_too_large_is_refused_before_and_while_it_comes(api):
    with pytest.raises(Refused, match="larger"):
        using(api, lambda channel: channel.fetch(voice("voice-1", size=20_000_001)))
    api.files["voice-1"] = samples.OGG + bytes(20_000_000)
    with pytest.raises(Refused, match="too big"):
        using(api, lambda channel: channel.fetch(voice("voice-1")))


@pytest.mark.parametrize(
    ("how", "where", "error"),
    [
        (bot_api.silence(), "getFile", TryLater),
        (bot_api.cut(), "download", TryLater),
        (bot_api.broken(), "download", TryLater),
        (bot_api.bad_request("file is too big"), "getFile", Refused),
        (bot_api.Failure(404, "Not Found"), "download", Refused),
        (bot_api.unauthorized(), "getFile", Broken),
    ],
)
def test_a_voice_note_that_cannot_be_brought_says_why(api, how, where, error):
    api.fail(how, where)
    with pytest.raises(SendError) as caught:
        using(api, lambda channel: channel.fetch(voice("voice-1")))
    assert type(caught.value) is error


# --- setting up


def test_the_webhook_is_set_with_its_secret(api):
    hook = "https://consulta.example/hooks/telegram"
    using(api, lambda channel: channel.set_webhook(hook, "s3cret", connections=8))
    assert api.webhook["secret_token"] == "s3cret"
    assert (api.webhook["url"], api.webhook["max_connections"]) == (hook, 8)
    assert "callback_query" in api.webhook["allowed_updates"]


def test_the_bot_introduces_itself(api):
    commands = [("ayuda", "Cómo funciona"), ("baja", "No recibir más mensajes")]
    using(api, lambda channel: channel.introduce(commands, "La consulta.", "Consulta"))
    told = api.settings["setMyCommands", ""]["commands"]
    assert [(one["command"], one["description"]) for one in told] == commands
    assert api.settings["setMyDescription", ""]["description"] == "La consulta."
    assert api.settings["setMyShortDescription", ""]["short_description"] == "Consulta"


def test_the_bot_knows_its_name_and_links_to_itself(api):
    name = using(api, Telegram.username)
    assert telegram.deep_link(name, "cartel-7") == "https://t.me/consulta_bot?start=cartel-7"
    with pytest.raises(ValueError):
        telegram.deep_link(name, "señal")


def polled(api: bot_api.Telegram, count: int, **options: Any) -> list[Any]:
    """The first updates that polling brings, and one request more so that they are confirmed."""

    async def poll(channel: Telegram) -> list[Any]:
        found: list[Any] = []
        async for update in channel.updates(**options):
            found.append(update)
            if len(found) == count:
                break
        return found

    found = using(api, poll, request=Request(Pool(SOON, timedelta(seconds=5))))
    assert isinstance(found, list)
    return found


def test_updates_come_without_a_public_address(api):
    api.queue(people.text(ANA, "uno"), people.text(ANA, "dos"))
    assert [update["message"]["text"] for update in polled(api, 2)] == ["uno", "dos"]


def test_an_update_that_cannot_be_read_holds_up_no_other(api):
    api.queue(people.text(ANA, "uno"), people.text(ANA, "dos"))
    api._updates[0]["message"]["chat"] = {}
    assert polled(api, 2)[1]["message"]["text"] == "dos"


def test_polling_beside_a_webhook_says_so_unless_it_may_take_over(api):
    using(api, lambda channel: channel.set_webhook("https://consulta.example/h", "s"))
    with pytest.raises(Broken, match="webhook"):
        polled(api, 1)
    api.queue(people.text(ANA, "hola"))
    assert len(polled(api, 1, take_over=True)) == 1
    assert api.webhook == {}


def test_polling_outlives_a_bad_line(api, monkeypatch):
    monkeypatch.setattr(telegram, "AGAIN", timedelta(seconds=0.01))
    api.fail(bot_api.broken(), "getUpdates")
    api.fail(bot_api.half(), "getUpdates")
    api.queue(people.text(ANA, "hola"))
    assert len(polled(api, 1)) == 1


def test_reading_is_fast(benchmark):
    update = people.text(ANA, "Valladolid")
    assert benchmark(telegram.read, update, NOW).text == "Valladolid"
