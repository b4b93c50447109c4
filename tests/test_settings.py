"""Settings from the environment: every fault at once, and no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import Settings, SettingsError, read

TWILIO = {"CONSULTA_TWILIO_ACCOUNT_SID": "AC1", "CONSULTA_TWILIO_AUTH_TOKEN": "un secreto"}


def test_nothing_given_is_enough():
    assert read({}) == Settings()


def test_what_is_given_is_read():
    found = read({
        "CONSULTA_DATA": "/srv/consulta",
        "CONSULTA_PUBLIC_URL": "https://consulta.example.mx/",
        "CONSULTA_TELEGRAM_RATE": "12.5",
        "CONSULTA_PORT": "80",
        "CONSULTA_CHAT": "Yes",
        "CONSULTA_SOMETHING_ELSE": "x",
    })  # fmt: skip
    known = {"data": Path("/srv/consulta"), "public_url": "https://consulta.example.mx"}
    assert found == Settings(**known, telegram_rate=12.5, port=80, chat=True)  # type: ignore[arg-type]


def test_every_fault_is_told_at_once_and_no_secret():
    given = {
        "CONSULTA_SECRET_KEY": "corta",
        "CONSULTA_TELEGRAM_API": "http://[",
        "CONSULTA_TELEGRAM_RATE": "nan",
        "CONSULTA_WHATSAPP_RATE": "muchos",
        "CONSULTA_PORT": "65536",
        "CONSULTA_CHAT": "",
    }
    with pytest.raises(SettingsError) as told:
        read(given)
    lines = str(told.value).splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == sorted(given)
    assert all(" give " in line for line in lines)
    assert "corta" not in str(told.value)


def test_whatsapp_needs_all_three():
    with pytest.raises(SettingsError, match="CONSULTA_WHATSAPP_FROM"):
        read(TWILIO)
    found = read({**TWILIO, "CONSULTA_WHATSAPP_FROM": "whatsapp:+5219990000000"})
    assert found.whatsapp_on
    assert "secreto" not in repr(found)
