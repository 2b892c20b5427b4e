"""The Python environment of this clone, and the locks that say what is in it.

Needs nothing but a Python of the standard library, so that it can run first on a bare machine: pip brings the pinned
uv, and uv does the rest. The packages (torch, diffusers, kserve, ...) are installed once per machine into the user's
cache, in a folder keyed by lock and interpreter; a clone's `.venv` is a copy of it by hard links, byte code included.

    python3.11 constraints/environment.py          make or refresh .venv
    python3.11 constraints/environment.py people   make Blender's environment, and .venv/bin/people-python for it
    python3.11 constraints/environment.py lock     resolve pyproject.toml again
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "constraints"
EVERYTHING = LOCKS / "dev.txt"
# Blender's module wants older libraries than everything else, and its wheels are for one Python alone: it stands apart,
# and only who renders people needs it.
PEOPLE = LOCKS / "people.txt"
PYTHONS = ((3, 11), (3, 13))
VENV = ROOT / ".venv"
STAMP = VENV / "profile-studio.stamp"
STARTED = time.monotonic()
# uv has settings of its own and does not read pip's: what this machine says in pip's names is handed on.
SETTINGS = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_CERT": "SSL_CERT_FILE",
    "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", nargs="?", choices=["make", "people", "lock"], default="make")
    command = parser.parse_args().command
    oldest, newest = ((3, 11), (3, 11)) if command == "people" else PYTHONS
    if not oldest <= sys.version_info[:2] <= newest:
        wanted = " to ".join(sorted({f"3.{oldest[1]}", f"3.{newest[1]}"}))
        sys.exit(f"env: Python {wanted} is needed, this is {platform.python_version()}; set PYTHON=python3.11")
    try:
        {"make": make_environment, "people": make_people_environment, "lock": lock}[command]()
    except subprocess.CalledProcessError as error:
        sys.exit(f"env: '{Path(error.cmd[0]).name} {error.cmd[1]} ...' ended with exit code {error.returncode}")


def make_environment() -> None:
    """Make `.venv`, and the machine's environment that it is linked from where these constraints have none."""
    environment = install_once(EVERYTHING, "about 3 GB to download, 6 GB on disk", warm_up=True)
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = f"{environment}\n{ROOT}\n{project}\n"
    if STAMP.exists() and STAMP.read_text() == stamp:
        return
    with alone(VENV):
        shutil.rmtree(VENV, ignore_errors=True)
        shutil.copytree(environment, VENV, symlinks=True, copy_function=link_or_copy)
        # What must outlive this folder, as a sandbox's pods, looks there.
        (VENV / "linked-from").symlink_to(environment)
        editable = "--quiet --no-deps --no-build-isolation --editable"
        run(str(uv()), "pip", "install", "--python", str(VENV / "bin" / "python"), *editable.split(), str(ROOT))
        if installed_at(PEOPLE).exists():
            write_people_python(installed_at(PEOPLE))
        STAMP.write_text(stamp)
    say(f".venv is ready (linked from {environment})")


def make_people_environment() -> None:
    """A second environment, for Blender alone; `.venv/bin/people-python` runs in it."""
    write_people_python(install_once(PEOPLE, "about 500 MB to download", warm_up=False))


def write_people_python(environment: Path) -> None:
    script = VENV / "bin" / "people-python"
    sources = f"{ROOT / 'workshop'}:{ROOT / 'models'}"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={sources} exec {environment / "bin" / "python"} "$@"\n')
    script.chmod(0o755)


