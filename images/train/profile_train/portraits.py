"""Portraits of the adapter as it is, drawn as the request's first style will be served."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from profile_contract.generation import MAXIMUM_ITEMS, GenerationItem, GenerationOrder
from profile_contract.stages.train import JudgedBy, TrainOrder
from profile_draw.fitting import drawn_pose, fitted_photo, fitted_pose
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape, by_pose, shape_of
from profile_runtime.store.port import Store
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
    """Draws the same portraits again and again, all in one batch, with the adapter as it then is."""

    base: Base
    pipeline: Pipeline
    shape: Shape
    rows: Sequence[Row]
    # Rows in a batch, as far as memory went.
    most: int = MAXIMUM_ITEMS

    @classmethod
    def of(cls, base: Base, wanted: GenerationOrder, store: Store) -> PortraitDrawing:
        """Read what the order names, and its prompts for good, while the base still has its text encoders.

        Raises BadInput for a picture of the dataset that cannot be read, Refused for a prompt that is too long.
        """
        pipeline = Pipeline(base.family, base.pipeline, base.control)
        prompts = [prompt for item in wanted.items for prompt in (item.prompt, item.negative_prompt)]
        chunks = max(map(pipeline.chunks, prompts))
        pipeline.remember(prompts, chunks)
        posed = base.control is not None and _posed(wanted)
        rows = [_row(number, wanted, store) for number in range(len(wanted.items))]
        return cls(base, pipeline, shape_of(wanted, has_pose=posed, chunks=chunks), rows)

    def draw(self) -> list[RGB]:
        """The portraits, (height, width, 3) each; none where not even one of them fits into memory."""
        base = self.base
        base.vae.to(base.device)
        base.unet.eval()
        try:
            while self.most:
                try:
                    return self._drawn()
                except torch.OutOfMemoryError:
                    log.warning("%d portraits at once do not fit into memory", self.most)
                # Outside of the except clause: the exception would keep the tensors of the failed batch alive.
                self.most //= 2
        finally:
            base.unet.train()
            base.vae.to("cpu")
        return []

    def _drawn(self) -> list[RGB]:
        """All portraits, as many at once as memory takes."""
        pictures: list[RGB] = []
        with torch.autocast(self.base.device.type, dtype=torch.bfloat16, enabled=self.base.autocast):
            for begin in range(0, len(self.rows), self.most):
                drawn = self.pipeline.draw(self.shape, self.rows[begin : begin + self.most])
                pictures += [RGB(np.asarray(picture)) for picture in drawn]
        return pictures


def judged_by(order: TrainOrder) -> JudgedBy | None:
    """What the report says of the portraits that checkpoints were judged by."""
    wanted = judged_order(order)
    if wanted is None:
        return None
    first = wanted.items[0]
    posed = _posed(wanted)
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


def _posed(wanted: GenerationOrder) -> bool:
    """Whether the portraits follow poses. They are drawn in one batch, so that where one follows none, none does."""
    return set(by_pose(wanted)) == {True}


def _row(index: int, order: GenerationOrder, store: Store) -> Row:
    """An item with its pose map and the pictures that it brings, at the order's size. Raises BadInput."""
    item, size = order.items[index], (order.width, order.height)

    def picture(key: str) -> Image.Image:
        return Image.fromarray(to_rgb(read_of_dataset(read_picture, store, key)))

    pose = fitted_pose(picture(item.pose.url), size) if item.pose else None
    if item.joints is not None:
        pose = drawn_pose(item.joints, order)
    return Row(
        index=index,
        seed=item.seed,
        prompt=item.prompt,
        negative_prompt=item.negative_prompt,
        pose=pose,
        initial_image=fitted_photo(picture(item.initial_image.url), size) if item.initial_image else None,
    )
