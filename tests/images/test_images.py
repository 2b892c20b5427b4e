"""The images are built for real and run as pods run them: nothing is missing in them, and nothing too much."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder import Builder, BuiltImage

EVERY_IMPORT = Path(__file__).with_name("every_import.py")
Built = Callable[[str], BuiltImage]

# What each may add to its base image, in MB: a fifth over the 179, 216, 189 and 558 that it does. More is a library
# that nobody meant to bring.
BOUNDS = {"operator": 215, "history": 260, "web": 230, "finish": 670}
# With PyTorch and its CUDA libraries.
LARGE = {"preprocess": 7500, "train": 7500, "predictor": 7500}
LARGE_TOO = os.environ.get("PROFILE_IMAGES") == "all"
WHY_NOT = "holds PyTorch's CUDA libraries: 3 GB to download, 20 GB of disk; `make test-images PROFILE_IMAGES=all`"
SMALL_ONES = sorted(BOUNDS)
ALL = [
    *SMALL_ONES,
    *(pytest.param(image, marks=pytest.mark.skipif(not LARGE_TOO, reason=f"{image} {WHY_NOT}")) for image in LARGE),
]
# Ends up in no image: caches of the build, and what this machine's settings were.
LEFTOVERS = (
    "root/.cache",
    "tmp/*",
    "var/tmp/*",
    "var/lib/apt/lists/*_*",
    "var/cache/apt/archives/*.deb",
    "var/log/**/*.log",
    "opt/profile-studio/**/__pycache__",
)

pytestmark = pytest.mark.timeout(1800)  # the first time makes the base image, and downloads


@pytest.mark.parametrize("image", ALL)
def test_the_program_starts_where_nothing_can_be_written(built: Built, image: str) -> None:
    started = built(image).start("--help")
    assert started.returncode == 0, started.stdout
    assert "usage: " in started.stdout


@pytest.mark.parametrize("image", ALL)
def test_every_import_of_its_code_succeeds(built: Built, image: str) -> None:
    done = built(image).run("python", "-c", EVERY_IMPORT.read_text(), HOME="/tmp", TMPDIR="/tmp")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("image", ALL)
def test_it_runs_as_somebody_who_can_read_its_files_and_change_none(built: Built, image: str) -> None:
    opened = built(image)
    assert opened.user == "65532:65532"
    wrong = [str(path) for place in ("opt", "usr/local") for path in tree(opened.root / place) if not readable(path)]
    assert wrong == []


@pytest.mark.parametrize("image", ALL)
def test_nothing_of_its_building_is_left(built: Built, image: str) -> None:
    root = built(image).root
    left = [str(path.relative_to(root)) for pattern in LEFTOVERS for path in root.glob(pattern)]
    assert left == []
    assert (root / "etc/pip.conf").read_text() == ""


@pytest.mark.parametrize("image", ALL)
def test_nothing_that_installs_packages_is_in_it(built: Built, image: str) -> None:
    opened = built(image)
    assert opened.run("python", "-m", "pip", "--version").returncode != 0
    (path,) = (variable[5:] for variable in opened.config["Env"] if variable.startswith("PATH="))
    assert [str(program) for folder in path.split(":") for program in (opened.root / folder[1:]).glob("pip*")] == []


@pytest.mark.parametrize("image", ALL)
def test_it_says_what_it_is(built: Built, image: str) -> None:
    labels = built(image).config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"profile-studio/{image}"
    assert labels["org.opencontainers.image.version"] == "dev"
    assert labels["org.opencontainers.image.licenses"] == "AGPL-3.0-or-later"


@pytest.mark.parametrize("image", ALL)
def test_byte_code_fits_its_sources(built: Built, image: str) -> None:
    """Else every start compiles all again, for nobody: the root cannot be written.

    Byte code names its source by time or by hash; a release sets files' times after the build, so only hashes stay.
    """
    (site_packages,) = (built(image).root / "opt/venv/lib").glob("python3.*/site-packages")
    assert any(site_packages.rglob("*.pyc"))
    stale = [str(path.relative_to(site_packages)) for path in site_packages.rglob("*.pyc") if not fits(path)]
    assert stale == []


@pytest.fixture(scope="module")
def size_of_base(building: Builder, base: str) -> float:
    with building.opened(base) as opened:
        return megabytes(opened.root)


@pytest.mark.parametrize("image", ALL)
def test_it_is_no_larger_than_it_was(
    built: Built, size_of_base: float, image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    added = megabytes(built(image).root) - size_of_base
    with capsys.disabled():
        print(f" {added:.0f} MB in {image} over its base image ", end="")
    assert added < (BOUNDS | LARGE)[image]


def test_the_same_sources_make_the_same_files(built: Built, building: Builder, base: str) -> None:
    """Built once more without any cached layer; content, kind, owner, mode and time of every file are compared."""
    name = building.build("operator", base, tag="again", again=True)
    try:
        with building.opened(name) as second:
            first_files, second_files = described(built("operator").root), described(second.root)
    finally:
        building.remove(name)
    assert len(first_files) > 1000
    names = first_files.keys() | second_files.keys()
    assert [name for name in sorted(names) if first_files.get(name) != second_files.get(name)] == []


def tree(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")


def readable(path: Path) -> bool:
    """By everybody, and to be changed by root alone."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return (found.st_uid, found.st_gid) == (0, 0)
    needed = 0o005 if stat.S_ISDIR(found.st_mode) else 0o004
    return (found.st_uid, found.st_gid) == (0, 0) and found.st_mode & (0o022 | needed) == needed


def fits(byte_code: Path) -> bool:
    """Whether Python would take that byte code for its source (the header is PEP 552's)."""
    header = byte_code.read_bytes()[:16]
    source = Path(importlib.util.source_from_cache(str(byte_code)))
    by_hash = header[4] & 1
    if by_hash:
        return header[8:] == importlib.util.source_hash(source.read_bytes())
    found = source.stat()
    return header[8:] == int(found.st_mtime).to_bytes(4, "little") + found.st_size.to_bytes(4, "little")


def megabytes(root: Path) -> float:
    return sum({found.st_ino: found.st_size for found in map(Path.lstat, tree(root))}.values()) / 1e6


def described(root: Path) -> dict[str, tuple[object, ...]]:
    """Path -> what it is, to its content. The root itself is the mount's."""
    return {str(path.relative_to(root)): description(path) for path in root.rglob("*")}


def description(path: Path) -> tuple[object, ...]:
    found = path.lstat()
    kept = (stat.filemode(found.st_mode), found.st_uid, found.st_gid, int(found.st_mtime))
    if path.is_symlink():
        return (*kept, str(path.readlink()))
    return (*kept, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
