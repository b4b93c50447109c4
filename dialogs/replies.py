"""What a reply means: a number, a label or a near-miss, yes or no, a command."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import chain
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

from rapidfuzz import fuzz

from dialogs.questions import Option

APOSTROPHES = dict.fromkeys(map(ord, "'’‘´`ʼʹ′ʻ"), None)
SPOKEN = ("es", "yua", "en")
KM = 6371.0  # the earth's radius
NEAR = 72.0  # of 100: a candidate worth offering ("tixcocob" has 75 to Tixkokob)
SURE = 82.0  # of 100: in a short list, taken without asking back ("muger" has 80 to "mujer")
MARGIN = 8.0  # how far the second must stay behind for the first to be the only one
LONGEST = 300  # letters: what is longer names no choice, and is not held in memory to compare
LONG = 12  # more choices than this are not listed: people type
FEW_WORDS = 2  # in a part of a reply that names one thing more; longer ones tell about the first
BETWEEN = re.compile(r"[,;/\n+]|\b[yeou]\b", re.IGNORECASE)
COURTESIES = frozenset(
    ("gracias", "favor", "saludos", "nada", "mas", "solo", "si", "no", "claro", "bueno", "por")
)
FILLERS_TEXT = (
    "vivo en soy de del el la los las un una es mi municipio pueblo ciudad yuc yucatan "
    "mexico aqui opcion numero num respuesta quiero prefiero pues creo que"
)
FILLERS = frozenset(FILLERS_TEXT.split())
UNITS_TEXT = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce "
    "quince dieciseis diecisiete dieciocho diecinueve veinte"
)
UNITS = UNITS_TEXT.split()
NUMBERS = {
    **{word: value for value, word in enumerate(UNITS)},
    "una": 1,
    "primera": 1,
    "primero": 1,
    "segunda": 2,
    "segundo": 2,
    "tercera": 3,
    "tercero": 3,
    "cuarta": 4,
    "cuarto": 4,
    "quinta": 5,
    "quinto": 5,
    "treinta": 30,
    "cuarenta": 40,
    "cincuenta": 50,
    "sesenta": 60,
    "setenta": 70,
    "ochenta": 80,
    "cien": 100,
    "jun": 1,
    "jumpeel": 1,
    "kaa": 2,
    "kaapeel": 2,
    "oox": 3,
    "ooxpeel": 3,
    "kan": 4,
    "kanpeel": 4,
    "jo": 5,
    "jopeel": 5,
    "lajun": 10,
}
HALVES = frozenset(("medio", "media"))
SOUNDS = (
    ("dz", "ts"), ("ch", "x"), ("qu", "k"), ("c", "k"), ("q", "k"), ("z", "s"),
    ("h", "j"), ("v", "b"), ("w", "u"), ("y", "i"), ("ll", "i"),
)  # fmt: skip


def plain(text: str) -> str:
    """A text as it is compared: no capitals, accents, apostrophes, stops or leading slash."""
    return _plain_kept(text) if len(text) <= LONGEST else _plain(text)


def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFKD", text.translate(APOSTROPHES)).casefold()
    kept = "".join(
        sign if unicodedata.category(sign)[0] in "LNS" else " "
        for sign in bare
        if unicodedata.category(sign)[0] != "M"
    )
    return " ".join(kept.split())


_plain_kept = lru_cache(maxsize=4096)(_plain)


@cache
def _commands() -> Mapping[str, str]:
    """What a command is called, in any language -> the command."""
    path = Path(__file__).with_name("commands.toml")
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        plain(word): command
        for command, entry in found.items()
        for word in chain(*(entry.get(code, ()) for code in SPOKEN), _reviewed.get(command, ()))
    }


# Further ways to say a command that were reviewed since the program was made, by command. What it
# is shipped with is understood all the same.
_reviewed: dict[str, Sequence[str]] = {}


def take(reviewed: Mapping[str, Sequence[str]]) -> None:
    """Understand these words as commands too; a word that means another command stays that one."""
    _reviewed.clear()
    _commands.cache_clear()
    shipped = _commands()
    for name, words in reviewed.items():
        _reviewed[name] = [word for word in words if shipped.get(plain(word), name) == name]
    _commands.cache_clear()


def command(text: str) -> str:
    """The command that a text is, as a whole (help, back, skip, yes, stop…), or ""."""
    if len(text) > 60:
        return ""
    return _commands().get(plain(text.removeprefix("/")), "")


@dataclass(frozen=True, slots=True)
class Found:
    """The options a reply may mean; `sure` says that there is one and it needs no asking back."""

    options: tuple[Option, ...] = ()
    sure: bool = False
    named: bool = False  # whether each of several was named, where one may be chosen


def choice(options: Sequence[Option], text: str) -> Found:
    """The option that a reply names by number, label, name, yes or no, or nearly so."""
    said = plain(text)
    if not said or len(said) > LONGEST:
        return Found()
    if len(options) <= LONG and (place := _place(said, options)) is not None:
        return Found((options[place],), sure=True)
    exact = [option for option in options if said in _names(option)]
    if exact:
        return Found(tuple(exact), sure=len(exact) == 1 and not exact[0].columns.get("confirm"))
    if between := _between(options, said):
        return Found((between,), sure=True)
    if answer := _yes_no(options, text):
        return Found((answer,), sure=True)
    parts = [part for part in BETWEEN.split(text) if plain(part)]
    if len(parts) < 2:
        return _near(options, said)
    each = _once(part.options[0] for part in (choice(options, part) for part in parts) if part.sure)
    if len(each) > 1:
        return Found(each, named=True)
    found = _near(options, said)
    return replace(found, sure=found.sure and not _lists_more(found.options[0], parts))


def _lists_more(option: Option, parts: Sequence[str]) -> bool:
    """Whether a part is neither the option nor a courtesy: "luz" in "agua, luz" without a luz."""
    for part in map(plain, parts):
        words = {*part.split()} - FILLERS - COURTESIES
        own = {word for name in _names(option) for word in (name, *name.split())}
        near = (_nearness(word, other) >= NEAR for word in (part, *words) for other in own)
        if 0 < len(words) <= FEW_WORDS and not any(near):
            return True
    return False


def named(options: Sequence[Option], text: str) -> Option | None:
    """The one option whose name, label or alias is just what was said, bare numbers aside."""
    said = plain(text)
    found = [option for option in options if said in _names(option)]
    return found[0] if len(found) == 1 and not said.isdecimal() else None


def _place(said: str, options: Sequence[Option]) -> int | None:
    """The place that a number names: "2", "2.", "la 2", "opción dos", "2 No"."""
    words = said.split()
    numbers = [found for word in words if (found := number(word)) is not None]
    if len(numbers) != 1 or not 1 <= numbers[0] <= len(options):
        return None
    rest = " ".join(word for word in words if number(word) is None)
    option = options[numbers[0] - 1]
    only_number = all(word in FILLERS for word in rest.split())
    return numbers[0] - 1 if only_number or rest in _names(option) else None


@lru_cache(maxsize=1024)
def _spellings(labels: tuple[str, ...]) -> frozenset[str]:
    return frozenset(plain(label) for label in labels) - {""}


def _names(option: Option) -> frozenset[str]:
    """Every way to write an option out in full, in any language, as it is compared."""
    return _spellings(option.written)


def _yes_no(options: Sequence[Option], text: str) -> Option | None:
    """Between yes and no, any way to say so counts: "claro", "beey", "nel"."""
    by_name = {option.name: option for option in options}
    meant = command(text)
    if meant == "yes":
        return by_name.get("si") or by_name.get("yes")
    return by_name.get("no") if meant == "no" else None


@lru_cache(maxsize=4096)
def _sound(said: str) -> str:
    """Letters that sound alike in Yucatán's names, written alike: c/k, h/j, dz/ts, z/s."""
    said = " ".join(word for word in said.split() if word not in FILLERS) or said
    for written, heard in SOUNDS:
        said = said.replace(written, heard)
    return re.sub(r"(.)\1+", r"\1", said).replace(" ", "")


