"""Where things lie: the user's cache (shared by all clones) and a sandbox's state folder (its own)."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
MODULES = CLONE / "sandbox" / "modules"
ADD_ONS = CLONE / "sandbox" / "addons"
SERVICES = CLONE / "sandbox" / "services"
IMAGES = CLONE / "images"


def cache_root() -> Path:
    """The user's cache folder of the product, `$XDG_CACHE_HOME/profile-studio`."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "profile-studio"


def models_folder() -> Path:
    """The machine's folder of model weights, seen by every pod as /models."""
    return Path(os.environ.get("PROFILE_MODELS") or cache_root() / "models")


def pins_key(modules: Path = MODULES) -> str:
    """16 hex digits over everything that decides what is compiled: go.mod, go.sum and own sources."""
    digest = hashlib.sha256()
    for file in sorted(path for path in modules.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(modules)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def site_packages() -> Path:
    """The folder of the packages that this Python has: the machine's, which stay when `.venv` is made anew.

    Where `.venv` was not linked from them (`constraints/environment.py`), its own.
    """
    own = Path(sysconfig.get_path("purelib"))
    machine = Path(sys.prefix) / "linked-from" / own.relative_to(sys.prefix)
    return (machine if machine.exists() else own).resolve()


def base_python() -> Path:
    """The Python installation below the virtual environment."""
    return Path(sys.base_prefix).resolve()


@dataclass(frozen=True)
class State:
    """A sandbox's state folder. Everything it writes outside the cache is below it."""

    root: Path

    @property
    def id(self) -> str:
        """8 hex digits that tell sandboxes on one machine apart."""
        return hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:8]

    @property
    def record(self) -> Path:
        """Ports and process id, as JSON, while the sandbox stands."""
        return self.root / "sandbox.json"

    @property
    def status(self) -> Path:
        """What the supervisor says about its units, as JSON."""
        return self.root / "status.json"

    @property
    def secrets(self) -> Path:
        """The random passwords, as JSON, readable by the owner only."""
        return self.root / "secrets.json"

    @property
    def kubeconfig(self) -> Path:
        """For use on the machine: the forwarded loopback port, certificates inline."""
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Certificates and keys of the cluster."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Generated configuration of the programs, and the manifests to apply."""
        return self.root / "config"

    @property
    def run(self) -> Path:
        """What running programs write (etcd, kubelet): wiped at every start."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """A log file for each unit; kept after `down`."""
        return self.root / "logs"
