"""A made questionnaire of the size and manner of WHO's verbal autopsy: 531 rows, 420 conditions.

Who died at what age is computed from two dates or from an age in units, and decides which third
of the form is asked; within it, symptoms open further symptoms, in groups within groups.
"""

from __future__ import annotations

from collections.abc import Iterator

NODES, CONDITIONS = 531, 420
HEAD = ("type", "name", "label", "relevant", "constraint", "calculation", "required", "appearance")
Row = tuple[str, ...]

LISTS = {
    "yes_no": ("yes", "no"),
    "yes_no_dk": ("yes", "no", "dk", "ref"),
    "sex": ("female", "male", "undetermined"),
    "ages": ("neonate", "child", "adult"),
    "units": ("days", "months", "years"),
    "spans": ("days", "months", "dk"),
    "where": ("face", "trunk", "arms", "legs", "everywhere", "dk"),
    "severity": ("mild", "moderate", "severe", "dk"),
}

DAYS = "decimal-date-time(${died_on}) - decimal-date-time(${born_on})"
HEADING = (
    ("note", "start_note", "Cuestionario de autopsia verbal"),
    ("select_one yes_no", "consent", "¿Da su consentimiento?"),
    ("begin_group", "consented", "Entrevista", "${consent} = 'yes'"),
    ("select_one sex", "sex", "¿Qué sexo tenía?"),
    ("select_one yes_no", "born_known", "¿Se sabe cuándo nació?"),
    ("date", "born_on", "¿Cuándo nació?", "${born_known} = 'yes'", ". <= today()"),
    ("select_one yes_no", "died_known", "¿Se sabe cuándo murió?"),
    ("date", "died_on", "¿Cuándo murió?", "selected(${died_known}, 'yes')",
     ". <= today() and (. >= ${born_on} or ${born_on} = '')"),
    ("calculate", "age_days", "", "", "",
     f"if(selected(${{born_known}}, 'yes') and selected(${{died_known}}, 'yes'), {DAYS}, '')"),
    ("select_one ages", "age_group", "¿Qué edad tenía?", "${age_days} = ''"),
    ("integer", "neonate_days", "¿Cuántos días?", "${age_group} = 'neonate'", ". >= 0 and . <= 27"),
    ("select_one units", "child_unit", "¿En qué unidad?", "${age_group} = 'child'"),
    ("integer", "child_days", "¿Cuántos días?", "${child_unit} = 'days'", ". >= 28 and . < 365"),
    ("integer", "child_months", "¿Meses?", "${child_unit} = 'months'", ". >= 1 and . <= 143"),
    ("integer", "child_years", "¿Años?", "${child_unit} = 'years'", ". >= 1 and . <= 11"),
    ("integer", "adult_years", "¿Años?", "${age_group} = 'adult'", ". >= 12 and . <= 120"),
    ("calculate", "age_years", "", "", "",
     "if(${age_days} != '', int(${age_days} div 365.25), coalesce(${adult_years}, "
     "coalesce(${child_years}, if(${child_months} != '', int(${child_months} div 12), 0))))"),
    ("calculate", "neonatal", "", "", "",
     "if((${age_days} != '' and ${age_days} < 28) or ${age_group} = 'neonate', 1, 0)"),
    ("calculate", "adult", "", "", "", "if(${age_years} >= 12, 1, 0)"),
    ("calculate", "child", "", "", "", "if(${neonatal} = 1 or ${adult} = 1, 0, 1)"),
)  # fmt: skip
SECTIONS = ("neonatal", "child", "adult")
ENDING = (
    ("select_one yes_no_dk", "certificate", "¿Hubo certificado?", "${age_days} != ''"),
    ("text", "certificate_number", "¿Su número?", "${certificate} = 'yes'",
     "regex(., '^[A-Z]{2}[0-9]{6}$')"),
    ("select_multiple where", "habits", "¿Dónde más?", "${adult} = 1",
     "not(selected(., 'dk') and count-selected(.) > 1)"),
    ("integer", "many_habits", "¿Cuántas veces?", "count-selected(${habits}) >= 3"),
    ("text", "story", "Cuéntenos lo que pasó"),
    ("text", "long_story", "¿Algo más?", "string-length(${story}) > 40"),
    ("end_group", "", ""),
    ("note", "thanks", "Gracias"),
)  # fmt: skip


def rows() -> list[Row]:
    """The survey sheet, by HEAD."""
    found: list[Row] = [*HEADING]
    budget = NODES - len(HEADING) - len(ENDING)
    sections = list(_sections())
    while sum(map(len, sections)) > budget:
        sections.pop()
    for section in SECTIONS:
        inner = [block for block in sections if block[0][1].startswith(section)]
        found += [row for block in inner for row in block]
    found += ENDING
    filler = NODES - len(found)
    notes = [("text", f"remark_{at}", "¿Algo que anotar?") for at in range(filler)]
    return [*found[: -len(ENDING)], *notes, *ENDING]


def _sections() -> Iterator[list[Row]]:
    """A block of each section in turn, so that all three are as long."""
    for at in range(60):
        for section in SECTIONS:
            yield list(_block(section, at))


def _block(section: str, at: int) -> Iterator[Row]:
    """A symptom that opens its length, its place and worse symptoms."""
    name, before = f"{section}_{at}", f"{section}_{at - 1}"
    when = f"${{{section}}} = 1"
    if section == "adult" and at % 5 == 4:
        when += " and ${sex} = 'female' and ${age_years} > 12 and ${age_years} < 50"
    elif at % 3 == 2:
        when += f" and (selected(${{{before}}}, 'no') or ${{{before}_worse}} = 'severe')"
    yield "begin_group", f"{name}_group", "", f"${{{section}}} = 1"
    yield "select_one yes_no_dk", name, f"¿Tuvo el síntoma {at}?", when
    yield "begin_group", f"{name}_more", "", f"${{{name}}} = 'yes'"
    yield "select_one spans", f"{name}_unit", "¿En qué unidad?", f"${{{name}}} != 'no'"
    yield ("integer", f"{name}_days", "¿Cuántos días?", f"selected(${{{name}_unit}}, 'days')",
           ". >= 0 and . <= 30")  # fmt: skip
    yield "integer", f"{name}_months", "¿Meses?", f"${{{name}_unit}} = 'months'", ". > 0 and . < 61"
    yield ("calculate", f"{name}_length", "", f"${{{name}_unit}} != 'dk'", "",
           f"if(${{{name}_months}} != '', ${{{name}_months}} * 30, ${{{name}_days}})")  # fmt: skip
    yield "select_one severity", f"{name}_worse", "¿Qué tan grave?", f"${{{name}_length}} >= 14"
    yield ("select_multiple where", f"{name}_where", "¿En qué parte?",
           f"${{{name}_worse}} = 'moderate' or ${{{name}_worse}} = 'severe'")  # fmt: skip
    where = f"${{{name}_where}}"
    yield ("text", f"{name}_else", "¿Qué más?",
           f"selected({where}, 'legs') and not(selected({where}, 'arms'))")  # fmt: skip
    yield "end_group", "", "", ""
    yield "end_group", "", "", ""


def markdown() -> str:
    table = [("survey",), ("", *HEAD), *(("", *row) for row in rows())]
    table += [("choices",), ("", "list_name", "name", "label")]
    table += [("", name, each, each) for name, listed in LISTS.items() for each in listed]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table) + "\n"
