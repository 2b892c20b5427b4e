"""Jobs and their pods as the API server gives them, read for decisions: JobView, and a stage's last words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from profile_contract.conditions import Reason
from profile_contract.model import Tolerant
from profile_contract.stages.table import Stage
from profile_operator import names
from profile_runtime.kubernetes.resources import Document

from .snapshot import JobState, JobView, Termination


def job_view(document: Document) -> JobView | None:
    """A Job as decisions see it; None for one that does not carry our labels."""
    metadata, spec, status = document["metadata"], document["spec"], document.get("status", {})
    try:
        stage = Stage(metadata.get("labels", {}).get(names.LABEL_STAGE, ""))
    except ValueError:
        return None
    owners = [owner["uid"] for owner in metadata.get("ownerReferences", ()) if owner.get("controller")]
    ended = [c for c in status.get("conditions", ()) if c["type"] in ("Complete", "Failed") and c["status"] == "True"]
    completed = status.get("completionTime") or (ended[0].get("lastTransitionTime") if ended else None)
    return JobView(
        name=metadata["name"],
        stage=stage,
        digest=metadata.get("annotations", {}).get(names.DIGEST_ANNOTATION, ""),
        owner_uid=owners[0] if owners else metadata["labels"].get(names.LABEL_UID, ""),
        state=_job_state(spec, ended),
        deleting="deletionTimestamp" in metadata,
        started=_time(status.get("startTime")),
        completed=_time(completed),
        failed_pods=status.get("failed", 0),
        running=bool(status.get("ready")),
        gpus=_gpus(spec),
        queue=metadata.get("labels", {}).get(names.KUEUE_QUEUE, ""),
    )


def _job_state(spec: Document, ended: list[Document]) -> JobState:
    if ended:
        return JobState.SUCCEEDED if ended[0]["type"] == "Complete" else JobState.FAILED
    return JobState.SUSPENDED if spec.get("suspend") else JobState.ACTIVE


def _gpus(spec: Document) -> int:
    """The GPUs, or slices of one, that the stage's container holds."""
    containers = spec["template"]["spec"]["containers"]
    stage = next((container for container in containers if container.get("name") == names.CONTAINER), containers[0])
    limits: Mapping[str, Any] = stage.get("resources", {}).get("limits", {})
    return sum(int(value) for name, value in limits.items() if _is_gpu(name) and str(value).isdigit())


def _is_gpu(resource: str) -> bool:
    """Whether an extended resource is a GPU: <vendor>/gpu, a shared one or a MIG slice, or Intel's drivers."""
    vendor, _, kind = resource.partition("/")
    if vendor == "gpu.intel.com":
        return kind in ("i915", "xe")
    return kind == "gpu" or kind.startswith(("gpu.shared", "mig-"))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def termination_of(pods: list[Document]) -> Termination | None:
    """What the stage's container of the last pod said, or what the kubelet said of the whole pod."""
    for pod in sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), reverse=True):
        status = pod.get("status", {})
        # Evicted, out of a node's resources: the container's exit code, if there is one, tells nothing then.
        if status.get("phase") == "Failed" and status.get("reason"):
            text = f"{status['reason']}: {status.get('message', '')}".removesuffix(": ")
            return Termination(Reason.STAGE_FAILED, f"the stage's pod was ended: {text}")
        for container in status.get("containerStatuses", ()):
            ended = container.get("state", {}).get("terminated")
            if container["name"] == names.CONTAINER and ended:
                return _termination(ended)
    return None


def _termination(ended: Document) -> Termination:
    if ended.get("reason") == "OOMKilled":
        return Termination(Reason.OUT_OF_MEMORY, "the stage used more memory than its limit")
    try:
        # Strict: it may have been written by whoever took the stage over.
        message = TerminationMessage.model_validate_json(ended.get("message", ""))
    except ValidationError:
        return Termination(Reason.STAGE_FAILED, f"the stage ended with exit code {ended.get('exitCode')}")
    return Termination(message.reason, message.message)


class TerminationMessage(Tolerant):
    """A stage's last words, as `profile_runtime.shell` writes them."""

    reason: Reason
    message: str


def waiting_of(pods: list[Document]) -> str:
    """Why no pod of a Job runs, in the scheduler's or the kubelet's words; empty if nothing was said."""
    for pod in pods:
        status = pod.get("status", {})
        for condition in status.get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return f"the pod waits for a node: {condition.get('message', '')}"
        for container in status.get("containerStatuses", ()):
            waiting = container.get("state", {}).get("waiting", {})
            if waiting.get("reason") not in (None, "ContainerCreating"):
                return f"the pod does not start: {waiting['reason']}"
    return ""
