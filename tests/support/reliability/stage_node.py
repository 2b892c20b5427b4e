"""StageNode: a kubelet and the stages' programs.

It starts pods, leaves what their orders ask for in the store under the credentials of their Secrets, and tells how
they ended.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from profile_contract.exits import EXIT_TRY_AGAIN
from profile_contract.stages.finish import FinishOrder
from profile_contract.stages.preprocess import PreprocessOrder
from profile_contract.stages.train import TrainOrder
from profile_runtime.store.port import StoreError
from profile_runtime.store.s3 import open_s3
from stage_reports import report_for

from .kube import Document, KubeApi, Refusal, core_path

ORDERS: dict[str, type[PreprocessOrder] | type[TrainOrder] | type[FinishOrder]] = {
    "preprocess": PreprocessOrder,
    "train": TrainOrder,
    "finish": FinishOrder,
}
LOOK_SECONDS = 0.2
WORK_SECONDS = 0.1
# Long enough to be counted in seconds.
TRAINING_SECONDS = 1.5
NAME = "node-1"
KILLED = 137
STAGE_LABEL = "profilestudio.io/stage"


@dataclass(frozen=True)
class Disruption:
    """What the cluster says of a pod that it takes away while it runs; `deletes`: the pod goes, too."""

    reason: str
    message: str
    condition: str
    deletes: bool = False


# As the pod garbage collector and a kubelet say it.
NODE_LOST = Disruption("NodeLost", "PodGC: node no longer exists", "DeletionByPodGC", deletes=True)
EVICTED = Disruption("Evicted", "The node was low on resource: memory.", "TerminationByKubelet")


class StageNode:
    """Runs the pods of the stages. `runs`: how many containers ran, by namespace and stage.

    A (namespace, stage) in `held` runs until it is let go; in a namespace of `without_image` no container starts. What
    stands in `disruptions` happens to the pod that runs, and to no later one.
    """

    def __init__(self, kube: KubeApi, store_url: str) -> None:
        self._kube, self._store_url = kube, store_url
        self.runs: Counter[tuple[str, str]] = Counter()
        self.running: set[tuple[str, str]] = set()
        self.held: set[tuple[str, str]] = set()
        self.without_image: set[str] = set()
        self.disruptions: dict[tuple[str, str], Disruption] = {}
        self._known: set[str] = set()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(8)
        self._thread = threading.Thread(target=self._follow, name="node", daemon=True)

    def start(self) -> None:
        """Begin to look after pods."""
        self._thread.start()

    def stop(self) -> None:
        """Look after none any more."""
        self._ended.set()
        self.held.clear()
        self._thread.join(10)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _follow(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            with contextlib.suppress(Exception):
                for pod in self._kube.items("/api/v1/pods", labelSelector=STAGE_LABEL):
                    self._look(pod)

    def _look(self, pod: Document) -> None:
        uid = pod["metadata"]["uid"]
        if "deletionTimestamp" in pod["metadata"]:
            self._pool.submit(self._remove, pod)
        elif uid not in self._known:
            self._known.add(uid)
            self._pool.submit(self._run, pod)

    def _remove(self, pod: Document) -> None:
        """The container ends as it is told, and the pod goes."""
        path = _path(pod)
        with contextlib.suppress(Refusal):
            if pod.get("status", {}).get("phase") in ("Pending", "Running"):
                self._kube.call("PATCH", f"{path}/status", {"status": _terminated(143, "Error", datetime.now(UTC))})
            self._kube.call("DELETE", path, {"gracePeriodSeconds": 0})

    def _run(self, pod: Document) -> None:
        """One pod's whole life. A pod that is gone ends it wherever it is."""
        namespace, stage = pod["metadata"]["namespace"], pod["metadata"]["labels"][STAGE_LABEL]
        with contextlib.suppress(Refusal, _PodGone):
            binding = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": NAME}}
            self._kube.call("POST", f"{_path(pod)}/binding", binding | {"metadata": {"name": pod["metadata"]["name"]}})
            environment = self._environment(pod)
            self.runs[namespace, stage] += 1
            self.running.add((namespace, stage))
            try:
                began = datetime.now(UTC)
                self._kube.call("PATCH", f"{_path(pod)}/status", {"status": _running(began)})
                code = self._work(pod, stage, environment)
                if disruption := self.disruptions.pop((namespace, stage), None):
                    self._disrupt(pod, disruption, began)
                    return
                reason = "Error" if code else "Completed"
                self._kube.call("PATCH", f"{_path(pod)}/status", {"status": _terminated(code, reason, began)})
            finally:
                self.running.discard((namespace, stage))

    def _environment(self, pod: Document) -> dict[str, str]:
        """The container's variables, once its image and the Secret that they come from are there."""
        container = pod["spec"]["containers"][0]
        for waited in self._while_pod_stands(pod):
            if pod["metadata"]["namespace"] in self.without_image:
                if waited == 0:
                    self._kube.call(
                        "PATCH", f"{_path(pod)}/status", {"status": _waiting("ImagePullBackOff", "no image")}
                    )
                continue
            names = {
                variable["valueFrom"]["secretKeyRef"]["name"]
                for variable in container["env"]
                if "secretKeyRef" in variable.get("valueFrom", {})
            }
            secrets = {name: self._kube.get(core_path(pod["metadata"]["namespace"], "secrets", name)) for name in names}
            if all(secrets.values()):
                return _variables(container["env"], secrets)
            if waited == 0:
                status = _waiting("CreateContainerConfigError", "secret not found")
                self._kube.call("PATCH", f"{_path(pod)}/status", {"status": status})
        raise _PodGone

    def _work(self, pod: Document, stage: str, environment: dict[str, str]) -> int:
        """Do what the stage's order says; returns the exit code."""
        order = ORDERS[stage].model_validate_json(environment["PROFILE_ORDER"])
        time.sleep(TRAINING_SECONDS if stage == "train" else WORK_SECONDS)
        place = pod["metadata"]["namespace"], stage
        for _ in self._while_pod_stands(pod):
            if place in self.disruptions:
                return KILLED
            if place not in self.held:
                break
        # As the stages do: one that comes second leaves what stands.
        try:
            store = open_s3(self._store_url, environment)
            report = report_for(order, _stamp(datetime.now(UTC)))
            content = report.to_json().encode()
            if store.stat(f"{order.output}report.json") is None:
                for key in sorted(keys_below(order.output, json.loads(content))):
                    store.write(key, content_of(key.removeprefix(order.output)))
                store.write(f"{order.output}report.json", content)
        except StoreError:
            return EXIT_TRY_AGAIN
        return 0

    def _disrupt(self, pod: Document, disruption: Disruption, began: datetime) -> None:
        """The container is gone, and the pod says why."""
        status = _terminated(KILLED, "Error", began)
        target = {"type": "DisruptionTarget", "status": "True", "reason": disruption.condition}
        conditions = [*status["conditions"], {**target, "lastTransitionTime": _stamp(datetime.now(UTC))}]
        told = {"reason": disruption.reason, "message": disruption.message, "conditions": conditions}
        self._kube.call("PATCH", f"{_path(pod)}/status", {"status": {**status, **told}})
        if disruption.deletes:
            self._kube.call("DELETE", _path(pod), {"gracePeriodSeconds": 0})

    def _while_pod_stands(self, pod: Document) -> Iterator[int]:
        """Counts looks, until the pod is gone or told to go. Raises _PodGone then."""
        count = 0
        while not self._ended.is_set():
            standing = self._kube.get(_path(pod))
            if standing is None or "deletionTimestamp" in standing["metadata"]:
                raise _PodGone
            yield count
            count += 1
            time.sleep(LOOK_SECONDS)
        raise _PodGone


