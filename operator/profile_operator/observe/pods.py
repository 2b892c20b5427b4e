"""cause_of: why the stage of a Job ended badly, or does not run, read out of the Job's events and its pods. Pure.

Nothing here is guessed: every text holds the words of whoever knows, the API server, the scheduler, the kubelet or the
stage. The order is that of a pod's life, and the first that has something to say is heard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from profile_contract.conditions import REASONS, Reason, ReasonKind
from profile_contract.model import Tolerant
from profile_operator import names
from profile_operator.clock import parsed
from profile_runtime.kubernetes.resources import Document

from .snapshot import Cause, JobState, JobView

# On its way, and nothing to tell of.
_STARTING = (None, "", "ContainerCreating", "PodInitializing")
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_KEPT_OUT = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
# Taints and the pods' garbage collector take pods off nodes that are away or gone.
_NODE_IS_AWAY = ("DeletionByTaintManager", "DeletionByPodGC")
# The kubelet evicts for a node's want, too; with these words it was the pod's own doing.
_OWN_DISK = ("exceeds the limit", "exceeds the total limit", "exceeded its local ephemeral storage limit")
# What the kubelet may take, after the grace period, to tell that a pod ended.
SLACK = timedelta(seconds=30)


def cause_of(job: JobView, pods: Sequence[Document], events: Sequence[Document], now: datetime) -> Cause | None:
    """Why the Job failed, or why none of its pods runs; None where one does, or nobody said anything yet.

    `events`: those of the Job and of its pods.
    """
    if job.cause is not None and job.cause.final:
        return job.cause
    newest_first = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    causes = [_cause_of_pod(pod, events, now) for pod in newest_first]
    final = next((cause for cause in causes if cause is not None and cause.final), None)
    if final is not None:
        return final
    if job.state is not JobState.FAILED and all(_ended(pod) for pod in pods):
        refused = _not_created(events, since=newest_first[0] if newest_first else None)
        if refused is not None:
            return refused
    return (causes[0] if causes else None) or job.cause


def stage_runs(pods: Iterable[Document]) -> bool:
    """Whether the stage's own container runs in one of the pods; a sidecar that does is not enough."""
    states = (_stage_container(pod).get("state", {}) for pod in pods if "deletionTimestamp" not in pod["metadata"])
    return any("running" in state for state in states)


def runs_of(pods: Iterable[Document], now: datetime | None) -> tuple[tuple[datetime, datetime], ...]:
    """From when to when the stage's containers ran, by the kubelets' clocks.

    One that runs still: until `now`; without it that one is left out.
    """
    runs = []
    for pod in pods:
        state = _stage_container(pod).get("state", {})
        container = state.get("running") or state.get("terminated") or {}
        ended = parsed(container["finishedAt"]) if container.get("finishedAt") else now
        if container.get("startedAt") and ended is not None:
            started = parsed(container["startedAt"])
            runs.append((started, max(started, ended)))
    return tuple(sorted(runs))


def _cause_of_pod(pod: Document, events: Sequence[Document], now: datetime) -> Cause | None:
    """What keeps one pod from running its stage, or ended it."""
    looks: tuple[Callable[[], Cause | None], ...] = (
        lambda: _being_deleted(pod, now),
        lambda: _ended_from_outside(pod),
        lambda: _unscheduled(pod),
        lambda: _hindered_by_init(pod),
        lambda: _hindered_container(pod),
        lambda: _kept_out(pod, events),
        lambda: _terminated(pod),
    )
    return next((cause for look in looks if (cause := look()) is not None), None)


# --- in the order of a pod's life --------------------------------------------------------------------------------


def _not_created(events: Iterable[Document], since: Document | None) -> Cause | None:
    """What the API server answered when the Job's next pod was to be created: a quota, a limit, a policy, a webhook."""
    born = str(since["metadata"].get("creationTimestamp", "")) if since else ""
    refusals = [event for event in events if event.get("reason") == "FailedCreate" and _at(event) >= born]
    if not refusals:
        return None
    words = str(max(refusals, key=_at).get("message", "")).removeprefix("Error creating: ")
    # Each try has another name: with it the same refusal would read as news.
    return Cause(Reason.REFUSED, "no pod can be created: " + re.sub(r'pods? "[^"]*"', "the pod", words))


def _being_deleted(pod: Document, now: datetime) -> Cause | None:
    """A pod that is being deleted ends within its grace period, unless its node does not answer."""
    metadata, status = pod["metadata"], pod.get("status", {})
    if "deletionTimestamp" not in metadata or _ended(pod):
        return None
    disruption = _condition(pod, "DisruptionTarget", "True")
    away = disruption.get("reason") in _NODE_IS_AWAY or status.get("reason") == "NodeLost"
    if away or now > parsed(metadata["deletionTimestamp"]) + SLACK:
        return Cause(Reason.NODE_LOST, "the pod is being deleted, its node does not answer")
    return Cause(Reason.EVICTED, _with("the pod is being deleted", disruption.get("message")))


def _ended_from_outside(pod: Document) -> Cause | None:
    """The kubelet, the scheduler or the node's drain ended the whole pod: no exit code tells anything then."""
    status = pod.get("status", {})
    if status.get("phase") != "Failed":
        return None
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    disruption = _condition(pod, "DisruptionTarget", "True")
    if reason == "DeadlineExceeded":
        return Cause(Reason.DEADLINE_EXCEEDED, _with("the stage ran longer than it may", message), final=True)
    if reason == "Evicted" and any(words in message for words in _OWN_DISK):
        return Cause(Reason.SCRATCH_FULL, _with("the stage's pod was evicted", message), final=True)
    if reason == "NodeLost" or disruption.get("reason") in _NODE_IS_AWAY:
        return Cause(Reason.NODE_LOST, _with("the pod's node is gone", message or disruption.get("message")))
    if reason or disruption:
        words = _with(reason or disruption.get("reason", ""), message or disruption.get("message"))
        return Cause(Reason.EVICTED, f"the stage's pod was ended: {words}")
    return None


