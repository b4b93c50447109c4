"""What the providers call: a message or a receipt comes in, and is stored before it is answered."""

from __future__ import annotations

import sys

import structlog
from flask import Blueprint, Response, abort, current_app, request

from bot import conversation, telegram, whatsapp
from bot.logs import where
from bot.wiring import Parts
from dialogs.values import Receipt

log = structlog.get_logger()
blueprint = Blueprint("hooks", __name__, url_prefix="/hooks")

EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@blueprint.before_request
def whole() -> None:
    """Refuse what is over the limit also where no length is named: of such a body only the part up
    to the limit is read, and that part would be taken for the call."""
    if len(request.get_data()) >= (request.max_content_length or sys.maxsize):
        abort(413)


@blueprint.post("/telegram")
def telegram_hook() -> Response:
    """One update. 401 unless the secret is right; 503 if it could not be stored."""
    parts = _parts()
    if not parts.settings.telegram_on:
        abort(404)
    secret = parts.settings.telegram_secret.get_secret_value()
    if not telegram.genuine(request.headers.get(telegram.SECRET_HEADER), secret):
        abort(401)
    update = request.get_json(silent=True, force=True)
    try:
        inbound = telegram.read(update if isinstance(update, dict) else {}, parts.clock())
    except ValueError as error:
        log.warning("unreadable update", error=where(error))  # Telegram would repeat it for ever
        return Response(status=200)
    if inbound is not None:
        conversation.receive(parts.desk, inbound)
    return Response(status=200)


@blueprint.post("/whatsapp")
def whatsapp_hook() -> Response:
    """A message or a status callback. 403 unless Twilio signed it over the public URL."""
    parts = _parts()
    if not parts.settings.whatsapp_on:
        abort(404)
    query = request.query_string.decode("latin-1")
    url = f"{parts.settings.address}{request.path}" + (f"?{query}" if query else "")
    token = parts.settings.twilio_auth_token.get_secret_value()
    signatures = request.headers.getlist(whatsapp.SIGNATURE_HEADER)
    if not whatsapp.genuine(token, url, request.form, signatures):
        abort(403)
    try:
        found = whatsapp.read(request.form, parts.clock())
    except ValueError as error:
        log.warning("unreadable call", error=where(error))
        return Response(EMPTY_TWIML, mimetype="text/xml")
    if isinstance(found, Receipt):
        conversation.told(parts.desk, found)
    elif found is not None:
        conversation.receive(parts.desk, found)
    return Response(EMPTY_TWIML, mimetype="text/xml")


def _parts() -> Parts:
    parts: Parts = current_app.extensions["parts"]
    return parts
