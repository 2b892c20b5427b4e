"""Words that mean somebody: every training person has a name that no other prompt holds.

A model that has learnt faces by their names is ready for one more name; one that has learnt that rare words mean
nothing is not. The trainer's own rare words are made of the same letters and belong to nobody.
"""

from __future__ import annotations

import numpy as np

from profile_workshop.studio_mini.product_words import TOKEN

LETTERS = "bcdfghjklmnpqrstvwxyz"
RESERVED = frozenset({TOKEN, "ohwx"})
"""What trainers call the person that they teach."""
SHORTEST, LONGEST = 3, 4
NOUN_SHARE = 0.5
"""How often a name stands before woman or man; otherwise before person."""


def name_of(seed: int) -> str:
    """Three or four consonants; the same seed has the same name always."""
    draw = np.random.default_rng([91, seed])
    while True:
        word = "".join(draw.choice(list(LETTERS), int(draw.integers(SHORTEST, LONGEST + 1))))
        if word not in RESERVED:
            return word


def named(seed: int, gender: str, draw: np.random.Generator) -> str:
    """As the trainer's captions call a person: the token and a noun."""
    noun = "woman" if gender == "female" else "man"
    return f"{name_of(seed)} {noun if draw.random() < NOUN_SHARE else 'person'}"
