"""PictureSize: how large candidates are drawn, and what a base model wants otherwise than every style says. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from pydantic import Field

from .framing import WIDEST_ROOM, Head, HeadPlace, HeadRoom, Skeleton, head_in, placed
from .generation import MOST_LCM_STEPS, DetailOrder, FacePixels, PictureEdge, PoseLine, SourceFraming
from .model import Contract
from .style import (
    PRESETS,
    ControlEndPercent,
    ControlWeightPercent,
    DetailMode,
    GuidanceTenths,
    PresetRow,
    ProfileStyleSpec,
    SamplerName,
    SamplerSteps,
    StrengthPercent,
)


@dataclass(frozen=True)
class PictureSize:
    """Pixels of a candidate, multiples of 8, and what a base model wants otherwise than every style says.

    `sampler` None: the one in the model's folder; `pose_line_thousandths` None: as wide as detectors draw them.
    `room`: what is seen around the head; None where an earlier version resolved it.
    `face_pixels`: a face of less height is drawn a second time where a style leaves that to the model; None: none is.
    """

    width: int
    height: int
    steps: int | None = None
    guidance_tenths: int | None = None
    control_weight_percent: int | None = None
    control_end_percent: int | None = None
    sampler: SamplerName | None = None
    pose_line_thousandths: int | None = None
    room: HeadRoom | None = None
    face_pixels: int | None = None
    strength_percent: int | None = None

    @property
    def parameters(self) -> list[object]:
        """What goes into a candidate's digest; what is not overridden does not."""
        others = {
            "guidance": self.guidance_tenths,
            "control_weight": self.control_weight_percent,
            "control_end": self.control_end_percent,
            "sampler": self.sampler,
            "pose_line": self.pose_line_thousandths,
            "room": self.room.document() if self.room is not None else None,
            "face_pixels": self.face_pixels,
            "strength": self.strength_percent,
        }
        said = {name: value for name, value in others.items() if value is not None}
        return [self.width, self.height, self.steps, *([said] if said else [])]

    def placed(self, skeleton: Skeleton) -> Skeleton:
        """A skeleton relative to a head as one relative to the picture."""
        return placed(skeleton, self.head, self.width, self.height)

    @property
    def head(self) -> Head:
        """Where the head is to stand."""
        return head_in(self.room or WIDEST_ROOM, self.width, self.height)

    def for_style(self, style: ProfileStyleSpec) -> PictureSize:
        """The same without what a style does not hear: how much is drawn anew, where it begins as noise."""
        return self if style.drawn_over else replace(self, strength_percent=None)

    def framing(self, source: HeadPlace) -> SourceFraming:
        """How a photo is framed whose head is there."""
        return SourceFraming(head=source, wanted=HeadPlace.of(self.head, self.width, self.height))

    def of(self, style: ProfileStyleSpec) -> ProfileStyleSpec:
        """The style as it is drawn."""
        preset = preset_of(style)
        said = self if preset is None else preset
        sampler = {"steps": said.steps, "guidance_tenths": said.guidance_tenths}
        control = {
            "control_weight_percent": self.control_weight_percent,
            "control_end_percent": self.control_end_percent,
            "strength_percent": self.strength_percent,
        }
        drawn = {name: value for name, value in control.items() if value is not None}
        sampled = {name: value for name, value in sampler.items() if value is not None}
        return style.model_copy(update={**drawn, "sampler": style.sampler.model_copy(update=sampled)})

    def sampler_of(self, style: ProfileStyleSpec) -> SamplerName | None:
        """The sampler that a style is drawn with; None: the one in the model's folder."""
        preset = preset_of(style)
        return self.sampler if preset is None else preset.sampler

    def steps_of(self, style: ProfileStyleSpec, steps: int) -> int:
        """So many steps, or as many as the style's sampler knows."""
        return min(steps, MOST_LCM_STEPS) if self.sampler_of(style) is SamplerName.LCM else steps

    def detail(self, style: ProfileStyleSpec) -> DetailOrder | None:
        """The second pass over faces that a style as it is drawn asks for; None where it asks for none."""
        asked = style.detail
        leaves_it = asked.mode is DetailMode.AUTO and self.face_pixels is None
        if asked.mode is DetailMode.NEVER or leaves_it:
            return None
        return DetailOrder(
            strength=asked.strength_percent / 100,
            # A sampler of few steps would leave none to draw, and every order of the style be refused.
            steps=self.steps_of(style, asked.steps or max(style.sampler.steps, -(-100 // asked.strength_percent))),
            below=self.face_pixels if asked.mode is DetailMode.AUTO else None,
        )


def preset_of(style: ProfileStyleSpec) -> PresetRow | None:
    """What a style's preset of few steps says; None for a style without."""
    return PRESETS[style.sampler.preset] if style.sampler.preset is not None else None


class GenerationRecipe(Contract):
    """How candidates are drawn, as the base model wants it; what is left out is as each style says."""

    width: PictureEdge | None = Field(default=None, description="Pixels, a multiple of 8.")
    height: PictureEdge | None = Field(default=None, description="Pixels, a multiple of 8.")
    sampler: SamplerName | None = Field(default=None, description="Left out: the one in the model's folder.")
    steps: SamplerSteps | None = Field(default=None, description="Overrides every style's sampler steps.")
    guidance_tenths: GuidanceTenths | None = Field(default=None, description="Overrides every style's guidance.")
    control_weight_percent: ControlWeightPercent | None = Field(
        default=None, description="Overrides how closely every style follows its pose map."
    )
    control_end_percent: ControlEndPercent | None = Field(
        default=None, description="Overrides the share of steps that follow the pose map."
    )
    pose_line_thousandths: PoseLine | None = Field(
        default=None,
        description="Width of the lines in pose maps, in thousandths of the picture's longer edge: as wide as the "
        "ControlNet was trained with.",
    )
    face_pixels: FacePixels | None = Field(
        default=None,
        description="Faces of less height than so many pixels, hairline to chin, are drawn a second time, larger, "
        "unless a style says otherwise (detail). Left out: none is.",
    )
    strength_percent: StrengthPercent | None = Field(
        default=None, description="Overrides how much of a photo the styles of the mode ImageToImage draw anew."
    )
    trained_strength_percent: StrengthPercent | None = Field(
        default=None,
        description="The same where the person's adapter is drawn with, which keeps the person in more that is drawn "
        "anew. Left out: as in previews, which have no adapter.",
    )

    def over(self, size: PictureSize) -> PictureSize:
        """The size with what is said here of every request; what depends on the request is the platform's to say."""
        said = ((field.name, getattr(self, field.name, None)) for field in fields(PictureSize))
        return replace(size, **{name: value for name, value in said if value is not None})
