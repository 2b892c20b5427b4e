"""A CLIP tokenizer with a small vocabulary of its own: no hub is asked.

`merges.txt` was learnt once with the BPE trainer of `tokenizers` from the prompts of the styles. It is
kept as a file since the trainer breaks ties differently in every run.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77
"""Tokens, as in CLIP."""

MERGES = Path(__file__).with_name("merges.txt")


def make_tokenizer(scratch: Path, *, pad_token: str, merges: Path = MERGES) -> CLIPTokenizer:
    """Write CLIP's two files into `scratch`, and read them as any CLIP tokenizer is read."""
    text = merges.read_text(encoding="utf-8")
    vocabulary = {token: number for number, token in enumerate(_vocabulary(text))}
    (scratch / "vocab.json").write_text(json.dumps(vocabulary))
    (scratch / "merges.txt").write_text(text, encoding="utf-8")
    return CLIPTokenizer.from_pretrained(scratch, model_max_length=LENGTH, pad_token=pad_token)


def _vocabulary(text: str) -> list[str]:
    """In CLIP's order: bytes, bytes that end a word, merges, the two marks."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = text.splitlines()[1:]
    return [*alphabet, *(f"{byte}</w>" for byte in alphabet), *(merge.replace(" ", "") for merge in merges), START, END]
