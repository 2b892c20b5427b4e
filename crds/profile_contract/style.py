"""ProfileStyleSpec: what a look is, as data that is reviewed in Git, of the whole cluster or of a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from .look_ref import MOST_LOOKS, LookRef
from .model import Contract

# What a style may say about sampling, and what may be said instead of it: whole numbers, no floats.
SamplerSteps = Annotated[int, Field(ge=1, le=150)]
GuidanceTenths = Annotated[int, Field(ge=10, le=300)]
ControlWeightPercent = Annotated[int, Field(ge=0, le=200)]
ControlEndPercent = Annotated[int, Field(ge=0, le=100)]


StrengthPercent = Annotated[int, Field(ge=5, le=95)]


class SamplerName(StrEnum):
    """How noise is taken away, step by step."""

    EULER = "Euler"
    DPM = "DPM++2M"
    DPM_KARRAS = "DPM++2MKarras"
    # Those that models of few steps were made for.
    EULER_TRAILING = "EulerTrailing"
    LCM = "LCM"


class SamplerPreset(StrEnum):
    """How models are sampled that were taught to need few steps, by an adapter of the style or by themselves."""

    LCM = "LCM"
    LIGHTNING_4 = "Lightning4"
    LIGHTNING_8 = "Lightning8"


@dataclass(frozen=True)
class PresetRow:
    """What a preset says, whatever a style or a base model's recipe does."""

    sampler: SamplerName
    steps: int
    guidance_tenths: int


# Lightning is taught without guidance, for exactly so many steps; LCM's own words are 4 to 8 steps and 1 to 2.
PRESETS: Mapping[SamplerPreset, PresetRow] = {
    SamplerPreset.LCM: PresetRow(SamplerName.LCM, 6, 15),
    SamplerPreset.LIGHTNING_4: PresetRow(SamplerName.EULER_TRAILING, 4, 10),
    SamplerPreset.LIGHTNING_8: PresetRow(SamplerName.EULER_TRAILING, 8, 10),
}


class Tone(StrEnum):
    """The light of a style."""

    WARM = "Warm"
    COOL = "Cool"
    NEUTRAL = "Neutral"


class Mode(StrEnum):
    """How a candidate comes to be."""

    TEXT_TO_IMAGE = "TextToImage"
    IMAGE_TO_IMAGE = "ImageToImage"


class SourceChoice(StrEnum):
    """Which of a person's photos are drawn over, where a request does not choose one itself."""

    BEST = "Best"
    EACH = "Each"


class ImageToImage(Contract):
    """Which photos a style of the mode ImageToImage starts from."""

    source: SourceChoice = Field(
        default=SourceChoice.BEST,
        description="Best: the one that faces the camera, is sharp and shows shoulders. Each: every accepted photo, "
        "one portrait of each, 16 at most. A request's own spec.source goes before both.",
    )


# The words that stand for {tone} in a prompt. The neutral twin of a candidate is made with the neutral words.
TONE_WORDS: dict[Tone, str] = {Tone.WARM: "warm light", Tone.COOL: "cool light", Tone.NEUTRAL: "neutral light"}

PoseName = Annotated[str, Field(max_length=40, pattern=r"^(FromPhotos|[a-z][a-z0-9-]*)$")]
DEFAULT_PREDICTOR = "profile-predictor"
POSE_FROM_PHOTOS = "FromPhotos"
# Named presets; preprocess draws a pose map for each.
POSE_PRESETS = ("frontal", "three-quarter-left", "three-quarter-right")


class Title(Contract):
    """The style's name for people."""

    en: str = Field(min_length=1, max_length=60, description="In English.")
    ko: str = Field(default="", max_length=60, description="In Korean; where it is missing, the English one is shown.")


class Sampler(Contract):
    """How candidates are sampled. No floats in the API: guidance is in tenths, weights are in per cent."""

    steps: SamplerSteps = Field(default=30, description="Steps of denoising.")
    guidance_tenths: GuidanceTenths = Field(default=50, description="Classifier-free guidance times ten.")
    preset: SamplerPreset | None = Field(
        default=None,
        description="Of few steps: sampler, steps and guidance are the preset's, whatever is said beside it or by the "
        "base model's recipe. It wants a base model, or an adapter among the style's, that was taught so.",
    )


class DetailMode(StrEnum):
    """When a face is drawn a second time."""

    AUTO = "Auto"
    ALWAYS = "Always"
    NEVER = "Never"


# How many times its edges a candidate is enlarged.
Upscale = Annotated[int, Field(ge=2, le=4, multiple_of=2)]


