"""The types of XLSForm, in all their spellings: what each is in a chat, or what to use instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dialogs.questions import ASKED, SILENT

SELECT = re.compile(
    r"^(?:add |q )?(?P<command>select[ _]?(?:one|multiple|all that apply|1)|rank)(?: prompt)?"
    r"(?:[ _](?P<outside>from[ _]file|external))?(?: (?:from|using))?"
    r" (?P<list>\S+)(?: (?P<other>or[ _](?:specify[ _])?other))?$",
    re.IGNORECASE,
)
FRAME = re.compile(r"^(begin|end)[ _](group|repeat|lgroup|looped group)$", re.IGNORECASE)
SAME = {
    "int": "integer",
    "string": "text",
    "date time": "datetime",
    "location": "geopoint",
    "gps": "geopoint",
    "photo": "image",
    "picture": "image",
    "trigger": "acknowledge",
    "start time": "start",
    "get start time": "start",
    "end time": "end",
    "get end time": "end",
    "get today": "today",
}
UNKNOWN_HERE = re.compile(  # what a phone with ODK knows of itself
    r"^(uri:|get )?(device ?id|imei|username|email|phone ?number|sim ?(serial|id)|subscriber ?id)$"
)
ONE_BY_ONE = "Ask its questions one after another, or use begin_repeat."
REFUSED = {
    "barcode": "Use text, and ask for the number below the bars.",
    "geotrace": "Use geopoint for one place, or text to describe the way.",
    "geoshape": "Use geopoint for one place, or text to describe the area.",
    "osm": "Use geopoint, and select_one for what is there.",
    "video": "Use audio, image or file.",
    "background-audio": "Use audio: people record what they mean to send.",
    "background-geopoint": "Use geopoint: people share a place when they are asked.",
    "start-geopoint": "Use geopoint: people share a place when they are asked.",
    "xml-external": "Attach the same data as a CSV file, with csv-external or pulldata().",
    "percentage": "Use integer with the constraint . >= 0 and . <= 100.",
    "include": "Copy the included rows into this form.",
    "begin loop": ONE_BY_ONE,
    "end loop": ONE_BY_ONE,
    "begin kobomatrix": ONE_BY_ONE,
    "end kobomatrix": ONE_BY_ONE,
    "begin matrix": ONE_BY_ONE,
    "begin score": "Use one select_one or range for each row.",
    "begin rank": "Use rank with a list of the choices sheet.",
    "cascading select": "Use select_one with a choice_filter.",
    "survey note": "Use note.",
}
DRAWN = ("signature", "draw", "annotate")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a cell of the type column says."""

    type: str  # of ours; begin_… and end_…; "" if it cannot be carried
    list_name: str = ""
    file: bool = False  # the list is a file
    other: bool = False  # with a last choice to specify
    unknown_here: bool = False
    cure: str = ""


def kind(written: str) -> Kind:
    """What a type means here; one that a chat cannot carry has a cure."""
    spelt = " ".join(written.split())
    if match := FRAME.match(spelt):
        inner = "group" if match[2].lower() == "group" else "repeat"
        return Kind(f"{match[1].lower()}_{inner}")
    if match := SELECT.match(spelt):
        return _select(match)
    bare = re.sub(r"^(q|add) | prompt$", "", spelt.lower())
    bare = SAME.get(bare, bare)
    if UNKNOWN_HERE.match(bare):
        return Kind("hidden", unknown_here=True)
    if bare in (*ASKED, *SILENT, "note", "audit", "csv-external") and "select" not in bare:
        return Kind(bare) if bare != "rank" else Kind("", cure="Write rank and the name of a list.")
    return Kind("", cure=_cure(bare))


def _select(match: re.Match[str]) -> Kind:
    command = match["command"].lower()
    type_ = "rank" if command == "rank" else "select_multiple"
    if command[-3:] == "one" or command[-1] == "1":
        type_ = "select_one"
    outside = (match["outside"] or "").lower()
    if match["list"].startswith("${"):
        return Kind("", cure="A list made of answers is not carried: use a list of choices.")
    return Kind(type_, match["list"], file="file" in outside, other=bool(match["other"]))


def _cure(bare: str) -> str:
    spaced = bare.replace("_", " ")
    for name, cure in REFUSED.items():
        if spaced == name.replace("_", " ") or spaced.startswith(f"{name} "):
            return cure
    if bare.startswith(("select", "rank")):
        return "Write the name of a list behind it, as in: select_one si_no."
    names = ", ".join((*ASKED, *SILENT, "note", "begin_group", "begin_repeat"))
    return f"Use one of: {names}."


def parameters(written: str) -> dict[str, str]:
    """ "start=1 end=5" by name; commas and semicolons part them too."""
    tidy = re.sub(r"\s*=\s*", "=", written)
    pairs = (part.partition("=") for part in re.split(r"[\s,;]+", tidy) if part)
    return {name.lower(): value for name, _, value in pairs}


PARAMETERS = frozenset(
    (
        *("randomize", "seed", "start", "end", "step", "max-length", "value", "label"),
        # ignored knowingly: how a phone takes pictures, places and notes, or draws the question
        *("max-pixels", "quality", "rows", "capture-accuracy", "warning-accuracy", "app"),
        *("allow-mock-accuracy", "incremental", "tick_interval", "tick-interval", "placeholder"),
        *("tick_labelset", "tick-labelset", "track-changes", "identify-user", "location-priority"),
        *("location-min-interval", "location-max-age", "track-changes-reasons", "countries"),
    )
)
