"""What the operator makes of failures, bad input and conflicts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operator_world import SPEC, World, change, fail, ready, stalled
from profile_contract.conditions import Reason
from profile_contract.request import DeletionPolicy
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.stages.generate import GenerateReport
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_operator.observe.snapshot import Cause, JobState

MOST_WRITES = 12
PREPROCESS, TRAIN, GENERATE, FINISH = Stage


# --- failures ----------------------------------------------------------------------------------------------------


def bad_input(world: World, reason: Reason, message: str) -> None:
    """The preprocess Job that runs ends with a BadInput report."""
    name = next(iter(world.jobs))
    order = world.orders[name]
    assert isinstance(order, PreprocessOrder)
    world.store[order.output] = PreprocessReport(
        digest=order.digest, outcome="BadInput", reason=reason, message=message
    )
    world.end(name, JobState.FAILED, Cause(reason, message))


@pytest.mark.parametrize("stage", [PREPROCESS, TRAIN, FINISH])
def test_a_failed_job_stalls_with_what_its_pod_said_and_never_runs_by_itself(stage: Stage) -> None:
    world = World()
    fail(world, stage, Cause(Reason.OUT_OF_MEMORY, "needs 30 GB"))
    advice = stalled(world, Reason.OUT_OF_MEMORY)
    assert "needs 30 GB" in advice
    assert "profilestudio.io/retry" in advice
    before = list(world.created)
    for _ in range(5):
        world.cycle()
    assert world.created == before


def test_a_failed_job_without_words_is_a_failed_stage() -> None:
    world = World()
    fail(world, TRAIN, None)
    stalled(world, Reason.STAGE_FAILED)


def test_a_new_retry_annotation_runs_the_failed_stage_once_more() -> None:
    world = World()
    name = fail(world, TRAIN, None)
    world.retry = "1"
    world.cycle()
    assert name not in world.jobs
    assert world.status.photos is not None
    assert world.status.last_handled_retry == "", "until what failed is gone"
    world.cycle()
    assert world.status.last_handled_retry == "1"
    assert world.created.count(name) == 2
    world.end(name, JobState.FAILED)
    for _ in range(3):
        world.cycle()
    assert world.created.count(name) == 2
    stalled(world, Reason.STAGE_FAILED)


def test_to_take_the_annotation_away_is_no_wish_to_retry() -> None:
    world = World()
    world.retry = "1"
    world.cycle()
    assert world.status.photos is not None
    assert world.status.last_handled_retry == "1"
    name = fail(world, TRAIN, None)
    world.retry = ""
    for _ in range(3):
        world.cycle()
    assert world.created.count(name) == 1
    stalled(world, Reason.STAGE_FAILED)


def test_a_retry_is_answered_once() -> None:
    asked = World()
    fail(asked, TRAIN, None)
    photos = asked.status.photos
    assert photos is not None
    for answered, retry, wanted in (
        ("", "", False),
        ("", "1", True),
        ("1", "1", False),
        ("1", "2", True),
        ("1", "", False),
    ):
        status = asked.status.model_copy(update={"last_handled_retry": answered})
        head = replace(asked.head, status=status, retry=retry)
        assert head.retrying is wanted, (answered, retry)


def test_a_wish_to_retry_outlives_a_suspension() -> None:
    world = World()
    name = fail(world, TRAIN, None)
    change(world, suspend=True)
    world.retry = "1"
    world.cycle()
    assert name in world.jobs
    change(world, suspend=False)
    world.cycle()
    world.cycle()
    assert world.created.count(name) == 2


def test_a_generation_report_that_cannot_be_read_stalls_and_is_dropped_when_asked() -> None:
    world = World().run(until=lambda w: any("-finish-" in name for name in w.jobs))
    prefix = world.chain.prefix(GENERATE, world.chain.styles["warm"])
    world.store[prefix] = GenerateReport(digest="", outcome="BadInput", reason=Reason.INVALID_ORDER, message="unread")
    world.cycle()
    stalled(world, Reason.INVALID_ORDER)
    world.retry = "1"
    world.cycle()
    assert prefix not in world.store
    assert ready(world.run())


def test_bad_input_stalls_and_stands_until_asked_again() -> None:
    world = World()
    world.cycle()
    bad_input(world, Reason.TOO_FEW_USABLE_PHOTOS, "3 of 6 photos can be used, at least 5 are needed")
    world.cycle()
    advice = stalled(world, Reason.TOO_FEW_USABLE_PHOTOS)
    assert "3 of 6" in advice
    assert "status.photos.verdicts" in advice
    before = list(world.created)
    world.cycle()
    assert world.created == before
    world.retry = "again"
    world.run()
    assert len(world.created) > len(before)
    assert ready(world)


def test_bad_input_that_stands_is_not_run_again_for_a_new_object() -> None:
    world = World(spec=SPEC.model_copy(update={"deletion_policy": DeletionPolicy.RETAIN}))
    world.cycle()
    bad_input(world, Reason.TOO_FEW_USABLE_PHOTOS, "too few")
    world.cycle()
    world.recreate()
    world.cycle()
    stalled(world, Reason.TOO_FEW_USABLE_PHOTOS)
    assert world.created == []


def test_a_job_of_that_name_that_is_not_ours_is_a_conflict() -> None:
    world = World()
    world.cycle()
    name = world.created[0]
    world.jobs[name] = replace(world.jobs[name], owner_uid="somebody")
    world.cycle()
    assert name in stalled(world, Reason.CONFLICT)


def test_a_job_that_is_going_away_is_waited_for() -> None:
    world = World()
    world.cycle()
    name = world.created[0]
    world.jobs[name] = replace(world.jobs[name], deleting=True)
    assert world.cycle().again == 2
    assert world.created == [name]
    del world.jobs[name]
    world.cycle()
    assert world.created == [name, name]


def test_no_portrait_delivered_is_told() -> None:
    world = World().run()
    world.status = ProfileRequestStatus()
    finish = world.reports(world.chain).finish
    assert finish is not None
    world.store[world.chain.prefix(FINISH)] = finish.model_copy(update={"portraits": []})
    world.cycle()
    assert "minimumLikeness" in stalled(world, Reason.NO_LIKENESS_REACHED)


def test_a_retry_that_an_earlier_version_answered_is_not_answered_again() -> None:
    world = World()
    fail(world, TRAIN, None)
    stored = world.status.document()
    del stored["lastHandledRetry"]
    stored["photos"]["retry"] = "1"
    status = ProfileRequestStatus.model_validate(stored)
    assert status.last_handled_retry == "1"
    assert not replace(world.head, status=status, retry="1").retrying
    assert replace(world.head, status=status, retry="2").retrying
