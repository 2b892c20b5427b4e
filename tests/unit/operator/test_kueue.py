"""Trainings that Kueue lets go, one after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from admission_world import KUEUE, admitting, preprocessed, training
from fake_kubernetes import PODS, SECRETS, FakeKubernetes
from operator_world import CONFIG, KEY, World, change, ready, stages_of
from profile_contract.stages.table import Stage
from profile_operator.config import AdmissionConfig, Limits
from profile_operator.decide import decide
from profile_operator.decide.plan import CreateJob, DeleteJob, IssueCredentials, WithdrawCredentials
from profile_operator.observe.queues import Queues, hindrance_of
from profile_operator.observe.snapshot import JobState
from real_operator import RealOperator, real_operator


def released(world: World, name: str) -> None:
    """Kueue lets a Job go."""
    world.jobs[name] = replace(world.jobs[name], state=JobState.ACTIVE, started=world.now)


def test_kueue_holds_a_job_lets_it_go_and_takes_its_place_away_again() -> None:
    world = preprocessed(KUEUE)
    world.cycle()
    (name,) = training(world)
    for _ in range(3):
        assert world.jobs[name].state is JobState.SUSPENDED
        assert world.condition("Trained") == ("False", "Queued", "waits in the queue team-a")
        assert world.condition("Ready")[:2] == ("False", "Queued")
        assert world.status.stage_text == "Queued"
        assert world.cycle().actions == ()
    released(world, name)
    world.cycle()
    assert world.condition("Trained")[1] == "Pending"
    started = world.jobs[name].started
    world.jobs[name] = replace(world.jobs[name], state=JobState.SUSPENDED, started=None)
    assert world.cycle().actions == (WithdrawCredentials(Stage.TRAIN),)
    assert world.cycle().actions == ()
    assert world.condition("Trained")[:2] == ("False", "Queued")
    assert world.status.stages is not None
    assert world.status.stages.train is not None
    assert started is not None
    released(world, name)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["preprocess", "train", "finish"]


def test_a_job_that_a_queue_let_go_is_given_credentials_and_none_before() -> None:
    world = preprocessed(KUEUE)
    world.cycle()
    (name,) = training(world)
    assert [a for a in decide(world.facts()).actions if isinstance(a, IssueCredentials)] == []
    released(world, name)
    (issue,) = [a for a in decide(world.facts()).actions if isinstance(a, IssueCredentials)]
    assert issue.stage is Stage.TRAIN


@pytest.mark.parametrize(
    ("priority", "queue_name", "queue", "priority_class"),
    [
        (0, "", "team-a", "normal"),
        (100, "team-b", "team-b", "urgent"),
        (99, "", "team-a", "normal"),
        (-11, "", "team-a", ""),
    ],
)
def test_a_request_chooses_its_queue_and_its_class(
    priority: int, queue_name: str, queue: str, priority_class: str
) -> None:
    world = preprocessed(KUEUE)
    world.spec = world.spec.model_copy(update={"priority": priority, "queue_name": queue_name})
    (create,) = [action for action in decide(world.facts()).actions if isinstance(action, CreateJob)]
    assert create.queue is not None
    assert (create.queue.name, create.queue.priority_class) == (queue, priority_class)


def test_who_asks_for_another_queue_waits_in_that_one() -> None:
    world = preprocessed(KUEUE)
    change(world, queue_name="nowhere")
    world.cycle()
    (name,) = training(world)
    assert world.jobs[name].queue == "nowhere"
    assert world.cycle().actions == ()
    change(world, queue_name="team-b")
    assert world.cycle().actions == (DeleteJob(name),)
    world.run(until=lambda w: bool(training(w)))
    assert world.jobs[name].queue == "team-b"
    released(world, name)
    change(world, queue_name="")
    assert [action for action in world.cycle().actions if isinstance(action, DeleteJob)] == []


def test_a_queue_that_lets_nobody_go_is_told() -> None:
    world = preprocessed(KUEUE)
    world.cycle()
    (name,) = training(world)
    world.jobs[name] = replace(world.jobs[name], hindrance="no LocalQueue of that name is in this namespace")
    world.cycle()
    text = "waits in the queue team-a; no LocalQueue of that name is in this namespace"
    assert world.condition("Trained") == ("False", "Queued", text)
    assert world.condition("Stalled")[0] == "False"
    world.jobs[name] = replace(world.jobs[name], hindrance="")
    world.cycle()
    assert world.condition("Trained") == ("False", "Queued", "waits in the queue team-a")


def test_only_what_needs_a_gpu_waits_in_a_queue() -> None:
    world = World(config=KUEUE)
    (create,) = [action for action in decide(world.facts()).actions if isinstance(action, CreateJob)]
    assert create.queue is None


def test_a_job_that_a_person_suspended_waits_for_them() -> None:
    world = preprocessed(CONFIG)
    world.cycle()
    (name,) = training(world)
    world.jobs[name] = replace(world.jobs[name], state=JobState.SUSPENDED)
    assert world.cycle().actions == (WithdrawCredentials(Stage.TRAIN),)
    assert world.cycle().actions == ()
    assert world.condition("Trained")[1] == "Queued"
    change(world, suspend=True)
    world.cycle()
    change(world, suspend=False)
    world.cycle()
    assert world.jobs[name].state is JobState.ACTIVE


def test_kueue_needs_a_queue() -> None:
    with pytest.raises(ValidationError, match="queue must name the LocalQueue"):
        AdmissionConfig(mode="Kueue")


def test_kueue_counts_and_the_operator_does_not() -> None:
    assert not admitting(mode="Kueue", queue="a", trainings=3).admission.limits
    assert admitting(trainings=3, trainings_per_namespace=2).admission.limits == Limits(3, 2)


async def test_the_job_of_a_queue_is_suspended_labelled_and_never_patched() -> None:
    async with real_operator(KUEUE) as operator:
        await operator.cycle()
        operator.finish("preprocess")
        asked = len(operator.tokens.asked)
        await operator.cycle()
        job = operator.job("train")
        assert job["spec"]["suspend"] is True
        assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
        assert job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "normal"
        assert not [name for name in job["spec"]["template"]["metadata"]["labels"] if "kueue" in name]
        assert len(operator.tokens.asked) == asked
        assert operator.condition("Trained")[:2] == ("False", "Queued")
        job["spec"]["suspend"] = False
        await operator.cycle()
        assert len(operator.tokens.asked) == asked + 1
        assert "AWS_ACCESS_KEY_ID" in operator.secret["data"]
        secrets = len(operator.server.named(SECRETS.format(KEY.namespace)))
        job["spec"]["suspend"] = True
        await operator.cycle()
        assert len(operator.server.named(SECRETS.format(KEY.namespace))) == secrets - 1
        job["spec"]["suspend"] = False
        await operator.cycle()
        assert len(operator.tokens.asked) == asked + 2
        assert [call.method for call in operator.server.writes("/jobs")] == ["POST", "POST"]


NO_SUCH_QUEUE = 'localqueues.kueue.x-k8s.io "team-a" not found'


STOPPED = {"type": "Active", "status": "False", "reason": "Stopped", "message": "LocalQueue is stopped"}


@pytest.mark.parametrize(
    ("status", "message", "hindrance"),
    [
        (404, NO_SUCH_QUEUE, "; no LocalQueue of that name is in this namespace"),
        (404, "the server could not find the requested resource", ""),
        (403, "not allowed", ""),
    ],
)
async def test_a_request_is_told_that_its_queue_is_not_there(status: int, message: str, hindrance: str) -> None:
    async with real_operator(KUEUE) as operator:
        await operator.cycle()
        operator.finish("preprocess")
        await operator.cycle()
        operator.server.refuse("GET", "/namespaces/hr/localqueues/team-a", status, message, times=9)
        await operator.cycle()
        assert operator.condition("Trained") == ("False", "Queued", f"waits in the queue team-a{hindrance}")
        await operator.cycle()
        assert len([call for call in operator.server.calls if "localqueues" in call.path]) == 1


@pytest.mark.parametrize(
    ("condition", "hindrance"),
    [
        (STOPPED, "it is not active: Stopped: LocalQueue is stopped"),
        (STOPPED | {"status": "True"}, ""),
        (STOPPED | {"type": "Ready"}, ""),
        (STOPPED | {"message": "x" * 1000}, f"it is not active: Stopped: {'x' * 173}"),
    ],
)
def test_why_a_queue_lets_nobody_go_is_kueues_to_say(condition: dict[str, str], hindrance: str) -> None:
    assert hindrance_of({"status": {"conditions": [condition]}}) == hindrance
    assert hindrance_of({}) == hindrance_of({"status": None}) == ""


async def test_a_queue_is_asked_once_in_a_while_however_many_wait_there() -> None:
    server, now = FakeKubernetes(), 0.0
    async with server.kube() as kube:
        queues = Queues(kube, lambda: now)
        server.refuse("GET", "/localqueues/team-a", 404, NO_SUCH_QUEUE)
        told = [await queues.hindrance("hr", "team-a") for _ in range(3)]
        assert told == ["no LocalQueue of that name is in this namespace"] * 3
        assert len(server.calls) == 1
        now = 31.0
        server.put("/apis/kueue.x-k8s.io/v1beta2/namespaces/hr/localqueues", {"metadata": {"name": "team-a"}})
        assert await queues.hindrance("hr", "team-a") == ""
        assert len(server.calls) == 2


async def test_what_ran_before_it_was_preempted_is_billed_once() -> None:
    jobs = KUEUE.jobs.model_copy(update={"train": KUEUE.jobs.train.model_copy(update={"gpus": 2})})
    async with real_operator(KUEUE.model_copy(update={"jobs": jobs})) as operator:
        await operator.cycle()
        operator.finish("preprocess")
        await operator.cycle()
        job = operator.job("train")
        job["spec"]["suspend"] = False
        await operator.cycle()
        started = datetime.now(UTC) - timedelta(seconds=100)
        state = {"running": {"startedAt": started.strftime("%Y-%m-%dT%H:%M:%SZ")}}
        operator.pod(job["metadata"]["name"], status={"containerStatuses": [{"name": "stage", "state": state}]})
        job["spec"]["suspend"] = True
        for _ in range(3):
            await operator.cycle()
            assert operator.condition("Trained")[1] == "Queued"
            assert 200 <= operator.status.gpu_seconds <= 210
        # Who waits has no pods.
        assert len([call for call in operator.server.calls if call.path == PODS.format(KEY.namespace)]) == 1


async def test_a_job_that_waits_for_nobody_is_not_suspended(operator: RealOperator) -> None:
    await operator.cycle()
    operator.finish("preprocess")
    await operator.cycle()
    job = operator.job("train")
    assert "suspend" not in job["spec"]
    assert not [name for name in job["metadata"]["labels"] if "kueue" in name]
