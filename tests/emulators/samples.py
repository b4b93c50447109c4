"""The files that people send: small, but what they say they are."""

from __future__ import annotations

import struct

_SILENCE = b"\xf8\xff\xfe"  # an Opus frame of 20 ms with nothing in it


def ogg_opus(seconds: float = 1.0) -> bytes:
    """A playable Ogg/Opus voice note of silence, of at most five seconds."""
    frames = min(int(seconds * 50), 250)
    opus_head = b"OpusHead" + struct.pack("<BBHIHB", 1, 1, 0, 48000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 4) + b"test" + struct.pack("<I", 0)
    return (
        _page([opus_head], kind=2, granule=0, number=0)
        + _page([tags], kind=0, granule=0, number=1)
        + _page([_SILENCE] * frames, kind=4, granule=frames * 960, number=2)
    )


def _page(packets: list[bytes], kind: int, granule: int, number: int) -> bytes:
    """One Ogg page (RFC 3533); every packet here is shorter than 255 bytes."""
    start = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, granule, 1, number, 0, len(packets))
    page = start + bytes(len(packet) for packet in packets) + b"".join(packets)
    return page[:22] + struct.pack("<I", _checksum(page)) + page[26:]


def _checksum(page: bytes) -> int:
    """Ogg's CRC: polynomial 0x04c11db7, not reflected, starting from zero."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


OGG = ogg_opus()
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f" + bytes(12)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
VCARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Beto Can\r\nTEL:+529991112233\r\nEND:VCARD\r\n"

BY_KIND = {
    "voice": OGG,
    "audio": OGG,
    "photo": JPEG,
    "sticker": WEBP,
    "document": PDF,
    "video": MP4,
    "contact": VCARD,
}
