"""limits: what the platform lets one request ask for. What is asked beyond that is told, and never cut silently."""

from __future__ import annotations

from profile_contract.request import ProfileRequestSpec
from profile_operator.config import LimitsConfig


def excess_of(spec: ProfileRequestSpec, limits: LimitsConfig) -> str:
    """What of the spec goes beyond the platform's limits, for people; empty where nothing does."""
    pictures, styles = spec.candidates * len(spec.styles), len(spec.styles)
    asked = (
        ("spec.training.steps is", spec.training.steps, limits.steps),
        ("spec.training.resolution is", spec.training.resolution, limits.resolution),
        ("the number of spec.styles is", styles, limits.styles),
        (f"{spec.candidates} candidates in each of {styles} styles are", pictures, limits.pictures),
    )
    beyond = (
        f"{what} {value}, and this installation takes {most} at most"
        for what, value, most in asked
        if value is not None and most is not None and value > most
    )
    return "; ".join(beyond)
