"""The organizers' pages, put together: what the menu shows, and to whom."""

from __future__ import annotations

from typing import Any

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from dialogs.attachments import LARGEST_AUDIO
from storage import translating
from storage.database import reading
from storage.organizers import ROLES, Role
from webhooks import (
    access,
    accounts,
    entrances,
    forum_acts,
    forum_pages,
    messages,
    participation,
    plan,
    questionnaires,
    recordings,
    rights,
    spoken,
    today,
    tracker,
    translators,
)

UPLOADS = {  # bytes
    "forms.check": 60_000_000,  # a questionnaire with its catalogues, pictures and recordings
    "translators.record": LARGEST_AUDIO + 100_000,  # with what is around it
}

PAGES: tuple[tuple[str, str, str, tuple[Role, ...]], ...] = (
    ("today.page", "Hoy", "today", ROLES),
    ("plan.page", "Plan", "plan", ROLES),
    ("forms.page", "Cuestionarios", "forms", ("organizer", "analyst", "translator")),
    ("translators.page", "Traducciones", "words", translators.SEE),
    ("participation.page", "Participación", "people", ("organizer", "analyst", "facilitator")),
    ("forums.page", "Foros", "forums", forum_pages.SEE),
    ("messages.page", "Mensajes", "messages", ("organizer",)),
    ("rights.page", "Derechos", "rights", ("organizer",)),
    ("accounts.page", "Cuentas", "accounts", ("organizer",)),
    ("accounts.log", "Bitácora", "log", ("organizer",)),
)
MODULES = (
    today,
    plan,
    questionnaires,
    tracker,
    entrances,
    recordings,
    participation,
    forum_acts,
    messages,
    rights,
    accounts,
)
REFUSALS = {
    403: ("Esta página no es para tu papel", "role"),
    404: ("Aquí no hay nada", "missing"),
    413: (
        "El archivo es demasiado grande",
        "Un cuestionario puede tener hasta 8 MB; una grabación, hasta 16.",
    ),
}


def install(app: Flask, *, exempt: tuple[Any, ...]) -> None:
    """Add the organizers' pages to an application."""
    app.config.setdefault("WTF_CSRF_TIME_LIMIT", None)  # a token ends with its session
    app.before_request(_allow_uploads)
    access.install(app, exempt=exempt)
    spoken.install(app)
    app.context_processor(_frame)
    for module in MODULES:
        app.register_blueprint(module.blueprint)
    for status in REFUSALS:
        app.register_error_handler(status, _refuse)
    app.after_request(_keep_private)


def _frame() -> dict[str, Any]:
    """What every page shows around its content."""
    signed_in = current_user.is_authenticated
    return {
        "unreviewed": _unreviewed() if signed_in else 0,
        "pages": PAGES,
        "chat_on": access.parts().settings.chat,
        "role_names": access.ROLE_NAMES,
        "forum_roles": next((page[3] for page in PAGES if page[0] == "forums.page"), ()),
    }


def _unreviewed() -> int:
    """How much of the Maya that people read is a draft: said on every page."""
    with reading(access.parts().engine) as db:
        return translating.unreviewed(db)


def _allow_uploads() -> None:
    if request.endpoint in UPLOADS:
        request.max_content_length = UPLOADS[request.endpoint]


def _refuse(error: HTTPException) -> ResponseReturnValue:
    """A page that says what to do; what programs call gets the bare status."""
    if request.blueprint == "chat":
        return error
    title, cure = REFUSALS[error.code or 404]
    return render_template("refusal.html", title=title, cure=cure), error.code or 404


def _keep_private(response: Response) -> Response:
    """What is only for who is signed in must not stay in a shared computer's cache."""
    if request.endpoint in ("static", None) or not request.cookies:  # so nobody is signed in
        return response
    if current_user.is_authenticated:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
