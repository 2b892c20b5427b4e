"""Stand: etcd, API server, controller-manager and MinIO on loopback, with a node and a predictor beside them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bare_cluster import BareCluster
from operator_world import STYLES
from profile_contract import GROUP
from profile_contract.areas import Area, area_of
from profile_runtime.store.s3 import S3Store
from profile_sandbox import services
from profile_sandbox.build import programs_folder
from profile_sandbox.paths import CLONE
from real_minio import RealMinio, real_minio
from real_redis import RedisServer, redis_server

from .drawer import Drawer
from .effects import Fate
from .kube import Document, KubeApi, Refusal
from .operators import OperatorProcess
from .stage_node import StageNode

CONTROLLERS = (
    "garbage-collector-controller,job-controller,namespace-controller,ttl-after-finished-controller,"
    "resourcequota-controller"
)
AUDITED = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "verbs": ["create"], "resources": [{"group": "batch", "resources": ["jobs"]}]},
        {"level": "None"},
    ],
}
CREATED, CONFLICT, TIMED_OUT = 201, 409, 504
# Where the Lease of two operators lies.
RELEASE = "release"
PHOTOS = 6
# What the store needs for a run, some times over.
DISK = "size=512m"


@dataclass
class Space:
    """A namespace of its own with six photos in its area, and the operators that serve it."""

    namespace: str
    area: Area
    operators: list[OperatorProcess] = field(default_factory=list)


@dataclass
class Stand:
    """Everything that runs. Operators are started by whoever tries something, each for one namespace."""

    folder: Path
    cluster: BareCluster
    minio: RealMinio
    kube: KubeApi
    store: S3Store
    drawer: Drawer
    node: StageNode
    # A Redis, where there is one on this machine.
    redis: RedisServer | None = None
    # Whether the store has a disk of its own, which may be filled.
    store_fills: bool = False
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # --- spaces ---

    @contextlib.contextmanager
    def space(self, name: str) -> Iterator[Space]:
        """A fresh namespace; its operators end with the block, and it goes in its own time."""
        namespace = f"{name}-{next(self._numbers)}"
        document = self.kube.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        space = Space(namespace, area_of(namespace, document["metadata"]["uid"]))
        for number in range(PHOTOS):
            self.store.write(f"{space.area}uploads/minji/{number}.jpg", b"photo %d" % number)
        try:
            yield space
        finally:
            for operator in space.operators:
                operator.kill()
            self.heal(space)
            self.let_go(space)

    def let_go(self, space: Space) -> None:
        """Delete the namespace, whatever holds its requests."""
        requests = f"/apis/{GROUP}/v1alpha1/namespaces/{space.namespace}/profilerequests"
        with contextlib.suppress(Refusal):
            for request in self.kube.items(requests):
                with contextlib.suppress(Refusal):
                    path = f"{requests}/{request['metadata']['name']}"
                    self.kube.call("PATCH", path, {"metadata": {"finalizers": None}})
        self.kube.delete(f"/api/v1/namespaces/{space.namespace}")

    # --- operators ---

    def operator(
        self,
        space: Space,
        fate: Fate | None = None,
        *,
        lease: bool = False,
        redis: bool = False,
        **changes: Any,
    ) -> OperatorProcess:
        """Start one that serves the namespace. `redis`: stages tell their progress there; `changes`: of its
        configuration."""
        number = len(space.operators) + 1
        name = f"{space.namespace}-{number}"
        config = self.folder / f"{name}.yaml"
        config.write_text(yaml.safe_dump(self._config(space, lease=lease) | changes))
        environment = {"KUBECONFIG": str(self.cluster.kubeconfig), **self.minio.operator}
        if redis and self.redis is not None:
            environment["PROFILE_REDIS"] = self.redis.url
        process = OperatorProcess(name, self.folder, config, environment, fate or Fate())
        space.operators.append(process)
        return process

    def _config(self, space: Space, *, lease: bool) -> Document:
        return {
            "store": {"endpoint": self.minio.address, "bucket": services.BUCKET, "secure": False},
            "jobs": {
                "preprocess": {"image": "preprocess"},
                "train": {"image": "train", "gpus": 1},
                "finish": {"image": "finish"},
            },
            "training": {"baseModel": "sdxl"},
            "preprocess": {"maximumPhotos": 12},
            "generation": {
                "urlTemplate": self.drawer.url,
                "width": 64,
                "height": 64,
                "batch": 2,
                "callSeconds": 20,
                "connectSeconds": 2,
                "grantSeconds": 60,
                "longestPauseSeconds": 1,
            },
            "sweep": {"mode": "Off"},
            "lease": {"namespace": RELEASE, "name": f"lease-{space.namespace}"} if lease else {},
            "watchNamespaces": [space.namespace],
            "resyncSeconds": 2,
            # How far a stage is told at a moment of its own, which would make two lives differ.
            "progressIntervalSeconds": 1000,
            "revocationSeconds": 0,
            "workers": 4,
            "metricsPort": 0,
            "healthPort": 0,
        }

    # --- what was done ---

    def jobs_created(self, space: Space) -> Counter[str]:
        """How often a Job of each name was created in a namespace, by the API server's own audit."""
        with (self.folder / "audit.log").open() as audit:
            return created_by(json.loads(line) for line in audit if space.namespace in line)[space.namespace]

    # --- outages ---

    def stop_store(self) -> None:
        """The store answers nobody: its process stands still."""
        os.kill(self.minio.pid, signal.SIGSTOP)

    def stop_redis(self) -> None:
        """Redis answers nobody."""
        if self.redis is not None:
            self.redis.stand_still()

    def fill_store(self) -> None:
        """Not a byte is left on the store's disk."""
        fill(self._filling)

    @property
    def _filling(self) -> Path:
        return self.folder / "minio" / "filling"

    def heal(self, space: Space) -> None:
        """Everything that was taken away is there again for this space."""
        os.kill(self.minio.pid, signal.SIGCONT)
        self._filling.unlink(missing_ok=True)
        if self.redis is not None:
            self.redis.go_on()
        if self.cluster.api_server_stopped:
            self.cluster.start_api_server()
        self.node.held = {held for held in self.node.held if held[0] != space.namespace}
        self.node.disruptions = {at: what for at, what in self.node.disruptions.items() if at[0] != space.namespace}
        for names in (self.node.without_image, self.drawer.held, self.drawer.away):
            names.discard(space.namespace)


