"""Weights are loaded only as what they should be: pinned vision networks, model folders by their SHA256SUMS."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput, TryAgain
from profile_draw.config import EngineConfig
from profile_draw.pipeline import Pipeline
from profile_models import fetch
from profile_models.folders import models_folder
from profile_runtime import weights
from profile_runtime.weights import (
    POSE_WEIGHTS,
    SUMS,
    VARIABLE,
    VISION_SHA256,
    WeightsError,
    check_model,
    named_digests,
    read_sums,
    read_vision,
    sha256_of,
    write_sums,
)
from profile_train.model import load_base
from profile_vision import FaceReader, MaskReader, WeightsMissing
from profile_vision.landmarks import LandmarksReader
from profile_vision.people import PeopleReader
from properties import examples

VISION = models_folder() / "vision"
INDEX = b'{"_class_name": "StableDiffusionXLPipeline"}'
UNET = "unet/diffusion_pytorch_model.safetensors"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- vision networks ---------------------------------------------------------------------------------------------


def test_what_is_pinned_is_what_is_fetched() -> None:
    packages = (*fetch.WEIGHTS, *fetch.SECOND_RECOGNISER)
    assert {m.name: m.sha256 for package in packages for m in package.members} == dict(VISION_SHA256)


@pytest.fixture
def vision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the real networks, to be tampered with."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(weights.POSE_VARIABLE, raising=False)
    shutil.copytree(VISION, tmp_path / "vision")
    return tmp_path / "vision"


READERS: dict[str, Any] = {
    "yunet.onnx": FaceReader,
    "sface.onnx": FaceReader,
    "selfie_segmentation.tflite": MaskReader,
    POSE_WEIGHTS: PeopleReader,
    "pose_landmark_full.tflite": LandmarksReader,
}


@pytest.mark.parametrize("name", READERS)
def test_a_network_that_was_changed_is_not_loaded(vision: Path, name: str) -> None:
    content = bytearray((vision / name).read_bytes())
    content[len(content) // 2] ^= 1
    (vision / name).write_bytes(content)
    with pytest.raises((WeightsMissing, TryAgain), match=rf"{name} is not the one expected.*{VARIABLE}"):
        READERS[name](vision)


@pytest.mark.parametrize("name", READERS)
def test_a_network_that_is_missing_is_named(vision: Path, name: str) -> None:
    (vision / name).unlink()
    with pytest.raises((WeightsMissing, TryAgain), match=f"{name} is missing"):
        READERS[name](vision)


def test_the_right_networks_are_loaded(vision: Path) -> None:
    FaceReader(vision)
    MaskReader(vision)


def test_a_network_of_ones_own_is_named_by_its_digest(vision: Path) -> None:
    (vision / "sface.onnx").write_bytes(b"ours")
    with pytest.raises(WeightsError, match=sha256(b"ours")):
        read_vision(vision, "sface.onnx", {})
    own = {VARIABLE: f"sface.onnx={sha256(b'ours').upper()}, yunet.onnx={'0' * 64}"}
    assert read_vision(vision, "sface.onnx", own) == b"ours"
    with pytest.raises(WeightsError, match=r"yunet\.onnx is not the one expected"):
        read_vision(vision, "yunet.onnx", own)


def test_the_pose_network_has_a_variable_of_its_own(vision: Path) -> None:
    (vision / POSE_WEIGHTS).write_bytes(b"ours")
    assert read_vision(vision, POSE_WEIGHTS, {weights.POSE_VARIABLE: sha256(b"ours")}) == b"ours"


def test_a_network_that_nobody_pins_is_not_loaded(vision: Path) -> None:
    (vision / "other.onnx").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"other\.onnx is not the one expected"):
        read_vision(vision, "other.onnx", {})


@pytest.mark.parametrize("text", ["sface.onnx", "sface.onnx=", "=" + "0" * 64, "a=" + "0" * 63, "a=" + "g" * 64, "a:b"])
def test_what_names_no_digest_is_refused_by_name(text: str) -> None:
    with pytest.raises(WeightsError, match=f"{VARIABLE} holds '{text}'"):
        named_digests({VARIABLE: f"b={'1' * 64},{text}"})


def test_digests_stand_after_commas_spaces_or_lines() -> None:
    text = f" a={'1' * 64},b=required \n c/d={'A' * 64},, "
    assert named_digests({VARIABLE: text}) == {"a": "1" * 64, "b": "required", "c/d": "a" * 64}
    assert named_digests({}) == {}


# --- models ------------------------------------------------------------------------------------------------------


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with one model in it, its sums written."""
    monkeypatch.delenv(VARIABLE, raising=False)
    folder = tmp_path / "models" / "sdxl"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_bytes(INDEX)
    (folder / "README.md").write_text("notes")
    (folder / UNET).write_bytes(b"weights")
    write_sums(folder)
    return tmp_path / "models"


def test_sums_are_those_of_the_usual_command(models: Path) -> None:
    assert read_sums(models / "sdxl" / SUMS) == {"model_index.json": sha256(INDEX), UNET: sha256(b"weights")}
    command = ["sha256sum", "--check", "--quiet", SUMS]
    assert subprocess.run(command, cwd=models / "sdxl", check=False).returncode == 0
    assert check_model(models, "sdxl", {})


