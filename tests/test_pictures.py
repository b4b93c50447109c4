"""Pictures and recordings of a questionnaire, from the file beside it to every channel."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from bot import publishing
from bot.stores import PUBLISHED, Folder
from dialogs import checking, engine, script
from dialogs.state import Dialog, Say, Talk
from dialogs.values import Inbound, Message, Shown, message_from_json, message_to_json
from dialogs.walking import Library
from storage import forms
from storage.database import writing
from tests import databases
from tests.emulators import samples
from tests.world import START
from tests.world import world as world_of
from webhooks import trial

FORM = """| survey |
| | type | name | label::es | label::yua | media::image | media::audio::yua |
| | note | mapa | El mapa | Le mapao | ../planes/mapa.png | |
| | select_one agua | toma | ¿De dónde? | ¿Tu'ux? | | toma.ogg |
| choices |
| | list_name | name | label::es | label::yua | media::image | media::audio::es |
| | agua | pozo | Pozo | Ch'e'en | pozo.jpg | |
| | agua | llave | Llave | Llave | | llave.ogg |
"""
FILES = {
    "mapa.png": samples.PNG,
    "pozo.jpg": samples.JPEG,
    "toma.ogg": samples.OGG,
    "llave.ogg": samples.OGG,
}


@pytest.fixture
def form(tmp_path):
    folder = tmp_path / "form"
    folder.mkdir()
    (folder / "f.md").write_text(FORM, encoding="utf-8")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder / "f.md"


def said(form, language):
    """What the form says to somebody who greets it."""
    read = script.read(form)
    library = Library(lambda _form, _version: read)
    heard = Inbound("chat", "1", "a", "a", START, text="hola")
    _, effects = engine.hear(Talk(language=language), heard, library, Dialog("x", "f", 1))
    return [effect.message for effect in effects if isinstance(effect, Say)]


def test_a_picture_serves_every_language_and_a_recording_its_own(form):
    note, question = said(form, "yua")
    assert (note.text, note.image) == ("Le mapao", "mapa.png")
    assert (question.audio, question.shown) == ("toma.ogg", (Shown("1. Ch'e'en", "pozo.jpg"),))
    _, question = said(form, "es")
    shown = (Shown("1. Pozo", "pozo.jpg"), Shown("2. Llave", "", "llave.ogg"))
    assert (question.audio, question.shown) == ("", shown)
    assert (question.files, question.sends) == (("pozo.jpg", "llave.ogg"), 3)


def test_a_message_with_pictures_is_the_same_after_it_was_stored(form):
    for message in (*said(form, "es"), Message("Hola")):
        assert message_from_json(message_to_json(message)) == message


def test_published_pictures_reach_both_providers_and_the_chat_page(small_world, form):
    world = small_world
    with writing(world.parts.engine) as db:
        publishing.keep(form.parent, script.read(form), world.parts.post.media.within(PUBLISHED))
        forms.publish(db, form, START, front=True)
    client = world.app.test_client()

    def fetch(url):
        found = client.get(urlsplit(url).path)
        return found.status_code, found.mimetype, found.data

    world.twilio.fetch = fetch
    world.says("ana", "hola")
    kinds = [seen.kind for seen in world.telegram.history(world.cast["ana"])]
    assert kinds == ["text", "photo", "text", "photo", "voice", "text"]
    world.says("beto", "hola")
    files = [url.rpartition("/")[2] for seen in world.twilio.history(world.cast["beto"])
             for url in seen.media]  # fmt: skip
    assert files == ["mapa.png", "pozo.jpg", "llave.ogg"]
    states = [callback.form["MessageStatus"] for callback in world.twilio.callbacks()]
    assert "undelivered" not in states
    assert client.get("/media/no.png").status_code == 404
    assert client.get("/media/..%2f..%2fconsulta.db").status_code == 404


def test_the_chat_page_is_given_their_addresses(tmp_path, form):
    with world_of(tmp_path, databases.sqlite(tmp_path), chat=True) as world:
        with writing(world.parts.engine) as db:
            publishing.keep(
                form.parent, script.read(form), world.parts.post.media.within(PUBLISHED)
            )
            forms.publish(db, form, START, front=True)
        client = world.app.test_client()
        token = re.search(r'csrf-token" content="(\w+)"', client.get("/chat").text)[1]
        given = {"json": {"id": "1", "text": "hola"}, "headers": {"X-CSRF-Token": token}}
        assert client.post("/chat/say", **given).status_code == 202
        world.settle()
        lines = client.get("/chat/messages").json["messages"]
        shown = [each for line in lines for each in line["shown"]]
        assert [each["label"] for each in shown] == ["", "1. Pozo", "2. Llave"]
        found = [client.get(each["image"] or each["audio"]).mimetype for each in shown]
        assert found == ["image/png", "image/jpeg", "audio/ogg"]


def test_who_tries_the_form_is_told_their_names(form):
    read = script.read(form)
    found = trial.play(read, Library(lambda _form, _version: read), ("mapa",), START)
    assert any(line.text.startswith("[mapa.png]\nEl mapa") for line in found.lines)


def test_another_file_by_a_published_name_is_refused(form, tmp_path):
    target = Folder(tmp_path / "published")
    read = script.read(form)
    publishing.keep(form.parent, read, target)
    publishing.keep(form.parent, read, target)
    assert target.names() == sorted(FILES)
    (form.parent / "pozo.jpg").write_bytes(samples.JPEG + b"x")
    with pytest.raises(FileExistsError, match=r"pozo\.jpg"):
        publishing.keep(form.parent, read, target)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("pozo.jpg", None, "The picture 'pozo.jpg' is not there."),
        ("pozo.jpg", samples.WEBP, "WhatsApp does not show 'pozo.jpg'."),
        ("pozo.jpg", samples.JPEG + bytes(5_000_000), "over 5 MB"),
        ("llave.ogg", None, "The recording 'llave.ogg' is not there."),
        ("llave.ogg", samples.OGG + bytes(16_000_000), "over 16 MB"),
    ],
)
def test_what_a_provider_would_refuse_is_a_fault_of_the_form(form, name, content, problem):
    assert not checking.check(form).faults
    (form.parent / name).unlink()
    if content is not None:
        (form.parent / name).write_bytes(content)
    (fault,) = checking.check(form).faults
    assert problem in fault.problem
    assert (fault.sheet, fault.row) == ("choices", 2 if name == "pozo.jpg" else 3)
    assert fault.cure
