"""A finished request, and a platform that changes behind its back."""

from __future__ import annotations

from operator_world import CONFIG, STYLES, World
from profile_contract.recipe import Recipe
from profile_operator.config import OperatorConfig

OTHER = {name: style.model_copy(update={"prompt": "{subject}, other"}) for name, style in STYLES.items()}


def settings_of(rank: int = 8, minimum: int = 6, mark: bool = True) -> OperatorConfig:
    """The configuration with other defaults."""
    return CONFIG.model_copy(
        update={
            "training": CONFIG.training.model_copy(update={"rank": rank}),
            "preprocess": CONFIG.preprocess.model_copy(update={"minimum_photos": minimum}),
            "finish": CONFIG.finish.model_copy(update={"visible_mark": mark}),
            "generation": CONFIG.generation.model_copy(update={"width": 640}),
        }
    )


def with_recipe() -> OperatorConfig:
    """The configuration as a chart makes it of a recipe that draws with another sampler."""
    recipe = Recipe.model_validate({"generation": {"sampler": "Euler"}})
    drawing = CONFIG.generation.model_copy(update={"sampler": recipe.generation.sampler})
    return CONFIG.model_copy(update={"recipe": recipe, "generation": drawing})


def finished() -> World:
    world = World().run()
    world.created, world.generated, world.writes = [], [], []
    return world


def nothing_ran(world: World) -> bool:
    return (world.created, world.generated) == ([], [])
