"""Twilio's own client over our connections: loaded where WhatsApp is on, since it takes 5 MB."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from twilio.http import AsyncHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]
from twilio.rest.content.v1.content import ContentList  # type: ignore[import-untyped]

from bot.http import Pool
from bot.twilio_http import API, at_host, signed_in


def client(account: str, token: str, pool: Pool, api: str) -> Client:
    """The client of an account."""
    return Client(account, token, http_client=Http(pool, api))


def content(wanted: Mapping[str, Any]) -> ContentList.ContentCreateRequest:
    """What is asked of Twilio to lay a content down."""
    return ContentList.ContentCreateRequest(wanted)


class Http(AsyncHttpClient):  # type: ignore[misc]
    """Twilio's client over our pool; its own asynchronous one has no time limit, sends JSON as
    a form, and cannot be pointed at another host."""

    def __init__(self, pool: Pool, api: str) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self._pool = pool
        self._api = api

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the pool limits the whole
        allow_redirects: bool = False,  # noqa: ARG002, FBT001, FBT002 - Twilio's signature
    ) -> Response:
        target = at_host(self._api, url) if self._api != API else url
        answer = await self._pool.ask(
            method,
            f"{target}?{urlencode(params, doseq=True)}" if params else target,
            data=_body(data, headers or {}),
            headers={**(headers or {}), **(signed_in(*auth) if auth else {})},
        )
        return Response(answer.status, answer.body.decode("utf-8", "replace"), answer.headers)


def _body(data: Mapping[str, Any] | None, headers: Mapping[str, str]) -> bytes | None:
    if not data:
        return None
    if headers.get("Content-Type") == "application/json":
        return json.dumps(_present(data)).encode()
    return urlencode(data, doseq=True).encode()


def _present(value: Any) -> Any:
    """JSON without the nulls: Twilio's client names every type of content that was not asked."""
    if isinstance(value, Mapping):
        return {key: _present(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_present(part) for part in value]
    return value
