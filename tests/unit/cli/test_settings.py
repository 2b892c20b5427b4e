"""From arguments to a request and the stages' parameters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from profile_cli.__main__ import parser as program_parser
from profile_cli.errors import CommandError
from profile_cli.plugin.commands import parser
from profile_cli.request_options import REQUEST_OPTIONS, asked_for
from profile_cli.run.settings import (
    Choice,
    InstalledModels,
    choose_models,
    choose_with,
    picture_size,
    platform,
    request_spec,
)
from profile_cli.run.values import Values, read_values, values_of
from profile_contract.picture_size import PictureSize
from profile_contract.request import ProfileRequestSpec
from profile_contract.stages.chain import digests_of
from profile_contract.stages.train import AdapterLayers
from profile_contract.style import ProfileStyleSpec, Title
from profile_runtime.recipes import read_recipe_file
from profile_samples.drawing import demo_platform

CHOICE = Choice(
    noun="woman",
    layouts=["square", "resume"],
    asked={"portraits": 2, "candidates": 4, "seed": 7},
    minimum_photos=5,
    rank=8,
    steps=None,
    sampler_steps=None,
    resolution=None,
    base_model=None,
    control_model=None,
)
NOTHING = replace(CHOICE, minimum_photos=None, rank=None)
CHART = Path(__file__).resolve().parents[3] / "charts" / "profile-studio"
DEMO = [CHART / "values-cpu.yaml", CHART / "values-studio-mini.yaml"]
RECIPE = read_recipe_file(CHART / "recipes" / "studio-mini.yaml")
MINI = InstalledModels("studio-mini", "studio-mini-controlnet", 128, RECIPE)
MODELS = InstalledModels(base="base", control="control", resolution=1024)
STYLE = ProfileStyleSpec(title=Title(en="A"), prompt="portrait of {subject}")


def _model(folder: Path, name: str, latent: int = 16, blocks: int = 4) -> None:
    for part, config in (("unet", {"sample_size": latent}), ("vae", {"block_out_channels": [8] * blocks})):
        (folder / name / part).mkdir(parents=True)
        (folder / name / part / "config.json").write_text(json.dumps(config))


def test_the_best_model_that_is_there_is_taken_with_its_companion(tmp_path: Path) -> None:
    _model(tmp_path, "studio-random")
    (tmp_path / "studio-random-controlnet").mkdir()
    random = choose_models(tmp_path, None, None)
    assert (random.base, random.control, random.resolution) == ("studio-random", "studio-random-controlnet", 128)
    assert random.recipe.training.rank == 8
    _model(tmp_path, "stable-diffusion-xl-base-1.0", latent=128)
    assert choose_models(tmp_path, None, "").base == "stable-diffusion-xl-base-1.0"
    assert choose_models(tmp_path, None, "").resolution == 1024


def test_the_resolution_follows_the_vae(tmp_path: Path) -> None:
    _model(tmp_path, "mine", latent=32, blocks=3)
    assert choose_models(tmp_path, "mine", None) == InstalledModels("mine", "", 128)


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


def test_both_commands_ask_for_the_same_fields_and_only_for_those_that_are_said() -> None:
    words = ["--portraits", "2", "--minimum-likeness", "0"]
    created = parser().parse_args(["create", "minji", "photos", *words])
    ran = program_parser().parse_args(["run", "photos", "--out", "out", *words, "--seed", "7"])
    assert asked_for(created) == {"portraits": 2, "minimumLikeness": 0}
    assert asked_for(ran) == {"portraits": 2, "minimumLikeness": 0, "seed": 7}
    assert {row.field for row in REQUEST_OPTIONS} <= {
        field.alias or name for name, field in ProfileRequestSpec.model_fields.items()
    }
    with pytest.raises(SystemExit):
        parser().parse_args(["create", "minji", "photos", "--seed", "7"])


def test_a_request_holds_what_was_said() -> None:
    spec = request_spec(CHOICE, ["studio-warm"])
    assert (spec.subject.noun, spec.portraits, spec.candidates, spec.seed) == ("woman", 2, 4, 7)
    assert spec.minimum_likeness == 45
    assert platform(CHOICE, MODELS, accelerated=False).train_parameters(spec).rank == 8
    assert request_spec(replace(CHOICE, asked={"minimumLikeness": 0}), ["studio-warm"]).minimum_likeness == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"asked": {"portraits": 9}}, r"--portraits must not exceed --candidates \(9 > 8\)"),
        ({"layouts": ["poster"]}, "layouts"),
        ({"resolution": 100}, "resolution"),
    ],
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
    assert changed(replace(CHOICE, asked={**CHOICE.asked, "candidates": 6})) == {"styles", "finish"}
    assert changed(replace(CHOICE, rank=4)) == {"train", "styles", "finish"}
    assert changed(replace(CHOICE, resolution=512)) == {"preprocess", "train", "styles", "finish"}


def test_a_clusters_values_give_the_very_settings_of_that_cluster() -> None:
    assert platform(NOTHING, MINI, accelerated=True, values=read_values(DEMO)) == demo_platform()


def test_one_values_file_says_what_it_says_and_the_models_the_rest() -> None:
    demo = platform(NOTHING, MINI, accelerated=False, values=read_values(DEMO[1:]))
    training, framing, drawn = RECIPE.training, RECIPE.preprocess, RECIPE.generation
    assert (demo.training.rank, demo.training.steps, demo.training.learning_rate) == (32, training.steps, 1.5e-3)
    assert (demo.training.adapter_layers, demo.training.crops_per_photo) == (AdapterLayers.EVERYTHING, 1)
    assert (demo.training.resolution, demo.training.mixed_precision) == (training.resolution, "no")
    assert (demo.preprocess.face_percent, demo.preprocess.minimum_photos) == (framing.face_percent, 5)
    assert demo.preprocess.resolution == training.resolution
    assert drawn.width
    assert drawn.height
    strength = drawn.strength_percent
    assert strength
    assert demo.picture == PictureSize(
        drawn.width, drawn.height, 20, drawn.guidance_tenths, 100, 100, strength_percent=strength
    )
    assert demo.trained_strength_percent == drawn.trained_strength_percent
    assert demo.trained_strength_percent
    assert demo.trained_strength_percent > strength


def test_everything_that_decides_how_a_candidate_looks_is_taken() -> None:
    generation = {
        "width": 640, "height": 832, "steps": 8, "guidanceTenths": 30, "controlWeightPercent": 0,
        "controlEndPercent": 50, "batch": 2, "urlTemplate": "http://{name}",
    }  # fmt: skip
    values = values_of({"generation": generation, "gpu": {"enabled": False}})
    assert platform(NOTHING, MODELS, accelerated=True, values=values).picture == PictureSize(640, 832, 8, 30, 0, 50)


def test_options_win_over_values() -> None:
    values = values_of(
        {"training": {"rank": 16, "resolution": 512}, "generation": {"width": 640, "height": 832, "steps": 8}}
    )
    choice = replace(NOTHING, rank=8, resolution=768, sampler_steps=4, minimum_photos=3)
    found = platform(choice, MODELS, accelerated=True, values=values)
    assert found.train_parameters(request_spec(choice, ["a"])).rank == 8
    assert (found.training.resolution, found.preprocess.resolution, found.preprocess.minimum_photos) == (768, 768, 3)
    assert found.picture == PictureSize(672, 864, 4)


def test_without_values_nothing_is_different() -> None:
    assert platform(CHOICE, MODELS, accelerated=True, values=Values()) == platform(CHOICE, MODELS, accelerated=True)
    assert platform(CHOICE, MODELS, accelerated=True).picture == PictureSize(896, 1152, None)


def test_values_name_the_models_unless_another_base_is_chosen(tmp_path: Path) -> None:
    for name in ("theirs", "mine"):
        _model(tmp_path, name)
    for name in ("poses", "studio-random-controlnet"):
        (tmp_path / name).mkdir()
    values = values_of({"training": {"baseModel": "theirs", "controlModel": "poses"}})
    assert choose_with(tmp_path, NOTHING, values) == InstalledModels("theirs", "poses", 128)
    assert choose_with(tmp_path, replace(NOTHING, base_model="mine"), values) == InstalledModels("mine", "", 128)
    assert choose_with(tmp_path, replace(NOTHING, control_model=""), values) == InstalledModels("theirs", "", 128)
    with pytest.raises(CommandError, match="'theirs'"):
        choose_with(tmp_path / "nowhere", NOTHING, values)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"training": {"rnak": 8}}, "rnak"),
        ({"preprocess": {"facePercent": 90}}, "facePercent"),
        ({"generation": {"width": 130}}, "width"),
        ({"training": ["rank"]}, "mappings"),
        ({"preprocess": "all"}, "cannot be used"),
    ],
)
def test_values_that_the_chart_refuses_are_refused_here(document: dict[str, object], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        values_of(document)


def test_a_file_that_holds_no_values_is_said(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(CommandError, match="not a file of the chart's values"):
        read_values([tmp_path / "list.yaml"])
    with pytest.raises(CommandError, match="cannot be read"):
        read_values([tmp_path / "nothing.yaml"])
