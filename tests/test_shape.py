"""Lengths, numbers and kinds of audio, as both providers need them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import shape
from tests.emulators import samples


@given(st.text(alphabet=st.sampled_from("aé 👍\n"), max_size=200), st.integers(2, 40))
def test_parts_are_short_enough_and_lose_no_word(text, limit):
    parts = shape.split(text, limit)
    assert all(0 < shape.units(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@given(st.text(max_size=80), st.integers(3, 40))
def test_a_shortened_label_fits_and_begins_as_it_did(label, limit):
    short = shape.shorten(label, limit)
    assert shape.units(short) <= limit
    assert label.startswith(short.removesuffix("…"))


def test_a_text_is_cut_between_paragraphs_before_lines_before_words():
    assert shape.split("uno dos\n\ntres cuatro", 14) == ["uno dos", "tres cuatro"]
    assert shape.split("uno dos\ntres cuatro", 14) == ["uno dos", "tres cuatro"]
    assert shape.split("uno dos tres cuatro", 14) == ["uno dos tres", "cuatro"]
    assert shape.split("x" * 10, 4) == ["xxxx", "xxxx", "xx"]


def test_choices_are_numbered_under_the_text():
    assert shape.under("¿Vas?", ["Sí", "No"]) == "¿Vas?\n\n1. Sí\n2. No"


@given(st.text(alphabet=st.characters(categories=["Cs", "L", "So"])))
def test_whatever_is_said_can_travel(text):
    assert "\x00" not in shape.sendable(text + "\x00").encode().decode()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (samples.OGG, "audio/ogg"),
        (b"ID3\x04\x00\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"#!AMR\n\x3c", "audio/amr"),
        (b"#!AMR-WB\n\x3c", "audio/amr-wb"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"fLaC\x00", "audio/flac"),
        (b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86webm A_OPUS", "audio/webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86webm V_VP8 A_OPUS", None),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(9) + b"hdlr" + bytes(8) + b"vide", None),
        (b"RIFF\x1a\x00\x00\x00WEBPVP8L", None),
        (samples.JPEG, None),
        (samples.PNG, None),
        (samples.PDF, None),
        ("hola".encode("utf-16"), None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_audio_is_known_by_its_bytes(content, kind):
    assert shape.audio_type(content) == kind


@pytest.mark.parametrize(
    ("content", "declared", "kind"),
    [
        (samples.JPEG, "image/jpeg", "image/jpeg"),
        (samples.PNG, "image/png", "image/png"),
        (samples.PDF, "application/pdf", "application/pdf"),
        (samples.OGG, "application/pdf", "audio/ogg"),
        (samples.JPEG, "audio/ogg", None),
        (samples.JPEG, "", None),
        (b"<html>", "image/jpeg", None),
    ],
)
def test_a_photo_is_kept_where_one_was_asked_for_and_never_as_a_voice(content, declared, kind):
    assert shape.file_type(content, declared) == kind
