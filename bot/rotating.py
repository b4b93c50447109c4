"""Changing the key: `consulta db rotate-key`."""

from __future__ import annotations

from collections.abc import Callable

from bot import settings as settings_module
from bot import stores, voices, wiring
from bot.cli_errors import Failure
from bot.settings import Settings, keys
from bot.stores import Store
from storage import rotation
from storage.vault import UnknownKey, Vault, vault


def rotate(settings: Settings, tell: Callable[[str], None]) -> None:
    """Make a new key if there is none to change to, and seal everything anew with it."""
    with wiring.opened(settings):
        pass  # nothing is changed where this refuses
    if len(keys(settings)) == 1:
        _begin(settings)
    sealed_with = vault(*keys(settings))
    with wiring.opened(settings) as engine:
        for place, rows in rotation.run(engine):
            tell(f"{place}: {rows}")
        number = reseal(stores.of(settings), sealed_with)
        tell(f"media: {number}")
        rotation.finish(engine)
    settings_module.drop_old_key(settings)
    tell("done: everything is sealed with the new key")


def _begin(settings: Settings) -> None:
    if settings.secret_key.get_secret_value():
        raise Failure(
            "Set CONSULTA_SECRET_KEY to the new secret and CONSULTA_SECRET_KEY_OLD to the one "
            "so far, and run this again."
        )
    settings_module.new_key(settings)
    while not _told_apart(settings):
        (settings.data / settings_module.KEY_FILE).unlink()  # one in 256 has the same id


def _told_apart(settings: Settings) -> bool:
    try:
        return len(vault(*keys(settings)).keys) == 2
    except UnknownKey:
        return False


def reseal(store: Store, sealed_with: Vault) -> int:
    """Voice notes that an earlier key hid. Files that are not ours are left alone."""
    number = 0
    for name in filter(voices.is_one, store.names()):
        key = store.read(name)[:1]
        if key in sealed_with.keys and key != sealed_with.newest.id:
            voices.write(store, name, sealed_with, voices.read(store, name, sealed_with))
            number += 1
    return number
