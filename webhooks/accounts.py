"""Cuentas and Bitácora: who may open these pages, and who did what."""

from __future__ import annotations

import secrets

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from storage import organizers
from storage.database import reading, writing
from storage.organizers import AccountError, Organizer
from webhooks.access import ROLE_NAMES, allowed, me, note, parts

blueprint = Blueprint("accounts", __name__)

LINES = 100  # of the log on a page


@blueprint.get("/cuentas")
@allowed("organizer")
def page() -> str:
    with reading(parts().engine) as db:
        return render_template("accounts.html", found=organizers.everybody(db), made=None)


@blueprint.post("/cuentas")
@allowed("organizer")
def add() -> tuple[str, int]:
    """Open an account. Its password is shown once, and stored nowhere."""
    given, password = request.form, secrets.token_urlsafe(12)
    role = given.get("papel", "")
    made, fault = None, ""
    try:
        with writing(parts().engine) as db:
            email, name = given.get("correo", ""), given.get("nombre", "")
            made = organizers.add(db, email, name, role, password, parts().clock())
            note(db, "abrió una cuenta", f"{made.email} ({ROLE_NAMES[made.role]})")
    except AccountError as error:
        fault = str(error)
    with reading(parts().engine) as db:
        found = organizers.everybody(db)
    shown = render_template(
        "accounts.html", found=found, made=made, password=password, fault=fault, given=given
    )
    return shown, 422 if fault else 201


@blueprint.post("/cuentas/<int:number>")
@allowed("organizer")
def change(number: int) -> Response:
    """Change the role, close, open again, take the app's code off, or end the sessions."""
    try:
        with writing(parts().engine) as db:
            told = _changed(db, _other(db, number), request.form.get("hacer", ""))
        flash(told)
    except AccountError as error:
        flash(str(error), "fault")
    return redirect(url_for("accounts.page"))


def _other(db: Connection, number: int) -> Organizer:
    """An account; nobody locks themselves out by their own hand."""
    found = next((each for each in organizers.everybody(db) if each.id == number), None)
    if found is None:
        abort(404)
    if found.id == me().id:
        raise AccountError("Tu propia cuenta la cambia otra persona de organización.")
    return found


def _changed(db: Connection, other: Organizer, what: str) -> str:
    match what:
        case "papel":
            role = request.form.get("papel", "")
            organizers.change_role(db, other.id, role)
            action, told = f"cambió el papel a {ROLE_NAMES[role]}", "El papel cambió"
        case "cerrar":
            organizers.close(db, other.id, parts().clock())
            action, told = "cerró una cuenta", "La cuenta quedó cerrada y sus sesiones terminaron"
        case "abrir":
            organizers.close(db, other.id, None)
            action, told = "volvió a abrir una cuenta", "La cuenta está abierta otra vez"
        case "codigo":
            organizers.drop_totp(db, other.id)
            action, told = "quitó el código de una cuenta", "Ya no se le pide el código"
        case _:
            abort(400)
    note(db, action, other.email)
    return f"{told}: {other.email}."


@blueprint.get("/bitacora")
@allowed("organizer")
def log() -> str:
    """Who did what, newest first."""
    before, who = request.args.get("antes", ""), request.args.get("quien", "")
    with reading(parts().engine) as db:
        rows = organizers.noted(db, int(before) if before.isdecimal() else None, who, LINES + 1)
        people = organizers.everybody(db)
    return render_template(
        "log.html", rows=rows[:LINES], more=len(rows) > LINES, who=who, people=people
    )
