"""How well `dialogs.language` does on a directory of labelled messages (TSV files), in figures.

For people who judge or change the detector; the bot itself never imports this. Each file has the
columns text, label (es, yua, mixed or ambig), source and n_words. An undecided answer is wrong,
but for messages labelled ambig, where it alone is right.
"""

import csv
import itertools
import random
import statistics
import subprocess  # nosec B404 # of this program itself
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dialogs.language import Detection, detect

SUREST = 0.95
PRIOR_IS_RIGHT = 0.9
SEED = 1  # of the priors that are wrong on purpose
BINS = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)  # confidence, the lower edges and the end
NOISES = {"clean": "", "apostrophes and accents dropped": "_noisy_mild", "texting": "_noisy_heavy"}
MILD = "_noisy_mild"

START = """
import time
start = time.perf_counter()
import dialogs.language
print(time.perf_counter() - start)
dialogs.language.detect("hola")
print(time.perf_counter() - start)
"""
MEMORY = """
import tracemalloc
tracemalloc.start()
import dialogs.language
dialogs.language.detect("hola")
print(tracemalloc.get_traced_memory()[1] / 2**20)
dialogs.language.detect("hello, how are you doing today?")
print(tracemalloc.get_traced_memory()[1] / 2**20)
"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message whose language somebody has said."""

    text: str
    label: str
    source: str
    words: int

    @property
    def matrix(self) -> str:
        """The language that carries the sentence: for code-mixed messages the source says it."""
        return next((m for m in ("es", "yua") if f"matrix={m}" in self.source), self.label)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report; `of` is how many messages it was counted on, 0 for a measurement."""

    name: str
    value: float
    unit: str = "%"
    of: int = 0


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers given with a confidence from `low` to `high`, and how many of them were right."""

    low: float
    high: float
    answers: int
    stated: float
    right: float


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a directory; `missing` names the files that were not there."""

    figures: tuple[Figure, ...]
    reliability: tuple[Bin, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*_figure_lines(self.figures), "", *_bin_lines(self.reliability)]) + (
            "\n\nnot there: " + ", ".join(self.missing) if self.missing else ""
        )


Answers = list[tuple[Labelled, Detection]]


def evaluate(directory: Path) -> Report:
    """Every figure that the files in the directory allow."""
    read = {name: messages(directory / f"{name}.tsv") for name in _names()}
    plain = {noise: read[f"sentences{end}"] + read[f"short{end}"] for noise, end in NOISES.items()}
    answers = {noise: _answered(found) for noise, found in plain.items()}
    mild = answers["apostrophes and accents dropped"]
    figures = [
        *(_accuracy(noise, found) for noise, found in answers.items()),
        *_by_length(answers["clean"]),
        _accuracy("one-word replies, accents dropped, without loans", _one_word(mild)),
        _accuracy("  the loans in Maya spelling among them", _loans(mild)),
        _accuracy("with a prior right nine times in ten", _with_prior([m for m, _ in mild])),
        _accuracy("answering only the surest 95 %", _surest(mild)),
        *_other_files(read),
        *_cost([message.text for message, _ in mild]),
    ]
    everything = [answer for found in answers.values() for answer in found]
    missing = tuple(f"{name}.tsv" for name, found in read.items() if not found)
    kept = tuple(figure for figure in figures if figure.of or figure.unit != "%")
    return Report(kept, tuple(reliability(everything)), missing)


def messages(path: Path) -> list[Labelled]:
    """The messages of a file; none where there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Labelled(r["text"], r["label"], r["source"], int(r["n_words"])) for r in rows]


def reliability(answers: Answers) -> Iterable[Bin]:
    """What a stated confidence was worth."""
    for low, high in itertools.pairwise(BINS):
        inside = [
            (message, found)
            for message, found in answers
            if found.language and low <= found.confidence and (found.confidence < high or high == 1)
        ]
        if inside:
            stated = statistics.fmean(found.confidence for _, found in inside)
            yield Bin(low, high, len(inside), 100 * stated, _share(_right(inside)))


