"""Flux as a test has it: its kustomize-controller is the real one; what its other controllers would do is done here."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from product import Object
from profile_contract.store import S3Store
from profile_sandbox.flux import KUSTOMIZATIONS, NAMESPACE
from profile_sandbox.kubectl import Kubectl

HELM_GROUP = "helm.toolkit.fluxcd.io"
SOURCE = "gitrepositories.source.toolkit.fluxcd.io"
RELEASE = f"helmreleases.{HELM_GROUP}"


@dataclass(frozen=True)
class Repository:
    """A Git repository."""

    folder: Path

    def git(self, *arguments: str) -> bytes:
        """Output of a git command in it, whatever the machine's settings of Git are."""
        settings = ("user.name=Test", "user.email=test@example.com", "commit.gpgsign=false", "core.hooksPath=")
        options = [word for setting in settings for word in ("-c", setting)]
        command = ["git", *options, "-C", str(self.folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def begin(self) -> None:
        """Make a repository of what lies in the folder."""
        self.git("init", "--initial-branch=main")
        self.commit("What people ask for")

    def commit(self, message: str) -> None:
        """Commit the folder as it is."""
        self.git("add", "--all")
        self.git("commit", "--message", message)

    @property
    def revision(self) -> str:
        """The last commit, as Flux writes it."""
        return "main@sha1:" + self.git("rev-parse", "HEAD").decode().strip()

    def archive(self) -> bytes:
        """The last commit's files, as source-controller packs them."""
        return self.git("archive", "--format=tar.gz", "HEAD^{tree}")


@dataclass(frozen=True)
class Flux:
    """Flux in the cluster. `store` is reached from here, `inside` is the same one as pods reach it."""

    kubectl: Kubectl
    store: S3Store
    inside: S3Store
    area: str

    def prepare(self) -> None:
        """Let the API server know HelmReleases: helm-controller, whose definition it is, is not here."""
        self.kubectl.apply(json.dumps(_helm_release_definition()))
        self.kubectl.run("wait", "--for=condition=Established", "crd", RELEASE, "--timeout=30s")

    def publish(self, repository: Repository, *sources: str) -> str:
        """Do source-controller's part for these GitRepositories, and give the revision."""
        content, revision = repository.archive(), repository.revision
        key = f"{self.area}/{revision.rpartition(':')[2]}.tar.gz"
        self.store.write(key, content)
        artifact = {
            "path": key,
            "url": self.inside.presign_get(key, 3600),
            "revision": revision,
            "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
            "size": len(content),
            "lastUpdateTime": _now(),
        }
        for source in sources:
            self._tell(SOURCE, source, {"artifact": artifact})
        return revision

    def released(self, name: str) -> None:
        """Do helm-controller's part: say that the release is installed."""
        self._tell(RELEASE, name, {})

    def kustomization(self, name: str) -> Object:
        """A Kustomization as it stands."""
        found: Object = self.kubectl.get("-n", NAMESPACE, KUSTOMIZATIONS, name)
        return found

    def ready(self, name: str) -> tuple[str, str]:
        """Reason (of a Ready that is true: "True") and message of a Kustomization."""
        conditions = self.kustomization(name).get("status", {}).get("conditions", [])
        ready = next((found for found in conditions if found["type"] == "Ready"), None)
        if ready is None:
            return "", ""
        return "True" if ready["status"] == "True" else ready["reason"], ready["message"]

    def wait(self, name: str, reason: str, seconds: float) -> str:
        """Wait until a Kustomization tells this reason, and give its message."""
        deadline = time.monotonic() + seconds
        while True:
            told, message = self.ready(name)
            if told == reason:
                return message
            if time.monotonic() > deadline:
                pytest.fail(f"{name}: not {reason} within {seconds:.0f} s, but {told}: {message}\n{self.events()}")
            time.sleep(0.5)

    def is_ready(self, name: str, revision: str) -> bool:
        """Whether a Kustomization is ready with what this revision holds."""
        reason, message = self.ready(name)
        return reason == "True" and revision in message

    def events(self) -> str:
        """What the controller told about Kustomizations, for a test that fails."""
        return self.kubectl.run("-n", NAMESPACE, "get", "events", "--sort-by=.lastTimestamp")

    def _tell(self, resource: str, name: str, status: Object) -> None:
        generation = self.kubectl.get("-n", NAMESPACE, resource, name)["metadata"]["generation"]
        ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": _now()}
        full = {"status": {**status, "observedGeneration": generation, "conditions": [ready]}}
        patch = ("patch", resource, name, "--subresource=status", "--type=merge", "-p", json.dumps(full))
        self.kubectl.run("-n", NAMESPACE, *patch)


def adapted(documents: Sequence[Object], name: str, spec: Object) -> str:
    """Manifests to apply, with more in the spec of the Kustomization of that name."""
    items = [
        {**found, "spec": {**found["spec"], **spec}} if _is(found, name) else found for found in documents if found
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _is(document: Object, name: str) -> bool:
    return bool(document["kind"] == "Kustomization" and document["metadata"]["name"] == name)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _helm_release_definition() -> dict[str, Any]:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    # As Flux's own has it: not ready before its controller has seen it.
    status = {**anything, "default": {"observedGeneration": -1}}
    schema = {"type": "object", "properties": {"spec": anything, "status": status}}
    version = {
        "name": "v2",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": "HelmRelease", "listKind": "HelmReleaseList", "plural": "helmreleases", "singular": "helmrelease"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": RELEASE},
        "spec": {"group": HELM_GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }
