"""Says what a machine lacks to run the sandbox, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import build, cgroups
from .paths import CLONE
from .process import SandboxError
from .runtime import ARCHITECTURES, postgres_folder

ELSEWHERE = (
    "The sandbox is a default, not a need: set KUBECONFIG to any cluster with KServe, "
    "or run the stages without a cluster: `profile-studio run PHOTOS…`"
)
# A program -> the Debian package that has it.
PROGRAMS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "nft": "nftables",
    "redis-server": "redis-server",
    "prometheus": "prometheus",
}
COMPILING = {"cc": "gcc", "pkg-config": "pkg-config"}
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FREE_MEMORY_MEGABYTES = 3000
FREE_DISK_MEGABYTES = 2000
# Sources 3.6 GB, Go's build cache 3 GB, programs 1 GB.
COMPILE_DISK_MEGABYTES = 9000


@dataclass(frozen=True)
class Finding:
    """Something that is missing, and what to do about it."""

    problem: str
    advice: str


def require() -> None:
    """Raise SandboxError with everything that is missing."""
    findings = examine()
    if findings:
        raise SandboxError(report(findings))


def report(findings: list[Finding]) -> str:
    """Findings as text."""
    lines = [f"- {finding.problem}: {finding.advice}" for finding in findings]
    return "\n".join(["the sandbox cannot run here:", *lines, ELSEWHERE])


def examine() -> list[Finding]:
    """Everything that is missing; empty where a sandbox can run."""
    if sys.platform != "linux":
        return [Finding(f"this is {platform.system()}", "a kubelet and containers need Linux")]
    return [*_machine(), *_programs()]


def _machine() -> Iterator[Finding]:
    if os.geteuid() != 0:
        yield Finding("not root", "namespaces, mounts and control groups need it: use `sudo -E`")
    if platform.machine() not in ARCHITECTURES:
        yield Finding(f"processor {platform.machine()}", f"one of {', '.join(ARCHITECTURES)} is needed")
    if not cgroups.hierarchies():
        yield Finding("no control groups", "mount a cgroup file system at /sys/fs/cgroup")
    filesystems = Path("/proc/filesystems").read_text().split()
    if "overlay" not in filesystems:
        yield Finding("no overlayfs in the kernel", "load its module: `modprobe overlay`")
    free = shutil.disk_usage(CLONE).free // 2**20
    needed = COMPILE_DISK_MEGABYTES if build.missing(build.programs_folder()) else FREE_DISK_MEGABYTES
    if free < needed:
        yield Finding(f"{free} MB of disk free", f"{needed} MB are needed")
    available = _available_memory()
    if available < FREE_MEMORY_MEGABYTES:
        yield Finding(f"{available} MB of memory available", f"{FREE_MEMORY_MEGABYTES} MB are needed")


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def _programs() -> Iterator[Finding]:
    wanted = dict(PROGRAMS)
    to_compile = build.missing(build.programs_folder())
    if any(program.cgo for program in to_compile):
        wanted |= COMPILING
        if not _has_seccomp():
            yield _missing("libseccomp's headers", "libseccomp-dev")
    for program, package in wanted.items():
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}") is None:
            yield _missing(program, package)
    if postgres_folder() is None:
        yield _missing("PostgreSQL's server", "postgresql")
    if to_compile:
        try:
            build.find_go()
        except SandboxError as error:
            yield Finding(f"{len(to_compile)} programs are to be compiled", str(error))


def _has_seccomp() -> bool:
    return any(Path(root, "seccomp.h").exists() for root in ("/usr/include", "/usr/local/include"))


def _missing(what: str, package: str) -> Finding:
    return Finding(f"{what} is missing", f"`apt-get install {package}` (all of them: sandbox/apt.txt)")
