"""The table of the stages: what is known of each, one row a stage.

A stage is one file beside this one, with its order, its report and its version, and one row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profile_contract.conditions import ConditionType

from . import finish, generate, preprocess, train
from .order import StageOrder, StageReport
from .stage import Stage
from .stage_text import StageText

__all__ = ["JOB_STAGES", "STAGES", "Stage", "StageRow"]


@dataclass(frozen=True)
class StageRow:
    """What is known of a stage.

    `condition` tells whether it is done, `folder` is where its artifacts lie below a request. `order` is None for a
    stage that runs as no Job. `version` is part of every digest. `title` and `doing` are what people read: what the
    request is at, and what that means. `changed`: what is said where a new version would do it otherwise, and where the
    platform's settings for it are others; None for a stage of which that is told style by style.
    """

    stage: Stage
    condition: ConditionType
    folder: str
    order: type[StageOrder] | None
    report: type[StageReport]
    version: int
    title: StageText
    doing: str
    changed: tuple[str, str] | None = None


STAGES: Mapping[Stage, StageRow] = {
    row.stage: row
    for row in (
        StageRow(
            Stage.PREPROCESS,
            condition=ConditionType.PREPROCESSED,
            folder="dataset",
            order=preprocess.PreprocessOrder,
            report=preprocess.PreprocessReport,
            version=preprocess.VERSION,
            title=StageText.PREPROCESSING,
            doing="looking at the photos",
            changed=("a new version looks at photos otherwise", "the platform's limits for photos changed"),
        ),
        StageRow(
            Stage.TRAIN,
            condition=ConditionType.TRAINED,
            folder="adapter",
            order=train.TrainOrder,
            report=train.TrainReport,
            version=train.VERSION,
            title=StageText.TRAINING,
            doing="training the adapter",
            changed=("a new version trains otherwise", "the platform's settings for training changed"),
        ),
        StageRow(
            Stage.GENERATE,
            condition=ConditionType.GENERATED,
            folder="candidates",
            order=None,
            report=generate.GenerateReport,
            version=generate.VERSION,
            title=StageText.GENERATING,
            doing="drawing the candidates",
        ),
        StageRow(
            Stage.FINISH,
            condition=ConditionType.FINISHED,
            folder="portraits",
            order=finish.FinishOrder,
            report=finish.FinishReport,
            version=finish.VERSION,
            title=StageText.FINISHING,
            doing="choosing and cutting the portraits",
            changed=("a new version finishes otherwise", "the platform's settings for portraits changed"),
        ),
    )
}

# Those that run as Jobs, in their order.
JOB_STAGES = tuple(stage for stage, row in STAGES.items() if row.order is not None)
