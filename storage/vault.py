"""What is stored sealed: AES-SIV where a value must be found again, AES-GCM where it need not.

The first byte of every sealed value says by which key: a change of keys need not be done at once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

NONCE = 12  # bytes, as NIST SP 800-38D recommends for GCM


class UnknownKey(LookupError):
    """A value was sealed by a key that is not at hand; or two keys cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Key:
    """What one secret opens. Each use has a key of its own; the id reveals nothing of it."""

    id: bytes
    finding: AESSIV
    hiding: AESGCM
    marking: bytes
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals with the newest key, and opens with any that is at hand.

    `place` (table.column) is bound in: a value cannot be moved elsewhere.
    """

    newest: Key
    keys: Mapping[bytes, Key]

    @property
    def fingerprint(self) -> str:
        """Tells whether a database was sealed with this key, and reveals nothing."""
        return self.newest.fingerprint

    def seal(self, place: str, text: str) -> bytes:
        """The same text always gives the same bytes, so that it can be looked up."""
        return _sealed(self.newest, place, text)

    def seals(self, place: str, text: str) -> list[bytes]:
        """The text as each key at hand seals it: while keys are changed it may stand as any."""
        return [_sealed(key, place, text) for key in self.keys.values()]

    def open(self, place: str, sealed: bytes) -> str:
        return _text(self._key(sealed).finding.decrypt(sealed[1:], [place.encode()]))

    def hide(self, place: str, text: str) -> bytes:
        """The same text gives other bytes each time."""
        return self.hide_bytes(place, _bytes(text))

    def show(self, place: str, hidden: bytes) -> str:
        return _text(self.show_bytes(place, hidden))

    def hide_bytes(self, place: str, content: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        hidden = self.newest.hiding.encrypt(nonce, content, place.encode())
        return b"".join((self.newest.id, nonce, hidden))

    def show_bytes(self, place: str, hidden: bytes) -> bytes:
        nonce, content = hidden[1 : NONCE + 1], hidden[NONCE + 1 :]
        return self._key(hidden).hiding.decrypt(nonce, content, place.encode())

    def mark(self, text: str) -> str:
        """A short mark by which the same words are known again, and nothing else."""
        key = self.newest.marking  # BLAKE2 with a key is a MAC, in a fifth of HMAC's time
        return hashlib.blake2b(_bytes(text), digest_size=6, key=key).hexdigest()

    def _key(self, sealed: bytes) -> Key:
        found = self.keys.get(sealed[:1])
        if found is None:
            raise UnknownKey(
                "A value was sealed with a key that is not at hand. "
                "Put the earlier secret into CONSULTA_SECRET_KEY_OLD."
            )
        return found


def vault(secret: str, *earlier: str) -> Vault:
    """The vault that a secret opens, and what earlier secrets sealed."""
    keys = [_derived(each) for each in dict.fromkeys((secret, *earlier))]
    by_id = {key.id: key for key in keys}
    if len(by_id) < len(keys):
        raise UnknownKey("The new secret and an earlier one have the same key id. Choose another.")
    return Vault(keys[0], by_id)


def _derived(secret: str) -> Key:
    return Key(
        id=_key(secret, b"id", 1),
        finding=AESSIV(_key(secret, b"finding", 64)),
        hiding=AESGCM(_key(secret, b"hiding", 32)),
        marking=_key(secret, b"marking", 32),
        fingerprint=_key(secret, b"fingerprint", 16).hex(),
    )


def _key(secret: str, use: bytes, length: int) -> bytes:
    return hmac.digest(secret.encode(), b"consulta:" + use, hashlib.sha512)[:length]


def _sealed(key: Key, place: str, text: str) -> bytes:
    return key.id + key.finding.encrypt(_bytes(text), [place.encode()])


def _bytes(text: str) -> bytes:
    """Lone surrogates and NUL are kept: what a person said is stored as said."""
    return text.encode("utf-8", "surrogatepass")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
