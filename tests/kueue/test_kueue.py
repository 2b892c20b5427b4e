"""Kueue itself on a real cluster: two teams and one GPU, borrowed, taken back in the middle of a training, and nothing
lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kueue_world import BORROWER, CLASSES, GPU, LOCAL_QUEUE, OWNER, Kueue, node_with_gpus
from product import Learned, Product, Request, Space, pictures_in, wait_for
from profile_cli.demo import release
from profile_cli.demo.cluster import DemoCluster
from profile_cli.terminal import Terminal
from profile_sandbox import kueue

if TYPE_CHECKING:
    from profile_cli.demo.target import Target

# The first time on a machine, the controller is compiled.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]
ADMISSION = {
    "mode": "Kueue",
    "queue": LOCAL_QUEUE,
    "priorityClasses": [{"atLeast": 0, "name": "normal"}, {"atLeast": 100, "name": "urgent"}],
}
JOBS = {"train": {"resources": {"limits": {GPU: "1"}}}}
# Long enough to be preempted after its first checkpoint, at step 20.
LONG = {"steps": 300, "rank": 4, "seed": 5}
SHORT = {"steps": 4, "rank": 4, "seed": 6}
NOWHERE = "waits in the queue nowhere; no LocalQueue of that name is in this namespace"


@pytest.fixture(scope="module")
def queues(product: Product, target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kueue]:
    """Kueue runs, and the product leaves to it who trains."""
    terminal, cluster = Terminal(), DemoCluster(target.kubeconfig)
    manifests = tmp_path_factory.mktemp("kueue") / "manifests"
    values = {**target.values, "admission": ADMISSION, "jobs": JOBS}
    with node_with_gpus(product.kubectl), kueue.running(product.kubectl, manifests, print):
        try:
            release.install(replace(target, values=values), terminal)
            release.wait_ready(cluster, terminal)
            queues = Kueue(product.kubectl)
            queues.prepare()
            yield queues
        finally:
            release.install(target, terminal)
            release.wait_ready(cluster, terminal, page=bool(target.page), history=target.history)


@pytest.fixture
def borrower(queues: Kueue, product: Product) -> Iterator[Space]:
    """The namespace of the team that owns no GPU."""
    with product.space() as space:
        queues.open_queue(space.name, BORROWER)
        yield space


@pytest.fixture
def owner(queues: Kueue, product: Product) -> Iterator[Space]:
    """The namespace of the team that owns the one GPU."""
    with product.space() as space:
        queues.open_queue(space.name, OWNER)
        yield space


def training(request: Request) -> dict[str, Any]:
    """The training's Job, with who manages which field."""
    (name,) = (job["metadata"]["name"] for job in request.jobs() if "-train-" in job["metadata"]["name"])
    document: dict[str, Any] = request.kubectl.get("-n", request.namespace, "job", name, "--show-managed-fields")
    return document


def name_of(request: Request) -> str:
    return str(training(request)["metadata"]["name"])


def suspenders(request: Request) -> set[str]:
    """Who says whether the Job is suspended."""
    managed = training(request)["metadata"]["managedFields"]
    return {entry["manager"] for entry in managed if "f:suspend" in entry.get("fieldsV1", {}).get("f:spec", {})}


def pods(request: Request) -> list[dict[str, Any]]:
    """The training's pods."""
    selector = f"batch.kubernetes.io/job-name={name_of(request)}"
    items: list[dict[str, Any]] = request.kubectl.get("-n", request.namespace, "pods", "-l", selector)["items"]
    return items


def credentials(request: Request) -> list[str]:
    """The Secrets of the training's pods."""
    secrets = request.kubectl.get("-n", request.namespace, "secrets")["items"]
    names = [secret["metadata"]["name"] for secret in secrets]
    return [name for name in names if name.startswith(request.name) and "train" in name]


def checkpointed(space: Space, request: Request) -> bool:
    digest = training(request)["metadata"]["annotations"]["profilestudio.io/digest"]
    keys = space.made(request.name)
    return any(f"/adapter/{digest}/checkpoints/" in key and key.endswith("/manifest.json") for key in keys)


