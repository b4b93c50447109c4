"""Settings, from the environment; every fault is reported at once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

KEY_FILE = "secret.key"  # in the data folder
SHORTEST_SECRET = 16  # characters


class SettingsError(ValueError):
    """What is wrong with the settings, one line each."""


class Settings(BaseSettings):
    """Each is CONSULTA_ and its name in capitals. A channel without credentials is off."""

    model_config = SettingsConfigDict(env_prefix="CONSULTA_", frozen=True, extra="ignore")

    data: Path = Path("data")
    database_url: str = ""
    media: str = ""  # a folder, or a URL that fsspec reaches; else `media` in the data folder
    secret_key: SecretStr = SecretStr("")
    secret_key_old: SecretStr = SecretStr("")  # while keys are changed: what the other sealed
    public_url: str = ""
    telegram_token: SecretStr = SecretStr("")
    telegram_secret: SecretStr = SecretStr("")
    telegram_api: str = "https://api.telegram.org"
    telegram_rate: float = 25.0
    twilio_account_sid: str = ""
    twilio_auth_token: SecretStr = SecretStr("")
    twilio_api: str = ""
    whatsapp_from: str = ""
    whatsapp_rate: float = 10.0
    whatsapp_template: str = ""  # asks, outside the 24 hours, whether a message is wanted
    host: str = "127.0.0.1"
    port: int = 8000
    chat: bool = False  # the local chat page; `consulta demo` turns it on

    @field_validator("telegram_rate", "whatsapp_rate")
    @classmethod
    def _positive(cls, rate: float) -> float:
        if not 0 < rate <= 1000:
            raise ValueError("give messages a second, more than 0 and at most 1000")
        return rate

    @field_validator("port")
    @classmethod
    def _port(cls, port: int) -> int:
        if not 0 < port < 65536:
            raise ValueError("give a port from 1 to 65535")
        return port

    @field_validator("public_url", "telegram_api", "twilio_api")
    @classmethod
    def _url(cls, url: str) -> str:
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
            raise ValueError("give a whole address, such as https://consulta.example.mx")
        return url.rstrip("/")

    @field_validator("secret_key", "secret_key_old")
    @classmethod
    def _long_enough(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"give at least {SHORTEST_SECRET} characters, or leave it empty")
        return key

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        twilio = (self.twilio_account_sid, self.twilio_auth_token.get_secret_value())
        given = [bool(part) for part in (*twilio, self.whatsapp_from)]
        if any(given) and not all(given):
            raise ValueError(
                "WhatsApp needs all three: CONSULTA_TWILIO_ACCOUNT_SID, "
                "CONSULTA_TWILIO_AUTH_TOKEN and CONSULTA_WHATSAPP_FROM"
            )
        return self

    @property
    def url(self) -> str:
        """Where the database is."""
        return self.database_url or f"sqlite:///{self.data / 'consulta.db'}"

    @property
    def address(self) -> str:
        """Where people reach the pages: the public address, or this machine."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def telegram_on(self) -> bool:
        return bool(self.telegram_token.get_secret_value())

    @property
    def whatsapp_on(self) -> bool:
        return bool(self.twilio_account_sid)


def read() -> Settings:
    """The settings of this process. Raises SettingsError with every fault, a line each."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(map(_told, error.errors()))) from None


def _told(fault: object) -> str:
    """One fault, with the name of the variable; never with its value, which may be a secret."""
    assert isinstance(fault, dict)
    name = "_".join(str(part) for part in fault["loc"]).upper()
    reason = str(fault["msg"]).removeprefix("Value error, ")
    return f"CONSULTA_{name}: {reason}." if name else f"{reason}."


def secret(settings: Settings) -> str:
    """The secret key: the one given, or one made once and kept in the data folder."""
    given = settings.secret_key.get_secret_value()
    if given:
        return given
    file = settings.data / KEY_FILE
    if not file.exists():
        settings.data.mkdir(parents=True, exist_ok=True)
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "w") as opened:
            opened.write(secrets.token_urlsafe(32))
    return file.read_text().strip()


def keys(settings: Settings) -> tuple[str, ...]:
    """The secret that seals, and while keys are changed the one before it, which still opens."""
    old = settings.secret_key_old.get_secret_value()
    file = settings.data / f"{KEY_FILE}.old"
    if not old and not settings.secret_key.get_secret_value() and file.exists():
        old = file.read_text().strip()
    return (secret(settings), old) if old else (secret(settings),)


def new_key(settings: Settings) -> None:
    """Put a new secret beside the one in the data folder, which becomes the old one."""
    secret(settings)
    (settings.data / KEY_FILE).replace(settings.data / f"{KEY_FILE}.old")
    secret(settings)  # a missing one is made


def drop_old_key(settings: Settings) -> None:
    """Nothing is sealed by it any more."""
    (settings.data / f"{KEY_FILE}.old").unlink(missing_ok=True)
