"""Instituciones: which have answered the questionnaire that takes one answer of each."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter

from flask import Blueprint, abort, render_template

from storage import forms, institutions
from storage.database import reading
from webhooks.access import allowed, parts

blueprint = Blueprint("tracker", __name__, url_prefix="/cuestionarios")

KINDS = {"ayuntamiento": "Ayuntamientos", "estatal": "Dependencias del estado",
         "organismo": "Organismos", "otro_poder": "Otros poderes"}  # fmt: skip


@blueprint.get("/<name>/instituciones")
@allowed("organizer", "analyst")
def page(name: str) -> str:
    """Who has answered, and who is missing, by kind."""
    with reading(parts().engine) as db:
        newest = forms.newest(db, name)
        script = parts().desk.library.lookup(name, newest) if newest else None
        if script is None or institutions.TABLE not in script.tables:
            abort(404)
        found = institutions.tracker(db, script)
    missing = sorted((each for each in found if not each.folio), key=attrgetter("kind"))
    return render_template(
        "tracker.html",
        name=name,
        version=newest,
        whole=len(found),
        answered=[each for each in found if each.folio],
        missing={
            KINDS.get(kind, kind): list(group)
            for kind, group in groupby(missing, attrgetter("kind"))
        },
    )
