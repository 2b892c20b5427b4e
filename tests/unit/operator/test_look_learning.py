"""A look that is learnt from pictures: which step is next, what is told of it, and what is never done twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from areas import area
from look_cluster import Hand
from look_lesson import ADAPTER, DATASET, FACTS, LESSON, PHOTOS, UPLOADS, job, trained
from operator_world import CONFIG, NOW
from profile_contract.artifacts import REPORT
from profile_contract.conditions import Reason
from profile_contract.keys import ForeignKey
from profile_contract.look import LookReason, LookSpec, LookState, LookStatus, hindrances, look_state
from profile_contract.look_learning import (
    LearntLook,
    LookCondition,
    LookFigures,
    LookLayers,
    LookSteps,
    look_preprocess,
    look_training,
)
from profile_contract.look_ref import LookFile, LookKind, LookRef
from profile_contract.resource import Key
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import (
    Captions,
    LookPictures,
    PreprocessOrder,
    PreprocessParameters,
    PreprocessReport,
)
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import (
    AdapterLayers,
    LookTraining,
    TrainOrder,
)
from profile_contract.style import ProfileStyleSpec, Title
from profile_operator import names
from profile_operator.act import manifests
from profile_operator.act.look_learner import LookLearner, LookOwner
from profile_operator.decide.look_learning import LearningFacts, learn
from profile_operator.decide.look_status import LookSight, is_seen, look_status
from profile_operator.decide.plan import CreateJob, KueueQueue
from profile_operator.observe.snapshot import JobState


def told(facts: LearningFacts) -> dict[str, tuple[bool | None, str]]:
    return {name.value: (row.status, row.reason.value) for name, row in learn(facts).conditions.items()}


WAITING = (None, "WaitingForStage")


def test_pictures_are_looked_at_first_and_nothing_of_a_person_is_asked_of_them() -> None:
    learning = learn(FACTS)
    assert learning.job is not None
    order = learning.job.order
    assert isinstance(order, PreprocessOrder)
    assert (order.look, order.photos) == (LookPictures(), list(PHOTOS))
    (scope,) = learning.job.scopes
    assert (scope.read, scope.write) == ((UPLOADS,), LESSON.prefix(Stage.PREPROCESS))
    assert LESSON.prefix(Stage.PREPROCESS).startswith(f"{area()}looks/learnt/rim/dataset/")
    assert told(FACTS) == {"Preprocessed": (False, "Pending"), "Trained": WAITING, "Judged": WAITING}


def test_what_was_looked_at_is_trained_on_in_the_looks_own_layers_and_judged_by_women_and_men() -> None:
    learning = learn(replace(FACTS, dataset=DATASET, queue=KueueQueue("gpus")))
    assert learning.job is not None
    order = learning.job.order
    assert isinstance(order, TrainOrder)
    assert (order.look, order.dataset) == (LESSON.look, LESSON.prefix(Stage.PREPROCESS) + REPORT)
    said = order.parameters
    assert (said.adapter_layers, said.steps, said.face_weight, said.noun) == (AdapterLayers.LOOK, 200, 1.0, "person")
    assert order.judge is not None
    assert [(item.seed, item.prompt) for item in order.judge.items] == [
        (seed, f"studio portrait of {noun}, head and shoulders, golden rim light")
        for seed, noun in ((1, "woman"), (2, "woman"), (3, "man"), (4, "man"))
    ]
    (scope,) = learning.job.scopes
    assert (scope.read, scope.write, scope.shared) == ((LESSON.prefix(Stage.PREPROCESS),), ADAPTER, "")
    assert order.class_pictures is None
    assert learning.job.queue == KueueQueue("gpus")
    assert learn(FACTS).job.queue is None  # type: ignore[union-attr]


def test_a_look_that_was_learnt_is_told_with_its_figures_and_nothing_is_done_again() -> None:
    learning = learn(replace(FACTS, dataset=DATASET, training=trained()))
    assert (learning.job, learning.stale, learning.drop, learning.refusal) == (None, (), "", "")
    assert learning.sha256 == "a" * 64
    learnt = learning.learnt
    assert learnt is not None
    assert learnt.adapter == f"{ADAPTER.removeprefix(area())}adapter.safetensors"
    assert learnt.sheet == f"{ADAPTER.removeprefix(area())}look-sheet.jpg"
    assert (learnt.pictures, learnt.people, learnt.recommended_percent) == (12, 7, 60)
    assert (learnt.network, learnt.threshold_percent) == ("SFace", 55)
    assert learnt.weights[1] == LookFigures(
        weight_percent=60, backdrop_percent=60, likeness_percent=91, nearest_percent=32
    )
    judged = learning.conditions[LookCondition.JUDGED]
    assert judged.status is True
    assert judged.message == (
        "begin at the weight 60; nobody of its 7 people is in what it draws (SFace, a cosine of 0.55 and more)"
    )


def test_a_look_that_shows_somebody_at_every_weight_is_refused() -> None:
    learning = learn(replace(FACTS, dataset=DATASET, training=trained(None, resembling=2)))
    assert learning.learnt is None
    assert "2 drawn faces resemble somebody of its pictures (SFace, a cosine of 0.55 and more)" in learning.refusal
    assert learning.conditions[LookCondition.JUDGED].status is False


def test_one_that_shows_somebody_from_a_weight_on_is_drawn_with_below_it_alone() -> None:
    learning = learn(replace(FACTS, dataset=DATASET, training=trained(60, resembling=1)))
    assert learning.learnt is not None
    assert learning.learnt.unsound_from == 80
    assert "below the weight 80 nobody" in learning.conditions[LookCondition.JUDGED].message
    state = LookState("profile-predictor", LookFile(key="k", sha256="a" * 64), unsound_from=80)

    def hindered(weight: int) -> str:
        ref = LookRef(name="rim", kind=LookKind.OWN, weight_percent=weight)
        style = ProfileStyleSpec(title=Title(en="Worn"), prompt="{subject}", adapters=[ref])
        return hindrances({"worn": style}, {ref.key: state}).get("worn", "")

    assert hindered(79) == ""
    assert "from the weight 80 on, the StyleAdapter rim shows somebody" in hindered(80)


@pytest.mark.parametrize(
    ("count", "reason"), [(0, Reason.NO_PHOTOS), (61, Reason.TOO_MANY_PHOTOS)], ids=["none", "too many"]
)
def test_nothing_runs_for_no_pictures_and_for_too_many(count: int, reason: Reason) -> None:
    photos = tuple(PHOTOS[0].model_copy(update={"name": f"{number}"}) for number in range(count))
    learning = learn(replace(FACTS, lesson=replace(LESSON, photos=photos)))
    assert (learning.job, learning.refusal) == (None, "")
    assert learning.conditions[LookCondition.PREPROCESSED].reason is reason
    assert "10 to 60" in learning.message or "more than 60" in learning.message


def refused() -> PreprocessReport:
    return DATASET.model_copy(
        update={"outcome": "BadInput", "reason": Reason.TOO_FEW_PEOPLE, "message": "the 12 pictures show one person"}
    )


def test_pictures_of_one_person_are_refused_with_the_reason_and_looked_at_again_for_a_new_spec() -> None:
    learning = learn(replace(FACTS, dataset=refused(), jobs=(job(state=JobState.FAILED),)))
    assert learning.refusal == "TooFewPeople: the 12 pictures show one person"
    assert learning.conditions[LookCondition.PREPROCESSED].reason is Reason.TOO_FEW_PEOPLE
    assert learning.job is None
    again = learn(replace(FACTS, dataset=refused(), jobs=(job(state=JobState.FAILED),), fresh=True))
    assert (again.refusal, again.drop) == ("", LESSON.prefix(Stage.PREPROCESS) + REPORT)
    assert [gone.uid for gone in again.stale] == ["job-uid"]


@pytest.mark.parametrize(
    ("state", "reason", "waits"),
    [(JobState.ACTIVE, "Running", True), (JobState.SUSPENDED, "Queued", True), (JobState.FAILED, "StageFailed", False)],
)
def test_a_job_is_made_once_and_has_credentials_while_it_waits(state: JobState, reason: str, waits: bool) -> None:
    facts = replace(FACTS, jobs=(job(state=state),))
    learning = learn(facts)
    assert (learning.job, learning.stale) == (None, ())
    assert (learning.waits_for is not None) is waits
    assert told(facts)["Preprocessed"] == (False, reason)
    running = replace(FACTS, jobs=(job(state=JobState.ACTIVE, running=True),))
    assert learn(running).waits_for is None


def test_a_job_of_other_pictures_ends_and_one_whose_report_was_taken_away_runs_again() -> None:
    other = job(digest="f" * 16, uid="old")
    assert [gone.uid for gone in learn(replace(FACTS, jobs=(other,))).stale] == ["old"]
    assert learn(replace(FACTS, jobs=(replace(other, deleting=True),))).stale == ()
    lost = learn(replace(FACTS, jobs=(job(state=JobState.SUCCEEDED),)))
    assert [gone.uid for gone in lost.stale] == ["job-uid"]
    assert lost.job is None


def test_words_layers_and_pictures_make_another_look_and_a_weight_does_not() -> None:
    digests = {
        LESSON.digest(Stage.TRAIN),
        replace(LESSON, look=LookTraining(words="film")).digest(Stage.TRAIN),
        replace(LESSON, photos=PHOTOS[1:]).digest(Stage.TRAIN),
        replace(LESSON, training=look_training(LESSON.training, LookLayers.EVERYTHING, LookSteps())).digest(
            Stage.TRAIN
        ),
    }
    assert len(digests) == 4
    # Made anew under its name, with the same pictures, it finds what was learnt.
    again = replace(LESSON, request=RequestRef(namespace="hr", name="rim", uid="another"), photos=PHOTOS[::-1])
    assert again.prefix(Stage.TRAIN) == ADAPTER


def test_a_name_with_a_dot_is_no_folder_of_a_look() -> None:
    dotted = replace(LESSON, request=RequestRef(namespace="hr", name="rim.light"))
    with pytest.raises(ForeignKey, match="has a dot"):
        learn(replace(FACTS, lesson=dotted))


def test_the_status_tells_each_stage_and_keeps_its_times() -> None:
    learning = learn(replace(FACTS, dataset=DATASET))
    sight = LookSight(LookReason.LEARNING, learning.message, learning=learning)
    first = look_status(LookStatus(), 1, sight, styles=0, installation="ns/release", now=NOW)
    assert {row.type: (row.status, row.reason) for row in first.conditions} == {
        "Ready": ("False", "Learning"),
        "Preprocessed": ("True", "Succeeded"),
        "Trained": ("False", "Pending"),
        "Judged": ("Unknown", "WaitingForStage"),
    }
    assert not is_seen(first, 1)
    later = NOW.replace(year=NOW.year + 1)
    assert look_status(first, 1, sight, styles=0, installation="ns/release", now=later) == first
    done = learn(replace(FACTS, dataset=DATASET, training=trained()))
    fits = LookSight(LookReason.FITS, "fits", done.sha256, 4, 8, done)
    last = look_status(first, 1, fits, styles=0, installation="ns/release", now=later)
    assert is_seen(last, 1)
    since = {row.type: row.last_transition_time[:4] for row in last.conditions}
    assert since == {"Ready": str(later.year), "Preprocessed": str(NOW.year), "Trained": str(later.year),
                     "Judged": str(later.year)}  # fmt: skip
    document = {
        "metadata": {"name": "rim", "namespace": "hr", "generation": 1},
        "spec": {"photos": {"prefix": "uploads/looks/rim/", "licence": "ours"}, "words": "golden rim light"},
        "status": last.document(),
    }
    state = look_state(document, area(), "ns/release")
    assert state.file == LookFile(key=f"{ADAPTER}adapter.safetensors", sha256="a" * 64)
    document["status"] = first.document()
    assert look_state(document, area(), "ns/release").file is None


# --- what is done ---


SPEC = LookSpec.model_validate(
    {"photos": {"prefix": "uploads/looks/rim/", "licence": "ours"}, "words": "golden rim light"}
)


async def test_each_step_makes_one_job_that_belongs_to_its_look() -> None:
    hand, owner = Hand(), LookOwner(Key("hr", "rim"), "look-uid")
    learner = LookLearner(hand, hand, hand, CONFIG)  # type: ignore[arg-type]

    async def step() -> Any:
        assert SPEC.photos is not None
        return await learner.step(owner, SPEC, SPEC.photos, fresh=False)

    await step()
    await step()
    (made,) = hand.jobs
    metadata = made["metadata"]
    assert metadata["name"].startswith("look-rim-preprocess-")
    assert [(row["kind"], row["name"], row["uid"]) for row in metadata["ownerReferences"]] == [
        ("StyleAdapter", "rim", "look-uid")
    ]
    # What the sweep and the requests' own rounds go by is not on it.
    assert metadata["labels"][names.LABEL_LOOK] == "rim"
    assert not {names.LABEL_REQUEST, names.LABEL_UID} & set(metadata["labels"])
    assert hand.done.count("list uploads/looks/rim/ 61") == 2
    assert hand.done.count("credentials rim preprocess StyleAdapter") == 2


def test_secrets_of_a_look_end_with_it() -> None:
    document = manifests.credentials(Key("hr", "rim"), "look-uid", Stage.TRAIN, {"a": "b"}, LookKind.OWN.value)
    assert document["metadata"]["ownerReferences"][0]["kind"] == "StyleAdapter"
    assert document["metadata"]["labels"][names.LABEL_LOOK] == "rim"


def test_a_look_without_figures_is_told_as_such() -> None:
    assert LearntLook().unsound_from is None
    assert isinstance(learn(FACTS).job, CreateJob)


def test_the_least_weight_that_shows_somebody_is_the_bound() -> None:
    def learnt(*shown: int) -> LearntLook:
        return LearntLook(
            weights=[LookFigures(weight_percent=weight, resembling=weight in shown) for weight in (40, 60, 80)]
        )

    assert [learnt().unsound_from, learnt(80).unsound_from, learnt(60, 80).unsound_from] == [None, 80, 60]


def test_pictures_of_a_look_are_not_described() -> None:
    """Its backdrop and its clothes may be what the look is."""
    described = PreprocessParameters(captions=Captions.DESCRIBED, face_percent=50)
    assert look_preprocess(described) == PreprocessParameters(face_percent=50)
