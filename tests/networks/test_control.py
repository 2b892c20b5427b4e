"""The ControlNet is run for its part of the steps and not afterwards; what is drawn is the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diffusers import ControlNetModel
from PIL import Image

from profile_contract.style import Mode
from profile_draw.config import EngineConfig
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_models import random_sdxl
from profile_models.folders import models_folder

STEPS = 5
POSED = Shape(64, 64, STEPS, 2.0, Mode.TEXT_TO_IMAGE, 0.0, True, 0.8, 0.6)
OVER = replace(POSED, mode=Mode.IMAGE_TO_IMAGE, strength=0.8)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    config = EngineConfig(
        models=models_folder(), base_model=random_sdxl.NAME, control_model=random_sdxl.CONTROL_NAME, device="cpu"
    )
    return Pipeline.load(config)


def drawn(pipeline: Pipeline, shape: Shape) -> np.ndarray:
    grey = Image.new("RGB", (shape.width, shape.height), (90, 120, 200))
    initial = grey if shape.mode == Mode.IMAGE_TO_IMAGE else None
    return pipeline.draw(shape, [Row(index=0, seed=3, prompt="a person", pose=grey, initial_image=initial)])


@pytest.mark.parametrize(
    ("shape", "run", "whole"),
    [
        (POSED, 3, 5),
        (replace(POSED, control_end=1.0), 5, 5),
        (replace(POSED, control_end=0.2), 1, 5),
        # Of five steps at this strength four are left.
        (OVER, 2, 4),
    ],
)
def test_the_network_is_run_until_its_end_and_the_picture_is_the_librarys(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, shape: Shape, run: int, whole: int
) -> None:
    weights: list[float] = []
    plain = ControlNetModel.forward

    def counted(self: Any, *arguments: Any, **named: Any) -> Any:
        weights.append(named["conditioning_scale"])
        return plain(self, *arguments, **named)

    monkeypatch.setattr(ControlNetModel, "forward", counted)
    ours = drawn(pipeline, shape)
    assert weights == [shape.control_weight] * run
    weights.clear()
    # As diffusers has it: to the last step, at weight nought.
    monkeypatch.setattr(type(pipeline._control), "forward", counted)
    assert np.array_equal(drawn(pipeline, shape), ours)
    assert weights == [shape.control_weight] * run + [0.0] * (whole - run)
