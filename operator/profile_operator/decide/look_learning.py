"""learn: what is to be done next for a look that is learnt from pictures, and what is told of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from profile_contract.artifacts import REPORT
from profile_contract.candidates import Wanted, judge_order
from profile_contract.conditions import Reason
from profile_contract.generation import GenerationOrder
from profile_contract.look_learning import PICTURES_A_NOUN, LearntLook, Lesson, LookCondition
from profile_contract.look_ref import Sha256
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import TrainOrder, TrainReport
from profile_contract.style import ProfileStyleSpec, Title
from profile_operator.observe.snapshot import JobState, JobView

from .plan import CreateJob, DeleteJob, KueueQueue, Scope

# The first seed of the faces that a look is judged by.
FIRST_SEED = 1
NOUNS = ("woman", "man")
_CONDITIONS = {Stage.PREPROCESS: LookCondition.PREPROCESSED, Stage.TRAIN: LookCondition.TRAINED}
_DOING = {Stage.PREPROCESS: "its pictures are looked at", Stage.TRAIN: "it is trained, and judged then"}


@dataclass(frozen=True)
class LearningFacts:
    """What is known of a look that is learnt. `fresh`: nobody looked at it yet as its spec is now: what was refused
    before is tried again. `queue`: where Jobs wait that need a GPU; `recipe`: the digest of the base model's."""

    lesson: Lesson
    photos_prefix: str
    size: PictureSize
    dataset: PreprocessReport | None = None
    training: TrainReport | None = None
    jobs: Sequence[JobView] = ()
    fresh: bool = False
    queue: KueueQueue | None = None
    recipe: str = ""


@dataclass(frozen=True)
class ConditionRow:
    """A condition, before it has its time: True, False with why, or Unknown while it is not known yet."""

    status: bool | None
    reason: Reason
    message: str = ""


@dataclass(frozen=True)
class Learning:
    """What is next: Jobs to delete, a refusal to forget (its key), a Job to run; then what is told.

    `refusal`: why this look is not to be learnt from these pictures; `learnt`, with the file's `sha256`: it is.
    """

    conditions: Mapping[LookCondition, ConditionRow]
    stale: tuple[DeleteJob, ...] = ()
    drop: str = ""
    job: CreateJob | None = None
    waits_for: CreateJob | None = None
    refusal: str = ""
    learnt: LearntLook | None = None
    sha256: Sha256 = ""
    message: str = ""


def learn(facts: LearningFacts) -> Learning:
    """The next step. Raises ForeignKey for a look whose name no key may hold."""
    lesson, rows = facts.lesson, dict[LookCondition, ConditionRow]()
    hindrance = _photos_hindrance(lesson)
    if hindrance is not None:
        rows[LookCondition.PREPROCESSED] = hindrance
        return Learning(_all(rows), message=hindrance.message)
    wanted = {lesson.digest(stage) for stage in _CONDITIONS}
    stale = tuple(DeleteJob(job.name, job.uid) for job in facts.jobs if job.digest not in wanted and not job.deleting)
    reports: dict[Stage, StageReport | None] = {Stage.PREPROCESS: facts.dataset, Stage.TRAIN: facts.training}
    for stage, report in reports.items():
        condition = _CONDITIONS[stage]
        if report is None:
            step = _run(stage, facts)
            rows[condition] = step.conditions[condition]
            return Learning(
                _all(rows), (*stale, *step.stale), job=step.job, waits_for=step.waits_for, message=step.message
            )
        if report.outcome == "BadInput" and facts.fresh:
            rows[condition] = ConditionRow(False, Reason.PENDING, "what was refused before is tried again")
            again = tuple(DeleteJob(job.name, job.uid) for job in _of(stage, facts))
            drop = lesson.prefix(stage) + REPORT
            return Learning(_all(rows), (*stale, *again), drop=drop, message=_DOING[stage])
        if report.outcome == "BadInput":
            rows[condition] = ConditionRow(False, report.reason, report.message)
            return Learning(_all(rows), stale, refusal=f"{report.reason}: {report.message}")
        rows[condition] = ConditionRow(True, Reason.SUCCEEDED, report.message)
    return _judged(facts, rows, stale)


def _all(rows: Mapping[LookCondition, ConditionRow]) -> dict[LookCondition, ConditionRow]:
    """The conditions, with those that wait for an earlier stage."""
    waiting = ConditionRow(None, Reason.WAITING_FOR_STAGE)
    return {condition: rows.get(condition, waiting) for condition in LookCondition}


def _photos_hindrance(lesson: Lesson) -> ConditionRow | None:
    """Why the pictures that lie there are none to look at; None where they are."""
    count, pictures = len(lesson.photos), lesson.pictures
    if count == 0:
        text = f"there are no pictures: put {pictures.minimum} to {pictures.maximum} below photos.prefix"
        return ConditionRow(False, Reason.NO_PHOTOS, text)
    if count > pictures.maximum:
        text = f"there are more than {pictures.maximum} pictures: leave the best {pictures.maximum} there"
        return ConditionRow(False, Reason.TOO_MANY_PHOTOS, text)
    return None


def _of(stage: Stage, facts: LearningFacts) -> list[JobView]:
    """The Jobs of a stage of this lesson."""
    return [job for job in facts.jobs if job.digest == facts.lesson.digest(stage)]


