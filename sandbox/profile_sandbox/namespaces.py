"""Prepares a sandbox's own mount and network namespace. Runs as their first process; all of it ends with them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from . import layout

# The kubelet writes these and they are the whole machine's, so it gets files of the same content in their place.
MACHINE_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def prepare(binds: Mapping[str, str], scratch: Path) -> None:
    """Set up mounts and the network. `scratch` is an empty folder to mount on; nothing is written below it."""
    _command("mount", "-n", "-t", "tmpfs", "-o", "mode=755", "sandbox", str(scratch))
    inside = scratch / Path(layout.INSIDE).name
    inside.mkdir()
    for place, source in binds.items():
        _bind(Path(source), scratch / Path(place).relative_to("/run"))
    _command("mount", "-n", "--move", str(scratch), "/run")
    _shield_var(Path(layout.INSIDE))
    _shield_settings(Path(layout.INSIDE, "settings"))
    _command("ip", "link", "set", "lo", "up")
    _command("ip", "address", "add", f"{layout.NODE_IP}/32", "dev", "lo")
    # There is no default route. A packet to a Service needs some route to get as far as its address' translation.
    _command("ip", "route", "add", layout.SERVICE_RANGE, "dev", "lo", "src", layout.NODE_IP)


def _bind(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        place.mkdir(exist_ok=True)
    else:
        place.touch()
    _command("mount", "-n", "--bind", str(source), str(place))


def _shield_var(folder: Path) -> None:
    """Let programs write their fixed folders below /var (logs, CNI results) without a trace on the machine."""
    upper, work = folder / "var", folder / "var-work"
    upper.mkdir()
    work.mkdir()
    _command("mount", "-n", "-t", "overlay", "-o", f"lowerdir=/var,upperdir={upper},workdir={work}", "overlay", "/var")


def _shield_settings(folder: Path) -> None:
    for setting in MACHINE_SETTINGS:
        real = Path("/proc/sys") / setting
        if not real.exists():
            continue
        copy = folder / setting
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(real.read_text())
        _command("mount", "-n", "--bind", str(copy), str(real))


def _command(*argv: str) -> None:
    subprocess.run(argv, check=True)
