"""Kueue's protocol on a real cluster: trainings wait in a queue, are preempted, and go on from their checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from product import Learned, Product, Request, Space, run, wait_for
from profile_cli.demo import release
from profile_cli.demo.cluster import DemoCluster
from profile_cli.terminal import Terminal
from profile_sandbox.kubectl import find_kubectl
from suspender import MANAGER, PRIORITY, QUEUE, Suspender

if TYPE_CHECKING:
    from profile_cli.demo.target import Target

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
ACCOUNT = "system:serviceaccount:profile-system:profile-studio"
ADMISSION = {
    "mode": "Kueue",
    "queue": "team-a",
    "priorityClasses": [{"atLeast": 0, "name": "normal"}, {"atLeast": 100, "name": "urgent"}],
}
# Long enough to be preempted after its first checkpoint, at step 20.
LONG = {"steps": 300, "rank": 4, "seed": 5}


@pytest.fixture(scope="module")
def queued(product: Product, target: Target, learned: Learned) -> Iterator[Product]:
    """The product with Kueue as what admits. `learned` comes first: nobody lets its training go here."""
    terminal, cluster = Terminal(), DemoCluster(target.kubeconfig)
    try:
        release.install(replace(target, values={**target.values, "admission": ADMISSION}), terminal)
        release.wait_ready(cluster, terminal)
        yield product
    finally:
        release.install(target, terminal)
        release.wait_ready(cluster, terminal, page=bool(target.page), history=target.history)


def training(request: Request) -> dict[str, Any]:
    """The training's Job, with who manages which field."""
    name = next(job["metadata"]["name"] for job in request.jobs() if "-train-" in job["metadata"]["name"])
    shown = request.kubectl.run("-n", request.namespace, "get", "job", name, "-o", "json", "--show-managed-fields")
    document: dict[str, Any] = json.loads(shown)
    return document


def suspenders(job: dict[str, Any]) -> set[str]:
    """Who says whether the Job is suspended."""
    managed = job["metadata"]["managedFields"]
    return {entry["manager"] for entry in managed if "f:suspend" in entry.get("fieldsV1", {}).get("f:spec", {})}


def running(space: Space, job: str) -> list[str]:
    """The Job's pods whose stage is at work."""
    pods = space.kubectl.get("-n", space.name, "pods", "-l", f"batch.kubernetes.io/job-name={job}")["items"]
    return [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") == "Running"]


def checkpointed(space: Space, name: str, digest: str) -> bool:
    return any(f"/adapter/{digest}/checkpoints/" in key and key.endswith("/manifest.json") for key in space.made(name))


def test_two_trainings_share_one_place_and_one_is_preempted(
    queued: Product, target: Target, learned: Learned, space: Space
) -> None:
    for name in ("long", "short"):
        space.take_over(learned, name)
    long = space.request("long", photos={"prefix": "uploads/long/"}, subject={"noun": "woman"}, training=LONG)
    short = space.request(
        "short",
        photos={"prefix": "uploads/short/"},
        subject={"noun": "woman"},
        training={"steps": 4, "rank": 4, "seed": 6},
        priority=100,
        queueName="team-a",
    )
    for request in (long, short):
        condition = request.wait("Trained", status="False", reason="Queued", seconds=120)
        assert condition.message == "waits in the queue team-a"
        assert request.status.stage_text == "Queued"
        job = training(request)
        assert job["metadata"]["labels"][QUEUE] == "team-a"
        assert job["spec"]["suspend"] is True
    assert training(long)["metadata"]["labels"][PRIORITY] == "normal"
    assert training(short)["metadata"]["labels"][PRIORITY] == "urgent"
    secrets = space.kubectl.get("-n", space.name, "secrets")["items"]
    assert [secret["metadata"]["name"] for secret in secrets if "train" in secret["metadata"]["name"]] == []

    name, other = training(long)["metadata"]["name"], training(short)["metadata"]["name"]
    with Suspender(space.kubectl, space.name, "team-a", closed={other}) as queue:
        digest = training(long)["metadata"]["annotations"]["profilestudio.io/digest"]
        wait_for(lambda: checkpointed(space, "long", digest), 180, "a checkpoint of the long training")
        assert short.status.stage_text == "Queued"
        queue.closed.discard(other)
        queue.preempt(name)
        long.wait("Trained", status="False", reason="Queued", seconds=60)
        wait_for(lambda: not running(space, name), 60, "its pod goes")
        short.wait("Trained", seconds=180)
        queue.closed.discard(name)
        wait_for(lambda: running(space, name), 120, "the long training goes on")
        pod = running(space, name)[0]
        wait_for(lambda: "resuming at step" in _log(space, pod), 90, "it goes on from its checkpoint")
        for request in (long, short):
            request.wait("Ready", seconds=300)
        assert queue.admitted == [name, other, name]
    for request in (long, short):
        assert suspenders(training(request)) == {MANAGER}
        assert sum("-train-" in job for job in request.job_uids()) == 1
    may = run(target, str(find_kubectl()), "auth", "can-i", "patch", "jobs", "-n", space.name, f"--as={ACCOUNT}")
    assert may.stdout.strip() == "no"


def _log(space: Space, pod: str) -> str:
    return space.kubectl.run("-n", space.name, "logs", pod)
