"""What is known of a person, for that person: behind a link that the chat gave them."""

from __future__ import annotations

import csv
import io
import json

from flask import Blueprint, Response, abort, current_app, render_template
from sqlalchemy import Connection

from bot import rights
from bot.wiring import Parts
from dialogs.tables import inert
from storage import people
from storage.database import reading, vault_of
from storage.people import Person

blueprint = Blueprint("own_data", __name__, url_prefix="/mis-datos")

COLUMNS = ("form", "version", "question", "value", "said", "language", "channel", "at", "aside")
PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}


@blueprint.get("/<token>")
def page(token: str) -> Response:
    """Nothing is shown yet: messengers open links by themselves, to draw a picture of them."""
    with reading(_parts().engine) as db:
        _whose(db, token)
    return _private(Response(render_template("own_data.html", token=token)))


@blueprint.post("/<token>/datos.json")
def as_json(token: str) -> Response:
    with reading(_parts().engine) as db:
        known = rights.known(db, _whose(db, token))
    content = json.dumps(known, ensure_ascii=False, indent=1, default=str)
    return _file(content, "application/json", "mis-datos.json")


@blueprint.post("/<token>/datos.csv")
def as_csv(token: str) -> Response:
    with reading(_parts().engine) as db:
        known = rights.known(db, _whose(db, token))
    written = io.StringIO()
    table = csv.DictWriter(written, COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    table.writeheader()
    table.writerows({key: inert(row[key]) for key in COLUMNS} for row in known["answers"])
    return _file("\ufeff" + written.getvalue(), "text/csv", "mis-datos.csv")


def _whose(db: Connection, token: str) -> Person:
    pseudonym = rights.whose(vault_of(db), token, _parts().clock())
    found = people.by_pseudonym(db, pseudonym) if pseudonym else None
    if found is None:
        abort(404)
    return found


def _file(content: str, kind: str, name: str) -> Response:
    given = content.encode("utf-8", "backslashreplace")
    response = Response(given, mimetype=kind)
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return _private(response)


def _private(response: Response) -> Response:
    response.headers.update(PRIVATE)
    return response


def _parts() -> Parts:
    found: Parts = current_app.extensions["parts"]
    return found
