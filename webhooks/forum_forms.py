"""The forms about forums: what their fields hold, and what is made of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from dialogs import replies
from dialogs.values import LANGUAGES
from storage.forums import Forum, Place, Plan
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
        "inicio": f"{spoken.local(plan.starts_at):%Y-%m-%dT%H:%M}",
        "fin": f"{spoken.local(plan.ends_at):%Y-%m-%dT%H:%M}",
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


def segment(given: Any) -> str:
    """The expression that the fields of the form add up to; what is written by hand comes too."""
    tests = [
        f"{name} = {given[field]}"
        for field, name in (("municipio", "municipality"), ("idioma", "language"),
                            ("genero", "gender"), ("canal", "channel"), ("edad", "age"),
                            ("papel", "role"))
        if re.fullmatch(r"\w+", given.get(field, ""))
    ]  # fmt: skip
    if match := re.fullmatch(r"(\w+)/(\w+)", given.get("tema", "")):
        tests.append(f"chose({match[1]}, {match[2]})")
    if region := given.get("region", "").replace('"', ""):
        tests.append(f'region = "{region}"')
    if given.get("expresion", "").strip():
        tests.append(f"({given['expresion'].strip()})")
    return " and ".join(tests)
