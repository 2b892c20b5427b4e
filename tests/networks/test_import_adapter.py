"""`profile-studio import-adapter`, and looks that the folder runner is given."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save

from profile_cli.__main__ import main
from profile_cli.errors import CommandError
from profile_cli.run.looks import brought, look_files
from profile_cli.run.settings import AREA
from profile_cli.run.webui_lines import webui_text
from profile_cli.styles import load_styles
from profile_contract.look_ref import LookRef, looks_of
from profile_contract.picture_size import PictureSize
from profile_contract.style import ProfileStyleSpec, SamplerName, Title
from profile_draw.layer_sizes import look_reader
from profile_models import random_sdxl
from profile_runtime.store.folder import FolderStore

LAYER = "up_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q"
KOHYA = "lora_unet_output_blocks_1_1_transformer_blocks_0_attn1_to_q"


@pytest.fixture
def kohya(random_models: Path, tmp_path: Path) -> Path:
    """A look of one layer, as kohya's trainer saves it."""
    size = look_reader(random_models, random_sdxl.NAME, 64).sizes[LAYER]
    random = torch.Generator().manual_seed(3)
    tensors = {
        f"{KOHYA}.lora_down.weight": torch.randn(2, size.inputs, generator=random),
        f"{KOHYA}.lora_up.weight": torch.randn(size.outputs, 2, generator=random),
        f"{KOHYA}.alpha": torch.tensor(1.0),
    }
    file = tmp_path / "rim.safetensors"
    file.write_bytes(save(tensors, {"ss_base_model_version": "sdxl_base_v1-0"}))
    return file


def imported(random_models: Path, file: Path, *words: str) -> int:
    return main(["import-adapter", str(file), "--models", str(random_models), "--base-model", random_sdxl.NAME, *words])


def test_an_adapter_that_fits_is_told_with_what_a_manifest_says_of_it(
    random_models: Path, kohya: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(random_models, kohya) == 0
    said = capsys.readouterr().out
    assert f"fits {random_sdxl.NAME}: it changes 1 layers (rank 2 in 1)" in said
    assert f"sha256: {hashlib.sha256(kohya.read_bytes()).hexdigest()}" in said
    assert "key: looks/rim.safetensors" in said


def test_what_is_converted_makes_the_same_change_of_the_same_layer(
    random_models: Path, kohya: Path, tmp_path: Path
) -> None:
    out = tmp_path / "converted.safetensors"
    assert imported(random_models, kohya, "--out", str(out)) == 0
    reader = look_reader(random_models, random_sdxl.NAME, 64)
    before, after = (reader.read(file.read_bytes(), "", torch.float32).layers[LAYER] for file in (kohya, out))
    assert after.scale == before.scale == 0.5
    assert torch.equal(after.down, before.down.half().float())
    assert torch.equal(after.up, before.up.half().float())
    assert set(load_file(out)) == {f"unet.{LAYER}.lora_A.weight", f"unet.{LAYER}.lora_B.weight"}


def test_what_cannot_be_imported_is_told_in_a_sentence_and_nothing_is_written(
    random_models: Path, kohya: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pickle, out = tmp_path / "rim.pt", tmp_path / "out.safetensors"
    pickle.write_bytes(b"\x80\x04" + b"x" * 100)
    cases = {
        (str(pickle),): "is a pickle",
        (str(kohya), "--maximum-rank", "1"): "rank 2 at",
        (str(tmp_path / "none.safetensors"),): "cannot be read",
        (str(kohya), "--base-model", "absent"): "holds no model 'absent'",
    }
    for words, text in cases.items():
        assert imported(random_models, Path(words[0]), *words[1:], "--out", str(out)) == 1
        assert text in capsys.readouterr().out
    assert not out.exists()
    assert imported(random_models, kohya, "--unet-only") == 1
    assert "say --out FILE" in capsys.readouterr().out


# --- the folder runner ---

STYLE = ProfileStyleSpec(
    title=Title(en="Rim"),
    prompt="portrait of {subject}",
    negative_prompt="hat",
    adapter_weight_percent=90,
    adapters=[LookRef(name="rim", weight_percent=35)],
)


def test_looks_are_given_by_the_names_that_styles_call_them(tmp_path: Path) -> None:
    file = tmp_path / "rim.safetensors"
    file.write_bytes(b"look")
    files = look_files([f"rim={file}"], {"golden": STYLE})
    store = FolderStore(tmp_path / "store")
    looks = looks_of(STYLE.adapters, brought(store, AREA, files))
    assert looks is not None
    assert [look.sha256 for look in looks] == [hashlib.sha256(b"look").hexdigest()]
    assert store.read(looks[0].key) == b"look"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "the style golden draws with the look 'rim': name its file, --look rim=FILE"),
        (["rim"], "say NAME=FILE"),
        (["rim=absent.safetensors"], "say NAME=FILE, with a file that is there"),
        (["grain={file}"], "no style draws with the look 'grain'; those of these styles: rim"),
    ],
)
def test_a_look_that_lacks_its_file_or_its_style_is_told(tmp_path: Path, given: list[str], text: str) -> None:
    file = tmp_path / "rim.safetensors"
    file.write_bytes(b"look")
    with pytest.raises(CommandError, match=text):
        look_files([word.format(file=file) for word in given], {"golden": STYLE})


