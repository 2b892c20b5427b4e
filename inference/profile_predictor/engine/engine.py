"""The engine: orders in, pictures out."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import torch

from profile_contract.generation import DetailOutcome, GenerationItem, GenerationOrder, LookGrant
from profile_contract.stages.order import RequestRef
from profile_draw.adapters.known_forms import LayerNames
from profile_draw.adapters.look_file import LookReader
from profile_draw.adapters.weights import AdapterWeights, LayerWeights, RowAdapters
from profile_draw.config import EngineConfig
from profile_draw.detail import FirstPass, redraw_faces
from profile_draw.errors import Broken, Refused
from profile_draw.fitting import row_of
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Piece, Row, Shape, check, chunks_of, pieces_of, shape_of
from profile_draw.safety import SafetyChecker
from profile_draw.upscaling import Upscaler
from profile_vision.faces import FaceReader, WeightsMissing
from profile_vision.files import png
from profile_vision.pixels import RGB, to_bgr

from .adapter_store import AdapterStore
from .at_once import RowsAtOnce
from .evictions import Evictions
from .files import Files
from .pictures import PictureReader

log = logging.getLogger(__name__)

# In the models folder.
VISION = "vision"
NO_FACES = (
    "a second pass over faces (detail) needs the networks that find them: put the folder 'vision' into the models, or "
    "let the style's detail.mode be Never"
)
NO_UPSCALER = (
    "the style wants pictures enlarged by {times}, and this predictor has no network for it: the platform team sets "
    "predictor.upscaler, or upscale is taken out of the style"
)


@dataclass(frozen=True)
class Drawn:
    """One candidate. `pixels`: height x width x 3, uint8 RGB. `detail`: what became of its second pass.

    `held_back`: the safety checker took it for one that nobody should be given; its pixels are black.
    """

    index: int
    seed: int
    key: str
    pixels: np.ndarray = field(repr=False, compare=False)
    detail: DetailOutcome | None = None
    held_back: bool = False

    @cached_property
    def png(self) -> bytes:
        """Its file, which says that a model drew it. Made when it is first asked for."""
        return png(to_bgr(RGB(self.pixels)))

    @cached_property
    def sha256(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self.png).hexdigest()


@dataclass(frozen=True)
class ReadyOrder:
    """An order with everything that it grants in memory. `tier`: where its adapter was (slot, host, store, none).

    `asked`: the moment of the order, on the monotonic clock.
    """

    pieces: tuple[Piece, ...]
    tier: str
    seconds: float
    asked: float = field(default_factory=time.monotonic)

    @property
    def digests(self) -> frozenset[str]:
        """The sha256 of every adapter that it is drawn with."""
        return frozenset().union(*(piece.digests for piece in self.pieces))


class Engine:
    """Draws orders with one base model and the adapters of many people.

    `fetch` and `forget` may be called from any thread; all others from one thread at a time. `faces` None: orders
    with a second pass over faces are refused; `upscaler` None: those that want larger pictures. `safety` None: no
    picture is held back.
    """

    def __init__(
        self,
        config: EngineConfig,
        pipeline: Pipeline,
        faces: FaceReader | None = None,
        *,
        upscaler: Upscaler | None = None,
        safety: SafetyChecker | None = None,
    ) -> None:
        self.config = config
        self._upscaler, self._safety = upscaler, safety
        self._pipeline, self._bank, self._faces = pipeline, pipeline.bank, faces
        limit = config.host_cache_megabytes << 20
        self._pictures = PictureReader()
        self._at_once = RowsAtOnce(pipeline.draw, pipeline.decode_in_tiles)
        self._evictions = Evictions(config.grant_seconds)
        sizes = self._bank.all_layers
        self.looks = LookReader(
            base_model=config.base_model,
            sizes=sizes,
            names=LayerNames(sizes, pipeline.webui_name),
            maximum_rank=config.maximum_rank,
            other_base=pipeline.other_base,
        )
        self._adapters = AdapterStore(
            self._bank.layers,
            config.maximum_rank,
            limit,
            pipeline.dtype,
            evictions=self._evictions,
            base_model=config.base_model,
            looks=self.looks,
        )

    @classmethod
    def load(cls, config: EngineConfig) -> Engine:
        """Load the models. Raises FileNotFoundError if one is not there, ValueError if it does not fit."""
        started = time.monotonic()
        pipeline = Pipeline.load(config)
        log.info("models loaded in %.1f s on %s (%s)", time.monotonic() - started, pipeline.device_name, pipeline.dtype)
        device = pipeline.device
        upscaler = Upscaler.load(config.models, config.upscaler, device) if config.upscaler else None
        safety = SafetyChecker.load(config.models, config.safety_checker, device) if config.safety_checker else None
        if safety is None:
            log.info("no safety checker is configured: no picture is held back")
        return cls(config, pipeline, _faces(config), upscaler=upscaler, safety=safety)

    @property
    def device(self) -> str:
        """Name of the accelerator, or `cpu`."""
        return self._pipeline.device_name

    @property
    def has_control(self) -> bool:
        """Whether orders may bring poses."""
        return self._pipeline.has_control

    @property
    def beside(self) -> dict[str, str]:
        """The networks beside the base model's, by their folders; "none" where there is none."""
        return {
            "upscaler": self._upscaler.name if self._upscaler is not None else "none",
            "safety_checker": self._safety.name if self._safety is not None else "none",
        }

    @property
    def native_size(self) -> tuple[int, int]:
        """Width and height that the base model was trained for."""
        return self._pipeline.native_size

    def warm_up(self) -> None:
        """Draw a step of the base model at its own size: the first order must not pay for what is made at first use.

        Where blocks are compiled, people are drawn as well, one and as many as there are rows or slots: with their
        adapters the blocks are others. Raises as `draw` does.
        """
        started = time.monotonic()
        width, height = self.native_size
        order = GenerationOrder(
            request=RequestRef(namespace="", name=""),
            items=[GenerationItem(seed=0, prompt="")],
            width=width,
            height=height,
            steps=1,
        )
        shape = shape_of(order, has_pose=False)
        self.draw([Piece(shape, (Row(index=0, seed=0, prompt=""),))])
        if self.config.compile:
            people = [self._nobody(number) for number in range(min(self.config.batch, self.config.slots))]
            for drawn in (people[:1], people):
                rows = [Row(index=0, seed=0, prompt="", adapters=((person, 1.0),)) for person in drawn]
                self.draw([Piece(shape, tuple(rows))])
            self.clear([person.sha256 for person in people])
        log.info("warmed up in %.1f s", time.monotonic() - started)

    def _nobody(self, number: int) -> AdapterWeights:
        """An adapter that changes nothing, under a name that no file's digest is.

        Of rank 2: what is compiled for 1 serves 1 alone.
        """
        layers = {
            name: LayerWeights(torch.zeros(size.down(2)), torch.zeros(size.up(2)), 1.0)
            for name, size in self._bank.layers.items()
        }
        return AdapterWeights(f"nobody-{number}", layers)

    def generate(self, order: GenerationOrder, files: Files) -> list[Drawn]:
        """Draw one order by itself; the candidates come in the order of its items.

        Raises Refused, Denied, Expired or Unavailable.
        """
        drawn: list[Drawn] = []
        for piece in self.fetch(order, files).pieces:
            drawn += self.enlarge([piece], self.detail([piece], self.draw([piece])))[0]
        return sorted(drawn, key=lambda candidate: candidate.index)

    def fetch(
        self, order: GenerationOrder, files: Files, asked: float | None = None, looks: Files | None = None
    ) -> ReadyOrder:
        """Get what the order grants and check it. Blocks on `files`; raises as `generate` does. `looks`: where the
        looks are read that many people share; None: where everything is.

        `asked`: when the order was made, on the monotonic clock; now, if nothing is said. An adapter that was evicted
        since is refused.
        """
        started = time.monotonic()
        asked = started if asked is None else asked
        check(order, has_control=self.has_control)
        if order.detail is not None and self._faces is None:
            raise Refused(NO_FACES)
        self._check_upscale(order.upscale)
        chunks = chunks_of(order, self._pipeline.chunks)
        adapters, tier = self._fetched_adapters(order, files, looks or files, asked)
        pose, photo = partial(self._pictures.pose, files), partial(self._pictures.photo, files)
        rows = [row_of(order, index, adapters, pose=pose, photo=photo) for index in range(len(order.items))]
        pieces = [part for piece in pieces_of(order, rows, chunks) for part in piece.cut(self.config.batch)]
        return ReadyOrder(tuple(pieces), tier, time.monotonic() - started, asked)

    def _check_upscale(self, times: int | None) -> None:
        """Raises Refused where pictures cannot be enlarged so many times."""
        if times is None:
            return
        if self._upscaler is None:
            raise Refused(NO_UPSCALER.format(times=times))
        if times > self._upscaler.most:
            raise Refused(
                f"the order wants pictures enlarged by {times}, and the upscaler {self._upscaler.name!r} enlarges by "
                f"{self._upscaler.most}: configure another, or lower the style's upscale"
            )

    def check_look(self, look: LookGrant, files: Files) -> AdapterWeights:
        """What a look changes, read as an order's would be. Raises Refused, Denied, Expired or Unavailable."""
        return self._adapters.get(look, files, time.monotonic())[0]

    def _fetched_adapters(
        self, order: GenerationOrder, files: Files, shared: Files, asked: float
    ) -> tuple[RowAdapters, str]:
        """The person's adapter and the looks', each with its weight, and the tier of the person's. Raises as `generate`
        does."""
        looks = order.looks or []
        if len(looks) + (order.adapter is not None) > self.config.slots:
            raise Refused(
                f"the order draws with {len(looks)} looks beside a person; the predictor has {self.config.slots} slots "
                "for both: raise its slots, or name fewer looks"
            )
        adapters, tier = [], "none"
        if order.adapter is not None:
            adapter, tier = self._adapters.get(order.adapter, files, asked)
            tier = "slot" if tier == "host" and self._bank.holds(adapter.sha256) else tier
            adapters.append((adapter, order.adapter.weight))
        for look in looks:
            try:
                weights, _ = self._adapters.get(look, shared, asked)
            except Refused as error:
                # The kind stays: what the store does not give is told apart from what is wrong with it.
                raise type(error)(f"the look {look.name!r}: {error}") from error
            adapters.append((weights, look.weight))
        return adapters, tier

    def draw(self, pieces: Sequence[Piece], wanted: Callable[[], bool] = lambda: True) -> list[list[Drawn]]:
        """Draw pieces of one shape as one batch, each row from its own seed; one list a piece.

        What a row becomes does not depend on the rows beside it (within the arithmetic's rounding). Raises Unwanted
        when `wanted` says no between two steps, Broken when the accelerator is lost.
        """
        pictures = iter(self._drawn(pieces[0].shape, [row for piece in pieces for row in piece.rows], wanted))
        return [[Drawn(row.index, row.seed, row.key, next(pictures)) for row in piece.rows] for piece in pieces]

    def detail(
        self, pieces: Sequence[Piece], drawn: Sequence[list[Drawn]], wanted: Callable[[], bool] = lambda: True
    ) -> list[list[Drawn]]:
        """The same candidates, the faces of those drawn again whose pieces ask for it. Raises as `draw` does."""
        first = [
            FirstPass(piece, row, RGB(candidate.pixels))
            for piece, candidates in zip(pieces, drawn, strict=True)
            if piece.detail is not None
            for row, candidate in zip(piece.rows, candidates, strict=True)
        ]
        if not first:
            return list(drawn)
        if self._faces is None:
            raise Refused(NO_FACES)
        passes = iter(
            redraw_faces(
                first,
                self._faces,
                self._pipeline.native_size,
                lambda shape, rows: self._drawn(shape, rows, wanted),
            )
        )

        def mended(candidate: Drawn) -> Drawn:
            second = next(passes)
            return Drawn(candidate.index, candidate.seed, candidate.key, second.pixels, second.outcome)

        return [
            candidates if piece.detail is None else [mended(candidate) for candidate in candidates]
            for piece, candidates in zip(pieces, drawn, strict=True)
        ]

    def enlarge(
        self, pieces: Sequence[Piece], drawn: Sequence[list[Drawn]], wanted: Callable[[], bool] = lambda: True
    ) -> list[list[Drawn]]:
        """The same candidates as they go out: black where the safety checker holds them back, else as large as their
        pieces ask for. Raises as `draw` does."""
        try:
            looked_at = [self._looked_at(candidates) for candidates in drawn]
            return [
                [self._enlarged(candidate, piece.upscale, wanted) for candidate in candidates]
                for piece, candidates in zip(pieces, looked_at, strict=True)
            ]
        except torch.AcceleratorError as error:
            raise Broken("the accelerator failed") from error

    def _looked_at(self, candidates: list[Drawn]) -> list[Drawn]:
        """The same candidates, black where the safety checker holds them back."""
        if self._safety is None or not candidates:
            return candidates
        held = self._safety.held_back([candidate.pixels for candidate in candidates])
        if any(held):
            log.warning("%d of %d pictures were held back by the safety checker", sum(held), len(held))
        return [
            replace(candidate, pixels=np.zeros_like(candidate.pixels), held_back=True) if back else candidate
            for candidate, back in zip(candidates, held, strict=True)
        ]

    def _enlarged(self, candidate: Drawn, times: int | None, wanted: Callable[[], bool]) -> Drawn:
        """A candidate that is to be given out, as large as it is asked for."""
        if times is None or self._upscaler is None or candidate.held_back:
            return candidate
        return replace(candidate, pixels=self._upscaler.enlarge(RGB(candidate.pixels), times, wanted))

    def _drawn(self, shape: Shape, rows: Sequence[Row], wanted: Callable[[], bool]) -> np.ndarray:
        """Rows of one shape, each with its own adapters: N x height x width x 3, at once as far as memory goes.

        Raises as `draw` does.
        """
        try:
            return self._at_once.draw(shape, rows, wanted)
        except torch.AcceleratorError as error:
            raise Broken("the accelerator failed") from error

    def forget(self, digests: Sequence[str]) -> int:
        """Drop adapters from host memory; returns how many copies went. Slots: `clear`.

        Orders that were asked before are refused from now on.
        """
        return self._adapters.forget(digests)

    def close(self) -> None:
        """End the processes that open pictures."""
        self._pictures.close()

    def check_kept(self, order: ReadyOrder) -> None:
        """Raises Refused if the order's adapter was evicted since the order was asked."""
        for digest in order.digests:
            self._evictions.check(digest, order.asked)

    def clear(self, digests: Sequence[str]) -> int:
        """Wipe the slots that hold these adapters; returns how many."""
        return self._bank.clear(digests)


def _faces(config: EngineConfig) -> FaceReader | None:
    """What finds faces, where its networks are among the models; they are needed for a second pass alone."""
    try:
        return FaceReader(config.models / VISION)
    except WeightsMissing as error:
        log.warning("no second pass over faces can be drawn: %s", error)
        return None