class _PodGone(Exception):
    """The pod is gone, or told to go."""


def content_of(name: str) -> bytes:
    """What stands in a file of that name."""
    return hashlib.sha256(name.encode()).hexdigest().encode()


def keys_below(prefix: str, value: Any) -> set[str]:
    """The keys below a prefix that a report names."""
    if isinstance(value, str):
        return {value} if value.startswith(prefix) and not value.endswith("/") else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {key for part in inner for key in keys_below(prefix, part)}


def _path(pod: Document) -> str:
    return core_path(pod["metadata"]["namespace"], "pods", pod["metadata"]["name"])


def _variables(listed: list[Document], secrets: dict[str, Document | None]) -> dict[str, str]:
    """The variables with what the Secrets say."""
    values: dict[str, str] = {}
    for variable in listed:
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        if reference is None:
            values[variable["name"]] = variable.get("value", "")
            continue
        data = (secrets[reference["name"]] or {}).get("data", {})
        if reference["key"] in data:
            values[variable["name"]] = base64.b64decode(data[reference["key"]]).decode()
    return values


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(phase: str, state: Document, *, ready: bool = False) -> Document:
    container = {"name": "stage", "image": "stage", "imageID": "", "restartCount": 0, "ready": ready, "state": state}
    now = _stamp(datetime.now(UTC))
    conditions = [
        {"type": kind, "status": str(value), "lastTransitionTime": now}
        for kind, value in (("PodScheduled", True), ("Initialized", True), ("ContainersReady", ready), ("Ready", ready))
    ]
    return {"phase": phase, "startTime": now, "conditions": conditions, "containerStatuses": [container]}


def _running(began: datetime) -> Document:
    return _status("Running", {"running": {"startedAt": _stamp(began)}}, ready=True)


def _waiting(reason: str, message: str) -> Document:
    return _status("Pending", {"waiting": {"reason": reason, "message": message}})


def _terminated(code: int, reason: str, began: datetime) -> Document:
    ended = {"exitCode": code, "reason": reason, "startedAt": _stamp(began), "finishedAt": _stamp(datetime.now(UTC))}
    return _status("Failed" if code else "Succeeded", {"terminated": ended})
