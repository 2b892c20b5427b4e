"""Settings of a cluster, from the chart's values files, so that this machine measures and draws as it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_contract.candidates import PictureSize
from profile_contract.generation import PictureEdge
from profile_contract.model import Tolerant
from profile_contract.problems import problems_of
from profile_contract.stages.preprocess import PreprocessParameters
from profile_contract.stages.train import TrainParameters
from profile_contract.style import ControlEndPercent, ControlWeightPercent, GuidanceTenths, SamplerSteps


class Drawing(Tolerant):
    """What of the values' `generation` decides how a candidate looks."""

    width: PictureEdge | None = None
    height: PictureEdge | None = None
    steps: SamplerSteps | None = None
    guidance_tenths: GuidanceTenths | None = None
    control_weight_percent: ControlWeightPercent | None = None
    control_end_percent: ControlEndPercent | None = None

    def over(self, size: PictureSize) -> PictureSize:
        """The size with what is said here."""
        return PictureSize(
            width=self.width or size.width,
            height=self.height or size.height,
            steps=self.steps or size.steps,
            guidance_tenths=self.guidance_tenths,
            control_weight_percent=self.control_weight_percent,
            control_end_percent=self.control_end_percent,
        )


@dataclass(frozen=True)
class Values:
    """The fields that were said, in camelCase as the chart has them; nothing where no file was named."""

    training: Mapping[str, Any] = field(default_factory=dict)
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    drawing: Drawing = field(default_factory=Drawing)

    @property
    def base_model(self) -> str | None:
        """Folder name below the models folder."""
        return self.training.get("baseModel")

    def over(self, recipe: Values) -> Values:
        """These, and what a model's recipe says where these say nothing."""
        said = {name: value for name, value in self.drawing if value is not None}
        return Values(
            training={**recipe.training, **self.training},
            preprocess={**recipe.preprocess, **self.preprocess},
            drawing=recipe.drawing.model_copy(update=said),
        )

    def control_model(self, base_model: str | None) -> str | None:
        """The ControlNet said here; None where another base model was chosen, whose companion it is not."""
        return self.training.get("controlModel") if base_model in (None, self.base_model) else None


def read_values(files: Sequence[Path]) -> Values:
    """What the files say together, later ones winning. Raises CommandError for a file that cannot be used."""
    together: dict[str, Any] = {}
    for file in files:
        try:
            document = yaml.safe_load(file.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
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
    """The three sections of a chart's values that matter here. Pure. Raises CommandError for what the chart refuses."""
    training, preprocess, generation = (document.get(name) or {} for name in ("training", "preprocess", "generation"))
    try:
        TrainParameters.model_validate({"baseModel": "any", **training})
        PreprocessParameters.model_validate(preprocess)
        return Values(training, preprocess, Drawing.model_validate(generation))
    except ValidationError as error:
        problems = problems_of(error)
        raise CommandError(f"these values cannot be used: {problems}") from error
    except TypeError as error:
        raise CommandError("training, preprocess and generation must be mappings, as in the chart's values") from error
