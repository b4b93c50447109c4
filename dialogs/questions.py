"""A questionnaire as it is walked: its questions, their choices, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dialogs import logic
from dialogs.faults import Fault
from dialogs.values import Text

REFERENCE = re.compile(r"\$\{\s*([^}\s]+)\s*\}")
NUMBERS = ("integer", "decimal", "range")
MOMENTS = ("date", "time", "datetime")
CHOSEN = ("select_one", "select_multiple", "rank")
FILES = ("image", "file")
ASKED = (*CHOSEN, *NUMBERS, *MOMENTS, *FILES, "acknowledge", "text", "audio", "geopoint")
SILENT = ("calculate", "hidden", "start", "end", "today")
PERSONAL = ("text", "audio", *FILES, "geopoint", "hidden")  # words, files, where they are, who asks
BEFORE = ("consent", "spoken_consent", "rsvp")  # how roles begin that are no consultation yet
REPEAT_ROLE = "repeat"  # of the question "¿Otro más?" behind each instance of a repeat


class ScriptError(ValueError):
    """The questionnaire cannot be used; `faults` says everything that is wrong with it."""

    def __init__(self, file: str, faults: Sequence[Fault], *, unreadable: bool = False) -> None:
        super().__init__("\n".join(f"{file}, {fault}" for fault in faults))
        self.faults = tuple(faults)
        self.unreadable = unreadable


@dataclass(frozen=True, slots=True)
class Option:
    """A choice of a question; `columns` are the further columns of its row (lat, lon, alias…)."""

    name: str
    label: Text
    audio: Text
    columns: Mapping[str, str]
    image: Text = field(default_factory=dict)
    row: int = 0
    sheet: str = "choices"  # or the file that it stands in
    written: tuple[str, ...] = field(init=False)  # every way to write it out, in any language

    def __post_init__(self) -> None:
        aliases = self.columns.get("alias", "").split("|")
        object.__setattr__(self, "written", (self.name, *self.label.values(), *aliases))


@dataclass(frozen=True, slots=True)
class Question:
    """A row of the survey sheet that is said, asked or computed.

    Inside a repeat, `script.question("tema#2")` is the same row as its second instance asks it;
    "tema#2#1" is the first of a repeat within the second of another.
    """

    row: int
    type: str
    name: str
    label: Text
    hint: Text = field(default_factory=dict)
    guidance: Text = field(default_factory=dict)  # said to those who ask for help
    role: str = ""
    required: bool = False
    required_if: logic.Expression | None = None
    required_message: Text = field(default_factory=dict)
    relevant: tuple[logic.Expression, ...] = ()  # its own and its groups': all must hold
    constraint: logic.Expression | None = None
    constraint_message: Text = field(default_factory=dict)
    choice_filter: logic.Expression | None = None
    calculation: logic.Expression | None = None
    default: logic.Expression | str = ""
    trigger: tuple[str, ...] = ()
    read_only: bool = False
    options: tuple[Option, ...] = ()
    audio: Text = field(default_factory=dict)
    image: Text = field(default_factory=dict)
    appearance: str = ""
    accept: frozenset[str] = frozenset()  # of a file: photo, pdf, audio; empty: any of them
    parameters: Mapping[str, str] = field(default_factory=dict)
    repeat: str = ""  # the innermost that it is in
    instance: str = ""  # of the repeats, "2" or "2#1"; "" outside
    # What follows from the rest, found once: a turn asks it of every question.
    base: str = field(init=False)  # its name without the instance
    open: bool = field(init=False)  # any words, or a voice, are an answer
    silent: bool = field(init=False)  # nothing is said: its value is found, not asked
    computed: bool = field(init=False)  # its value follows from other answers, at any time
    asked: bool = field(init=False)  # it waits for an answer
    counted: bool = field(init=False)  # by "3 de 12", as what comes before the consultation is not

    def __post_init__(self) -> None:
        silent = self.type in SILENT or (self.calculation is not None and not self.label)
        computed = self.calculation is not None and not self.trigger
        asked = not (self.type == "note" or silent or self.read_only or computed)
        before = self.role in ("language", REPEAT_ROLE) or self.role.startswith(BEFORE)
        found = {
            "base": self.name.partition("#")[0],
            "open": self.type in ("text", "audio"),
            "silent": silent,
            "computed": computed,
            "asked": asked,
            "counted": asked and not before,
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part of the questionnaire that is asked once, and again for each further thing."""

    name: str
    first: int  # place of its first question
    size: int  # questions, with the one that asks whether there is another, if there is one
    relevant: tuple[logic.Expression, ...] = ()
    count: logic.Expression | None = None  # how many, where the form says so
    most: int = 20
    inside: frozenset[str] = frozenset()  # its own questions' names, without those of repeats in it
    chain: tuple[str, ...] = ()  # the repeats it is in, and itself
    row: int = 0  # of its begin_repeat


@dataclass(frozen=True, slots=True)
class Script:
    """A questionnaire that can be walked."""

    name: str
    version: int
    title: Text
    questions: tuple[Question, ...]
    languages: tuple[str, ...]
    drafts: int  # texts in Maya that nobody has reviewed
    pilot: bool = False
    places: Mapping[str, int] = field(default_factory=dict)  # question name -> place in questions
    read_names: frozenset[str] = frozenset()  # answers that an expression or a label needs
    personal: frozenset[str] = frozenset()  # those that are kept as what was said is: sealed
    repeats: Mapping[str, Repeat] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of all that is in repeats
    tables: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    dependents: Mapping[str, frozenset[str]] = field(default_factory=dict)  # who looks at a name
    settles: bool = False  # an answer may change others: computed, preset, or looked back at
    bilingual: bool = False  # it asks for the language itself; until then it speaks all of them
    copies: dict[str, Question] = field(default_factory=dict, compare=False, repr=False)  # cache
    stood: dict[tuple[str, ...], tuple[Option, ...]] = field(  # cache of which choices stand
        default_factory=dict, compare=False, repr=False
    )

    def question(self, name: str) -> Question:
        """The question of this name; with "#2", as the second instance of its repeat asks it."""
        base, _, instance = name.partition("#")
        found = self.questions[self.places[base]]
        return self.instance(found, instance) if instance else found

    def instance(self, question: Question, path: str) -> Question:
        key = f"{question.name}#{path}"
        if key not in self.copies:
            self.copies[key] = replace(question, name=key, instance=path)
        return self.copies[key]

    def place(self, question: Question) -> str:
        """Where it stands, as buttons carry it: "12", or "12#2" inside a repeat."""
        place = str(self.places[question.base])
        return f"{place}#{question.instance}" if question.instance else place
