"""How one attempt at training is set, and what is made smaller when memory runs out. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from profile_contract.model import digest_of
from profile_contract.stages.train import TrainParameters

STEPS_PER_PHOTO = 80
FEWEST_STEPS, MOST_STEPS = 500, 900
# Below this a person's face has too few latent pixels to be learnt by SDXL.
SMALLEST_RESOLUTION = 512


@dataclass(frozen=True)
class Settings:
    """One attempt: optimiser steps, batch, edge in pixels whose square is the area of a picture."""

    steps: int
    batch: int
    resolution: int
    gradient_checkpointing: bool

    @property
    def key(self) -> str:
        """Checkpoints of other settings are not resumed."""
        return digest_of(asdict(self))


def settings_of(parameters: TrainParameters, photos: int) -> Settings:
    """The first attempt. Steps by the design's rule: clamp(80 x photos, 500, 900), unless they are given."""
    by_rule = min(MOST_STEPS, max(FEWEST_STEPS, STEPS_PER_PHOTO * photos))
    return Settings(
        steps=by_rule if parameters.steps is None else parameters.steps,
        batch=parameters.batch,
        resolution=parameters.resolution,
        gradient_checkpointing=parameters.gradient_checkpointing,
    )


def smaller(settings: Settings) -> tuple[Settings, str] | None:
    """The next smaller settings and what to say about it: batch first, then recomputing, then resolution.

    None if there is nothing left to give up.
    """
    if settings.batch > 1:
        batch = settings.batch // 2
        return replace(settings, batch=batch), f"batch {settings.batch} -> {batch}"
    if not settings.gradient_checkpointing:
        return replace(settings, gradient_checkpointing=True), "gradient checkpointing on"
    edge = settings.resolution * 3 // 4 // 64 * 64
    if edge >= SMALLEST_RESOLUTION:
        return replace(settings, resolution=edge), f"resolution {settings.resolution} -> {edge}"
    return None
