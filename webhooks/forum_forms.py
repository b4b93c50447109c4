"""The forms about forums: what their fields hold, and what is made of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.invitations import Change
from dialogs import replies
from dialogs.values import LANGUAGES
from storage.forums import Forum, Place, Plan
from storage.invitations import Invitation
from webhooks import census, spoken
from webhooks.access import parts

KINDS = {
    "thematic": "Foro temático",
    "affirmative": "Foro afirmativo",
    "specialists": "Mesa con especialistas",
    "focus": "Grupo focal",
    "cocreation": "Mesa de cocreación",
    "community": "Consulta en comunidad",
    "presentation": "Presentación",
    "feedback": "Retroalimentación",
    "signing": "Firma",
}
POINT = re.compile(r"(-?\d{1,2}(?:\.\d+)?)[,;\s]\s*(-?\d{1,3}(?:\.\d+)?)")


class FormFault(ValueError):
    """What the form of a forum lacks, in words for who filled it in."""


def plan(given: Any) -> Plan:
    """The forum in a form. Raises FormFault with everything that is missing."""
    faults = []
    title = texts(given, "titulo_")
    if "es" not in title:
        faults.append("Falta el título en español.")
    starts, ends = moment(given.get("inicio", "")), moment(given.get("fin", ""))
    if starts is None or ends is None or ends <= starts:
        faults.append("Revisa cuándo empieza y cuándo termina.")
    elif starts < parts().clock():
        faults.append("El foro empezaría en el pasado.")
    if given.get("tipo") not in KINDS:
        faults.append("Elige de qué tipo es.")
    place = _place(given)
    if not place.link and not place.name:
        faults.append("Di dónde es, o escribe la liga.")
    if given.get("punto", "").strip() and place.point is None:
        faults.append("El punto del mapa se escribe así: 20.6896, -88.2011.")
    if faults or starts is None or ends is None:
        raise FormFault(" ".join(faults))
    return Plan(
        name=_name(title["es"], starts),
        kind=given["tipo"],
        starts_at=starts,
        ends_at=ends,
        capacity=int(given["cupo"]) if given.get("cupo", "").isdecimal() else None,
        title=title,
        description=texts(given, "descripcion_"),
        place=place,
    )


def _name(title: str, starts: datetime) -> str:
    """How the forum is called by programs: the first words of its title, and its day."""
    words = re.findall(r"[a-z0-9]+", replies.plain(title))[:4]
    return f"{'-'.join(words) or 'foro'}-{spoken.local(starts):%m%d-%H%M}"


def _place(given: Any) -> Place:
    town = next((t for t in census.towns() if t.code == given.get("municipio")), None)
    lat, lon = _point(given.get("punto", ""))
    return Place(
        lat=lat,
        lon=lon,
        name=given.get("lugar", "").strip(),
        address=given.get("direccion", "").strip(),
        municipality=town.code if town else "",
        town=town.name if town else "",
        link=given.get("liga", "").strip(),
    )


def _point(written: str) -> tuple[float | None, float | None]:
    """Latitude and longitude in degrees, as maps show them; neither if it is no point."""
    found = POINT.fullmatch(written.strip())
    if found is None or abs(float(found[1])) > 90 or abs(float(found[2])) > 180:
        return None, None
    return float(found[1]), float(found[2])


def moment(written: str) -> datetime | None:
    """A moment of the form's clock, which is Yucatán's."""
    try:
        return datetime.fromisoformat(written).replace(tzinfo=spoken.HERE).astimezone(UTC)
    except ValueError:
        return None


def as_form(forum: Forum) -> dict[str, str]:
    """A forum as the fields of its form hold it."""
    plan, place = forum.plan, forum.plan.place
    point = "{:.6f}, {:.6f}".format(*place.point) if place.point else ""
    return {
        **{f"titulo_{code}": text for code, text in plan.title.items()},
        **{f"descripcion_{code}": text for code, text in plan.description.items()},
        "tipo": plan.kind,
        "cupo": str(plan.capacity or ""),
        "inicio": _written(plan.starts_at),
        "fin": _written(plan.ends_at),
        "lugar": place.name,
        "municipio": place.municipality,
        "direccion": place.address,
        "punto": point,
        "liga": place.link,
    }


def texts(given: Any, prefix: str) -> dict[str, str]:
    """What was written in each language; a language without words is left out."""
    found = {str(code): given.get(f"{prefix}{code}", "").strip() for code in LANGUAGES}
    return {code: text for code, text in found.items() if text}


CHOSEN = {
    "municipio": "municipality",
    "idioma": "language",
    "genero": "gender",
    "canal": "channel",
    "edad": "age",
    "papel": "role",
}  # a field of the form, and what it asks of people


def segment(given: Any) -> str:
    """The expression that the fields of the form add up to; what is written by hand comes too."""
    tests = [
        f"{name} = {given[field]}"
        for field, name in CHOSEN.items()
        if re.fullmatch(r"\w+", given.get(field, ""))
    ]
    if match := re.fullmatch(r"(\w+)/(\w+)", given.get("tema", "")):
        tests.append(f"chose({match[1]}, {match[2]})")
    if region := given.get("region", "").replace('"', ""):
        tests.append(f'region = "{region}"')
    if written := given.get("expresion", "").strip():
        tests.append(f"({written})" if tests else written)
    return " and ".join(tests)


def fields(source: str) -> dict[str, str]:
    """The fields of the form that add up to an expression; written by hand where none do."""
    found: dict[str, str] = {}
    for test in source.split(" and "):
        match = re.fullmatch(r"(?:(\w+) = (?:(\w+)|\"([^\"]+)\")|chose\((\w+), (\w+)\))", test)
        if match is None:
            break
        name, value, quoted, question, choice = match.groups()
        chosen = {"tema": f"{question}/{choice}"} if question else {"region": quoted or ""}
        asked = next((field for field, known in CHOSEN.items() if known == name), "")
        found |= {asked: value} if asked and value else chosen
    return found if segment(found) == source else {"expresion": source}


SID = re.compile(r"HX[0-9a-f]{32}")  # how Twilio names a Content template


def asked(given: Any) -> Change:
    """What the form of an invitation says; what it has no field for is None. Raises FormFault."""
    template, until = given.get("plantilla", "").strip(), given.get("hasta", "")
    if template and not SID.fullmatch(template):
        raise FormFault(
            "La plantilla se escribe como la muestra Twilio: HX y 32 letras o números. "
            "Cópiala de Content Template Builder, o deja vacío el campo."
        )
    if until and moment(until) is None:
        raise FormFault("Revisa hasta cuándo sirve la invitación.")
    fresh, minutes = "cuando" in given or "ya" in given, given.get("repartir", "")
    return Change(
        at=parts().clock() if given.get("ya") else moment(given.get("cuando", "")),
        segment=segment(given) if fresh else None,
        until=moment(until),
        spread=timedelta(minutes=int(minutes)) if fresh and minutes.isdecimal() else None,
        words={str(code): given.get(f"palabras_{code}", "").strip() for code in LANGUAGES},
        template=template,
    )


def as_call(one: Invitation) -> dict[str, str]:
    """An invitation as the fields of its form hold it."""
    return {
        **fields(one.segment),
        **{f"palabras_{code}": text for code, text in one.words.items()},
        "cuando": _written(one.due),
        "hasta": _written(one.latest),
        "repartir": f"{one.spread / timedelta(minutes=1):.0f}",
        "plantilla": one.template,
    }


def _written(at: datetime) -> str:
    """A moment as the browser's field takes it."""
    return f"{spoken.local(at):%Y-%m-%dT%H:%M}"
