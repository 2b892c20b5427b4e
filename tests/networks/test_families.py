"""Model families: which one a folder is of, and that trainer and predictor load the same files of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_draw.config import EngineConfig
from profile_draw.families.sdxl import Sdxl
from profile_draw.families.table import FAMILIES, family_of
from profile_draw.pipeline import Pipeline
from profile_draw.precision import drawn_in, variant_of
from profile_models import random_sdxl
from profile_train.model import load_base

UNET = "unet/diffusion_pytorch_model"


@pytest.fixture(scope="module")
def unsummed_models(random_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = shutil.copytree(random_models, tmp_path_factory.mktemp("unsummed") / "models")
    (models / random_sdxl.NAME / "SHA256SUMS").unlink()
    return models


def saved(models: Path, folder: Path, form: str) -> Path:
    """A models folder with the random model in half precision or not, its UNet whole or in four shards."""
    shutil.copytree(models / random_sdxl.NAME, folder / form)
    base = folder / form
    half, sharded = "half" in form, "shards" in form
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        base, local_files_only=True, dtype=torch.float16 if half else torch.float32
    )
    bytes_of_unet = sum(weight.nbytes for weight in pipeline.unet.parameters())
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        for file in (base / part).glob("*.safetensors*"):
            file.unlink()
        size = bytes_of_unet * 11 // 40 if sharded and part == "unet" else "1GB"
        getattr(pipeline, part).save_pretrained(base / part, variant="fp16" if half else None, max_shard_size=size)
    return folder


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("plain", [f"{UNET}.safetensors"]),
        ("plain-shards", [f"{UNET}-0000{number}-of-00004.safetensors" for number in range(1, 5)]),
        ("half", [f"{UNET}.fp16.safetensors"]),
        ("half-shards", [f"{UNET}.fp16-0000{number}-of-00004.safetensors" for number in range(1, 5)]),
    ],
)
def test_what_can_be_trained_on_can_be_drawn_with(
    unsummed_models: Path, tmp_path: Path, form: str, files: list[str]
) -> None:
    models = saved(unsummed_models, tmp_path, form)
    weights = (models / form / "unet").glob("*.safetensors")
    assert sorted(file.relative_to(models / form).as_posix() for file in weights) == files
    trained = load_base(models, form)
    drawn = Pipeline.load(EngineConfig(models, form, dtype="float32"))
    assert trained.unet.dtype is drawn.dtype is torch.float32
    for (name, mine), theirs in zip(trained.unet.named_parameters(), drawn.unet.parameters(), strict=True):
        assert torch.equal(mine, theirs), name


@pytest.mark.parametrize("plain", [True, False])
def test_a_vae_that_was_put_in_the_originals_place_is_read_though_the_originals_half_lies_there_too(
    unsummed_models: Path, tmp_path: Path, plain: bool
) -> None:
    """As one has it who downloads all half-precision files of SDXL, and the mended VAE, which comes in full alone."""
    models = saved(unsummed_models, tmp_path, "half")
    vae = Sdxl().load(models / "half").vae
    original = next(vae.parameters()).clone()
    with torch.no_grad():
        next(vae.parameters()).add_(1.0)
    if plain:
        vae.save_pretrained(models / "half" / "vae")
    drawn = Pipeline.load(EngineConfig(models, "half", dtype="float32"))
    trained = load_base(models, "half")
    for read in (next(drawn._base.vae.parameters()), next(trained.vae.parameters())):
        assert torch.allclose(read, original + plain, atol=1e-3)


def test_the_controlnet_that_portraits_are_drawn_with_can_be_trained_with(unsummed_models: Path) -> None:
    control = load_base(unsummed_models, random_sdxl.NAME, control=random_sdxl.CONTROL_NAME).control
    drawn = Sdxl().load_control(unsummed_models / random_sdxl.CONTROL_NAME, torch.float32)
    assert control is not None
    assert not control.training
    for (name, mine), theirs in zip(control.named_parameters(), drawn.parameters(), strict=True):
        assert torch.equal(mine, theirs), name
        assert not mine.requires_grad
    assert load_base(unsummed_models, random_sdxl.NAME).control is None
    with pytest.raises(BadInput, match="the control model 'openpose' is not in the models folder") as caught:
        load_base(unsummed_models, random_sdxl.NAME, control="openpose")
    assert caught.value.reason == Reason.MODEL_NOT_FOUND


@pytest.mark.parametrize(
    ("files", "variant"),
    [
        ([], None),
        (["diffusion_pytorch_model.safetensors"], None),
        (["diffusion_pytorch_model-00001-of-00002.safetensors"], None),
        (["diffusion_pytorch_model.fp16.safetensors"], "fp16"),
        (["diffusion_pytorch_model.fp16-00001-of-00002.safetensors"], "fp16"),
        (["diffusion_pytorch_model-00001-of-00002.fp16.safetensors"], "fp16"),
        (["model.fp16.safetensors"], "fp16"),
        (["diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors"], None),
        (["diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model-00001-of-00002.safetensors"], None),
        (["diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.non_ema.safetensors"], "fp16"),
        (["diffusion_pytorch_model.bf16.safetensors"], None),
        (["diffusion_pytorch_model.fp16.bin"], None),
    ],
)
def test_half_precision_is_read_where_there_is_nothing_else(
    tmp_path: Path, files: list[str], variant: str | None
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert variant_of(tmp_path) == variant


@pytest.mark.parametrize(
    ("wanted", "device", "dtype"),
    [
        ("auto", "cpu", torch.float32),
        ("auto", "cuda", torch.bfloat16),
        ("float16", "cuda", torch.float16),
        ("bfloat16", "cpu", torch.bfloat16),
    ],
)
def test_what_is_calculated_in(wanted: str, device: str, dtype: torch.dtype) -> None:
    assert drawn_in(wanted, torch.device(device)) is dtype  # type: ignore[arg-type]


# --- which family ---


def index(folder: Path, content: bytes) -> Path:
    (folder / "model_index.json").write_bytes(content)
    return folder


@pytest.mark.parametrize("name", ["StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline"])
def test_a_folder_tells_its_family(tmp_path: Path, name: str) -> None:
    assert isinstance(family_of(index(tmp_path, json.dumps({"_class_name": name}).encode())), Sdxl)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000, b"{}", b'{"_class_name": ["x"]}', b'{"_class_name": "Flux"}'],
)
def test_a_folder_of_no_family_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"model_index\.json (cannot be read|names the pipeline)"):
        family_of(index(tmp_path, content))
    with pytest.raises(BadInput, match=rf"the base model '{tmp_path.name}' cannot be loaded") as refused:
        load_base(tmp_path.parent, tmp_path.name)
    assert refused.value.reason == Reason.MODEL_NOT_FOUND
    with pytest.raises(ValueError, match=r"model_index\.json"):
        Pipeline.load(EngineConfig(tmp_path.parent, tmp_path.name))


def test_no_family_hides_another() -> None:
    names = [family.named for family in FAMILIES]
    assert not [(one, other) for one in names for other in names if one is not other and other.startswith(one)]
    for family in FAMILIES:
        assert family.ways.keys() == {(False, False), (False, True), (True, False), (True, True)}
        assert len(family.text_encoders) == len(family.tokenizers)
