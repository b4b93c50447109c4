"""WhatsApp: what people do is read, what is said arrives, and what fails says what may be done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from werkzeug.datastructures import MultiDict

from bot import whatsapp
from bot.channel import (
    Broken,
    Gone,
    Halt,
    Misworded,
    Refused,
    SendError,
    TryLater,
    Uncertain,
    WindowClosed,
)
from bot.http import Pool
from bot.twilio_http import ACTIONS, failure
from bot.whatsapp import WhatsApp
from dialogs.values import Choice, Inbound, Kind, Media, Message, Receipt, ReceiptState, Shown
from tests.emulators import samples
from tests.emulators import twilio as rest
from tests.emulators import twilio_people as people

NOW = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
SOON = timedelta(seconds=0.3)
ANA = people.Person("+5219991234567")
ADDRESS = f"whatsapp:{ANA.number}"
HOOK = "https://consulta.example/hooks/whatsapp"
CONSENT = (Choice("c1:yes", "Sí, acepto"), Choice("c1:no", "No, gracias"))
THEMES = tuple(
    Choice(f"t:{n}", label)
    for n, label in enumerate(
        [
            "Agua potable",
            "Salud",
            "Caminos y transporte público",
            "Seguridad en las calles de noche",
        ]
    )
)
SEVERAL = (*THEMES[:2], Choice("t:done", "Listo ✔"))


@pytest.fixture
def api() -> Iterator[rest.Twilio]:
    with rest.Twilio() as running:
        yield running
        assert running.faults == []


Kept = dict[str, str]


def using(
    api: rest.Twilio,
    do: Callable[[WhatsApp], Awaitable[Any]],
    kept: Kept | None = None,
    **options: Any,
) -> Any:
    """Do one thing with a sender whose patience is short, and close it."""
    laid = {} if kept is None else kept

    async def go() -> Any:
        given = {"account": api.account, "token": api.auth_token, "sender": api.sender}
        channel = WhatsApp(
            **{**given, **options},
            menu={"es": "Ver opciones"},
            recall=laid.get,
            remember=laid.__setitem__,
            callback=f"{HOOK}?of=message",
            api=api.url,
            pool=Pool(SOON, SOON),
        )
        try:
            return await do(channel)
        finally:
            await channel.close()

    return asyncio.run(go())


def say(api: rest.Twilio, message: Message, kept: Kept | None = None, **options: Any) -> str:
    sent = using(api, lambda channel: channel.send(ADDRESS, message), kept, **options)
    assert isinstance(sent, str)
    return sent


# --- in


def test_a_signed_call_is_twilio():
    form = people.text(ANA, "¿Qué es? 👋")
    url = f"{HOOK}?of=message"
    signature = people.signature(url, form)
    assert whatsapp.genuine(people.AUTH_TOKEN, url, form, [signature])
    assert whatsapp.genuine(people.AUTH_TOKEN, url, MultiDict(form), [signature])


@pytest.mark.parametrize(
    ("change", "url", "signatures"),
    [
        ({}, HOOK, []),
        ({}, HOOK, [""]),
        ({}, HOOK, ["x", "right"]),
        ({}, HOOK, ["right", "right"]),
        ({}, HOOK.replace("https", "http"), ["right"]),
        ({}, f"{HOOK}?x=1", ["right"]),
        ({}, "", ["right"]),
        ({}, "https://[", ["right"]),
        ({"Body": "otra cosa"}, HOOK, ["right"]),
        ({"Body": "\ud800"}, HOOK, ["right"]),
        ({"Extra": "x"}, HOOK, ["right"]),
    ],
)
def test_anything_else_is_not(change, url, signatures):
    form = people.text(ANA, "hola")
    right = people.signature(HOOK, form)
    given = [right if one == "right" else one for one in signatures]
    assert not whatsapp.genuine(people.AUTH_TOKEN, url, {**form, **change}, given)


def test_without_a_token_nobody_is_twilio():
    form = people.text(ANA, "hola")
    assert not whatsapp.genuine("", HOOK, form, [people.signature(HOOK, form, "")])


def said(**fields: str) -> people.Form:
    return {**people.text(ANA, ""), **fields}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (people.text(ANA, "Valladolid"), {"kind": "text", "text": "Valladolid"}),
        (people.text(ANA, "a\x00b \ud800"), {"kind": "text", "text": "a\x00b \ud800"}),
        (
            people.tapped(ANA, "c1:yes", "Sí, acepto", "SM7"),
            {"kind": "button", "text": "Sí, acepto", "payload": "c1:yes", "pressed": "SM7"},
        ),
        (
            people.picked(ANA, "t:1", "Salud", "SM8"),
            {"kind": "button", "text": "Salud", "payload": "t:1", "pressed": "SM8"},
        ),
        (
            said(ListId="t:1", ListTitle="Salud"),
            {"kind": "button", "text": "Salud", "payload": "t:1"},
        ),
        (people.replied(ANA, "sí", "SM9"), {"kind": "text", "text": "sí"}),
        (people.photo(ANA, "mi calle"), {"kind": "photo", "text": "mi calle"}),
        (people.voice(ANA), {"kind": "voice"}),
        (people.sticker(ANA), {"kind": "sticker"}),
        (people.video(ANA), {"kind": "video"}),
        (people.document(ANA, "x.pdf"), {"kind": "document", "text": "x.pdf"}),
        (people.contact(ANA), {"kind": "contact"}),
        (people.location(ANA, 20.9, -89.6), {"kind": "location", "point": (20.9, -89.6)}),
        (said(Latitude="nan", Longitude="x"), {"kind": "other"}),
        (said(Latitude="nan", Longitude="1"), {"kind": "other"}),
        (said(Latitude="500", Longitude="1"), {"kind": "other"}),
        (said(MessageType="unsupported"), {"kind": "other"}),
        (said(NumMedia="no", Body="hola"), {"kind": "text", "text": "hola"}),
    ],
)
def test_what_a_person_does_is_read(form, expected):
    found = whatsapp.read(form, NOW)
    assert isinstance(found, Inbound)
    assert (found.channel, found.id, found.at) == ("whatsapp", form["MessageSid"], NOW)
    assert (found.address, found.identity) == (ADDRESS, "+529991234567")
    fields = {n: getattr(found, n) for n in ("kind", "text", "payload", "pressed", "point")}
    nothing = {"kind": "", "text": "", "payload": "", "pressed": "", "point": None}
    assert fields == {**nothing, **expected}


def test_a_voice_note_is_told_with_its_address_and_type():
    form = people.voice(ANA)
    found = whatsapp.read(form, NOW)
    assert isinstance(found, Inbound)
    assert found.media == Media(form["MediaUrl0"], "audio/ogg")


@pytest.mark.parametrize("name", ["MessageSid", "From"])
def test_a_call_that_names_no_message_or_nobody_is_refused(name):
    form = {key: value for key, value in people.text(ANA, "x").items() if "Sid" not in key}
    form |= {"MessageSid": "SM1"}
    del form[name]
    with pytest.raises(ValueError, match=name):
        whatsapp.read(form, NOW)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("queued", None),
        ("accepted", None),
        ("sending", None),
        ("something new", None),
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("read", "read"),
        ("failed", "failed"),
        ("undelivered", "failed"),
    ],
)
def test_what_became_of_a_message_is_read(status, state):
    found = whatsapp.read(people.status("SM5", ANA.number, status), NOW)
    assert found == (Receipt("whatsapp", "SM5", state, NOW) if state else None)


def test_a_failed_message_says_why_without_the_number():
    form = people.status("SM5", ANA.number, "undelivered", 63016)
    form["ErrorMessage"] = "Window of +5219991234567 is closed"
    found = whatsapp.read(form, NOW)
    assert isinstance(found, Receipt)
    assert (found.code, found.reason) == ("63016", "Window of +… is closed")


@pytest.mark.parametrize(
    ("written", "identity"),
    [
        ("whatsapp:+5219991234567", "+529991234567"),
        ("whatsapp:+529991234567", "+529991234567"),
        ("+52 1 999 123 4567", "+529991234567"),
        ("5219991234567", "+529991234567"),
        ("whatsapp:+553187654321", "+5531987654321"),
        ("whatsapp:+5531987654321", "+5531987654321"),
        ("whatsapp:+5491123456789", "+5491123456789"),
        ("whatsapp:+14155238886", "+14155238886"),
        ("whatsapp:MX.1234", "MX.1234"),
        ("whatsapp:", ""),
    ],
)
def test_one_person_has_one_identity(written, identity):
    assert whatsapp.identity(written) == identity


def test_a_number_has_an_address():
    assert whatsapp.number("+529991234567") == "whatsapp:+529991234567"
    assert whatsapp.number("529991234567") == "whatsapp:+529991234567"
    assert whatsapp.number("whatsapp:+529991234567") == "whatsapp:+529991234567"


NAMES = st.sampled_from(sorted({*people.voice(ANA), *people.location(ANA), "ListId", "ErrorCode"}))


@settings(deadline=None)
@given(st.dictionaries(NAMES | st.text(), st.text() | st.sampled_from(["1", "received", "read"])))
def test_whatever_comes_is_read_or_refused_and_nothing_else(form):
    try:
        found = whatsapp.read(form, NOW)
    except ValueError:
        return
    if isinstance(found, Inbound):
        assert found.kind in get_args(Kind)
    elif found is not None:
        assert found.state in get_args(ReceiptState)


# --- out


def test_words_arrive_and_say_where_to_report(api):
    sent = say(api, Message("Hola. Un *abrazo* {{1}}"))
    seen = api.last(ANA)
    assert (seen.sid, seen.text, seen.shown) == (sent, "Hola. Un *abrazo* {{1}}", "text")
    assert seen.callback == f"{HOOK}?of=message"


def test_few_short_choices_are_buttons(api):
    say(api, Message("¿Aceptas participar?", CONSENT))
    seen = api.last(ANA)
    assert (seen.shown, seen.text) == ("buttons", "¿Aceptas participar?")
    assert [(one.id, one.title) for one in seen.choices] == [
        ("#0", "Sí, acepto"),
        ("#1", "No, gracias"),
    ]


def test_more_or_longer_choices_are_a_list(api):
    say(api, Message("¿Qué te preocupa?", THEMES))
    seen = api.last(ANA)
    assert (seen.shown, seen.text) == ("list", "¿Qué te preocupa?")
    assert [(one.id, one.title, one.description) for one in seen.choices] == [
        ("#0", "Agua potable", ""),
        ("#1", "Salud", ""),
        ("#2", "Caminos y transporte", "público"),
        ("#3", "Seguridad en las calles", "de noche"),
    ]


def test_buttons_are_laid_down_once_also_across_a_restart(api):
    kept: Kept = {}
    for _ in range(3):
        say(api, Message("¿Aceptas participar?", CONSENT), kept)
    assert len(api.called("CreateContent")) == 1
    assert len(api.called("CreateMessage")) == 3


def test_a_broadcast_lays_its_buttons_down_once(api):
    async def all_at_once(channel: WhatsApp) -> None:
        people_ = [f"whatsapp:+52999123{n:04}" for n in range(20)]
        await asyncio.gather(*(channel.send(one, Message("¿Vas?", CONSENT)) for one in people_))

    using(api, all_at_once)
    assert len(api.called("CreateContent")) == 1


ELEVEN = tuple(Choice(str(n), f"Opción {n}") for n in range(11))


@pytest.mark.parametrize(
    "message",
    [
        Message("¿Cuál?", ELEVEN),
        Message("¿Cuál?", (Choice("a", "x" * 25), Choice("b", "no"))),
        Message("¿Cuál?", (Choice("a", "palabra " * 13), Choice("b", "no"))),
        Message("¿Cuál?", (Choice("a", "igual"), Choice("b", "igual"))),
        Message("¿Cuál?", (Choice("a", "{{nombre}}"), Choice("b", "no"))),
        Message("palabra " * 130, CONSENT),
    ],
)
def test_choices_that_do_not_fit_are_numbered(api, message):
    say(api, message)
    seen = api.last(ANA)
    assert (seen.shown, api.called("CreateContent")) == ("text", [])
    for number, choice in enumerate(message.choices, 1):
        assert f"\n{number}. {choice.label.strip()}" in seen.text


def test_choices_that_twilio_does_not_take_are_numbered_and_tried_again_after_a_while(api):
    kept: Kept = {}
    minutes = [0.0]
    api.fail(rest.refused(20422), "CreateContent")

    async def again(channel: WhatsApp) -> None:
        for now in (0, 30, 61):
            minutes[0] = now
            await channel.send(ADDRESS, Message("¿Aceptas?", CONSENT))
        await channel.send(ADDRESS, Message("¿Vas?", CONSENT))  # others are not touched by it

    using(api, again, kept, clock=lambda: minutes[0] * 60)
    assert [seen.shown for seen in api.history(ANA)] == ["text", "text", "buttons", "buttons"]
    assert api.texts(ANA)[0] == "¿Aceptas?\n\n1. Sí, acepto\n2. No, gracias"
    assert len(api.called("CreateContent")) == 3


@pytest.mark.parametrize("how", [rest.broken(), rest.silence(), rest.half(), rest.too_many()])
def test_choices_go_as_text_while_they_cannot_be_laid_down(api, how):
    kept: Kept = {}
    api.fail(how, "CreateContent")
    for _ in range(2):
        say(api, Message("¿Aceptas?", CONSENT), kept)
    assert [seen.shown for seen in api.history(ANA)] == ["text", "buttons"]


def test_choices_that_are_gone_at_twilio_are_numbered(api):
    kept: Kept = {}
    say(api, Message("¿Aceptas?", CONSENT), kept)
    api.contents.clear()
    say(api, Message("¿Aceptas?", CONSENT), kept)
    say(api, Message("¿Aceptas?", CONSENT), kept)  # after a restart they are laid down anew
    assert [seen.shown for seen in api.history(ANA)] == ["buttons", "text", "buttons"]


def test_marks_that_change_send_nothing(api):
    marked = Message("¿Cuáles?", SEVERAL, several=True, chosen=("t:1",), edits="SM1")
    assert say(api, marked) == ""
    assert api.calls == []


def test_of_several_the_numbers_are_the_answer_and_done_is_none_of_them(api):
    say(api, Message("¿Cuáles?", SEVERAL, several=True, chosen=("t:1",)))
    assert api.texts(ANA) == ["¿Cuáles?\n\n1. Agua potable\n2. ☑ Salud"]


def test_a_message_without_words_sends_nothing(api):
    assert say(api, Message("", callback="x")) == ""
    assert api.calls == []


def test_a_long_text_goes_in_parts(api):
    text = "\n\n".join(["palabra " * 150] * 4).strip()
    assert say(api, Message(text)) == api.last(ANA).sid
    assert all(len(part) <= 1600 for part in api.texts(ANA))
    assert "".join("".join(api.texts(ANA)).split()) == "".join(text.split())


def test_a_recording_at_an_address_is_heard_before_the_words(api):
    say(api, Message("Hola", audio="https://consulta.example/media/q1.ogg"))
    assert [seen.shown for seen in api.history(ANA)] == ["media", "text"]
    assert api.history(ANA)[0].media == ("https://consulta.example/media/q1.ogg",)


def test_a_recording_that_only_we_have_is_left_out(api):
    say(api, Message("Hola", audio="q1.ogg"))
    assert [seen.shown for seen in api.history(ANA)] == ["text"]


def test_words_go_out_also_without_their_recording(api):
    api.fail(rest.refused(63021))
    with capture_logs() as logs:
        say(api, Message("Hola", audio="https://consulta.example/media/q1.ogg"))
    assert api.texts(ANA) == ["Hola"]
    assert [entry["event"] for entry in logs] == ["a file was not sent"]


def test_pictures_and_recordings_are_fetched_from_us_and_come_before_the_words(api):
    shown = (Shown("1. Pozo", image="el pozo.png"), Shown("2. Llave", audio="b.ogg"))
    message = Message("¿De dónde?", image="q.jpg", shown=shown)
    say(api, message, files="https://consulta.example/media")
    seen = api.history(ANA)
    base = "https://consulta.example/media/"
    urls = [(f"{base}q.jpg",), (f"{base}el%20pozo.png",), (f"{base}b.ogg",), ()]
    assert [each.media for each in seen] == urls
    assert [each.text for each in seen] == ["", "1. Pozo", "", "¿De dónde?"]


def test_a_place_follows_the_words(api):
    sent = say(api, Message("Foro del agua\n¿Vienes?", point=(20.69, -88.2)))
    words, pin = api.history(ANA)
    assert (words.sid, pin.text) == (sent, "Foro del agua")
    assert pin.fields["PersistentAction"] == ["geo:20.690000,-88.200000"]


FAILURES = [
    (rest.too_many(), TryLater, "20429"),
    (rest.unauthorized(), Broken, "20003"),
    (rest.broken(500), TryLater, "20500"),
    (rest.broken(503), TryLater, "20500"),
    (rest.refused(99999), Refused, "99999"),
    (rest.silence(taken=True), Uncertain, ""),
    (rest.silence(taken=False), Uncertain, ""),
    (rest.dropped(taken=True), Uncertain, ""),
    (rest.dropped(taken=False), Uncertain, ""),
    (rest.half(), Uncertain, ""),
    (rest.cut(), Uncertain, ""),
]


@pytest.mark.parametrize(("how", "error", "code"), FAILURES)
def test_every_failure_says_what_may_be_done(api, how, error, code):
    api.fail(how, "CreateMessage")
    with pytest.raises(SendError) as caught:
        say(api, Message("Hola"))
    assert (type(caught.value), caught.value.code) == (error, code)
    assert len(api.called("CreateMessage")) == 1  # one attempt: again is the outbox's to decide


MEANS = {
    "retry": TryLater,
    "slow": TryLater,
    "hold": TryLater,
    "template": WindowClosed,
    "stop": Gone,
    "permanent": Gone,
    "pause": Halt,
    "author": Misworded,
    "config": Broken,
}


@pytest.mark.parametrize(("code", "action"), ACTIONS.items())
def test_every_code_has_its_meaning_at_once_and_later(api, code, action):
    api.fail(rest.refused(int(code)), "CreateMessage")
    with pytest.raises(SendError) as caught:
        say(api, Message("Hola"))
    for error in (caught.value, failure(code, "as a callback brought it")):
        assert (type(error), error.code) == (MEANS[action], code)
        if isinstance(error, TryLater):
            assert error.everybody == (action == "slow")
            assert error.wait == (timedelta(hours=24) if action == "hold" else None)


def test_where_nobody_listens_nothing_was_sent():
    with rest.Twilio() as gone:
        pass
    with pytest.raises(TryLater, match="nothing was sent"):
        say(gone, Message("Hola"))


def test_a_complaint_does_not_tell_the_number(api):
    with pytest.raises(Gone) as caught:
        using(api, lambda channel: channel.send("whatsapp:+0529991234567", Message("Hola")))
    assert caught.value.code == "21211"
    assert "529991234567" not in caught.value.reason


def test_an_uncertain_message_is_found_if_it_arrived(api):
    before = datetime.now(UTC)
    api.fail(rest.silence(taken=True), "CreateMessage")
    with pytest.raises(Uncertain):
        say(api, Message("¿Vas al foro?", CONSENT[:1] * 2))
    found = using(api, lambda channel: channel.look_up(ADDRESS, before, "¿Vas al foro?"))
    assert found == api.last(ANA).sid


@pytest.mark.parametrize(
    ("address", "later", "text"),
    [
        (ADDRESS, timedelta(0), "Otra cosa"),
        (ADDRESS, timedelta(minutes=1), "¿Vas al foro?"),
        ("whatsapp:+529990000001", timedelta(0), "¿Vas al foro?"),
    ],
)
def test_another_message_is_not_taken_for_it(api, address, later, text):
    say(api, Message("¿Vas al foro?"))
    since = datetime.now(UTC) + later
    assert using(api, lambda channel: channel.look_up(address, since, text)) is None


# --- voice notes


def fetch(api: rest.Twilio, form: people.Form, **options: Any) -> Any:
    media = Media(form["MediaUrl0"], form["MediaContentType0"])
    return using(api, lambda channel: channel.fetch(media), **options)


@pytest.fixture
def note(api) -> people.Form:
    form = people.voice(ANA)
    api.saw(form)
    return form


def test_a_voice_note_is_brought(api, note):
    found = fetch(api, note)
    assert (found.content, found.type) == (samples.OGG, "audio/ogg")


def test_the_credentials_stay_at_twilio(api, note):
    api.redirects = True
    assert fetch(api, note).content == samples.OGG


@pytest.mark.parametrize("where", ["file:///etc/passwd", "gopher://x/", "https://[", ""])
def test_a_file_is_not_fetched_from_anywhere(api, note, where, monkeypatch):
    api.redirects = True
    elsewhere = rest.Answer(307, headers={"Location": where})
    monkeypatch.setitem(rest.ACTS, "FetchMedia", lambda twilio, call: elsewhere)
    with pytest.raises(Refused):
        fetch(api, note)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/2010-04-01/x",
        "https://api.twilio.com.evil.example/x",
        "https://api.twilio.com@evil.example/x",
        "http://api.twilio.com/x",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "",
    ],
)
def test_only_twilio_is_asked(api, url):
    with pytest.raises(Refused, match="not at Twilio"):
        fetch(api, {"MediaUrl0": url, "MediaContentType0": "audio/ogg"})


def test_what_is_no_audio_is_refused_whatever_it_says(api, note):
    api.media[note["MediaUrl0"].rpartition("/")[2]] = ("audio/ogg", samples.PDF)
    with pytest.raises(Refused, match="no audio"):
        fetch(api, note)


def test_what_is_too_large_is_refused(api, note):
    whole = samples.OGG + bytes(16_000_000)
    api.media[note["MediaUrl0"].rpartition("/")[2]] = ("audio/ogg", whole)
    with pytest.raises(Refused, match="larger"):
        fetch(api, note)


@pytest.mark.parametrize(
    ("how", "error"),
    [
        (rest.silence(), TryLater),
        (rest.cut(), TryLater),
        (rest.broken(), TryLater),
        (rest.too_many(), TryLater),
        (rest.refused(20404, 404), Refused),
        (rest.unauthorized(), Broken),
    ],
)
def test_a_voice_note_that_cannot_be_brought_says_why(api, note, how, error):
    api.fail(how, "FetchMedia")
    with pytest.raises(SendError) as caught:
        fetch(api, note)
    assert type(caught.value) is error


def test_reading_is_fast(benchmark):
    form = people.text(ANA, "Valladolid")
    assert benchmark(whatsapp.read, form, NOW).text == "Valladolid"
