"""What is installed for the sandbox: nothing of it starts now or at boot, and it can be taken away again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "constraints" / "debian.sh"
# A machine on which apt-get and its like are a few lines over files: one installed package a file, with what it holds.
PROGRAMS = {
    "id": "echo 0",
    "dpkg-query": r"""
case "$1" in
-L) cat "$MACHINE/installed/$2" ;;
-W) case "$*" in *" redis redis-"*) echo "installed no redis"; echo "installed yes redis-tools"; exit 0 ;; esac
    if [ $# = 3 ]; then [ -e "$MACHINE/installed/$3" ] && printf installed
    else for file in "$MACHINE"/installed/*; do echo "installed $(basename "$file")"; done; fi ;;
esac""",
    "apt-get": r"""
[ -e "$PROFILE_DEBIAN_POLICY" ] && echo "services may not start" >> "$MACHINE/said"
for word; do
    case " $* " in
    *" -s "*) [ -e "$MACHINE/available/$word" ] && echo "Purg $word [1.0]" ;;
    *" purge "*) rm -f "$MACHINE/installed/$word" ;;
    *" install "*) [ -e "$MACHINE/interrupt" ] && { kill -TERM $PPID; exit 1; }
        [ -e "$MACHINE/available/$word" ] && cp "$MACHINE/available/$word" "$MACHINE/installed/"
        [ "$word" = redis ] && cp "$MACHINE/available/redis-tools" "$MACHINE/installed/" ;;
    esac
done
true""",
    "systemctl": """
case "$1" in
is-enabled) [ -e "$MACHINE/enabled" ] && grep -qx "$2" "$MACHINE/enabled" && echo enabled || echo disabled ;;
*) echo "systemctl $*" >> "$MACHINE/said" ;;
esac""",
    "update-rc.d": 'echo "update-rc.d $*" >> "$MACHINE/said"',
}
PACKAGES = {
    "redis": "/lib/systemd/system/redis.service\n/etc/init.d/redis\n/usr/bin/redis\n",
    "redis-tools": "/usr/lib/systemd/system/redis-clean.timer\n/usr/bin/redis-cli\n",
    "nginx": "/lib/systemd/system/nginx.service\n",
}


class Machine:
    """A Debian of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bin", "installed", "available"):
            (folder / name).mkdir()
        for name, body in PROGRAMS.items():
            program = folder / "bin" / name
            program.write_text(f"#!/bin/bash\n{body}\n")
            program.chmod(0o755)
        for name, files in PACKAGES.items():
            (folder / "available" / name).write_text(files)
        # Somebody's own, from before.
        (folder / "installed" / "nginx").write_text(PACKAGES["nginx"])

    @property
    def installed(self) -> set[str]:
        return {file.name for file in (self.folder / "installed").iterdir()}

    @property
    def said(self) -> list[str]:
        file = self.folder / "said"
        return file.read_text().splitlines() if file.exists() else []

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "MACHINE": str(self.folder),
            "PROFILE_DEBIAN_RECORD": str(self.folder / "state" / "packages"),
            "PROFILE_DEBIAN_POLICY": str(self.folder / "policy-rc.d"),
            "PROFILE_DEBIAN_LOCK": str(self.folder / "lock"),
        }
        done = subprocess.run(
            ["sh", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "list.txt").write_text("redis # the store of progress\nnginx\n")
    return Machine(tmp_path)


def test_nothing_starts_now_or_at_boot(machine: Machine) -> None:
    machine.run(str(machine.folder / "list.txt"))
    assert machine.installed == {"nginx", "redis", "redis-tools"}
    assert "services may not start" in machine.said
    assert not (machine.folder / "policy-rc.d").exists()
    disabled = {line.split()[-1] for line in machine.said if line.startswith("systemctl")}
    # Also of a package that came along, and nothing of what was there before.
    assert disabled == {"redis.service", "redis-clean.timer"}
    assert "update-rc.d redis disable" in machine.said


def test_a_machines_own_word_about_starting_services_stays(machine: Machine) -> None:
    (machine.folder / "policy-rc.d").write_text("own")
    machine.run(str(machine.folder / "list.txt"))
    assert (machine.folder / "policy-rc.d").read_text() == "own"


def test_what_was_installed_goes_again_and_what_was_there_stays(machine: Machine) -> None:
    machine.run(str(machine.folder / "list.txt"))
    machine.run(str(machine.folder / "list.txt"))
    machine.run("--remove")
    assert machine.installed == {"nginx"}
    # Or the next would take away what somebody has installed for themselves since.
    assert not (machine.folder / "state" / "packages").exists()
    (machine.folder / "installed" / "redis").write_text(PACKAGES["redis"])
    before = machine.said
    machine.run("--remove")
    assert machine.said == before
    assert machine.installed == {"nginx", "redis"}


def test_where_nothing_is_missing_nothing_is_touched(machine: Machine) -> None:
    (machine.folder / "list.txt").write_text("nginx\n")
    machine.run(str(machine.folder / "list.txt"))
    assert machine.said == []
    assert not (machine.folder / "state").exists()


def test_an_interrupted_installation_forbids_no_service_for_ever(machine: Machine) -> None:
    (machine.folder / "interrupt").touch()
    machine.run(str(machine.folder / "list.txt"), code=143)
    assert "services may not start" in machine.said
    assert not (machine.folder / "policy-rc.d").exists()


def test_nothing_of_the_record_or_the_lock_stays(machine: Machine) -> None:
    machine.run(str(machine.folder / "list.txt"))
    assert (machine.folder / "lock").exists()
    machine.run("--remove")
    assert not (machine.folder / "lock").exists()
    assert not (machine.folder / "state").exists()


def test_services_that_start_at_boot_are_named_and_left_as_they_are(machine: Machine) -> None:
    machine.run(str(machine.folder / "list.txt"))
    before = machine.said
    assert machine.run("--boot", str(machine.folder / "list.txt")).stderr == ""
    (machine.folder / "enabled").write_text("redis.service\nredis-clean.timer\nother.service\n")
    told = machine.run("--boot", str(machine.folder / "list.txt")).stderr
    assert told.splitlines()[1] == "    systemctl disable --now redis.service"
    assert "other.service" not in told
    assert machine.said == before
