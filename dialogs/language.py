"""Spanish, Yucatec Maya, or undecided: which language a message is in, and how sure that is.

A message's score is the sum of its words' scores; a word's score is the sum of the weights of its
letter groups (`features`), which `profiles/count.py` counted. Names and words that both languages
share weigh nothing. Words of a third language send the message to langdetect. docs/language.md
has the figures.
"""

import json
import math
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise, repeat
from pathlib import Path
from typing import Literal, NamedTuple

from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from langdetect.lang_detect_exception import LangDetectException

Language = Literal["es", "yua"]
Role = Literal["word", "name", "maybe name", "both", "nothing", "foreign"]

PROFILES = Path(__file__).parent / "profiles"
GROUPS = (2, 3, 4)  # letters; with one and five the model doubles and no figure moves
SCALE = 20  # the weights are whole twentieths: smaller to store, quicker to add
LONGEST_WORD = 40  # letters; what follows in a longer "word" is a held key or an attack
FIRM = 6.0  # the most one word may say: a loan or a name must not outvote a sentence
SLOPE = 0.8  # makes the score log-odds: read off the reliability table
CHANGE = 4.0  # log-odds that a change of language within a message must be worth
PRIOR = math.log(9)  # people keep to their language about nine times in ten
SURE = 0.55  # under this confidence the answer is: undecided
SUSPECT = 1.5  # log-odds of a third language from which langdetect is asked
FEW = 3  # words; on fewer langdetect guesses
THIRD_LANGUAGE = 0.9  # langdetect's own probability, above which it is believed
NEIGHBOURS = (
    "es", "ca", "de", "en", "fi", "fr", "hu", "id", "it", "nl", "pl", "pt", "ro", "sv", "sw", "tl",
    "tr",
)  # fmt: skip
LONGEST_PLACE = 8  # words

APOSTROPHES = "'’‘´ʼʻ`ꞌ′"
_STRAIGHT = str.maketrans(dict.fromkeys(APOSTROPHES, "'"))
_PLAIN = str.maketrans("áéíóúàèìòùü", "aeiouaeiouu")
WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{APOSTROPHES}]+(?=[^\W\d_]))*[{APOSTROPHES}]?")
_HELD_KEY = re.compile(r"(.)\1{2,}")  # "holaaaa" is "hola"
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|@\S+")
_LONG_VOWEL = re.compile("áa|ée|íi|óo|úu|aá|eé|ií|oó|uú")
_GRAVE = re.compile("[àèìòù]")
_LAUGHTER = re.compile("(?:j+[aeio]+){2,}j*|(?:h+[aei]+){2,}h*|(?:js){2,}j*|m[mh]*")
_ALIEN = re.compile("[^a-zñ']")


@dataclass(frozen=True, slots=True)
class Detection:
    """The language, or None for undecided; the confidence is the chance that it is right."""

    language: Language | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a message in one language; None where nothing tells."""

    text: str
    language: Language | None


class Word(NamedTuple):
    """What a word says by itself: above zero Maya, below zero Spanish."""

    score: float
    foreign: float  # above zero a third language, below zero one of ours
    role: Role
    plain: str  # folded, without accents


UNDECIDED = Detection(None, 0.0)


def detect(text: str, prior: str | None = None) -> Detection:
    """The language of a message; `prior` is the one its writer has used so far."""
    score = evidence(text)
    if score is None:
        return UNDECIDED
    score += {"es": -PRIOR, "yua": PRIOR}.get(prior or "", 0.0)
    confidence = 1 / (1 + math.exp(-abs(score)))
    if confidence < SURE:
        return UNDECIDED
    return Detection("yua" if score > 0 else "es", confidence)


def spans(text: str) -> tuple[Span, ...]:
    """The message cut where its language changes; the pieces together are the message (in NFC)."""
    text = _composed(text)
    if evidence(text) is None:
        return (Span(text, None),) if text else ()
    found = list(WORD.finditer(_without_addresses(text)))
    scores = [
        score or 0.0 for score in _telling([_weigh(match[0][:LONGEST_WORD]) for match in found])
    ]
    labels = _smoothed(scores)
    changes = [i for i in range(1, len(found)) if labels[i] != labels[i - 1]]
    cuts = [0, *(found[i].start() for i in changes), len(text)]
    return tuple(
        Span(text[start:end], labels[i])
        for (start, end), i in zip(pairwise(cuts), [0, *changes], strict=True)
    )


def evidence(text: str) -> float | None:
    """The log-odds of Maya over Spanish, or None where nothing in the text tells."""
    text = _composed(text)
    words = [_weigh(word[:LONGEST_WORD]) for word in WORD.findall(_without_addresses(text))]
    scores = [score for score in _telling(words) if score is not None]
    if not scores or _is_place(words) or _is_foreign(text, words):
        return None
    return SLOPE * sum(scores)


def features(word: str) -> list[str]:
    """A folded word's letter groups, its ends marked; then itself, and how its accents stand."""
    plain = word if word.isascii() else word.translate(_PLAIN)
    marked = f"^{plain}$"
    size = len(marked)
    groups = [marked[start : start + n] for n in GROUPS for start in range(size - n + 1)]
    if size > GROUPS[-1]:
        groups.append(marked)
    if plain != word:
        groups.append(_accents(word))
    return groups


