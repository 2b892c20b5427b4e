"""What happens to a Job: what is kept of it, and how soon its request is looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fake_kubernetes import JOBS, FakeKubernetes
from profile_contract.resource import Key
from profile_operator.clients.entries import job_entry, whole
from profile_operator.observe.jobs import job_view
from watched_kube import following, job, until

KEY = Key("hr", "minji")
ENDED = [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-02T03:05:05Z"}]
STARTED = "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("before", "after", "within"),
    [
        pytest.param({}, {"active": 1, "uncountedTerminatedPods": {}}, [], id="nothing that decisions read"),
        pytest.param({}, {"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]}, [], id="an end to come"),
        pytest.param({}, {"startTime": STARTED, "active": 1}, [2.0], id="begun"),
        pytest.param({"startTime": STARTED}, {"startTime": STARTED, "ready": 1}, [2.0], id="a pod runs"),
        pytest.param({"ready": 1}, {"ready": 0}, [2.0], id="no pod runs any more"),
        pytest.param({"ready": 1}, {"ready": 1, "failed": 1}, [2.0], id="a pod failed"),
        pytest.param({"ready": 1}, {"conditions": ENDED}, [0.0], id="ended"),
    ],
)
async def test_what_happens_to_a_job_is_looked_at_as_soon_as_it_matters(
    before: dict[str, Any], after: dict[str, Any], within: list[float]
) -> None:
    server = FakeKubernetes()
    standing = server.put(JOBS.format("hr"), {**job("minji-train-0"), "status": before})
    async with following(server) as (kube, woken):
        woken.within.clear()
        (entry,) = kube.listed_jobs
        server.put(JOBS.format("hr"), {**standing, "status": after})
        await until(lambda: next(iter(kube.listed_jobs)).version != entry.version)
        assert woken.within == within
        (known,) = await kube.jobs(KEY)
        read = ("startTime", "ready", "failed")
        assert {name: known["status"].get(name, 0) for name in read} == {name: after.get(name, 0) for name in read}


async def test_a_job_that_a_queue_lets_go_is_looked_at_at_once() -> None:
    server, held = FakeKubernetes(), job("minji-train-0")
    server.put(JOBS.format("hr"), {**held, "spec": {**held["spec"], "suspend": True}})
    async with following(server) as (_, woken):
        woken.within.clear()
        server.put(JOBS.format("hr"), held)
        await until(lambda: woken.within == [0.0])


def test_all_that_decisions_read_of_a_job_is_kept() -> None:
    """Whatever job_view tells of a Job, it tells of what is kept of it."""
    gpu = {"name": "stage", "resources": {"limits": {"nvidia.com/gpu": "2", "memory": "1Gi"}}, "env": [{"name": "A"}]}
    document: dict[str, Any] = {
        "metadata": {
            "name": "minji-train-0",
            "namespace": "hr",
            "uid": "j1",
            "resourceVersion": "7",
            "deletionTimestamp": STARTED,
            "labels": {
                "profilestudio.io/request": "minji",
                "profilestudio.io/stage": "train",
                "app.kubernetes.io/managed-by": "profile-operator",
                "kueue.x-k8s.io/queue-name": "gpus",
                "kueue.x-k8s.io/priority-class": "high",
            },
            "annotations": {"profilestudio.io/digest": "d1"},
            "ownerReferences": [{"kind": "ProfileRequest", "name": "minji", "uid": "u1", "controller": True}],
        },
        "spec": {"suspend": True, "template": {"spec": {"containers": [{"name": "sidecar"}, gpu]}}},
        "status": {
            "startTime": STARTED,
            "completionTime": "2026-01-02T03:05:05Z",
            "ready": 1,
            "failed": 3,
            "conditions": [{**ENDED[0], "type": "Failed", "reason": "DeadlineExceeded", "message": "too long"}],
        },
    }
    assert job_view(whole(job_entry(json.dumps(document).encode()))) == job_view(document)
    bare = {**document, "status": {}, "metadata": {"name": "a", "labels": document["metadata"]["labels"]}}
    assert job_view(whole(job_entry(json.dumps(bare).encode()))) == job_view(bare)
