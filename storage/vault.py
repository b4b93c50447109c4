"""What is stored sealed: AES-SIV where a value must be found again, AES-GCM where it need not."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

NONCE = 12  # bytes, as NIST SP 800-38D recommends for GCM


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals and opens. `place` (table.column) is bound in: a value cannot be moved elsewhere."""

    finding: AESSIV
    hiding: AESGCM
    fingerprint: str  # tells whether a database was sealed with this key, and reveals nothing

    def seal(self, place: str, text: str) -> bytes:
        """The same text always gives the same bytes, so that it can be looked up."""
        return self.finding.encrypt(_bytes(text), [place.encode()])

    def open(self, place: str, sealed: bytes) -> str:
        return _text(self.finding.decrypt(sealed, [place.encode()]))

    def hide(self, place: str, text: str) -> bytes:
        """The same text gives other bytes each time."""
        nonce = os.urandom(NONCE)
        return nonce + self.hiding.encrypt(nonce, _bytes(text), place.encode())

    def show(self, place: str, hidden: bytes) -> str:
        return _text(self.hiding.decrypt(hidden[:NONCE], hidden[NONCE:], place.encode()))


def vault(secret: str) -> Vault:
    """The vault that a secret opens. Each use has a key of its own."""
    return Vault(
        finding=AESSIV(_key(secret, b"finding", 64)),
        hiding=AESGCM(_key(secret, b"hiding", 32)),
        fingerprint=_key(secret, b"fingerprint", 16).hex(),
    )


def _key(secret: str, use: bytes, length: int) -> bytes:
    return hmac.digest(secret.encode(), b"consulta:" + use, hashlib.sha512)[:length]


def _bytes(text: str) -> bytes:
    """Lone surrogates and NUL are kept: what a person said is stored as said."""
    return text.encode("utf-8", "surrogatepass")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
