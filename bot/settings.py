"""Settings, from the environment; every fault is reported at once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlsplit

PREFIX = "CONSULTA_"
KEY_FILE = "secret.key"  # in the data folder
SHORTEST_SECRET = 16  # characters


class SettingsError(ValueError):
    """What is wrong with the settings, one line each."""


@dataclass(frozen=True, slots=True)
class SecretStr:
    """Words that are shown nowhere by themselves."""

    _words: str = field(repr=False)

    def get_secret_value(self) -> str:
        return self._words


NOTHING = SecretStr("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each is CONSULTA_ and its name in capitals. A channel without credentials is off."""

    data: Path = Path("data")
    database_url: str = ""
    media: str = ""  # a folder, or a URL that fsspec reaches; else `media` in the data folder
    secret_key: SecretStr = NOTHING
    secret_key_old: SecretStr = NOTHING  # while keys are changed: what the other sealed
    public_url: str = ""
    telegram_token: SecretStr = NOTHING
    telegram_secret: SecretStr = NOTHING
    telegram_api: str = "https://api.telegram.org"
    telegram_rate: float = 25.0
    twilio_account_sid: str = ""
    twilio_auth_token: SecretStr = NOTHING
    twilio_api: str = ""
    whatsapp_from: str = ""
    whatsapp_rate: float = 10.0
    whatsapp_template: str = ""  # asks, outside the 24 hours, whether a message is wanted
    host: str = "127.0.0.1"
    port: int = 8000
    chat: bool = False  # the local chat page; `consulta demo` turns it on

    @property
    def url(self) -> str:
        """Where the database is."""
        return self.database_url or f"sqlite:///{self.data / 'consulta.db'}"

    @property
    def address(self) -> str:
        """Where people reach the pages: the public address, or this machine."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def https_on(self) -> bool:
        """Whether it is reached over https alone."""
        return self.public_url.startswith("https://")

    @property
    def telegram_on(self) -> bool:
        return bool(self.telegram_token.get_secret_value())

    @property
    def whatsapp_on(self) -> bool:
        return bool(self.twilio_account_sid)


def read(given: Mapping[str, str] | None = None) -> Settings:
    """The settings of this environment. Raises SettingsError with every fault, a line each.

    A fault names the variable, never its value, which may be a secret.
    """
    given = os.environ if given is None else given
    found: dict[str, Any] = {}
    faults = []
    for each in fields(Settings):
        name = PREFIX + each.name.upper()
        if name not in given:
            continue
        try:
            value = TYPES[str(each.type)](given[name])
            found[each.name] = CHECKS[each.name](value) if each.name in CHECKS else value
        except _Fault as fault:
            faults.append(f"{name}: {fault}.")
    settings = Settings(**found)
    if not faults and not _complete(settings):
        faults.append(
            "WhatsApp needs all three: CONSULTA_TWILIO_ACCOUNT_SID, "
            "CONSULTA_TWILIO_AUTH_TOKEN and CONSULTA_WHATSAPP_FROM."
        )
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


class _Fault(ValueError):
    """What to give instead."""


def _number(words: str) -> float:
    try:
        return float(words)
    except ValueError:
        raise _Fault("give a number") from None


def _whole(words: str) -> int:
    try:
        return int(words)
    except ValueError:
        raise _Fault("give a whole number") from None


def _switch(words: str) -> bool:
    found = SWITCH.get(words.strip().lower())
    if found is None:
        raise _Fault("give 1 or 0")
    return found


def _rate(rate: float) -> float:
    if not 0 < rate <= 1000:
        raise _Fault("give messages a second, more than 0 and at most 1000")
    return rate


def _port(port: int) -> int:
    if not 0 < port < 65536:
        raise _Fault("give a port from 1 to 65535")
    return port


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if url and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise _Fault("give a whole address, such as https://consulta.example.mx")
    return url.rstrip("/")


def _long_enough(key: SecretStr) -> SecretStr:
    if 0 < len(key.get_secret_value()) < SHORTEST_SECRET:
        raise _Fault(f"give at least {SHORTEST_SECRET} characters, or leave it empty")
    return key


def _complete(settings: Settings) -> bool:
    """Whether WhatsApp has all that it needs, or nothing."""
    token = settings.twilio_auth_token.get_secret_value()
    given = [bool(part) for part in (settings.twilio_account_sid, token, settings.whatsapp_from)]
    return all(given) or not any(given)


SWITCH = {
    **dict.fromkeys(("1", "true", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("0", "false", "no", "off", "f", "n"), False),
}
TYPES: Mapping[str, Callable[[str], Any]] = {
    "Path": Path,
    "str": str,
    "SecretStr": SecretStr,
    "float": _number,
    "int": _whole,
    "bool": _switch,
}
CHECKS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("telegram_rate", "whatsapp_rate"), _rate),
    "port": _port,
    **dict.fromkeys(("public_url", "telegram_api", "twilio_api"), _address),
    **dict.fromkeys(("secret_key", "secret_key_old"), _long_enough),
}


def secret(settings: Settings) -> str:
    """The secret key: the one given, or one made once and kept in the data folder."""
    given = settings.secret_key.get_secret_value()
    if given:
        return given
    file = settings.data / KEY_FILE
    if not file.exists():
        _make_key(file)
    found = file.read_text().strip()
    if not found:
        raise SettingsError(f"{file} is empty. Put the one back that the database was sealed with.")
    return found


def _make_key(file: Path) -> None:
    """Whole or not at all, also on a full disk, and before anything is sealed with it; of two that
    make one at once the first one's stands."""
    file.parent.mkdir(0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=file.parent) as made:
        made.write(secrets.token_urlsafe(32))
        made.flush()
        os.fsync(made.fileno())
        with suppress(FileExistsError):
            os.link(made.name, file)


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
