"""Whether somebody asks us to write no more: in Spanish, Maya or English, however it is spelled.
And whether they ask for a right of theirs in more words than the command has.

A short text asks for it if it holds one of the ways to say so (`stopping.toml`) and every other
word of it is one of courtesy or about messages: "el alto costo del agua" has words of its own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import product
from pathlib import Path

from rapidfuzz import fuzz

from dialogs.replies import plain
from dialogs.values import FORUM_KINDS

LONGEST = 14  # words: whoever says more is telling us something
ALIKE = 84.0  # of 100: "mensages" is "mensajes"
LONG_ENOUGH = 6  # letters: in shorter words one letter makes another word
RIGHTS = ("erase", "correct", "return", "data")
SIGNS = frozenset("🛑🚫✋\ufe0f ")
ENDING = re.compile(r"[ae][nrs]?$")  # "no molestan" tells, "no molesten" asks
ORDER = re.compile(r"n(me|nos|le)?$")  # dejen, quítenme; not: darme, baja
APART = re.compile(r"\bno\s*[,.;:!]+", re.IGNORECASE)  # "no, dejen de escribirme"
SOUNDS = (
    (r"(.)\1+", r"\1"), (r"qu(?=[ei])", "k"), (r"c(?=[eiy])", "s"), (r"g(?=[ei])", "j"),
    (r"[cq]", "k"), (r"h", ""), (r"v", "b"), (r"z", "s"), (r"y\b", "i"),
)  # fmt: skip


def asked(text: str) -> str | None:
    """The command that a text is if it asks to be spared something: "stop" is everything,
    "no_forums" every invitation, "no_forums_" with a kind of forum invitations to those alone."""
    if text.strip() and set(text) <= SIGNS:
        return "stop"
    words = _words(text)
    if not 0 < len(words) <= LONGEST or not all(map(_heard_of, words)):
        return None
    known = _sayings()
    for what in ("no_forums", "stop"):
        if _says(words, known[what], known["around"]):
            return what
    return _of_a_kind(words)


def right(text: str) -> str:
    """The command that a text is if it asks to be forgotten, for what is known, to correct, or to
    come back; or ""."""
    words = _words(text)
    if not 0 < len(words) <= LONGEST or not all(map(_heard_of, words)):
        return ""
    known = _sayings()
    return next((what for what in RIGHTS if _says(words, known[what], known["around"])), "")


def _of_a_kind(words: Sequence[str]) -> str | None:
    """Somebody names one kind of forum, and of the rest it is invitations that they do not want.

    "Foros temáticos" stands for invitations to them; of a visit or a signing the invitation has
    to be named too, or "no más visitas" would not be heard as the answer that it may be.
    """
    known, around = _sayings(), _sayings()["around"]
    messages, invitations = known["messages"][0][0], _sound("invitaciones")
    for kind in FORUM_KINDS:
        for way, begin in product(known[kind], range(len(words))):
            end = begin + len(way)
            if end > len(words) or not all(map(_is, words[begin:end], way)):
                continue
            named = [invitations] if any(_is(word, FORUMS) for word in words[begin:end]) else []
            rest = [*words[:begin], *named, *words[end:]]
            rest = [invitations if _is(word, messages) else word for word in rest]
            if _says(rest, known["no_forums"], around):
                return f"no_forums_{kind}"
    return None


def _words(text: str) -> list[str]:
    words = [re.sub(r"[^\w]", "", word) for word in plain(APART.sub(" ", text[:200])).split()]
    words = [word for word in words if word]
    if len(words) > 2 and all(len(word) == 1 for word in words):
        words = ["".join(words)]  # s.t.o.p.
    return [_sound(word) for word in words]


@lru_cache(maxsize=4096)
def _sound(word: str) -> str:
    """Letters that people take for one another, written alike."""
    for written, heard in SOUNDS:
        word = re.sub(written, heard, word)
    return word


SMALL = frozenset(map(_sound, ("me", "nos", "te", "se", "la", "el", "mi", "una", "de", "a")))
WANT = frozenset(map(_sound, ("quiero", "kiero", "kero", "deseo", "queremos", "pienso", "voy")))
WHOLE_TEXT = "no ni nunca jamas ya stop quit unsubscribe remove take leave"
WHOLE = frozenset(map(_sound, WHOLE_TEXT.split()))  # a "no" before these belongs to something else
FORUMS = frozenset(map(_sound, ("foro", "foros", "forum", "forums")))
Saying = tuple[frozenset[str], ...]  # for each place the words that may stand there


@cache
def _sayings() -> Mapping[str, tuple[Saying, ...]]:
    path = Path(__file__).with_name("stopping.toml")
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {what: tuple(map(_saying, lines)) for what, lines in found.items()}


def _saying(line: str) -> Saying:
    return tuple(frozenset(_sound(plain(word)) for word in place.split("|"))
                 for place in line.split())  # fmt: skip


@cache
def _vocabulary() -> frozenset[str]:
    ways = (way for ways in _sayings().values() for way in ways)
    return frozenset(word for way in ways for place in way for word in place)


@lru_cache(maxsize=8192)
def _heard_of(word: str) -> bool:
    """Whether any saying has such a word: most texts end here."""
    return _is(word, _vocabulary())


def _says(words: Sequence[str], ways: Sequence[Saying], around: Sequence[Saying]) -> bool:
    """Whether some way stands in the words as one piece, and nothing foreign around it."""
    for begin, way in product(range(len(words)), ways):
        end = begin + len(way)
        if end > len(words) or not all(map(_is, words[begin:end], way)):
            continue
        rest = (*words[:begin], *words[end:])
        if all(any(_is(word, other[0]) for other in around) for word in rest):
            return not _denied(words[:begin], words[begin:end])
    return False


def _denied(before: Sequence[str], way: Sequence[str]) -> bool:
    """Whether it is what is not wanted: "no dejen de escribirme", "no quiero darme de baja"."""
    left = [word for word in before if word not in SMALL]
    if way[0] in WHOLE:
        return False
    that = left[-1:] == ["ke"]  # "no quiero que borren", but: "no quiero, borren"
    left = left[: len(left) - that]
    if left and left[-1] in WANT and (that or not ORDER.search(way[0])):
        return left[-2:-1] == ["no"]
    return left[-1:] == ["no"] and len(way) > 1


@lru_cache(maxsize=8192)
def _is(word: str, meant: frozenset[str]) -> bool:
    if word in meant:
        return True
    if len(word) < LONG_ENOUGH:
        return False
    near = (
        other for other in meant if len(other) >= LONG_ENOUGH and abs(len(other) - len(word)) < 2
    )
    alike = (other for other in near if fuzz.ratio(word, other) >= ALIKE)
    return any(ENDING.sub("", other) != ENDING.sub("", word) for other in alike)