def link_or_copy(source: str, target: str) -> None:
    """A hard link to `source`, or a copy where clone and cache lie on two file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def install_once(lock_file: Path, size: str, *, warm_up: bool) -> Path:
    """The machine's environment of a lock; installed now, under a temporary name until it is whole, if it is missing.

    `warm_up` writes the byte code of what the components import.
    """
    environment = installed_at(lock_file)
    if environment.exists():
        return environment
    with alone(environment):
        if environment.exists():
            return environment
        say(f"installing the packages of {lock_file.name} once for this machine ({size})")
        partial = environment.with_name(f".{environment.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        # Relocatable: its programs run under the Python beside them, wherever they were linked to.
        run(str(uv()), "venv", "--quiet", "--relocatable", "--python", sys.executable, str(partial))
        python = str(partial / "bin" / "python")
        run(str(uv()), "pip", "sync", "--require-hashes", "--python", python, str(lock_file))
        if warm_up:
            say("writing byte code")
            # Some machines switch byte code off for everybody.
            run("env", "--unset=PYTHONDONTWRITEBYTECODE", python, str(LOCKS / "warm_up.py"))
        partial.rename(environment)
        say(f"installed into {environment}")
    return environment


def installed_at(lock_file: Path) -> Path:
    """Where the packages of a lock are on this machine, or would be: one place for each lock and interpreter."""
    interpreter = f"{sys.base_prefix} {sys.version_info[:2]} {platform.machine()}"
    key = hashlib.sha256(lock_file.read_bytes() + interpreter.encode()).hexdigest()[:16]
    return cache_folder() / "env" / key


def uv() -> Path:
    """The program that the lock pins, installed with pip under the cache where it is missing."""
    requirement = re.search(r"^uv==(\S+).*(?:\n +--hash=.*)+", EVERYTHING.read_text(), re.MULTILINE)
    if requirement is None:
        sys.exit(f"env: {EVERYTHING.name} does not pin uv; run 'make lock'")
    home = cache_folder() / "uv" / requirement[1]
    with alone(home):
        if not (home / "bin" / "uv").exists():
            shutil.rmtree(home, ignore_errors=True)
            run(sys.executable, "-m", "venv", str(home))
            (home / "requirement.txt").write_text(requirement[0] + "\n")
            pip = [str(home / "bin" / "python"), "-m", "pip"]
            run(*pip, "install", "--quiet", "--require-hashes", "-r", str(home / "requirement.txt"))
    return home / "bin" / "uv"


def lock() -> None:
    """Resolve pyproject.toml into versions and hashes, for every Python and platform; no index and no address is named.

    One file for everything, and one for each image, which stands alone with the same versions.
    """
    # By default what is pinned stays and only changes of pyproject.toml count; UPGRADE=1 takes newer versions.
    resolve(EVERYTHING, *(["--upgrade"] if os.environ.get("UPGRADE") else []))
    for image in sorted(path.parent.name for path in ROOT.glob("images/*/Dockerfile")):
        resolve(LOCKS / f"{image}.txt", "--constraints", str(EVERYTHING), "--upgrade")
    resolve(PEOPLE)


def resolve(lock_file: Path, *options: str) -> None:
    """Lock the extra that the file is named after."""
    # Fewest: one version of a package for all, not the newest for each Python.
    what = "--quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes"
    form = "--no-header --no-annotate --no-emit-index-url --no-emit-find-links"
    target = ("--extra", lock_file.stem, "-o", str(lock_file), str(ROOT / "pyproject.toml"))
    run(str(uv()), "pip", "compile", *what.split(), *form.split(), *options, *target)
    say(f"{lock_file.name}: {len(re.findall('^[a-z].*==', lock_file.read_text(), re.MULTILINE))} packages")


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "profile-studio"


@contextlib.contextmanager
def alone(target: Path) -> Iterator[None]:
    """Hold the lock of `target` among all processes of this machine; it ends with the process."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name.lstrip('.')}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is making {target.name}: waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(*command: str) -> None:
    handed_on = {ours: os.environ[theirs] for theirs, ours in SETTINGS.items() if os.environ.get(theirs)}
    subprocess.run(command, check=True, env=handed_on | dict(os.environ))


def say(text: str) -> None:
    print(f"env: [{time.monotonic() - STARTED:4.0f} s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
