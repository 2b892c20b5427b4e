"""The words of the model: byte pairs learnt from its prompts, the styles' and the trainer's captions.

Names are left out: a name is then spelt letter by letter, and so is every other rare word, of which the model has seen
all letters.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from transformers import CLIPTokenizer

from profile_models.tokenizer import make_tokenizer
from profile_workshop.portraits.crowd import Crowd
from profile_workshop.studio_mini import words
from profile_workshop.studio_mini.product_words import product_texts

PROMPTS = 3000


def learn(crowd: Crowd, styles: Path) -> str:
    """The content of CLIP's `merges.txt`; keep it, since no two runs give the same."""
    draw = np.random.default_rng(17)
    places = draw.choice(crowd.training, PROMPTS)
    known = [crowd.row(int(place), draw, called=False).prompt for place in places]
    prompts, unwanted = words.style_texts(styles)
    # Texts of the product stand for many: each is said rarely here and always there.
    return words.learn_merges([*known, *(50 * [*prompts, *unwanted, *product_texts("person")])])


def tokenizer_of(merges: Path) -> CLIPTokenizer:
    """Raises FileNotFoundError where the words were not learnt yet."""
    with tempfile.TemporaryDirectory() as scratch:
        return make_tokenizer(Path(scratch), pad_token="<|endoftext|>", merges=merges)  # noqa: S106


def unwanted_texts(styles: Path) -> list[str]:
    """The styles' negative prompts, and shorter ones out of their words."""
    _, negative = words.style_texts(styles)
    phrases = sorted({phrase for text in negative for phrase in text.split(", ")})
    # Whole ones above all: they are what guidance moves away from.
    return [*(8 * negative), *(", ".join(phrases[start::5]) for start in range(5)), *phrases]
