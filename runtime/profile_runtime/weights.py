"""Weights of networks, checked by their sha256 before they are loaded: whoever may change them may change who is whom.

The vision networks must be the files that are pinned here. A model folder is checked against the SHA256SUMS file in
it, where there is one, in the form of the command `sha256sum`. $PROFILE_WEIGHTS_SHA256 says otherwise, or more:

    PROFILE_WEIGHTS_SHA256="sface.onnx=<sha256>,sdxl-base=<sha256 of its SHA256SUMS>,controlnet=required"
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

log = logging.getLogger(__name__)

VARIABLE = "PROFILE_WEIGHTS_SHA256"
# Of the pose network alone; older than the variable above.
POSE_VARIABLE = "PROFILE_POSE_SHA256"
POSE_WEIGHTS = "yolo11n-pose.pt"
VISION_SHA256: Mapping[str, str] = {
    POSE_WEIGHTS: "869e83fcdffdc7371fa4e34cd8e51c838cc729571d1635e5141e3075e9319dc0",
    "yunet.onnx": "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    "sface.onnx": "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    # A second recogniser, for evaluations alone.
    "dlib_resnet.dat": "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    "dlib_corners.dat": "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    "pose_landmark_full.tflite": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    "selfie_segmentation.tflite": "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
}

SUMS = "SHA256SUMS"
LONGEST_SUMS = 1_000_000
# Instead of a digest: the folder must have a SHA256SUMS file, whichever.
REQUIRED = "required"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SUMS_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
# What a loader might take; notes, licences and pictures beside it are nobody's business.
_LOADED = frozenset(
    {".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx", ".json", ".txt", ".model", ".py", ".yaml", ".yml"}
)

# (path, size, times of change, inode) -> sha256, for as long as the process lives: models are loaded more than once.
_known: dict[tuple[str, int, int, int, int], str] = {}


class WeightsError(ValueError):
    """Weights are missing, or not the expected ones, and were not loaded; the message says what to do."""


def named_digests(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What $PROFILE_WEIGHTS_SHA256 says: name of a file or model -> sha256, or REQUIRED. Raises WeightsError."""
    digests: dict[str, str] = {}
    if environment.get(POSE_VARIABLE):
        digests[POSE_WEIGHTS] = environment[POSE_VARIABLE].strip().lower()
    for entry in re.split(r"[,\s]+", environment.get(VARIABLE, "")):
        name, _, digest = entry.partition("=")
        digest = digest.lower()
        if entry and (not name or not (digest == REQUIRED or _SHA256.fullmatch(digest))):
            raise WeightsError(
                f"{VARIABLE} holds {entry!r}: write NAME=SHA256 with 64 hexadecimal digits, after commas"
            )
        if entry:
            digests[name] = digest
    return digests


def read_vision(folder: Path, name: str, environment: Mapping[str, str] = os.environ) -> bytes:
    """The content of a vision network's file, which is the expected one. Raises WeightsError."""
    path = folder / name
    if not path.is_file():
        raise WeightsError(f"{path} is missing: the vision networks belong into the folder 'vision' of the models")
    content = path.read_bytes()
    wanted = named_digests(environment).get(name, VISION_SHA256.get(name, ""))
    actual = hashlib.sha256(content).hexdigest()
    if actual != wanted:
        raise WeightsError(
            f"{path} is not the one expected and was not loaded (its sha256 is {actual}): "
            f"put the right file there, or, if it is yours, name its sha256 in {VARIABLE}"
        )
    return content


