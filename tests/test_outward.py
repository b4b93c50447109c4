"""Where a recording may be fetched from: nowhere that only we can reach, whatever its name says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.channel import Refused, TryLater
from bot.http import Outward, Pool, in_the_world
from tests.emulators import samples
from tests.emulators import twilio as rest
from tests.emulators import twilio_people as people
from tests.emulators.twilio_people import Form
from tests.test_whatsapp import ANA, fetch

SOON = timedelta(seconds=0.3)
OURS = [
    *("127.0.0.1", "10.0.0.8", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "255.255.255.255", "224.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1"),
    *("ff02::1", "::ffff:10.0.0.8", "64:ff9b::a00:8", "2002:a00:8::"),
]
WORLD = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"]


class Names(AbstractResolver):
    """Names that lead where a test says."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        rest_ = {"hostname": host, "port": port, "family": family, "proto": 0, "flags": 0}
        return [ResolveResult(host=address, **rest_) for address in self.addresses]  # type: ignore[typeddict-item]

    async def close(self) -> None:
        pass


@pytest.fixture
def api() -> Iterator[rest.Twilio]:
    with rest.Twilio(redirects=True) as running:
        yield running
        assert running.faults == []


@pytest.fixture
def note(api: rest.Twilio) -> Form:
    form = people.voice(ANA)
    api.saw(form)
    return form


@pytest.mark.parametrize("address", OURS)
def test_what_only_we_can_reach_is_not_in_the_world(address: str) -> None:
    assert not in_the_world(address)


@pytest.mark.parametrize("address", WORLD)
def test_what_anybody_can_reach_is(address: str) -> None:
    assert in_the_world(address)


def leading(api: rest.Twilio, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Twilio sends whoever asks for a recording elsewhere."""
    answer = rest.Answer(307, headers={"Location": where})
    monkeypatch.setitem(rest.ACTS, "FetchMedia", lambda twilio, call: answer)


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("93.184.215.14", "10.0.0.8")])
def test_a_name_that_leads_into_our_network_is_refused(
    api: rest.Twilio, note: Form, monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    port = api.url.rpartition(":")[2]
    leading(api, monkeypatch, f"http://archivos.example.mx:{port}/metadata")
    names = Names(*addresses)
    with pytest.raises(Refused, match="a network of ours"):
        fetch(api, note, outside=Pool(SOON, SOON, lambda: Outward(names)))
    assert names.asked == ["archivos.example.mx"]


def test_a_name_in_the_world_is_gone_to_and_sees_no_credentials(
    api: rest.Twilio, note: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the check is left out: no other machine can be had here."""
    sid = note["MediaUrl0"].rpartition("/")[2]
    port = api._store.url.rpartition(":")[2]
    leading(api, monkeypatch, f"http://archivos.example.mx:{port}/{sid}")
    names = Names("127.0.0.1")
    found = fetch(api, note, outside=Pool(SOON, SOON, lambda: names))
    assert (found.content, names.asked) == (samples.OGG, ["archivos.example.mx"])


@pytest.mark.parametrize(
    "where",
    [
        *("http://127.1/x", "http://2130706433/x", "http://0x7f.0.0.1/x", "http://[::1]/x"),
        *("http://192.168.1.1/x", "http://metadata/x", "http://metadata.google.internal./x"),
        *("http://archivos.example.mx:0/x", "http://archivos.example.mx:99999/x"),
    ],
)
def test_what_is_no_name_in_the_world_is_not_even_looked_up(
    api: rest.Twilio, note: Form, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    leading(api, monkeypatch, where)
    names = Names("93.184.215.14")
    with pytest.raises(Refused):
        fetch(api, note, outside=Pool(SOON, SOON, lambda: Outward(names)))
    assert names.asked == []


def test_a_name_that_is_not_found_may_be_tried_again(
    api: rest.Twilio, note: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nothing(Names):
        async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
            raise OSError

    leading(api, monkeypatch, "http://archivos.example.mx/x")
    with pytest.raises(TryLater):
        fetch(api, note, outside=Pool(SOON, SOON, lambda: Outward(Nothing())))


@pytest.mark.parametrize("name", ["localhost", "a..b.example.mx", "a" * 70 + ".example.mx"])
def test_the_systems_own_names_are_looked_at_too(name: str) -> None:
    async def found() -> object:
        return await Outward().resolve(name)

    with pytest.raises(Refused):
        asyncio.run(found())


@pytest.mark.parametrize(("leads", "refused"), [("10.0.0.8", True), ("93.184.215.14", False)])
def test_behind_a_proxy_a_name_is_looked_up_here_first(
    leads: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is a port at which nobody listens: nothing else may be asked."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{nobody()}")
    names = Names(leads)
    pool = Pool(SOON, SOON, lambda: Outward(names))

    async def ask() -> None:
        try:
            await pool.ask("GET", "https://files.example/a.ogg")
        finally:
            await pool.close()

    with pytest.raises(Refused if refused else TryLater):
        asyncio.run(ask())
    assert names.asked == ["files.example"]


def nobody() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
