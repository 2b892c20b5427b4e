"""What `make clean` and `make distclean` take away, and what they leave to other clones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from profile_sandbox import cgroups, leftovers

CLONE = Path(__file__).resolve().parents[3]


def group(root: Path, name: str, processes: str = "", inner: str | None = None) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").write_text(processes)
    if inner is not None:
        (folder / "pods" / "a").mkdir(parents=True)
        (folder / "pods" / "a" / "cgroup.procs").write_text(inner)
    return folder


def test_a_group_is_busy_where_a_process_is_anywhere_in_it(tmp_path: Path) -> None:
    cpu, memory = tmp_path / "cpu", tmp_path / "memory"
    group(cpu, "profile-sandbox-idle", inner="")
    group(cpu, "profile-sandbox-pods", inner="12\n")
    group(cpu, "profile-sandbox-half")
    group(memory, "profile-sandbox-half", "7\n")
    group(cpu, "system.slice", "1\n")
    assert leftovers.sorted_groups([cpu, memory]) == (
        ["profile-sandbox-idle"],
        ["profile-sandbox-half", "profile-sandbox-pods"],
    )


def test_another_clones_sandbox_keeps_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    removed: list[str] = []
    monkeypatch.setattr(cgroups, "roots", lambda: [tmp_path])
    monkeypatch.setattr(cgroups, "remove", removed.append)
    group(tmp_path, "profile-sandbox-idle")
    assert leftovers.main() == 0
    group(tmp_path, "profile-sandbox-busy", "5\n")
    assert leftovers.main() == 1
    assert removed == ["profile-sandbox-idle"] * 2
    said = capsys.readouterr().err
    assert "profile-sandbox-busy" in said
    assert "make clean" in said


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A clone of the Makefile alone, a cache and a home of its own; what would touch the machine is written down."""
    (tmp_path / "clone" / "constraints").mkdir(parents=True)
    (tmp_path / "clone" / "Makefile").write_bytes((CLONE / "Makefile").read_bytes())
    for name, body in {
        "constraints/debian.sh": "",
        "python": 'exit "$(cat "$SCRATCH/busy" 2>/dev/null || echo 0)"',
    }.items():
        program = tmp_path / "clone" / name
        program.write_text(f'#!/bin/bash\necho "$(basename "$0") $*" >> "$SCRATCH/asked"\n{body}\n')
        program.chmod(0o755)
    (tmp_path / "cache" / "profile-studio" / "bin").mkdir(parents=True)
    (tmp_path / "cache" / "other").mkdir()
    (tmp_path / "clone" / ".sandbox" / "logs").mkdir(parents=True)
    (tmp_path / "clone" / "out").mkdir()
    return tmp_path


def make(scratch: Path, target: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "SCRATCH": str(scratch),
    }
    command = ["make", target, f"PYTHON={scratch / 'clone' / 'python'}"]
    return subprocess.run(
        command, cwd=scratch / "clone", env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_distclean_takes_the_cache_and_what_was_installed(scratch: Path) -> None:
    done = make(scratch, "distclean")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (scratch / "cache").iterdir()} == {"other"}
    assert {path.name for path in (scratch / "clone").iterdir()} == {"Makefile", "constraints", "python"}
    assert (scratch / "asked").read_text().splitlines() == [
        "python -m profile_sandbox.leftovers",
        "debian.sh --remove",
        "debian.sh --boot sandbox/apt.txt tests/apt.txt",
    ]


def test_distclean_deletes_no_cache_that_a_sandbox_runs_from(scratch: Path) -> None:
    (scratch / "busy").write_text("1")
    assert make(scratch, "distclean").returncode != 0
    assert (scratch / "cache" / "profile-studio" / "bin").is_dir()
    assert "debian.sh" not in (scratch / "asked").read_text()


@pytest.mark.parametrize("target", ["clean", "distclean"])
def test_a_sandbox_that_cannot_be_stopped_is_not_forgotten(scratch: Path, target: str) -> None:
    """Its record tells which processes are its own: without it nothing could end them."""
    record = scratch / "clone" / ".sandbox" / "sandbox.json"
    record.write_text("{}")
    done = make(scratch, target)
    assert done.returncode != 0
    assert "`make env` first" in done.stderr
    (scratch / "clone" / ".venv" / "bin").mkdir(parents=True)
    runner = scratch / "clone" / ".venv" / "bin" / "python"
    runner.write_text("#!/bin/sh\nexit 1\n")
    runner.chmod(0o755)
    assert make(scratch, target).returncode != 0
    assert record.exists()
    assert runner.exists()
    assert (scratch / "cache" / "profile-studio" / "bin").is_dir()


def test_the_question_needs_no_environment() -> None:
    code = "import sys; sys.path.insert(0, 'sandbox'); import profile_sandbox.leftovers; print('yaml' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=CLONE, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
