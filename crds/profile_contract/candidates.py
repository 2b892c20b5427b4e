"""Which candidates a style needs, and the orders they are asked for with. Pure.

The operator and the folder runner agree through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import Field

from .artifacts import candidate_key
from .framing import WIDEST_ROOM, Head, HeadPlace, HeadRoom, Skeleton, head_in, placed
from .generation import (
    MAXIMUM_ITEMS,
    MOST_LCM_STEPS,
    POSE_LINE,
    AdapterGrant,
    DetailOrder,
    DetailOutcome,
    FacePixels,
    GenerationItem,
    GenerationOrder,
    LookGrant,
    PictureEdge,
    PoseLine,
    ReadGrant,
    SourceFraming,
)
from .look_ref import LookFile
from .model import Contract
from .sources import MOST_SOURCES, PhotoSource, sources_of
from .stages.generate import Candidate, GenerateReport
from .stages.order import FileRef, RequestRef
from .stages.preprocess import DatasetPose, PreprocessReport
from .style import (
    POSE_FROM_PHOTOS,
    PRESETS,
    ControlEndPercent,
    ControlWeightPercent,
    DetailMode,
    GuidanceTenths,
    Mode,
    PresetRow,
    ProfileStyleSpec,
    SamplerName,
    SamplerSteps,
    SourceChoice,
    StrengthPercent,
    Tone,
)
from .style_ref import StyleRef

# The adapter that is being trained, which has no file yet.
TRAINED = FileRef(key="", sha256="0" * 64)
# Poses of the person's own photos are named so; all others are presets.
PHOTO_POSE = "photo-"


class UnknownPose(Exception):
    """A style asks for a preset pose that the dataset does not have."""


@dataclass(frozen=True)
class PlannedCandidate:
    """One picture to make. `source`: the photo that it is drawn over, whose own joints it follows; None: from noise.

    `joints` are relative to the head; where a dataset of an earlier version has none, `pose_key` is its pose map's.
    """

    seed: int
    key: str
    prompt: str
    twin: bool
    pose_name: str = ""
    pose_key: str = ""
    joints: Skeleton | None = None
    source: PhotoSource | None = None

    def made(self, size: PictureSize, sha256: str = "", detail: DetailOutcome | None = None) -> Candidate:
        """What the style's report says about it."""
        head = self.source.head if self.source is not None else None
        return Candidate(
            seed=self.seed,
            key=self.key,
            sha256=sha256,
            pose=self.pose_name,
            twin=self.twin,
            detail=detail,
            source=self.source.key if self.source is not None else "",
            framing=size.framing(head) if head is not None else None,
        )


@dataclass(frozen=True)
class Wanted:
    """What a request says about its candidates: `subject` as prompts name the person, seeds seed, seed + 1, ...

    `photo`: the one that is drawn over, where it chooses one itself.
    """

    subject: str
    seed: int
    count: int
    photo: str | None = None


def planned_candidates(
    key: str, style: ProfileStyleSpec, prefix: str, wanted: Wanted, dataset: PreprocessReport
) -> tuple[PlannedCandidate, ...]:
    """The candidates of the style of that key under a prefix, each seed with the next pose, or over the next photo.

    Of a style that draws over each photo there is one for each. Raises UnknownPose.
    """
    sources = sources_of(style, wanted.photo, dataset)
    poses = [] if style.drawn_over else _poses(key, style, dataset)
    count = len(sources) if delivers_each(style, wanted.photo) else wanted.count
    # The tone is measured against one neutral picture with the same seed and pose as the first.
    twins = [0] if style.tone != Tone.NEUTRAL else []
    pictures = sorted([(index, False) for index in range(count)] + [(index, True) for index in twins])

    def planned(index: int, *, twin: bool) -> PlannedCandidate:
        pose = poses[index % len(poses)] if poses else None
        return PlannedCandidate(
            seed=wanted.seed + index,
            key=candidate_key(prefix, wanted.seed + index, twin=twin),
            prompt=style.prompt_for(wanted.subject, neutral=twin),
            twin=twin,
            pose_name=pose.name if pose else "",
            pose_key=pose.key if pose else "",
            joints=pose.joints if pose else None,
            source=sources[index % len(sources)] if sources else None,
        )

    return tuple(planned(index, twin=twin) for index, twin in pictures)


def delivers_each(style: ProfileStyleSpec, photo: str | None) -> bool:
    """Whether a style draws one portrait over each photo. `photo`: the one that the request chooses itself."""
    return style.drawn_over and photo is None and style.source is SourceChoice.EACH


def delivered_of(style: ProfileStyleSpec, photo: str | None, drawn: GenerateReport) -> int | None:
    """How many portraits of a style are delivered at most, where that is not what the request says of all."""
    pictures = sum(not candidate.twin for candidate in drawn.candidates)
    return min(pictures, MOST_SOURCES) if pictures and delivers_each(style, photo) else None


def subject_of(token: str, noun: str, *, trains: bool) -> str:
    """How prompts name the person: by the rare word that the adapter learnt, where there is one."""
    return f"{token} {noun}" if trains else noun


