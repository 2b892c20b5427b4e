"""The images' archive is a valid OCI layout, the same bytes for the same input, and says what the Dockerfiles say."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from profile_sandbox import images, runtime
from profile_sandbox.dockerfile import ImageConfig

CONFIG = ImageConfig(("python", "-m", "x"), ("--all",), "65532:65532", "/srv", {"PATH": "/a:/b", "LANG": "C.UTF-8"})


def read(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    content = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert len(content) == descriptor["size"]
    assert "sha256:" + hashlib.sha256(content).hexdigest() == descriptor["digest"]
    return content


def test_every_descriptor_leads_to_its_content() -> None:
    layer = images.layer(b"pause", ["crds", "operator"])
    files = read(images.archive([images.Image("localhost/a:dev", CONFIG), images.pause_image()], layer, "x86_64"))
    index = json.loads(files["index.json"])
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    names = [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]]
    assert names == ["localhost/a:dev", images.PAUSE]
    manifest = json.loads(blob(files, index["manifests"][0]))
    config = json.loads(blob(files, manifest["config"]))
    assert blob(files, manifest["layers"][0]) == layer
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["architecture"] == "amd64"
    assert config["config"] == {
        "Entrypoint": ["python", "-m", "x"],
        "Cmd": ["--all"],
        "User": "65532:65532",
        "WorkingDir": "/srv",
        "Env": ["LANG=C.UTF-8", "PATH=/a:/b"],
    }


def test_the_same_input_gives_the_same_bytes() -> None:
    def make() -> bytes:
        return images.archive([images.pause_image()], images.layer(b"pause", ["crds"]), "x86_64")

    assert make() == make()


def test_the_layer_holds_an_environment_of_the_clone_and_the_packages() -> None:
    with tarfile.open(fileobj=io.BytesIO(images.layer(b"pause", ["crds", "images/train"]))) as tar:
        names = tar.getnames()
        site = next(name for name in names if name.endswith("sandbox.pth"))
        lines = tar.extractfile(site).read().decode().splitlines()  # type: ignore[union-attr]
        assert tar.getmember("tmp").mode == 0o1777
        assert tar.getmember(f"{runtime.VENV[1:]}/bin/python").linkname == f"{runtime.PYTHON}/bin/python3"
    assert lines[:2] == [f"{runtime.SOURCES}/crds", f"{runtime.SOURCES}/images/train"]
    assert runtime.SITE_PACKAGES in lines[2]


def test_product_images_follow_their_dockerfiles(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        "FROM x\nENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app HF_HUB_OFFLINE=1\n"
        'USER 65532:65532\nENTRYPOINT ["python"]\n'
    )
    (image,) = images.product_images(tmp_path)
    assert image.name == "localhost/profile-studio/train:dev"
    assert image.config.user == "65532:65532"
    environment = image.config.environment
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["PATH"].startswith(f"{runtime.VENV}/bin:/opt/venv/bin:")
    assert "PYTHONPATH" not in environment
