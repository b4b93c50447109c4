"""Participación: who answered, who left and where, and who is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request
from sqlalchemy import Connection

from bot.report import CHANNELS
from dialogs.questions import Script
from dialogs.values import Text, in_language
from storage import ages, forms, reports
from storage.database import reading
from storage.reports import SMALLEST, Group, Scope
from webhooks import census, pictures, shares, spoken
from webhooks.access import allowed, parts

blueprint = Blueprint("participation", __name__, url_prefix="/participacion")

DAYS = 28
MOST = 30  # ways in that are listed
NAMES = {
    "channel": CHANNELS,
    "language": {"es": "Español", "yua": "Maya", "": "Sin elegir"},
    "came_by": {"": "Sin código"},
}


FIELDS = {"channel": "canal", "language": "idioma", "came_by": "via"}  # of the address
UNSAID = "-"  # in the address: those of whom it is not known
SPANS = {"1": "las últimas 24 horas", "7": "la última semana", "28": "las últimas cuatro semanas"}


@dataclass(frozen=True, slots=True)
class Step:
    """A question, how many answered it, and how many fell silent after it."""

    label: str
    answered: int
    left: int


@blueprint.get("")
@allowed("organizer", "analyst", "facilitator")
def page() -> str:
    now = parts().clock()
    with reading(parts().engine) as db:
        names = list(dict.fromkeys(row.name for row in reports.published(db)))
        if not names:
            return render_template("participation_none.html")
        scope = _scope(db, names, now)
        script = parts().desk.library.lookup(scope.form, scope.newest)
        shown = _figures(db, scope, script, now)
    return render_template(
        "participation.html",
        scope=scope,
        title=in_language(script.title, "es"),
        names=names,
        asked=_asked(scope),
        narrowed=_narrowed(scope),
        unsaid=UNSAID,
        spans=SPANS,
        smallest=SMALLEST,
        **shown,
    )


@blueprint.get("/preguntas")
@allowed("organizer", "analyst", "facilitator")
def questions() -> str:
    """Question by question: a request of its own, for it looks at every answer."""
    now = parts().clock()
    with reading(parts().engine) as db:
        scope = _scope(db, [], now)
        script = parts().desk.library.lookup(scope.form, scope.newest)
        narrowed = _narrowed(scope)
        too_few = narrowed and reports.dispositions(db, scope, now).reached < SMALLEST
        steps = [] if too_few else _steps(db, scope, script, now)
    return render_template(
        "participation_steps.html", steps=steps, smallest=SMALLEST, narrowed=narrowed
    )


def _scope(db: Connection, names: Sequence[str], now: datetime) -> Scope:
    """What is counted: the questionnaire asked for, or the one that newcomers get; of whom."""
    front = forms.front(db)
    asked = request.args.get("cuestionario") or (front[0] if front else names[0] if names else "")
    found = reports.scope(db, asked)
    if found is None:
        abort(404)
    only = {name: request.args[field] for name, field in FIELDS.items() if request.args.get(field)}
    only = {name: "" if value == UNSAID else value for name, value in only.items()}
    days = request.args.get("dias", "")
    since = now - timedelta(days=int(days)) if days in SPANS else None
    return replace(found, only=only, since=since)


def _asked(scope: Scope) -> dict[str, str]:
    """The same question again, as an address holds it."""
    found = {"cuestionario": scope.form}
    found |= {field: request.args.get(field, "") for field in (*FIELDS.values(), "dias")}
    return {name: value for name, value in found.items() if value}


def _figures(db: Connection, scope: Scope, script: Script, now: datetime) -> dict[str, Any]:
    """Everything but what is asked for later; the people are gone through once."""
    narrowed, found = _narrowed(scope), reports.dispositions(db, scope, now)
    who = reports.by(db, scope, now, "municipality", "gender", "age", "age gender", *NAMES)
    counted = {name: _counted(groups) for name, groups in who.items()}
    towns = census.compare(counted["municipality"])
    return {
        "found": found,
        "few": reports.few(asdict(found)) if narrowed else frozenset(),
        "median": reports.median_time(db, scope),
        "quiet": reports.QUIET.days,
        "chart": _chart(
            reports.daily(db, scope, now - timedelta(days=DAYS)), now, narrowed=narrowed
        ),
        "called": reports.called(db),
        "groups": {name: _lines(name, who[name]) for name in NAMES},
        "ways": {
            name: [(_name(name, each), each.key) for each in who[name][:MOST]] for name in NAMES
        },
        "gender": shares.gender(counted["gender"], script),
        "age": shares.age(db, counted["age"], script),
        "both": shares.age_and_sex(db, counted["age gender"], script),
        "source": shares.source(db, script),
        "brought": bool(ages.read(db)[0]),
        "speaks": shares.speaks(db, scope, script),
        "towns": towns,
        "spots": census.spots(towns),
        "next_places": census.next_places(towns),
        "maya_spoken": census.MAYA_SPOKEN,
        "reached_towns": sum(each.count > 0 for each in towns),
    }


def _narrowed(scope: Scope) -> bool:
    return bool(scope.only or scope.since)


def _counted(groups: Sequence[Group]) -> dict[str, int]:
    """Everybody but who refused; of them nothing is known, and nothing is kept."""
    return {group.key: group.begun - group.refused for group in groups}


def _chart(
    found: Mapping[Any, tuple[int, int]], now: datetime, *, narrowed: bool
) -> pictures.Chart:
    """Day by day; of a part of the people, a day with few of them is drawn as if they were 4."""
    today = spoken.local(now).date()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    rows = []
    for day in days:
        begun, done = found.get(day, (0, 0))
        told = f"empezaron {begun}, terminaron {done}"
        if narrowed and 0 < begun < SMALLEST:
            begun, done, told = SMALLEST - 1, 0, f"empezaron {spoken.some(begun)}"
        rows.append((f"{day.day}/{day.month}", f"{spoken.short_day(day)}: {told}", begun, done))
    return pictures.columns(rows)


def _steps(db: Connection, scope: Scope, script: Script, now: datetime) -> list[Step]:
    answered = reports.answered(db, scope)
    left = reports.last_answered(db, scope, now - reports.QUIET)
    return [
        Step(_short(each.label), answered.get(each.name, 0), left.get(each.name, 0))
        for each in script.questions
        if each.asked
    ]


def _short(label: Text) -> str:
    return in_language(label, "es").splitlines()[-1]


@dataclass(frozen=True, slots=True)
class Line:
    """A group in a table, with a name that people know."""

    name: str
    group: Group
    hidden: bool  # its number could give somebody away


def _lines(column: str, groups: Sequence[Group]) -> list[Line]:
    """The largest groups of those that are counted."""
    few = reports.few({group.key: group.begun for group in groups})
    counted = [group for group in groups if group.begun][:MOST]
    return [Line(_name(column, group), group, group.key in few) for group in counted]


def _name(column: str, group: Group) -> str:
    return NAMES[column].get(group.key, group.key)
