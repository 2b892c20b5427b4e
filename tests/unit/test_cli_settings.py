"""From arguments to a request and the stages' parameters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from profile_cli.errors import CommandError
from profile_cli.folder.settings import Choice, Models, choose_models, picture_size, platform, request_spec
from profile_contract.candidates import PictureSize
from profile_contract.chain import digests_of
from profile_contract.style import ProfileStyleSpec, Title

CHOICE = Choice(
    noun="woman",
    layouts=["square", "resume"],
    portraits=2,
    candidates=4,
    seed=7,
    minimum_likeness=None,
    minimum_photos=5,
    rank=8,
    steps=None,
    sampler_steps=None,
    resolution=None,
    base_model=None,
    control_model=None,
)
MODELS = Models(base="base", control="control", resolution=1024)
STYLE = ProfileStyleSpec(title=Title(en="A"), prompt="portrait of {subject}")


def _model(folder: Path, name: str, latent: int = 16, blocks: int = 4) -> None:
    for part, config in (("unet", {"sample_size": latent}), ("vae", {"block_out_channels": [8] * blocks})):
        (folder / name / part).mkdir(parents=True)
        (folder / name / part / "config.json").write_text(json.dumps(config))


def test_the_best_model_that_is_there_is_taken_with_its_companion(tmp_path: Path) -> None:
    _model(tmp_path, "studio-random")
    (tmp_path / "studio-random-controlnet").mkdir()
    assert choose_models(tmp_path, None, None) == Models("studio-random", "studio-random-controlnet", 128)
    _model(tmp_path, "stable-diffusion-xl-base-1.0", latent=128)
    assert choose_models(tmp_path, None, "").base == "stable-diffusion-xl-base-1.0"
    assert choose_models(tmp_path, None, "").resolution == 1024


def test_the_resolution_follows_the_vae(tmp_path: Path) -> None:
    _model(tmp_path, "mine", latent=32, blocks=3)
    assert choose_models(tmp_path, "mine", None) == Models("mine", "", 128)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no base model"):
        choose_models(tmp_path, None, None)
    with pytest.raises(CommandError, match="'mine'"):
        choose_models(tmp_path, "mine", None)
    _model(tmp_path, "mine")
    with pytest.raises(CommandError, match="'poses'"):
        choose_models(tmp_path, "mine", "poses")
    (tmp_path / "mine" / "vae" / "config.json").unlink()
    with pytest.raises(CommandError, match="diffusers' SDXL layout"):
        choose_models(tmp_path, "mine", "")


def test_a_request_holds_what_was_said() -> None:
    spec = request_spec(CHOICE, ["studio-warm"])
    assert (spec.subject.noun, spec.portraits, spec.candidates, spec.seed) == ("woman", 2, 4, 7)
    assert spec.minimum_likeness == 45
    assert platform(CHOICE, MODELS, accelerated=False).train_parameters(spec).rank == 8
    assert request_spec(replace(CHOICE, minimum_likeness=0), ["studio-warm"]).minimum_likeness == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [({"portraits": 5}, "must not exceed"), ({"layouts": ["poster"]}, "layouts"), ({"resolution": 100}, "resolution")],
)
def test_what_the_api_refuses_is_refused_here(change: dict[str, object], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        request_spec(replace(CHOICE, **change), ["studio-warm"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("resolution", "width", "height"), [(1024, 896, 1152), (512, 448, 576), (128, 128, 128), (768, 672, 864)]
)
def test_pictures_have_sdxls_portrait_format(resolution: int, width: int, height: int) -> None:
    assert picture_size(resolution, None) == PictureSize(width, height, None)


def test_other_layouts_only_finish_and_another_rank_trains_again() -> None:
    def digests(choice: Choice) -> dict[str, object]:
        spec = request_spec(choice, ["a"])
        return vars(digests_of(spec, "photos", {"a": STYLE}, platform(choice, MODELS, accelerated=False)))

    def changed(choice: Choice) -> set[str]:
        return {stage for stage, digest in digests(choice).items() if digest != digests(CHOICE)[stage]}

    assert changed(replace(CHOICE, layouts=["square"])) == {"finish"}
    assert changed(replace(CHOICE, candidates=6)) == {"styles", "finish"}
    assert changed(replace(CHOICE, rank=4)) == {"train", "styles", "finish"}
    assert changed(replace(CHOICE, resolution=512)) == {"preprocess", "train", "styles", "finish"}
