"""The WSGI application, as gunicorn and granian take it: webhooks:create_app."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

from flask import (
    Flask,
    Response,
    abort,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.json.provider import DefaultJSONProvider
from flask_login import current_user
from sqlalchemy.exc import OperationalError
from werkzeug.wrappers import Response as BaseResponse

from bot import settings as settings_module
from bot import wiring, words
from bot.logs import configure
from bot.settings import Settings, secret
from bot.wiring import Parts
from storage import notices
from storage.database import reading
from webhooks import chat, forums, health, hooks, own_data, pages, published

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PATIENCE = 30.0  # seconds for what is on its way, once the server is gone
HSTS = "max-age=31536000; includeSubDomains"  # a year
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # CSRF protection over HTTPS looks at it
    "Permissions-Policy": "microphone=(self), geolocation=(self), camera=()",
}


class Json(DefaultJSONProvider):
    """JSON nested deeper than Python can follow is a fault of whoever sent it, not ours."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def create_app(settings: Settings | None = None, parts: Parts | None = None) -> Flask:
    """The web side. With CONSULTA_WORKER=1 it also delivers: one process does it all."""
    configure()
    _end_with_the_parent()
    alone = settings is None  # a server's child, which knows us by name: the process is ours
    settings = settings or settings_module.read()
    parts = parts or wiring.build(settings)
    app = Flask(__name__)
    app.json = Json(app)
    app.extensions["parts"] = parts
    app.register_error_handler(OperationalError, _away)
    app.after_request(_secure)
    app.config.update(
        MAX_CONTENT_LENGTH=hooks.LARGEST_CALL,
        SECRET_KEY=secret(settings),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https_on,
    )
    app.register_blueprint(own_data.blueprint)  # each link is proof enough, without a session
    app.register_blueprint(health.blueprint)
    app.register_blueprint(forums.blueprint)
    app.register_blueprint(published.blueprint)
    if settings.chat:
        app.register_blueprint(chat.blueprint)
    pages.install(app, exempt=(own_data.blueprint, chat.blueprint))
    app.add_url_rule("/aviso", view_func=notice)
    app.add_url_rule("/aviso/<int:version>", view_func=notice)
    app.add_url_rule("/", view_func=front)
    _follow_words(app, parts)
    _take_calls(app, parts)
    if alone:
        wiring.keep_loaded()
    if os.environ.get("CONSULTA_WORKER") == "1":
        deliver(app, parts)
    return app


def _take_calls(app: Flask, parts: Parts) -> None:
    """What the providers call does not come to the pages."""
    calls, pages_alone = hooks.application(parts, _headers(parts.settings)), app.wsgi_app

    def parted(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        called = environ["PATH_INFO"].startswith(hooks.PREFIX)
        return (calls if called else pages_alone)(environ, start)

    app.wsgi_app = parted  # type: ignore[method-assign, assignment]


def _follow_words(app: Flask, parts: Parts) -> None:
    """Whoever writes is answered in the words that were reviewed last."""
    follow = words.follower(parts.engine)

    @app.before_request
    def _before() -> None:
        if request.blueprint == chat.blueprint.name:
            follow()


def _end_with_the_parent() -> None:
    """In a server's child: end when the server was killed, or it would go on beside the next one,
    whose port it holds."""
    parent = multiprocessing.parent_process()

    def watch(server: BaseProcess) -> None:
        server.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os._exit(0)

    if parent is not None:
        threading.Thread(target=watch, args=(parent,), daemon=True).start()


def deliver(app: Flask, parts: Parts) -> None:
    """Deliver beside the web, until the process ends."""
    running = ExitStack()
    running.enter_context(wiring.working(parts))
    app.extensions["delivery"] = running
    Finalize(
        None, running.close, exitpriority=1
    )  # also in a server's child, where atexit is not run


def notice(version: int | None = None) -> str:
    """The whole privacy notice, to which the chat links; also an earlier version of it."""
    parts: Parts = current_app.extensions["parts"]
    with reading(parts.engine) as db:
        every = notices.all_(db)
    shown = [each for each in every if version in (None, each.version)]
    if not shown:
        abort(404)
    return render_template("aviso.html", shown=shown[0], every=every)


def front() -> str | BaseResponse:
    """What this address is, for whoever opens it; organizers go on to their pages."""
    if current_user.is_authenticated:
        return redirect(url_for("today.page"))
    return render_template("front.html")


def _headers(settings: Settings) -> dict[str, str]:
    """What every answer tells a browser."""
    return SECURITY | ({"Strict-Transport-Security": HSTS} if settings.https_on else {})


def _secure(response: Response) -> Response:
    parts: Parts = current_app.extensions["parts"]
    for header, value in _headers(parts.settings).items():
        response.headers.setdefault(header, value)
    return response


def _away(error: Exception) -> tuple[Response, int]:
    """The database is away: whoever called has to come again."""
    current_app.logger.error("the database is away: %s", type(error).__name__)
    return jsonify(error=hooks.AWAY), 503
