"""Portraits of the adapter as it is, drawn as the request's first style will be served."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image

from profile_contract.candidates import TRAINED
from profile_contract.generation import MAXIMUM_ITEMS, GenerationItem, GenerationOrder, ReadGrant
from profile_contract.stages.train import AdapterLayers, JudgedBy, TrainOrder
from profile_draw.adapters.weights import AdapterWeights, LayerWeights, trained_layers
from profile_draw.detail import FirstPass, redraw_faces
from profile_draw.errors import Refused
from profile_draw.fitting import fitted_pose, row_of
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Piece, Row, by_pose, check, chunks_of, pieces_of
from profile_runtime.store.port import Store
from profile_vision import FaceReader
from profile_vision.files import read_picture
from profile_vision.pixels import RGB, to_rgb

from .dataset import read_of_dataset
from .model import Base
from .prompt import PROMPT

log = logging.getLogger(__name__)

# Of an order that says nothing of a style.
PLAIN_GUIDANCE = 5.0


def judged_order(order: TrainOrder) -> GenerationOrder | None:
    """What checkpoints are judged by; None for nothing. An order of an earlier version is given plain portraits."""
    parameters = order.parameters
    count = min(parameters.validation_images, MAXIMUM_ITEMS)
    if count == 0:
        return None
    if order.judge is not None:
        return order.judge.model_copy(update={"items": order.judge.items[:count]})
    prompt = PROMPT.replace("{subject}", f"{parameters.token} {parameters.noun}")
    return GenerationOrder(
        request=order.request,
        items=[GenerationItem(seed=seed, prompt=prompt) for seed in range(count)],
        width=parameters.resolution,
        height=parameters.resolution,
        steps=parameters.validation_sampler_steps,
        guidance=PLAIN_GUIDANCE,
    )


@dataclass
class PortraitDrawing:
    """Draws the same portraits again and again, as the predictor would serve them with the adapter as it then is."""

    base: Base
    pipeline: Pipeline
    pieces: Sequence[Piece]
    weight: float
    faces: FaceReader
    # Rows in a batch, as far as memory went.
    most: int = MAXIMUM_ITEMS

    @classmethod
    def of(
        cls, base: Base, wanted: GenerationOrder, layers: AdapterLayers, *, store: Store, faces: FaceReader
    ) -> PortraitDrawing:
        """Read what the order names, and its prompts for good, while the base still has its text encoders and no
        adapter.

        `faces`: finds them for a second pass. Raises BadInput for a picture of the dataset that cannot be read, Refused
        for an order that cannot be drawn.
        """
        wanted = wanted if base.control is not None else _without_poses(wanted)
        check(wanted, has_control=base.control is not None)
        pipeline = Pipeline.beside(base.family, base.pipeline, base.control, layers)
        base.drawings.append(pipeline.unet)
        rows = [_row(number, wanted, store) for number in range(len(wanted.items))]
        pieces = pieces_of(wanted, rows, chunks_of(wanted, pipeline.chunks))
        for piece in pieces:
            prompts = [prompt for row in piece.rows for prompt in (row.prompt, row.negative_prompt)]
            pipeline.remember(prompts, piece.shape.chunks)
        pipeline.forget_encoders()
        weight = wanted.adapter.weight if wanted.adapter is not None else 1.0
        return cls(base, pipeline, pieces, weight, faces)

    def draw(self) -> list[RGB]:
        """The portraits, (height, width, 3) each, in the order of their items; none where not even one of them fits
        into memory, or the adapter is too strong to draw with.
        """
        base = self.base
        base.vae.to(base.device)
        try:
            while self.most:
                try:
                    return self._drawn()
                except torch.OutOfMemoryError:
                    log.warning("%d portraits at once do not fit into memory", self.most)
                # Outside of the except clause: the exception would keep the tensors of the failed batch alive.
                self.most //= 2
        except Refused as error:
            log.warning("the checkpoint is not judged: %s", error)
        finally:
            self.pipeline.bank.clear([TRAINED.sha256])
            base.vae.to("cpu")
        return []

    def _drawn(self) -> list[RGB]:
        """All portraits, as many at once as memory takes."""
        pictures: dict[int, RGB] = {}
        adapters = ((self._adapter, self.weight),)
        with torch.autocast(self.base.device.type, dtype=torch.bfloat16, enabled=self.base.autocast):
            for piece in self.pieces:
                for part in piece.cut(self.most):
                    rows = [replace(row, adapters=adapters) for row in part.rows]
                    drawn = self._portraits(replace(part, rows=tuple(rows)))
                    pictures |= {row.index: portrait for row, portrait in zip(rows, drawn, strict=True)}
        return [pictures[index] for index in sorted(pictures)]

    def _portraits(self, piece: Piece) -> list[RGB]:
        """The portraits of a piece, their faces drawn again where it asks for that."""
        drawn = [RGB(picture) for picture in self.pipeline.draw(piece.shape, piece.rows)]
        if piece.detail is None:
            return drawn
        first = [FirstPass(piece, row, picture) for row, picture in zip(piece.rows, drawn, strict=True)]
        passes = redraw_faces(first, self.faces, self.pipeline.native_size, self.pipeline.draw)
        return [second.pixels for second in passes]

    @property
    def _adapter(self) -> AdapterWeights:
        """The adapter as it is, in the precision in which it is served."""
        return AdapterWeights(
            TRAINED.sha256,
            {
                name: LayerWeights(weights.down.detach().half(), weights.up.detach().half(), weights.scale)
                for name, weights in trained_layers(self.base.adapter_weights).items()
            },
        )


def judged_by(order: TrainOrder) -> JudgedBy | None:
    """What the report says of the portraits that checkpoints were judged by."""
    wanted = judged_order(order)
    if wanted is None:
        return None
    first = wanted.items[0]
    posed = True in by_pose(wanted)
    return JudgedBy(
        pictures=len(wanted.items),
        prompt=first.prompt,
        negative_prompt=first.negative_prompt,
        width=wanted.width,
        height=wanted.height,
        steps=wanted.steps,
        guidance=wanted.guidance,
        control_weight=wanted.control_weight if posed else 0.0,
        control_end=wanted.control_end if posed else 0.0,
    )


def _without_poses(order: GenerationOrder) -> GenerationOrder:
    """The order as it is drawn where there is no ControlNet."""
    free = [item.model_copy(update={"joints": None, "pose": None}) for item in order.items]
    return order.model_copy(update={"items": free})


def _row(index: int, order: GenerationOrder, store: Store) -> Row:
    """An item with its pose map and the pictures that it brings, at the order's size. Raises BadInput."""

    def picture(grant: ReadGrant) -> Image.Image:
        return Image.fromarray(to_rgb(read_of_dataset(read_picture, store, grant.url)))

    return row_of(
        order,
        index,
        (),
        pose=lambda grant, size: fitted_pose(picture(grant), size),
        photo=lambda grant, _: picture(grant),
    )
