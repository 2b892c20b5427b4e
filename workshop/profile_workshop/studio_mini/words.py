"""The vocabulary of studio-mini: byte pairs learnt from its prompts and the styles', so that each fits 77 tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import yaml
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

WORDS = 1200
# CLIP's own way to cut text into words before pairs are merged, for Latin letters and digits.
PIECES = r"[a-z]+|[0-9]|[^\sa-z0-9]+"
HEADER = "#version: 0.2"


def style_texts(styles: Path) -> tuple[list[str], list[str]]:
    """Prompts and negative prompts of the ProfileStyles in a folder."""
    specs = [yaml.safe_load(path.read_text(encoding="utf-8"))["spec"] for path in sorted(styles.glob("*.yaml"))]
    return [spec["prompt"] for spec in specs], [spec["negativePrompt"] for spec in specs]


def learn_merges(corpus: Iterable[str]) -> str:
    """The content of CLIP's `merges.txt`. The trainer breaks ties differently in every run: keep what it gave."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.Split(" ", "removed"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(vocab_size=WORDS, end_of_word_suffix="</w>", show_progress=False, min_frequency=1)
    tokenizer.train_from_iterator(corpus, trainer)
    learnt = json.loads(tokenizer.to_str())["model"]["merges"]
    pairs = [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in learnt]
    return "\n".join([HEADER, *_reachable(pairs)]) + "\n"


def _reachable(pairs: Iterable[tuple[str, ...]]) -> list[str]:
    """Pairs whose parts exist: bytes, bytes that end a word, and what was merged before."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    known = {*alphabet, *(f"{byte}</w>" for byte in alphabet)}
    kept = []
    for left, right in pairs:
        if left in known and right in known and left + right not in known:
            known.add(left + right)
            kept.append(f"{left} {right}")
    return kept
