"""What the providers call: a message or a receipt comes in, and is stored before it is answered.

Werkzeug alone takes these calls: what Flask does around a page would cost a fifth of a turn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import OperationalError
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, abort

from bot import conversation, telegram, whatsapp, words
from bot.logs import where
from bot.wiring import Parts
from dialogs.values import Receipt

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

PREFIX = "/hooks/"
LARGEST_CALL = 1_000_000  # bytes; Telegram's updates and Twilio's forms are far below
EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
AWAY = "La base de datos no responde. Intenta de nuevo en un momento."


class Call(Request):
    """What a provider sends."""

    max_content_length = LARGEST_CALL


def application(parts: Parts, headers: Mapping[str, str]) -> WSGIApplication:
    """Takes the calls below PREFIX; every answer has these headers."""
    follow = words.follower(parts.engine)

    def take(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            response = _taken(parts, Call(environ), follow)
        except HTTPException as refusal:
            response = refusal.get_response(environ)
        except Exception:
            log.exception("a call failed")
            response = Response(status=500)
        response.headers.extend(headers)
        return response(environ, start)

    return take


def _taken(parts: Parts, call: Call, follow: Callable[[], None]) -> Response:
    """503 if it could not be stored: whoever called has to come again."""
    hook = HOOKS.get(call.path) or abort(404)
    if call.method != "POST":
        raise MethodNotAllowed(["POST"])
    if len(call.get_data()) >= LARGEST_CALL:
        abort(413)  # where no length is named, only this part of it is read, and would be taken
    try:
        follow()
        return hook(parts, call)
    except OperationalError as error:
        log.error("the database is away", error=type(error).__name__)
        return Response(json.dumps({"error": AWAY}), 503, mimetype="application/json")


def telegram_hook(parts: Parts, call: Call) -> Response:
    """One update. 401 unless the secret is right."""
    if not parts.settings.telegram_on:
        abort(404)
    secret = parts.settings.telegram_secret.get_secret_value()
    if not telegram.genuine(call.headers.get(telegram.SECRET_HEADER), secret):
        abort(401)
    try:
        inbound = telegram.read(json.loads(call.get_data()), parts.clock())
    except (ValueError, RecursionError) as error:  # Telegram would repeat it for ever
        log.warning("unreadable update", error=where(error))
        return Response()
    if inbound is not None:
        conversation.receive(parts.desk, inbound)
    return Response()


def whatsapp_hook(parts: Parts, call: Call) -> Response:
    """A message or a status callback. 403 unless Twilio signed it over the public URL."""
    if not parts.settings.whatsapp_on:
        abort(404)
    query = call.query_string.decode("latin-1")
    url = f"{parts.settings.address}{call.path}" + (f"?{query}" if query else "")
    token = parts.settings.twilio_auth_token.get_secret_value()
    signatures = call.headers.getlist(whatsapp.SIGNATURE_HEADER)
    if not whatsapp.genuine(token, url, call.form, signatures):
        abort(403)
    try:
        found = whatsapp.read(call.form, parts.clock())
    except ValueError as error:
        log.warning("unreadable call", error=where(error))
        return Response(EMPTY_TWIML, mimetype="text/xml")
    if isinstance(found, Receipt):
        conversation.told(parts.desk, found)
    elif found is not None:
        conversation.receive(parts.desk, found)
    return Response(EMPTY_TWIML, mimetype="text/xml")


HOOKS = {f"{PREFIX}telegram": telegram_hook, f"{PREFIX}whatsapp": whatsapp_hook}
