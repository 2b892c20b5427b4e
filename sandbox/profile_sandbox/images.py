"""Every image of the sandbox in one OCI archive of a few kilobytes.

All images share one layer: empty folders, users, a virtual environment's skeleton and the pause program. What a
container runs comes read-only from the machine through the base runtime spec (`runtime.py`), so an image takes no
time and no disk, and the same pod manifests run here and on a cluster with built images.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .dockerfile import ImageConfig, read_dockerfile
from .runtime import ARCHITECTURES, BINARIES, ENVIRONMENT, PYTHON, SOURCES, VENV

REGISTRY = "localhost/profile-studio"
REGISTRY_OF_SERVICES = "localhost/profile-sandbox"
TAG = "dev"
PAUSE = f"{REGISTRY_OF_SERVICES}/pause:{TAG}"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NON_ROOT = "65532:65532"


@dataclass(frozen=True)
class Image:
    """A named image: all of them share the layer, so the configuration is what tells them apart."""

    name: str
    config: ImageConfig


def pause_image() -> Image:
    """The image that holds a pod's namespaces open."""
    return Image(PAUSE, ImageConfig(entrypoint=("/pause",), user=NON_ROOT))


def product_images(folder: Path) -> list[Image]:
    """Images of the product, one for each `<folder>/NAME/Dockerfile`, with the machine's environment first on PATH."""
    return [
        Image(f"{REGISTRY}/{file.parent.name}:{TAG}", _on_this_machine(read_dockerfile(file)))
        for file in sorted(folder.glob("*/Dockerfile"))
    ]


def helper_image() -> Image:
    """The image of the sandbox's own Python programs that run in pods."""
    config = ImageConfig(entrypoint=("python", "-m"), user=NON_ROOT)
    return Image(f"{REGISTRY_OF_SERVICES}/python:{TAG}", _on_this_machine(config))


def service_images(programs: Mapping[str, Path | None]) -> list[Image]:
    """Images of the services: NAME -> the folder its programs are in, if that is not on the usual PATH."""
    images = []
    for name, folder in sorted(programs.items()):
        path = f"{BINARIES}:{SYSTEM_PATH}" if folder is None else f"{folder}:{SYSTEM_PATH}"
        config = ImageConfig(user=NON_ROOT, environment={"PATH": path})
        images.append(Image(f"{REGISTRY_OF_SERVICES}/{name}:{TAG}", config))
    return images


def _on_this_machine(config: ImageConfig) -> ImageConfig:
    rest = [part for part in config.environment.get("PATH", "").split(":") if part and "$" not in part]
    path = ":".join(dict.fromkeys([f"{VENV}/bin", *rest, *SYSTEM_PATH.split(":")]))
    environment = {key: value for key, value in config.environment.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    # A Python built as a shared library looks for it where it was installed, which is no place in a container.
    return replace(config, environment={**environment, "PATH": path, "LD_LIBRARY_PATH": f"{PYTHON}/lib"})


def layer(pause: bytes, source_folders: list[str]) -> bytes:
    """The one layer, as a tar archive: `source_folders` are the clone's import roots, relative to it."""
    packages = [f"{SOURCES}/{folder}" for folder in source_folders]
    site = f"import site; site.addsitedir({(ENVIRONMENT + '/lib/python/site-packages')!r})"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        _folder(archive, "tmp", 0o1777)
        for name in ("etc", "models", "opt/profile-studio/venv/bin"):
            _folder(archive, name)
        _file(archive, "etc/passwd", _PASSWD)
        _file(archive, "etc/group", _GROUP)
        _file(archive, "etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
        _file(archive, "pause", pause, 0o755)
        _file(archive, f"{VENV[1:]}/pyvenv.cfg", f"home = {PYTHON}/bin\n".encode())
        _link(archive, f"{VENV[1:]}/bin/python", f"{PYTHON}/bin/python3")
        _link(archive, f"{VENV[1:]}/bin/python3", "python")
        _file(archive, f"{VENV[1:]}/{_site_folder()}/sandbox.pth", "\n".join([*packages, site, ""]).encode())
    return stream.getvalue()


def archive(images: list[Image], layer_tar: bytes, machine: str) -> bytes:
    """An OCI image layout as a tar archive that `ctr images import` takes. Same input, same bytes."""
    blobs: dict[str, bytes] = {}

    def add(content: bytes) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"digest": f"sha256:{digest}", "size": len(content)}

    platform = {"architecture": ARCHITECTURES[machine], "os": "linux"}
    layer_blob = add(layer_tar)
    manifests = []
    for image in images:
        config = add(_json(_oci_config(image.config, platform, str(layer_blob["digest"]))))
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer_blob}],
        }
        manifests.append(
            {
                "mediaType": manifest["mediaType"],
                **add(_json(manifest)),
                "platform": platform,
                "annotations": {"io.containerd.image.name": image.name},
            }
        )
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        _file(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _file(tar, "index.json", _json(index))
        for digest, content in sorted(blobs.items()):
            _file(tar, f"blobs/sha256/{digest}", content)
    return stream.getvalue()


def _oci_config(config: ImageConfig, platform: Mapping[str, str], layer_digest: str) -> dict[str, object]:
    return {
        **platform,
        "config": {
            "Entrypoint": list(config.entrypoint),
            "Cmd": list(config.command),
            "User": config.user,
            "WorkingDir": config.folder,
            "Env": [f"{key}={value}" for key, value in sorted(config.environment.items())],
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "history": [],
    }


_PASSWD = b"root:x:0:0:root:/:/usr/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/usr/sbin/nologin\n"
_GROUP = b"root:x:0:\nnonroot:x:65532:\n"


def _site_folder() -> str:
    return f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _folder(archive: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    archive.addfile(info)


def _file(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    archive.addfile(info)
