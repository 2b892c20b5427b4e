"""What the operator makes of documents that it reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key, SpecError, parse_head, parse_spec
from profile_contract.stages.table import Stage
from profile_operator.observe.jobs import job_view
from profile_operator.observe.snapshot import JobState


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
