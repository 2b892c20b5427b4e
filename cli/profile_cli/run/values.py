"""Settings of a cluster, from the chart's values files, so that this machine measures and draws as it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError

from profile_cli.errors import CommandError
from profile_contract.picture_size import GenerationRecipe
from profile_contract.problems import problems_of
from profile_contract.recipe import BadRecipe, Recipe, recipe_of
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_runtime.yaml_file import BadYaml, read_yaml


class Drawing(GenerationRecipe):
    """What of the values' `generation` decides how a candidate looks; the rest of it is dropped."""

    model_config = ConfigDict(extra="ignore")


@dataclass(frozen=True)
class Values:
    """The fields that were said, in camelCase as the chart has them; nothing where no file was named.

    `recipe`: of a base model that brings none, as the chart is told of it.
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    drawing: Drawing = field(default_factory=Drawing)
    recipe: Recipe | None = None

    @property
    def base_model(self) -> str | None:
        """Folder name below the models folder."""
        return self.training.get("baseModel")

    def over(self, recipe: Recipe) -> Values:
        """These, and what a model's recipe says where these say nothing."""
        said = {name: value for name, value in self.drawing if value is not None}
        sections = recipe.values
        return Values(
            training={**sections["training"], **self.training},
            preprocess={**sections["preprocess"], **self.preprocess},
            drawing=Drawing.model_validate(sections["generation"]).model_copy(update=said),
            recipe=self.recipe,
        )

    def control_model(self, base_model: str | None) -> str | None:
        """The ControlNet said here; None where another base model was chosen, whose companion it is not."""
        return self.training.get("controlModel") if base_model in (None, self.base_model) else None


def read_values(files: Sequence[Path]) -> Values:
    """What the files say together, later ones winning. Raises CommandError for a file that cannot be used."""
    together: dict[str, Any] = {}
    for file in files:
        try:
            document = read_yaml(file)
        except BadYaml as error:
            raise CommandError(f"the values file {file} cannot be read: {error}") from error
        if not isinstance(document, dict):
            raise CommandError(f"{file} is not a file of the chart's values")
        together = merged(together, document)
    return values_of(together)


def merged(values: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Helm's way with values files: mappings are merged, everything else is replaced. Pure."""
    together = dict(values)
    for name, value in later.items():
        both = isinstance(value, dict) and isinstance(together.get(name), dict)
        together[name] = merged(together[name], value) if both else value
    return together


def values_of(document: Mapping[str, Any]) -> Values:
    """The sections of a chart's values that matter here. Pure. Raises CommandError for what the chart refuses."""
    training, preprocess, generation = (document.get(name) or {} for name in ("training", "preprocess", "generation"))
    try:
        TrainParameters.model_validate({"baseModel": "any", **training})
        PreprocessParameters.model_validate(preprocess)
        recipe = recipe_of(document["recipe"], "recipe") if document.get("recipe") else None
        return Values(training, preprocess, Drawing.model_validate(generation), recipe)
    except ValidationError as error:
        problems = problems_of(error)
        raise CommandError(f"these values cannot be used: {problems}") from error
    except BadRecipe as error:
        raise CommandError(f"these values cannot be used: {error}") from error
    except TypeError as error:
        raise CommandError("training, preprocess and generation must be mappings, as in the chart's values") from error
