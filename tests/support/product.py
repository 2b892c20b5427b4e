"""The installed product as tests on a cluster use it: namespaces, photos, requests and what became of them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pytest

from profile_cli.demo.target import Target
from profile_contract import GROUP, VERSION
from profile_contract.areas import Area, area_of
from profile_contract.artifacts import request_prefix, uploads_prefix
from profile_contract.request_status import Condition, ProfileRequestStatus
from profile_contract.resource import status_of
from profile_runtime.store.port import content_type_of
from profile_runtime.store.s3 import S3Store
from profile_sandbox import SandboxError
from profile_sandbox.kubectl import Kubectl

T = TypeVar("T")
Object = dict[str, Any]
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
REQUEST_LABEL = f"{GROUP}/request"
SMALL_TRAINING = {"steps": 4, "rank": 4}
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def pictures_in(folder: Path, limit: int | None = None) -> list[Path]:
    """The pictures of a folder, by name."""
    return [file for file in sorted(folder.iterdir()) if file.suffix.lower() in PICTURES][:limit]


def wait_for(look: Callable[[], T], seconds: float, what: str) -> T:
    """The first true value that `look()` gives; fails the test with `what` and the last value."""
    deadline = time.monotonic() + seconds
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds:.0f} s; last seen: {value!r}")
        time.sleep(0.5)


def run(target: Target, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program with the kubeconfig of the cluster under test."""
    environment = {**os.environ, "KUBECONFIG": str(target.kubeconfig)}
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Request:
    """One ProfileRequest in the cluster."""

    kubectl: Kubectl
    namespace: str
    name: str

    def document(self) -> Object:
        """The object as it stands. Raises SandboxError where there is none."""
        found: Object = self.kubectl.get("-n", self.namespace, "preq", self.name)
        return found

    @property
    def status(self) -> ProfileRequestStatus:
        """Its status."""
        return status_of(self.document())

    def condition(self, kind: str) -> Condition | None:
        """One condition, if it speaks of the present generation."""
        document = self.document()
        status = status_of(document)
        if status.observed_generation != document["metadata"]["generation"]:
            return None
        return next((found for found in status.conditions if found.type == kind), None)

    def wait(self, kind: str = "Ready", *, status: str = "True", reason: str = "", seconds: float = 240) -> Condition:
        """The condition once it has that status (and reason); a stall while waiting for something else fails."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.condition(kind)
            if found is not None and found.status == status and reason in ("", found.reason):
                return found
            stalled = self.condition("Stalled")
            wants_stall = kind == "Stalled" or status == "False"
            if not wants_stall and stalled is not None and stalled.status == "True":
                pytest.fail(f"{self.name} stalled: {stalled.reason}: {stalled.message}\n{self.trouble()}")
            if time.monotonic() > deadline:
                pytest.fail(f"{self.name}: {kind} is not {status} {reason} within {seconds:.0f} s\n{self.trouble()}")
            time.sleep(0.5)

    def patch(self, spec: Object) -> None:
        """Merge into the spec."""
        self.kubectl.run(
            "-n", self.namespace, "patch", "preq", self.name, "--type=merge", "-p", json.dumps({"spec": spec})
        )

    def delete(self, seconds: int = 120) -> None:
        """Delete it and wait until it is gone."""
        self.kubectl.run("-n", self.namespace, "delete", "preq", self.name, f"--timeout={seconds}s")

    def jobs(self) -> list[Object]:
        """Its Jobs, the oldest first."""
        found = self.kubectl.get("-n", self.namespace, "jobs", "-l", f"{REQUEST_LABEL}={self.name}")["items"]
        return sorted(found, key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))

    def ended_jobs(self) -> list[Object]:
        """Its Jobs once every one has succeeded (a moment after its report stands)."""
        wait_for(lambda: all(job["status"].get("succeeded") == 1 for job in self.jobs()), 60, "the Jobs have ended")
        return self.jobs()

    def job_uids(self) -> dict[str, str]:
        """Name and uid of each of its Jobs."""
        return {job["metadata"]["name"]: job["metadata"]["uid"] for job in self.jobs()}

    def pods(self) -> list[Object]:
        """The pods of its Jobs."""
        found: list[Object] = self.kubectl.get("-n", self.namespace, "pods", "-l", f"{REQUEST_LABEL}={self.name}")[
            "items"
        ]
        return found

    def events(self) -> list[Object]:
        """Events about it, the oldest first."""
        field = f"involvedObject.kind=ProfileRequest,involvedObject.name={self.name}"
        found: list[Object] = self.kubectl.get("-n", self.namespace, "events", f"--field-selector={field}")["items"]
        return sorted(found, key=lambda event: event["metadata"]["creationTimestamp"])

    def trouble(self) -> str:
        """What a person would look at first."""
        lines = []
        for command in (("describe", "preq", self.name), ("get", "jobs,pods")):
            with contextlib.suppress(SandboxError):
                lines.append(self.kubectl.run("-n", self.namespace, *command))
        return "\n".join(lines)


@dataclass(frozen=True)
class Space:
    """A namespace of its own, with its area in the store."""

    kubectl: Kubectl
    store: S3Store
    name: str

    @cached_property
    def area(self) -> Area:
        """Where its things lie in the bucket."""
        return area_of(self.name, self.kubectl.get("namespace", self.name)["metadata"]["uid"])

    def upload(self, files: Sequence[Path], prefix: str = "uploads/person/") -> list[str]:
        """Bring files into the namespace's area; gives their keys."""
        keys = [uploads_prefix(self.area, prefix) + file.name for file in files]
        for key, file in zip(keys, files, strict=True):
            self.store.write(key, file.read_bytes(), content_type_of(key))
        return keys

    def request(self, name: str = "person", **spec: Any) -> Request:
        """Apply a ProfileRequest (fields of the spec in camelCase); small unless told otherwise."""
        full = {
            "photos": {"prefix": "uploads/person/"},
            "styles": named_styles("studio-warm"),
            "portraits": 1,
            "candidates": 2,
            # The random base model draws nobody: with any floor nothing would be delivered.
            "minimumLikeness": 0,
            "training": SMALL_TRAINING,
            **spec,
        }
        metadata = {"name": name, "namespace": self.name}
        self.kubectl.apply(
            json.dumps(
                {"apiVersion": f"{GROUP}/{VERSION}", "kind": "ProfileRequest", "metadata": metadata, "spec": full}
            )
        )
        return Request(self.kubectl, self.name, name)

    def take_over(self, learned: Learned, name: str = "person") -> None:
        """Lay photos, dataset and adapter of a person who was learned under a request's name, as if its stages had run.

        Digests know no namespace: the request finds both where it looks for them, unless its photos, noun or training
        differ. What is tested then begins with the candidates, a minute earlier.
        """
        self.upload(learned.photos, f"uploads/{name}/")
        before, after = (request_prefix(space.area, of) for space, of in ((learned.space, learned.name), (self, name)))
        for folder in ("dataset/", "adapter/"):
            for stored in self.store.list(before + folder):
                data = self.store.read(stored.key)
                if stored.key.endswith(".json"):
                    data = data.replace(before.encode(), after.encode())
                self.store.write(after + stored.key.removeprefix(before), data, content_type_of(stored.key))

    def made(self, request: str = "person") -> list[str]:
        """The keys of everything that a request has in the store."""
        return [found.key for found in self.store.list(request_prefix(self.area, request))]


def named_styles(*names: str) -> list[dict[str, str]]:
    """Styles of the cluster, as a spec asks for them."""
    return [{"name": name} for name in names]


@dataclass(frozen=True)
class Learned:
    """A request of a woman that was trained as `Space.request` asks unless told otherwise, and her photos."""

    space: Space
    name: str
    photos: Sequence[Path]


@dataclass(frozen=True)
class Ready:
    """A request that is ready, in a namespace of its own."""

    space: Space
    request: Request


@dataclass(frozen=True)
class Product:
    """The product in a cluster: its release's namespace, kubectl as the administrator, the store."""

    kubectl: Kubectl
    store: S3Store
    release_namespace: str

    @contextlib.contextmanager
    def space(self) -> Iterator[Space]:
        """A fresh namespace under the restricted standard; it goes with its requests and its photos."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
        self.kubectl.apply(json.dumps(manifest))
        space = Space(self.kubectl, self.store, name)
        area = space.area
        try:
            yield space
        finally:
            # Its requests go with it; nobody waits for the pods that are still asked to end.
            self.kubectl.run("delete", "namespace", name, "--wait=false", "--ignore-not-found")
            self.store.delete(area)