def _poses(key: str, style: ProfileStyleSpec, dataset: PreprocessReport) -> list[DatasetPose]:
    """The poses that a style's candidates take in turn."""
    if style.pose == POSE_FROM_PHOTOS:
        return [pose for pose in dataset.poses if pose.name.startswith(PHOTO_POSE)]
    poses = [pose for pose in dataset.poses if pose.name == style.pose]
    if not poses:
        known = ", ".join(pose.name for pose in dataset.poses if not pose.name.startswith(PHOTO_POSE)) or "none"
        raise UnknownPose(
            f"style {StyleRef.of_key(key).shown} asks for the pose {style.pose!r}; presets that exist: {known}"
        )
    return poses


class Grants(Protocol):
    """Makes the URLs through which the predictor reads and writes single objects."""

    def get(self, key: str) -> str:
        """A URL that reads this object."""

    def put(self, key: str) -> str:
        """A URL that writes this object; empty: the picture comes back in the answer."""


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

    def over(self, size: PictureSize) -> PictureSize:
        """The size with what is said here."""
        fields = ((name, getattr(self, name)) for name in GenerationRecipe.model_fields)
        return replace(size, **{name: value for name, value in fields if value is not None})


class StoreKeys:
    """Grants for whoever holds credentials of the store: a URL is the key itself, and nothing is written."""

    def get(self, key: str) -> str:
        """The key."""
        return key

    def put(self, _key: str) -> str:
        """Nothing."""
        return ""


def judge_order(
    request: RequestRef,
    key: str,
    style: ProfileStyleSpec,
    wanted: Wanted,
    dataset: PreprocessReport,
    *,
    size: PictureSize,
) -> GenerationOrder | None:
    """What training judges its checkpoints by: the first candidates of a style as they will be served; URLs are keys.

    At most one call's, with the adapter that is trained, at the style's weight. None for no pictures, and for a style
    that asks for a pose that the dataset does not have.
    """
    try:
        planned = planned_candidates(key, judged_style(style), "", wanted, dataset)
    except UnknownPose:
        return None
    batch = [candidate for candidate in planned if not candidate.twin][:MAXIMUM_ITEMS]
    if not batch:
        return None
    return generation_order(request, TRAINED, judged_style(style), batch, size=size, grants=StoreKeys())


def judged_style(style: ProfileStyleSpec) -> ProfileStyleSpec:
    """A style as checkpoints are judged in it: from noise, since a photo that is drawn over is like its person without
    any adapter; and in as many steps as it takes without the style's own adapters, one of which may be what a preset of
    few steps wants."""
    taught = style.adapters is None
    sampler = style.sampler if taught else style.sampler.model_copy(update={"preset": None})
    return style.model_copy(update={"mode": Mode.TEXT_TO_IMAGE, "sampler": sampler})


def generation_order(
    request: RequestRef,
    adapter: FileRef | None,
    style: ProfileStyleSpec,
    batch: Sequence[PlannedCandidate],
    *,
    size: PictureSize,
    grants: Grants,
    looks: Sequence[LookFile] = (),
) -> GenerationOrder:
    """One call for a few candidates of one style. `looks`: the files of the style's adapters, in its order; none: it is
    drawn without them, as where a person's adapter is judged by itself.
    """
    style = size.of(style)

    def read(key: str) -> ReadGrant | None:
        return ReadGrant(url=grants.get(key)) if key else None

    def item(candidate: PlannedCandidate) -> GenerationItem:
        joints, source = candidate.joints, candidate.source
        placed = size.placed(joints) if joints is not None else None
        return GenerationItem(
            seed=candidate.seed,
            prompt=candidate.prompt,
            negative_prompt=style.negative_prompt,
            joints=source.joints if source is not None else placed,
            pose=read(candidate.pose_key) if joints is None else None,
            initial_image=read(source.key) if source is not None else None,
            framing=size.framing(source.head) if source is not None and source.head is not None else None,
            key=candidate.key,
            put_url=grants.put(candidate.key),
        )

    return GenerationOrder(
        request=request,
        adapter=adapter
        and AdapterGrant(
            key=adapter.key,
            url=grants.get(adapter.key),
            sha256=adapter.sha256,
            weight=style.adapter_weight_percent / 100,
        ),
        looks=[
            LookGrant(
                key=file.key,
                url=grants.get(file.key),
                sha256=file.sha256,
                weight=ref.weight_percent / 100,
                name=ref.name,
            )
            for ref, file in zip(style.adapters or (), looks, strict=True)
        ]
        if looks
        else None,
        items=[item(candidate) for candidate in batch],
        width=size.width,
        height=size.height,
        steps=size.steps_of(style, style.sampler.steps),
        guidance=style.sampler.guidance_tenths / 10,
        control_weight=style.control_weight_percent / 100,
        control_end=style.control_end_percent / 100,
        mode=style.mode,
        strength=style.strength_percent / 100,
        sampler=size.sampler_of(style),
        pose_line_thousandths=size.pose_line_thousandths or POSE_LINE,
        detail=size.detail(style),
    )


def last_drawn(reports: Iterable[GenerateReport]) -> str:
    """When the last candidate of all styles was drawn, as their reports tell it; empty where they do not."""
    # Times of one form, all in UTC: the greatest text is the latest.
    return max((report.finished_at for report in reports), default="")[:40]
