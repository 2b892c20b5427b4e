"""StyleStatus: whether a style can be drawn, and who asks for it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from .kubernetes import LONGEST_INSTALLATION
from .model import Tolerant
from .request_status import Condition


class StyleReason(StrEnum):
    """Why a style is Ready, or is not."""

    PREDICTOR_READY = "PredictorReady"
    PREDICTOR_NOT_READY = "PredictorNotReady"  # it is there, and no pod of it answers
    PREDICTOR_NOT_FOUND = "PredictorNotFound"  # nothing of that name is there: a mistake in spec.predictor, mostly
    PREDICTOR_ELSEWHERE = "PredictorElsewhere"  # where the operator sees nothing


class StyleStatus(Tolerant):
    """What the operator says of a style, now and then, and only where it changed."""

    observed_generation: int = Field(default=-1, description="The metadata.generation that this status tells of.")
    conditions: list[Condition] = Field(
        default=[],
        max_length=4,
        description="Ready: whether the InferenceService that spec.predictor names is there and answers.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    requests: int = Field(default=0, ge=0, description="How many requests ask for it.")
    outdated: int = Field(
        default=0, ge=0, description="How many of them were drawn before the platform or a style changed (Outdated)."
    )
    installation: str = Field(
        default="",
        max_length=LONGEST_INSTALLATION,
        description="The installation that looks after this status, as NAMESPACE/NAME of its release.",
    )
