"""PromptReader: prompts as a network takes them, each read once; those longer than CLIP reads are cut into chunks.

CLIP reads 77 tokens, two of them marks. The networks look at as many as they are given, so nothing needs to be
dropped; the pooled text is that of the first chunk.
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch

from .errors import Refused
from .families.family import Family, TextEmbedding

# 1,200 tokens: an order's 2,000 characters of any usual text.
MOST_CHUNKS = 16
_MARKS = 2
# Chunks of the prompts that were read last. SDXL's embedding of one takes half a megabyte; people who are drawn in one
# style have the same words, and so have the candidates of a request.
MOST_KEPT = 64
# CLIP's tokenizers end each word's last token so.
_WORD_END = "</w>"


class PromptReader:
    """The text encoders of a pipeline, with tokenizers of its own. Safe for threads.

    A tokenizer keeps how it was last asked to cut, so that two callers at once get each other's answers: the pipeline's
    own are left to the thread that draws.
    """

    def __init__(self, family: Family, pipeline: Any) -> None:
        self._family = family
        self._tokenizers = [copy.deepcopy(getattr(pipeline, name)) for name in family.tokenizers]
        self._tokenizing = threading.Lock()
        self._encoders = [getattr(pipeline, name) for name in family.text_encoders]
        self._remembered: dict[tuple[str, int], TextEmbedding] = {}
        self._kept: OrderedDict[tuple[str, int], TextEmbedding] = OrderedDict()

    def remember(self, texts: Sequence[str], chunks: int) -> None:
        """Read prompts for good, at this length."""
        self._remembered |= {(text, chunks): self._row(text, chunks) for text in texts}

    def forget_encoders(self) -> None:
        """Let the encoders go: only what was read for good can be read afterwards."""
        self._encoders = []

    def chunks(self, text: str) -> int:
        """How many chunks a prompt takes, at least 1. Raises Refused above MOST_CHUNKS, naming what is too much."""
        counts = []
        with self._tokenizing:
            for tokenizer in self._tokenizers:
                chunks = _chunks(tokenizer, text)
                counts.append(len(chunks))
                if len(chunks) > MOST_CHUNKS:
                    dropped = _words(tokenizer, [token for chunk in chunks[MOST_CHUNKS:] for token in chunk])
                    raise Refused(
                        f"a prompt is too long: {MOST_CHUNKS} times {_room(tokenizer)} tokens are read. "
                        f"Shorten it; what would be dropped begins with {dropped[:120]!r}"
                    )
        return max(1, *counts)

    def read(self, texts: Sequence[str], chunks: int) -> TextEmbedding:
        """`tokens` (texts, chunks * 77, width), `pooled` (texts, width); short prompts are filled up.

        To be called from one thread.
        """
        rows = [self._remembered.get((text, chunks)) or self._kept_row(text, chunks) for text in texts]
        return TextEmbedding(torch.cat([row.tokens for row in rows]), torch.cat([row.pooled for row in rows]))

    def _kept_row(self, text: str, chunks: int) -> TextEmbedding:
        """One prompt, read unless it was lately; the longest unused give way."""
        row = self._kept.pop((text, chunks), None) or self._row(text, chunks)
        self._kept[text, chunks] = row
        while len(self._kept) > 1 and sum(length for _, length in self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return row

    def _row(self, text: str, chunks: int) -> TextEmbedding:
        """One prompt, its chunks behind one another."""
        with self._tokenizing:
            padded = [
                [_padded(tokenizer, chunk) for chunk in _chunks(tokenizer, text, least=chunks)]
                for tokenizer in self._tokenizers
            ]
        ids = [torch.tensor(rows, device=encoder.device) for rows, encoder in zip(padded, self._encoders, strict=True)]
        embedding = self._family.encode(self._encoders, ids)
        return TextEmbedding(embedding.tokens.reshape(1, -1, embedding.tokens.shape[-1]), embedding.pooled[:1])


def _room(tokenizer: Any) -> int:
    return int(tokenizer.model_max_length) - _MARKS


def _chunks(tokenizer: Any, text: str, least: int = 1) -> list[list[int]]:
    """Tokens without marks, cut between words where that can be; at least so many chunks, empty ones last."""
    ids = list(tokenizer(text, truncation=False, verbose=False).input_ids)[1:-1]
    names = tokenizer.convert_ids_to_tokens(ids)
    room = _room(tokenizer)
    chunks, begin = [], 0
    while begin < len(ids):
        end = min(begin + room, len(ids))
        if end < len(ids):
            ends = [place for place in range(begin + 1, end + 1) if names[place - 1].endswith(_WORD_END)]
            end = ends[-1] if ends else end
        chunks.append(ids[begin:end])
        begin = end
    return chunks + [[] for _ in range(least - len(chunks))]


def _words(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of tokens. A copy of a tokenizer no longer takes the words' ends away by itself."""
    return str(tokenizer.decode(ids)).replace(_WORD_END, " ").strip()


def _padded(tokenizer: Any, chunk: Sequence[int]) -> list[int]:
    marked = [tokenizer.bos_token_id, *chunk, tokenizer.eos_token_id]
    return marked + [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(marked))
