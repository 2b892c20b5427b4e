"""The four stages, in the order that data flows, and what is known of each."""

from __future__ import annotations

from enum import StrEnum

from profile_contract.conditions import ConditionType


class Stage(StrEnum):
    """The four stages, in the order that data flows."""

    PREPROCESS = "preprocess"
    TRAIN = "train"
    GENERATE = "generate"
    FINISH = "finish"


# Raised by hand when a stage's code changes what it makes from the same inputs: it is part of every stage's digest.
STAGE_VERSIONS: dict[Stage, int] = {Stage.PREPROCESS: 2, Stage.TRAIN: 2, Stage.GENERATE: 1, Stage.FINISH: 3}


STAGE_CONDITIONS: dict[Stage, ConditionType] = {
    Stage.PREPROCESS: ConditionType.PREPROCESSED,
    Stage.TRAIN: ConditionType.TRAINED,
    Stage.GENERATE: ConditionType.GENERATED,
    Stage.FINISH: ConditionType.FINISHED,
}
