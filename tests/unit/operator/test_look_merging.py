"""A look that becomes a base model too: when it is merged, what is told of it, and that styles never wait for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from areas import area
from look_lesson import ADAPTER, DATASET, FACTS, LESSON, job, trained
from operator_world import CONFIG, NOW
from profile_contract.artifacts import REPORT
from profile_contract.conditions import Reason
from profile_contract.look import LookReason, LookStatus
from profile_contract.look_learning import LookCondition, MergedLook, MergeWish
from profile_contract.resource import Key
from profile_contract.stages.stage import Stage
from profile_contract.stages.train import MergedModel, TrainOrder, TrainReport
from profile_operator.act import manifests
from profile_operator.decide.look_learning import Learning, LearningFacts, learn, merge_of
from profile_operator.decide.look_status import LookSight, is_seen, look_status
from profile_operator.decide.plan import CreateJob, KueueQueue
from profile_operator.observe.snapshot import JobState

WISH = MergeWish(None, "our own studio's work", '{"toy": "A"}')
LEARNT = replace(FACTS, dataset=DATASET, training=trained(), merge=WISH, queue=KueueQueue("gpus"))
MERGE = merge_of(LESSON, trained(), WISH)
assert MERGE is not None
PREFIX, DIGEST = LESSON.merge_prefix(MERGE), LESSON.merge_digest(MERGE)
WRITTEN = TrainReport(
    digest=DIGEST, merged=MergedModel(name="sdxl-rim", weight_percent=60, bytes=6_940_000_000, sums="b" * 64)
)


def merged(learning: Learning) -> tuple[bool | None, Reason]:
    row = learning.conditions[LookCondition.MERGED]
    return row.status, row.reason


def test_it_is_merged_when_it_is_judged_and_drawn_with_meanwhile() -> None:
    waiting = learn(replace(FACTS, merge=WISH))
    assert merged(waiting) == (None, Reason.WAITING_FOR_STAGE)
    learning = learn(LEARNT)
    assert learning.job is not None
    order = learning.job.order
    assert isinstance(order, TrainOrder)
    assert (order.merge, order.parameters.base_model) == (MERGE, "sdxl")
    assert MERGE is not None
    assert (MERGE.name, MERGE.weight_percent, MERGE.adapter.sha256) == ("sdxl-rim", 60, "a" * 64)
    (scope,) = learning.job.scopes
    assert (scope.read, scope.write) == ((ADAPTER,), PREFIX)
    assert PREFIX.startswith(f"{area()}looks/learnt/rim/models/")
    assert (learning.job.queue, learning.job.name) == (None, f"look-rim-merge-{DIGEST[:8]}")
    assert merged(learning) == (False, Reason.PENDING)
    assert learning.learnt is not None
    assert learning.learnt.merged is None


def test_it_says_where_the_model_lies_and_how_it_is_taken_into_use() -> None:
    learning = learn(replace(LEARNT, merging=WRITTEN))
    assert (learning.job, merged(learning)) == (None, (True, Reason.SUCCEEDED))
    assert learning.learnt is not None
    folder = f"{PREFIX.removeprefix(area())}sdxl-rim/"
    assert learning.learnt.merged == MergedLook(
        name="sdxl-rim", folder=folder, weight_percent=60, bytes=6_940_000_000, sums="b" * 64
    )
    text = learning.conditions[LookCondition.MERGED].message
    assert f"sdxl-rim (6.94 GB) lies in the store below {area()}{folder}: copy that folder" in text
    assert "name it in training.baseModel" in text


def test_who_asks_for_no_model_is_told_of_none() -> None:
    assert LookCondition.MERGED not in learn(replace(LEARNT, merge=None, merging=WRITTEN)).conditions


@pytest.mark.parametrize(
    ("state", "reason"), [(JobState.ACTIVE, Reason.RUNNING), (JobState.FAILED, Reason.STAGE_FAILED)]
)
def test_its_job_is_made_once_and_no_other_ends_it(state: JobState, reason: Reason) -> None:
    learning = learn(replace(LEARNT, jobs=(job(Stage.TRAIN, state, digest=DIGEST),)))
    assert (learning.job, learning.stale, merged(learning)) == (None, (), (False, reason))
    other = learn(replace(LEARNT, merge=MergeWish(80, "x"), jobs=(job(Stage.TRAIN, state, digest=DIGEST),)))
    assert [gone.uid for gone in other.stale] == ["job-uid"]


def test_what_cannot_be_merged_says_why_and_the_look_is_drawn_with() -> None:
    text = "the models folder holds no sdxl"
    refused = WRITTEN.model_copy(
        update={"outcome": "BadInput", "reason": Reason.MODEL_NOT_FOUND, "message": text, "merged": None}
    )
    learning = learn(replace(LEARNT, merging=refused))
    assert (merged(learning), learning.refusal, learning.sha256) == ((False, Reason.MODEL_NOT_FOUND), "", "a" * 64)
    assert learning.conditions[LookCondition.MERGED].message == text
    again = learn(replace(LEARNT, merging=refused, fresh=True))
    assert again.drop == PREFIX + REPORT


@pytest.mark.parametrize(("weight", "job_is_made"), [(None, True), (79, True), (80, False)])
def test_a_weight_that_shows_somebody_is_not_merged(weight: int | None, job_is_made: bool) -> None:
    facts = replace(LEARNT, training=trained(60, resembling=1), merge=replace(WISH, weight_percent=weight))
    learning = learn(facts)
    assert (learning.job is not None) is job_is_made
    assert merged(learning) == (False, Reason.PENDING if job_is_made else Reason.REFUSED)
    assert ("set mergedWeightPercent below 80" in learning.conditions[LookCondition.MERGED].message) is not job_is_made


def test_it_needs_no_gpu() -> None:
    jobs = CONFIG.jobs.model_copy(update={"train": CONFIG.jobs.train.model_copy(update={"gpus": 1})})
    config = CONFIG.model_copy(update={"jobs": jobs})

    def limits(action: CreateJob | None) -> dict[str, Any]:
        assert action is not None
        document = manifests.job(action, Key("hr", "rim"), "look-uid", config, redis=False, kind="StyleAdapter")
        limits: dict[str, Any] = document["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        return limits

    assert "nvidia.com/gpu" not in limits(learn(LEARNT).job)
    assert limits(learn(replace(FACTS, dataset=DATASET)).job)["nvidia.com/gpu"] == "1"


def test_it_is_looked_at_until_the_model_stands() -> None:
    def told(facts: LearningFacts, before: LookStatus) -> LookStatus:
        learning = learn(facts)
        sight = LookSight(LookReason.FITS, "fits", learning.sha256, 4, 8, learning)
        return look_status(before, 1, sight, styles=0, installation="ns/release", now=NOW)

    going = told(LEARNT, LookStatus())
    assert {row.type: row.reason for row in going.conditions}["Ready"] == "Fits"
    assert not is_seen(going, 1)
    done = told(replace(LEARNT, merging=WRITTEN), going)
    assert is_seen(done, 1)
    assert done.document()["learnt"]["merged"]["name"] == "sdxl-rim"
