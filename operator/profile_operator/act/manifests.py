"""What is written to the cluster, as plain documents. Pure: the same plan gives the same document."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from profile_contract.exits import EXIT_BAD_INPUT
from profile_contract.resource import Key
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainOrder
from profile_operator import names
from profile_operator.config import OperatorConfig
from profile_operator.decide.plan import CreateJob, EventNote
from profile_operator.job_settings import JobsConfig, StageJob

Document = dict[str, Any]

SCRATCH = "/scratch"
MODELS = "/models"
SIGNATURE = "/signature"
# Libraries write caches and settings at import; the root file system is read-only.
SCRATCH_VARIABLES = {
    "HOME": SCRATCH,
    "TMPDIR": f"{SCRATCH}",
    "XDG_CACHE_HOME": f"{SCRATCH}/cache",
    "XDG_CONFIG_HOME": f"{SCRATCH}/config",
    "YOLO_CONFIG_DIR": f"{SCRATCH}",
    "MPLCONFIGDIR": f"{SCRATCH}/matplotlib",
    "TORCH_HOME": f"{SCRATCH}/torch",
    "HF_HOME": f"{SCRATCH}/huggingface",
    "HF_HUB_OFFLINE": "1",
}
CREDENTIAL_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
REDIS_VARIABLE = "PROFILE_REDIS"
# The user of images/*/Dockerfile.
USER = 65532
# A stage that is asked to stop writes its checkpoint first.
GRACE_SECONDS = 30


def owner_reference(name: str, uid: str, kind: str = names.REQUEST_KIND) -> Document:
    """What makes an object end with its request, or with the look that it is of."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def labels(request: str, stage: Stage | None = None, kind: str = names.REQUEST_KIND) -> dict[str, str]:
    """Labels of everything that belongs to a request, or to a look: by its name."""
    common = {
        "app.kubernetes.io/name": "profile-studio",
        "app.kubernetes.io/component": stage.value if stage else "credentials",
        "app.kubernetes.io/instance": request,
        "app.kubernetes.io/managed-by": names.FIELD_MANAGER,
        names.LABEL_REQUEST if kind == names.REQUEST_KIND else names.LABEL_LOOK: request,
    }
    return {**common, names.LABEL_STAGE: stage.value} if stage else common


def credentials(key: Key, uid: str, stage: Stage, data: Mapping[str, str], kind: str = names.REQUEST_KIND) -> Document:
    """The Secret with what a stage's pods get as variables; what is empty is left out."""
    filled = {name: value for name, value in sorted(data.items()) if value}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.credentials_secret(key.name, stage, uid),
            "namespace": key.namespace,
            "labels": labels(key.name, kind=kind),
            "ownerReferences": [owner_reference(key.name, uid, kind)],
        },
        "type": "Opaque",
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in filled.items()},
    }


def job(
    action: CreateJob, key: Key, uid: str, config: OperatorConfig, *, redis: bool, kind: str = names.REQUEST_KIND
) -> Document:
    """The Job of a stage, of an object of that kind. It meets the restricted Pod Security Standard."""
    settings = config.jobs.of(action.stage)
    # Ours win: by them the operator, its policies and people find what belongs to a request.
    marks = {**config.jobs.labels, **settings.labels, **labels(key.name, action.stage, kind)}
    # By it the sweep ends what a request left behind.
    marks |= {names.LABEL_UID: uid} if kind == names.REQUEST_KIND else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": action.name,
            "namespace": key.namespace,
            "labels": {**marks, **_queue_labels(action)},
            "annotations": {**_pod_annotations(config.jobs, settings), names.DIGEST_ANNOTATION: action.order.digest},
            "ownerReferences": [owner_reference(key.name, uid, kind)],
        },
        "spec": {
            **({"suspend": True} if action.queue else {}),
            "backoffLimit": settings.backoff_limit,
            "ttlSecondsAfterFinished": config.jobs.ttl_seconds,
            "completions": 1,
            "parallelism": 1,
            # Never two pods of a stage at once: the second starts when the first is gone.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": _pod_failure_policy(),
            "template": {
                "metadata": {"labels": marks, "annotations": _pod_annotations(config.jobs, settings)},
                "spec": _pod(action, key, config, settings, redis=redis),
            },
        },
    }


def _queue_labels(action: CreateJob) -> dict[str, str]:
    """What Kueue reads of a Job. Never on its pods, which Kueue would take for work of its own."""
    if action.queue is None:
        return {}
    priority = {names.KUEUE_PRIORITY: action.queue.priority_class} if action.queue.priority_class else {}
    return {names.KUEUE_QUEUE: action.queue.name, **priority}


def _pod_annotations(jobs: JobsConfig, settings: StageJob) -> dict[str, str]:
    return {**jobs.annotations, **settings.annotations}


