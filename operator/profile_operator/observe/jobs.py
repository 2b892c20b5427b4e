"""job_view: a Job as the API server gives it, read for decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from profile_contract.conditions import Reason
from profile_contract.stages.table import Stage
from profile_operator import names
from profile_runtime.kubernetes.resources import Document

from .snapshot import Cause, JobState, JobView


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
        cause=_cause(ended[0]) if ended and ended[0]["type"] == "Failed" else None,
        deleting="deletionTimestamp" in metadata,
        started=_time(status.get("startTime")),
        completed=_time(completed),
        failed_pods=status.get("failed", 0),
        running=bool(status.get("ready")),
        gpus=_gpus(spec),
        queue=metadata.get("labels", {}).get(names.KUEUE_QUEUE, ""),
        priority_class=metadata.get("labels", {}).get(names.KUEUE_PRIORITY, ""),
        uid=metadata.get("uid", ""),
        orphaned=_is_orphan(metadata),
        unowned=not metadata.get("ownerReferences"),
    )


def _is_orphan(metadata: Document) -> bool:
    """Whether a Job of ours has lost its request, as after `--cascade=orphan`, or has one that was there before, as
    after a restore. What another kind of object controls is not ours, whatever its labels say."""
    labels, owners = metadata.get("labels", {}), metadata.get("ownerReferences", ())
    ours = labels.get("app.kubernetes.io/managed-by") == names.FIELD_MANAGER
    request = {"kind": names.REQUEST_KIND, "name": labels.get(names.LABEL_REQUEST)}
    return ours and all({"kind": owner.get("kind"), "name": owner.get("name")} == request for owner in owners)


def _job_state(spec: Document, ended: list[Document]) -> JobState:
    if ended:
        return JobState.SUCCEEDED if ended[0]["type"] == "Complete" else JobState.FAILED
    return JobState.SUSPENDED if spec.get("suspend") else JobState.ACTIVE


def _cause(failed: Document) -> Cause:
    """What the Job's own condition says of its failure; a pod, if one is left, says more."""
    reason, message = failed.get("reason", ""), failed.get("message", "")
    text = f"the Job failed: {reason}: {message}".removesuffix(": ").removesuffix(": ")
    if reason == "DeadlineExceeded":
        return Cause(Reason.DEADLINE_EXCEEDED, text, final=True)
    return Cause(Reason.STAGE_FAILED, text)


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
