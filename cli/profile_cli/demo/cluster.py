"""The demo's cluster: what an installation makes in it and waits for."""

from __future__ import annotations

from typing import Any

from profile_cli.cluster import NAMESPACES_PATH, Cluster, is_ready
from profile_contract.resource import Key
from profile_runtime.kubernetes.resources import APPLY_PATCH, Document, request_path

# Pods made by us run under it; the product's own do everywhere.
NAMESPACE_LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}
STARTING = ("ContainerCreating", "PodInitializing")


class DemoCluster(Cluster):
    """One cluster. Every method raises CommandError with what the API server said."""

    def ensure_namespace(self, name: str) -> None:
        """Make the namespace, under the restricted Pod Security Standard, if it is not there."""
        if not self.has_namespace(name):
            metadata = {"name": name, "labels": NAMESPACE_LABELS}
            self.call("POST", NAMESPACES_PATH, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def apply_request(self, manifest: dict[str, Any]) -> None:
        """Server-side apply of a ProfileRequest."""
        path = request_path(Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"]))
        self.call("PATCH", path, manifest, [("force", "true")], content_type=APPLY_PATCH)

    def deployment_ready(self, namespace: str, name: str) -> bool:
        """Whether the newest version of a Deployment runs and answers."""
        deployment = self.find(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
        if deployment is None:
            return False
        status = deployment.get("status") or {}
        if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
            return False
        wanted = deployment["spec"].get("replicas") or 0
        counts = [status.get(count) or 0 for count in ("updatedReplicas", "availableReplicas", "replicas")]
        return counts == [wanted] * 3

    def predictor_ready(self, namespace: str, name: str) -> bool:
        """Whether an InferenceService is Ready."""
        service = self.find(f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}")
        return is_ready(service or {})

    def pods_in_trouble(self, namespace: str) -> list[str]:
        """A line for each pod that cannot start or keeps ending, with what the kubelet says about it."""
        pods = self.call("GET", f"{NAMESPACES_PATH}/{namespace}/pods")["items"]
        return [line for pod in pods for line in troubles(pod)]


def troubles(pod: Document) -> list[str]:
    """A line for each container of a pod that waits for something bad, and for a pod that no node takes. Pure."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    lines = []
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting")
        ended = (container.get("lastState") or {}).get("terminated")
        if waiting and waiting.get("reason") not in STARTING:
            text = f"{name}: {waiting.get('reason')} {waiting.get('message') or ''}".strip()
            lines.append(text + (f" (ended with exit code {ended['exitCode']})" if ended else ""))
    return lines + [
        f"{name}: not scheduled: {condition.get('message')}"
        for condition in status.get("conditions") or []
        if condition["type"] == "PodScheduled" and condition["status"] == "False"
    ]