def _pod_failure_policy() -> Document:
    return {
        "rules": [
            {
                "action": "FailJob",
                "onExitCodes": {"containerName": names.CONTAINER, "operator": "In", "values": [EXIT_BAD_INPUT]},
            },
            # Evicted or preempted: no fault of the stage, and no attempt used up.
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def _pod(action: CreateJob, key: Key, config: OperatorConfig, settings: StageJob, *, redis: bool) -> Document:
    pod: Document = {
        "restartPolicy": "Never",
        # Of the pod, not of the Job: what it waits for a node does not count.
        "activeDeadlineSeconds": settings.active_deadline_seconds,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(action, key, config, settings, redis=redis)],
        "volumes": _volumes(config, action.stage, settings),
    }
    optional: Document = {
        "imagePullSecrets": [{"name": name} for name in config.jobs.image_pull_secrets],
        "nodeSelector": settings.node_selector,
        "tolerations": [_without_empty(toleration.document()) for toleration in settings.tolerations],
        "runtimeClassName": settings.runtime_class_name,
        "priorityClassName": settings.priority_class_name,
        "affinity": settings.affinity,
    }
    return pod | {name: value for name, value in optional.items() if value}


def _without_empty(document: Document) -> Document:
    return {name: value for name, value in document.items() if value != ""}


def _container(action: CreateJob, key: Key, config: OperatorConfig, settings: StageJob, *, redis: bool) -> Document:
    mounts: list[Document] = [{"name": "scratch", "mountPath": SCRATCH}]
    if config.jobs.models_volume is not None:
        mounts.append({"name": "models", "mountPath": MODELS, "readOnly": True})
    if _signature_secret(config, action.stage):
        mounts.append({"name": "signature", "mountPath": SIGNATURE, "readOnly": True})
    return {
        "name": names.CONTAINER,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "env": _environment(action, key, config, settings, redis=redis),
        "resources": _resources(settings, gpus=0 if _merges(action) else settings.gpus),
        # What the stage says itself; its log may hold more than a status should.
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [*mounts, *settings.extra_volume_mounts],
    }


def _environment(
    action: CreateJob, key: Key, config: OperatorConfig, settings: StageJob, *, redis: bool
) -> list[Document]:
    plain = {
        "PROFILE_ORDER": action.order.for_environment(),
        "PROFILE_STORE": config.store.url(),
        "PROFILE_MODELS": MODELS,
        **({"PROFILE_SIGNATURE": SIGNATURE} if _signature_secret(config, action.stage) else {}),
        **SCRATCH_VARIABLES,
        **settings.env,
    }
    environment: list[Document] = [{"name": name, "value": value} for name, value in plain.items()]
    secret = names.credentials_secret(key.name, action.stage, action.order.request.uid)
    environment += [_from_secret(variable, secret) for variable in CREDENTIAL_VARIABLES]
    if redis:
        # Where Redis is away a stage runs without.
        environment.append(_from_secret(REDIS_VARIABLE, secret, optional=True))
    return [*environment, *settings.extra_env]


def _from_secret(variable: str, secret: str, *, optional: bool = False) -> Document:
    reference = {"name": secret, "key": variable, **({"optional": True} if optional else {})}
    return {"name": variable, "valueFrom": {"secretKeyRef": reference}}


def _merges(action: CreateJob) -> bool:
    """Whether it is no training, but weights are added up, which a processor does."""
    return isinstance(action.order, TrainOrder) and action.order.merge is not None


def _resources(settings: StageJob, *, gpus: int) -> Document:
    limits = dict(settings.resources.limits)
    if gpus:
        limits[settings.gpu_resource] = str(gpus)
    return {"requests": dict(settings.resources.requests), "limits": limits}


def _signature_secret(config: OperatorConfig, stage: Stage) -> str:
    """The Secret by which a stage signs; empty where it does not."""
    return config.finish.signature.existing_secret if stage is Stage.FINISH else ""


def _volumes(config: OperatorConfig, stage: Stage, settings: StageJob) -> list[Document]:
    volumes: list[Document] = [{"name": "scratch", "emptyDir": {"sizeLimit": settings.scratch_size}}]
    if config.jobs.models_volume is not None:
        volumes.append(config.jobs.models_volume)
    if secret := _signature_secret(config, stage):
        # Read by the group: the container's user is no owner of what the kubelet mounts.
        volumes.append({"name": "signature", "secret": {"secretName": secret, "defaultMode": 0o440}})
    return [*volumes, *settings.extra_volumes]


def event(key: Key, uid: str, note: EventNote, *, at: str, name: str) -> Document:
    """An Event about a request."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": key.namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.REQUEST_KIND,
            "name": key.name,
            "namespace": key.namespace,
            "uid": uid,
        },
        "type": "Warning" if note.warning else "Normal",
        "reason": note.reason.value,
        "message": note.message[:1024],
        "source": {"component": names.COMPONENT},
        "reportingComponent": names.COMPONENT,
        "reportingInstance": names.COMPONENT,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
