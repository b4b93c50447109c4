"""Pictures and recordings of published questionnaires, for the providers and for the chat page."""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app, url_for

from bot import shape
from bot.stores import PUBLISHED
from bot.wiring import Parts
from dialogs.attachments import AT_AN_ADDRESS

blueprint = Blueprint("published", __name__, url_prefix="/media")

A_DAY = 86_400  # seconds: a published file never changes


@blueprint.get("/<name>")
def file(name: str) -> Response:
    """Twilio takes a file only if its type is the one that it is said to have."""
    parts: Parts = current_app.extensions["parts"]
    try:
        content = parts.post.media.within(PUBLISHED).read(name)
    except FileNotFoundError:
        abort(404)
    except OSError:
        abort(503)
    response = Response(content, mimetype=shape.file_type(content, shape.UNKNOWN) or shape.UNKNOWN)
    response.cache_control.public, response.cache_control.max_age = True, A_DAY
    response.add_etag()
    return response


def address(name: str) -> str:
    """Where a browser finds a file that a message names."""
    at_home = name and not name.startswith(AT_AN_ADDRESS)
    return url_for("published.file", name=name) if at_home else name
