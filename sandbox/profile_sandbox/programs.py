"""The cluster's programs: which Go module each comes from, and what its version is stamped with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import paths

KUBERNETES = "1.34.4"
HELM = "3.19.5"
KUBERNETES_MODULE = "k8s.io/kubernetes"
KSERVE_MODULE = "github.com/kserve/kserve"


@dataclass(frozen=True)
class Program:
    """A binary: its main package, and what it is called here. `cgo` needs a C compiler, pkg-config and libseccomp."""

    name: str
    package: str
    tags: str = ""
    cgo: bool = False

    @property
    def output(self) -> str:
        """What `go build` calls the binary: the last part of the package's path that is no major version."""
        *rest, last = self.package.split("/")
        return rest[-1] if last[:1] == "v" and last[1:].isdigit() else last


@dataclass(frozen=True)
class Module:
    """A folder with a go.mod and its programs, compiled by one `go build` so that they share its work."""

    folder: Path
    programs: tuple[Program, ...]


_K8S = f"{KUBERNETES_MODULE}/cmd"
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"
# One module for all that is made of Kubernetes' libraries, at one version of them: what one needs, the others have.
CLUSTER = Module(
    paths.MODULES / "cluster",
    (
        Program("kube-apiserver", f"{_K8S}/kube-apiserver"),
        Program("etcd", "go.etcd.io/etcd/server/v3"),
        Program("kube-controller-manager", f"{_K8S}/kube-controller-manager"),
        Program("kube-scheduler", f"{_K8S}/kube-scheduler"),
        Program("kubelet", f"{_K8S}/kubelet"),
        Program("kube-proxy", f"{_K8S}/kube-proxy"),
        Program("kubectl", f"{_K8S}/kubectl"),
        Program("containerd", f"{_CONTAINERD}/containerd"),
        Program("containerd-shim-runc-v2", f"{_CONTAINERD}/containerd-shim-runc-v2"),
        Program("ctr", f"{_CONTAINERD}/ctr"),
        Program("coredns", "./coredns"),
        Program("pause", "./pause"),
        Program("helm", "helm.sh/helm/v3/cmd/helm"),
        Program("kserve-manager", f"{KSERVE_MODULE}/cmd/manager"),
    ),
)
# In the order of compiling: small ones first, while the sources of the large ones are still being fetched.
MODULES = (
    Module(paths.MODULES / "runc", (Program("runc", "github.com/opencontainers/runc", tags="seccomp", cgo=True),)),
    Module(
        paths.MODULES / "cni",
        (
            Program("bridge", f"{_CNI}/main/bridge"),
            Program("host-local", f"{_CNI}/ipam/host-local"),
            Program("loopback", f"{_CNI}/main/loopback"),
        ),
    ),
    CLUSTER,
    Module(paths.MODULES / "minio", (Program("minio", "github.com/minio/minio"),)),
)
# Not of the cluster itself: compiled for whoever asks for them, under pins of their own.
_FLUX = "github.com/fluxcd"
# One module for both: most of what one is made of, the other is too.
FLUX = Module(
    paths.ADD_ONS / "flux",
    (
        Program("kustomize-controller", f"{_FLUX}/kustomize-controller"),
        Program("source-controller", f"{_FLUX}/source-controller"),
    ),
)
CHECKS = Module(
    paths.ADD_ONS / "checks",
    (
        Program("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform"),
        Program("kube-score", "github.com/zegl/kube-score/cmd/kube-score"),
    ),
)
# Apart: it is made with libraries of years ago.
KREW = Module(
    paths.ADD_ONS / "krew",
    (
        Program("krew", "sigs.k8s.io/krew/cmd/krew"),
        Program("validate-krew-manifest", "sigs.k8s.io/krew/cmd/validate-krew-manifest"),
    ),
)

# Apart: it shares nothing with the others.
ACTIONS = Module(paths.ADD_ONS / "actions", (Program("actionlint", "github.com/rhysd/actionlint/cmd/actionlint"),))
# What the benchmark of scale runs on: nodes without machines.
KWOK = Module(paths.ADD_ONS / "kwok", (Program("kwok", "sigs.k8s.io/kwok/cmd/kwok"),))
# Its yardstick. Apart from kwok: each asks for the libraries of Kubernetes of its own year.
ARGO = Module(
    paths.ADD_ONS / "argo",
    (Program("workflow-controller", "github.com/argoproj/argo-workflows/v3/cmd/workflow-controller"),),
)
KUEUE = Module(paths.ADD_ONS / "kueue", (Program("kueue", "sigs.k8s.io/kueue/cmd/kueue"),))


def found_elsewhere(program: Program) -> bool:
    """Whether a binary of the right minor version from the machine may stand in: Kubernetes' own say theirs."""
    return program.package.startswith(f"{_K8S}/")


def minor_version() -> str:
    """How a version of the right minor begins, v1.34."""
    return "v" + KUBERNETES.rpartition(".")[0] + "."


def linker_flags() -> str:
    """Strip symbols, and state versions: kubectl and Helm cannot parse a server that does not know its own."""
    major, minor, _ = KUBERNETES.split(".")
    stamps = {"helm.sh/helm/v3/internal/version.version": f"v{HELM}"}
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        stamps |= {
            f"{package}.gitVersion": f"v{KUBERNETES}",
            f"{package}.gitMajor": major,
            f"{package}.gitMinor": minor,
        }
    # What Helm takes a cluster's version to be while it has none.
    for package in ("helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules"):
        stamps |= {f"{package}.k8sVersionMajor": major, f"{package}.k8sVersionMinor": minor}
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])
