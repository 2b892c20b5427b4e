"""Recipes: what a base model may say about itself, who overrides it, and how a wrong one is model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from profile_contract.model import Contract
from profile_contract.picture_size import PictureSize
from profile_contract.recipe import BadRecipe, Recipe, recipe_of
from profile_contract.schema.reference import recipe_page, recipe_schema
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_contract.style import SamplerName
from profile_models.model_recipe import KNOWN, recipe_for
from profile_runtime.recipes import read_recipe, read_recipe_file
from properties import examples

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "profile-studio"
MINI = ROOT / "models" / "studio-mini" / "recipe.yaml"


# --- the schema --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "the file: "),
        ("toyy: x", "toyy: "),
        ("toy: [1]", "toy: "),
        (f"toy: {'x' * 501}", "toy: "),
        ("training: {rnak: 8}", r"training\.rnak: "),
        ("training: {baseModel: other}", r"training\.baseModel: "),
        ("training: {noun: woman}", r"training\.noun: "),
        ("training: {token: a}", r"training\.token: "),
        ("training: {learningRate: .nan}", r"training\.learningRate: "),
        ("controlModel: ../other", "controlModel: "),
        ("token: '{subject}'", "token: "),
        ("preprocess: {minimumPhotos: 1}", r"preprocess\.minimumPhotos: "),
        ("generation: {width: 130}", r"generation\.width: "),
        ("generation: {batch: 2}", r"generation\.batch: "),
        ("generation: {sampler: Magic}", r"generation\.sampler: "),
        ("training: 3", "training: "),
        ("a: [", "cannot be read as YAML"),
        ("[" * 9000, "cannot be read as YAML"),
        ("#" * 64_001, "more than 64000 bytes"),
        ("toy: !!python/object/apply:os.system [x]", "cannot be read as YAML"),
    ],
)
def test_a_wrong_recipe_is_told_with_its_file_and_field(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(BadRecipe, match=said) as failed:
        read_recipe(tmp_path)
    assert str(failed.value).startswith(str(tmp_path / "recipe.yaml"))


def test_a_folder_may_have_none_and_an_empty_one_says_nothing(tmp_path: Path) -> None:
    assert read_recipe(tmp_path) is None
    (tmp_path / "recipe.yaml").write_text("")
    assert read_recipe(tmp_path) == Recipe()
    assert Recipe().values == {"training": {}, "preprocess": {}, "generation": {}}


def test_a_number_that_yaml_reads_as_a_text_is_a_number() -> None:
    """YAML 1.1 takes 1e-4, without a point, for a text."""
    assert recipe_of(yaml.safe_load("training: {learningRate: 1e-4}"), "r").training.learning_rate == 1e-4


def test_its_values_are_those_of_the_stages() -> None:
    document = yaml.safe_load(MINI.read_text())
    values, resolution = Recipe.model_validate(document).values, document["training"]["resolution"]
    training = TrainParameters.model_validate({"baseModel": "studio-mini", **values["training"]})
    assert (training.rank, training.learning_rate, training.resolution) == (32, 1.5e-3, resolution)
    assert (training.control_model, training.token) == ("studio-mini-controlnet", "sks")
    framing = PreprocessParameters.model_validate(values["preprocess"])
    assert (framing.face_percent, framing.resolution) == (document["preprocess"]["facePercent"], resolution)
    assert values["generation"] == document["generation"]


SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "toy": st.text(max_size=20),
        "token": st.sampled_from(["sks", "ohwx"]),
        "training": st.fixed_dictionaries(
            {}, optional={"rank": st.integers(1, 128), "steps": st.integers(1, 900) | st.none()}
        ),
        "preprocess": st.fixed_dictionaries({}, optional={"facePercent": st.integers(25, 60)}),
        "generation": st.fixed_dictionaries(
            {}, optional={"steps": st.integers(1, 150), "sampler": st.sampled_from([*SamplerName])}
        ),
    },
)


@examples(100)
@given(SECTIONS, SECTIONS)
def test_two_recipes_have_one_digest_where_they_differ_in_nothing(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = Recipe.model_validate(one), Recipe.model_validate(other)
    assert (first.digest == second.digest) == (first.differences(second) == [])
    assert first.differences(second) == second.differences(first)


def test_what_differs_is_named() -> None:
    mine = Recipe.model_validate({"training": {"rank": 16}, "generation": {"steps": 20}})
    theirs = Recipe.model_validate({"training": {"rank": 8}, "generation": {"steps": 20}, "toy": "a"})
    assert mine.differences(theirs) == ["toy", "training.rank"]
    # What is the default may be said or not.
    assert Recipe.model_validate({"training": {"rank": 32}}).digest == Recipe().digest


def test_sections_hold_no_field_that_stages_do_not_know() -> None:
    def names(model: type[Contract]) -> set[str]:
        return set(model.model_fields)

    recipe = Recipe.model_fields
    assert names(type(recipe["training"].default)) < names(TrainParameters)
    assert names(type(recipe["preprocess"].default)) < names(PreprocessParameters)
    # What is seen around the head is a request's affair, and whether its person has an adapter.
    generation = names(type(recipe["generation"].default)) - {"trained_strength_percent"}
    assert generation == set(PictureSize.__dataclass_fields__) - {"room"}


# --- the recipes that come with the product ----------------------------------------------------------------------


def test_the_charts_recipes_are_those_of_the_models() -> None:
    sources = {file.name: file for file in KNOWN.glob("*.yaml")} | {"studio-mini.yaml": MINI}
    assert {file.name for file in (CHART / "recipes").iterdir()} == set(sources)
    for name, file in sources.items():
        assert (CHART / "recipes" / name).read_text() == file.read_text(), "make crds"
        assert read_recipe_file(file).licence or read_recipe_file(file).toy


def test_the_page_of_fields_is_generated() -> None:
    assert (ROOT / "docs" / "recipe.md").read_text() == recipe_page(), "make crds"
    assert (ROOT / "models" / "recipe.schema.json").read_text() == recipe_schema(), "make crds"


def test_sdxls_recipe() -> None:
    recipe = read_recipe_file(KNOWN / "stable-diffusion-xl-base-1.0.yaml")
    training, drawing = recipe.training, recipe.generation
    assert (training.rank, training.learning_rate, training.resolution, training.mixed_precision) == (
        32, 1e-4, 1024, "bf16",
    )  # fmt: skip
    assert (drawing.width, drawing.height, drawing.sampler) == (896, 1152, SamplerName.EULER)
    assert drawing.pose_line_thousandths is not None
    # Tools that support xinsir's ControlNet draw lines of 24 px at this size.
    assert round(drawing.pose_line_thousandths * 1152 / 1000) == 24
    assert (recipe.token, recipe.toy) == ("ohwx", "")
    # Every style brings its own, written for this model.
    assert (drawing.steps, drawing.guidance_tenths, drawing.control_weight_percent) == (None, None, None)


# --- which one holds for a folder --------------------------------------------------------------------------------


def _unet(folder: Path, config: str) -> Path:
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "config.json").write_text(config)
    return folder


SDXL_UNET = '{"block_out_channels": [320, 640, 1280], "cross_attention_dim": 2048, "sample_size": 128}'
SMALL_UNET = '{"block_out_channels": [64, 96, 160], "cross_attention_dim": 128, "sample_size": 16}'


def test_a_folders_own_recipe_holds_without_a_word(tmp_path: Path) -> None:
    folder = _unet(tmp_path / "tuned", SDXL_UNET)
    (folder / "recipe.yaml").write_text("training: {rank: 8}")
    model = recipe_for(folder)
    assert (model.recipe.training.rank, model.remark) == (8, "")


def test_what_has_sdxls_structure_gets_sdxls_recipe_and_it_is_said(tmp_path: Path) -> None:
    model = recipe_for(_unet(tmp_path / "tuned", SDXL_UNET))
    assert model.recipe == read_recipe_file(KNOWN / "stable-diffusion-xl-base-1.0.yaml")
    assert model.remark == "tuned brings no recipe.yaml and has SDXL's structure: SDXL's recipe is taken"


@pytest.mark.parametrize("config", [SMALL_UNET, "[]", "{", "null"])
def test_what_has_not_gets_the_defaults_and_it_is_said(tmp_path: Path, config: str) -> None:
    model = recipe_for(_unet(tmp_path / "small", config))
    assert (model.recipe, model.recipe.digest) == (Recipe(), Recipe().digest)
    assert "the product's defaults are taken" in model.remark


def test_a_known_name_gets_its_recipe(tmp_path: Path) -> None:
    model = recipe_for(_unet(tmp_path / "studio-random", SMALL_UNET))
    assert "noise" in model.recipe.toy
    assert "the product's own is taken" in model.remark
