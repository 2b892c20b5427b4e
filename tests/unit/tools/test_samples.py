"""Which picture stands for a style, and with what it is made."""

from __future__ import annotations

import pytest

from profile_cli.errors import CommandError
from profile_contract.stages.finish import Score
from profile_runtime.recipes import read_recipe_file
from profile_samples.drawing import CLONE, chosen_seed, demo_platform

RECIPE = read_recipe_file(CLONE / "models" / "studio-mini" / "recipe.yaml")


def _score(style: str, seed: int, likeness: int | None, faces: int = 1, height: float = 0.4) -> Score:
    return Score(style=style, seed=seed, key="k", faces=faces, likeness=likeness, face_height=height)


def test_one_seed_stands_for_all_styles_the_one_that_is_like_the_person_in_each() -> None:
    scores = [
        _score("warm", 1, 90), _score("cool", 1, 10),
        _score("warm", 2, 50), _score("cool", 2, 40),
        _score("warm", 3, 99),
        _score("warm", 4, 95), _score("cool", 4, 95, faces=2),
        _score("warm", 5, 95), _score("cool", 5, 95, height=0.1),
        _score("warm", 6, 49), _score("cool", 6, 40),
    ]  # fmt: skip
    assert chosen_seed(scores, ["warm", "cool"]) == 2
    with pytest.raises(CommandError, match="give more --candidates"):
        chosen_seed([_score("warm", 1, None, faces=0), _score("cool", 1, 60)], ["warm", "cool"])


def test_samples_are_made_as_the_demo_makes_portraits() -> None:
    platform = demo_platform()
    assert (platform.training.base_model, platform.training.control_model) == ("studio-mini", "studio-mini-controlnet")
    # One value of each file: the later file's where both say something.
    assert (platform.training.steps, platform.training.batch, platform.picture.steps) == (RECIPE.training.steps, 4, 20)
    assert platform.preprocess.resolution == platform.training.resolution == RECIPE.training.resolution
    drawn = RECIPE.generation
    assert (platform.picture.width, platform.picture.height) == (drawn.width, drawn.height)
