"""Cell: one picture of a sheet, and what it is drawn with. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from profile_cli.errors import CommandError
from profile_contract.look_ref import MOST_LOOKS, LookRef
from profile_contract.picture_size import PictureSize
from profile_contract.problems import problems_of
from profile_contract.style import ProfileStyleSpec, SamplerName

from .axes import Axis, AxisValue, check_axes

# What of a picture's size and sampling an axis says instead of style and recipe.
_OF_THE_SIZE = {
    "steps": "steps",
    "guidance": "guidance_tenths",
    "strength": "strength_percent",
    "control": "control_weight_percent",
    "sampler": "sampler",
}
NOBODY = "none"
# Column, row and part.
Place = tuple[int, int, int]


@dataclass(frozen=True)
class CellSetting:
    """What one picture is drawn with.

    `adapter`: the person's by name, NOBODY for none; `looks`: weights in per cent by name beside those of the style, 0
    for none; `words`: what is replaced in the prompt; `sampling`: what is said instead of style and recipe.
    """

    base_model: str
    style: str
    adapter: str
    seed: int
    pose: str
    weight: int | None = None
    looks: Mapping[str, int] = field(default_factory=dict)
    words: tuple[str, str] | None = None
    sampling: Mapping[str, AxisValue] = field(default_factory=dict)

    def changed(self, axis: Axis, value: AxisValue) -> CellSetting:
        """The same with a value of an axis."""
        updates: dict[str, Any] = {
            "seed": {"seed": value},
            "weight": {"weight": value},
            "look": {"looks": {**self.looks, axis.name: value}},
            "prompt": {"words": (axis.values[0], value)},
            "style": {"style": value},
            "pose": {"pose": value},
            "adapter": {"adapter": value},
            "base-model": {"base_model": value},
        }
        said = {_OF_THE_SIZE[axis.kind]: value} if axis.kind in _OF_THE_SIZE else {}
        return replace(self, **updates.get(axis.kind, {"sampling": {**self.sampling, **said}}))

    def styled(self, styles: Mapping[str, ProfileStyleSpec]) -> ProfileStyleSpec:
        """The style as this picture asks for it. Raises CommandError where that is no style any more, or where its
        prompt does not hold the words that are replaced."""
        style = styles[self.style]
        document = style.model_dump()
        if self.words is not None:
            search, put = self.words
            if search not in style.prompt:
                raise CommandError(
                    f"the prompt of the style {self.style} does not hold {search!r}, the first value of the axis "
                    f"prompt: begin it with words that stand there: {style.prompt}"
                )
            document["prompt"] = style.prompt.replace(search, put)
        if self.weight is not None:
            document["adapter_weight_percent"] = self.weight
        weights = {ref.name: ref.weight_percent for ref in style.adapters or ()} | dict(self.looks)
        refs = [LookRef(name=name, weight_percent=percent) for name, percent in weights.items() if percent]
        if len(refs) > MOST_LOOKS:
            raise CommandError(f"a picture is drawn with {MOST_LOOKS} looks at most, beside the person: leave some out")
        document["adapters"] = refs or None
        try:
            return ProfileStyleSpec.model_validate(document)
        except ValidationError as error:
            raise CommandError(f"nothing can be drawn with these values: {problems_of(error)}") from error

    def size(self, size: PictureSize) -> PictureSize:
        """The picture's size and sampling, as the base model has them, with what is said here instead."""
        said: dict[str, Any] = {**self.sampling}
        if "sampler" in said:
            said["sampler"] = SamplerName(said["sampler"])
        return replace(size, **said)


@dataclass(frozen=True)
class Cell:
    """A picture's place and what it is drawn with."""

    place: Place
    setting: CellSetting


@dataclass(frozen=True)
class SheetPlan:
    """All pictures of a sheet; three axes, of which those that were not asked for are None."""

    axes: tuple[Axis | None, Axis | None, Axis | None]
    base: CellSetting

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Part by part, row by row. Raises CommandError for too many, or two axes of one kind."""
        check_axes([axis for axis in self.axes if axis is not None])
        places = itertools.product(*(range(self.length(number)) for number in (2, 1, 0)))
        return tuple(Cell((x, y, z), self._setting((x, y, z))) for z, y, x in places)

    def length(self, number: int) -> int:
        """How many values an axis has; 1 where there is none."""
        axis = self.axes[number]
        return 1 if axis is None else len(axis.values)

    def values(self, kind: str, otherwise: str) -> Sequence[str]:
        """Every value of a kind of words in the sheet: its axis's, or the one that all pictures have."""
        axis = next((axis for axis in self.axes if axis is not None and axis.kind == kind), None)
        return [otherwise] if axis is None else [str(value) for value in axis.values]

    def _setting(self, place: Place) -> CellSetting:
        setting = self.base
        for axis, number in zip(self.axes, place, strict=True):
            setting = setting if axis is None else setting.changed(axis, axis.values[number])
        return setting
