"""What the demo reads of Deployments and pods while it waits for them."""

from __future__ import annotations

from typing import Any

import pytest

from profile_cli.demo.cluster import DemoCluster, troubles

DONE = {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1}


class Answers(DemoCluster):
    """A cluster that answers one object to everything."""

    def __init__(self, document: dict[str, Any] | None) -> None:
        self.document, self.paths = document, list[str]()

    def find(self, path: str, method: str = "GET") -> dict[str, Any] | None:
        self.paths.append(path)
        return self.document


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        (DONE, True),
        ({**DONE, "observedGeneration": 1}, False),
        ({**DONE, "updatedReplicas": 0}, False),
        ({**DONE, "availableReplicas": 0}, False),
        # A pod of the version before still runs.
        ({**DONE, "replicas": 2}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_deployment_is_ready_when_its_newest_version_alone_runs(status: Any, ready: bool) -> None:
    cluster = Answers({"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": status})
    assert cluster.deployment_ready("a", "b") is ready
    assert cluster.paths == ["/apis/apps/v1/namespaces/a/deployments/b"]


def test_what_is_not_there_is_not_ready() -> None:
    assert not Answers(None).deployment_ready("a", "b")
    assert not Answers(None).predictor_ready("a", "b")
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert Answers(ready).predictor_ready("a", "b")


def test_pods_that_wait_for_something_bad_are_named() -> None:
    def waits(reason: str, **more: Any) -> dict[str, Any]:
        return {"state": {"waiting": {"reason": reason, **more}}}

    ended = {**waits("CrashLoopBackOff", message="back-off 10s"), "lastState": {"terminated": {"exitCode": 3}}}
    status = {
        "initContainerStatuses": [waits("PodInitializing"), waits("ErrImagePull")],
        "containerStatuses": [ended, {"state": {"running": {}}}, waits("ContainerCreating")],
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}],
    }
    assert troubles({"metadata": {"name": "p"}, "status": status}) == [
        "p: ErrImagePull",
        "p: CrashLoopBackOff back-off 10s (ended with exit code 3)",
        "p: not scheduled: 0/1 nodes",
    ]
    assert troubles({"metadata": {"name": "p"}}) == []