def check_model(models: Path, name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Check a model's folder against its SHA256SUMS; False where there is none and none is asked for.

    Raises WeightsError for a file that is missing, changed or not listed, and where SHA256SUMS itself is not the one
    that $PROFILE_WEIGHTS_SHA256 names.
    """
    folder = models / name
    wanted = named_digests(environment).get(name, "")
    path = folder / SUMS
    if not path.is_file():
        if not wanted:
            log.info("%s has no %s: its files are loaded as they are", folder, SUMS)
            return False
        raise WeightsError(
            f"{path} is missing, and {VARIABLE} asks for it: write it where the model was downloaded, "
            f"with `python -m profile_models sums {name}`"
        )
    if wanted not in ("", REQUIRED) and sha256_of(path) != wanted:
        raise WeightsError(
            f"{path} is not the one that {VARIABLE} names, so the model was not loaded: "
            "bring the model back as it was, or name the new sha256"
        )
    listed = read_sums(path)
    for file, digest in listed.items():
        _check_listed(folder, file, digest)
    for file in _loaded_files(folder):
        if file not in listed:
            raise WeightsError(
                f"{folder / file} is not listed in {SUMS}, so the model was not loaded: delete the file, "
                f"or, if it belongs to the model, write {SUMS} anew"
            )
    return True


def _check_listed(folder: Path, file: str, digest: str) -> None:
    """Raise WeightsError unless the file is there and is the one that was listed."""
    path = folder / file
    if not path.is_file():
        raise WeightsError(f"{path} is missing, and {SUMS} lists it: bring the model's files back, all of them")
    if sha256_of(path) != digest:
        raise WeightsError(
            f"{path} has changed since {SUMS} was written, so the model was not loaded: "
            f"bring the file back as it was, or, if the change is yours, write {SUMS} anew"
        )


def read_sums(path: Path) -> dict[str, str]:
    """The files that a SHA256SUMS file lists, relative to its folder, with their sha256. Raises WeightsError."""
    if path.stat().st_size > LONGEST_SUMS:
        raise WeightsError(f"{path} is longer than {LONGEST_SUMS} bytes: it is no list of a model's files")
    listed: dict[str, str] = {}
    for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _SUMS_LINE.fullmatch(line)
        file = PurePosixPath(match[2]) if match else PurePosixPath("/")
        if match is None or file.is_absolute() or ".." in file.parts:
            raise WeightsError(f"line {number} of {path} names no sha256 and file of this folder: write it anew")
        listed[file.as_posix()] = match[1].lower()
    if not listed:
        raise WeightsError(f"{path} lists no file: write it anew")
    return listed


def write_sums(folder: Path) -> Path:
    """Write a folder's SHA256SUMS, which `sha256sum --check` reads too. Raises WeightsError where it holds no model."""
    lines = [f"{sha256_of(folder / file)}  {file}\n" for file in _loaded_files(folder)]
    if not lines:
        raise WeightsError(f"{folder} holds no model")
    part = folder / f".{SUMS}.{os.getpid()}"
    part.write_text("".join(lines))
    part.replace(folder / SUMS)
    return folder / SUMS


def sums_text(digests: Mapping[str, str]) -> str:
    """What SHA256SUMS says of a model that lies in no folder yet: sha256 by file; what no loader reads is left out."""
    listed = {file: digest for file, digest in digests.items() if Path(file).suffix.lower() in _LOADED}
    return "".join(f"{digest}  {file}\n" for file, digest in sorted(listed.items()))


def model_digest(folder: Path) -> str:
    """What tells a model's weights from others of the same name: of its SHA256SUMS, which is checked before it is
    loaded, else of the files themselves; "" where neither is there. Raises WeightsError."""
    path = folder / SUMS
    listed = read_sums(path) if path.is_file() else {file: sha256_of(folder / file) for file in _loaded_files(folder)}
    lines = "".join(f"{digest}  {file}\n" for file, digest in sorted(listed.items()))
    return hashlib.sha256(lines.encode()).hexdigest() if lines else ""


def _loaded_files(folder: Path) -> Iterator[str]:
    """What a loader might read, in order; no dot files."""
    for path in sorted(folder.rglob("*")):
        file = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in file.parts)
        if not hidden and path.suffix.lower() in _LOADED and path.is_file():
            yield file.as_posix()


def sha256_of(path: Path) -> str:
    """The sha256 of a file, read in pieces; once a process, as long as size and time of change stay."""
    state = path.stat()
    key = (str(path.resolve()), state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    if key not in _known:
        with path.open("rb") as file:
            _known[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _known[key]