def fill(place: Path) -> None:
    """Write a file until not a byte more fits. Not through a buffer: what is left in it is written once more as the
    file is closed, and raises there."""
    with place.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))


def created_by(audit: Iterable[Document]) -> defaultdict[str, Counter[str]]:
    """How often a Job of each name was created, by namespace, as the API server's audit tells it.

    Of a caller that hung up in the middle, as one that ends does, it tells a time-out (504), whether or not the Job was
    made: where the next one is refused since it is there (409), it was.
    """
    created: defaultdict[str, Counter[str]] = defaultdict(Counter)
    unsure: set[tuple[str, str]] = set()
    for event in audit:
        about, code = event["objectRef"], event["responseStatus"]["code"]
        namespace, name = about.get("namespace", ""), about.get("name", "")
        if code == CREATED or (code == CONFLICT and (namespace, name) in unsure):
            created[namespace][name] += 1
        if code == TIMED_OUT:
            unsure.add((namespace, name))
        else:
            unsure.discard((namespace, name))
    return created


@contextlib.contextmanager
def stand(folder: Path) -> Iterator[Stand]:
    """Start it all, with the product's kinds and two styles in it, and end it with the block."""
    with contextlib.ExitStack() as ends:
        for name in ("cluster", "minio"):
            (folder / name).mkdir(parents=True)
        (folder / "audit.yaml").write_text(yaml.safe_dump(AUDITED))
        audit = ("--audit-policy-file", str(folder / "audit.yaml"), "--audit-log-path", str(folder / "audit.log"))
        cluster = BareCluster(folder / "cluster", audit)
        ends.callback(cluster.stop)
        cluster.start()
        fills = ends.enter_context(_disk(folder / "minio"))
        minio = ends.enter_context(real_minio(folder / "minio"))
        # Whoever stands still is not ended.
        ends.callback(os.kill, minio.pid, signal.SIGCONT)
        kube = KubeApi(cluster.url)
        ends.callback(kube.close)
        _install(kube)
        ends.callback(_end, _controllers(cluster.kubeconfig, folder))
        drawer = Drawer()
        ends.callback(drawer.stop)
        node = StageNode(kube, minio.url)
        node.start()
        ends.callback(node.stop)
        redis = ends.enter_context(redis_server(folder)) if shutil.which("redis-server") else None
        yield Stand(folder, cluster, minio, kube, minio.store(), drawer, node, redis, fills)


@contextlib.contextmanager
def _disk(place: Path) -> Iterator[bool]:
    """A small disk of its own at the folder; whether that could be had: who is not root may mount none."""
    command = ("mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(place))
    mounted = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(("umount", "--lazy", str(place)), check=False, capture_output=True)


def _install(kube: KubeApi) -> None:
    """The product's kinds, and the styles."""
    for file in sorted((CLONE / "crds").glob("*.yaml")):
        kube.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", yaml.safe_load(file.read_text()))
    kube.call("POST", "/api/v1/namespaces", {"metadata": {"name": RELEASE}})
    styles = f"/apis/{GROUP}/v1alpha1/clusterprofilestyles"
    while True:
        with contextlib.suppress(Refusal):
            kube.items(styles)
            break
    for name, style in STYLES.items():
        document: Mapping[str, Any] = {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "ClusterProfileStyle",
            "metadata": {"name": name},
            "spec": style.document(),
        }
        kube.call("POST", styles, dict(document))


def _controllers(kubeconfig: Path, folder: Path) -> subprocess.Popen[bytes]:
    """kube-controller-manager with what ends and completes Jobs, namespaces and what lost its owner."""
    command = (
        str(programs_folder() / "kube-controller-manager"),
        *("--kubeconfig", str(kubeconfig), "--controllers", CONTROLLERS, "--leader-elect=false"),
        *("--bind-address", "127.0.0.1", "--secure-port", "0", "--cert-dir", str(folder / "certificates")),
        *("--kube-api-qps", "200", "--kube-api-burst", "400"),
    )
    with (folder / "controllers.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()
