"""Settings: what a training is asked to do, whatever memory it has. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from profile_contract.model import digest_of
from profile_contract.stages.train import TrainParameters

STEPS_PER_PHOTO = 80
FEWEST_STEPS, MOST_STEPS = 500, 900


@dataclass(frozen=True)
class Settings:
    """Optimiser steps, batch, edge in pixels whose square is the area of a picture."""

    steps: int
    batch: int
    resolution: int
    gradient_checkpointing: bool

    @property
    def key(self) -> str:
        """Checkpoints of other settings are not resumed."""
        return digest_of(asdict(self))


def settings_of(parameters: TrainParameters, photos: int) -> Settings:
    """What an order asks for. Steps by the design's rule: clamp(80 x photos, 500, 900), unless they are given."""
    by_rule = min(MOST_STEPS, max(FEWEST_STEPS, STEPS_PER_PHOTO * photos))
    return Settings(
        steps=by_rule if parameters.steps is None else parameters.steps,
        batch=parameters.batch,
        resolution=parameters.resolution,
        gradient_checkpointing=parameters.gradient_checkpointing,
    )
