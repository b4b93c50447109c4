"""How figures, days and spans are written for people: Spanish, in Yucatán's time."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from flask import Flask

from bot.report import CHANNELS
from storage.reports import SMALLEST

HERE = ZoneInfo("America/Merida")
MONTHS = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto",
          "septiembre", "octubre", "noviembre", "diciembre")  # fmt: skip
DAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")


def install(app: Flask) -> None:
    """The filters of the templates."""
    app.template_filter("number")(number)
    app.template_filter("share")(share)
    app.template_filter("moment")(moment)
    app.template_filter("clock")(clock)
    app.template_filter("day")(day)
    app.template_filter("short_day")(short_day)
    app.template_filter("span")(span)
    app.template_filter("rate")(rate)
    app.template_filter("some")(some)
    app.template_filter("channel")(channel)
    app.template_filter("many")(many)
    app.template_filter("why")(why)


def local(at: datetime) -> datetime:
    return at.astimezone(HERE)


def number(value: float) -> str:
    """1234567 → 1,234,567, as Mexico writes it."""
    return f"{value:,.0f}"


def some(count: int, *, hidden: bool | None = None) -> str:
    """A number of people, if nobody can be recognised by it; `hidden` as reports.few says."""
    if not (0 < count < SMALLEST if hidden is None else hidden):
        return number(count)
    return f"menos de {SMALLEST}" if count < SMALLEST else f"{SMALLEST} o más"


def channel(name: str) -> str:
    """A channel as people know it."""
    return CHANNELS.get(name, name)


def share(part: float, whole: float) -> str:
    """A part of a whole; of nothing there is no share."""
    if not whole:
        return "—"
    found = 100 * part / whole
    return f"{found:.0f} %" if found >= 10 or found == 0 else f"{found:.1f} %"


def clock(at: datetime) -> str:
    return local(at).strftime("%H:%M")


def moment(at: datetime | None) -> str:
    """28 de junio, 09:05."""
    return "—" if at is None else f"{short_day(local(at).date())}, {clock(at)}"


def day(on: date) -> str:
    """lunes 28 de junio de 2027."""
    return f"{DAYS[on.weekday()]} {on.day} de {MONTHS[on.month - 1]} de {on.year}"


def short_day(on: date) -> str:
    """28 de junio."""
    return f"{on.day} de {MONTHS[on.month - 1]}"


def span(length: timedelta | None) -> str:
    """About how long: 45 s, 6 min, 3 h, 2 días."""
    if length is None:
        return "—"
    seconds = length.total_seconds()
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "min"), (129_600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} días"


def rate(a_second: float) -> str:
    """12 por segundo; slower, 30 por minuto; slower still, 5 por hora."""
    for seconds, unit in ((1, "segundo"), (60, "minuto")):
        if a_second * seconds >= 1:
            return f"{a_second * seconds:.0f} por {unit}"
    return f"{a_second * 3600:.0f} por hora"


def many(count: int, one: str, more: str) -> str:
    """1 persona, 2 personas."""
    return f"{number(count)} {one if count == 1 else more}"


@cache
def _reasons() -> dict[str, dict[str, str]]:
    return tomllib.loads(resources.files("webhooks").joinpath("reasons.toml").read_text("utf-8"))


def why(reason: str, code: str) -> str:
    """Why a message did not go out, in plain words; "" where none are known for it."""
    known = _reasons()["codes"].get(code)
    beginnings = _reasons()["beginnings"].items()
    return known or next((words for start, words in beginnings if reason.startswith(start)), "")
