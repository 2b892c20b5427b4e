"""Flux's source-controller and kustomize-controller in a sandbox, for whoever asks for them: their own manifests, their
programs on our image, and a Git server for them to fetch from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import add_ons, paths, programs
from .images import REGISTRY_OF_SERVICES, TAG
from .kubectl import Kubectl
from .runtime import BINARIES

IMAGE = "flux"
NAMESPACE = "flux-system"
KUSTOMIZATIONS = "kustomizations.kustomize.toolkit.fluxcd.io"
SOURCES = "gitrepositories.source.toolkit.fluxcd.io"
# Where pods find the repositories of `addons/git.yaml`.
GIT_INSIDE = f"http://git.{NAMESPACE}.svc"
# What docs/gitops.md asks for: without it, a commit waits until everybody's portraits of the one before are there.
FEATURE = "CancelHealthCheckOnNewRevision"
# Half a minute until somebody looks again whether a dependency is ready would be most of a test's time.
ARGUMENTS = {"kustomize-controller": ("--requeue-dependency=2s", f"--feature-gates={FEATURE}=true")}
_CONTROLLERS = tuple(program.name for program in programs.FLUX.programs)


def container_folder() -> Path:
    """Where pods see the controllers."""
    return Path(BINARIES) / add_ons.FLUX.folder.name


@contextmanager
def running(kubectl: Kubectl, scratch: Path, say: Callable[[str], None]) -> Iterator[str]:
    """Flux is there, and nothing of it afterwards; compiles the controllers if need be. `scratch` is a new folder.

    Gives the Git server's address on this machine.
    """
    shutil.copytree(add_ons.FLUX.ensure(say) / add_ons.MANIFESTS, scratch)
    shutil.copyfile(paths.ADD_ONS / "git.yaml", scratch / "git.yaml")
    (scratch / "kustomization.yaml").write_text(json.dumps(_overlay()))
    (scratch / "namespace.yaml").write_text(json.dumps(_namespace()))
    try:
        kubectl.run("apply", "--server-side", "-k", str(scratch))
        for name in ("git", *_CONTROLLERS):
            kubectl.run("-n", NAMESPACE, "rollout", "status", f"deployment/{name}", "--timeout=120s")
        with kubectl.forwarded(NAMESPACE, "service/git", "http") as address:
            yield address
    finally:
        # First what the controllers have to end themselves: what was applied is pruned, and finalizers are theirs.
        for kind in (KUSTOMIZATIONS, SOURCES):
            if kubectl.run("get", "crd", kind, "--ignore-not-found"):
                kubectl.run("delete", kind, "-A", "--all", "--timeout=60s")
        kubectl.run("delete", "-k", str(scratch), "--ignore-not-found", "--timeout=60s")


def _overlay() -> dict[str, object]:
    """The kustomization that runs Flux's own manifests with the sandbox's image."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": [
            "namespace.yaml",
            "git.yaml",
            *(f"{name}/{folder}" for name in _CONTROLLERS for folder in add_ons.FLUX_FOLDERS),
        ],
        "images": [
            {"name": f"fluxcd/{name}", "newName": f"{REGISTRY_OF_SERVICES}/{IMAGE}", "newTag": TAG}
            for name in _CONTROLLERS
        ],
        "patches": [_patch(name) for name in _CONTROLLERS],
    }


def _patch(controller: str) -> dict[str, object]:
    """Lets a controller's Deployment start its program by name."""
    container = "/spec/template/spec/containers/0"
    changes = [
        {"op": "add", "path": f"{container}/command", "value": [controller]},
        *({"op": "add", "path": f"{container}/args/-", "value": word} for word in ARGUMENTS.get(controller, ())),
    ]
    return {"target": {"kind": "Deployment", "name": controller}, "patch": json.dumps(changes)}


def _namespace() -> dict[str, object]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
