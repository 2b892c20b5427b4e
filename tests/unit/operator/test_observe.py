"""What the operator makes of documents that it reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from profile_contract.conditions import Reason
from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key, SpecError, parse_head, parse_spec
from profile_contract.stages.table import Stage
from profile_operator.observe.jobs import (
    job_view,
    termination_of,
    waiting_of,
)
from profile_operator.observe.snapshot import JobState, Termination


def job(**status: Any) -> dict[str, Any]:
    container = {"name": "stage", "resources": {"limits": {"memory": "1Gi", "nvidia.com/gpu": "2"}}}
    return {
        "metadata": {
            "name": "minji-train-01234567",
            "labels": {"profilestudio.io/stage": "train"},
            "annotations": {"profilestudio.io/digest": "0123456789abcdef"},
            "ownerReferences": [{"uid": "u1", "controller": True}],
        },
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": status,
    }


def test_a_job_that_runs() -> None:
    view = job_view(job(startTime="2026-01-02T03:04:05Z", active=1, ready=1, failed=1))
    assert view is not None
    assert (view.name, view.stage, view.digest, view.owner_uid) == (
        "minji-train-01234567", Stage.TRAIN, "0123456789abcdef", "u1",
    )  # fmt: skip
    assert (view.state, view.running, view.failed_pods, view.gpus) == (JobState.ACTIVE, True, 1, 2)
    assert view.started == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "state"), [("Complete", JobState.SUCCEEDED), ("Failed", JobState.FAILED), ("Suspended", JobState.ACTIVE)]
)
def test_a_job_that_ended(kind: str, state: JobState) -> None:
    condition = {"type": kind, "status": "True", "lastTransitionTime": "2026-01-02T03:05:05Z"}
    view = job_view(job(conditions=[condition]))
    assert view is not None
    assert view.state is state
    assert (view.completed is not None) == (state is not JobState.ACTIVE)


def test_a_suspended_job() -> None:
    document = job()
    document["spec"]["suspend"] = True
    view = job_view(document)
    assert view is not None
    assert view.state is JobState.SUSPENDED


def test_a_job_without_our_stage_is_none_of_ours() -> None:
    document = job()
    document["metadata"]["labels"] = {}
    assert job_view(document) is None


def pod(created: str, **terminated: Any) -> dict[str, Any]:
    state = {"terminated": terminated} if terminated else {"running": {}}
    return {
        "metadata": {"creationTimestamp": created},
        "status": {"containerStatuses": [{"name": "stage", "state": state}]},
    }


SAID = json.dumps({"code": 75, "reason": "StoreUnavailable", "message": "the store is away"})
TERMINATIONS: dict[str, tuple[list[dict[str, Any]], Termination | None]] = {
    "no pod": ([], None),
    "what it said": ([pod("1", exitCode=75, message=SAID)], Termination(Reason.STORE_UNAVAILABLE, "the store is away")),
    "the last pod's words": (
        [pod("1", exitCode=75, message=SAID), pod("2", exitCode=1)],
        Termination(Reason.STAGE_FAILED, "the stage ended with exit code 1"),
    ),
    "killed for memory": (
        [pod("1", exitCode=137, reason="OOMKilled")],
        Termination(Reason.OUT_OF_MEMORY, "the stage used more memory than its limit"),
    ),
    "no JSON": (
        [pod("1", exitCode=2, message="Traceback")],
        Termination(Reason.STAGE_FAILED, "the stage ended with exit code 2"),
    ),
    "an unknown reason": (
        [pod("1", exitCode=2, message='{"reason": "Odd", "message": "x"}')],
        Termination(Reason.STAGE_FAILED, "the stage ended with exit code 2"),
    ),
    **{
        name: (
            [pod("1", exitCode=2, message=said)],
            Termination(Reason.STAGE_FAILED, "the stage ended with exit code 2"),
        )
        for name, said in {
            "nested without end": "[" * 4000,
            "nested in its message": '{"reason": "StageFailed", "message": ' + "[" * 1500,
            "half a character": '{"reason": "StageFailed", "message": "\\ud800"}',
            "a message that is no text": '{"reason": "StageFailed", "message": {"a": 1}}',
            "a number too long to read": "1" * 4096,
        }.items()
    },
}


@pytest.mark.parametrize("name", TERMINATIONS)
def test_termination_messages(name: str) -> None:
    pods, expected = TERMINATIONS[name]
    assert termination_of(pods) == expected


def test_why_a_pod_waits() -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes have nvidia.com/gpu"}
    assert waiting_of([{"status": {"conditions": [unscheduled]}}]) == (
        "the pod waits for a node: 0/3 nodes have nvidia.com/gpu"
    )
    pulling = {"name": "stage", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    assert waiting_of([{"status": {"containerStatuses": [pulling]}}]) == "the pod does not start: ImagePullBackOff"
    assert waiting_of([{"status": {}}]) == ""


def document(**spec: Any) -> dict[str, Any]:
    metadata = {
        "name": "minji", "namespace": "hr", "uid": "u1", "generation": 3, "resourceVersion": "9",
        "annotations": {"profilestudio.io/retry": "x" * 80}, "finalizers": ["profilestudio.io/purge"],
    }  # fmt: skip
    return {"metadata": metadata, "spec": spec, "status": {"observedGeneration": -1}}


def test_the_head_of_a_request() -> None:
    head = parse_head(document())
    assert (head.key, head.uid, head.generation, head.resource_version) == (Key("hr", "minji"), "u1", 3, "9")
    assert head.finalized
    assert head.retry == "x" * 64
    assert not head.deleting


def test_a_status_of_another_version_is_made_anew() -> None:
    strange = document()
    strange["status"] = {"conditions": "none", "phase": "Odd"}
    assert parse_head(strange).status.conditions == []


def test_a_spec_that_cannot_be_understood_names_the_field() -> None:
    with pytest.raises(SpecError, match=r"spec\.styles"):
        parse_spec({"photos": {"prefix": "uploads/a/"}, "styles": []})


def test_a_spec_that_cannot_be_understood_does_not_hold_a_deletion() -> None:
    assert parse_head(document(deletionPolicy="Retain", odd=1)).deletion_policy is DeletionPolicy.RETAIN
    assert parse_head(document(odd=1)).deletion_policy is DeletionPolicy.DELETE
    assert parse_head(document(deletionPolicy="Odd")).deletion_policy is DeletionPolicy.DELETE
