"""Life: one request from its creation until it is gone, and what it leaves, told so that two lives can be compared."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from profile_contract import GROUP
from profile_contract.artifacts import kept_mark

from .kube import Document, KubeApi, Refusal, core_path, jobs_path, request_path
from .stand import Space, Stand

NAME = "minji"
SPEC: Document = {
    "photos": {"prefix": "uploads/minji/"},
    "styles": [{"name": "warm"}, {"name": "plain"}],
    "portraits": 1,
    "candidates": 3,
    "seed": 7,
    "minimumLikeness": 0,
}
STAGES = ("preprocess", "train", "generate", "finish")
# Long, since the machine may be busy: they only tell what hangs.
READY_SECONDS = 300.0
GONE_SECONDS = 240.0
SETTLE_SECONDS = 60.0
LOOK_SECONDS = 0.25
# Of a report and of a status: when it was, and how long it took.
# And whose it is, with the digest of the record that says so.
TIMES = re.compile(r"(At|Time|seconds|Seconds|purgeAfter|compared|time|Until|^uid)$")


class Fault(AssertionError):
    """What is not as it must be, in words. `kind`: the line in the table, where only the run could tell it."""

    kind = ""


@dataclass
class Life:
    """The request `minji` of a space. `watch` is called at every look while somebody waits, to keep operators alive."""

    stand: Stand
    space: Space
    watch: Callable[[], None] = lambda: None

    @property
    def kube(self) -> KubeApi:
        return self.stand.kube

    @property
    def path(self) -> str:
        return request_path(self.space.namespace, NAME)

    # --- what a person does ---

    def create(self, **spec: Any) -> None:
        """Ask for portraits."""
        metadata = {"name": NAME, "namespace": self.space.namespace}
        document = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "ProfileRequest", "metadata": metadata}
        self.kube.call("POST", request_path(self.space.namespace), document | {"spec": SPEC | spec})

    def patch(self, **spec: Any) -> None:
        """Edit the spec."""
        self.kube.call("PATCH", self.path, {"spec": spec})

    def annotate(self, name: str, value: str) -> None:
        """Set an annotation of the product's."""
        self.kube.call("PATCH", self.path, {"metadata": {"annotations": {f"{GROUP}/{name}": value}}})

    def delete(self, propagation: str = "Background") -> None:
        """Ask for its deletion."""
        self.kube.delete(self.path, propagation)

    # --- what there is ---

    @property
    def document(self) -> Document:
        """The request as it stands; empty when it is gone."""
        return self.kube.get(self.path) or {}

    @property
    def status(self) -> Document:
        return dict(self.document.get("status", {}))

    def condition(self, kind: str) -> Document:
        """One condition; empty where it was not told."""
        conditions = self.status.get("conditions", [])
        return next((dict(condition) for condition in conditions if condition["type"] == kind), {})

    @property
    def ready(self) -> bool:
        """Whether it was told to be ready as it is asked for now."""
        document = self.document
        generation = document.get("metadata", {}).get("generation")
        conditions = document.get("status", {}).get("conditions", [])
        return any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in conditions
            if condition.get("observedGeneration") == generation
        )

    @property
    def jobs(self) -> list[Document]:
        """Those of the request."""
        return self.kube.items(jobs_path(self.space.namespace))

    @property
    def secrets(self) -> list[str]:
        """The names of the Secrets with credentials."""
        listed = self.kube.items(core_path(self.space.namespace, "secrets"))
        return [secret["metadata"]["name"] for secret in listed]

    def objects(self, below: str = "requests/") -> dict[str, bytes]:
        """What lies in the namespace's area, by key; not the mark that says that it stays."""
        prefix = f"{self.space.area}{below}"
        listed = self.stand.store.list(prefix)
        keys = [entry.key for entry in listed if entry.key != kept_mark(f"{self.space.area}requests/{NAME}/")]
        return {key.removeprefix(self.space.area): self.stand.store.read(key) for key in keys}

    # --- waiting ---

    def wait(self, true: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for something. Raises Fault when it takes too long."""
        deadline = time.monotonic() + seconds
        while not true():
            self.watch()
            if time.monotonic() > deadline:
                raise Fault(f"not {what} within {seconds:.0f} s: {self.told()}")
            time.sleep(LOOK_SECONDS)

    def until_ready(self) -> None:
        """Wait until the portraits are there."""
        self.wait(lambda: self.ready, READY_SECONDS, "ready")

    def until_gone(self) -> None:
        """Wait until the request is gone with all that worked for it."""
        self.wait(lambda: self.document == {}, GONE_SECONDS, "gone")
        self.wait(lambda: not self.jobs and not self.secrets, GONE_SECONDS, "rid of Jobs and Secrets")

    def until_in(self, stage: str) -> None:
        """Wait until a stage works. It must be held before."""
        self.wait(lambda: self.works(stage), READY_SECONDS, f"in {stage}")

    def works(self, stage: str) -> bool:
        """Whether a stage works now."""
        if stage == "generate":
            return self.stand.drawer.waiting[self.space.namespace] > 0
        return (self.space.namespace, stage) in self.stand.node.running

    def hold(self, stage: str) -> None:
        """Let a stage not come to its end until it is let go."""
        if stage == "generate":
            self.stand.drawer.held.add(self.space.namespace)
        else:
            self.stand.node.held.add((self.space.namespace, stage))

    def let_go(self, stage: str) -> None:
        """Let a stage come to its end."""
        if stage == "generate":
            self.stand.drawer.held.discard(self.space.namespace)
        else:
            self.stand.node.held.discard((self.space.namespace, stage))

    def told(self) -> str:
        """What the request says of itself, shortly."""
        with contextlib.suppress(Refusal):
            conditions = self.status.get("conditions", [])
            return "; ".join(
                f"{c['type']}={c['status']} {c['reason']} {c.get('message', '')[:160]}"
                for c in conditions
                if c["type"] in ("Ready", "Stalled", "Reconciling")
            )
        return "nothing"

    # --- what it left ---

    def outcome(self) -> Document:
        """All of an end that must be the same in every life."""
        status = self.status
        candidates = {key: count for key, count in self.stand.drawer.drawn.items() if key.startswith(self.space.area)}
        runs = self.stand.node.runs
        return {
            "artifacts": {key: _digest(key, data, self.space) for key, data in self.objects().items()},
            "jobs created": sorted(self.stand.jobs_created(self.space).values()),
            "containers run": {stage: runs[self.space.namespace, stage] for stage in STAGES if stage != "generate"},
            "candidates drawn more than once": {key: count for key, count in candidates.items() if count > 1},
            "candidates drawn": len(candidates),
            "GPU seconds were counted": status.get("gpuSeconds", 0) > 0,
            "status": _timeless(status, self.space),
            "Jobs that still run": [job["metadata"]["name"] for job in self.jobs if not _ended(job)],
            "Secrets": sorted("-".join(name.split("-")[:2]) for name in self.secrets),
        }

    def check_gone(self) -> None:
        """That nothing is left of it. Raises Fault."""
        left = sorted(self.objects())
        if left:
            raise Fault(f"left in the store: {left[:5]}")
        if len(self.objects("uploads/")) == 0:
            raise Fault("the photos went, too")

    def check_log(self) -> None:
        """That no operator met what it did not expect. Raises Fault."""
        for operator in self.space.operators:
            text = operator.log.read_text() if operator.log.exists() else ""
            if "Traceback (most recent call last)" in text:
                raise Fault(f"a traceback in {operator.log.name}: {text[text.index('Traceback') :][-400:]}")


def difference(expected: Document, outcome: Document) -> str:
    """What differs between two outcomes, in words; empty where nothing does."""
    parts = list(itertools.islice(_differences("", expected, {name: outcome[name] for name in expected}), 8))
    return "; ".join(parts)


def _differences(place: str, value: Any, other: Any) -> Iterator[str]:
    """Where two documents differ, as deep as that can be told."""
    if isinstance(value, dict) and isinstance(other, dict):
        for name in sorted({*value, *other}):
            yield from _differences(f"{place}.{name}".lstrip("."), value.get(name), other.get(name))
    elif isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        for number, (before, after) in enumerate(zip(value, other, strict=True)):
            yield from _differences(f"{place}[{number}]", before, after)
    elif value != other:
        yield f"{place}: {str(value)[:80]} became {str(other)[:80]}"


def _ended(job: Document) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in conditions)


def _digest(key: str, data: bytes, space: Space) -> Any:
    """The content's digest; of a JSON document what it says but for times and for whose it is."""
    if key.endswith(".json"):
        return _timeless(json.loads(data), space)
    return hashlib.sha256(data).hexdigest()


def _timeless(value: Any, space: Space) -> Any:
    """A document without times, and without what is another in every namespace."""
    if isinstance(value, dict):
        kept = {name: inner for name, inner in value.items() if not TIMES.search(name)}
        if isinstance(kept.get("resolved"), dict):
            kept["resolved"] = {name: inner for name, inner in kept["resolved"].items() if name != "digest"}
        return {name: _timeless(inner, space) for name, inner in kept.items()}
    if isinstance(value, list):
        return [_timeless(inner, space) for inner in value]
    if isinstance(value, str):
        return value.replace(space.area, "AREA/").replace(space.namespace, "NAMESPACE")
    return value
