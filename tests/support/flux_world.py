"""Flux as a test has it: source-controller and kustomize-controller are the real ones; what helm-controller would do is
done here."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from product import Object, wait_for
from profile_sandbox.flux import GIT_INSIDE, KUSTOMIZATIONS, NAMESPACE, SOURCES
from profile_sandbox.kubectl import Kubectl

HELM_GROUP = "helm.toolkit.fluxcd.io"
# Whose URLs the examples name; the cluster's own Git server has the same paths.
EXAMPLE_HOST = "https://git.example.com"
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

    def push(self, url: str) -> None:
        """Push the last commit."""
        self.git("push", url, "HEAD:refs/heads/main")


@dataclass(frozen=True)
class Flux:
    """Flux in the cluster. `server` is the Git server's address on this machine."""

    kubectl: Kubectl
    server: str

    def prepare(self) -> None:
        """Let the API server know HelmReleases: helm-controller, whose definition it is, is not here."""
        self.kubectl.apply(json.dumps(_helm_release_definition()))
        self.kubectl.run("wait", "--for=condition=Established", "crd", RELEASE, "--timeout=30s")

    def fetch(self, source: str, revision: str) -> None:
        """Have a GitRepository looked at now, as `flux reconcile` does, and wait until it holds this revision."""
        note = f"reconcile.fluxcd.io/requestedAt={datetime.now(UTC).isoformat()}"
        self.kubectl.run("-n", NAMESPACE, "annotate", "--overwrite", SOURCES, source, note)
        self.wait_fetched(source, revision)

    def wait_fetched(self, source: str, revision: str) -> None:
        """Wait until source-controller holds this revision of a GitRepository."""
        wait_for(lambda: self.fetched(source) == revision, 60, f"{source} is fetched with {revision}")

    def fetched(self, source: str) -> str:
        """The revision that source-controller holds of a GitRepository, empty if none."""
        status = self.kubectl.get("-n", NAMESPACE, SOURCES, source).get("status", {})
        return str(status.get("artifact", {}).get("revision", ""))

    def released(self, name: str) -> None:
        """Do helm-controller's part: say that the release is installed."""
        generation = self.kubectl.get("-n", NAMESPACE, RELEASE, name)["metadata"]["generation"]
        ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": _now()}
        status = {"status": {"observedGeneration": generation, "conditions": [ready]}}
        patch = ("patch", RELEASE, name, "--subresource=status", "--type=merge", "-p", json.dumps(status))
        self.kubectl.run("-n", NAMESPACE, *patch)

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
        """What the controllers told, for a test that fails."""
        return self.kubectl.run("-n", NAMESPACE, "get", "events", "--sort-by=.lastTimestamp")


def adapted(documents: Sequence[Object], name: str, spec: Object) -> str:
    """Manifests to apply: sources at the cluster's own Git server, and more in the spec of the Kustomization `name`."""
    items = [_adapted(found, spec if found["metadata"]["name"] == name else {}) for found in documents if found]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _adapted(document: Object, spec: Object) -> Object:
    own: Object = document["spec"]
    if document["kind"] == "GitRepository":
        url = str(own["url"])
        assert url.startswith(EXAMPLE_HOST)
        return {**document, "spec": {**own, "url": url.replace(EXAMPLE_HOST, GIT_INSIDE)}}
    return {**document, "spec": {**own, **spec}}


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
