"""The engine: orders in, pictures out."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from profile_contract.generation import GenerationOrder

from .adapter_file import AdapterWeights
from .adapter_store import AdapterStore
from .config import EngineConfig
from .files import Files
from .pictures import encode_png, read_picture
from .pipeline import Pipeline
from .rows import Piece, Row, pieces_of, shape_of
from .slot_bank import SlotBank

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """One candidate: `png` is its file, 8 bit RGB, with no metadata."""

    seed: int
    key: str
    png: bytes

    @property
    def sha256(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self.png).hexdigest()


@dataclass(frozen=True)
class Fetched:
    """An order with everything that it grants in memory. `tier` is where its adapter was: slot, host or store."""

    pieces: tuple[Piece, ...]
    tier: str
    seconds: float


class Engine:
    """Draws orders with one base model and the adapters of many people.

    `fetch` and `forget` may be called from any thread; `draw`, `clear` and `generate` from one thread at a time.
    """

    def __init__(self, config: EngineConfig, pipeline: Pipeline, bank: SlotBank) -> None:
        self.config = config
        self._pipeline, self._bank = pipeline, bank
        self._adapters = AdapterStore(bank.layers, config.maximum_rank, config.host_cache_megabytes << 20)

    @classmethod
    def load(cls, config: EngineConfig) -> Engine:
        """Load the models. Raises FileNotFoundError if one is not there, ValueError if it does not fit."""
        started = time.monotonic()
        pipeline = Pipeline.load(config)
        bank = SlotBank(pipeline.unet, config.slots, config.maximum_rank)
        log.info("models loaded in %.1f s on %s (%s)", time.monotonic() - started, pipeline.device, pipeline.dtype)
        return cls(config, pipeline, bank)

    @property
    def device(self) -> str:
        """Name of the accelerator, or `cpu`."""
        return self._pipeline.device_name

    @property
    def has_control(self) -> bool:
        """Whether orders may bring poses."""
        return self._pipeline.has_control

    def generate(self, order: GenerationOrder, files: Files) -> list[Drawn]:
        """Draw one order by itself; the candidates come in the order of its items.

        Raises Refused, Denied, Expired or Unavailable.
        """
        drawn: dict[int, Drawn] = {}
        for piece in self.fetch(order, files).pieces:
            for start in range(0, len(piece.rows), self.config.batch):
                part = Piece(piece.shape, piece.rows[start : start + self.config.batch], piece.adapter)
                drawn |= {row.index: one for row, one in zip(part.rows, self.draw([part])[0], strict=True)}
        return [drawn[index] for index in sorted(drawn)]

    def fetch(self, order: GenerationOrder, files: Files) -> Fetched:
        """Get what the order grants and check it. Blocks on `files`; raises as `generate` does."""
        started = time.monotonic()
        pieces = pieces_of(order, has_control=self.has_control)
        adapter: AdapterWeights | None = None
        tier = "none"
        if order.adapter is not None:
            adapter, tier = self._adapters.get(order.adapter, files)
            tier = "slot" if self._bank.holds(adapter.sha256) else tier
        size = (order.width, order.height)
        rows = [
            Row(
                index=index,
                seed=item.seed,
                key=item.key,
                prompt=item.prompt,
                negative_prompt=item.negative_prompt,
                pose=read_picture(files, item.pose, size) if item.pose else None,
                initial_image=read_picture(files, item.initial_image, size, smooth=True) if item.initial_image else None,
            )
            for index, item in enumerate(order.items)
        ]
        filled = tuple(
            Piece(shape_of(order, has_pose=has_pose), tuple(rows[index] for index in indices), adapter)
            for has_pose, indices in pieces.items()
        )
        return Fetched(filled, tier, time.monotonic() - started)

    def draw(self, pieces: Sequence[Piece]) -> list[list[Drawn]]:
        """Draw pieces of one shape as one batch, each row from its own seed; one list a piece.

        What a row becomes does not depend on the rows beside it (within the arithmetic's rounding).
        """
        names = self._bank.activate([piece.adapter for piece in pieces], [piece.shape.weight for piece in pieces])
        rows = [row for piece in pieces for row in piece.rows]
        row_names = [name for piece, name in zip(pieces, names, strict=True) for _ in piece.rows]
        with self._bank.rows(row_names, doubled=pieces[0].shape.guided):
            pictures = iter(self._pipeline.draw(pieces[0].shape, rows))
        return [[Drawn(row.seed, row.key, encode_png(next(pictures))) for row in piece.rows] for piece in pieces]

    def forget(self, digests: Sequence[str]) -> int:
        """Drop adapters from host memory; returns how many copies went. Slots: `clear`."""
        return self._adapters.forget(digests)

    def clear(self, digests: Sequence[str]) -> int:
        """Wipe the slots that hold these adapters; returns how many."""
        return self._bank.clear(digests)
