"""A look that is learnt from pictures, at each of its steps."""

from __future__ import annotations

from typing import Any

from areas import area
from operator_world import CONFIG
from profile_contract.look_learning import Lesson, LookLayers, LookSteps, look_training
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import FileRef, RequestRef
from profile_contract.stages.preprocess import DatasetPose, LookPictures, PhotoRef, PreprocessReport
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import LookAtWeight, LookJudgement, LookTraining, TrainParameters, TrainReport
from profile_operator.decide.look_learning import LearningFacts
from profile_operator.observe.snapshot import JobState, JobView
from profile_vision.poses import presets

PHOTOS = tuple(
    PhotoRef(name=f"{n}.jpg", key=f"{area()}uploads/looks/rim/{n}.jpg", bytes=n, etag=str(n)) for n in range(12)
)
LESSON = Lesson(
    request=RequestRef(namespace="hr", name="rim", uid="look-uid"),
    area=area(),
    photos=PHOTOS,
    pictures=LookPictures(),
    preprocess=CONFIG.preprocess,
    training=look_training(TrainParameters(base_model="sdxl", face_weight=4.0), LookLayers.LOOK, LookSteps(steps=200)),
    look=LookTraining(words="golden rim light"),
)
UPLOADS = f"{area()}uploads/looks/rim/"
FACTS = LearningFacts(LESSON, UPLOADS, PictureSize(64, 64))
DATASET = PreprocessReport(
    digest=LESSON.digest(Stage.PREPROCESS),
    people=7,
    message="12 of 12 photos accepted",
    poses=[DatasetPose(name="frontal", joints=presets()["frontal"])],
)
ADAPTER = LESSON.prefix(Stage.TRAIN)


def trained(recommended: int | None = 60, resembling: int = 0) -> TrainReport:
    rows = [
        LookAtWeight(weight_percent=weight, backdrop=weight / 100, light=None, likeness=0.913, nearest=0.318,
                     resembling=resembling if weight == 80 else 0)
        for weight in (40, 60, 80)
    ]  # fmt: skip
    judged = LookJudgement(
        weights=rows, pictures=8, learnt_from=12, people=7, network="SFace", threshold=0.55,
        recommended_percent=recommended, sheet=f"{ADAPTER}look-sheet.jpg",
    )  # fmt: skip
    adapter = FileRef(key=f"{ADAPTER}adapter.safetensors", sha256="a" * 64, bytes=9)
    return TrainReport(digest=LESSON.digest(Stage.TRAIN), adapter=adapter, look=judged)


def job(stage: Stage = Stage.PREPROCESS, state: JobState = JobState.ACTIVE, **changed: Any) -> JobView:
    words = {"name": f"look-rim-{stage.value}", "stage": stage, "digest": LESSON.digest(stage), "uid": "job-uid"}
    return JobView(**{**words, "owner_uid": "look-uid", "state": state, **changed})
