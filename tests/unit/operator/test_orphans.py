"""Orphans of our own: a Job that lost its request is replaced, and one that is somebody else's is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from fake_kubernetes import JOBS
from operator_world import KEY
from real_operator import RealOperator, real_operator

OLD = {"apiVersion": "profilestudio.io/v1alpha1", "kind": "ProfileRequest", "name": "minji", "uid": "old"}


async def with_job(operator: RealOperator, owners: list[dict[str, Any]], **labels: str) -> str:
    """The request's first Job as somebody left it; its name."""
    await operator.cycle()
    ((name, job),) = operator.server.named(JOBS.format(KEY.namespace)).items()
    job["metadata"]["ownerReferences"] = owners
    job["metadata"]["labels"] |= {"profilestudio.io/request-uid": "old", **labels}
    return name


@pytest.mark.parametrize("owners", [[], [{**OLD, "controller": True}]])
async def test_a_job_that_lost_its_request_is_replaced(owners: list[dict[str, Any]]) -> None:
    async with real_operator() as operator:
        name = await with_job(operator, owners)
        uid = operator.server.named(JOBS.format(KEY.namespace))[name]["metadata"]["uid"]
        for _ in range(3):
            await operator.cycle()
            operator.server.end_pods(name)
        job = operator.server.named(JOBS.format(KEY.namespace))[name]["metadata"]
        assert job["uid"] != uid
        assert job["ownerReferences"][0]["uid"] == operator.head.uid
        assert "Conflict" not in [reason for reason, _ in operator.told]


@pytest.mark.parametrize(
    ("owners", "labels"),
    [
        ([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "minji", "uid": "c", "controller": True}], {}),
        ([{**OLD, "name": "junho", "controller": True}], {}),
        ([], {"app.kubernetes.io/managed-by": "Helm"}),
    ],
)
async def test_a_job_of_somebody_else_is_left_alone(owners: list[dict[str, Any]], labels: dict[str, str]) -> None:
    async with real_operator() as operator:
        name = await with_job(operator, owners, **labels)
        uid = operator.server.named(JOBS.format(KEY.namespace))[name]["metadata"]["uid"]
        for _ in range(3):
            await operator.cycle()
        assert operator.server.named(JOBS.format(KEY.namespace))[name]["metadata"]["uid"] == uid
        (condition,) = [c for c in operator.status.conditions if c.type == "Stalled"]
        assert (condition.status, condition.reason) == ("True", "Conflict")
