"""Flux's kustomize-controller in a sandbox, for whoever asks for it: its own manifests, its program on our image.

Of its source-controller only the resource definitions are here: a module that it is made of could not be fetched when
this was written. So nothing in the sandbox reads Git; whoever uses this says in a source's status where its content
is, as that controller would.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import build
from .images import REGISTRY_OF_SERVICES, TAG
from .kubectl import Kubectl
from .runtime import BINARIES

IMAGE = "flux"
NAMESPACE = "flux-system"
CONTROLLER = "kustomize-controller"
KUSTOMIZATIONS = "kustomizations.kustomize.toolkit.fluxcd.io"
# What docs/gitops.md asks for: without it, a commit waits until everybody's portraits of the one before are there.
FEATURE = "CancelHealthCheckOnNewRevision"
_PARTS = (f"{CONTROLLER}/crd", f"{CONTROLLER}/rbac", f"{CONTROLLER}/manager", "source-controller/crd")


def container_folder() -> Path:
    """Where pods see the controller."""
    return Path(BINARIES) / build.flux_folder().name


@contextmanager
def running(kubectl: Kubectl, scratch: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Flux is there, and nothing of it afterwards; compiles the controller if need be. `scratch` is a new folder."""
    shutil.copytree(build.ensure_flux(say) / build.ADD_ON_MANIFESTS, scratch)
    (scratch / "kustomization.yaml").write_text(json.dumps(_overlay()))
    (scratch / "namespace.yaml").write_text(json.dumps(_namespace()))
    try:
        kubectl.run("apply", "--server-side", "-k", str(scratch))
        kubectl.run("-n", NAMESPACE, "rollout", "status", f"deployment/{CONTROLLER}", "--timeout=120s")
        yield
    finally:
        # First what the controller has to end itself: it prunes what it applied.
        if kubectl.run("get", "crd", KUSTOMIZATIONS, "--ignore-not-found"):
            kubectl.run("delete", KUSTOMIZATIONS, "-A", "--all", "--timeout=60s")
        kubectl.run("delete", "-k", str(scratch), "--ignore-not-found", "--timeout=60s")


def _overlay() -> dict[str, object]:
    container = "/spec/template/spec/containers/0"
    changes = [
        {"op": "add", "path": f"{container}/command", "value": [CONTROLLER]},
        # Half a minute until somebody looks again whether a dependency is ready would be most of a test's time.
        {"op": "add", "path": f"{container}/args/-", "value": "--requeue-dependency=2s"},
        {"op": "add", "path": f"{container}/args/-", "value": f"--feature-gates={FEATURE}=true"},
    ]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": ["namespace.yaml", *_PARTS],
        "images": [{"name": f"fluxcd/{CONTROLLER}", "newName": f"{REGISTRY_OF_SERVICES}/{IMAGE}", "newTag": TAG}],
        "patches": [{"target": {"kind": "Deployment"}, "patch": json.dumps(changes)}],
    }


def _namespace() -> dict[str, object]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