def billed(request: Request) -> int:
    """The training's GPU seconds."""
    stages = request.status.stages
    assert stages is not None
    assert stages.train is not None
    return stages.train.gpu_seconds


def ran(pod: dict[str, Any], until: datetime | None = None) -> float:
    """For how many seconds the pod's stage ran."""
    (status,) = pod["status"]["containerStatuses"]
    (state,) = status["state"].values()
    end = until or datetime.fromisoformat(state["finishedAt"])
    return (end - datetime.fromisoformat(state["startedAt"])).total_seconds()


def test_a_borrowed_gpu_is_given_back_in_the_middle_of_a_training(
    queues: Kueue, borrower: Space, owner: Space, people: Path
) -> None:
    photos = pictures_in(people / "p00060")
    borrower.upload(photos, "uploads/long/")
    long = borrower.request("long", photos={"prefix": "uploads/long/"}, subject={"noun": "woman"}, training=LONG)
    long.wait("Preprocessed", seconds=180)
    learned = Learned(borrower, "long", photos)
    borrower.take_over(learned, "astray")
    owner.take_over(learned, "short")
    wait_for(lambda: queues.used(BORROWER) == ("1", "1"), 60, "the idle GPU is borrowed")

    # Whoever waits in a queue that is not there holds nobody up, and can wait in another.
    wish = {"photos": {"prefix": "uploads/astray/"}, "subject": {"noun": "woman"}, "training": SHORT}
    astray = borrower.request("astray", **wish, queueName="nowhere")
    wait_for(lambda: (c := astray.condition("Trained")) and c.message == NOWHERE, 60, "it is told that there is none")
    assert queues.says(borrower.name, name_of(astray), "QuotaReserved")[1] == "Inadmissible"
    astray.patch({"queueName": LOCAL_QUEUE})
    other = f"waits in the queue {LOCAL_QUEUE}"
    wait_for(lambda: (c := astray.condition("Trained")) and c.message == other, 60, "it waits in the other queue")
    wait_for(lambda: queues.says(borrower.name, name_of(astray), "QuotaReserved")[1] == "Pending", 30, "Kueue has it")
    astray.delete()

    wait_for(lambda: checkpointed(borrower, long), 180, "a checkpoint of the long training")
    uid = training(long)["metadata"]["uid"]
    (first,) = pods(long)
    assert credentials(long) != []
    short = owner.request("short", **wish | {"photos": {"prefix": "uploads/short/"}})

    # The owner's request takes the GPU back.
    condition = long.wait("Trained", status="False", reason="Queued", seconds=90)
    # The condition was False before, too: its transition tells nothing of the moment.
    preempted_at = datetime.now(UTC)
    assert condition.message == other
    assert long.status.stage_text == "Queued"
    assert queues.says(borrower.name, name_of(long), "Preempted")[1] == "InCohortReclamation"
    wait_for(lambda: not credentials(long), 30, "its credentials go")
    wait_for(lambda: not pods(long), 60, "its pod goes")
    cut_off = billed(long)
    assert abs(cut_off - ran(first, preempted_at)) <= 10
    wait_for(lambda: queues.used(OWNER) == ("1", "0"), 60, "the GPU is its owner's")
    short.wait("Trained", seconds=180)

    # It is free again, and borrowed again.
    wait_for(lambda: any(p["status"].get("phase") == "Running" for p in pods(long)), 120, "the long one goes on")
    (second,) = pods(long)
    log = ("-n", borrower.name, "logs", second["metadata"]["name"])
    wait_for(lambda: "resuming at step" in long.kubectl.run(*log), 90, "it goes on from its checkpoint")
    long.wait("Trained", seconds=240)
    (second,) = pods(long)
    assert abs(billed(long) - cut_off - ran(second)) <= 5
    for request in (long, short):
        request.wait("Ready", seconds=300)
        assert suspenders(request) == {"kueue"}
        assert training(request)["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] in CLASSES
    assert training(long)["metadata"]["uid"] == uid
    wait_for(lambda: queues.used(BORROWER) == queues.used(OWNER) == ("0", "0"), 30, "nobody holds the GPU")