def _score(said: str, option: Option) -> float:
    """How near a reply is to an option, of 100."""
    return max((_nearness(said, name) for name in _names(option)), default=0.0)


@lru_cache(maxsize=8192)
def _nearness(said: str, name: str) -> float:
    words, names = set(said.split()) - FILLERS, set(name.split()) - FILLERS
    if words and names and (words == names or (len(name) > 3 and words < names)):
        return 96.0
    if names and names < words and len(name) > 3:
        return 90.0
    return max(fuzz.ratio(said, name), fuzz.ratio(_sound(said), _sound(name)) - 2.0)


def _between(options: Sequence[Option], said: str) -> Option | None:
    """The range that a number falls into: 25 is "18 a 29", 70 is "60 o más"."""
    numbers = [int(word) for word in said.split() if word.isdecimal() and len(word) < 10]
    if len(numbers) != 1 or numbers[0] <= len(options) <= LONG:
        return None
    inside = [option for option in options if _holds(option.label.get("es", ""), numbers[0])]
    return inside[0] if len(inside) == 1 else None


def _holds(label: str, number: int) -> bool:
    bounds = [int(found) for found in re.findall(r"\d{1,9}", label)]
    match plain(label).split()[:1], bounds:
        case ["menos"], [most]:
            return number < most
        case _, [least, most]:
            return least <= number <= most
        case _, [least] if "mas" in plain(label).split():
            return number >= least
        case _:
            return False


