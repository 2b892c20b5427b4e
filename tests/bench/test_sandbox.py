"""How long the sandbox takes to start, and what it needs at rest."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from profile_sandbox import Sandbox
from profile_sandbox.paths import CLONE

if TYPE_CHECKING:
    from figures import Figures

    from .conftest import ProcessTree

pytestmark = pytest.mark.cluster

SECTION = "Sandbox"
MEGABYTE = 2**20
# What a start leaves behind in caches and queues settles in this time.
SETTLE_SECONDS = 10
COLD_SECONDS = 3600


def test_warm_start(fresh_sandbox: Sandbox, figures: Figures) -> None:
    fresh_sandbox.down()
    begin = time.monotonic()
    fresh_sandbox.up()
    seconds = time.monotonic() - begin
    figures.add(SECTION, "warm start", f"{seconds:.1f} s", "`up` until node, KServe and all services are Ready")
    assert fresh_sandbox.running


def test_memory_at_rest(fresh_sandbox: Sandbox, figures: Figures, process_tree: ProcessTree) -> None:
    fresh_sandbox.up()
    time.sleep(SETTLE_SECONDS)
    processes = process_tree(fresh_sandbox)
    own, shared = sum(map(_own_bytes, processes)), sum(map(_resident_bytes, processes))
    how = f"{len(processes)} processes, pages shared between them counted once (PSS); RSS {shared // MEGABYTE} MB"
    figures.add(SECTION, "memory at rest", f"{own // MEGABYTE} MB", how)
    assert own > 0


@pytest.mark.timeout(COLD_SECONDS + 60)
def test_cold_compile(figures: Figures, tmp_path: Path) -> None:
    if os.environ.get("PROFILE_BENCH_COLD") != "1":
        pytest.skip("compiles Kubernetes from nothing, 10 to 20 minutes: set PROFILE_BENCH_COLD=1")
    caches = {"XDG_CACHE_HOME": str(tmp_path), "GOCACHE": str(tmp_path / "go"), "GOMODCACHE": str(tmp_path / "modules")}
    begin = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "profile_sandbox", "build"],
        env={**os.environ, **caches}, cwd=CLONE, check=True, timeout=COLD_SECONDS,
    )  # fmt: skip
    minutes = (time.monotonic() - begin) / 60
    figures.add(SECTION, "cold compile", f"{minutes:.1f} min", "all programs from pinned Go modules, empty caches")


def _own_bytes(pid: int) -> int:
    return _field(pid, "smaps_rollup", "Pss:")


def _resident_bytes(pid: int) -> int:
    return _field(pid, "status", "VmRSS:")


def _field(pid: int, file: str, name: str) -> int:
    try:
        lines = Path("/proc", str(pid), file).read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
