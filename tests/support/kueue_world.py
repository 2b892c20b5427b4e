"""Kueue as a test has it: one GPU that belongs to one team, and that another may borrow while nobody there wants it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from product import Object
from profile_sandbox.kubectl import Kubectl
from profile_sandbox.kueue import GROUP

# No device behind it: the node is told that it has some, and nothing but Kueue's quota says how many are used.
GPU = "example.com/gpu"
NODE_GPUS = 4
COHORT = "portraits"
LOCAL_QUEUE = "portraits"
OWNER, BORROWER = "team-b", "team-a"
FLAVOR = "any-node"
CLASSES = {"normal": 0, "urgent": 100}
# What else a training asks for; a ClusterQueue lets nothing go that asks for what it does not cover.
PLENTY = {"cpu": "64", "memory": "1Ti", "ephemeral-storage": "1Ti"}


@dataclass(frozen=True)
class Kueue:
    """The queues in a cluster."""

    kubectl: Kubectl

    def prepare(self) -> None:
        """The cohort's two ClusterQueues, and the classes of priority."""
        flavor = _object("ResourceFlavor", FLAVOR)
        classes = [_object("WorkloadPriorityClass", name) | {"value": value} for name, value in CLASSES.items()]
        queues = [_cluster_queue(OWNER, gpus=1), _cluster_queue(BORROWER, gpus=0)]
        self.kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": [flavor, *classes, *queues]}))
        for name in (OWNER, BORROWER):
            self.kubectl.run("wait", "--for=condition=Active", f"clusterqueues.{GROUP}/{name}", "--timeout=60s")

    def open_queue(self, namespace: str, cluster_queue: str, name: str = LOCAL_QUEUE) -> None:
        """A LocalQueue in a namespace that leads to a ClusterQueue."""
        queue = _object("LocalQueue", name, namespace) | {"spec": {"clusterQueue": cluster_queue}}
        self.kubectl.apply(json.dumps(queue))

    def used(self, cluster_queue: str) -> tuple[str, str]:
        """The GPUs that a ClusterQueue's work holds, in all and borrowed."""
        status = self.kubectl.get(f"clusterqueues.{GROUP}", cluster_queue)["status"]
        rows = [row for flavor in status.get("flavorsUsage", ()) for row in flavor["resources"] if row["name"] == GPU]
        return (str(rows[0].get("total", "0")), str(rows[0].get("borrowed", "0"))) if rows else ("0", "0")

    def workload(self, namespace: str, job: str) -> Object:
        """What Kueue keeps of a Job; empty where it keeps nothing yet, or no more."""
        items = self.kubectl.get("-n", namespace, f"workloads.{GROUP}")["items"]
        owners = ((item, item["metadata"].get("ownerReferences", ())) for item in items)
        return next((item for item, owning in owners if any(owner["name"] == job for owner in owning)), {})

    def says(self, namespace: str, job: str, kind: str) -> tuple[str, str, str]:
        """Status, reason and message of a condition of a Job's Workload; empty where it has none."""
        conditions = self.workload(namespace, job).get("status", {}).get("conditions", ())
        condition: dict[str, str] = next((item for item in conditions if item["type"] == kind), {})
        return condition.get("status", ""), condition.get("reason", ""), condition.get("message", "")


@contextmanager
def node_with_gpus(kubectl: Kubectl, count: int = NODE_GPUS) -> Iterator[None]:
    """The cluster's first node says that it has GPUs."""
    node = kubectl.get("nodes")["items"][0]["metadata"]["name"]
    place = f"/status/capacity/{GPU.replace('/', '~1')}"

    def patch(*changes: object) -> None:
        kubectl.run("patch", "node", node, "--subresource=status", "--type=json", "-p", json.dumps(changes))

    patch({"op": "add", "path": place, "value": str(count)})
    try:
        yield
    finally:
        patch({"op": "remove", "path": place})


def _cluster_queue(name: str, gpus: int) -> dict[str, Any]:
    """A ClusterQueue that owns so many GPUs and takes them back from whoever borrowed them."""
    quotas = [{"name": resource, "nominalQuota": amount} for resource, amount in {**PLENTY, GPU: str(gpus)}.items()]
    group = {"coveredResources": [*PLENTY, GPU], "flavors": [{"name": FLAVOR, "resources": quotas}]}
    spec = {
        "cohortName": COHORT,
        "namespaceSelector": {},
        "resourceGroups": [group],
        "preemption": {"reclaimWithinCohort": "Any", "withinClusterQueue": "LowerPriority"},
    }
    return _object("ClusterQueue", name) | {"spec": spec}


def _object(kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    """The head of one of Kueue's objects."""
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": f"{GROUP}/v1beta2", "kind": kind, "metadata": metadata}
