"""Kueue in a sandbox, for whoever asks for it: its own manifests, its program on our image, and Jobs as the one kind
that it manages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from . import add_ons
from .images import REGISTRY_OF_SERVICES, TAG
from .kubectl import Kubectl
from .runtime import BINARIES

IMAGE = "kueue"
NAMESPACE = "kueue-system"
GROUP = "kueue.x-k8s.io"
# As Kueue's programs and manifests have it: everything of its own begins with this.
PREFIX = "kueue-"
DEPLOYMENT = f"{PREFIX}controller-manager"
CERTIFICATE = f"{PREFIX}webhook-server-cert"
# What the sandbox takes of Kueue's manifests. Its web page, and what asks for other controllers, it leaves.
FOLDERS = ("crd", "rbac", "manager", "internalcert", "webhook")
# Whose objects Kueue's webhooks are asked about. The others would be asked before every Pod and Deployment of the
# cluster, though nobody here hands these to Kueue.
HOOKED_GROUPS = {GROUP, "batch"}
# In the order in which they can be deleted: each is kept by Kueue while the one before it uses it.
KINDS = tuple(f"{kind}.{GROUP}" for kind in ("workloads", "localqueues", "clusterqueues", "resourceflavors"))
CONFIGURATION = {
    "apiVersion": f"config.{GROUP}/v1beta2",
    "kind": "Configuration",
    "health": {"healthProbeBindAddress": ":8081"},
    "metrics": {"bindAddress": ":8443"},
    "webhook": {"port": 9443},
    "clientConnection": {"qps": 50, "burst": 100},
    "integrations": {"frameworks": ["batch/job"]},
    # An aggregated API that shows who waits where: one more thing to start, and nobody asks it.
    "featureGates": {"VisibilityOnDemand": False},
}


def container_folder() -> Path:
    """Where pods see the controller."""
    return Path(BINARIES) / add_ons.KUEUE.folder.name


@contextmanager
def running(kubectl: Kubectl, scratch: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Kueue is there, and nothing of it afterwards; compiles it if need be. `scratch` is a new folder."""
    write_manifests(add_ons.KUEUE.ensure(say) / add_ons.MANIFESTS, scratch)
    try:
        kubectl.run("apply", "--server-side", "-k", str(scratch))
        filled = "--for=jsonpath={.data.tls\\.crt}"
        kubectl.run("-n", NAMESPACE, "wait", filled, f"secret/{CERTIFICATE}", "--timeout=120s")
        # Kueue makes its certificate itself and waits to see it in its volume, where the kubelet puts it within a
        # minute, or when the pod changes.
        kubectl.run("-n", NAMESPACE, "annotate", "pods", "--all", f"{GROUP}/certificate=made", "--overwrite")
        kubectl.run("-n", NAMESPACE, "rollout", "status", f"deployment/{DEPLOYMENT}", "--timeout=120s")
        yield
    finally:
        # First what Kueue has to let go itself.
        for kind in KINDS:
            if kubectl.run("get", "crd", kind, "--ignore-not-found"):
                kubectl.run("delete", kind, "-A", "--all", "--timeout=60s")
        kubectl.run("delete", "-k", str(scratch), "--ignore-not-found", "--timeout=60s")


def write_manifests(manifests: Path, folder: Path) -> None:
    """Write a kustomization of Kueue's own `manifests` for the sandbox into a new folder."""
    for name in FOLDERS:
        shutil.copytree(manifests / name, folder / name)
    (folder / "manager" / "controller_manager_config.yaml").write_text(json.dumps(CONFIGURATION))
    hooks = folder / "webhook" / "manifests.yaml"
    documents = yaml.safe_load_all(hooks.read_text())
    hooks.write_text(yaml.safe_dump_all([_hooked(document) for document in documents if document]))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["manifests.yaml", "service.yaml"],
        "configurations": ["kustomizeconfig.yaml"],
    }
    (folder / "webhook" / "kustomization.yaml").write_text(json.dumps(kustomization))
    (folder / "kustomization.yaml").write_text(json.dumps(_overlay()))


def _hooked(document: dict[str, Any]) -> dict[str, Any]:
    """A webhook configuration with the hooks alone that are of use here."""
    hooks = [
        hook
        for hook in document["webhooks"]
        if all(HOOKED_GROUPS.issuperset(rule["apiGroups"]) for rule in hook["rules"])
    ]
    return {**document, "webhooks": hooks}


def _overlay() -> dict[str, object]:
    """The kustomization that runs Kueue's own manifests with the sandbox's image."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "namePrefix": PREFIX,
        "labels": [{"pairs": {"control-plane": "controller-manager"}, "includeSelectors": True}],
        "resources": list(FOLDERS),
        "patches": [{"target": {"kind": "Deployment", "name": "controller-manager"}, "patch": json.dumps(_changes())}],
    }


def _changes() -> list[dict[str, object]]:
    """What lets the Deployment run the program of the sandbox, with its configuration and certificate."""
    pod = "/spec/template/spec"
    container = f"{pod}/containers/0"
    places = {"config": "/etc/kueue", "cert": "/tmp/k8s-webhook-server/serving-certs"}  # noqa: S108 - Kueue's own
    volumes = [
        {"name": "config", "configMap": {"name": "manager-config"}},
        {"name": "cert", "secret": {"secretName": CERTIFICATE}},
    ]
    program: dict[str, object] = {
        f"{container}/image": f"{REGISTRY_OF_SERVICES}/{IMAGE}:{TAG}",
        f"{container}/imagePullPolicy": "Never",
        f"{container}/command": [IMAGE],
        f"{container}/args": [f"--config={places['config']}/controller_manager_config.yaml", "--zap-log-level=2"],
        f"{container}/resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
    }
    mounts = [{"name": name, "mountPath": place, "readOnly": True} for name, place in places.items()]
    added = {f"{container}/volumeMounts": mounts, f"{pod}/volumes": volumes}
    # JSON patches: to add a field that is there replaces it.
    return [{"op": "add", "path": path, "value": value} for path, value in {**program, **added}.items()]
