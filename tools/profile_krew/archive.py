"""The plug-in as one file: pex puts the program, its libraries and their builds for every platform into it.

pex, because one file of it serves several platforms and Pythons; the machine needs nothing but a Python.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
PINS = CLONE / "constraints" / "dev.txt"
PROGRAM, COMPLETION, LICENCE = "kubectl-profile", "kubectl_complete-profile", "LICENSE"
PLUGIN = CLONE / "cli" / "profile_cli" / "plugin"
ENTRY_POINT = "profile_cli.plugin.__main__:main"
# Pinned versions without a wheel for one of the platforms, and the last one that has it: Macs with Intel here.
WITH_WHEELS = {"argon2-cffi-bindings": "25.1.0"}
PIN = re.compile(r"^([A-Za-z0-9_.\-]+)==([^\s\\;]+)", re.MULTILINE)


class BuildError(Exception):
    """pex did not succeed; the text is pex's own."""


def build(folder: Path, platforms: Iterable[str] | None) -> Path:
    """Write `kubectl-profile` into `folder`, for `platforms` (of `everywhere`) or, with None, for this machine alone.

    Raises BuildError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pins, program = folder / "pins.txt", folder / PROGRAM
    # Hashes would be asked of the project's own wheel, too; the archive's digest covers what was put in.
    versions = dict(PIN.findall(PINS.read_text())) | WITH_WHEELS
    pins.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
    # Nothing is built for foreign platforms: what has no wheel fails at once instead of after a compile.
    given = (
        [f"--python={sys.executable}"]
        if platforms is None
        else ["--no-build", *(f"--complete-platform={platform}" for platform in platforms)]
    )
    command = [
        sys.executable, "-m", "pex", f"profile-studio[plugin] @ {_wheel(folder).as_uri()}", *given,
        "--constraints", str(pins), "--entry-point", ENTRY_POINT, "--output-file", str(program),
        "--python-shebang", "/usr/bin/env python3", "--no-compile",
    ]  # fmt: skip
    _run(command)
    return program


def _wheel(folder: Path) -> Path:
    """Of this repository. Built first: pex builds nothing for foreign platforms."""
    _run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)])
    (wheel,) = folder.glob("profile_studio-*.whl")
    return wheel


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CLONE)
    if result.returncode:
        raise BuildError(result.stderr.strip() or f"{command[2]} failed")


def pack(program: Path, target: Path) -> str:
    """Write program, completion and licence as a .tar.gz, always the same bytes for the same content; its sha256."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        _add(archive, program, PROGRAM, 0o755)
        _add(archive, PLUGIN / COMPLETION, COMPLETION, 0o755)
        _add(archive, CLONE / LICENCE, LICENCE, 0o644)
    target.write_bytes(packed.getvalue())
    return hashlib.sha256(packed.getvalue()).hexdigest()


def _add(archive: tarfile.TarFile, source: Path, name: str, mode: int) -> None:
    content = source.read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
