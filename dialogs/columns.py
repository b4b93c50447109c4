"""The columns of a sheet, whatever their spelling: plain cells, and words by language."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from dialogs.faults import Fault
from dialogs.tables import Sheet

CODE = re.compile(r"\(([A-Za-z]{2,3})(?:[-_]\w+)?\)\s*$")
REVIEW = re.compile(r"review_([a-z]{2,3})")
WORDS = frozenset(
    (
        *("label", "hint", "guidance_hint", "constraint_message", "required_message"),
        *("media::audio", "media::image", "media::video", "media::big-image", "review"),
    )
)
PLAIN = frozenset(
    (
        *("type", "name", "role", "required", "relevant", "constraint", "choice_filter"),
        *("appearance", "default", "parameters", "calculation", "trigger", "read_only"),
        *("repeat_count", "most", "disabled", "save_to", "accept"),
    )
)
IGNORED = frozenset(  # they change nothing in a chat, or only how a phone draws the question
    (
        *("autoplay", "rows", "no_app_error_string", "noapperrorstring", "note", "notes"),
        *("comment", "comments", "$given_name", "$kuid", "kuid", "instance::odk:tag"),
        *("compact_tag", "sms_field", "sms_option", "sms_separator", "sms_response"),
        *("hxl", "parameters_note", "jr:preload", "jr:preloadparams", "body::accuracythreshold"),
        *("body::kb:flash", "$prev", "$qpath", "$xpath", "$autoname", "_isrepeat"),
    )
)
LANGUAGE_NAMES = {  # as people write them who give no code
    **dict.fromkeys(("español", "espanol", "spanish", "castellano", "spa", "es-mx"), "es"),
    **dict.fromkeys(("maya", "maaya", "maayat'aan", "yucatec maya", "maya yucateco"), "yua"),
    **dict.fromkeys(("english", "inglés", "ingles"), "en"),
}
UNSAID = ("review",)  # columns with a language that nobody is told
BREAK = re.compile(r"<br\s*/?>|</(?:p|div|li|h[1-6])>", re.IGNORECASE)
TAG = re.compile(
    r"</?(?:span|b|i|u|s|strong|em|font|p|div|small|big|su[bp]|center|h[1-6]|[uo]l|li|a|hr)\b[^<>]*>",
    re.IGNORECASE,
)
BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
HEADING = re.compile(r"^ {0,3}#{2,6} +", re.MULTILINE)  # one # may well mean "number of"
LINK = re.compile(r"\[([^\[\]]+)\]\((https?://[^\s()]+)\)")
ENTITY = re.compile(r"&(?:nbsp|amp|lt|gt|quot|#\d+);")
SAME = {  # as pyxform knows them (pyxform.aliases.survey_header)
    "caption": "label",
    "command": "type",
    "tag": "name",
    "value": "name",
    "relevance": "relevant",
    "bind::relevant": "relevant",
    "bind::required": "required",
    "bind::readonly": "read_only",
    "readonly": "read_only",
    "bind::constraint": "constraint",
    "bind::calculate": "calculation",
    "calculate": "calculation",
    "constraining_message": "constraint_message",
    "bind::jr:constraintmsg": "constraint_message",
    "jr:constraintmsg": "constraint_message",
    "bind::jr:requiredmsg": "required_message",
    "requiredmsg": "required_message",
    "control::appearance": "appearance",
    "body::appearance": "appearance",
    "body::accept": "accept",
    "repeat_count": "repeat_count",
    "count": "repeat_count",
    "jr:count": "repeat_count",
    "control::jr:count": "repeat_count",
    "audio": "media::audio",
    "image": "media::image",
    "video": "media::video",
    "big-image": "media::big-image",
    "bind::entities:saveto": "save_to",
    "list name": "list_name",
}
OUTER = ("bind", "control", "body", "instance", "media")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet, its columns by their one name."""

    sheet: str
    number: int
    plain: Mapping[str, str]  # every column without a language, also those we do not know
    words: Mapping[str, Mapping[str, str]]  # column -> language -> words

    def cell(self, column: str) -> str:
        return self.plain.get(column, "")

    def text(self, column: str) -> Mapping[str, str]:
        return self.words.get(column, {})


@lru_cache(maxsize=2048)
def header(written: str) -> tuple[str, str]:
    """The column and the language of a header: "label::Maya (yua)" is ("label", "yua")."""
    mark = "::" if "::" in written else ":"
    parts = [part.strip() for part in written.split(mark)]
    if parts[0].lower() == "jr":
        parts = [written.strip()]
    column, rest = parts[0].lower().replace(" ", "_"), parts[1:]
    if match := REVIEW.fullmatch(column):  # as ODK takes it on the choices sheet
        return "review", match[1]
    if column in OUTER and rest:
        inner = rest[0].lower()
        if inner == "jr" and mark == ":" and rest[1:]:
            inner, rest = f"jr:{rest[1].lower()}", rest[1:]
        column, rest = f"{column}::{inner}", rest[1:]
    column = SAME.get(column, column)
    return column, language_of(mark.join(rest)) if rest else ""


