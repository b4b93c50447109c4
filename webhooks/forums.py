"""What people open from an invitation: the forum's calendar file, or Google Calendar."""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app, redirect
from werkzeug.wrappers import Response as BaseResponse

from bot import calendars
from bot.wiring import Parts
from storage import forums
from storage.database import reading
from storage.forums import Forum

blueprint = Blueprint("calendars", __name__, url_prefix="/ics")


@blueprint.get("/<token>.ics")
def calendar(token: str) -> Response:
    """The forum as an iCalendar file. 404 if there is none."""
    parts = _parts()
    content = calendars.file(_forum(token), parts.settings.address, parts.clock())
    named = {"Content-Disposition": "attachment; filename=foro.ics"}
    return Response(content, content_type="text/calendar; charset=utf-8", headers=named)


@blueprint.get("/<token>")
def google(token: str) -> BaseResponse:
    """To Google Calendar, the event filled in; its own address would not fit into a message."""
    return redirect(calendars.google(_forum(token)))


def _forum(token: str) -> Forum:
    with reading(_parts().engine) as db:
        found = forums.by_token(db, token)
    if found is None:
        abort(404)
    return found


def _parts() -> Parts:
    parts: Parts = current_app.extensions["parts"]
    return parts
