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
from pathlib import Path
from typing import Literal, NamedTuple

from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from langdetect.lang_detect_exception import LangDetectException

Language = Literal["es", "yua"]
Role = Literal["word", "name", "maybe name", "both", "nothing", "foreign"]

PROFILES = Path(__file__).parent / "profiles"
LONGEST_GROUP = 4  # letters; with 5 the model doubles and no figure moves
SCALE = 20  # the weights are whole twentieths: smaller to store, quicker to add
LONGEST_WORD = 40  # letters; what follows in a longer "word" is a held key or an attack
FIRM = 6.0  # the most one word may say: a loan or a name must not outvote a sentence
SLOPE = 0.8  # makes the score log-odds: read off the reliability table
CHANGE = 4.0  # log-odds that a change of language within a message must be worth
PRIOR = math.log(9)  # people keep to their language about nine times in ten
SURE = 0.55  # under this confidence the answer is: undecided
FEW = 3  # words; on fewer langdetect guesses
FOREIGN_WORD = 2.0  # log-odds from which a word is taken for a third language's
THIRD_LANGUAGE = 0.9  # langdetect's own probability, above which it is believed
NEIGHBOURS = ("es", "ca", "de", "en", "fr", "it", "nl", "pl", "pt", "sv", "sw", "tl", "tr")
LONGEST_PLACE = 40  # letters

APOSTROPHES = "'’‘´ʼʻ`ꞌ′"
_STRAIGHT = str.maketrans(dict.fromkeys(APOSTROPHES, "'"))
_PLAIN = str.maketrans("áéíóúàèìòùâêîôûäëïöü", "aeiouaeiouaeiouaeiou")
WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{APOSTROPHES}]+(?=[^\W\d_]))*[{APOSTROPHES}]?")
_HELD_KEY = re.compile(r"(.)\1{2,}")  # "holaaaa" is "hola"
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|@\S+")
_LONG_VOWEL = re.compile("áa|ée|íi|óo|úu|aá|eé|ií|oó|uú")
_GRAVE = re.compile("[àèìòù]")
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
    found = list(WORD.finditer(_without_addresses(text)))
    labels = _smoothed(_telling([_weigh(match[0]) for match in found]))
    cuts = [0, *(found[i].start() for i in range(1, len(found)) if labels[i] != labels[i - 1])]
    names = [label for i, label in enumerate(labels) if i == 0 or label != labels[i - 1]] or [None]
    return tuple(
        Span(text[start:end], language)
        for start, end, language in zip(cuts, [*cuts[1:], len(text)], names, strict=True)
        if end > start
    )


def evidence(text: str) -> float | None:
    """The log-odds of Maya over Spanish, or None where nothing in the text tells."""
    text = _composed(text)
    words = [_weigh(word) for word in WORD.findall(_without_addresses(text))]
    scores = [score for score in _telling(words) if score is not None]
    if not scores or _is_place(text) or _is_foreign(text, words):
        return None
    return SLOPE * sum(scores)


def features(word: str) -> list[str]:
    """A folded word's letter groups, its ends marked, and how its accents are written."""
    plain = word.translate(_PLAIN)
    marked = f"^{plain}$"
    groups = [
        marked[start : start + size]
        for size in range(1, LONGEST_GROUP + 1)
        for start in range(len(marked) - size + 1)
    ]
    if len(marked) > LONGEST_GROUP:
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
    word, lists = fold(typed), _lists()
    plain = word.translate(_PLAIN)
    role: Role = "word"
    groups = features(word)
    score, foreign = _sum(_weights("maya"), groups), _sum(_weights("foreign"), groups)
    if _ALIEN.search(plain):
        foreign = FIRM
    if plain in lists["both"]:
        role = "both"
    elif plain in lists["sounds"]:
        role = "nothing"
    elif plain in lists["also words"]:
        role = "maybe name" if typed[0].isupper() else "word"
    elif plain in lists["names"]:
        role = "name"
    elif foreign > FOREIGN_WORD:
        role = "foreign"
    return Word(score, foreign, role)


def _sum(weights: dict[str, int], groups: list[str]) -> float:
    """The log-odds of a word, as far as one word may go."""
    total = sum([weights.get(group, 0) for group in groups]) / SCALE
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


def _smoothed(scores: list[float | None]) -> list[Language | None]:
    """The likeliest labels when a change of language within a message costs `CHANGE`."""
    if not any(scores):
        return [None] * len(scores)
    best, origins = (0.0, 0.0), []
    for score in (
        known or 0.0 for known in scores
    ):  # best = the best so far that ends in (Spanish, Maya)
        from_yua = (best[1] - CHANGE > best[0], best[1] >= best[0] - CHANGE)
        es = max(best[0], best[1] - CHANGE) - score
        yua = max(best[1], best[0] - CHANGE) + score
        best = (es, yua)
        origins.append(from_yua)
    maya = best[1] > best[0]
    labels: list[Language | None] = []
    for origin in reversed(origins):
        labels.append("yua" if maya else "es")
        maya = origin[maya]
    return labels[::-1]


def _is_place(text: str) -> bool:
    return (
        len(text) < LONGEST_PLACE
        and " ".join(fold(word).translate(_PLAIN) for word in WORD.findall(text))
        in _lists()["phrases"]
    )


def _is_foreign(text: str, words: list[Word]) -> bool:
    """Whether the letters are a third language's, and langdetect, which knows them, agrees."""
    foreign = sum([word.foreign for word in words])
    if foreign <= 0 or len(words) < FEW:
        return foreign > FOREIGN_WORD
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
    weights: dict[str, int] = json.loads((PROFILES / f"{name}.json").read_text("utf-8"))
    return weights


@cache
def _lists() -> dict[str, frozenset[str]]:
    """The small lists beside the weights, as sets of words."""
    names = tomllib.loads((PROFILES / "names.toml").read_text("utf-8"))
    return {
        "names": frozenset(
            " ".join(names[k] for k in ("places", "surnames", "given", "languages")).split()
        ),
        "also words": frozenset(names["also_words"].split()),
        "phrases": frozenset(phrase.strip() for phrase in names["phrases"].split(";")),
        "both": frozenset(names["both"].split()),
        "sounds": frozenset(names["sounds"].split()),
    }


@cache
def _langdetect() -> DetectorFactory:
    """langdetect with our Maya profile beside some of its own: all would take 60 MB and 0.8 s."""
    factory = DetectorFactory()
    factory.set_seed(0)  # without it, a second look may answer otherwise
    paths = [Path(PROFILES_DIRECTORY) / name for name in NEIGHBOURS]
    factory.load_json_profile([p.read_text("utf-8") for p in (*paths, PROFILES / "langdetect_yua")])
    return factory