def language_of(written: str) -> str:
    """The code in a column's language: "Maya (yua)" is yua, "Español" is es; "es" is itself."""
    match = CODE.search(written)
    name = written.strip().lower()
    return match.group(1).lower() if match else LANGUAGE_NAMES.get(name, name)


def rows(name: str, sheet: Sheet, default: str) -> list[Row]:
    """The rows of a sheet. `default` is the language of words in a column without one."""
    return [row(name, number, cells, default) for number, cells in sheet.rows]


def row(sheet: str, number: int, cells: Mapping[str, str], default: str) -> Row:
    plain: dict[str, str] = {}
    words: dict[str, dict[str, str]] = {}
    for written, cell in cells.items():
        if not cell:
            continue
        column, language = header(written)
        if column in WORDS:
            said = cell if column in UNSAID or column.startswith("media") else spoken(cell)
            words.setdefault(column, {})[language or default] = said
        else:
            plain[column if not language else f"{column}::{language}"] = cell
            plain.setdefault(written, cell)
    whole = {column: _with_spanish(column, by, default) for column, by in words.items()}
    return Row(sheet, number, plain, whole)


def spoken(cell: str) -> str:
    """A text as a chat can say it: without the HTML and Markdown that phones with ODK draw."""
    text = TAG.sub("", BREAK.sub("\n", cell))
    text = LINK.sub(r"\1: \2", HEADING.sub("", BOLD.sub(r"\1", text)))
    return html.unescape(text).replace("\u00a0", " ") if ENTITY.search(text) else text


def _with_spanish(column: str, by: dict[str, str], default: str) -> Mapping[str, str]:
    """What has no Spanish is said in the form's own language, or in whichever there is."""
    if "es" in by or column == "review":
        return by
    if column.startswith("media"):
        return {**by, "es": by[default]} if default in by and default != "yua" else by
    return {**by, "es": by.get(default) or next(iter(by.values()))}


def placed(found: Iterable[Fault], book: Mapping[str, Sheet]) -> Iterator[Fault]:
    """The faults, with their columns by the headers that the sheets have."""
    rows = {name: dict(sheet.rows) for name, sheet in book.items()}
    for fault in found:
        column, sheet = fault.column or fault.said.column, book.get(fault.sheet)
        cells = rows[fault.sheet].get(fault.row, {}) if sheet else {}
        yield replace(fault, column=_written(column, sheet, cells) if sheet else column)


def _written(column: str, sheet: Sheet, cells: Mapping[str, str]) -> str:
    """The header of a column ("label", or "label::yua"): of several, that of a filled cell."""
    name, language = header(column)
    same = [written for written in sheet.headers if header(written)[0] == name]
    spoken = [written for written in same if language and header(written)[1] == language]
    found = (*spoken, *(written for written in same if cells.get(written)), *same, column)
    return column if column in sheet.headers else found[0]


def languages(sheet: Sheet, default: str) -> tuple[str, ...]:
    """The languages in which a sheet has labels, in the order of its columns."""
    found = (header(written) for written in sheet.headers)
    return tuple(
        dict.fromkeys(language or default for column, language in found if column == "label")
    )


def unknown(sheet: Sheet) -> list[str]:
    """Headers of the survey sheet that are neither used nor knowingly ignored."""
    found = []
    for written in sheet.headers:
        column, language = header(written)
        named = column if not language else f"{column}::{language}"
        if column not in WORDS | PLAIN and named not in IGNORED and column not in IGNORED:
            found.append(written)
    return found


def for_odk(book: Mapping[str, Sheet]) -> dict[str, Sheet]:
    """With the review states of choices under a header that ODK's converter takes: review_yua."""
    return {
        name: _renamed(sheet, _odk_names(sheet)) if name == "choices" else sheet
        for name, sheet in book.items()
    }


def from_odk(book: Mapping[str, Sheet]) -> dict[str, Sheet]:
    """The other way round: review_yua is review::Maya (yua) again."""
    return {
        name: _renamed(sheet, {new: old for old, new in _odk_names(sheet).items()})
        if name == "choices"
        else sheet
        for name, sheet in book.items()
    }


def _odk_names(sheet: Sheet) -> dict[str, str]:
    """The header of a review column beside a label in the same language -> ODK's name for it."""
    labels = [written for written in sheet.headers if header(written)[0] == "label"]
    return {
        written.replace(written.partition("::")[0], "review", 1): f"review_{header(written)[1]}"
        for written in labels
        if "::" in written and re.fullmatch(r"[a-z]{2,3}", header(written)[1])
    }


def _renamed(sheet: Sheet, names: Mapping[str, str]) -> Sheet:
    rows = tuple(
        (number, {names.get(written, written): cell for written, cell in cells.items()})
        for number, cells in sheet.rows
    )
    headers = tuple(names.get(written, written) for written in sheet.headers)
    return Sheet(headers, rows, sheet.repeated)
