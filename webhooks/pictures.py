"""Pictures as plain shapes: geometry is reckoned here, templates write it as SVG."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One column of a chart; `inner` is the part of it that is drawn stronger."""

    x: float
    y: float
    width: float
    height: float
    inner_y: float
    inner_height: float
    title: str
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns side by side, with the lines that help to read their height."""

    width: float
    height: float
    left: float
    bars: tuple[Bar, ...]
    lines: tuple[tuple[float, int], ...]  # y, and the value there


def columns(
    found: Sequence[tuple[str, str, int, int]], width: float = 640, height: float = 180
) -> Chart:
    """A chart of (label, title, whole, inner part)."""
    top = _round_up(max((whole for _, _, whole, _ in found), default=0))
    left, base = 52.0, height - 26
    step = (width - left) / max(len(found), 1)
    scale = (base - 20) / top  # room for the uppermost figure
    bars = tuple(
        Bar(
            x=round(left + place * step + step * 0.12, 1),
            y=round(base - whole * scale, 1),
            width=round(step * 0.76, 1),
            height=round(whole * scale, 1),
            inner_y=round(base - inner * scale, 1),
            inner_height=round(inner * scale, 1),
            title=title,
            label=label,
        )
        for place, (label, title, whole, inner) in enumerate(found)
    )
    marks = sorted({0, top // 2, top})
    return Chart(width, height, left, bars, tuple((round(base - m * scale, 1), m) for m in marks))


def _round_up(most: int) -> int:
    """A round and even number not below this one, so that the axis can be read."""
    size = int("1".ljust(len(str(most)), "0"))
    steps = (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10)
    return max(4, next(round(step * size) for step in steps if step * size >= most))


MAP_WIDTH, MAP_HEIGHT, MAP_EDGE = 640.0, 400.0, 30.0


def projection(
    points: Sequence[tuple[float, float]],
) -> Callable[[float, float], tuple[float, float]]:
    """Where latitude and longitude fall on the map: a degree east is shorter than one north."""
    lats, lons = [lat for lat, _ in points], [lon for _, lon in points]
    west, north = min(lons), max(lats)
    shrink = math.cos(math.radians((min(lats) + north) / 2))
    wide, high = (max(lons) - west) * shrink, north - min(lats)
    scale = min((MAP_WIDTH - 2 * MAP_EDGE) / wide, (MAP_HEIGHT - 2 * MAP_EDGE) / high)
    left, above = (MAP_WIDTH - wide * scale) / 2, (MAP_HEIGHT - high * scale) / 2

    def at(lat: float, lon: float) -> tuple[float, float]:
        x = left + (lon - west) * shrink * scale
        return round(x, 1), round(above + (north - lat) * scale, 1)

    return at


def radius(count: int, most: int, largest: float = 28, smallest: float = 3.2) -> float:
    """The area grows with the count, as the eye reads it."""
    return round(max(smallest, largest * math.sqrt(count / most)) if most else smallest, 1)


def qr(content: str, title: str) -> str:
    """A QR code as SVG without any style of its own: the strict CSP would drop it."""
    import segno  # here: a megabyte of which a server has use only where a page is printed

    drawn = io.BytesIO()
    segno.make(content, error="m").save(
        drawn, kind="svg", scale=5, border=3, xmldecl=False, svgclass="qr", lineclass="ink",
        omitsize=True, title=title, nl=False,
    )  # fmt: skip
    return drawn.getvalue().decode()
