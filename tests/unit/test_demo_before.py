"""Before the demo compiles anything: whose cluster is meant, and whether all is there that it needs."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from profile_cli.demo.before import NEEDED, missing, own_kubeconfig
from profile_cli.demo.target import STATE

CLONE = Path(__file__).resolve().parents[2]


def ask(**environment: str) -> subprocess.CompletedProcess[str]:
    """As the Makefile runs it: without the environment's packages."""
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(CLONE / 'cli')!r}); "]
    command[-1] += "from profile_cli.demo.before import main; sys.exit(main())"
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False
    )


def test_without_a_cluster_of_ones_own_the_sandbox_is_meant(tmp_path: Path) -> None:
    assert ask().returncode == 0
    assert own_kubeconfig({"KUBECONFIG": ""}, tmp_path) is None
    assert own_kubeconfig({"KUBECONFIG": str(tmp_path / ".sandbox" / "kubeconfig")}, tmp_path) is None


@pytest.mark.parametrize("absent", list(NEEDED))
def test_what_is_missing_is_said_at_once(tmp_path: Path, absent: str) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.touch()
    given = {name: "x" for name in NEEDED if name != absent}
    done = ask(KUBECONFIG=str(kubeconfig), **given)
    assert done.returncode == 1
    assert f"- {absent}: " in done.stderr
    assert "env -u KUBECONFIG make demo" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_does_not_exist_is_said_too(tmp_path: Path) -> None:
    assert "does not exist" in missing(tmp_path / "nowhere", dict.fromkeys(NEEDED, "x"))


def test_a_whole_environment_needs_no_sandbox(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.touch()
    assert ask(KUBECONFIG=str(kubeconfig), **dict.fromkeys(NEEDED, "x")).returncode == 3


def test_the_demo_asks_before_it_compiles(tmp_path: Path) -> None:
    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "nowhere"), "MAKEFLAGS": ""}
    done = subprocess.run(
        ["make", "demo", f"PYTHON={sys.executable}"],
        cwd=CLONE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert "PROFILE_VALUES" in done.stderr
    assert "compil" not in done.stdout + done.stderr


def test_tests_leave_the_demos_cluster_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROFILE_SANDBOX_STATE", raising=False)
    # The demo tells people to export this.
    monkeypatch.setenv("KUBECONFIG", str(STATE / "kubeconfig"))
    conftest = runpy.run_path(str(CLONE / "tests" / "conftest.py"))
    assert conftest["STATE"] != STATE
    assert conftest["_own_kubeconfig"]() is None
