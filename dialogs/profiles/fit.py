"""Weights for letter groups, by logistic regression, so that they tell Maya words from Spanish."""

import math
import random
from collections import defaultdict

from dialogs.language import LONGEST_GROUP, SCALE, features

ROUNDS = 4
STEP = 0.25
WORD_STEP = 1.0  # a whole word is met once a round, its letters in many words
SHRINK = 1e-5  # pulls weights that nothing needs towards zero
SLIGHTEST = 0.2  # weights nearer to zero than this are left out: half of them, and no figure moves
RAREST = 0.7  # how much weight the examples of a group must have
HEAVIEST = 100.0  # the most that one word counts, so that "de" does not drown the rest

Examples = dict[tuple[str, bool], float]  # (word, is it Maya) and how much it counts


def weights(examples: Examples) -> dict[str, int]:
    """One whole number a letter group, in `SCALE`ths of log-odds, Maya above zero."""
    groups = {word: features(word) for word, _ in examples}
    seen: dict[str, float] = defaultdict(float)
    for (word, _), count in examples.items():
        for group in set(groups[word]):
            seen[group] += count
    learned = {g: 0.0 for g, n in seen.items() if n >= RAREST * (1 if len(g) < 4 else 3)}
    known = {word: [g for g in found if g in learned] for word, found in groups.items()}
    _descend(learned, known, examples)
    return {g: round(SCALE * w) for g, w in sorted(learned.items()) if abs(w) >= SLIGHTEST}


def _descend(learned: dict[str, float], known: dict[str, list[str]], examples: Examples) -> None:
    """AdaGrad, in an order that a seed fixes."""
    dice, order = random.Random(3), sorted(examples.items())  # noqa: S311 (no secret)
    travelled = dict.fromkeys(learned, 0.5)
    for _ in range(ROUNDS):
        dice.shuffle(order)
        for (word, is_maya), count in order:
            found = known[word]
            score = max(-30.0, min(30.0, sum([learned[group] for group in found])))
            slope = (1 / (1 + math.exp(-score)) - is_maya) * min(count, HEAVIEST)
            if abs(slope) < 1e-4:
                continue
            for group in found:
                pull = slope + SHRINK * learned[group]
                travelled[group] += pull * pull
                step = STEP if len(group) <= LONGEST_GROUP else WORD_STEP
                learned[group] -= step * pull / math.sqrt(travelled[group])