def _unscheduled(pod: Document) -> Cause | None:
    condition = _condition(pod, "PodScheduled", "False")
    return Cause(Reason.PENDING, _with("the pod waits for a node", condition.get("message"))) if condition else None


def _hindered_by_init(pod: Document) -> Cause | None:
    """The init container that does not start, fails or does not end. The stage has not run."""
    # Those that are started anew for ever are sidecars: the stage runs beside them.
    specs = pod.get("spec", {}).get("initContainers", ())
    sidecars = {container["name"] for container in specs if container.get("restartPolicy") == "Always"}
    for container in pod.get("status", {}).get("initContainerStatuses", ()):
        state, name = container.get("state", {}), f"the init container {container['name']}"
        waits = _hindered(container, name)
        if waits is not None:
            return waits
        ended = state.get("terminated")
        if ended and ended.get("exitCode") != 0 and container["name"] not in sidecars:
            words = _with(f"{name} ended with exit code {ended.get('exitCode')}", ended.get("message"))
            return Cause(Reason.POD_NOT_STARTED, f"the stage did not run: {words}")
        if "running" in state and container["name"] not in sidecars:
            return Cause(Reason.POD_NOT_STARTED, f"the stage waits for {name}, which still runs")
    return None


def _hindered_container(pod: Document) -> Cause | None:
    """The container that does not start: the stage's, or one beside it as long as the stage has not started."""
    stage = _stage_container(pod)
    cause = _hindered(stage, "the stage")
    if cause is not None or stage.get("state", {}).keys() & {"running", "terminated"}:
        return cause
    others = (_hindered(other, f"the container {other['name']}") for other in _containers(pod))
    return next((cause for cause in others if cause is not None), None)


def _hindered(container: Document, name: str) -> Cause | None:
    """Why a container waits, if it is more than being on its way."""
    waiting = container.get("state", {}).get("waiting", {})
    reason, message = waiting.get("reason"), str(waiting.get("message") or "")
    if reason in _STARTING:
        return None
    if reason in _IMAGE:
        # The kubelet says the same in two ways by turns.
        words = re.sub(r'^Back-off pulling image "[^"]*"(: \w+: )?', "", message)
        return Cause(Reason.IMAGE_PULL_FAILED, _with(f"{name}'s image {container.get('image')} cannot be had", words))
    return Cause(Reason.POD_NOT_STARTED, f"{name} does not start: {_with(reason, message)}")


def _kept_out(pod: Document, events: Iterable[Document]) -> Cause | None:
    """A volume or a network that a pod which has its node does not get."""
    if pod.get("status", {}).get("phase") != "Pending":
        return None
    name = pod["metadata"].get("name")
    warnings = [e for e in events if e.get("reason") in _KEPT_OUT and e.get("involvedObject", {}).get("name") == name]
    if not warnings:
        return None
    event = max(warnings, key=_at)
    return Cause(Reason.POD_NOT_STARTED, f"the pod does not start: {_with(event['reason'], event.get('message'))}")


def _terminated(pod: Document) -> Cause | None:
    """What the stage said when it ended, else that a container beside it failed."""
    ended = _stage_container(pod).get("state", {}).get("terminated")
    if ended and ended.get("exitCode") != 0:
        return _last_words(ended)
    if pod.get("status", {}).get("phase") != "Failed":
        return None
    for container in _containers(pod):
        beside = container.get("state", {}).get("terminated", {})
        if beside.get("exitCode", 0) != 0:
            text = f"the container {container['name']} beside the stage ended with exit code {beside['exitCode']}"
            return Cause(Reason.STAGE_FAILED, text)
    return None


def _last_words(ended: Document) -> Cause:
    if ended.get("reason") == "OOMKilled":
        return Cause(Reason.OUT_OF_MEMORY, "the stage used more memory than its limit")
    code = f"the stage ended with exit code {ended.get('exitCode')}"
    try:
        # Strict: it may have been written by whoever took the stage over.
        words = TerminationMessage.model_validate_json(ended.get("message", ""))
    except ValidationError:
        return Cause(Reason.STAGE_FAILED, code)
    if words.reason is Reason.PENDING:  # it was asked to stop, and nobody else said why
        return Cause(Reason.EVICTED, words.message or code)
    blames = REASONS[words.reason].kind in (ReasonKind.PERSON, ReasonKind.PLATFORM)
    return Cause(words.reason if blames else Reason.STAGE_FAILED, words.message or code)


class TerminationMessage(Tolerant):
    """A stage's last words, as `profile_runtime.shell` writes them."""

    reason: Reason
    message: str


# --- documents ---------------------------------------------------------------------------------------------------


def _containers(pod: Document) -> list[Document]:
    return list(pod.get("status", {}).get("containerStatuses", ()))


def _stage_container(pod: Document) -> Document:
    return next((container for container in _containers(pod) if container["name"] == names.CONTAINER), {})


def _ended(pod: Document) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _condition(pod: Document, kind: str, status: str) -> Document:
    """The pod's condition of that type and status, {} if it has none."""
    conditions = pod.get("status", {}).get("conditions", ())
    return next((c for c in conditions if (c["type"], c["status"]) == (kind, status)), {})


def _at(event: Document) -> str:
    """When an event was seen last."""
    times = (event.get("lastTimestamp"), event.get("eventTime"), event.get("metadata", {}).get("creationTimestamp"))
    return str(next((time for time in times if time), ""))


def _with(text: str, words: object) -> str:
    return f"{text}: {words}" if words else text