def test_a_model_without_sums_is_loaded_unless_they_are_asked_for(models: Path) -> None:
    (models / "sdxl" / SUMS).unlink()
    assert not check_model(models, "sdxl", {})
    for wanted in ("required", "0" * 64):
        with pytest.raises(WeightsError, match=r"SHA256SUMS is missing.*profile_models sums sdxl"):
            check_model(models, "sdxl", {VARIABLE: f"sdxl={wanted}"})
    assert not check_model(models, "sdxl", {VARIABLE: "other=required"})


def test_the_sums_themselves_can_be_pinned(models: Path) -> None:
    pinned = sha256((models / "sdxl" / SUMS).read_bytes())
    assert check_model(models, "sdxl", {VARIABLE: f"sdxl={pinned}"})
    assert check_model(models, "sdxl", {VARIABLE: "sdxl=required"})
    (models / "sdxl" / UNET).write_bytes(b"evil")
    write_sums(models / "sdxl")
    assert check_model(models, "sdxl", {})
    with pytest.raises(WeightsError, match=f"SHA256SUMS is not the one that {VARIABLE} names"):
        check_model(models, "sdxl", {VARIABLE: f"sdxl={pinned}"})


def test_a_changed_file_is_named(models: Path) -> None:
    (models / "sdxl" / UNET).write_bytes(b"weightz")
    with pytest.raises(WeightsError, match=rf"{UNET} has changed since SHA256SUMS was written.*bring the file back"):
        check_model(models, "sdxl", {})


def test_a_missing_file_is_named(models: Path) -> None:
    (models / "sdxl" / UNET).unlink()
    with pytest.raises(WeightsError, match=rf"{UNET} is missing"):
        check_model(models, "sdxl", {})


@pytest.mark.parametrize("file", ["unet/model.fp16.safetensors", "scheduler/scheduler_config.json", "evil.PT", "x.py"])
def test_a_file_that_a_loader_might_take_must_be_listed(models: Path, file: str) -> None:
    (models / "sdxl" / file).parent.mkdir(exist_ok=True)
    (models / "sdxl" / file).write_bytes(b"x")
    with pytest.raises(WeightsError, match=f"{file} is not listed"):
        check_model(models, "sdxl", {})


@pytest.mark.parametrize("file", [".cache/huggingface/download.json", "LICENSE.md", "sample.png", ".digest"])
def test_notes_and_hidden_files_may_lie_beside(models: Path, file: str) -> None:
    (models / "sdxl" / file).parent.mkdir(parents=True, exist_ok=True)
    (models / "sdxl" / file).write_bytes(b"x")
    assert check_model(models, "sdxl", {})


ZEROS = "0" * 64


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# nothing",
        "hello",
        f"{ZEROS[1:]}  a.json",
        f"{ZEROS}  ../vision/sface.onnx",
        f"{ZEROS}  /etc/passwd",
        f"{ZEROS} a.json",
        f"\\{ZEROS}  a.json",
    ],
)
def test_a_list_that_is_none_is_refused_with_a_sentence(models: Path, line: str) -> None:
    (models / "sdxl" / SUMS).write_text(f"{line}\n")
    with pytest.raises(WeightsError, match="write it anew"):
        check_model(models, "sdxl", {})


def test_an_endless_list_is_not_read(models: Path) -> None:
    (models / "sdxl" / SUMS).write_bytes(b"#" * (weights.LONGEST_SUMS + 1))
    with pytest.raises(WeightsError, match="longer than 1000000 bytes"):
        check_model(models, "sdxl", {})


@examples(100)
@given(st.binary(max_size=200))
def test_no_list_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-sums"
    path.write_bytes(content)
    try:
        listed = read_sums(path)
    except WeightsError:
        return
    assert all(
        len(digest) == 64 and not file.startswith("/") and ".." not in file.split("/")
        for file, digest in listed.items()
    )


def test_a_file_is_hashed_once_until_it_changes(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = hashlib.file_digest

    def watched(file: Any, name: str) -> Any:
        hashed.append(file.name)
        return real(file, name)

    monkeypatch.setattr(hashlib, "file_digest", watched)
    path = models / "sdxl" / "large.bin"
    path.write_bytes(b"one")
    assert sha256_of(path) == sha256_of(path) == sha256(b"one")
    assert hashed == [str(path)]
    state = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert sha256_of(path) == sha256(b"two")


def test_an_empty_folder_has_no_sums(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds no model"):
        write_sums(tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- those who load ------------------------------------------------------------------------------------------------


def test_the_trainer_loads_no_changed_base(models: Path) -> None:
    (models / "sdxl" / UNET).write_bytes(b"weightz")
    with pytest.raises(BadInput, match=rf"{UNET} has changed") as caught:
        load_base(models, "sdxl")
    assert caught.value.reason == Reason.MODEL_NOT_FOUND


def test_the_predictor_loads_no_changed_base_or_controlnet(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (models / "sdxl" / UNET).write_bytes(b"weightz")
    with pytest.raises(ValueError, match=rf"{UNET} has changed"):
        Pipeline.load(EngineConfig(models=models, base_model="sdxl"))
    (models / "sdxl" / UNET).write_bytes(b"weights")
    (models / "control").mkdir()
    (models / "control" / "config.json").write_text("{}")
    write_sums(models / "control")
    (models / "control" / "config.json").write_text("[]")
    from diffusers import StableDiffusionXLPipeline

    monkeypatch.setattr(StableDiffusionXLPipeline, "from_pretrained", lambda *_, **__: None)
    with pytest.raises(ValueError, match=r"control/config\.json has changed"):
        Pipeline.load(EngineConfig(models=models, base_model="sdxl", control_model="control"))
