"""Jobs that do not run, are refused, or do not end: what is told, and which Job is deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fake_kubernetes import EVENTS
from operator_world import KEY, World, stalled
from profile_contract.conditions import Reason
from profile_contract.stages.table import Stage
from profile_operator.decide.plan import DeleteJob
from profile_operator.observe.snapshot import Cause, JobState
from profile_operator.workqueue import ExpectedError
from real_operator import RealOperator

QUOTA = 'jobs.batch "x" is forbidden: exceeded quota: team, requested: count/jobs.batch=1, used: 4, limited: 4'
POLICY = "ValidatingAdmissionPolicy 'cost-center' denied request: every Job needs the label cost-center"


# --- refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "words"), [(403, QUOTA), (422, POLICY)])
async def test_who_refuses_a_job_is_heard_once_and_asked_again(operator: RealOperator, status: int, words: str) -> None:
    operator.server.refuse("POST", "/jobs", status, words, times=4)
    for _ in range(4):
        with pytest.raises(ExpectedError):
            await operator.cycle()
    assert operator.condition("Ready")[:2] == ("False", "Refused")
    assert words in operator.condition("Ready")[2]
    assert operator.condition("Stalled")[0] == "False"
    assert [reason for reason, _ in operator.told] == ["Refused"]
    await operator.cycle()
    assert len(operator.jobs) == 1
    assert operator.condition("Ready")[1] == "Pending"


async def test_an_api_server_that_is_away_is_not_one_that_refuses(operator: RealOperator) -> None:
    operator.server.refuse("POST", "/jobs", 503, "etcd leader changed", times=2)
    for _ in range(2):
        with pytest.raises(ExpectedError):
            await operator.cycle()
    assert operator.condition("Ready")[1] == "ApiUnavailable"


async def test_a_quota_that_lets_no_pod_come_is_told_in_its_own_words(operator: RealOperator) -> None:
    await operator.cycle()
    operator.job("preprocess")["status"] = {"startTime": "2026-01-02T03:04:05Z"}
    event: dict[str, Any] = {
        "metadata": {"name": "refused"},
        "involvedObject": {"kind": "Job", "name": operator.job("preprocess")["metadata"]["name"]},
        "reason": "FailedCreate",
        "message": 'Error creating: pods "minji-preprocess-1-abcde" is forbidden: exceeded quota: team',
        "lastTimestamp": "2026-01-02T03:05:00Z",
    }
    operator.server.put(EVENTS.format(KEY.namespace), event)
    await operator.cycle()
    assert operator.condition("Preprocessed") == (
        "False", "Refused", "no pod can be created: the pod is forbidden: exceeded quota: team",
    )  # fmt: skip
    writes = len(operator.server.writes())
    event["message"] = event["message"].replace("abcde", "fghij")
    operator.server.put(EVENTS.format(KEY.namespace), event)
    await operator.cycle()
    # The name of the pod that was not created is no news.
    assert len([call for call in operator.server.writes()[writes:] if call.path.endswith("/status")]) == 0


async def test_a_stage_runs_where_its_own_container_does(operator: RealOperator) -> None:
    """The Job's count of ready pods waits for a sidecar too."""
    await operator.cycle()
    operator.job("preprocess")["status"] = {"startTime": "2026-01-02T03:04:05Z", "active": 1}
    name = operator.job("preprocess")["metadata"]["name"]
    running = [{"name": "stage", "state": {"running": {}}}, {"name": "proxy", "ready": False, "state": {"running": {}}}]
    operator.pod(name, status={"phase": "Running", "containerStatuses": running})
    view = (await operator.observer.snapshot(operator.head, operator.document["spec"], 60.0)).jobs[0]
    assert view.running
    assert view.cause is None


# --- Jobs that go on though nothing is to come of them -----------------------------------------------------------


def training(world: World) -> str:
    world.run(until=lambda w: any("-train-" in name and job.running for name, job in w.jobs.items()))
    return next(name for name in world.jobs if "-train-" in name)


@pytest.mark.parametrize("finished_at", ["same", "", "2999-01-01T00:00:00Z"])
def test_a_job_whose_report_stands_is_deleted_when_it_does_not_end(finished_at: str) -> None:
    """A sidecar runs on, and with it the Job, and its GPU is held."""
    world = World(seen_running=True)
    name = training(world)
    world.work_on()
    report = world.store[world.orders[name].output]
    at = world.stamp if finished_at == "same" else finished_at
    world.store[world.orders[name].output] = report.model_copy(update={"finished_at": at})
    world.jobs[name] = replace(world.jobs[name], state=JobState.ACTIVE, completed=None)
    plan = world.cycle()
    if finished_at == "same":
        assert DeleteJob(name) not in plan.actions
        assert plan.again is not None
        assert plan.again <= 300
        world.now += timedelta(seconds=240)
        assert DeleteJob(name) not in world.cycle().actions
        world.now += timedelta(seconds=60)
        plan = world.cycle()
    assert plan.actions.count(DeleteJob(name)) == 1
    world.run()
    assert world.created.count(name) == 1