def _near(options: Sequence[Option], said: str) -> Found:
    ranked = sorted(((_score(said, option), -i) for i, option in enumerate(options)), reverse=True)
    near = [(score, options[-i]) for score, i in ranked[:4] if score >= NEAR]
    if not near:
        return Found()
    alone = len(near) == 1 or near[0][0] - near[1][0] >= MARGIN
    short = len(options) <= LONG
    if alone:
        whole = set(said.split()) - FILLERS <= {
            word for name in _names(near[0][1]) for word in name.split()
        }
        certain = near[0][0] >= SURE and (short or (near[0][0] >= 96 and whole and len(said) > 5))
        asked_back = bool(near[0][1].columns.get("confirm"))
        return Found((near[0][1],), sure=certain and not asked_back)
    return Found(tuple(option for _, option in near[:3]))


def several(options: Sequence[Option], text: str) -> tuple[Option, ...] | None:
    """The options that a reply names ("1, 3 y 5", "agua y salud"), or None if a part is unclear."""
    said = plain(text)
    if said in ("todas", "todos", "todo") and options:
        return tuple(options)
    numbers = [
        number(word) for word in said.split() if word not in ("y", "e", "la", "el", "opcion")
    ]
    if numbers and all(found is not None for found in numbers):
        inside = [found for found in numbers if found and 1 <= found <= len(options)]
        return _once(options[at - 1] for at in inside) if len(inside) == len(numbers) else None
    whole = _parts(options, text, r"[,;/\n]")
    finer = _parts(options, text, r"[,;/\n]|\b[ye]\b")
    return max((found for found in (whole, finer) if found), key=len, default=None)


def _parts(options: Sequence[Option], text: str, between: str) -> tuple[Option, ...] | None:
    """The option that each part of a reply surely means; "salud y 11" as a whole means but one."""
    found = [choice(options, part) for part in re.split(between, text) if plain(part)]
    return _once(part.options[0] for part in found) if all(part.sure for part in found) else None


def _once(options: Iterable[Option]) -> tuple[Option, ...]:
    return tuple({option.name: option for option in options}.values())


def number(word: str) -> int | None:
    """The whole number that a word is, in digits or letters."""
    if word.isdecimal() and len(word) <= 9:
        return int(word)
    return NUMBERS.get(word)


def integer(text: str) -> int | None:
    """The whole number that a reply holds: "12", "doce", "20 años"; None if none, or two."""
    bare = unicodedata.normalize("NFKC", text).strip()
    if re.fullmatch(r"[-+]?\d{1,3}(?:[ ,]\d{3})+", bare):
        return int(re.sub(r"[ ,]", "", bare))
    if re.search(r"\d[.,]\d", bare):
        return None
    numbers = [found for word in plain(bare).split() if (found := number(word)) is not None]
    if len(numbers) != 1:
        return None
    return -numbers[0] if re.search(r"-\s*\d", bare) else numbers[0]


def decimal(text: str) -> float | None:
    """The number that a reply holds, with a point or a comma: "2.5", "2,5", "1,500", "dos"."""
    bare = unicodedata.normalize("NFKC", text).strip()
    found = re.findall(r"[-+]?\d+(?:[.,]\d+)*", bare)
    if len(found) != 1 or not re.search(r"[.,]\d", found[0]):
        whole, half = integer(text), HALVES.intersection(plain(text).split())
        return None if whole is None else whole + 0.5 * bool(half)
    written = found[0]
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", written):
        return float(written.replace(",", ""))
    return float(written.replace(",", ".")) if len(re.findall(r"[.,]", written)) == 1 else None


def nearest(
    options: Sequence[Option], point: tuple[float, float], within: float = 60.0
) -> Option | None:
    """The option whose lat and lon lie nearest to a point, if within so many kilometres."""
    placed = [option for option in options if option.columns.get("lat")]
    if not placed:
        return None
    distance, option = min(
        ((_distance(point, option), option) for option in placed), key=lambda pair: pair[0]
    )
    return option if distance <= within else None


def _distance(point: tuple[float, float], option: Option) -> float:
    return distance(point, (float(option.columns["lat"]), float(option.columns["lon"])))


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Kilometres between two points (latitude, longitude), as the crow flies."""
    lat, lon = radians(other[0]), radians(other[1])
    lat2, lon2 = radians(one[0]), radians(one[1])
    chord = sin((lat2 - lat) / 2) ** 2 + cos(lat) * cos(lat2) * sin((lon2 - lon) / 2) ** 2
    return 2 * KM * asin(sqrt(chord))
