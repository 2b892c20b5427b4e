"""Make the Python environment of this clone, or lock its versions anew.

Needs nothing but a Python of the standard library, so that it can run first on a bare machine. The
big environment (torch, diffusers, kserve, ...) is installed once per machine under the user's cache,
in a folder keyed by the digest of the constraints; every clone has a small `.venv` of its own that
looks into it and adds the clone's source folders.

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
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPONENTS = ("operator", "preprocess", "train", "predictor", "finish", "web")
# Blender's module wants older libraries than everything else: it stands alone, and only who renders people needs it.
APART = "people"
LOCK_FILE = ROOT / "constraints" / "linux-x86_64-py311.txt"
VENV = ROOT / ".venv"
STAMP = VENV / "profile-studio.stamp"
STARTED = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", nargs="?", choices=["make", "people", "lock"], default="make")
    command = parser.parse_args().command
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"env: the constraints are for Python 3.11, this is {sys.version.split()[0]}; set PYTHON=python3.11")
    try:
        {"make": make, "people": make_people, "lock": lock}[command]()
    except subprocess.CalledProcessError as error:
        sys.exit(f"env: '{Path(error.cmd[0]).name} {error.cmd[1]} ...' ended with exit code {error.returncode}")


def say(text: str) -> None:
    print(f"env: [{time.monotonic() - STARTED:4.0f} s] {text}", file=sys.stderr, flush=True)


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "profile-studio"


def make() -> None:
    """Make `.venv`, and the cached environment it looks into if this machine has none for these constraints."""
    cached = installed(LOCK_FILE, "about 3 GB to download, 6 GB on disk", warm_up=True)
    stamp = stamp_text(cached)
    if STAMP.exists() and STAMP.read_text() == stamp:
        return
    with only_one(VENV):
        link(cached)
        people = cached_environment(component_file(APART))
        if people.exists():
            link_people(people)
        STAMP.write_text(stamp)
    say(f".venv is ready (packages from {cached})")


def make_people() -> None:
    """A second environment, for Blender alone; `.venv/bin/people-python` runs in it."""
    cached = installed(component_file(APART), "about 500 MB to download", warm_up=False)
    link_people(cached)


def link_people(cached: Path) -> None:
    script = VENV / "bin" / "people-python"
    content = f'#!/bin/sh\nPYTHONPATH={ROOT / "workshop"}:{ROOT / "models"} exec {cached / "bin" / "python"} "$@"\n'
    if script.exists() and script.read_text() == content:
        return
    script.write_text(content)
    script.chmod(0o755)


def installed(lock_file: Path, size: str, *, warm_up: bool) -> Path:
    """The cached environment of a lock file; installed now if this machine has none for these constraints."""
    cached = cached_environment(lock_file)
    if not cached.exists():
        with only_one(cached):
            if not cached.exists():
                say(f"installing {len(pins(lock_file))} pinned packages once for this machine ({size})")
                install(cached, lock_file, warm_up=warm_up)
    return cached


def cached_environment(lock_file: Path) -> Path:
    """Where the packages of a lock file are on this machine, or would be."""
    return cache_folder() / "env" / hashlib.sha256(lock_file.read_bytes()).hexdigest()[:16]


def stamp_text(cached: Path) -> str:
    """What `.venv` depends on; it is made again when any of it changes."""
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return f"{cached}\n{sys.executable}\n{ROOT}\n{project}\n"


@contextlib.contextmanager
def only_one(target: Path) -> Iterator[None]:
    """Hold the lock of `target` among all processes of this machine; it ends with the process."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name.lstrip('.')}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is making {target.name}: waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def install(cached: Path, lock_file: Path, *, warm_up: bool) -> None:
    """Install every pinned package under a temporary name, and rename it when it is whole."""
    partial = cached.with_name(f".{cached.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    uv = installer()
    run(uv, "venv", "--quiet", "--python", sys.executable, str(partial))
    python = str(partial / "bin" / "python")
    run(uv, "pip", "sync", "--require-hashes", "--python", python, str(lock_file))
    if warm_up:
        say("writing byte code")
        # Some machines switch byte code off for everybody.
        run("env", "--unset=PYTHONDONTWRITEBYTECODE", python, str(ROOT / "constraints" / "warm_up.py"))
    partial.rename(cached)
    say(f"installed into {cached}")


def installer() -> str:
    """Path of the pinned `uv`, installed with pip under the cache where it is missing."""
    version = pins()["uv"]
    home = cache_folder() / "uv" / version
    with only_one(home):
        if not (home / "bin" / "uv").exists():
            shutil.rmtree(home, ignore_errors=True)
            run(sys.executable, "-m", "venv", str(home))
            requirement = home / "requirement.txt"
            requirement.write_text(requirement_with_hashes("uv"))
            pip = [str(home / "bin" / "python"), "-m", "pip"]
            run(*pip, "install", "--quiet", "--require-hashes", "-r", str(requirement))
    return str(home / "bin" / "uv")


def pins(lock_file: Path = LOCK_FILE) -> dict[str, str]:
    """Package name -> pinned version."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", lock_file.read_text(), re.MULTILINE))


def requirement_with_hashes(name: str) -> str:
    found = re.search(rf"^{re.escape(name)}==.*?(?=^\S|\Z)", LOCK_FILE.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit(f"env: {LOCK_FILE.name} does not pin {name}; run 'make lock'")
    return found.group(0)


def link(cached: Path) -> None:
    """Make `.venv`: an empty environment that sees the cached packages and this clone's sources."""
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV))
    site = next((VENV / "lib").glob("python3.*")) / "site-packages"
    shared = next((cached / "lib").glob("python3.*")) / "site-packages"
    (site / "profile_studio_env.pth").write_text(f"import site; site.addsitedir({str(shared)!r})\n")
    uv = str(cached / "bin" / "uv")
    python = str(VENV / "bin" / "python")
    options = "--quiet --no-deps --no-build-isolation --editable"
    run(uv, "pip", "install", "--python", python, *options.split(), str(ROOT))
    for distribution in metadata.distributions(path=[str(shared)]):
        for entry in distribution.entry_points.select(group="console_scripts"):
            write_script(entry)
    for program in (cached / "bin").iterdir():
        if program.read_bytes()[:4] == b"\x7fELF" and not program.name.startswith("python"):
            (VENV / "bin" / program.name).symlink_to(program)


