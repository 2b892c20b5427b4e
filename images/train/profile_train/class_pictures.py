"""ClassPictures: pictures of anybody, drawn by the base model without the adapter and kept in the store, to be learnt
beside a person's photos (prior preservation: Ruiz et al. 2023, DreamBooth)."""

from __future__ import annotations

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from profile_contract.artifacts import class_picture_key
from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.train import TrainOrder, TrainParameters
from profile_contract.style import Mode
from profile_draw.errors import Refused
from profile_draw.families.family import TextEmbedding
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_runtime.progress import StageProgress
from profile_runtime.store.port import Store
from profile_vision.files import png
from profile_vision.picture import NotOpened
from profile_vision.pixels import BGR, RGB, to_bgr, to_rgb
from profile_vision.png_file import SIGNATURE, without_extras

from .cache import CachedExample, encode_examples
from .dataset import Example, whole_example
from .model import Base
from .portraits import PLAIN_GUIDANCE

log = logging.getLogger(__name__)

# A training's seeds are so far apart that no two share a class picture; there are 500 at most.
SEEDS_APART = 1000
# Of a PNG, beside three bytes a pixel: what it says of itself, and a filter's byte a line.
MOST_EXTRA_BYTES = 100_000
# Behind its signature a PNG begins with a chunk of 13 bytes: width, height, 8 bits a channel, colours and no palette.
_HEADER = struct.Struct(">I4sIIBB")


@dataclass
class ClassPictures:
    """The class pictures of one training. What is kept below `prefix` is used, if it is what it should be; what is
    missing is drawn, and kept. `drawn` counts those."""

    base: Base
    pipeline: Pipeline
    store: Store
    prefix: str
    parameters: TrainParameters
    progress: StageProgress
    text: TextEmbedding
    # Rows in a batch, as far as memory went.
    most: int
    drawn: int = 0

    @classmethod
    def of(
        cls, base: Base, order: TrainOrder, texts: dict[str, TextEmbedding], store: Store, progress: StageProgress
    ) -> ClassPictures | None:
        """Read the prompt for good, while the base still has its text encoders and no adapter; None where the order
        wants none. `texts`: the embedding of `class_prompt`, as training reads it."""
        parameters = order.parameters
        if not parameters.preserves_prior or order.class_pictures is None:
            return None
        pipeline = Pipeline.beside(base.family, base.pipeline, base.control, parameters.adapter_layers)
        base.drawings.append(pipeline.unet)
        prompt = class_prompt(parameters)
        pipeline.remember([prompt, ""], chunks=1)
        pipeline.forget_encoders()
        return cls(
            base, pipeline, store, order.class_pictures, parameters, progress, texts[prompt], most=parameters.batch
        )

    def examples(self, resolution: int) -> list[CachedExample]:
        """All of them, encoded at this resolution: whole squares, in which no pixel counts more than another.

        Raises BadInput where none can be drawn, torch.OutOfMemoryError where not even one fits.
        """
        numbers, batch = range(self.parameters.prior_preservation.pictures), self.parameters.batch
        encoded = []
        for begin in numbers[::batch]:
            for picture in self._pictures(numbers[begin : begin + batch]):
                example = whole_example(picture, class_prompt(self.parameters), resolution)
                encoded += self._encoded(example)
        self.base.vae.to("cpu")
        if self.drawn:
            log.info("%d of %d class pictures were drawn", self.drawn, len(numbers))
        return encoded

    def _encoded(self, example: Example) -> list[CachedExample]:
        texts = {example.caption: self.text}
        return encode_examples(self.base, [example], texts, noise=self.parameters.latent_noise)

    def _pictures(self, numbers: Sequence[int]) -> list[RGB]:
        """The pictures of these numbers: kept ones, and those that were missing, drawn now."""
        kept = {number: picture for number in numbers if (picture := self._kept(number)) is not None}
        missing = [number for number in numbers if number not in kept]
        if missing:
            # A training's time is told by its steps alone.
            total = self.parameters.prior_preservation.pictures
            self.progress.at(0, total, f"drawing {total} class pictures, which later trainings use too")
        for number, picture in zip(missing, self._drawn(missing), strict=True):
            self.store.write(class_picture_key(self.prefix, number), png(to_bgr(picture)), "image/png")
            kept[number] = picture
            self.drawn += 1
        return [kept[number] for number in numbers]

    def _kept(self, number: int) -> RGB | None:
        """A class picture out of the store; None where there is none, or what lies there is no such picture."""
        key, edge = class_picture_key(self.prefix, number), self.parameters.resolution
        stored = self.store.stat(key)
        if stored is None or stored.bytes > most_bytes(edge):
            return None
        picture = read_class_picture(self.store.read(key), edge)
        if picture is None:
            log.warning("%s is no class picture of %d pixels: it is drawn again", key, edge)
        return picture

    def _drawn(self, numbers: list[int]) -> list[RGB]:
        """The pictures of these numbers, by the base model alone, as many at once as memory takes."""
        prompt, seed = class_prompt(self.parameters), self.parameters.seed * SEEDS_APART
        rows = [Row(number, seed=(seed + number) % 2**31, prompt=prompt) for number in numbers]
        pictures: list[RGB] = []
        while len(pictures) < len(rows):
            part = rows[len(pictures) :][: self.most]
            try:
                pictures += self._batch(part)
                continue
            except torch.OutOfMemoryError:
                if len(part) == 1:
                    raise
            except Refused as error:
                raise BadInput(Reason.INVALID_ORDER, f"no class picture can be drawn: {error}") from error
            # Outside of the except clause: the exception would keep the tensors of the failed batch alive.
            log.warning("%d class pictures at once do not fit into memory", len(part))
            self.most = len(part) // 2
        return pictures

    def _batch(self, rows: list[Row]) -> list[RGB]:
        base, edge = self.base, self.parameters.resolution
        base.vae.to(base.device)
        shape = Shape(
            width=edge,
            height=edge,
            steps=self.parameters.validation_sampler_steps,
            guidance=PLAIN_GUIDANCE,
            mode=Mode.TEXT_TO_IMAGE,
            strength=0.0,
            has_pose=False,
            control_weight=0.0,
            control_end=0.0,
        )
        with torch.autocast(base.device.type, dtype=torch.bfloat16, enabled=base.autocast):
            return [RGB(picture) for picture in self.pipeline.draw(shape, rows)]


def class_prompt(parameters: TrainParameters) -> str:
    """What class pictures are drawn by, and learnt with: the noun without the rare word that means the person."""
    return f"a photo of a {parameters.noun}"


def most_bytes(edge: int) -> int:
    """The most that a class picture of this many pixels squared takes as a file."""
    return edge * (3 * edge + 1) + MOST_EXTRA_BYTES


def read_class_picture(data: bytes, edge: int) -> RGB | None:
    """The pixels (edge, edge, 3) of a PNG of exactly this size in eight-bit colours; None for anything else."""
    begin = data[len(SIGNATURE) : len(SIGNATURE) + _HEADER.size]
    if not data.startswith(SIGNATURE) or len(data) > most_bytes(edge) or len(begin) < _HEADER.size:
        return None
    if _HEADER.unpack(begin) != (13, b"IHDR", edge, edge, 8, 2):
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(without_extras(data), np.uint8), cv2.IMREAD_COLOR)
    except (NotOpened, cv2.error):
        return None
    if pixels is None or pixels.shape != (edge, edge, 3):
        return None
    return to_rgb(BGR(pixels.astype(np.uint8)))
