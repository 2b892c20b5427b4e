"""Says what a machine lacks to run the sandbox, and how to get it.

`preflight` is asked before anything is installed or compiled: it leaves out what `make` itself brings.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import build, cgroups, go
from .disk import Need, shortages
from .paths import CLONE, cache_root
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
# What will be written where, measured on x86-64 and rounded up.
STATE_MEGABYTES = 2000
PACKAGES_MEGABYTES = 7000
MODELS_MEGABYTES = 500
PROGRAMS_MEGABYTES = 1200
GO_SOURCES_MEGABYTES = 3800
GO_BUILD_MEGABYTES = 3200
# The lock files hold wheels for these alone.
PYTHON = (3, 11)
PROCESSOR = "x86_64"


@dataclass(frozen=True)
class Lack:
    """Something that is missing, and what to do about it."""

    problem: str
    advice: str


def require() -> None:
    """Raise SandboxError with everything that is missing."""
    findings = examine()
    if findings:
        raise SandboxError(report(findings))


def report(findings: list[Lack]) -> str:
    """Findings as text."""
    lines = [f"- {finding.problem}: {finding.advice}" for finding in findings]
    return "\n".join(["the sandbox cannot run here:", *lines, ELSEWHERE])


def examine() -> list[Lack]:
    """Everything that is missing; empty where a sandbox can run."""
    if sys.platform != "linux":
        return [_not_linux()]
    return [*_machine(), *_programs(), *_compiler(), *_disks(_needs(packages=False))]


def preflight() -> list[Lack]:
    """What `make demo` cannot bring by itself and this machine lacks; empty where it can begin."""
    if sys.platform != "linux":
        return [_not_linux()]
    lacking = [*_programs()]
    return [
        *environment_findings(sys.version_info[:2], platform.machine(), has_venv=_has_venv()),
        *_machine(),
        *apt_findings(lacking, has_apt=shutil.which("apt-get") is not None and shutil.which("dpkg-query") is not None),
        *_compiler(),
        *_disks(_needs(packages=not (CLONE / ".venv").exists())),
    ]


def _not_linux() -> Lack:
    return Lack(f"this is {platform.system()}", "a kubelet and containers need Linux: Debian 12 is what is tested")


def environment_findings(python: tuple[int, ...], processor: str, *, has_venv: bool) -> list[Lack]:
    """Why this is no machine that the sandbox is tested on; `python`: major and minor. Pure."""
    findings = []
    if python != PYTHON:
        said = ".".join(map(str, python))
        findings.append(
            Lack(
                f"Python {said}",
                "3.11 is needed, with which all of it is tested: Debian 12 has it "
                "(`apt-get install python3.11 python3.11-venv`); elsewhere `make demo PYTHON=/path/to/python3.11`",
            )
        )
    elif not has_venv:
        findings.append(Lack("Python cannot make environments", "`apt-get install python3.11-venv`"))
    if processor != PROCESSOR:
        findings.append(Lack(f"processor {processor}", f"it is tested on {PROCESSOR} alone"))
    return findings


def apt_findings(lacking: list[Lack], *, has_apt: bool) -> list[Lack]:
    """What is missing is installed with apt: where there is none, it is said what else to do. Pure."""
    if has_apt or not lacking:
        return []
    what = ", ".join(finding.problem.removesuffix(" is missing") for finding in lacking)
    advice = "install these with your distribution's own programs, or take Debian 12: sandbox/apt.txt has its names"
    return [Lack(f"no apt to install what is missing ({what})", advice)]


def _has_venv() -> bool:
    return importlib.util.find_spec("ensurepip") is not None


def _machine() -> Iterator[Lack]:
    """What of user, processor, kernel and memory a cluster cannot do without."""
    if os.geteuid() != 0:
        yield Lack("not root", "namespaces, mounts and control groups need it: `sudo -E make demo`")
    if platform.machine() not in ARCHITECTURES:
        yield Lack(f"processor {platform.machine()}", f"one of {', '.join(ARCHITECTURES)} is needed")
    if not cgroups.hierarchies():
        yield Lack("no control groups", "mount a cgroup file system at /sys/fs/cgroup")
    filesystems = Path("/proc/filesystems").read_text().split()
    if "overlay" not in filesystems:
        yield Lack("no overlayfs in the kernel", "load its module: `modprobe overlay`")
    available = available_memory()
    if available < FREE_MEMORY_MEGABYTES:
        yield Lack(f"{available} MB of memory available", f"{FREE_MEMORY_MEGABYTES} MB are needed")


def available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def _programs() -> Iterator[Lack]:
    """Programs and headers that are not installed."""
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


def _compiler() -> Iterator[Lack]:
    to_compile = build.missing(build.programs_folder())
    trouble = go.trouble_with(go.ask(), go.needed()) if to_compile else ""
    if trouble:
        yield Lack(f"{len(to_compile)} programs are to be compiled", trouble)


def _needs(*, packages: bool) -> list[Need]:
    """What is still to be written; `packages`: whether Python's are among it."""
    cache = cache_root()
    needs = [Need(CLONE, STATE_MEGABYTES, "the sandbox's state")]
    if packages:
        needs += [Need(cache, PACKAGES_MEGABYTES, "Python packages"), Need(cache, MODELS_MEGABYTES, "models")]
    if build.missing(build.programs_folder()):
        toolchain = go.ask()
        compiled, sources = (
            go.default_caches() if toolchain is None else (toolchain.build_cache, toolchain.module_cache)
        )
        needs += [
            Need(cache, PROGRAMS_MEGABYTES, "compiled programs"),
            Need(sources, GO_SOURCES_MEGABYTES, "Go sources"),
            Need(compiled, GO_BUILD_MEGABYTES, "Go's build cache"),
        ]
    return needs


def _disks(needs: list[Need]) -> list[Lack]:
    return [Lack(short.problem, short.advice) for short in shortages(needs)]


def _has_seccomp() -> bool:
    return any(Path(root, "seccomp.h").exists() for root in ("/usr/include", "/usr/local/include"))


def _missing(what: str, package: str) -> Lack:
    return Lack(f"{what} is missing", f"`apt-get install {package}` (all of them: sandbox/apt.txt)")
