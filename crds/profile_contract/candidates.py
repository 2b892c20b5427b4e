"""Which candidates a style needs, and the orders they are asked for with. Pure.

The operator and the folder runner agree through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .artifacts import candidate_key
from .framing import Skeleton
from .generation import (
    MAXIMUM_ITEMS,
    POSE_LINE,
    AdapterGrant,
    DetailOutcome,
    GenerationItem,
    GenerationOrder,
    LookGrant,
    ReadGrant,
)
from .look_ref import LookFile
from .picture_size import PictureSize
from .sources import MOST_SOURCES, PhotoSource, sources_of
from .stages.generate import Candidate, GenerateReport
from .stages.order import FileRef, RequestRef
from .stages.preprocess import DatasetPose, PreprocessReport
from .style import (
    POSE_FROM_PHOTOS,
    Mode,
    ProfileStyleSpec,
    SourceChoice,
    Tone,
)
from .style_ref import StyleRef
from .trace import SpanPlace

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

    def made(
        self, size: PictureSize, sha256: str = "", detail: DetailOutcome | None = None, *, held_back: bool = False
    ) -> Candidate:
        """What the style's report says about it."""
        head = self.source.head if self.source is not None else None
        return Candidate(
            seed=self.seed,
            key=self.key,
            sha256=sha256,
            pose=self.pose_name,
            twin=self.twin,
            detail=detail,
            held_back=held_back,
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
    return style.model_copy(update={"mode": Mode.TEXT_TO_IMAGE, "sampler": sampler, "upscale": None})


def generation_order(
    request: RequestRef,
    adapter: FileRef | None,
    style: ProfileStyleSpec,
    batch: Sequence[PlannedCandidate],
    *,
    size: PictureSize,
    grants: Grants,
    looks: Sequence[LookFile] = (),
    place: SpanPlace | None = None,
) -> GenerationOrder:
    """One call for a few candidates of one style. `looks`: the files of the style's adapters, in its order; none: it is
    drawn without them, as where a person's adapter is judged by itself. `place`: of the span that it is a part of.
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
        upscale=style.upscale,
        traceparent=place.traceparent if place is not None else None,
    )


def last_drawn(reports: Iterable[GenerateReport]) -> str:
    """When the last candidate of all styles was drawn, as their reports tell it; empty where they do not."""
    # Times of one form, all in UTC: the greatest text is the latest.
    return max((report.finished_at for report in reports), default="")[:40]
