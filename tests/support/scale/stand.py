"""Stand: one API server with its controllers, kwok's nodes, a store and the stub, as processes on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bare_cluster import TOKEN, BareCluster
from operator_world import STYLES
from profile_contract import GROUP
from profile_sandbox import add_ons, build
from profile_sandbox.paths import CLONE
from real_minio import RealMinio, real_minio

from .api import ClusterApi, Document, Refused
from .processes import Process

SUPPORT = Path(__file__).resolve().parents[1]
# Whose writes are counted, each by its own name.
MEASURED = ("operator", "argo")
CONTROLLERS = "garbage-collector-controller,job-controller,namespace-controller,ttl-after-finished-controller"
# At their defaults (20 a second) the job controller and the scheduler are what both engines wait for.
QPS = ("--kube-api-qps", "500", "--kube-api-burst", "1000")
# Events, and what a leader renews while nothing is to be done.
UNCOUNTED: Sequence[Document] = (
    {"group": "", "resources": ["events"]},
    {"group": "events.k8s.io", "resources": ["events"]},
    {"group": "coordination.k8s.io", "resources": ["leases"]},
)
AUDITED = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "resources": list(UNCOUNTED)},
        {"level": "Metadata", "users": list(MEASURED), "verbs": ["create", "update", "patch", "delete"]},
        {"level": "None"},
    ],
}
NODES = 50
NODE_HOLDS = {"cpu": "256", "memory": "1Ti", "pods": "1000", "nvidia.com/gpu": "50"}
# kwok plays these in place of a kubelet: a pod runs at once, and ends well once the stub has done what it would have.
DONE = "scale/done"
STAGES = Path(__file__).with_name("stages.yaml")


@dataclass
class Stand:
    """Everything that runs beside what is measured."""

    folder: Path
    url: str
    minio: RealMinio
    predictor: str
    metrics_port: int
    processes: dict[str, Process] = field(default_factory=dict)

    def kubeconfig(self, user: str, namespace: str = "default") -> Path:
        """A kubeconfig of one of the users, at home in a namespace."""
        document = yaml.safe_load((self.folder / "cluster" / "kubeconfig").read_text())
        document["users"][0]["user"]["token"] = user
        document["contexts"][0]["context"]["namespace"] = namespace
        file = self.folder / f"kubeconfig-{user}"
        file.write_text(yaml.safe_dump(document))
        return file

    def api(self) -> ClusterApi:
        """The API server as its administrator."""
        return ClusterApi(self.url, TOKEN)

    def run(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], sockets: Sequence[int] = ()
    ) -> Process:
        """Start a process whose log is `NAME.log`. `sockets`: those that it inherits."""
        return Process(command, self.folder / f"{name}.log", {**os.environ, **environment}, sockets)

    def writes(self, user: str) -> int:
        """API writes of a user until now, without Events and trials, by the API server's own audit."""
        name = f'"username":"{user}"'
        with (self.folder / "audit.log").open() as audit:
            return sum(name in line and "dryRun=All" not in line for line in audit)


@contextlib.contextmanager
def stand(folder: Path) -> Iterator[Stand]:
    """Start it all and end it with the block."""
    with contextlib.ExitStack() as ends:
        for name in ("cluster", "minio"):
            (folder / name).mkdir(parents=True)
        (folder / "audit.yaml").write_text(yaml.safe_dump(AUDITED))
        flags = ["--audit-policy-file", str(folder / "audit.yaml"), "--audit-log-path", str(folder / "audit.log")]
        # Nobody takes the taint away that a node begins with.
        flags += ["--disable-admission-plugins", "TaintNodesByCondition", "--max-requests-inflight", "2000"]
        flags += ["--max-mutating-requests-inflight", "1000"]
        cluster = BareCluster(folder / "cluster", flags)
        with (folder / "cluster" / "tokens.csv").open("a") as tokens:
            tokens.writelines(f"{user},{user},{user},system:masters\n" for user in MEASURED)
        ends.callback(cluster.stop)
        cluster.start()
        minio = ends.enter_context(real_minio(folder / "minio"))
        listener = ends.enter_context(socket.create_server(("127.0.0.1", 0)))
        with socket.create_server(("127.0.0.1", 0)) as free:
            metrics_port = free.getsockname()[1]
        place = Stand(folder, cluster.url, minio, f"http://127.0.0.1:{listener.getsockname()[1]}", metrics_port)
        for name, command in _commands(place, cluster.kubeconfig, listener.fileno()).items():
            environment = {"PYTHONPATH": f"{SUPPORT}:{os.environ.get('PYTHONPATH', '')}", **minio.operator}
            place.processes[name] = place.run(name, command, environment, [listener.fileno()])
            ends.callback(place.processes[name].end)
        yield place


def _commands(place: Stand, kubeconfig: Path, listener: int) -> dict[str, Sequence[str]]:
    """What runs beside API server and store, by name."""
    programs, kwok = build.programs_folder(), add_ons.KWOK.ensure(print)
    quiet = ("--leader-elect=false", "--bind-address", "127.0.0.1", "--secure-port", "0")
    certificates = ("--cert-dir", str(place.folder / "certificates"))
    known = ("--kubeconfig", str(kubeconfig))
    return {
        "controllers": (
            str(programs / "kube-controller-manager"),
            *(*known, *quiet, *certificates, *QPS, "--controllers", CONTROLLERS, "--concurrent-job-syncs", "20"),
        ),
        "scheduler": (str(programs / "kube-scheduler"), *known, *quiet, *certificates, *QPS),
        "kwok": (
            str(kwok / "kwok"),
            *(*known, "--manage-all-nodes=true", "--config", str(STAGES), "--node-lease-duration-seconds", "0"),
        ),
        "stub": (sys.executable, "-m", "scale.stub", place.url, place.minio.url, str(listener)),
    }


async def install(api: ClusterApi, namespaces: Sequence[str]) -> None:
    """The kinds of both engines, nodes, the style and namespaces."""
    kinds = [*(CLONE / "crds").glob("*.yaml"), *(add_ons.ARGO.ensure(print) / add_ons.MANIFESTS).glob("*.yaml")]
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await api.all([("POST", definitions, yaml.safe_load(file.read_text())) for file in sorted(kinds)])
    await api.all([("POST", "/api/v1/nodes", _node(number)) for number in range(NODES)])
    spaces = [{"metadata": {"name": name}} for name in (*namespaces, "argo")]
    await api.all([("POST", "/api/v1/namespaces", space) for space in spaces])
    styles = f"/apis/{GROUP}/v1alpha1/clusterprofilestyles"
    style = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "ClusterProfileStyle", "metadata": {"name": "plain"}}
    while True:
        try:
            await api.call("POST", styles, {**style, "spec": STYLES["plain"].document()})
            return
        except Refused as refused:
            # A kind is known a moment after it was made.
            if refused.code != 404:
                raise


def _node(number: int) -> dict[str, Any]:
    name = f"node-{number}"
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"allocatable": NODE_HOLDS, "capacity": NODE_HOLDS},
    }
