"""Why a stage ended badly or does not run, read from Jobs, Events and pods as a real API server gave them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.conditions import REASONS, Reason, ReasonKind
from profile_contract.stages.table import Stage
from profile_operator.observe.pods import cause_of, stage_runs
from profile_operator.observe.snapshot import Cause, JobState, JobView
from properties import examples

NOW = datetime(2026, 1, 2, 4, 0, 0, tzinfo=UTC)
Document = dict[str, Any]


def job(state: JobState = JobState.ACTIVE, cause: Cause | None = None) -> JobView:
    return JobView("minji-train-01234567", Stage.TRAIN, "0123456789abcdef", "u1", state, cause=cause)


def pod(name: str = "a", created: str = "2026-01-02T03:00:00Z", **status: Any) -> Document:
    return {"metadata": {"name": name, "creationTimestamp": created}, "status": {"phase": "Pending", **status}}


def stage(image: str = "registry.example.com/train:1", **state: Any) -> Document:
    return {"name": "stage", "image": image, "state": state}


def event(reason: str, message: str, *, about: str = "a", at: str = "2026-01-02T03:30:00Z") -> Document:
    return {"reason": reason, "message": message, "lastTimestamp": at, "involvedObject": {"name": about}}


def failed(**status: Any) -> Document:
    return pod(**{"phase": "Failed", **status})


def ended(name: str = "a", created: str = "2026-01-02T03:00:00Z", **terminated: Any) -> Document:
    return pod(name, created, phase="Failed", containerStatuses=[stage(terminated=terminated)])


def condition(kind: str, status: str, **words: str) -> Document:
    return {"type": kind, "status": status, **words}


SAID = json.dumps({"code": 75, "reason": "StoreUnavailable", "message": "the store is away"})
QUOTA = (
    'Error creating: pods "minji-train-01234567-x7k2p" is forbidden: exceeded quota: team, '
    "requested: limits.cpu=8, used: limits.cpu=0, limited: limits.cpu=4"
)
LIMITS = (
    'Error creating: pods "minji-train-01234567-4fq9z" is forbidden: '
    "maximum memory usage per Container is 256Mi, but limit is 4Gi"
)
FULL = 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '
UNSCHEDULED = condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes have nvidia.com/gpu")
LOST = {
    "metadata": {"name": "x", "creationTimestamp": "2026-01-02T03:00:00Z", "deletionTimestamp": "2026-01-02T03:59:50Z"},
    "status": {
        "phase": "Running",
        "reason": "NodeLost",
        "conditions": [
            condition("PodScheduled", "True"),
            condition("Ready", "False"),
            condition("DisruptionTarget", "True", reason="DeletionByTaintManager"),
        ],
        "containerStatuses": [stage(running={})],
    },
}
DRAINED = {
    "metadata": {"name": "x", "creationTimestamp": "2026-01-02T03:00:00Z", "deletionTimestamp": "2026-01-02T04:00:20Z"},
    "status": {
        "phase": "Running",
        "conditions": [
            condition("DisruptionTarget", "True", reason="EvictionByEvictionAPI", message="Eviction API: evicting")
        ],
        "containerStatuses": [stage(running={})],
    },
}


def initializing(**state: Any) -> Document:
    """A pod whose mesh-init stands so, and whose stage waits for it."""
    return pod(
        initContainerStatuses=[{"name": "mesh-init", "image": "mesh:1", "state": state}],
        containerStatuses=[stage(waiting={"reason": "PodInitializing"})],
    )


def waiting(reason: str, message: str = "") -> Document:
    return pod(containerStatuses=[stage(waiting={"reason": reason, "message": message})])


# name: pods, events, what is told
LIVE: dict[str, tuple[list[Document], list[Document], tuple[Reason, str] | None]] = {
    "nothing yet": ([], [], None),
    "a quota": (
        [],
        [event("FailedCreate", QUOTA)],
        (
            Reason.REFUSED,
            "no pod can be created: the pod is forbidden: exceeded quota: team, "
            "requested: limits.cpu=8, used: limits.cpu=0, limited: limits.cpu=4",
        ),
    ),
    "a LimitRange": (
        [],
        [event("FailedCreate", QUOTA, at="2026-01-02T03:10:00Z"), event("FailedCreate", LIMITS)],
        (
            Reason.REFUSED,
            "no pod can be created: the pod is forbidden: "
            "maximum memory usage per Container is 256Mi, but limit is 4Gi",
        ),
    ),
    "a quota that was in the way before the pod came": (
        [pod(conditions=[UNSCHEDULED])],
        [event("FailedCreate", QUOTA, at="2026-01-02T02:59:00Z")],
        (Reason.PENDING, "the pod waits for a node: 0/1 nodes have nvidia.com/gpu"),
    ),
    "a quota that was in the way before the pod came and went": (
        [failed(reason="Preempting", message="Preempted in order to admit critical pod")],
        [event("FailedCreate", QUOTA, at="2026-01-02T02:59:00Z")],
        (Reason.EVICTED, "the stage's pod was ended: Preempting: Preempted in order to admit critical pod"),
    ),
    "a quota that is in the way of the next pod": (
        [failed(reason="Preempting", message="Preempted in order to admit critical pod")],
        [event("FailedCreate", LIMITS)],
        (
            Reason.REFUSED,
            "no pod can be created: the pod is forbidden: "
            "maximum memory usage per Container is 256Mi, but limit is 4Gi",
        ),
    ),
    "a node that is lost": ([LOST], [], (Reason.NODE_LOST, "the pod is being deleted, its node does not answer")),
    "a node that is drained": ([DRAINED], [], (Reason.EVICTED, "the pod is being deleted: Eviction API: evicting")),
    "a kubelet that refuses": (
        [failed(reason="OutOfmemory", message="Node didn't have enough resource: memory")],
        [],
        (Reason.EVICTED, "the stage's pod was ended: OutOfmemory: Node didn't have enough resource: memory"),
    ),
    "a full node": (
        [
            failed(
                reason="Evicted",
                message="The node was low on resource: memory.",
                conditions=[condition("DisruptionTarget", "True", reason="TerminationByKubelet")],
                containerStatuses=[stage(terminated={"exitCode": 137})],
            )
        ],
        [],
        (Reason.EVICTED, "the stage's pod was ended: Evicted: The node was low on resource: memory."),
    ),
    "a pod of higher priority": (
        [
            failed(
                conditions=[
                    condition("DisruptionTarget", "True", reason="PreemptionByScheduler", message="preempting")
                ],
                containerStatuses=[
                    stage(terminated={"exitCode": 75, "message": '{"reason":"Pending","message":"asked to stop"}'})
                ],
            )
        ],
        [],
        (Reason.EVICTED, "the stage's pod was ended: PreemptionByScheduler: preempting"),
    ),
    "an init container without its image": (
        [initializing(waiting={"reason": "ErrImagePull", "message": "not found"})],
        [],
        (Reason.IMAGE_PULL_FAILED, "the init container mesh-init's image mesh:1 cannot be had: not found"),
    ),
    "an init container that does not end": (
        [initializing(running={"startedAt": "2026-01-02T03:00:01Z"})],
        [],
        (Reason.POD_NOT_STARTED, "the stage waits for the init container mesh-init, which still runs"),
    ),
    "an init container that failed": (
        [{**initializing(terminated={"exitCode": 1, "reason": "Error"}), "status": {
            **initializing(terminated={"exitCode": 1, "reason": "Error"})["status"], "phase": "Failed"}}],
        [],
        (Reason.POD_NOT_STARTED, "the stage did not run: the init container mesh-init ended with exit code 1"),
    ),
    "an image that is not there": (
        [waiting("ErrImagePull", 'failed to pull "registry.example.com/train:1": not found')],
        [],
        (
            Reason.IMAGE_PULL_FAILED,
            "the stage's image registry.example.com/train:1 cannot be had: "
            'failed to pull "registry.example.com/train:1": not found',
        ),
    ),
    "an image that is not there, a moment later": (
        [
            waiting(
                "ImagePullBackOff",
                'Back-off pulling image "registry.example.com/train:1": ErrImagePull: '
                'failed to pull "registry.example.com/train:1": not found',
            )
        ],
        [],
        (
            Reason.IMAGE_PULL_FAILED,
            "the stage's image registry.example.com/train:1 cannot be had: "
            'failed to pull "registry.example.com/train:1": not found',
        ),
    ),
    "a Secret that is not there": (
        [waiting("CreateContainerConfigError", 'secret "minji-train-u1" not found')],
        [],
        (
            Reason.POD_NOT_STARTED,
            'the stage does not start: CreateContainerConfigError: secret "minji-train-u1" not found',
        ),
    ),
    "a sidecar without its image": (
        [
            pod(
                containerStatuses=[
                    stage(waiting={"reason": "ContainerCreating"}),
                    {"name": "proxy", "image": "proxy:1", "state": {"waiting": {"reason": "ErrImagePull"}}},
                ]
            )
        ],
        [],
        (Reason.IMAGE_PULL_FAILED, "the container proxy's image proxy:1 cannot be had"),
    ),
    "a volume that is not there": (
        [waiting("ContainerCreating")],
        [event("FailedMount", 'MountVolume.SetUp failed for volume "store-ca" : configmap "store-ca" not found')],
        (
            Reason.POD_NOT_STARTED,
            'the pod does not start: FailedMount: MountVolume.SetUp failed for volume "store-ca" : '
            'configmap "store-ca" not found',
        ),
    ),
    "another pod's volume": (
        [waiting("ContainerCreating")],
        [event("FailedMount", "not found", about="b")],
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIVE)
def test_why_no_pod_of_a_job_runs(name: str) -> None:
    pods, events, expected = LIVE[name]
    cause = cause_of(job(), pods, events, NOW)
    assert (cause and (cause.reason, cause.message)) == expected
    assert cause is None or not cause.final


BLAMED = "the Job failed: BackoffLimitExceeded: Job has reached the specified backoff limit"
ENDED: dict[str, tuple[list[Document], tuple[Reason, str]]] = {
    "no pod is left": ([], (Reason.STAGE_FAILED, BLAMED)),
    "what it said": ([ended(exitCode=75, message=SAID)], (Reason.STORE_UNAVAILABLE, "the store is away")),
    "the last pod's words": (
        [ended(exitCode=75, message=SAID), ended("b", "2026-01-02T03:20:00Z", exitCode=1)],
        (Reason.STAGE_FAILED, "the stage ended with exit code 1"),
    ),
    "killed for memory": (
        [ended(exitCode=137, reason="OOMKilled")],
        (Reason.OUT_OF_MEMORY, "the stage used more memory than its limit"),
    ),
    "asked to stop": (
        [ended(exitCode=75, message='{"reason": "Pending", "message": "the pod was asked to stop"}')],
        (Reason.EVICTED, "the pod was asked to stop"),
    ),
    "a failure that calls itself success": (
        [ended(exitCode=1, message='{"reason": "Succeeded", "message": "train ended after 3 s"}')],
        (Reason.STAGE_FAILED, "train ended after 3 s"),
    ),
    "a sidecar that failed": (
        [
            failed(
                containerStatuses=[
                    stage(terminated={"exitCode": 0, "message": '{"reason": "Succeeded", "message": "ended"}'}),
                    {"name": "proxy", "state": {"terminated": {"exitCode": 7}}},
                ]
            )
        ],
        (Reason.STAGE_FAILED, "the container proxy beside the stage ended with exit code 7"),
    ),
    "no JSON": ([ended(exitCode=2, message="Traceback")], (Reason.STAGE_FAILED, "the stage ended with exit code 2")),
    **{
        name: ([ended(exitCode=2, message=said)], (Reason.STAGE_FAILED, "the stage ended with exit code 2"))
        for name, said in {
            "an unknown reason": '{"reason": "Odd", "message": "x"}',
            "nested without end": "[" * 4000,
            "nested in its message": '{"reason": "StageFailed", "message": ' + "[" * 1500,
            "half a character": '{"reason": "StageFailed", "message": "\\ud800"}',
            "a message that is no text": '{"reason": "StageFailed", "message": {"a": 1}}',
            "a number too long to read": "1" * 4096,
        }.items()
    },
}


@pytest.mark.parametrize("name", ENDED)
def test_why_a_job_failed(name: str) -> None:
    pods, expected = ENDED[name]
    cause = cause_of(job(JobState.FAILED, Cause(Reason.STAGE_FAILED, BLAMED)), pods, [], NOW)
    assert cause == Cause(*expected)


FINAL = {
    "its deadline": (
        failed(
            reason="DeadlineExceeded",
            message="Pod was active on the node longer than the specified deadline",
            containerStatuses=[stage(terminated={"exitCode": 75, "message": SAID})],
        ),
        Cause(
            Reason.DEADLINE_EXCEEDED,
            "the stage ran longer than it may: Pod was active on the node longer than the specified deadline",
            final=True,
        ),
    ),
    "a full scratch volume": (
        failed(
            reason="Evicted",
            message=FULL,
            conditions=[condition("DisruptionTarget", "True", reason="TerminationByKubelet")],
            containerStatuses=[stage(terminated={"exitCode": 137})],
        ),
        Cause(Reason.SCRATCH_FULL, f"the stage's pod was evicted: {FULL}", final=True),
    ),
}


@pytest.mark.parametrize("name", FINAL)
def test_what_would_end_each_further_pod_ends_the_job(name: str) -> None:
    document, expected = FINAL[name]
    next_one = pod("b", "2026-01-02T03:50:00Z", conditions=[UNSCHEDULED])
    for pods in ([document], [document, next_one], [next_one, document]):
        assert cause_of(job(), pods, [event("FailedCreate", QUOTA)], NOW) == expected


def test_the_jobs_own_deadline_is_told_as_such() -> None:
    cause = Cause(Reason.DEADLINE_EXCEEDED, "the Job failed: DeadlineExceeded", final=True)
    assert cause_of(job(JobState.FAILED, cause), [ended(exitCode=75, message=SAID)], [], NOW) == cause


def test_only_the_stages_own_container_counts_as_running() -> None:
    beside = {"name": "proxy", "state": {"running": {}}}
    assert stage_runs([pod(phase="Running", containerStatuses=[beside, stage(running={})])])
    assert not stage_runs([pod(phase="Running", containerStatuses=[beside, stage(waiting={"reason": "x"})])])
    assert not stage_runs([LOST])
    assert not stage_runs([])


def test_a_sidecar_of_kubernetes_is_not_waited_for() -> None:
    document = initializing(running={})
    document["spec"] = {"initContainers": [{"name": "mesh-init", "restartPolicy": "Always"}]}
    assert cause_of(job(), [document], [], NOW) is None


states = st.fixed_dictionaries(
    {},
    optional={
        "running": st.just({}),
        "waiting": st.fixed_dictionaries({"reason": st.sampled_from(["ErrImagePull", "PodInitializing", "Odd"])}),
        "terminated": st.fixed_dictionaries(
            {"exitCode": st.sampled_from([0, 1, 42, 75, 137])},
            optional={"message": st.sampled_from([SAID, '{"reason": "Succeeded", "message": ""}', "x"])},
        ),
    },
)
statuses = st.fixed_dictionaries(
    {"phase": st.sampled_from(["Pending", "Running", "Failed", "Succeeded", "Unknown"])},
    optional={
        "reason": st.sampled_from(["Evicted", "NodeLost", "DeadlineExceeded", "OutOfcpu"]),
        "containerStatuses": st.lists(st.builds(lambda state: stage(**state), states), max_size=2),
        "initContainerStatuses": st.lists(st.builds(lambda state: {"name": "i", "state": state}, states), max_size=2),
        "conditions": st.lists(
            st.sampled_from([UNSCHEDULED, condition("DisruptionTarget", "True", reason="DeletionByPodGC")]), max_size=2
        ),
    },
)


@given(st.lists(statuses.map(lambda status: {**pod(), "status": status}), max_size=3), st.sampled_from(JobState))
@examples(150)
def test_whatever_a_pod_says_a_cause_blames_somebody(pods: list[Document], state: JobState) -> None:
    """Neither Succeeded nor Running is ever the reason of what failed, and no text is empty."""
    cause = cause_of(job(state), pods, [], NOW)
    if cause is not None:
        kind = REASONS[cause.reason].kind
        assert kind in (ReasonKind.PERSON, ReasonKind.PLATFORM) or cause.reason is Reason.PENDING
        assert cause.message
        assert not cause.final or kind is ReasonKind.PERSON