def _run(stage: Stage, facts: LearningFacts) -> Learning:
    """A stage that has no report: its Job runs, is to be made, or ended without one."""
    condition, jobs, action = _CONDITIONS[stage], _of(stage, facts), _create(stage, facts)
    if not jobs:
        return Learning({condition: ConditionRow(False, Reason.PENDING)}, job=action, message=_DOING[stage])
    job = jobs[0]
    if job.state is JobState.FAILED:
        text = f"the Job {job.name} failed: its pods' logs say why. It is tried again when the Job has gone"
        again = (DeleteJob(job.name, job.uid),) if facts.fresh else ()
        return Learning({condition: ConditionRow(False, Reason.STAGE_FAILED, text)}, again, message=text)
    if job.state is JobState.SUCCEEDED and not job.deleting:
        # Somebody took its report away.
        again = (DeleteJob(job.name, job.uid),)
        return Learning({condition: ConditionRow(False, Reason.PENDING)}, again, message=_DOING[stage])
    queued = job.state is JobState.SUSPENDED
    reason = Reason.QUEUED if queued else Reason.RUNNING
    text = "it waits for its turn in the queue" if queued else _DOING[stage]
    waits_for = None if job.deleting or job.running else action
    return Learning({condition: ConditionRow(False, reason, text)}, waits_for=waits_for, message=text)


def _judged(facts: LearningFacts, rows: dict[LookCondition, ConditionRow], stale: tuple[DeleteJob, ...]) -> Learning:
    """A look of which both reports stand: what its judge says of it."""
    training, lesson = facts.training, facts.lesson
    assert training is not None  # noqa: S101
    judged, adapter = training.look, training.adapter
    if judged is None or adapter is None:
        text = "the report of its training says nothing of a look; the stages' images are of another version"
        rows[LookCondition.JUDGED] = ConditionRow(False, Reason.INVALID_ORDER, text)
        return Learning(_all(rows), stale, refusal=text)
    learnt = LearntLook.of(judged, judged.learnt_from, lesson.prefix(Stage.TRAIN), lesson.area)
    resembling = sum(row.resembling for row in judged.weights)
    if judged.recommended_percent is None:
        seen = (
            f"{resembling} drawn faces resemble somebody of its pictures" if resembling else "faces do not stay theirs"
        )
        text = f"at no weight it leaves faces alone: {seen} ({_how(learnt)}); add pictures of other people"
        rows[LookCondition.JUDGED] = ConditionRow(False, Reason.REFUSED, text)
        return Learning(_all(rows), stale, refusal=text)
    text = f"begin at the weight {judged.recommended_percent}; {_nobody(learnt)} ({_how(learnt)})"
    rows[LookCondition.JUDGED] = ConditionRow(True, Reason.SUCCEEDED, text)
    return Learning(_all(rows), stale, learnt=learnt, sha256=adapter.sha256, message=text)


def _nobody(learnt: LearntLook) -> str:
    """Who of its pictures is to be recognised in what it draws."""
    if learnt.unsound_from is None:
        return f"nobody of its {learnt.people} people is in what it draws"
    return f"below the weight {learnt.unsound_from} nobody of its {learnt.people} people is in what it draws"


def _how(learnt: LearntLook) -> str:
    """By what faces are told apart."""
    return f"{learnt.network}, a cosine of {learnt.threshold_percent / 100:g} and more"


def _create(stage: Stage, facts: LearningFacts) -> CreateJob:
    """The Job of a stage, with what its credentials may reach."""
    lesson = facts.lesson
    dataset, output = lesson.prefix(Stage.PREPROCESS), lesson.prefix(stage)
    order: PreprocessOrder | TrainOrder
    if stage is Stage.PREPROCESS:
        reads = facts.photos_prefix
        order = PreprocessOrder(
            request=lesson.request,
            digest=lesson.digest(stage),
            output=output,
            photos=list(lesson.photos),
            parameters=lesson.preprocess,
            look=lesson.pictures,
        )
    else:
        reads = dataset
        order = TrainOrder(
            request=lesson.request,
            digest=lesson.digest(stage),
            output=output,
            dataset=dataset + REPORT,
            parameters=lesson.training,
            judge=_faces(facts),
            recipe=facts.recipe,
            look=lesson.look,
        )
    queue = facts.queue if stage is Stage.TRAIN else None
    return CreateJob(stage, look_job(lesson, stage), order, (Scope(stage, (reads,), output),), queue)


def look_job(lesson: Lesson, stage: Stage) -> str:
    """The name of a stage's Job, of at most 63 characters: no request's, whose own end in the stage and its digest."""
    return f"look-{lesson.request.name[:37]}-{stage.value}-{lesson.digest(stage)[:8]}"


def _faces(facts: LearningFacts) -> GenerationOrder | None:
    """What the look is judged by: as many women as men, drawn as portraits are, in the look's words."""
    lesson, dataset = facts.lesson, facts.dataset
    if dataset is None:
        return None
    words = lesson.look.words.replace("{", "").replace("}", "")
    prompt = f"studio portrait of {{subject}}, head and shoulders, {words}"
    style = ProfileStyleSpec(title=Title(en=lesson.request.name[:60]), prompt=prompt, pose="frontal")
    orders = [
        judge_order(
            lesson.request,
            "look",
            style,
            Wanted(noun, FIRST_SEED + place * PICTURES_A_NOUN, PICTURES_A_NOUN),
            dataset,
            size=facts.size,
        )
        for place, noun in enumerate(NOUNS)
    ]
    whole = [order for order in orders if order is not None]
    if not whole:
        return None
    return whole[0].model_copy(update={"items": [item for order in whole for item in order.items]})
