"""Participación: who answered, who left and where, and who is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request
from sqlalchemy import Connection

from dialogs.questions import Script
from dialogs.values import Text, in_language
from storage import forms, reports
from storage.database import reading
from storage.reports import SMALLEST, Group, Scope
from webhooks import census, pictures, spoken
from webhooks.access import allowed, parts

blueprint = Blueprint("participation", __name__, url_prefix="/participacion")

DAYS = 28
MOST = 30  # ways in that are listed
NAMES = {
    "channel": {
        "telegram": "Telegram",
        "whatsapp": "WhatsApp",
        "chat": "Chat local",
        "facilitator": "Con facilitador o facilitadora",
        "import": "Capturado después",
    },
    "language": {"es": "Español", "yua": "Maya", "": "Sin elegir"},
    "came_by": {"": "Sin código"},
}


FIELDS = {"channel": "canal", "language": "idioma", "came_by": "via"}  # of the address
UNSAID = "-"  # in the address: those of whom it is not known
SPANS = {"1": "las últimas 24 horas", "7": "la última semana", "28": "las últimas cuatro semanas"}
CENSUS = "census"  # a column of the choices: the share that the census gives it, in percent


@dataclass(frozen=True, slots=True)
class Step:
    """A question, how many answered it, and how many fell silent after it."""

    label: str
    answered: int
    left: int


@dataclass(frozen=True, slots=True)
class Share:
    """A group beside its share of the census, if that is known."""

    name: str
    count: int
    of: int
    census: float | None = None


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
        narrowed=bool(scope.only or scope.since),
        unsaid=UNSAID,
        spans=SPANS,
        smallest=SMALLEST,
        **shown,
    )


@blueprint.get("/preguntas")
@allowed("organizer", "analyst", "facilitator")
def questions() -> str:
    """Question by question: a request of its own, for it looks at every answer."""
    with reading(parts().engine) as db:
        scope = _scope(db, [], parts().clock())
        script = parts().desk.library.lookup(scope.form, scope.newest)
        steps = _steps(db, scope, script, parts().clock())
    return render_template("participation_steps.html", steps=steps, smallest=SMALLEST)


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
    who = reports.by(db, scope, now, "municipality", "gender", "age")
    whole, groups = replace(scope, only={}), _named(reports.by(db, scope, now, *NAMES))
    towns = census.compare(_counted(who["municipality"]))
    return {
        "found": reports.dispositions(db, scope, now),
        "median": reports.median_time(db, scope),
        "quiet": reports.QUIET.days,
        "chart": _chart(reports.daily(db, scope, now - timedelta(days=DAYS)), now),
        "called": reports.called(db),
        "groups": groups,
        "ways": _named(reports.by(db, whole, now, *NAMES)) if scope.only else groups,
        "gender": _gender(who["gender"], script),
        "age": _age(who["age"], script),
        "speaks": _speaks(db, scope, script),
        "towns": towns,
        "spots": census.spots(towns),
        "next_places": census.next_places(towns),
        "maya_spoken": census.MAYA_SPOKEN,
        "reached_towns": sum(each.count > 0 for each in towns),
    }


def _counted(groups: Sequence[Group]) -> dict[str, int]:
    """Everybody but who refused; of them nothing is known, and nothing is kept."""
    return {group.key: group.begun - group.refused for group in groups}


def _chart(found: Mapping[Any, tuple[int, int]], now: datetime) -> pictures.Chart:
    today = spoken.local(now).date()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    rows = []
    for day in days:
        begun, done = found.get(day, (0, 0))
        title = f"{spoken.short_day(day)}: empezaron {begun}, terminaron {done}"
        rows.append((f"{day.day}/{day.month}", title, begun, done))
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


def _named(found: Mapping[str, Sequence[Group]]) -> dict[str, list[tuple[str, Group]]]:
    """The largest groups, each with a name that people know."""
    return {
        column: [(NAMES[column].get(group.key, group.key), group) for group in groups[:MOST]]
        for column, groups in found.items()
    }


def _labels(script: Script, role: str) -> dict[str, str]:
    """The choices of the question with a role, by name, in its order."""
    found = next((question for question in script.questions if question.role == role), None)
    options = found.options if found else ()
    return {option.name: in_language(option.label, "es") for option in options}


def _shares(
    counts: Mapping[str, int], labels: Mapping[str, str], census_: Mapping[str, float]
) -> list[Share]:
    """The groups that were named; the share is of those who said, as the census' is."""
    said = {name: counts.get(name, 0) for name in labels}
    of = sum(said.get(name, 0) for name in census_) if census_ else sum(said.values())
    return [
        Share(label, said[name], of if name in census_ or not census_ else 0, census_.get(name))
        for name, label in labels.items()
    ]


def _gender(groups: Sequence[Group], script: Script) -> list[Share]:
    women = census.share_of_women()
    expected = {"mujer": women, "hombre": 1 - women}
    return _shares(_counted(groups), _labels(script, "gender"), expected)


def _age(groups: Sequence[Group], script: Script) -> list[Share]:
    """By age; what the census says of each range stands in the questionnaire's own sheet.

    The municipal table that comes with the program has no ages: who has INEGI's writes the
    shares beside the choices.
    """
    asked = next((question for question in script.questions if question.role == "age"), None)
    options = asked.options if asked else ()
    known = {each.name: _percent(each.columns.get(CENSUS, "")) for each in options}
    expected = {name: share for name, share in known.items() if share is not None}
    return _shares(_counted(groups), _labels(script, "age"), expected)


def _percent(written: str) -> float | None:
    try:
        return float(written.replace("%", "").replace(",", ".")) / 100
    except ValueError:
        return None


def _speaks(db: Connection, scope: Scope, script: Script) -> list[Share]:
    asked = next((question for question in script.questions if question.role == "speaks"), None)
    if asked is None:
        return []
    counts, labels = reports.values(db, scope, asked.name), _labels(script, "speaks")
    said = sum(count for name, count in counts.items() if name != "no_dice")
    return [
        Share(label, counts.get(name, 0), said if name != "no_dice" else 0,
              census.share_of_speakers() if name == "hablo" else None)
        for name, label in labels.items()
    ]  # fmt: skip
