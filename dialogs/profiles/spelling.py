"""How words are inflected, borrowed, mistyped and spelled in old ways: variants to be counted."""

import itertools
import random
import re
import unicodedata
from collections.abc import Iterator

VOWELS = "aeiou"
CONSONANTS = re.findall(r"[^ ]+", "b ch ch' j k k' l m n p p' s t t' ts ts' w x y '")
ACUTE = dict(zip(VOWELS, "áéíóú", strict=True))

SPANISH_SLIPS = (
    ("qu", "k", 0.3), ("v", "b", 0.3), ("b", "v", 0.1), ("ll", "y", 0.2), ("z", "s", 0.3),
    ("h", "", 0.2), ("c", "k", 0.06), ("ce", "se", 0.2), ("ci", "si", 0.2),
)  # fmt: skip
MAYA_SPELLINGS = (  # the friars wrote h, c, dz, pp and th; tourists and phones write the rest
    ("j", "h", 0.3), ("k(?!')", "c", 0.25), ("ts'", "dz", 0.35), ("ts(?!')", "tz", 0.15),
    ("p'", "pp", 0.15), ("t'", "th", 0.1), ("w", "u", 0.05), ("b", "v", 0.05), ("x", "sh", 0.03),
)  # fmt: skip
AS_MAYA_WRITES_IT = (
    ("qu(?=[eiéí])", "k"), ("gu(?=[eiéí])", "\0"), ("g(?=[eiéí])", "j"), ("\0", "g"),
    ("c(?=[eiéí])", "s"), ("c(?!h)", "k"), ("(?<!c)h", ""), ("z", "s"), ("v", "b"), ("ll", "y"),
    ("ñ", "ny"), ("ue", "we"), ("ua", "wa"), ("ie", "ye"), ("ia", "ya"),
)  # fmt: skip
LOAN_ENDINGS = ("o'ob", "e'", "o'", "il", "a'", "i'", "ik", "tik", "ta'al")


def bare(word: str) -> str:
    """Without accents and apostrophes (ñ loses its tilde only where the typist drops it too)."""
    return unaccented(word).replace("'", "")


def unaccented(word: str) -> str:
    kept = word.replace("ñ", "\0")
    letters = unicodedata.normalize("NFD", kept)
    return "".join(c for c in letters if not unicodedata.combining(c)).replace("\0", "ñ")


def inflected(stem: str, endings: list[str]) -> Iterator[tuple[str, float]]:
    """A Maya stem and its forms, with how often each counts. Before a vowel stand w- and y-."""
    vowel = unaccented(stem[0]) in VOWELS
    prefixed = [(stem, 1.0), ("w" + stem, 0.4), ("y" + stem, 0.6)] if vowel else [(stem, 1.0)]
    for form, share in prefixed:
        yield form, 5 * share
        for ending in endings:
            yield form + ending, share


def roots() -> Iterator[str]:
    """Every syllable that could be a Maya root: consonant, vowel, consonant."""
    vowels = [form for v in VOWELS for form in (v, v + v, ACUTE[v] + v, f"{v}'{v}")]
    for first, vowel, last in itertools.product(CONSONANTS[:-1], vowels, CONSONANTS):
        yield first + vowel + last


def loan(word: str, dice: random.Random) -> str:
    """A Spanish word as Maya borrows it: respelled, its stressed (or first) vowel lengthened."""
    for pattern, replacement in AS_MAYA_WRITES_IT:
        word = re.sub(pattern, replacement, word)
    if re.search("[áéíóú]", word):
        word = re.sub("[áéíóú]", lambda m: m[0] + unaccented(m[0]), word)
    elif dice.random() < 0.35:
        word = re.sub("[aeiou]", lambda m: ACUTE[m[0]] + m[0], word, count=1)
    elif dice.random() < 0.6:
        word = _stress_lengthened(word)
    return word + dice.choice(LOAN_ENDINGS) if dice.random() < 0.35 else word


def _stress_lengthened(word: str) -> str:
    vowels = [place for place, letter in enumerate(word) if letter in VOWELS]
    if len(vowels) < 2:
        return word
    place = vowels[-2] if word[-1] in "aeiouns" else vowels[-1]
    return word[:place] + word[place:][0] + word[place:]


def typed_spanish(word: str, dice: random.Random) -> str:
    """Spanish as typed in haste: no accents, b for v, k for qu, a letter lost or doubled."""
    word = bare(word)
    for right, wrong, chance in SPANISH_SLIPS:
        if right in word and dice.random() < chance:
            word = word.replace(right, wrong, 1)
    return slipped(word, dice) if dice.random() < 0.3 else word


def typed_maya(word: str, dice: random.Random) -> str:
    """Maya as typed: older letters, mostly without apostrophes, short vowels for long ones."""
    for new, old, chance in MAYA_SPELLINGS:
        if dice.random() < chance:
            word = re.sub(new, old, word)
    word = bare(word) if dice.random() < 0.7 else word
    word = re.sub(r"([aeiou])\1", lambda m: m[1] if dice.random() < 0.5 else m[0], word)
    return slipped(word, dice) if dice.random() < 0.25 else word


def slipped(word: str, dice: random.Random) -> str:
    """One letter lost, doubled, or changed with its neighbour."""
    if len(word) < 3:
        return word
    at = dice.randrange(1, len(word) - 1)
    kind = dice.random()
    if kind < 0.3:
        return word[:at] + word[at + 1 :]
    if kind < 0.55:
        return word[:at] + word[at] + word[at:]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
