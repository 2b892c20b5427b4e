"""style_status: what is told of a style: whether its predictor is there and answers, and who asks for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from profile_contract.conditions import ConditionType
from profile_contract.request_status import Condition
from profile_contract.style_status import StyleReason, StyleStatus
from profile_operator.clock import stamp


@dataclass(frozen=True)
class StyleUse:
    """Who asks for a style, and what was seen of its predictor: pods that answer, None where there is no Service."""

    predictor: str
    namespace: str
    elsewhere: bool = False
    pods: int | None = None
    requests: int = 0
    outdated: int = 0


def style_status(before: StyleStatus, generation: int, use: StyleUse, installation: str, now: datetime) -> StyleStatus:
    """The status; equal to the one before where nothing changed."""
    status, reason, message = _ready(use)
    standing = next((condition for condition in before.conditions if condition.type == ConditionType.READY), None)
    same = standing is not None and standing.status == status
    condition = Condition(
        type=ConditionType.READY,
        status=status,
        reason=reason.value,
        message=message,
        last_transition_time=standing.last_transition_time if standing is not None and same else stamp(now),
        observed_generation=max(generation, 0),
    )
    return StyleStatus(
        observed_generation=generation,
        conditions=[condition],
        requests=use.requests,
        outdated=use.outdated,
        installation=installation,
    )


def _ready(use: StyleUse) -> tuple[Literal["True", "False", "Unknown"], StyleReason, str]:
    """Whether a style can be drawn, and why."""
    name = f"the InferenceService {use.predictor} of spec.predictor"
    if use.elsewhere:
        return "Unknown", StyleReason.PREDICTOR_ELSEWHERE, f"{name} is not looked for in {use.namespace}"
    if use.pods is None:
        return "False", StyleReason.PREDICTOR_NOT_FOUND, f"{name} does not exist in {use.namespace}"
    if not use.pods:
        return "False", StyleReason.PREDICTOR_NOT_READY, f"{name} has no pod that answers"
    return "True", StyleReason.PREDICTOR_READY, f"{name} answers"
