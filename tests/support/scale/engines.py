"""Product and Argo: how each engine is started, what it is asked for, and when that is finished."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Protocol

import yaml

from profile_contract import GROUP
from profile_contract.areas import area_of
from profile_contract.artifacts import uploads_prefix
from profile_operator.names import LABEL_REQUEST
from profile_sandbox import add_ons, services

from .api import ClusterApi, Document
from .processes import Process
from .stand import Stand

PHOTOS = 6
STEPS = 4
PREFIX = "uploads/everybody/"
STAGE_LABEL = "profilestudio.io/stage"


class Engine(Protocol):
    """What is measured. `user`: as the API server knows it; `key`: what its requests' names begin with; `each`: how
    many objects are made for one request."""

    key: str
    name: str
    user: str
    collection: str
    each: int

    def start(self, stand: Stand) -> Process:
        """Its process, as it would run in a cluster."""

    def work(self, namespace: str, name: str) -> Document:
        """A request, or a workflow."""

    def finished(self, document: Document) -> bool:
        """Whether all of it is done."""


def path(collection: str, namespace: str = "") -> str:
    """Of a collection of one of the engines' kinds, in a namespace or in all."""
    group, _, kind = collection.rpartition("/")
    return f"/apis/{group}/namespaces/{namespace}/{kind}" if namespace else f"/apis/{group}/{kind}"


@dataclass
class Product:
    """The operator, as one process without election, as Argo's is here: nothing limits trainings."""

    key: str = "product"
    name: str = "Profile Studio"
    user: str = "operator"
    collection: str = f"{GROUP}/v1alpha1/profilerequests"
    each: int = 1

    def start(self, stand: Stand) -> Process:
        """`python -m profile_operator`."""
        config = stand.folder / "operator.yaml"
        config.write_text(yaml.safe_dump(self._config(stand)))
        environment = {"KUBECONFIG": str(stand.kubeconfig(self.user)), **stand.minio.operator}
        return stand.run("operator", (sys.executable, "-m", "profile_operator", "--config", str(config)), environment)

    def _config(self, stand: Stand) -> Document:
        return {
            "store": {"endpoint": stand.minio.address, "bucket": services.BUCKET, "secure": False},
            "jobs": {
                "preprocess": {"image": "preprocess"},
                "train": {"image": "train", "gpus": 1},
                "finish": {"image": "finish"},
            },
            "training": {"baseModel": "sdxl"},
            # One predictor of as many replicas as the nodes have GPUs to spare: it answers at once here.
            "generation": {"urlTemplate": stand.predictor, "width": 64, "height": 64, "replicas": 50},
            "metricsPort": stand.metrics_port,
            "healthPort": 0,
        }

    def work(self, namespace: str, name: str) -> Document:
        """A request for one portrait in one style."""
        return {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "ProfileRequest",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "photos": {"prefix": PREFIX},
                "styles": [{"name": "plain"}],
                "portraits": 1,
                "candidates": 2,
                "seed": 7,
                "minimumLikeness": 0,
            },
        }

    def finished(self, document: Document) -> bool:
        """Whether it is Ready."""
        conditions = document.get("status", {}).get("conditions", ())
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


@dataclass
class Argo:
    """Argo Workflows' controller. `flags`: what differs from its defaults."""

    key: str
    name: str
    flags: tuple[str, ...] = ()
    user: str = "argo"
    collection: str = "argoproj.io/v1alpha1/workflows"
    each: int = 1

    def start(self, stand: Stand) -> Process:
        """`workflow-controller` for all namespaces."""
        program = add_ons.ARGO.folder / "workflow-controller"
        environment = {
            "KUBECONFIG": str(stand.kubeconfig(self.user, "argo")),
            "LEADER_ELECTION_DISABLE": "true",
        }
        return stand.run("argo", (str(program), "--executor-image", "argoexec", *self.flags), environment)

    def work(self, namespace: str, name: str) -> Document:
        """A workflow of four steps, one after another, as many as a request has stages."""
        steps = [[{"name": f"step-{number}", "template": "step"}] for number in range(STEPS)]
        container = {"image": "step", "command": ["step"]}
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "entrypoint": "stages",
                "templates": [{"name": "stages", "steps": steps}, {"name": "step", "container": container}],
            },
        }

    def finished(self, document: Document) -> bool:
        """Whether it has Succeeded."""
        return bool(document.get("status", {}).get("phase") == "Succeeded")


@dataclass
class Jobs:
    """The Jobs of a request as the operator made them, made by nobody's operator and all at once: what the cluster
    itself takes for them. No request takes less."""

    key: str = "jobs"
    name: str = "its Jobs alone"
    user: str = "nobody"
    collection: str = "batch/v1/jobs"
    each: int = 3
    _copied: list[Document] = field(default_factory=list)
    _made: int = 0

    async def copy(self, api: ClusterApi, namespace: str) -> None:
        """Take the Jobs of a request of the product that was measured before."""
        standing = (await api.call("GET", path(self.collection, namespace)))["items"]
        of = standing[0]["metadata"]["labels"][LABEL_REQUEST]
        self._copied = [job for job in standing if job["metadata"]["labels"][LABEL_REQUEST] == of]

    def start(self, stand: Stand) -> Process:
        """A process that does nothing."""
        return stand.run("jobs", ("sleep", "infinity"), {})

    def work(self, namespace: str, name: str) -> Document:
        """The next of them, of no request: nobody would be woken by it."""
        job = self._copied[self._made % self.each]
        self._made += 1
        template = job["spec"]["template"]
        metadata = {"labels": {STAGE_LABEL: template["metadata"]["labels"][STAGE_LABEL]}}
        spec = {key: value for key, value in job["spec"].items() if key != "selector"}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {**spec, "template": {"metadata": metadata, "spec": template["spec"]}},
        }

    def finished(self, document: Document) -> bool:
        """Whether it is Complete."""
        conditions = document.get("status", {}).get("conditions", ())
        return any(condition["type"] == "Complete" and condition["status"] == "True" for condition in conditions)


TUNED = ("--workflow-workers", "128", "--pod-cleanup-workers", "32", "--qps", "500", "--burst", "1000")
ENGINES: dict[str, Engine] = {
    engine.key: engine
    for engine in (
        *(Argo("argo", "Argo Workflows"), Argo("argo-tuned", "Argo Workflows, tuned", TUNED)),
        *(Product(), Jobs()),
    )
}


async def prepare(api: ClusterApi, stand: Stand, namespaces: list[str]) -> None:
    """What the engines read before they begin: photos, and Argo's settings."""
    store = stand.minio.store()
    for namespace in namespaces:
        uid = (await api.call("GET", f"/api/v1/namespaces/{namespace}"))["metadata"]["uid"]
        for number in range(PHOTOS):
            store.write(f"{uploads_prefix(area_of(namespace, uid), PREFIX)}{number}.jpg", b"photo %d" % number)
    # Its ports are another's on this machine.
    settings = {"metricsConfig": "enabled: false\n", "telemetryConfig": "enabled: false\n"}
    config = {"metadata": {"name": "workflow-controller-configmap"}, "data": settings}
    await api.call("POST", "/api/v1/namespaces/argo/configmaps", config)
