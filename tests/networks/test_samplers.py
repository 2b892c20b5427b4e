"""Samplers: a recipe's name chooses a scheduler with the model's own noise, and one draw does not change the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler, LCMScheduler

from profile_contract.style import PRESETS, Mode, SamplerName, SamplerPreset
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

    def drawn(sampler: SamplerName | None, seeds: tuple[int, ...] = (1,), **shape: Any) -> np.ndarray:
        rows = [Row(index=0, seed=seed, prompt="a person", negative_prompt="") for seed in seeds]
        return pipeline.draw(Shape(**{**vars(SMALL), "sampler": sampler, **shape}), rows)

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


def test_those_of_few_steps_are_what_their_models_were_taught_with() -> None:
    samplers = Samplers(EulerDiscreteScheduler(prediction_type="v_prediction", timestep_spacing="leading"))
    trailing, lcm = samplers.named(SamplerName.EULER_TRAILING), samplers.named(SamplerName.LCM)
    assert isinstance(trailing, EulerDiscreteScheduler)
    trailing.set_timesteps(4)
    # Pure noise first, as Lightning was taught; the model's own spacing would begin at 750.
    assert trailing.timesteps.tolist() == [999.0, 749.0, 499.0, 249.0]
    assert isinstance(lcm, LCMScheduler)
    assert lcm.config.prediction_type == "v_prediction"


@pytest.mark.parametrize("preset", list(SamplerPreset))
def test_a_preset_draws_by_its_own_sampler_and_each_row_as_if_it_were_alone(draw: Draw, preset: SamplerPreset) -> None:
    row = PRESETS[preset]
    few = {"steps": row.steps, "guidance": row.guidance_tenths / 10}
    alone = [draw(row.sampler, (seed,), **few)[0].astype(int) for seed in (1, 2)]
    together = draw(row.sampler, (1, 2), **few).astype(int)
    assert np.abs(together - np.stack(alone)).max() <= 1
    assert np.abs(alone[0] - draw(None, (1,), **few)[0]).mean() > 1
