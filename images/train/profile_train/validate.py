"""Fixed-seed portraits at each checkpoint, and how much they are like the held-out photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.preprocess import PreprocessReport
from profile_draw.families.family import TextEmbedding
from profile_runtime.context import StageContext
from profile_vision import FaceReader, WeightsMissing, likeness
from profile_vision.files import read_picture
from profile_vision.likeness import Embedding
from profile_vision.pixels import BGR, RGB, to_bgr

from .dataset import read_of_dataset
from .model import Base

GUIDANCE = 5.0
# The detector was not trained on faces of a few dozen pixels: small portraits are enlarged before they are judged.
SMALLEST_EDGE = 512


@dataclass(frozen=True)
class Judge:
    """Knows the person: embeddings of the reference photos and the ceiling of real against real."""

    reader: FaceReader
    references: list[Embedding]
    ceiling: float

    def percent(self, portraits: list[RGB]) -> float | None:
        """Mean likeness of portraits in per cent of the ceiling; None if no portrait shows a face.

        Beside others that show one, a portrait without a face is like nobody: 0.
        """
        figures = [self._likeness(portrait) for portrait in portraits]
        if all(figure is None for figure in figures):
            return None
        return float(np.mean([figure or 0.0 for figure in figures]))

    def _likeness(self, portrait: RGB) -> float | None:
        """Likeness in per cent of the ceiling; None unless the portrait shows exactly one face."""
        picture = to_bgr(portrait)
        scale = SMALLEST_EDGE / max(picture.shape[:2])
        if scale > 1:
            enlarged = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            picture = BGR(enlarged.astype(np.uint8))
        faces = self.reader.find(picture)
        if len(faces) != 1:
            return None
        return float(likeness(self.reader.embed(picture, faces[0]), self.references, self.ceiling).percent)


def judge_of(context: StageContext, report: PreprocessReport) -> Judge | None:
    """The judge of a person; None if the references show no face. Raises BadInput if face weights are missing."""
    try:
        reader = FaceReader(context.vision)
    except WeightsMissing as error:
        raise BadInput(Reason.MODEL_NOT_FOUND, str(error)) from error
    references = []
    for image in report.reference_images:
        picture = read_of_dataset(read_picture, context.store, image.image)
        faces = reader.find(picture)
        if faces:
            references.append(reader.embed(picture, faces[0]))
    if not references or not report.ceiling or report.ceiling <= 0:
        return None
    return Judge(reader, references, report.ceiling)


@torch.no_grad()
def portraits(base: Base, text: TextEmbedding, empty: TextEmbedding, *, count: int, steps: int, size: int) -> list[RGB]:
    """Portraits of the seeds 0, 1, ... with the adapter as it is now, (size, size, 3)."""
    pipeline = base.family.sampler(base.pipeline)
    pipeline.set_progress_bar_config(disable=True)
    base.vae.to(base.device)
    base.unet.eval()
    words = base.family.words(text, empty)
    with torch.autocast(base.device.type, dtype=torch.bfloat16, enabled=base.autocast):
        pictures = [_portrait(pipeline, words, seed=seed, steps=steps, size=size) for seed in range(count)]
    base.unet.train()
    base.vae.to("cpu")
    return pictures


def _portrait(pipeline: Any, words: dict[str, torch.Tensor], *, seed: int, steps: int, size: int) -> RGB:
    """One portrait of a seed."""
    image = pipeline(
        **words,
        generator=torch.Generator().manual_seed(seed),
        num_inference_steps=steps,
        guidance_scale=GUIDANCE,
        height=size,
        width=size,
        output_type="np",
    ).images[0]
    return RGB(np.clip(np.rint(image * 255), 0, 255).astype(np.uint8))
