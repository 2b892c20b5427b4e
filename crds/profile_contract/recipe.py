"""Recipe: what a base model says about itself, in `recipe.yaml` beside its weights.

How to train upon it, how to frame and to draw, which rare word it takes for a person, under which licence it is, and
whether it is a toy. A platform's values, and a request, override single fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from .model import Contract, digest_of
from .picture_size import GenerationRecipe
from .problems import problems_of
from .stages.order import ModelName
from .stages.preprocess import PreprocessRecipe
from .stages.train import Token, TrainingRecipe

# In a base model's folder.
RECIPE = "recipe.yaml"
MOST_BYTES = 64_000


class BadRecipe(ValueError):
    """A recipe cannot be used; the message names the file and the field, and says what to do."""


class Recipe(Contract):
    """What a base model says about itself. What it leaves out has the product's own defaults."""

    toy: str = Field(
        default="",
        max_length=500,
        description="For a model whose portraits are none to hand out: one or two sentences that say so in a terminal. "
        "Page and contact sheet then say it in their own words.",
    )
    licence: str = Field(default="", max_length=200, description="Under which the weights may be used.")
    token: Token | None = Field(
        default=None, description="The rare word that stands for the person in captions and prompts."
    )
    control_model: ModelName = Field(
        default="", description="The folder of its pose ControlNet, beside the model's own; empty: none."
    )
    training: TrainingRecipe = TrainingRecipe()
    preprocess: PreprocessRecipe = PreprocessRecipe()
    generation: GenerationRecipe = GenerationRecipe()

    @property
    def digest(self) -> str:
        """Of all that differs from the defaults: the same for recipes that say the same."""
        return digest_of(self.distinction())

    @property
    def values(self) -> dict[str, dict[str, Any]]:
        """What it says, in the sections and words of the chart's values; `baseModel` is not among them."""
        training = self.training.model_dump(mode="json", by_alias=True, exclude_unset=True)
        models = {"token": self.token, "controlModel": self.control_model or None}
        resolution = {"resolution": training["resolution"]} if "resolution" in training else {}
        framing = self.preprocess.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {
            "training": {**training, **{name: value for name, value in models.items() if value is not None}},
            # Photos are cut for the pixels that are trained at.
            "preprocess": {**resolution, **framing},
            "generation": self.generation.model_dump(mode="json", by_alias=True, exclude_none=True),
        }

    def differences(self, other: Recipe) -> list[str]:
        """The fields in which another recipe says something else, such as `training.rank`, in order."""
        mine, theirs = (_leaves(recipe.model_dump(mode="json", by_alias=True)) for recipe in (self, other))
        return sorted(name for name in mine if mine[name] != theirs[name])


def _leaves(document: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Each value by the names that lead to it, with dots between them."""
    leaves: dict[str, Any] = {}
    for name, value in document.items():
        leaves |= _leaves(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return leaves


def recipe_of(document: object, source: str) -> Recipe:
    """The recipe that a document says; `source`: the file, for messages. Raises BadRecipe."""
    try:
        return Recipe.model_validate({} if document is None else document)
    except ValidationError as error:
        raise BadRecipe(
            f"{source} is no recipe: {problems_of(error, whole='the file')}. docs/recipe.md lists the fields; take out "
            "or mend those that are named"
        ) from error
