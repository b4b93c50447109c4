"""Weights of letter groups, by logistic regression, that tell one kind of words from another."""

import math
import random
from collections import defaultdict

from dialogs.language import GROUPS, SCALE, features

ROUNDS = 4
STEP = 0.25
WORD_STEP = 1.0  # a whole word is met once a round, its letters in many words
SHRINK = 1e-5  # pulls weights that nothing needs towards zero
RAREST = 0.7  # how much weight the examples of a group must have
HEAVIEST = 100.0  # the most that one word counts, so that "de" does not drown the rest

Examples = dict[
    tuple[str, bool], float
]  # (word, whether it is the thing sought) and how much it counts


def weights(examples: Examples, slightest: float) -> dict[str, int]:
    """One whole number a letter group, in `SCALE`ths of log-odds; those near zero are left out."""
    groups = {word: features(word) for word, _ in examples}
    seen: dict[str, float] = defaultdict(float)
    for (word, _), count in examples.items():
        for group in set(groups[word]):
            seen[group] += count
    learned = {g: 0.0 for g, n in seen.items() if n >= RAREST * (1 if len(g) < 4 else 3)}
    known = {word: [g for g in found if g in learned] for word, found in groups.items()}
    _descend(learned, known, examples)
    return {g: round(SCALE * w) for g, w in sorted(learned.items()) if abs(w) >= slightest}


def _descend(learned: dict[str, float], known: dict[str, list[str]], examples: Examples) -> None:
    """AdaGrad, in an order that a seed fixes."""
    dice, order = random.Random(3), sorted(examples.items())  # nosec B311 # dice
    travelled = dict.fromkeys(learned, 0.5)
    for _ in range(ROUNDS):
        dice.shuffle(order)
        for (word, sought), count in order:
            found = known[word]
            score = max(-30.0, min(30.0, sum([learned[group] for group in found])))
            slope = (1 / (1 + math.exp(-score)) - sought) * min(count, HEAVIEST)
            if abs(slope) < 1e-4:
                continue
            for group in found:
                pull = slope + SHRINK * learned[group]
                travelled[group] += pull * pull
                step = STEP if len(group) <= GROUPS[-1] else WORD_STEP
                learned[group] -= step * pull / math.sqrt(travelled[group])
