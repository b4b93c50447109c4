"""Who may see what: sign-in, roles, CSRF, and a note of everything that is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import pyotp
from flask import (
    Blueprint,
    Flask,
    Request,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from bot.wiring import Parts
from storage import organizers
from storage.database import reading, writing
from storage.organizers import AccountError, Organizer, Role
from webhooks import pictures

blueprint = Blueprint("access", __name__)

HOUSEHOLD = 64  # bits of an IPv6 address that say which network it is
ISSUER = "Consulta de Gobierno Abierto"  # as an authenticator app names the account
EVERYBODY: tuple[Role, ...] = organizers.ROLES
ROLE_NAMES = {
    "organizer": "organización",
    "analyst": "análisis",
    "facilitator": "facilitación",
    "translator": "traducción",
}


@dataclass(frozen=True, slots=True)
class Member:
    """An organizer in a session, as flask-login wants them."""

    organizer: Organizer
    token: str
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        return self.token


def install(app: Flask, *, exempt: tuple[Blueprint, ...]) -> None:
    """Sign-in and CSRF for an application; `exempt` are proved genuine in their own ways."""
    manager = LoginManager(app)
    manager.session_protection = None  # it would compare addresses, which phones change often
    manager.user_loader(_load)
    manager.unauthorized_handler(_ask_to_sign_in)
    csrf = CSRFProtect(app)
    for each in exempt:
        csrf.exempt(each)
    app.register_error_handler(CSRFError, _stale)
    app.context_processor(lambda: {"me": me() if current_user.is_authenticated else None})
    app.register_blueprint(blueprint)


def parts() -> Parts:
    """The program that these pages show."""
    found: Parts = current_app.extensions["parts"]
    return found


def me() -> Organizer:
    """Who is signed in."""
    found: Organizer = current_user.organizer
    return found


def _load(token: str) -> Member | None:
    now = parts().clock()
    with reading(parts().engine) as db:
        found = organizers.present(db, token, now)
    if found is None:
        return None
    if found[1]:
        with writing(parts().engine) as db:
            organizers.touch(db, token, now)
    return Member(found[0], token)


def allowed(*roles: Role) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Only these roles may open the page; the others are told so, strangers sign in first."""

    def guard(page: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(page)
        def opened(*given: Any, **named: Any) -> Any:
            if not current_user.is_authenticated:
                return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
            if me().role not in roles:
                abort(403)
            return page(*given, **named)

        return opened

    return guard


def note(db: Connection, action: str, about: str) -> None:
    """Write down that who is signed in did this."""
    organizers.note(db, me().email, action, about, parts().clock())


def whence(asked: Request) -> str:
    """The network address of who asks, as a proxy of ours names it; nobody outside is believed.

    Of IPv6 it is the network: one household has more addresses than can be counted.
    """
    near = _network(asked.remote_addr or "")
    if near is None or not near.is_private:
        return str(near or "")
    told = asked.headers.get("X-Forwarded-For", "").rpartition(",")[2]  # the nearest proxy's word
    return str(_network(told.strip()) or near)


def _network(address: str) -> IPv4Network | IPv6Network | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return ip_network(
        (found, HOUSEHOLD if found.version == 6 else found.max_prefixlen), strict=False
    )


def wants_part(asked: Request) -> bool:
    """Whether htmx asks for a part of the page, to put it in place."""
    return asked.headers.get("HX-Request") == "true"


def _ask_to_sign_in() -> Response | tuple[str, int, dict[str, str]]:
    where = url_for("access.sign_in", sigue=request.full_path.rstrip("?"))
    if wants_part(request):  # a part of a page cannot be replaced by a form: the whole page goes
        return "", 401, {"HX-Redirect": url_for("access.sign_in")}
    return redirect(where if request.method == "GET" else url_for("access.sign_in"))


def _stale(_error: CSRFError) -> tuple[str, int]:
    return render_template("refusal.html", title="La página caducó", cure="stale"), 400


@blueprint.get("/entrar")
def sign_in() -> Any:
    if current_user.is_authenticated:
        return redirect(url_for("today.page"))
    return render_template("sign_in.html", email="", fault="")


@blueprint.post("/entrar")
def enter() -> Any:
    now, given = parts().clock(), request.form
    email = given.get("correo", "")
    try:
        with writing(parts().engine) as db:
            found = organizers.enter(
                db,
                email,
                given.get("contrasena", ""),
                given.get("codigo", ""),
                whence(request),
                now,
            )
            token = organizers.begin(db, found.id, now) if found else ""
            if found:
                organizers.note(db, found.email, "entró", "", now)
    except AccountError as error:
        return render_template("sign_in.html", email=email, fault=str(error)), 429
    if found is None:
        fault = "El correo, la contraseña o el código no coinciden. Revísalos y prueba otra vez."
        return render_template("sign_in.html", email=email, fault=fault), 401
    session.clear()
    login_user(Member(found, token))
    return redirect(_inside(request.args.get("sigue", "")) or url_for("today.page"))


def _inside(address: str) -> str:
    """The address, if it leads to a page of ours; nobody is sent away by a forged link."""
    parted = urlsplit(address)
    ours = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if ours and not parted.scheme and not parted.netloc else ""


@blueprint.post("/salir")
def sign_out() -> Response:
    if current_user.is_authenticated:
        with writing(parts().engine) as db:
            organizers.leave(db, current_user.token)
            note(db, "salió", "")
    logout_user()
    session.clear()
    return redirect(url_for("front"))


# one's own account


@blueprint.get("/mi-cuenta")
@allowed(*EVERYBODY)
def account() -> str:
    return render_template("account.html", roles=ROLE_NAMES)


@blueprint.post("/mi-cuenta/contrasena")
@allowed(*EVERYBODY)
def change_password() -> Response:
    new = request.form.get("nueva", "")
    try:
        with writing(parts().engine) as db:
            right = _proves(db)
            if right:
                organizers.change_password(db, me().id, new)
                organizers.leave_everywhere(db, me().id, but=current_user.token)
                note(db, "cambió su contraseña", "")
    except AccountError as error:
        flash(str(error), "fault")
        return redirect(url_for("access.account"))
    if right:
        flash("Listo: la contraseña cambió y las demás sesiones se cerraron.")
    else:
        flash("La contraseña actual no coincide. No cambió nada.", "fault")
    return redirect(url_for("access.account"))


def _proves(db: Connection) -> bool:
    """Whether who is signed in gave their password with the form. Raises AccountError."""
    password = request.form.get("actual", "")
    return organizers.proves(db, me(), password, whence(request), parts().clock())


@blueprint.get("/mi-cuenta/codigo")
@allowed(*EVERYBODY)
def totp() -> str:
    """The secret to scan; it counts only once a code has proved that it arrived."""
    secret = session.setdefault("totp", pyotp.random_base32())
    address = pyotp.TOTP(secret).provisioning_uri(name=me().email, issuer_name=ISSUER)
    picture = pictures.qr(address, "Código QR para la aplicación")
    return render_template("totp.html", secret=secret, picture=picture)


@blueprint.post("/mi-cuenta/codigo")
@allowed(*EVERYBODY)
def set_totp() -> Response:
    try:
        with writing(parts().engine) as db:
            secret, code = session.get("totp", ""), request.form.get("codigo", "")
            organizers.set_totp(db, me().id, secret, code, parts().clock())
            note(db, "activó el código de su aplicación", "")
    except AccountError as error:
        flash(str(error), "fault")
        return redirect(url_for("access.totp"))
    session.pop("totp", None)
    flash("Listo: desde ahora, al entrar también se pide el código de tu aplicación.")
    return redirect(url_for("access.account"))


@blueprint.post("/mi-cuenta/codigo/quitar")
@allowed(*EVERYBODY)
def drop_totp() -> Response:
    try:
        with writing(parts().engine) as db:
            right = _proves(db)
            if right:
                organizers.drop_totp(db, me().id)
                note(db, "quitó el código de su aplicación", "")
    except AccountError as error:
        flash(str(error), "fault")
        return redirect(url_for("access.account"))
    if right:
        flash("Listo: ya no se pide el código.")
    else:
        flash("La contraseña no coincide. El código sigue activo.", "fault")
    return redirect(url_for("access.account"))
