"""Rows composed ahead by several processes: a fast device asks for more of them than it takes to compose one.

A ring of rows in memory that all processes see. Workers fill it and then go round again; whoever trains draws from what
is there, so that no row has to be waited for.
"""

from __future__ import annotations

import mmap
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import CLIPTokenizer

from profile_workshop.portraits.batches import TrainingRows, stacked
from profile_workshop.portraits.crowd import Crowd
from profile_workshop.studio_mini.compose import SIZE

PLANES = 3 * SIZE * SIZE
AT_ONCE = 16
"""Rows that a worker composes before it writes them."""


@dataclass(frozen=True)
class Ring:
    """Arrays of as many rows, shared with every process that is forked after they were made."""

    pictures: NDArray[np.uint8]
    poses: NDArray[np.uint8]
    faces: NDArray[np.float32]
    tokens: NDArray[np.int64]
    written: NDArray[np.int64]
    """(workers,): rows that each has written so far."""

    @staticmethod
    def of(rows: int, workers: int, length: int) -> Ring:
        return Ring(
            _shared((rows, 3, SIZE, SIZE), np.uint8),
            _shared((rows, 3, SIZE, SIZE), np.uint8),
            _shared((rows, 4), np.float32),
            _shared((rows, length), np.int64),
            _shared((workers,), np.int64),
        )


def _shared(shape: tuple[int, ...], kind: type[Any]) -> NDArray[Any]:
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    return np.frombuffer(mmap.mmap(-1, size), dtype=kind).reshape(shape)


class Stock:
    """A source of rows. Make it before the device is used for the first time: its workers are forked."""

    def __init__(self, crowd: Crowd, tokenizer: CLIPTokenizer, *, rows: int, workers: int, seed: int) -> None:
        """`rows` kept, a multiple of `workers`; another `seed`, other rows."""
        if rows % workers:
            raise ValueError(f"{rows} rows cannot be shared among {workers} workers")
        self._share = rows // workers
        self._ring = Ring.of(rows, workers, tokenizer.model_max_length)
        self._children = [self._fork(crowd, tokenizer, worker, seed) for worker in range(workers)]

    def rows(self, draw: np.random.Generator, count: int) -> TrainingRows:
        """Of those that are there by now; waits for the first of each worker."""
        while (least := int(self._ring.written.min())) < AT_ONCE:
            self._check()
            time.sleep(0.05)
        places = draw.integers(0, min(least, self._share), count)
        rows = places + draw.integers(0, len(self._ring.written), count) * self._share
        ring = self._ring
        return TrainingRows(
            *(torch.from_numpy(part[rows]) for part in (ring.pictures, ring.poses, ring.faces, ring.tokens))
        )

    def composed(self) -> int:
        """Rows composed so far, by all workers."""
        return int(self._ring.written.sum())

    def close(self) -> None:
        for child in self._children:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
        self._children = []

    def _check(self) -> None:
        """Raises RuntimeError if a worker has died: the ring would never be filled."""
        for child in self._children:
            if os.waitpid(child, os.WNOHANG) != (0, 0):
                self._children.remove(child)
                raise RuntimeError("a process that composes rows has ended")

    def _fork(self, crowd: Crowd, tokenizer: CLIPTokenizer, worker: int, seed: int) -> int:
        child = os.fork()
        if child:
            return child
        try:
            _compose(crowd, tokenizer, self._ring, worker, seed=seed)
        finally:
            # Never back into the code of whoever forked.
            os._exit(1)


def _compose(crowd: Crowd, tokenizer: CLIPTokenizer, ring: Ring, worker: int, *, seed: int) -> None:
    """Write rows into this worker's part of the ring, round and round, for as long as its parent lives."""
    # Threads of the parent are not here.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    parent = os.getppid()
    share = len(ring.pictures) // len(ring.written)
    draw = np.random.default_rng([57, seed, worker])
    while os.getppid() == parent:
        places = draw.choice(crowd.training, AT_ONCE)
        rows = stacked([crowd.row(int(place), draw) for place in places], tokenizer)
        start = int(ring.written[worker]) % share
        _write(ring, worker * share + (np.arange(start, start + AT_ONCE) % share), rows)
        ring.written[worker] += AT_ONCE


def _write(ring: Ring, places: NDArray[np.int64] | Sequence[int], rows: TrainingRows) -> None:
    ring.pictures[places] = rows.pictures.numpy()
    ring.poses[places] = rows.poses.numpy()
    ring.faces[places] = rows.faces.numpy()
    ring.tokens[places] = rows.tokens.numpy()
