"""Groups of those who answer beside their share of the census."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from sqlalchemy import Connection

from bot import age_files
from dialogs import ages
from dialogs.ages import Block, Row, Span
from dialogs.questions import Question, Script
from dialogs.values import in_language
from storage import ages as stored
from storage import reports
from storage.reports import Scope
from webhooks import census

CENSUS = "census"  # a column of the choices: the share that the census gives it, in percent
ENOUGH_SAID = 30  # people: with fewer, chance alone makes a group look large or small
MANY = 1.25  # of what the census has: as far above as census.ENOUGH is below
SEXES = {"mujer": "Mujeres", "hombre": "Hombres"}  # the choices that a census knows, too


@dataclass(frozen=True, slots=True)
class Share:
    """A group beside its share of the census, if that is known."""

    name: str
    count: int
    of: int
    census: float | None = None
    hidden: bool = False  # its number could give somebody away

    @property
    def verdict(self) -> str:
        """How it is beside the census; "" where too few have answered to say."""
        if self.census is None or self.hidden or self.of < ENOUGH_SAID:
            return ""
        ratio = self.count / self.of / self.census if self.census else 1.0
        return "faltan" if ratio < census.ENOUGH else "hay de más" if ratio > MANY else "parejo"


def _asked(script: Script, role: str) -> Question | None:
    return next((question for question in script.questions if question.role == role), None)


def _labels(question: Question | None) -> dict[str, str]:
    """The choices by name, in the question's order."""
    options = question.options if question else ()
    return {option.name: in_language(option.label, "es") for option in options}


def _guarded(rows: Sequence[Share]) -> list[Share]:
    """The same rows, those hidden whose number could give somebody away."""
    few = reports.few({row.name: row.count for row in rows})
    return [Share(r.name, r.count, r.of, r.census, r.name in few) for r in rows]


def _beside(
    counts: Mapping[str, int], labels: Mapping[str, str], known: Mapping[str, float]
) -> list[Share]:
    """The groups that were named; the share is of those who said, as the census' is."""
    said = {name: counts.get(name, 0) for name in labels}
    of = sum(said.get(name, 0) for name in known) if known else sum(said.values())
    return _guarded([
        Share(label, said[name], of if name in known or not known else 0, known.get(name))
        for name, label in labels.items()
    ])  # fmt: skip


def gender(counts: Mapping[str, int], script: Script) -> list[Share]:
    women = census.share_of_women()
    expected = {"mujer": women, "hombre": 1 - women}
    return _beside(counts, _labels(_asked(script, "gender")), expected)


def speaks(db: Connection, scope: Scope, script: Script) -> list[Share]:
    """Who speaks Maya; whoever did not want to say is not counted among those who said."""
    asked = _asked(script, "speaks")
    if asked is None:
        return []
    counts, labels = reports.values(db, scope, asked.name), _labels(asked)
    said = sum(count for name, count in counts.items() if name != "no_dice")
    known = {"hablo": census.share_of_speakers()}
    return _guarded([
        Share(label, counts.get(name, 0), said if name != "no_dice" else 0, known.get(name))
        for name, label in labels.items()
    ])  # fmt: skip


# ages


def age(db: Connection, counts: Mapping[str, int], script: Script) -> list[Share]:
    """By age: the shares that stand in the questionnaire's own sheet, else those of the table.

    Where the table parts ages less finely than the questionnaire, some are compared together,
    in a line of their own after them.
    """
    asked = _asked(script, "age")
    if asked is None:
        return []
    if in_sheet := _in_sheet(asked):
        return _beside(counts, _labels(asked), in_sheet)
    labels = _labels(asked) or {name: name for name in ages.USUAL}
    counts = counts if asked.options else _in_years(counts)
    blocks = ages.blocks(_spans(labels), _table(db))
    of = sum(counts.get(name, 0) for block in blocks for name in block.names)
    people = sum(block.row.people for block in blocks)
    compared = {name: block for block in blocks for name in block.names}
    rows = []
    for name, label in labels.items():
        block = compared.get(name)
        share = block.row.people / people if block and len(block.names) == 1 else None
        rows.append(Share(label, counts.get(name, 0), of if block else 0, share))
    alone = dict(zip(labels, _guarded(rows), strict=True))
    found = []
    for name, row in alone.items():
        found.append(row)
        block = compared.get(name)
        if block and len(block.names) > 1 and name == block.names[-1]:
            together = [alone[each] for each in block.names]
            found.append(Share(
                f"{_years(block.row)}, en conjunto",
                sum(each.count for each in together),
                of,
                block.row.people / people,
                hidden=any(each.hidden for each in together),  # or the one would follow
            ))  # fmt: skip
    return found


def source(db: Connection, script: Script) -> str:
    """Where the ages are from with which those who answer are compared."""
    asked = _asked(script, "age")
    if asked and _in_sheet(asked):
        return "porcentajes que trae el propio cuestionario"
    return stored.read(db)[1] or age_files.SHIPPED


def _in_sheet(asked: Question) -> dict[str, float]:
    given = {each.name: _percent(each.columns.get(CENSUS, "")) for each in asked.options}
    return {name: share for name, share in given.items() if share is not None}


def age_and_sex(db: Connection, counts: Mapping[str, int], script: Script) -> list[Share]:
    """By both at once, where the table of ages is parted by sex; else nothing."""
    labels = _labels(_asked(script, "age"))
    blocks = ages.blocks(_spans(labels), _table(db))
    if not labels or any(block.row.men is None for block in blocks):
        return []
    cells = {
        (block, sex): sum(counts.get(f"{name} {sex}", 0) for name in block.names)
        for block, sex in product(blocks, SEXES)
    }
    of, people = sum(cells.values()), sum(block.row.people for block in blocks)
    if not of:
        return []
    return _guarded([
        Share(f"{SEXES[sex]}, {_years(block.row)}", count, of, _of_sex(block, sex) / people)
        for (block, sex), count in cells.items()
    ])  # fmt: skip


def _of_sex(block: Block, sex: str) -> int:
    return (block.row.women if sex == "mujer" else block.row.men) or 0


def _table(db: Connection) -> Sequence[Row]:
    return stored.read(db)[0] or age_files.shipped()


def _spans(labels: Mapping[str, str]) -> dict[str, Span]:
    """The ages of the choices that name some, by their words or their names."""
    found = {name: ages.span(label) or ages.span(name) for name, label in labels.items()}
    return {name: span for name, span in found.items() if span}


def _in_years(counts: Mapping[str, int]) -> dict[str, int]:
    """Ages in years, put together as questionnaires mostly ask for them."""
    found = dict.fromkeys(ages.USUAL, 0)
    for said, count in counts.items():
        for name, (start, end) in ages.USUAL.items():
            if said.isdecimal() and start <= int(said) <= (end or int(said)):
                found[name] += count
    return found


def _years(row: Row) -> str:
    return f"{row.start} o más" if row.end is None else f"{row.start} a {row.end}"


def _percent(written: str) -> float | None:
    try:
        return float(written.replace("%", "").replace(",", ".")) / 100
    except ValueError:
        return None