def _names() -> list[str]:
    parts = ("sentences", "short", "mixed")
    noisy = [part + end for end in NOISES.values() for part in parts]
    others = ["es_hard", f"es_hard{MILD}", "toponyms_synthetic", "ambiguous", "names_ambiguous"]
    return noisy + others


def _answered(found: list[Labelled]) -> Answers:
    return [(message, detect(message.text)) for message in found]


def _right(answers: Answers) -> list[bool]:
    return [found.language == message.matrix for message, found in answers]


def _share(right: list[bool]) -> float:
    return 100 * sum(right) / len(right) if right else 0.0


def _accuracy(name: str, answers: Answers) -> Figure:
    return Figure(name, _share(_right(answers)), of=len(answers))


def _by_length(answers: Answers) -> list[Figure]:
    lengths = {"1 word": (1, 1), "2-3 words": (2, 3), "4-8 words": (4, 8), "9 and more": (9, 10**6)}
    return [
        _accuracy(f"  {name}", [a for a in answers if low <= a[0].words <= high])
        for name, (low, high) in lengths.items()
    ]


def _one_word(answers: Answers) -> Answers:
    return [a for a in answers if a[0].words == 1 and not a[0].source.startswith("gatitos-loan")]


def _loans(answers: Answers) -> Answers:
    return [a for a in answers if a[0].source.startswith("gatitos-loan")]


def _with_prior(found: list[Labelled]) -> Answers:
    dice = random.Random(SEED)  # nosec B311 # the same wrong priors in every run
    other = {"es": "yua", "yua": "es"}
    return [
        (m, detect(m.text, m.label if dice.random() < PRIOR_IS_RIGHT else other[m.label]))
        for m in found
    ]


def _surest(answers: Answers) -> Answers:
    by_confidence = sorted(answers, key=lambda answer: -answer[1].confidence)
    return by_confidence[: round(SUREST * len(answers))]


def _other_files(read: dict[str, list[Labelled]]) -> list[Figure]:
    bare = [detect(m.text) for name in ("ambiguous", "names_ambiguous") for m in read[name]]
    undecided = _share([found.language is None for found in bare])
    return [
        _accuracy("around Maya place names and surnames", _answered(read["toponyms_synthetic"])),
        _accuracy("Yucatán Spanish with typos", _answered(read["es_hard"])),
        _accuracy("  accents dropped", _answered(read[f"es_hard{MILD}"])),
        *(
            _accuracy(f"mixed messages by the language that carries them, {n}", _answered(read[f]))
            for n, f in ((noise, f"mixed{end}") for noise, end in NOISES.items())
        ),
        Figure(
            "undecided on what both languages share, and on bare names", undecided, of=len(bare)
        ),
    ]


def _cost(texts: list[str]) -> list[Figure]:
    """Time in this process, each text once; import and memory in fresh ones."""
    times = [_timed(detect, text) for text in texts]
    imported, ready = _printed(START)
    first, later = _printed(MEMORY)
    return [
        *([Figure("a message, median", 1e6 * statistics.median(times), "µs")] if times else []),
        Figure("import", 1e3 * imported, "ms"),
        Figure("import and first answer", 1e3 * ready, "ms"),
        Figure("memory", first, "MB"),
        Figure("memory, once langdetect was asked", later, "MB"),
    ]


def _printed(program: str) -> list[float]:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # nosec B603 # ours
    return [float(line) for line in done.stdout.split()]


def _timed(work: Callable[[str], object], text: str) -> float:
    start = time.perf_counter()
    work(text)
    return time.perf_counter() - start


def _figure_lines(figures: tuple[Figure, ...]) -> list[str]:
    return [
        f"{f.name:<72}{f.value:8.2f} {f.unit:<3}" + (f"{f.of:7}" if f.of else "") for f in figures
    ]


def _bin_lines(bins: tuple[Bin, ...]) -> list[str]:
    head = f"{'confidence':<16}{'answers':>9}{'stated %':>10}{'right %':>9}"
    return [head] + [
        f"{b.low:.2f} to {b.high:.2f}    {b.answers:>9}{b.stated:>10.1f}{b.right:>9.1f}  "
        + "█" * round(b.right / 5)
        for b in bins
    ]
