"""learn: what is to be done next for a look that is learnt from pictures, and what is told of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from profile_contract.artifacts import REPORT, folder_of
from profile_contract.candidates import Wanted, judge_order
from profile_contract.conditions import Reason
from profile_contract.generation import GenerationOrder
from profile_contract.look_learning import (
    PICTURES_A_NOUN,
    LearntLook,
    Lesson,
    LookCondition,
    MergedLook,
    MergeWish,
)
from profile_contract.look_ref import LookKind, Sha256
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import StageReport
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import LookMerge, MergedModel, TrainOrder, TrainReport
from profile_contract.style import ProfileStyleSpec, Title
from profile_operator.observe.snapshot import JobState, JobView

from .plan import CreateJob, DeleteJob, KueueQueue, Scope

# The first seed of the faces that a look is judged by.
FIRST_SEED = 1
NOUNS = ("woman", "man")
_CONDITIONS = {Stage.PREPROCESS: LookCondition.PREPROCESSED, Stage.TRAIN: LookCondition.TRAINED}
_DOING = {
    LookCondition.PREPROCESSED: "its pictures are looked at",
    LookCondition.TRAINED: "it is trained, and judged then",
    LookCondition.MERGED: "it is merged into the base model",
}


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
    merge: MergeWish | None = None
    merging: TrainReport | None = None


@dataclass(frozen=True)
class Step:
    """A Job of a lesson: whose report lies below `prefix`."""

    condition: LookCondition
    digest: str
    prefix: str
    action: CreateJob


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
        return Learning(_all(rows, facts), message=hindrance.message)
    merge = merge_of(lesson, facts.training, facts.merge)
    wanted = {lesson.digest(stage) for stage in _CONDITIONS} | ({lesson.merge_digest(merge)} if merge else set())
    stale = tuple(DeleteJob(job.name, job.uid) for job in facts.jobs if job.digest not in wanted and not job.deleting)
    reports: dict[Stage, StageReport | None] = {Stage.PREPROCESS: facts.dataset, Stage.TRAIN: facts.training}
    for stage, report in reports.items():
        step = _of_stage(stage, facts)
        if report is None or report.outcome == "BadInput":
            learning = _not_done(step, report, facts)
            return _with(learning, rows, stale, facts)
        rows[step.condition] = ConditionRow(True, Reason.SUCCEEDED, report.message)
    judged = _judged(facts, rows, stale)
    if merge is None or judged.learnt is None:
        return judged
    return _merged(facts, judged, merge)


def queued(learning: Learning, text: str) -> Learning:
    """The same, but its Job waits: it needs a GPU, and others are first."""
    assert learning.job is not None  # noqa: S101
    condition = _CONDITIONS[learning.job.stage]
    row = ConditionRow(False, Reason.QUEUED, text)
    return replace(learning, conditions={**learning.conditions, condition: row}, job=None, message=text)


def merge_of(lesson: Lesson, training: TrainReport | None, wish: MergeWish | None) -> LookMerge | None:
    """What is to be merged into the base model, as far as is known."""
    return lesson.merge(training, wish) if training is not None and wish is not None else None


def _with(
    learning: Learning, rows: Mapping[LookCondition, ConditionRow], stale: tuple[DeleteJob, ...], facts: LearningFacts
) -> Learning:
    """What is next, with what is told of earlier steps, and Jobs that are no longer wanted."""
    return replace(learning, conditions=_all({**rows, **learning.conditions}, facts), stale=(*stale, *learning.stale))


def _all(rows: Mapping[LookCondition, ConditionRow], facts: LearningFacts) -> dict[LookCondition, ConditionRow]:
    """The conditions, with those that wait for an earlier stage; of merging only where it is asked for."""
    waiting = ConditionRow(None, Reason.WAITING_FOR_STAGE)
    asked = (row for row in LookCondition if row is not LookCondition.MERGED or facts.merge is not None)
    return {condition: rows.get(condition, waiting) for condition in asked}


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


def _not_done(step: Step, report: StageReport | None, facts: LearningFacts) -> Learning:
    """A step that is still to be done, or was refused."""
    condition, jobs = step.condition, [job for job in facts.jobs if job.digest == step.digest]
    if report is None:
        return _run(step, jobs, facts)
    if facts.fresh:
        row = ConditionRow(False, Reason.PENDING, "what was refused before is tried again")
        again = tuple(DeleteJob(job.name, job.uid) for job in jobs)
        return Learning({condition: row}, again, drop=step.prefix + REPORT, message=_DOING[condition])
    row = ConditionRow(False, report.reason, report.message)
    return Learning({condition: row}, refusal=f"{report.reason}: {report.message}")


def _run(step: Step, jobs: Sequence[JobView], facts: LearningFacts) -> Learning:
    """A step that has no report: its Job runs, is to be made, or ended without one."""
    condition, action = step.condition, step.action
    if not jobs:
        return Learning({condition: ConditionRow(False, Reason.PENDING)}, job=action, message=_DOING[condition])
    job = jobs[0]
    if job.state is JobState.FAILED:
        text = f"the Job {job.name} failed: its pods' logs say why. It is tried again when the Job has gone"
        again = (DeleteJob(job.name, job.uid),) if facts.fresh else ()
        return Learning({condition: ConditionRow(False, Reason.STAGE_FAILED, text)}, again, message=text)
    if job.state is JobState.SUCCEEDED and not job.deleting:
        # Somebody took its report away.
        again = (DeleteJob(job.name, job.uid),)
        return Learning({condition: ConditionRow(False, Reason.PENDING)}, again, message=_DOING[condition])
    queued = job.state is JobState.SUSPENDED
    reason = Reason.QUEUED if queued else Reason.RUNNING
    text = "it waits for its turn in the queue" if queued else _DOING[condition]
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
        return Learning(_all(rows, facts), stale, refusal=text)
    learnt = LearntLook.of(judged, judged.learnt_from, lesson.prefix(Stage.TRAIN), lesson.place)
    resembling = sum(row.resembling for row in judged.weights)
    if judged.recommended_percent is None:
        seen = (
            f"{resembling} drawn faces resemble somebody of its pictures" if resembling else "faces do not stay theirs"
        )
        text = f"at no weight it leaves faces alone: {seen} ({_how(learnt)}); add pictures of other people"
        rows[LookCondition.JUDGED] = ConditionRow(False, Reason.REFUSED, text)
        return Learning(_all(rows, facts), stale, refusal=text)
    text = f"begin at the weight {judged.recommended_percent}; {_nobody(learnt)} ({_how(learnt)})"
    rows[LookCondition.JUDGED] = ConditionRow(True, Reason.SUCCEEDED, text)
    return Learning(_all(rows, facts), stale, learnt=learnt, sha256=adapter.sha256, message=text)


def _merged(facts: LearningFacts, judged: Learning, merge: LookMerge) -> Learning:
    """A look that is learnt, and is to be merged into its base model too: styles draw with it meanwhile, and also where
    that cannot be done."""
    lesson, report, learnt = facts.lesson, facts.merging, judged.learnt
    assert learnt is not None  # noqa: S101
    if learnt.unsound_from is not None and merge.weight_percent >= learnt.unsound_from:
        text = f"set mergedWeightPercent below {learnt.unsound_from}: from there on it shows somebody of its pictures"
        row = ConditionRow(False, Reason.REFUSED, text)
    elif report is None or report.outcome == "BadInput":
        step = _of_merge(merge, facts)
        learning = _not_done(step, report, facts)
        both = {**judged.conditions, **learning.conditions}
        stale = (*judged.stale, *learning.stale)
        return replace(
            judged, conditions=both, stale=stale, drop=learning.drop, job=learning.job, waits_for=learning.waits_for
        )
    else:
        model = report.merged or MergedModel()
        folder = f"{lesson.merge_prefix(merge)}{model.name}/"
        learnt = learnt.model_copy(
            update={"merged": MergedLook(**model.model_dump(), folder=folder.removeprefix(lesson.place))}
        )
        row = ConditionRow(
            True,
            Reason.SUCCEEDED,
            f"{model.name} ({model.bytes / 1e9:.2f} GB) lies in the store below {folder}: copy that folder among the "
            "platform's models, and name it in training.baseModel and the predictor's",
        )
    return replace(judged, conditions={**judged.conditions, LookCondition.MERGED: row}, learnt=learnt)


def _nobody(learnt: LearntLook) -> str:
    """Who of its pictures is to be recognised in what it draws."""
    if learnt.unsound_from is None:
        return f"nobody of its {learnt.people} people is in what it draws"
    return f"below the weight {learnt.unsound_from} nobody of its {learnt.people} people is in what it draws"


def _how(learnt: LearntLook) -> str:
    """By what faces are told apart."""
    return f"{learnt.network}, a cosine of {learnt.threshold_percent / 100:g} and more"


def _of_merge(merge: LookMerge, facts: LearningFacts) -> Step:
    """The Job that merges. It needs no GPU, and waits in no queue."""
    lesson, digest, output = facts.lesson, facts.lesson.merge_digest(merge), facts.lesson.merge_prefix(merge)
    order = TrainOrder(
        request=lesson.request,
        digest=digest,
        output=output,
        dataset=lesson.prefix(Stage.PREPROCESS) + REPORT,
        parameters=lesson.training,
        merge=merge,
    )
    scopes = (Scope(Stage.TRAIN, (folder_of(merge.adapter.key),), output),)
    action = CreateJob(Stage.TRAIN, look_job(lesson, "merge", digest), order, scopes)
    return Step(LookCondition.MERGED, digest, output, action)


def _of_stage(stage: Stage, facts: LearningFacts) -> Step:
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
    name = look_job(lesson, stage.value, lesson.digest(stage))
    action = CreateJob(stage, name, order, (Scope(stage, (reads,), output),), queue)
    return Step(_CONDITIONS[stage], lesson.digest(stage), output, action)


def look_job(lesson: Lesson, step: str, digest: str) -> str:
    """The name of a step's Job, of at most 63 characters: no request's, whose own end in the stage and its digest, and
    no other look's of that name, which the installation's own namespace may have."""
    whose = "look" if lesson.kind is LookKind.OWN else "cluster-look"
    return f"{whose}-{lesson.request.name[: 41 - len(whose)]}-{step}-{digest[:8]}"


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
