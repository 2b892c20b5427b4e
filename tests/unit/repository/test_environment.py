"""How `.venv` comes about: packages installed once a machine, linked into every clone, and what uv is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import environment
import pytest

from profile_sandbox import paths


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "profile-studio"


class Machine:
    """Records the commands that would be run, and makes what they would leave behind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        monkeypatch.setattr(subprocess, "run", self.run)

    def run(self, command: tuple[str, ...], *, check: bool, env: dict[str, str]) -> None:
        self.commands.append([Path(command[0]).name, *command[1:]])
        self.environments.append(env)
        if "venv" in command[1:3]:
            self._program(Path(command[-1]) / "bin" / "python")
        if command[1:3] == ("-m", "pip"):
            self._program(Path(command[0]).with_name("uv"))
        if command[1:3] == ("pip", "sync"):
            package = Path(command[-2]).parents[1] / "lib" / "package.py"
            package.parent.mkdir()
            package.write_text("1")

    def _program(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    venv = tmp_path / "clone" / ".venv"
    monkeypatch.setattr(environment, "VENV", venv)
    monkeypatch.setattr(environment, "STAMP", venv / "profile-studio.stamp")
    venv.parent.mkdir()
    return venv.parent


def test_a_bare_machine_takes_uv_by_its_digest_and_installs_once(machine: Machine, clone: Path, cache: Path) -> None:
    environment.make_environment()
    (pip,) = (command for command in machine.commands if command[1:3] == ["-m", "pip"])
    assert "--require-hashes" in pip
    requirement = Path(pip[-1]).read_text()
    assert requirement.startswith("uv==")
    assert "--hash=sha256:" in requirement
    (sync,) = (command for command in machine.commands if command[1:3] == ["pip", "sync"])
    assert "--require-hashes" in sync
    assert sync[-1] == str(environment.EVERYTHING)
    venv = next(command for command in machine.commands if command[:2] == ["uv", "venv"])
    assert "--relocatable" in venv, "its programs must run where they are linked to"
    installed = environment.installed_at(environment.EVERYTHING)
    assert installed.parent == cache / "env"
    assert (clone / ".venv/lib/package.py").samefile(installed / "lib/package.py")
    assert (clone / ".venv/linked-from").resolve() == installed


def test_a_second_clone_installs_and_compiles_nothing(machine: Machine, clone: Path) -> None:
    environment.make_environment()
    machine.commands.clear()
    shutil.rmtree(clone / ".venv")
    environment.make_environment()
    assert [command[:3] for command in machine.commands] == [["uv", "pip", "install"]]
    machine.commands.clear()
    environment.make_environment()
    assert machine.commands == []


def test_an_installation_that_broke_off_is_not_taken_for_one(
    machine: Machine, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sync_fails(command: tuple[str, ...], **options: object) -> None:
        if command[1:3] == ("pip", "sync"):
            raise subprocess.CalledProcessError(1, list(command))
        machine.run(command, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(subprocess, "run", sync_fails)
    with pytest.raises(subprocess.CalledProcessError):
        environment.make_environment()
    assert not environment.installed_at(environment.EVERYTHING).exists()
    assert not (clone / ".venv").exists()
    monkeypatch.setattr(subprocess, "run", machine.run)
    environment.make_environment()
    assert (clone / ".venv/lib/package.py").exists()


def test_a_clone_on_another_file_system_gets_a_copy_with_its_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte code names its source by its time: a copy of another time would be compiled again at every start."""
    source = tmp_path / "package.py"
    source.write_text("1")
    os.utime(source, (1, 1))

    def another_file_system(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", another_file_system)
    environment.link_or_copy(str(source), str(tmp_path / "copy.py"))
    assert (tmp_path / "copy.py").read_text() == "1"
    assert (tmp_path / "copy.py").stat().st_mtime == 1


def test_what_the_machine_tells_pip_is_told_to_uv(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.SETTINGS.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "a")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "b")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "")
    monkeypatch.setenv("PIP_CERT", "c")
    monkeypatch.setenv("SSL_CERT_FILE", "uv's own")
    environment.run("uv", "pip")
    said = {name: value for name, value in machine.environments[0].items() if name in environment.SETTINGS.values()}
    assert said.pop("UV_HTTP_TIMEOUT", None) == os.environ.get("PIP_DEFAULT_TIMEOUT")
    assert said == {"UV_DEFAULT_INDEX": "a", "UV_INDEX": "b", "SSL_CERT_FILE": "uv's own"}


def test_another_lock_and_another_interpreter_have_environments_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for lock in locks:
        lock.write_text(lock.name)
    places = [environment.installed_at(lock) for lock in locks]
    monkeypatch.setattr(sys, "base_prefix", "/another/python")
    places.append(environment.installed_at(locks[0]))
    assert len(set(places)) == 3


@pytest.mark.parametrize(("version", "command"), [((3, 10), "make"), ((3, 14), "make"), ((3, 13), "people")])
def test_a_python_that_the_locks_are_not_for_is_refused(
    version: tuple[int, int], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    monkeypatch.setattr(sys, "argv", ["environment.py", command])
    with pytest.raises(SystemExit, match=r"Python 3\.11( to 3\.13)? is needed"):
        environment.main()


def test_pods_see_the_machines_packages_which_stay_when_venv_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv, installed = tmp_path / "clone/.venv", tmp_path / "installed"
    for prefix in (venv, installed):
        (prefix / "lib/python3/site-packages").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(venv))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: f"{venv}/lib/python3/site-packages")
    assert paths.site_packages() == venv / "lib/python3/site-packages"
    (venv / "linked-from").symlink_to(installed)
    assert paths.site_packages() == installed / "lib/python3/site-packages"
