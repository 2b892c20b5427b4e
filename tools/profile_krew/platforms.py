"""The platforms that the file serves, as pex wants to be told of machines it does not run on. Pure.

Told whole, with every tag that a wheel may carry: from a short name pex's own pip derives none of the later manylinux
tags, and then takes no wheel.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from packaging.tags import compatible_tags, cpython_tags, mac_platforms

PYTHONS = ((3, 11), (3, 12), (3, 13))
LINUX = ("x86_64", "aarch64")
MACS = ("arm64", "x86_64")
# glibc of Debian 10, RHEL 8 and everything since, and what the wheels of earlier ones say.
GLIBC, OLDEST_GLIBC = 28, 17
MACOS = (11, 0)


def everywhere() -> list[str]:
    """Every platform with every Python, each a JSON object for pex's --complete-platform."""
    linux = [("linux", "Linux", machine, list(_manylinux(machine))) for machine in LINUX]
    macs = [("darwin", "Darwin", machine, list(mac_platforms(MACOS, machine))) for machine in MACS]
    return [json.dumps(_platform(python, *machine)) for machine in (*linux, *macs) for python in PYTHONS]


def _manylinux(machine: str) -> Iterator[str]:
    for minor in range(GLIBC, OLDEST_GLIBC - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
    yield f"manylinux2014_{machine}"
    yield f"linux_{machine}"


def _platform(
    python: tuple[int, int], sys_platform: str, system: str, machine: str, platforms: list[str]
) -> dict[str, object]:
    version = ".".join(map(str, python))
    interpreter = f"cp{version.replace('.', '')}"
    tags = [*cpython_tags(python, [interpreter], platforms), *compatible_tags(python, interpreter, platforms)]
    environment = {
        "implementation_name": "cpython",
        "implementation_version": f"{version}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": system,
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": sys_platform,
    }
    return {"marker_environment": environment, "compatible_tags": list(dict.fromkeys(map(str, tags)))}
