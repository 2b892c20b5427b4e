"""What runs in a sandbox, in which order, and how one knows that it is ready: a table, read by the supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from . import layout


class Kind(StrEnum):
    """A daemon runs until the sandbox ends; a step runs once and has to succeed."""

    DAEMON = "daemon"
    STEP = "step"


@dataclass(frozen=True)
class Unit:
    """One supervised program.

    `after` names the units that must be ready first. `ready` says when a daemon is: a URL that answers 200, or the
    path of a Unix socket that accepts; empty means as soon as it is started. A step is ready when it ended with 0.
    """

    name: str
    argv: tuple[str, ...]
    kind: Kind = Kind.DAEMON
    after: tuple[str, ...] = ()
    ready: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def _program(name: str) -> str:
    return f"{layout.PROGRAMS}/{name}"


PKI = f"{layout.STATE}/pki"
CONFIG = f"{layout.STATE}/config"
RUN = f"{layout.STATE}/run"
KUBECTL = (layout.KUBECTL, "--kubeconfig", layout.ADMIN_KUBECONFIG)


def units() -> list[Unit]:
    """The whole sandbox."""
    return [*_control_plane(), *_node(), *_addons()]


def _control_plane() -> list[Unit]:
    api = f"https://127.0.0.1:{layout.API_PORT}"
    return [
        Unit(
            "etcd",
            (
                _program("etcd"),
                *("--data-dir", f"{RUN}/etcd"),
                # Nothing in it outlives the sandbox, so nothing has to survive a power cut.
                "--unsafe-no-fsync",
                *("--listen-client-urls", layout.ETCD_URL, "--advertise-client-urls", layout.ETCD_URL),
                *("--listen-peer-urls", "http://127.0.0.1:2380"),
                *("--logger", "zap", "--log-level", "warn"),
            ),
            ready=f"{layout.ETCD_URL}/health",
        ),
        Unit("apiserver", _apiserver(), after=("etcd",), ready=f"{api}/readyz"),
        Unit(
            "controller-manager",
            (
                _program("kube-controller-manager"),
                *_own_kubeconfig("controller-manager"),
                "--leader-elect=false",
                "--use-service-account-credentials=true",
                # At the usual rate, its forty controllers take five seconds to make themselves known.
                *("--kube-api-qps", "200", "--kube-api-burst", "400"),
                *("--service-account-private-key-file", f"{PKI}/sa.key", "--root-ca-file", f"{PKI}/ca.crt"),
                *("--cluster-signing-cert-file", f"{PKI}/ca.crt", "--cluster-signing-key-file", f"{PKI}/ca.key"),
                *("--allocate-node-cidrs=true", "--cluster-cidr", layout.POD_RANGE),
                *("--node-cidr-mask-size", "24", "--bind-address", "127.0.0.1"),
            ),
            after=("apiserver",),
            ready="https://127.0.0.1:10257/healthz",
        ),
        Unit(
            "scheduler",
            (
                _program("kube-scheduler"),
                *_own_kubeconfig("scheduler"),
                "--leader-elect=false",
                *("--bind-address", "127.0.0.1"),
            ),
            after=("apiserver",),
            ready="https://127.0.0.1:10259/healthz",
        ),
    ]


def _own_kubeconfig(name: str) -> tuple[str, ...]:
    file = f"{PKI}/{name}.kubeconfig"
    return ("--kubeconfig", file, "--authentication-kubeconfig", file, "--authorization-kubeconfig", file)


def _apiserver() -> tuple[str, ...]:
    return (
        _program("kube-apiserver"),
        *("--etcd-servers", layout.ETCD_URL),
        *("--secure-port", str(layout.API_PORT), "--bind-address", "0.0.0.0"),  # noqa: S104 - its own network namespace
        *("--advertise-address", layout.NODE_IP),
        *("--tls-cert-file", f"{PKI}/apiserver.crt", "--tls-private-key-file", f"{PKI}/apiserver.key"),
        *("--client-ca-file", f"{PKI}/ca.crt"),
        *("--service-account-key-file", f"{PKI}/sa.pub", "--service-account-signing-key-file", f"{PKI}/sa.key"),
        *("--service-account-issuer", "https://kubernetes.default.svc"),
        *("--service-cluster-ip-range", layout.SERVICE_RANGE),
        *("--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction"),
        *("--kubelet-client-certificate", f"{PKI}/admin.crt", "--kubelet-client-key", f"{PKI}/admin.key"),
        *("--kubelet-certificate-authority", f"{PKI}/ca.crt"),
        # By its name, the node could not be found: no DNS knows it.
        "--kubelet-preferred-address-types=InternalIP",
        "--anonymous-auth=false",
        "--profiling=false",
    )


def _node() -> list[Unit]:
    return [
        Unit(
            "containerd",
            (_program("containerd"), "--config", f"{CONFIG}/containerd.toml"),
            ready=layout.CONTAINERD_SOCKET,
            environment={"PATH": f"{layout.PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin"},
        ),
        Unit("images", import_images(), Kind.STEP, after=("containerd",)),
        Unit(
            "kubelet",
            (
                _program("kubelet"),
                *("--config", f"{CONFIG}/kubelet.yaml", "--kubeconfig", f"{PKI}/kubelet.kubeconfig"),
                *("--hostname-override", layout.NODE_NAME, "--node-ip", layout.NODE_IP),
                *("--root-dir", f"{RUN}/kubelet", "--cert-dir", f"{RUN}/kubelet/pki"),
            ),
            after=("apiserver", "images"),
            ready="http://127.0.0.1:10248/healthz",
        ),
        Unit(
            "kube-proxy",
            (_program("kube-proxy"), "--config", f"{CONFIG}/kube-proxy.yaml"),
            after=("apiserver", "proxy-access"),
            ready="http://127.0.0.1:10256/livez",
        ),
        Unit("proxy-access", _apply(f"{CONFIG}/proxy-access.yaml"), Kind.STEP, after=("apiserver",)),
    ]


def import_images() -> tuple[str, ...]:
    """The command that loads the archive of all images into containerd, replacing older ones of the same name."""
    return (
        _program("ctr"),
        *("--address", layout.CONTAINERD_SOCKET, "--namespace", "k8s.io"),
        *("images", "import", f"{CONFIG}/images.tar"),
    )


def _apply(path: str) -> tuple[str, ...]:
    # Our own manifests: to have them checked by the API server's schema would cost a download of all of it.
    return (*KUBECTL, "apply", "--server-side", "--force-conflicts", "--validate=false", "-f", path)


def _addons() -> list[Unit]:
    return [
        Unit(
            "coredns",
            (_program("coredns"), "-conf", f"{CONFIG}/Corefile"),
            after=("apiserver",),
            ready=f"http://127.0.0.1:{layout.COREDNS_HEALTH_PORT}/health",
        ),
        Unit("services", _apply(f"{CONFIG}/services"), Kind.STEP, after=("apiserver",)),
        Unit("kserve-config", _apply(f"{CONFIG}/kserve"), Kind.STEP, after=("apiserver",)),
        Unit(
            "kserve-types",
            (*KUBECTL, "wait", "--for=condition=Established", "--timeout=20s", "crd", "--all"),
            Kind.STEP,
            after=("kserve-config",),
        ),
        Unit(
            "kserve",
            (
                _program("kserve-manager"),
                *("--metrics-addr", "0", "--webhook-port", str(layout.KSERVE_WEBHOOK_PORT)),
                *("--health-probe-addr", f"127.0.0.1:{layout.KSERVE_HEALTH_PORT}"),
            ),
            after=("kserve-types",),
            ready=f"http://127.0.0.1:{layout.KSERVE_HEALTH_PORT}/readyz",
            environment={
                "KUBECONFIG": layout.ADMIN_KUBECONFIG,
                "POD_NAMESPACE": layout.KSERVE_NAMESPACE,
                "TMPDIR": f"{PKI}/{layout.WEBHOOK_FOLDER}",
            },
        ),
        # Webhooks come last: from then on the API server refuses what KServe has not seen.
        Unit("kserve-webhooks", _apply(f"{CONFIG}/kserve-webhooks.yaml"), Kind.STEP, after=("kserve",)),
    ]
