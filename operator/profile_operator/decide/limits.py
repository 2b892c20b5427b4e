"""limits: what the platform lets one request ask for. What is asked beyond that is told, and never cut silently."""

from __future__ import annotations

from collections.abc import Collection

from profile_contract.request import ProfileRequestSpec
from profile_contract.stages.table import Stage
from profile_operator.config import LimitsConfig


def excess_of(spec: ProfileRequestSpec, limits: LimitsConfig, stages: Collection[Stage]) -> str:
    """What these stages would do beyond the platform's limits, for people; empty where nothing goes beyond them."""
    pictures, styles = spec.candidates * len(spec.styles), len(spec.styles)
    asked = (
        (Stage.TRAIN, "spec.training.steps is", spec.training.steps, limits.steps),
        (Stage.TRAIN, "spec.training.resolution is", spec.training.resolution, limits.resolution),
        (Stage.GENERATE, "the number of spec.styles is", styles, limits.styles),
        (Stage.GENERATE, f"{spec.candidates} candidates in each of {styles} styles are", pictures, limits.pictures),
    )
    beyond = (
        f"{what} {value}, and this installation takes {most} at most"
        for stage, what, value, most in asked
        if stage in stages and value is not None and most is not None and value > most
    )
    return "; ".join(beyond)
