"""Whether somebody asks us to write no more: in Spanish, Maya or English, however it is spelled.
And whether they ask for a right of theirs in more words than the command has.

A short text asks for it if it holds one of the ways to say so (`stopping.toml`) and every other
word of it is one of courtesy, about messages or part of an excuse: "el alto costo del agua" has
words of its own. What can be meant for nobody but us needs only to end the text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain, product
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from dialogs.replies import plain
from dialogs.values import FORUM_KINDS

SEEN = 200  # characters: more than so many words have
LONGEST = 14  # words: whoever says more is telling us something
ALIKE = 84.0  # of 100: "mensages" is "mensajes"
LONG_ENOUGH = 6  # letters: in shorter words one letter makes another word
RIGHTS = ("erase", "correct", "return", "notice", "data")
SIGNS = frozenset("🛑🚫✋\ufe0f ")
SIGN = re.compile("[+🚫🛑]")
GLUED = re.compile(r"^(ya)?(no)(me|nos)?(?=escri[bv]|mand|molest|en[vb]i)")  # "yanomeescriban"
ENDING = re.compile(r"[ae][nrs]?$")  # "no molestan" tells, "no molesten" asks
ORDER = re.compile(r"n(me|nos|le)?$")  # dejen, quítenme; not: darme, baja
APART = re.compile(r"\bno\s*[,.;:!]+", re.IGNORECASE)  # "no, dejen de escribirme"
SENTENCE = re.compile(r"[?!.;…\n]+\s")
SOUNDS = (
    (r"(.)\1+", r"\1"), (r"qu(?=[ei])", "k"), (r"c(?=[eiy])", "s"), (r"g(?=[ei])", "j"),
    (r"[cq]", "k"), (r"h", ""), (r"v", "b"), (r"z", "s"), (r"y\b", "i"),
)  # fmt: skip


def asked(text: str) -> str | None:
    """The command that a text is if it asks to be spared something: "stop" is everything,
    "no_forums" every invitation, "no_forums_" with a kind of forum invitations to those alone."""
    return _asked(text[:SEEN])


@lru_cache(maxsize=64)  # a message is looked at several times on its way
def _asked(text: str) -> str | None:
    if text.strip() and set(text) <= SIGNS:
        return "stop"
    words = _words(text)
    if not 0 < len(words) <= LONGEST:
        return None
    for what in ("no_forums", "stop"):
        if _says(words, what):
            return what
    if _says(words, "alone", "courtesy") or _ends_so(words):
        return "stop"
    *before, last = SENTENCE.split(text.strip(" .!¡?¿…\n"))
    if before and _ends_so(_words(last)):  # a question before it governs nothing
        return "stop"
    return _of_a_kind(words)


def right(text: str) -> str:
    """The command that a text is if it asks to be forgotten, for what is known or what is done with
    it, to correct, or to come back; or ""."""
    return _right(text[:SEEN])


@lru_cache(maxsize=64)
def _right(text: str) -> str:
    words = _words(text)
    if not 0 < len(words) <= LONGEST:
        return ""
    return next((what for what in RIGHTS if _says(words, what)), "")


def _of_a_kind(words: Sequence[str]) -> str | None:
    """Somebody names one kind of forum, and of the rest it is invitations that they do not want.

    "Foros temáticos" stands for invitations to them; of a visit or a signing the invitation has
    to be named too, or "no más visitas" would not be heard as the answer that it may be.
    """
    known = _sayings()
    messages, invitations = known["messages"][0][0], _sound("invitaciones")
    for kind in FORUM_KINDS:
        for begin, end in _found(words, kind):
            named = [invitations] if any(_is(word, FORUMS) for word in words[begin:end]) else []
            rest = [*words[:begin], *named, *words[end:]]
            rest = [invitations if _is(word, messages) else word for word in rest]
            if _says(rest, "no_forums"):
                return f"no_forums_{kind}"
    return None


def _words(text: str) -> list[str]:
    short = _file()["short"]
    text = SIGN.sub(lambda sign: f" {short[sign[0]]} ", APART.sub(" ", text))
    words = [re.sub(r"[^\w]", "", word) for word in plain(text).split()]
    words = [word for word in words if word]
    if len(words) > 2 and all(len(word) == 1 for word in words):
        words = ["".join(words)]  # s.t.o.p.
    apart = (plain(short.get(word) or GLUED.sub(r"\1 \2 \3 ", word)).split() for word in words)
    return [_sound(word) for words in apart for word in words]


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
GOVERN = frozenset(map(_sound, ("que", "ojala", "cuando", "si", "para", "porque", "como")))
FORUMS = frozenset(map(_sound, ("foro", "foros", "forum", "forums")))
Saying = tuple[frozenset[str], ...]  # for each place the words that may stand there


@cache
def _file() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("stopping.toml").read_text(encoding="utf-8"))


@cache
def _sayings() -> Mapping[str, tuple[Saying, ...]]:
    ways: Mapping[str, Sequence[str]] = _file()["ways"]
    found = {
        what: tuple(dict.fromkeys(saying for line in lines for saying in _saying(line)))
        for what, lines in ways.items()
    }
    return {**found, "stop": (*found["sure"], *found["stop"])}


def _saying(line: str) -> Iterator[Saying]:
    """The ways that a line of the file stands for."""
    places = []
    for place in line.split():
        words = frozenset(_sound(plain(word)) for word in _named(place.rstrip("?")).split("|"))
        places.append(((words,), ()) if place.endswith("?") else ((words,),))
    for chosen in product(*places):
        yield tuple(chain(*chosen))


def _named(place: str) -> str:
    """A place with the words that its names stand for; names may stand within names."""
    while "{" in place:
        place = place.format(**_file()["words"])
    return place


@cache
def _beside(name: str) -> frozenset[str]:
    """The words that may stand beside a way."""
    return frozenset(word for way in _sayings()[name] for place in way for word in place)


def _says(words: Sequence[str], what: str, around: str = "around") -> bool:
    """Whether some way stands in the words as one piece, and nothing foreign around it."""
    ways = _found(words, what)
    if not ways:
        return False
    beside = _found(words, "excuse") + (_found(words, "alone") if what == "stop" else [])
    excused = {place for begin, end in beside for place in range(begin, end)}
    known = excused.union(*(range(begin, end) for begin, end in ways))
    if not all(place in known or _is(word, _beside(around)) for place, word in enumerate(words)):
        return False
    return any(
        not _denied([words[n] for n in range(begin) if n not in excused], words[begin:end], around)
        for begin, end in ways
    )


def _ends_so(words: Sequence[str]) -> bool:
    """Whether the text ends by asking us alone, whatever it says before: "no vivo ahí, ya no me
    escriban". An order needs no "que"; "que la gente no me escriba" is a wish."""
    around = _beside("around")
    for begin, end in _found(words, "sure"):
        before, after = words[:begin], words[end:]
        if all(_is(word, around) for word in after) and not GOVERN & set(before):
            return not _denied(before, words[begin:end], "around")
    return False


def _found(words: Sequence[str], what: str) -> list[tuple[int, int]]:
    """Where ways stand in the words."""
    return [
        (begin, end)
        for begin, word in enumerate(words)
        for way in _beginning(word).get(what, ())
        if (end := begin + len(way)) <= len(words)
        and all(map(_is, words[begin + 1 : end], way[1:]))
    ]


@lru_cache(maxsize=8192)
def _beginning(word: str) -> Mapping[str, Sequence[Saying]]:
    """The ways that begin with a word: most words begin none. Those that need no word of ours begin
    with just that one."""
    if not _is(word, _firsts()):
        return {}
    return {
        what: [way for way in ways if (word in way[0] if what == "alone" else _is(word, way[0]))]
        for what, ways in _sayings().items()
    }


@cache
def _firsts() -> frozenset[str]:
    return frozenset(word for ways in _sayings().values() for way in ways for word in way[0])


def _denied(before: Sequence[str], way: Sequence[str], around: str) -> bool:
    """Whether it is what is not wanted: "no dejen de escribirme", "no quiero darme de baja"."""
    if around == "courtesy":
        return "no" in before
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
