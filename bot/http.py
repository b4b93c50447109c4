"""One pool of connections to a provider, and what its failures mean for a message."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult

from bot.channel import Broken, Refused, TryLater, Uncertain, leaving

CONNECT = timedelta(seconds=5)  # to reach the provider, or to wait for a free connection
ANSWER = timedelta(seconds=15)  # for the whole of a call; a provider under load needs seconds
CONNECTIONS = 128  # at once: more than the rate of either provider keeps busy

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address stands at its end

NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Body(aiohttp.BytesPayload):
    """Bytes that tell as they go out: a busy loop may take long from a request until then."""

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        leaving.get()()
        await super().write_with_length(writer, content_length)


class Pool:
    """Keeps connections open; they belong to the event loop of the first call."""

    def __init__(
        self,
        connect: timedelta = CONNECT,
        answer: timedelta = ANSWER,
        resolver: Callable[[], AbstractResolver] | None = None,
    ) -> None:
        """`resolver` finds names, made in the loop of the first call; the system's own if None."""
        self.connect = connect
        self.answer = answer
        self.resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._ahead: AbstractResolver | None = None  # behind a proxy, which finds names itself

    async def ask(
        self,
        method: str,
        url: str,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        answer: timedelta | None = None,
        largest: int | None = None,
    ) -> Answer:
        """One attempt, no redirects followed.

        Raises TryLater if nothing was sent, Uncertain if it may have arrived, Refused if the
        answer has more bytes than `largest`. No URL stands in these errors: it holds a token.
        """
        limits = self._limits(answer or self.answer)
        if isinstance(data, bytes):
            data = Body(data)
        else:
            leaving.get()()
        session = self._open(url)
        await self._look_ahead(url)
        call = session.request(
            method, url, data=data, headers=headers, allow_redirects=False, timeout=limits
        )
        try:
            async with call as response:
                return Answer(response.status, response.headers, await _read(response, largest))
        except NOT_SENT as error:
            raise TryLater(f"no connection ({type(error).__name__}): nothing was sent") from None
        except aiohttp.InvalidURL:
            raise Broken("the provider's address is not a URL: check the settings") from None
        except TimeoutError:
            raise Uncertain("no answer in time: it may have been delivered") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Uncertain(f"the connection broke off ({type(error).__name__})") from None

    def _open(self, url: str) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            proxy = _proxy(url)
            names = self.resolver() if self.resolver else None
            if proxy:
                names, self._ahead = None, names
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, resolver=names),
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=proxy,
            )
        return self._session

    async def _look_ahead(self, url: str) -> None:
        """Behind a proxy: raises Refused if we, too, find this name in a network of ours.

        A name that only the proxy finds is left to its rules.
        """
        if self._ahead is not None:
            with suppress(OSError):
                await self._ahead.resolve(urlsplit(url).hostname or "")

    def _limits(self, answer: timedelta) -> aiohttp.ClientTimeout:
        connect = self.connect.total_seconds()
        return aiohttp.ClientTimeout(total=connect + answer.total_seconds(), connect=connect)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class Outward(AbstractResolver):
    """Finds names in the world only: one that leads into a network of ours raises Refused.

    What is found is what is connected to, so that a name cannot lead elsewhere a moment later.
    """

    def __init__(self, names: AbstractResolver | None = None) -> None:
        self._names = names or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            found = await self._names.resolve(host, port, family)
        except UnicodeError:  # parts of it are empty or too long
            raise Refused("the file is at no name that can be") from None
        if not all(map(in_the_world, (each["host"] for each in found))):
            raise Refused("the name leads into a network of ours")
        return found

    async def close(self) -> None:
        await self._names.close()


def in_the_world(address: str) -> bool:
    """Whether anybody may be reached there: no network of ours, no machine's own, no group."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in NAT64:
            inside = ipaddress.IPv4Address(found.packed[-4:])
        found = inside or found
    return found.is_global and not found.is_multicast


def _proxy(url: str) -> str | None:
    """The proxy that the environment names (HTTPS_PROXY, NO_PROXY); never to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("127.0.0.1", "localhost", "::1") or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)


async def _read(response: aiohttp.ClientResponse, largest: int | None) -> bytes:
    if largest is None:
        return await response.read()
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > largest:
            raise Refused(f"the file is larger than {largest:,} bytes")
    return bytes(found)