def test_a_styles_file_names_its_looks(tmp_path: Path) -> None:
    file = tmp_path / "golden.yaml"
    document = {"kind": "ProfileStyle", "metadata": {"name": "golden"}, "spec": STYLE.document()}
    file.write_text(yaml.safe_dump(document))
    assert load_styles([str(file)]) == {"team_golden": STYLE}


def run_with(models: Path, look: Path, folder: Path) -> int:
    """The folder runner, of a style that draws with a look, and of a photo that nobody can use."""
    style, photo = folder / "golden.yaml", folder / "minji.jpg"
    document = {"kind": "ProfileStyle", "metadata": {"name": "golden"}, "spec": STYLE.document()}
    style.write_text(yaml.safe_dump(document))
    photo.write_bytes(b"\xff\xd8")
    words = ["run", str(photo), "--out", str(folder / "out"), "--style", str(style), "--look", f"rim={look}"]
    return main([*words, "--noun", "woman", "--models", str(models), "--base-model", random_sdxl.NAME])


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ((129, KOHYA, {}), "rank 129"),
        ((2, KOHYA.replace("blocks_0_attn1", "blocks_77_attn1"), {}), "blocks_77"),
        ((2, KOHYA, {"ss_base_model_version": "sd_v1"}), "was trained on the base model 'sd_v1'"),
    ],
    ids=["rank", "layers", "base"],
)
def test_a_look_that_cannot_be_drawn_with_is_refused_before_a_photo_is_looked_at(
    random_models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    form: tuple[int, str, dict[str, str]],
    text: str,
) -> None:
    rank, key, metadata = form
    size = look_reader(random_models, random_sdxl.NAME, 64).sizes[LAYER]
    look = tmp_path / "rim.safetensors"
    tensors = {
        f"{key}.lora_down.weight": torch.ones(rank, size.inputs),
        f"{key}.lora_up.weight": torch.ones(size.outputs, rank),
    }
    look.write_bytes(save(tensors, metadata))
    assert run_with(random_models, look, tmp_path) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "the look 'rim' cannot be drawn with" in said
    assert text in said
    assert "Nothing was trained." in said
    assert "or take the look out of the style" in said
    assert not (tmp_path / "out").exists()


def test_a_look_that_fits_hinders_no_run(random_models: Path, kohya: Path, tmp_path: Path) -> None:
    assert run_with(random_models, kohya, tmp_path) == 1
    # The photo does: the run has begun.
    assert (tmp_path / "out").exists()


def test_the_webui_is_told_the_same_prompt_weights_and_settings() -> None:
    size = PictureSize(896, 1152, steps=25, sampler=SamplerName.EULER)
    assert webui_text({"golden": STYLE}, "sks woman", size, 7) == (
        "# golden\n"
        "portrait of sks woman <lora:adapter-webui:0.9> <lora:rim:0.35>\n"
        "Negative prompt: hat\n"
        "Steps: 25, Sampler: Euler, CFG scale: 5, Seed: 7, Size: 896x1152\n"
    )
