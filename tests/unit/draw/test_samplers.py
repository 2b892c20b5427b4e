"""Samplers: a recipe's name chooses a scheduler with the model's own noise, and one draw does not change the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler

from profile_contract.style import Mode, SamplerName
from profile_draw.config import EngineConfig
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_draw.samplers import Samplers
from profile_models import random_sdxl
from profile_models.folders import models_folder

SMALL = Shape(64, 64, 3, 2.0, Mode.TEXT_TO_IMAGE, 0.0, False, 0.0, 0.0)
Draw = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def draw() -> Draw:
    """Draws one picture of the random model: with this sampler."""
    pipeline = Pipeline.load(EngineConfig(models=models_folder(), base_model=random_sdxl.NAME))

    def drawn(sampler: SamplerName | None) -> np.ndarray:
        shape = Shape(**{**vars(SMALL), "sampler": sampler})
        return pipeline.draw(shape, [Row(index=0, seed=1, prompt="a person", negative_prompt="")])

    return drawn


def test_each_sampler_draws_another_picture_and_leaves_the_next_alone(draw: Draw) -> None:
    own = draw(None)
    pictures = {name: draw(name) for name in SamplerName}
    # The model's own is this one.
    assert np.array_equal(pictures[SamplerName.EULER], own)
    assert not np.array_equal(pictures[SamplerName.DPM], own)
    assert not np.array_equal(pictures[SamplerName.DPM_KARRAS], pictures[SamplerName.DPM])
    assert np.array_equal(draw(None), own)
    assert np.array_equal(draw(SamplerName.DPM), pictures[SamplerName.DPM])


def test_it_has_the_models_noise_and_prediction() -> None:
    own = EulerDiscreteScheduler(prediction_type="v_prediction", beta_end=0.02, use_karras_sigmas=True)
    samplers = Samplers(own)
    assert samplers.named(None) is own
    solver = samplers.named(SamplerName.DPM)
    assert isinstance(solver, DPMSolverMultistepScheduler)
    assert (solver.config.prediction_type, solver.config.beta_end) == ("v_prediction", 0.02)
    assert (solver.config.use_karras_sigmas, solver.config.algorithm_type) == (False, "dpmsolver++")
    assert samplers.named(SamplerName.DPM_KARRAS).config.use_karras_sigmas
    assert not samplers.named(SamplerName.EULER).config.use_karras_sigmas
    assert samplers.named(SamplerName.DPM) is solver
