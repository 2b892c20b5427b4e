"""How much of a photo is drawn anew: more of it where the person's adapter keeps the person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from profile_contract.picture_size import GenerationRecipe, PictureSize
from profile_contract.recipe import recipe_of
from profile_contract.request import Photos, ProfileRequestSpec, Training, TrainingMode
from profile_contract.stages.chain import Platform, digests_of
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_contract.style import Mode, ProfileStyleSpec, Title

TRAINED = ProfileRequestSpec(photos=Photos(prefix="uploads/minji/"), styles=["retouch"])
PREVIEW = TRAINED.model_copy(update={"training": Training(mode=TrainingMode.NONE)})
STYLE = ProfileStyleSpec(title=Title(en="Retouched"), prompt="{subject}, {tone}", mode=Mode.IMAGE_TO_IMAGE)
PLAIN = Platform(PreprocessParameters(), TrainParameters(base_model="mini"), PictureSize(160, 160, strength_percent=40))
BOTH = replace(PLAIN, trained_strength_percent=65)


def strength(spec: ProfileRequestSpec, platform: Platform) -> int:
    return platform.picture_for(spec).of(STYLE).strength_percent


@pytest.mark.parametrize(
    ("platform", "trained", "preview"),
    [
        (BOTH, 65, 40),
        (PLAIN, 40, 40),
        # Where the model says nothing of previews, the style does.
        (replace(BOTH, picture=PictureSize(160, 160)), 65, 60),
    ],
)
def test_with_an_adapter_more_may_be_drawn_anew(platform: Platform, trained: int, preview: int) -> None:
    assert strength(TRAINED, platform) == trained
    assert strength(PREVIEW, platform) == preview


def test_what_is_drawn_without_an_adapter_stays_where_the_other_strength_changes() -> None:
    def candidates(spec: ProfileRequestSpec, platform: Platform, mode: Mode = Mode.IMAGE_TO_IMAGE) -> str:
        styles = {"retouch": STYLE.model_copy(update={"mode": mode})}
        return digests_of(spec, "photos", styles, platform).styles["retouch"]

    assert candidates(PREVIEW, BOTH) == candidates(PREVIEW, PLAIN)
    assert candidates(TRAINED, BOTH) != candidates(TRAINED, PLAIN)
    assert candidates(TRAINED, BOTH, Mode.TEXT_TO_IMAGE) == candidates(TRAINED, PLAIN, Mode.TEXT_TO_IMAGE)


def test_it_is_said_of_requests_and_of_no_picture() -> None:
    recipe = GenerationRecipe(strength_percent=40, trained_strength_percent=65)
    assert recipe.over(PictureSize(160, 160)) == PictureSize(160, 160, strength_percent=40)


def test_a_recipe_says_it_in_the_words_of_the_values() -> None:
    recipe = recipe_of({"generation": {"trainedStrengthPercent": 65}}, "recipe.yaml")
    assert recipe.values["generation"] == {"trainedStrengthPercent": 65}