def fold(word: str) -> str:
    """Small letters, one kind of apostrophe, no held keys; accents stay."""
    return _HELD_KEY.sub(r"\1", word[:LONGEST_WORD].lower().translate(_STRAIGHT))


def _accents(word: str) -> str:
    if _LONG_VOWEL.search(word):
        return "´long"  # Maya: áa
    if _GRAVE.search(word):
        return "´grave"  # Maya, in a linguist's spelling
    return "´last" if word[-1] in "áéíóú" else "´short"  # Spanish: está, día


@lru_cache(maxsize=8192)  # people repeat themselves: most words of a chat are found here
def _weigh(typed: str) -> Word:
    word = fold(typed)
    groups = features(word)
    plain = word if word.isascii() else word.translate(_PLAIN)
    role = _roles().get(plain, "word")
    if role == "maybe name" and not typed[0].isupper():
        role = "word"
    if role == "word" and _LAUGHTER.fullmatch(plain):
        role = "nothing"
    if role == "word" and not plain.isascii() and _ALIEN.search(plain):
        role = "foreign"
    foreign = FIRM if role == "foreign" else _sum(_weights("foreign"), groups)
    return Word(_sum(_weights("maya"), groups), foreign, role, plain)


def _sum(weights: dict[str, int], groups: list[str]) -> float:
    """The log-odds of a word, as far as one word may go."""
    total = sum(map(weights.get, groups, repeat(0))) / SCALE
    return max(-FIRM, min(FIRM, total))


def _telling(words: list[Word]) -> list[float | None]:
    """Each word's score, None where it says nothing; a word of both languages scores zero.

    A name that is also a word ("Chan", "Mama") is a name when written large within a sentence,
    or when all the others are names too.
    """
    only_names = not any(word.role == "word" for word in words)
    return [
        0.0
        if word.role == "both"
        else word.score
        if word.role == "word" or (word.role == "maybe name" and place == 0 and not only_names)
        else None
        for place, word in enumerate(words)
    ]


def _smoothed(scores: list[float]) -> list[Language]:
    """The likeliest labels when a change of language within a message costs `CHANGE`."""
    es = yua = 0.0  # the best so far that ends in Spanish, and in Maya
    came_from: list[tuple[Language, Language]] = []
    for score in scores:
        into_es: Language = "es" if es >= yua - CHANGE else "yua"
        into_yua: Language = "yua" if yua >= es - CHANGE else "es"
        es, yua = max(es, yua - CHANGE) - score, max(yua, es - CHANGE) + score
        came_from.append((into_es, into_yua))
    label: Language = "yua" if yua > es else "es"
    labels: list[Language] = []
    for into_es, into_yua in reversed(came_from):
        labels.append(label)
        label = into_yua if label == "yua" else into_es
    return labels[::-1]


def _is_place(words: list[Word]) -> bool:
    """Whether the whole text is a place of several words: "Tekal de Venegas"."""
    if len(words) > LONGEST_PLACE:
        return False
    return " ".join(word.plain for word in words) in _phrases()


def _is_foreign(text: str, words: list[Word]) -> bool:
    """Whether the letters are a third language's, and langdetect, which knows them, agrees."""
    foreign = [word.foreign for word in words if word.role in ("word", "foreign")]
    if len(foreign) < FEW or sum(foreign) < SUSPECT:
        return False
    asked = _langdetect().create()
    asked.append(text)
    try:
        likeliest = asked.get_probabilities()[0]
    except (LangDetectException, IndexError):  # nothing that it could read
        return False
    return likeliest.lang not in ("es", "yua") and bool(likeliest.prob > THIRD_LANGUAGE)


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _without_addresses(text: str) -> str:
    """The same length, so that positions stay."""
    if "@" not in text and "://" not in text and "www." not in text:
        return text
    return _ADDRESS.sub(lambda match: " " * len(match[0]), text)


@cache
def _weights(name: str) -> dict[str, int]:
    text = (PROFILES / f"{name}.json").read_text("utf-8")
    weights: dict[str, int] = json.loads(text, parse_int=cache(int))
    return weights


@cache
def _names() -> dict[str, str]:
    return tomllib.loads((PROFILES / "names.toml").read_text("utf-8"))


@cache
def _roles() -> dict[str, Role]:
    """What a listed word is; where the lists share one, the last named here decides."""
    lists: tuple[tuple[str, Role], ...] = (
        ("foreign", "foreign"),
        *((names, "name") for names in ("languages", "given", "surnames", "places")),
        ("also_words", "maybe name"),
        ("sounds", "nothing"),
        ("both", "both"),
    )
    return {word: role for name, role in lists for word in _names()[name].split()}


@cache
def _phrases() -> frozenset[str]:
    return frozenset(" ".join(phrase.split()) for phrase in _names()["phrases"].split(";"))


@cache
def _langdetect() -> DetectorFactory:
    """langdetect with our Maya profile beside some of its own: all would take 60 MB and 0.8 s."""
    factory = DetectorFactory()
    factory.set_seed(0)  # without it, a second look may answer otherwise
    paths = [Path(PROFILES_DIRECTORY) / name for name in NEIGHBOURS]
    paths += [PROFILES / "langdetect_yua", PROFILES / "langdetect_nah"]
    factory.load_json_profile([path.read_text("utf-8") for path in paths])
    return factory