def test_the_last_job_of_a_finished_request_has_the_same_time_to_end() -> None:
    """Nothing of the request changes any more: what is to be done about its Job is asked about by itself."""
    world = World().run()
    name = next(name for name in world.jobs if "-finish-" in name)
    world.jobs[name] = replace(world.jobs[name], state=JobState.ACTIVE, completed=None)
    plan = world.cycle()
    assert DeleteJob(name) not in plan.actions
    assert plan.again is not None
    assert 0 < plan.again <= 300
    world.now += timedelta(minutes=5)
    assert world.cycle().actions == (DeleteJob(name),)


def test_a_pod_that_tells_why_it_failed_may_end_by_itself() -> None:
    """Its log stays for people, and what it cost is counted."""
    world = World(seen_running=True)
    name = training(world)
    world.work_on()
    failure = {"outcome": "BadInput", "reason": Reason.TRAINING_DIVERGED, "finished_at": world.stamp}
    output = world.orders[name].output
    world.store[output] = world.store[output].model_copy(update=failure)
    world.jobs[name] = replace(world.jobs[name], state=JobState.ACTIVE, completed=None)
    plan = world.cycle()
    assert DeleteJob(name) not in plan.actions
    stalled(world, Reason.TRAINING_DIVERGED)
    assert plan.again is not None
    world.now += timedelta(minutes=5)
    assert DeleteJob(name) in world.cycle().actions


def test_nobody_elses_job_is_deleted_and_none_that_ended() -> None:
    world = World().run()
    for job in world.jobs.values():
        world.now += timedelta(hours=1)
        assert not world.cycle().actions
        world.jobs[job.name] = replace(job, state=JobState.ACTIVE, owner_uid="somebody")
        assert not world.cycle().actions


@pytest.mark.parametrize("reason", [Reason.DEADLINE_EXCEEDED, Reason.SCRATCH_FULL])
def test_what_would_end_each_further_pod_ends_the_stage_at_once(reason: Reason) -> None:
    world = World(seen_running=True)
    name = training(world)
    cause = Cause(reason, "it took too much", final=True)
    world.jobs[name] = replace(world.jobs[name], running=False, failed_pods=1, cause=cause)
    plan = world.cycle()
    assert DeleteJob(name) in plan.actions
    assert "it took too much" in stalled(world, reason)
    assert world.condition("Trained")[1] == reason
    # The Job is gone with it, and the failure stands.
    for _ in range(3):
        world.cycle()
    assert world.created.count(name) == 1
    stalled(world, reason)
    assert world.status.stages is not None
    assert world.status.stages.train is not None
    assert world.status.stages.train.failure is not None
    assert world.status.stages.train.failure.attempt == 1
    world.retry = "again"
    world.run()
    assert world.created.count(name) == 2


def test_what_the_next_pod_may_do_better_is_left_to_the_job() -> None:
    world = World(seen_running=True)
    name = training(world)
    world.jobs[name] = replace(
        world.jobs[name], running=False, failed_pods=1, cause=Cause(Reason.STORE_UNAVAILABLE, "the store is away")
    )
    plan = world.cycle()
    assert DeleteJob(name) not in plan.actions
    assert world.condition("Trained") == ("False", "StoreUnavailable", "the store is away")
    assert world.condition("Stalled")[0] == "False"
    assert Stage.TRAIN.value in world.condition("Ready")[2]


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        ("unable to create new content in namespace hr because it is being terminated", ["DEBUG"]),
        ('User "operator" cannot create resource "events"', ["WARNING"]),
    ],
)
async def test_that_a_namespace_which_goes_takes_no_events_worries_nobody(
    operator: RealOperator, caplog: pytest.LogCaptureFixture, words: str, levels: list[str]
) -> None:
    await operator.cycle()
    operator.finish("preprocess")
    operator.server.refuse("POST", "/events", 403, words)
    with caplog.at_level("DEBUG", "profile_operator.act.applier"):
        await operator.cycle()
    assert [record.levelname for record in caplog.records if "not posted" in record.message] == levels
