"""Which predictors do not exist, as the status of the styles that name them says."""

from __future__ import annotations

from collections.abc import Iterable

from profile_contract.conditions import ConditionType
from profile_contract.style import DEFAULT_PREDICTOR
from profile_contract.style_status import StyleReason, StyleStatus
from profile_contract.understood import understood
from profile_runtime.kubernetes.resources import Document


def absent_predictors(styles: Iterable[Document], installation: str) -> frozenset[str]:
    """The InferenceServices that were looked for, for some of these styles, and are not there.

    What is told of an earlier content of a style, or by another installation, which looks elsewhere, tells nothing.
    """
    absent, present = set[str](), set[str]()
    for style in styles:
        status, _ = understood(StyleStatus, style.get("status") or {})
        ready = next((condition for condition in status.conditions if condition.type == ConditionType.READY), None)
        generation = int((style.get("metadata") or {}).get("generation", 0))
        if ready is None or status.observed_generation != generation or status.installation != installation:
            continue
        predictor = str((style.get("spec") or {}).get("predictor") or DEFAULT_PREDICTOR)
        (absent if ready.reason == StyleReason.PREDICTOR_NOT_FOUND else present).add(predictor)
    return frozenset(absent - present)