class FaceDetail(Contract):
    """A second pass over the face: it is cut out of the candidate, enlarged, drawn again and put back."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.steps) || self.steps * self.strengthPercent >= 100",
                    "message": "steps times strengthPercent must be at least 100, or no step is left to draw: raise "
                    "one of them",
                }
            ]
        }
    )

    mode: DetailMode = Field(
        default=DetailMode.AUTO,
        description="Auto: where the face came out smaller than the base model's recipe says (generation.facePixels), "
        "and nowhere if it says nothing. Always: every face that can be enlarged.",
    )
    strength_percent: int = Field(
        default=40, ge=5, le=95, description="How much of the face is drawn anew; much of it loses the picture's own."
    )
    steps: SamplerSteps | None = Field(
        default=None,
        description="Steps of denoising, of which strengthPercent are taken; left out: as many as the sampler's, "
        "or as leave one to draw.",
    )


class ProfileStyleSpec(Contract):
    """The content of a style. Its digest keys the candidates made with it."""

    title: Title
    tone: Tone = Field(default=Tone.NEUTRAL, description="The light; it is measured on every set of portraits.")
    prompt: str = Field(
        min_length=1,
        max_length=1000,
        description="The prompt; {subject} stands for the person, {tone} for the words of the tone.",
        json_schema_extra={
            "x-kubernetes-validations": [
                {"rule": "self.contains('{subject}')", "message": "prompt must contain {subject}"},
            ]
        },
    )
    negative_prompt: str = Field(default="", max_length=1000, description="What must not be seen.")
    # One colour has one digest, however its letters are written.
    background_colour: Annotated[str, AfterValidator(str.lower)] = Field(
        default="#d8d8d8",
        pattern=r"^#[0-9a-fA-F]{6}$",
        description="The colour by which the page shows a style; nothing is drawn with it.",
    )
    pose: PoseName = Field(default=POSE_FROM_PHOTOS, description=f"FromPhotos, or a preset: {', '.join(POSE_PRESETS)}.")
    mode: Mode = Field(default=Mode.TEXT_TO_IMAGE, description="From noise, or from one of the photos.")
    strength_percent: StrengthPercent = Field(
        default=60,
        description="Of ImageToImage: how much is drawn anew. A base model's recipe may say it for all styles "
        "(generation.strengthPercent).",
    )
    image_to_image: ImageToImage | None = Field(
        default=None, description="Of ImageToImage: which photos are drawn over; left out: the best one."
    )
    sampler: Sampler = Field(default=Sampler(), description="How candidates are sampled.")
    adapter_weight_percent: int = Field(
        default=100, ge=0, le=150, description="How much of the person's adapter is drawn with; 0 draws nobody."
    )
    adapters: list[LookRef] | None = Field(
        default=None,
        max_length=MOST_LOOKS,
        description="Adapters of a look, beside the person's: what they change is added up.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["kind", "name"]},
    )
    control_weight_percent: ControlWeightPercent = Field(
        default=80, description="How strictly the pose map is followed."
    )
    control_end_percent: ControlEndPercent = Field(default=80, description="Share of steps that follow the pose map.")
    detail: FaceDetail = Field(default=FaceDetail(), description="A second pass over faces that came out small.")
    upscale: Upscale | None = Field(
        default=None,
        description="Candidates are enlarged by 2 or 4 once they are drawn, for large prints, by the network of the "
        "predictor (predictor.upscaler); left out: they stay as large as they were drawn.",
    )
    predictor: str = Field(
        default=DEFAULT_PREDICTOR,
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the InferenceService that serves this style.",
    )

    @property
    def drawn_over(self) -> bool:
        """Whether it starts from one of the person's photos."""
        return self.mode is Mode.IMAGE_TO_IMAGE

    @property
    def source(self) -> SourceChoice:
        """Which photos it starts from, where a request says none."""
        return self.image_to_image.source if self.image_to_image is not None else SourceChoice.BEST

    def prompt_for(self, subject: str, *, neutral: bool = False) -> str:
        """The prompt with the person and the tone put in; `neutral` gives the prompt of the neutral twin."""
        tone = TONE_WORDS[Tone.NEUTRAL if neutral else self.tone]
        return self.prompt.replace("{subject}", subject).replace("{tone}", tone)


# Of a ClusterProfileStyle alone.
CLUSTER_STYLE_RULES = [
    {
        "rule": "!has(self.spec.adapters) || self.spec.adapters.all(adapter, adapter.kind == 'ClusterStyleAdapter')",
        "message": "a style of the cluster draws with ClusterStyleAdapters alone: no namespace's own is read by others",
    },
]

STYLE_RULES = [
    {
        "rule": "self.metadata.name.size() <= 63",
        "message": "the name must have at most 63 characters: requests ask for a style by it",
    },
]