def write_script(entry: metadata.EntryPoint) -> None:
    """A console script that runs under this clone's Python, so that it sees this clone's packages."""
    script = VENV / "bin" / entry.name
    if script.exists():
        return
    function = entry.attr or "main"
    imported = function.split(".")[0]
    code = f"import sys\nfrom {entry.module} import {imported}\nsys.exit({function}())\n"
    script.write_text(f"#!{VENV / 'bin' / 'python'}\n{code}")
    script.chmod(0o755)


def lock() -> None:
    """Resolve pyproject.toml into versions and hashes; the files name no index and no address.

    One file for everything, and one for each component that stands alone with the same versions.
    """
    # By default what is pinned stays and only changes of pyproject.toml count; UPGRADE=1 takes newer versions.
    compile_lock(LOCK_FILE, "--extra", "dev", *(["--upgrade"] if os.environ.get("UPGRADE") else []))
    for component in COMPONENTS:
        compile_lock(component_file(component), "--extra", component, "--constraints", str(LOCK_FILE), "--upgrade")
    compile_lock(component_file(APART), "--extra", APART)
    say(f"{LOCK_FILE.name}: {len(pins())} packages")


def component_file(component: str) -> Path:
    return LOCK_FILE.with_name(f"{component}-{LOCK_FILE.name}")


def compile_lock(target: Path, *options: str) -> None:
    what = "--quiet --python-version 3.11 --generate-hashes"
    form = "--no-header --no-annotate --no-emit-index-url --no-emit-find-links"
    uv = installer()
    run(uv, "pip", "compile", *what.split(), *form.split(), *options, "-o", str(target), str(ROOT / "pyproject.toml"))


# uv has settings of its own and does not read pip's: what this machine says in pip's names is handed on.
SETTINGS = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_CERT": "SSL_CERT_FILE", "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT"}


def run(*command: str) -> None:
    environment = {ours: os.environ[theirs] for theirs, ours in SETTINGS.items() if os.environ.get(theirs)}
    subprocess.run(command, check=True, env=environment | dict(os.environ))


if __name__ == "__main__":
    main()
