"""How containers run: containerd's configuration, the pod network, and the base runtime spec.

containerd merges a pod's mounts over the base runtime spec, so an image needs hardly any files of its own. The
machine's /usr, the Python installation, the environment's packages, the clone and the model weights come read-only
from the machine, at the same places in every container whatever their path on the machine is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from . import layout

# Places in a container. A pod's own volumes may cover /tmp, so nothing that must be seen lies there.
PYTHON = "/opt/profile-studio/python"
ENVIRONMENT = "/opt/profile-studio/environment"
SITE_PACKAGES = f"{ENVIRONMENT}/lib/python/site-packages"
SOURCES = "/opt/profile-studio/source"
VENV = "/opt/profile-studio/venv"
BINARIES = "/opt/profile-studio/bin"
MODELS = "/models"

# What programs of the machine need to run; of these, containers get what exists.
MACHINE = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl",
)
# Where Debian keeps PostgreSQL's server programs: by major version, and not on the PATH.
POSTGRES_FOLDERS = Path("/usr/lib/postgresql")
# Machine architectures that the images' archive can name -> what OCI calls them.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
NAMESPACES = ("pid", "ipc", "uts", "mount", "network")


def product_mounts() -> dict[str, str]:
    """Place in a container -> folder in the sandbox's mount namespace."""
    return {
        PYTHON: layout.BASE_PYTHON,
        SITE_PACKAGES: layout.SITE,
        SOURCES: layout.SOURCE,
        BINARIES: layout.PROGRAMS,
        MODELS: layout.MODELS,
    }


def machine_mounts(candidates: Iterable[str] = MACHINE) -> dict[str, str]:
    """The machine's own folders, at their own places."""
    return {place: place for place in candidates if Path(place).exists()}


def postgres_folder(root: Path = POSTGRES_FOLDERS) -> Path | None:
    """The folder of the newest PostgreSQL server's programs, None where there is none."""
    servers = sorted(root.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    return servers[-1].parent if servers else None


def base_spec(mounts: dict[str, str]) -> str:
    """The base runtime spec (OCI runtime spec 1.2) as JSON, with `mounts` (place -> source) bound read-only."""
    return json.dumps(
        {
            "ociVersion": "1.2.0",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": ["sh"],
                "cwd": "/",
                "noNewPrivileges": True,
                "env": [],
                "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted")},
            },
            "root": {"path": "rootfs"},
            "mounts": [*_kernel_mounts(), *(_bind(place, source) for place, source in mounts.items())],
            "linux": {
                "resources": {"devices": [{"allow": False, "access": "rwm"}]},
                "namespaces": [{"type": kind} for kind in NAMESPACES],
                "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"],
                "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            },
        },
        indent=1,
    )


def _kernel_mounts() -> list[dict[str, object]]:
    return [
        _special("/proc", "proc", "nosuid", "noexec", "nodev"),
        _special("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _special("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        _special("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),  # noqa: S108
        _special("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _special("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        _special("/run", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    ]


def _special(place: str, kind: str, *options: str) -> dict[str, object]:
    return {"destination": place, "type": kind, "source": kind, "options": list(options)}


def _bind(place: str, source: str) -> dict[str, object]:
    return {"destination": place, "type": "bind", "source": source, "options": ["rbind", "ro"]}


def containerd_config(pause: str) -> str:
    """containerd's configuration (TOML). Its folders are on the namespace's tmpfs: images are tiny, nothing is kept."""
    return f"""version = 3
root = "{layout.INSIDE}/containerd/root"
state = "{layout.INSIDE}/containerd/state"
# The opt plug-in would make a folder /opt/containerd on the machine; NRI and CDI look for files in /etc.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "{layout.CONTAINERD_SOCKET}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"
[plugins."io.containerd.cri.v1.runtime"]
  # Lowering a score below the parent's needs CAP_SYS_RESOURCE, which many virtual machines' root lacks.
  restrict_oom_score_adj = true
  enable_cdi = false
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      base_runtime_spec = "{layout.STATE}/config/base-spec.json"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "{layout.PROGRAMS}/runc"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{layout.PROGRAMS}"]
    conf_dir = "{layout.STATE}/config/cni"
"""


def pod_network() -> str:
    """The CNI configuration: a bridge in the sandbox's network namespace, addresses from a file."""
    return json.dumps(
        {
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "pods0",
                    "isGateway": True,
                    "ipMasq": False,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": f"{layout.INSIDE}/cni",
                        "ranges": [[{"subnet": layout.NODE_POD_RANGE}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                }
            ],
        }
    )
