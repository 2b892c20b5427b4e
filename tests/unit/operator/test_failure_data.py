"""A failure is data: what the status remembers decides whether a stage runs again, not a Job that may be cleaned up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_world import World, change, fail, ready, stalled
from profile_contract.conditions import REASONS, Reason, ReasonKind
from profile_contract.request import Training
from profile_contract.request_status import StageFailure
from profile_contract.stages.table import Stage
from profile_operator.clock import parsed
from profile_operator.decide.failure import due
from profile_operator.observe.snapshot import Cause, GenerationView, JobState
from profile_operator.workqueue import ExpectedError
from profile_runtime.store.port import StoreError
from properties import examples
from real_operator import real_operator

PREPROCESS, TRAIN, GENERATE, FINISH = Stage
PLATFORM = [reason for reason, row in REASONS.items() if row.kind is ReasonKind.PLATFORM]


def failure_of(world: World, stage: Stage) -> StageFailure | None:
    assert world.status.stages is not None
    entry = world.status.stages.of(stage)
    return entry.failure if entry is not None else None


def wait(world: World, seconds: float) -> None:
    world.now += timedelta(seconds=seconds)


# --- of the input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [PREPROCESS, TRAIN, FINISH])
def test_a_failed_stage_whose_job_was_cleaned_up_does_not_run_again(stage: Stage) -> None:
    world = World()
    name = fail(world, stage, Cause(Reason.TRAINING_DIVERGED, "the loss is no number"))
    failure = failure_of(world, stage)
    assert failure is not None
    assert (failure.reason, failure.message, failure.attempt) == ("TrainingDiverged", "the loss is no number", 1)
    del world.jobs[name]
    for _ in range(5):
        wait(world, 3600)
        world.cycle()
    assert world.created.count(name) == 1
    assert "the loss is no number" in stalled(world, Reason.TRAINING_DIVERGED)
    world.retry = "1"
    world.run()
    assert world.created.count(name) == 2
    assert ready(world)
    assert failure_of(world, stage) is None


def test_other_inputs_have_not_failed() -> None:
    world = World()
    name = fail(world, TRAIN, Cause(Reason.TRAINING_DIVERGED, "no number"))
    del world.jobs[name]
    change(world, training=Training(rank=8))
    world.run()
    assert ready(world)
    assert failure_of(world, TRAIN) is None


def test_a_reason_of_a_newer_version_stands_until_a_person_asks() -> None:
    world = World()
    name = fail(world, TRAIN, None)
    del world.jobs[name]
    stages, failure = world.status.stages, failure_of(world, TRAIN)
    assert stages is not None
    assert stages.train is not None
    assert failure is not None
    newer = stages.train.model_copy(update={"failure": failure.model_copy(update={"reason": "LostInSpace"})})
    world.status = world.status.model_copy(update={"stages": stages.model_copy(update={"train": newer})})
    for _ in range(3):
        wait(world, 3600)
        world.cycle()
    assert world.created.count(name) == 1
    stalled(world, Reason.STAGE_FAILED)


def test_generation_that_was_refused_is_not_asked_for_again_by_a_restarted_operator() -> None:
    world = World().run(until=lambda w: w.view.running)
    world.view = replace(world.view, running=False, reason=Reason.PREDICTOR_REFUSED, message="another base model")
    world.cycle()
    assert "another base model" in stalled(world, Reason.PREDICTOR_REFUSED)
    world.view, world.work = GenerationView(), None
    for _ in range(3):
        world.cycle()
    assert world.work is None
    stalled(world, Reason.PREDICTOR_REFUSED)
    world.retry = "1"
    assert ready(world.run())


# --- of the platform ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", PLATFORM)
def test_what_the_platform_failed_is_tried_again_by_itself(reason: Reason) -> None:
    world = World()
    name = fail(world, TRAIN, Cause(reason, "the store is away"))
    assert world.condition("Ready")[:2] == ("False", reason)
    assert (world.condition("Stalled")[0], world.condition("Reconciling")[0]) == ("False", "True")
    assert world.status.stage_text == "Training"
    assert world.plan.again is not None
    assert 2 <= world.plan.again <= 10
    assert world.created.count(name) == 1
    del world.jobs[name]
    wait(world, 10)
    world.run()
    assert world.created.count(name) == 2
    assert ready(world)
    assert failure_of(world, TRAIN) is None


def test_pauses_double_up_to_ten_minutes_and_it_never_gives_up() -> None:
    world = World()
    name = fail(world, TRAIN, Cause(Reason.STORE_UNAVAILABLE, "away"))
    pauses = []
    for attempt in range(1, 12):
        failure = failure_of(world, TRAIN)
        assert failure is not None
        assert failure.attempt == attempt
        pauses.append((due(failure) - parsed(failure.time)).total_seconds())
        world.now = due(failure) - timedelta(seconds=6)
        world.cycle()
        assert world.created.count(name) == attempt
        assert f"attempt {attempt} failed, it is tried again at" in world.condition("Trained")[2]
        wait(world, 6)
        world.cycle()
        world.cycle()
        assert world.created.count(name) == attempt + 1
        wait(world, 60)
        world.end(name, JobState.FAILED, Cause(Reason.STORE_UNAVAILABLE, "away"))
        world.cycle()
    assert pauses == [10, 20, 40, 80, 160, 320, 600, 600, 600, 600, 600]
    assert world.condition("Stalled")[0] == "False"


def test_an_attempt_is_counted_once_and_remembered_while_the_next_one_runs() -> None:
    world = World()
    name = fail(world, TRAIN, Cause(Reason.STORE_UNAVAILABLE, "away"))
    for _ in range(2):
        world.now -= timedelta(seconds=5)
        assert world.cycle().status is None
    wait(world, 30)
    world.cycle()
    world.cycle()
    assert world.condition("Trained")[1] == Reason.PENDING
    failure = failure_of(world, TRAIN)
    assert failure is not None
    assert failure.attempt == 1
    wait(world, 5)
    # Now it is the input's fault, and that stands.
    world.end(name, JobState.FAILED, Cause(Reason.OUT_OF_MEMORY, "30 GB"))
    world.cycle()
    stalled(world, Reason.OUT_OF_MEMORY)
    failure = failure_of(world, TRAIN)
    assert failure is not None
    assert (failure.attempt, failure.reason) == (2, "OutOfMemory")


def test_gpu_seconds_of_every_attempt_are_counted() -> None:
    world = World().run(until=lambda w: any("-train-" in name for name in w.jobs))
    name = world.created[-1]
    wait(world, 50)
    world.end(name, JobState.FAILED, Cause(Reason.STORE_UNAVAILABLE, "away"))
    world.cycle()
    first = world.status.gpu_seconds
    assert first == 50
    wait(world, 30)
    world.cycle()
    world.cycle()
    wait(world, 100)
    world.end(name, JobState.FAILED, Cause(Reason.STORE_UNAVAILABLE, "away"))
    world.cycle()
    assert world.status.gpu_seconds == first + 100


# --- a wish to retry is not lost ---------------------------------------------------------------------------------


async def test_a_report_that_cannot_be_dropped_does_not_lose_the_retry() -> None:
    async with real_operator() as operator:
        await operator.cycle()
        operator.finish("preprocess")
        name = next(iter(operator.jobs))
        key = next(key for key in operator.store.objects if key.endswith("report.json"))
        bad = {**json.loads(operator.store.objects[key]), "outcome": "BadInput", "reason": "TwoPeople", "message": "2"}
        operator.store.objects[key] = json.dumps(bad).encode()
        operator.pod(name)
        await operator.cycle()
        assert operator.condition("Stalled")[:2] == ("True", "TwoPeople")
        operator.annotate("profilestudio.io/retry", "1")
        delete, away = operator.store.delete, [True]

        def failing(prefix: str) -> int:
            if away.pop() if away else False:
                raise StoreError("the store is away")
            return delete(prefix)

        operator.store.delete = failing  # type: ignore[method-assign]
        with pytest.raises(ExpectedError):
            await operator.cycle()
        for _ in range(3):
            await operator.cycle()
        operator.server.end_pods(name)
        await operator.cycle()
        assert key not in operator.store.objects
        assert operator.condition("Preprocessed")[1] == "Pending"
        assert not operator.head.retrying


@examples(100)
@given(
    st.lists(
        st.sampled_from(["fails", "platform fails", "ends", "cleaned up", "restart", "retry", "wait", "look"]),
        max_size=14,
    )
)
def test_whatever_happens_a_failure_of_the_input_runs_again_for_a_person_alone(history: list[str]) -> None:
    world, wishes, stands = World(), 0, False
    world.cycle()
    for event in history:
        running = [name for name, job in world.jobs.items() if job.state is JobState.ACTIVE]
        begun = len(world.created)
        match event:
            case "fails" | "platform fails" if running:
                reason = Reason.OUT_OF_MEMORY if event == "fails" else Reason.STORE_UNAVAILABLE
                world.end(running[0], JobState.FAILED, Cause(reason, "it failed"))
                # Somebody may have asked again already, in the moment before: then it is for them that it runs.
                stands = event == "fails" and not world.head.retrying
            case "ends":
                world.work_on()
            case "cleaned up":
                world.jobs = {name: job for name, job in world.jobs.items() if not job.finished}
            case "restart":
                world.view, world.work = GenerationView(), None
            case "retry":
                wishes += 1
                world.retry, stands = str(wishes), False
            case "wait":
                wait(world, 900)
            case _:
                pass
        world.cycle()
        assert len(world.created) - begun <= 1
        assert not stands or len(world.created) == begun
        if stands:
            stalled(world, Reason.OUT_OF_MEMORY)
    world.retry = "at last"
    for _ in range(3):
        wait(world, 900)
        world.cycle()
    assert ready(world.run())
