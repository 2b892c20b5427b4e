"""Builds the product's images from their Dockerfiles with Debian's buildah: as root, without a daemon or a registry."""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "profile-studio" / "images"
# Which mounts stand: gone with the machine's start, as the mounts are.
MOUNTS = Path("/run/profile-studio-images")

BASE = "localhost/profile-studio-base"
SUITE = "bookworm"  # the Debian whose Python is 3.11
PACKAGES = "ca-certificates,python3.11,python3.11-venv"
# As in the official image: `python` and `pip` stand in /usr/local without byte code, and Debian's own modules are out
# of their sight. The empty file is where a build finds this machine's settings of pip, mounted over it.
AFTERWARDS = """\
python3.11 -m venv /usr/local
rm /usr/local/bin/[aA]ctivate*
find /usr/local -name __pycache__ -prune -exec rm -r {} +
touch /etc/pip.conf"""
SEARCHED = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"

# A release takes the commit's time. Here it must stay: with another one every layer would be built anew.
EPOCH = 1_700_000_000
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# What tells pip where to find packages. Hashes say which: no setting can bring in others.
SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")

# As a pod runs it: no capability, a root that cannot be written, an empty /tmp of its own, no network.
AS_POD = """\
set -eu
root=$1 user=$2
shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=1777 scratch "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind -o ro /dev "$root/dev"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
"""


class BuildError(RuntimeError):
    """A program failed; the end of what it said."""


@dataclass(frozen=True)
class BuiltImage:
    """An image, laid open: what it says about how to run, and its files below `root`."""

    config: dict[str, Any]
    root: Path

    @property
    def user(self) -> str:
        """Who runs in it, as numbers."""
        return str(self.config.get("User", ""))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it as a pod does; its output and its errors are one text."""
        # Every runtime sets HOME; to this, for a user whom the image does not name.
        variables = ["HOME=/", *self.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        return subprocess.run(
            [
                *("unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child", "sh", "-c", AS_POD, "sh"),
                *(str(self.root), self.user, "env", "-i", *variables, *command),
            ],
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )

    def start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its entry point."""
        return self.run(*self.config["Entrypoint"], *arguments)


@dataclass(frozen=True)
class Builder:
    """buildah with a storage of its own below the user's cache."""

    driver: str
    settings: Path

    def base(self) -> str:
        """The base image's name; made now, from Debian's packages, where this recipe's is missing."""
        key = hashlib.sha256("\n".join((SUITE, PACKAGES, AFTERWARDS, SEARCHED)).encode()).hexdigest()[:16]
        name = f"{BASE}:{key}"
        if not self._run("images", "--quiet", "--filter", f"reference={name}").strip():
            self._make_base(name)
        return name

    def build(self, image: str, base: str, *, tag: str = "dev", again: bool = False) -> str:
        """Build `images/<image>/Dockerfile`, and give the image's name; `again`: nothing is taken from the cache."""
        name = f"localhost/profile-studio/{image}:{tag}"
        self._run(
            *("bud", "--isolation", "chroot", "--timestamp", str(EPOCH)),
            *(["--no-cache"] if again else ["--layers"]),
            *("--build-arg", f"PYTHON_IMAGE={base}", "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}"),
            *("--volume", f"{self.settings}:/etc/pip.conf:ro", "--volume", f"{_certificates()}:{CERTIFICATES}:ro"),
            *("--file", f"images/{image}/Dockerfile", "--tag", name, "."),
        )
        return name

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[BuiltImage]:
        """An image's files, mounted while the context lasts."""
        config = json.loads(self._run("inspect", "--type", "image", name))["OCIv1"]["config"]
        container = self._run("from", "--pull-never", name).strip()
        try:
            yield BuiltImage(config, Path(self._run("mount", container).strip()))
        finally:
            self._run("rm", container)

    def remove(self, name: str) -> None:
        """Remove an image."""
        self._run("rmi", "--force", name)

    def prune(self) -> None:
        """Remove the layers that no image is made of any more."""
        self._run("rmi", "--prune")

    def _make_base(self, name: str) -> None:
        for old in self._run("images", "--quiet", "--filter", f"reference={BASE}").split():
            self.remove(old)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            archive = Path(folder) / "base.tar"
            hook = f"""chroot "$1" sh -euc {shlex.quote(AFTERWARDS)}"""
            _checked(
                *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", f"--customize-hook={hook}"),
                *(SUITE, str(archive), *_sources()),
            )
            container = self._run("from", "scratch").strip()
            try:
                self._run("add", container, str(archive), "/")
                self._run("config", "--env", f"PATH={SEARCHED}", "--env", "LANG=C.UTF-8", container)
                self._run("commit", "--quiet", container, name)
            finally:
                self._run("rm", container)

    def _run(self, *arguments: str) -> str:
        return _buildah(self.driver, *arguments)


@contextlib.contextmanager
def builder() -> Iterator[Builder]:
    """The builder of this machine, for one at a time: clones share the storage and its cached layers."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock, tempfile.NamedTemporaryFile("w", prefix="pip-") as settings:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings.write(_pip_settings())
        settings.flush()
        yield Builder(_driver(), Path(settings.name))


def _driver() -> str:
    """Layers over each other where the kernel can, else a copy of everything for each."""
    try:
        _buildah("overlay", "info")
    except BuildError:
        return "vfs"
    return "overlay"


def _pip_settings() -> str:
    """This machine's settings of pip, for the time of a build: they are mounted, and no image keeps them."""
    files = configparser.ConfigParser(interpolation=None)
    files.read(["/etc/pip.conf", *(Path.home() / place for place in (".pip/pip.conf", ".config/pip/pip.conf"))])
    found = {
        name: value for section in ("global", "install") if section in files for name, value in files.items(section)
    }
    found |= {name: value for name in SETTINGS if (value := os.environ.get(f"PIP_{name.upper().replace('-', '_')}"))}
    kept = [f"{name} = {found[name]}" for name in SETTINGS if name in found]
    return "\n".join(["[global]", f"cert = {CERTIFICATES}", "disable-pip-version-check = 1", *kept, ""])


def _certificates() -> str:
    """The certificates that this machine trusts; its index may have one of its own."""
    return os.environ.get("PIP_CERT") or CERTIFICATES


def _sources() -> list[str]:
    """Where this machine gets that Debian's packages, if it runs it; else mmdebstrap knows where."""
    if f"VERSION_CODENAME={SUITE}" not in Path("/etc/os-release").read_text().splitlines():
        return []
    files = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
    return [str(file) for file in files if file.exists()]


def _buildah(driver: str, *arguments: str) -> str:
    places = ("--root", str(CACHE / "storage"), "--runroot", str(MOUNTS), "--storage-driver", driver)
    return _checked("buildah", *places, *arguments)


def _checked(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).splitlines()[-40:]
        raise BuildError("\n".join([f"'{shlex.join(command[:8])} ...' ended with {done.returncode}", *said]))
    return done.stdout
