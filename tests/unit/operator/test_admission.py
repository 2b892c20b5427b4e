"""A stage that needs a GPU waits for its turn: the operator's own count, or Kueue's. The request says so meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from fake_kubernetes import PODS, SECRETS, FakeKubernetes
from operator_world import CONFIG, KEY, NOW, World, change, ready, stages_of
from profile_contract.conditions import Reason
from profile_contract.resource import Key
from profile_contract.stages.table import Stage
from profile_contract.style_ref import StyleRef
from profile_operator import metrics
from profile_operator.config import AdmissionConfig, Limits, OperatorConfig, PriorityClass
from profile_operator.decide import claim_of, decide
from profile_operator.decide.plan import CreateJob, DeleteJob, IssueCredentials, WithdrawCredentials
from profile_operator.decide.turns import Claim, Turn
from profile_operator.observe.queues import Queues, hindrance_of
from profile_operator.observe.snapshot import JobState
from profile_operator.stage_metrics import count_queued
from profile_operator.workqueue import ExpectedError
from real_operator import RealOperator, real_operator


def admitting(**fields: Any) -> OperatorConfig:
    return CONFIG.model_copy(update={"admission": AdmissionConfig(**fields)})


COUNTED = admitting(trainings=1)
KUEUE = admitting(
    mode="Kueue",
    queue="team-a",
    priority_classes=[PriorityClass(at_least=-10, name="normal"), PriorityClass(at_least=100, name="urgent")],
)
THIRD = Turn(place=3, waiting=41)


def preprocessed(config: OperatorConfig = COUNTED) -> World:
    """A request whose training is next."""
    world = World(config=config)
    world.run(until=lambda w: bool(w.created))
    world.work_on()
    return world


def training(world: World) -> list[str]:
    return [name for name in world.jobs if "-train-" in name]


# --- counted by the operator -------------------------------------------------------------------------------------


def test_a_training_waits_for_its_turn_and_says_its_place() -> None:
    world = preprocessed()
    world.turn = THIRD
    world.cycle()
    assert training(world) == []
    assert world.condition("Trained") == ("False", "Queued", "third of 41 that wait for a GPU")
    assert world.condition("Ready") == ("False", "Queued", "train: third of 41 that wait for a GPU")
    assert world.condition("Reconciling")[0] == "True"
    assert world.condition("Stalled")[0] == "False"
    assert world.status.stage_text == "Queued"
    assert world.status.progress is None
    world.turn = Turn(admitted=True)
    world.run()
    assert ready(world)
    assert stages_of(world) == ["preprocess", "train", "finish"]


def test_what_needs_no_gpu_waits_for_nobody() -> None:
    world = World(config=COUNTED)
    world.cycle()
    assert stages_of(world) == ["preprocess"]
    assert claim_of(world.facts()) is None


def test_another_stage_with_a_gpu_waits_too() -> None:
    jobs = COUNTED.jobs.model_copy(update={"preprocess": COUNTED.jobs.preprocess.model_copy(update={"gpus": 1})})
    world = World(config=COUNTED.model_copy(update={"jobs": jobs}))
    world.cycle()
    assert world.created == []
    assert world.condition("Preprocessed")[1] == "Queued"


def test_without_limits_everything_begins_at_once() -> None:
    world = preprocessed(CONFIG)
    assert claim_of(world.facts()) is None
    world.cycle()
    assert len(training(world)) == 1


def test_a_claim_is_what_decides_who_goes_first() -> None:
    world = preprocessed()
    world.spec = world.spec.model_copy(update={"priority": 7})
    assert claim_of(world.facts()) == Claim(KEY, 7, NOW.timestamp())
    world.turn = Turn(admitted=True)
    assert claim_of(world.facts()) == Claim(KEY, 7, NOW.timestamp())
    world.cycle()
    assert claim_of(world.facts()) is None


@pytest.mark.parametrize("fields", [{"suspend": True}, {"styles": [StyleRef(name="gothic")]}])
def test_who_could_not_begin_anyhow_takes_nobodys_turn(fields: dict[str, Any]) -> None:
    world = preprocessed()
    change(world, **fields)
    assert claim_of(world.facts()) is None


def test_what_runs_for_old_inputs_is_ended_while_the_new_waits() -> None:
    world = preprocessed()
    world.turn = Turn(admitted=True)
    world.cycle()
    (old,) = training(world)
    world.turn = THIRD
    change(world, training=world.spec.training.model_copy(update={"seed": 9}))
    assert DeleteJob(old) in decide(world.facts()).actions
    world.cycle()
    assert training(world) == []
    assert world.condition("Trained")[1] == "Queued"


def test_a_place_alone_is_written_now_and_then() -> None:
    world = preprocessed()
    world.turn = THIRD
    world.cycle()
    world.turn = Turn(place=2, waiting=41)
    early = decide(world.facts(seconds_since_write=5.0))
    assert early.status is None
    assert early.again == 30
    due = decide(world.facts(seconds_since_write=30.0))
    assert due.status is not None
    assert "second of 41" in next(c.message for c in due.status.conditions if c.type == "Trained")
    world.turn = THIRD
    same = decide(world.facts(seconds_since_write=5.0))
    assert (same.status, same.again) == (None, None)


def test_since_when_it_waits_stands_in_the_status() -> None:
    world = preprocessed()
    world.turn = THIRD
    world.cycle()
    since = world.stamp
    for _ in range(2):
        world.cycle()
        assert world.status.stages is not None
        assert world.status.stages.train is not None
        assert world.status.stages.train.queue_time == since
        assert world.status.stages.train.start_time is None
        assert world.status.stages.train.attempts == 0
    world.turn = Turn(admitted=True)
    world.cycle()
    world.run()
    stages = world.status.stages
    assert stages is not None
    assert stages.train is not None
    assert stages.train.queue_time == since
    assert stages.train.start_time is not None
    assert stages.train.start_time > since


# --- Kueue -------------------------------------------------------------------------------------------------------


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


@pytest.fixture
async def operator() -> Any:
    async with real_operator() as standing:
        yield standing


async def test_nobody_trains_before_it_is_known_who_does() -> None:
    async with real_operator(COUNTED) as operator:
        await operator.cycle()
        operator.finish("preprocess")
        asked = len(operator.tokens.asked)
        await operator.cycle()
        assert operator.condition("Trained")[1] == "Queued"
        assert len(operator.tokens.asked) == asked
        operator.waiting.load([], [Key("it", "another")], [])
        await operator.cycle()
        assert operator.condition("Trained")[1] == "Queued"
        operator.waiting.look(Key("it", "another"), None)
        await operator.cycle()
        assert operator.condition("Trained")[1] == "Pending"
        assert len(operator.tokens.asked) == asked + 1


async def test_a_training_that_cannot_begin_leaves_its_place_to_the_next() -> None:
    async with real_operator(COUNTED) as operator:
        operator.waiting.load([], [], [])
        await operator.cycle()
        operator.finish("preprocess")
        operator.server.refuse("POST", "/jobs", 403, "exceeded quota: gpus")
        with pytest.raises(ExpectedError):
            await operator.cycle()
        assert operator.waiting.look(Key("it", "next"), Claim(Key("it", "next"), 0, 0.0)).admitted


# --- counted -----------------------------------------------------------------------------------------------------


def test_waiting_is_counted_by_namespace_and_by_time() -> None:
    def queued() -> float:
        return float(metrics.QUEUED.labels(namespace=KEY.namespace)._value.get())

    def waited() -> float:
        return float(metrics.QUEUE_SECONDS._sum.get())

    before, seconds = queued(), waited()
    world = preprocessed()
    head, world.turn = world.head, THIRD
    world.cycle()
    count_queued(head, world.status, world.now)
    assert queued() == before + 1
    head, world.turn = world.head, Turn(admitted=True)
    world.now += timedelta(seconds=600)
    world.cycle()
    count_queued(head, world.status, world.now)
    assert queued() == before
    assert waited() == pytest.approx(seconds + 605)
    assert world.condition("Ready")[1] == Reason.PENDING
