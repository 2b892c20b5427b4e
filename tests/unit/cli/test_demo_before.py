"""Before the demo compiles anything: whose cluster is meant, and whether all is there that it needs."""

from __future__ import annotations

import os
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from profile_cli.demo.before import NEEDED, lacking, missing, own_kubeconfig
from profile_cli.demo.target import STATE
from profile_sandbox.doctor import ELSEWHERE, Lack

CLONE = Path(__file__).resolve().parents[3]


def ask(**environment: str) -> subprocess.CompletedProcess[str]:
    """As the Makefile runs it: without the environment's packages."""
    command = [
        sys.executable,
        "-I",
        "-c",
        f"import sys; sys.path[:0] = {[str(CLONE / 'cli'), str(CLONE / 'sandbox')]!r}; ",
    ]
    command[-1] += "from profile_cli.demo.before import main; sys.exit(main())"
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False
    )


def test_without_a_cluster_of_ones_own_the_sandbox_is_meant(tmp_path: Path) -> None:
    done = ask()
    # Whether this machine can have one is another question (test_sandbox_doctor.py).
    assert done.returncode == 0 or done.stderr.startswith("`make demo` cannot begin on this machine:"), done.stderr
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


def test_what_this_machine_lacks_is_said_with_what_to_do_and_what_else_there_is() -> None:
    assert lacking([]) == ""
    text = lacking([Lack("no Go", "install it"), Lack("not root", "use sudo")])
    assert text.splitlines()[1:] == ["- no Go: install it", "- not root: use sudo", ELSEWHERE]


def test_without_python_make_says_which_is_needed(recorded: Path) -> None:
    done, asked = demo(recorded, python="python3.11-that-is-not-there")
    assert done.returncode != 0
    assert "Python 3.11 is needed, and there is no python3.11-that-is-not-there" in done.stderr
    assert asked == []


def test_a_machine_that_lacks_something_is_told_before_anything_is_installed(recorded: Path) -> None:
    """A Go of four years ago, and a cache in which nothing is compiled yet."""
    go = recorded / "bin" / "go"
    go.write_text('#!/bin/sh\nprintf "go1.19.8\\n\\n/go/a\\n/go/b\\n"\n')
    go.chmod(0o755)
    done, asked = demo(recorded, XDG_CACHE_HOME=str(recorded / "cache"))
    assert done.returncode != 0
    assert f"{go} is go1.19.8: Go 1.26 or newer is needed" in done.stderr
    assert "Traceback" not in done.stderr
    assert asked == ["python -m profile_cli.demo.before"]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Programs that make runs: they write down what they are asked, and do nothing but answer the first question.

    On a machine where all is compiled and installed already, to do it again is silent: only this shows it.
    """
    (tmp_path / "bin").mkdir()
    record = f'echo "$(basename "$0") $*" >> {shlex.quote(str(tmp_path / "asked"))}'
    before = f'case "$*" in *profile_cli.demo.before*) exec {shlex.quote(sys.executable)} "$@" ;; esac'
    for name, body in {"python": before, "dpkg-query": "printf installed", "apt-get": ":"}.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{record}\n{body}\n")
        program.chmod(0o755)
    return tmp_path


def demo(recorded: Path, python: str = "", **environment: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """`make demo` of the Makefile alone, in a folder without an environment; and what it asked, in order."""
    (recorded / "Makefile").write_bytes((CLONE / "Makefile").read_bytes())
    for name in ("cli", "constraints", "sandbox"):
        if not (recorded / name).exists():
            (recorded / name).symlink_to(CLONE / name)
    done = subprocess.run(
        ["make", "demo", f"PYTHON={python or recorded / 'bin' / 'python'}"],
        cwd=recorded,
        env={"PATH": f"{recorded / 'bin'}:{os.environ['PATH']}", "HOME": str(recorded), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    asked = recorded / "asked"
    return done, asked.read_text().splitlines() if asked.exists() else []


def test_the_demo_asks_before_it_installs_or_compiles_anything(recorded: Path) -> None:
    done, asked = demo(recorded, KUBECONFIG=str(recorded / "nowhere"))
    assert done.returncode != 0
    assert "PROFILE_VALUES" in done.stderr
    assert asked == ["python -m profile_cli.demo.before"]


def test_a_cluster_of_ones_own_needs_nothing_compiled(recorded: Path) -> None:
    (recorded / "config").touch()
    _, asked = demo(recorded, KUBECONFIG=str(recorded / "config"), **dict.fromkeys(NEEDED, "x"))
    assert asked[0] == "python -m profile_cli.demo.before"
    assert "python constraints/environment.py" in asked
    assert not [line for line in asked if "profile_sandbox build" in line or line.startswith(("apt-get", "dpkg-query"))]


def test_without_one_the_sandbox_is_compiled(recorded: Path) -> None:
    done, asked = demo(recorded)
    assert asked[0] == "python -m profile_cli.demo.before"
    if len(asked) == 1:
        assert "cannot begin on this machine" in done.stderr
        pytest.skip(done.stderr)
    assert "python -m profile_sandbox build" in asked


def test_tests_leave_the_demos_cluster_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROFILE_SANDBOX_STATE", raising=False)
    # The demo tells people to export this.
    monkeypatch.setenv("KUBECONFIG", str(STATE / "kubeconfig"))
    conftest = runpy.run_path(str(CLONE / "tests" / "conftest.py"))
    assert conftest["STATE"] != STATE
    assert conftest["_own_kubeconfig"]() is None
