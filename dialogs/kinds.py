"""The types of XLSForm, in all their spellings: what each is in a chat, or what to use instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dialogs.faults import Said, said
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
REFUSED = {  # type -> the kind of faults.toml that says what to use instead
    "barcode": "use_barcode",
    "geotrace": "use_way",
    "geoshape": "use_area",
    "osm": "use_osm",
    "video": "use_audio_image",
    "background-audio": "use_audio",
    "background-geopoint": "use_geopoint",
    "start-geopoint": "use_geopoint",
    "percentage": "use_integer",
    "include": "use_copy",
    "begin loop": "use_one_by_one",
    "end loop": "use_one_by_one",
    "begin kobomatrix": "use_one_by_one",
    "end kobomatrix": "use_one_by_one",
    "begin matrix": "use_one_by_one",
    "begin score": "use_each_row",
    "begin rank": "use_rank",
    "cascading select": "use_filter",
    "text audit": "use_no_watch",  # of SurveyCTO, and what follows
    "audio audit": "use_no_watch",
    "speed violations": "use_no_watch",
    "sensor": "use_no_watch",
    "sensor statistic": "use_no_watch",
    "sensor stream": "use_no_watch",
    "caseid": "use_hidden",
    "comments": "use_text",
    "calculate here": "use_calculate",
    "survey note": "use_note",
}
EXTERNAL = {"csv-external": ".csv", "xml-external": ".xml"}  # type -> what its file ends with
DRAWN = ("signature", "draw", "annotate")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a cell of the type column says."""

    type: str  # of ours; begin_… and end_…; "" if it cannot be carried
    list_name: str = ""
    file: bool = False  # the list is a file
    external: bool = False  # the list is on the sheet external_choices
    other: bool = False  # with a last choice to specify
    unknown_here: bool = False
    cure: Said | None = None


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
    if bare in (*ASKED, *SILENT, "note", "audit", *EXTERNAL) and "select" not in bare:
        return Kind(bare) if bare != "rank" else Kind("", cure=said("rank_list"))
    return Kind("", cure=_cure(bare))


def small(written: str) -> str:
    """A type as ODK knows it, in small letters; names of lists and files stay as they are."""
    if match := SELECT.match(written):
        start, end = match.span("list")
        return written[:start].lower() + written[start:end] + written[end:].lower()
    return (
        written
        if written in ("dateTime", "Date Time") or not kind(written).type
        else (written.lower())
    )


def _select(match: re.Match[str]) -> Kind:
    command = match["command"].lower()
    type_ = "rank" if command == "rank" else "select_multiple"
    if command[-3:] == "one" or command[-1] == "1":
        type_ = "select_one"
    outside = (match["outside"] or "").lower()
    if match["list"].startswith("${"):
        return Kind("", cure=said("list_of_answers"))
    file, external = "file" in outside, outside == "external"
    return Kind(type_, match["list"], file, external, bool(match["other"]))


def _cure(bare: str) -> Said:
    spaced = bare.replace("_", " ")
    for name, cure in REFUSED.items():
        if spaced == name.replace("_", " ") or spaced.startswith(f"{name} "):
            return said(cure)
    if bare.startswith(("select", "rank")):
        return said("list_behind")
    names = ", ".join((*ASKED, *SILENT, "note", "begin_group", "begin_repeat"))
    return said("one_of", names=names)


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


FILES = {  # what a chat keeps -> how body::accept writes it
    "photo": (".jpg", ".jpeg", ".png", ".webp", "image/*", "image/jpeg", "image/png", "image/webp"),
    "pdf": (".pdf", "application/pdf"),
    "audio": (".mp3", ".ogg", ".opus", ".m4a", ".aac", ".amr", "audio/*"),
}


def accepted(written: str) -> frozenset[str]:
    """Which of the files that a chat keeps a cell of the column body::accept takes."""
    wanted = {part.strip().lower() for part in written.split(",")} - {""}
    if "*/*" in wanted:
        return frozenset(FILES)
    audio = {"audio"} if any(part.startswith("audio/") for part in wanted) else set()
    return frozenset({name for name, ways in FILES.items() if wanted & {*ways}} | audio)


def file_of(type_: str) -> str:
    """What a file is, by its declared type; "" if that says nothing."""
    if type_.startswith(("image/", "audio/")):
        return "photo" if type_.startswith("image/") else "audio"
    return "pdf" if type_ == "application/pdf" else ""
