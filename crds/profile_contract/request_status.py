"""The status of a ProfileRequest: what a person is told about what they asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from .areas import LONGEST_AREA
from .kubernetes import LONGEST_INSTALLATION
from .layouts import LayoutName
from .model import Tolerant
from .photos import PhotoReason, PhotosWarning
from .stages.stage import Stage
from .stages.stage_text import StageText
from .style_ref import Name, StyleKind, StyleRef
from .times import checked_time

Key = Annotated[str, Field(max_length=1024)]
Percent = Annotated[int, Field(ge=-100, le=100)]
# A text in the definition: a word of a newer version must not stand in the way of a whole status.
ShownStage = Annotated[StageText, WithJsonSchema({"type": "string", "maxLength": 40})]
Time = Annotated[str, AfterValidator(checked_time), Field(max_length=40, json_schema_extra={"format": "date-time"})]
MOST_ATTEMPTS = 1_000_000


class Condition(Tolerant):
    """A condition as Kubernetes' API conventions have it."""

    type: str = Field(max_length=64, description="What it tells of: see docs/conditions.md.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(
        max_length=64,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="Why, in one word for programs: see docs/conditions.md.",
    )
    message: str = Field(default="", max_length=1024, description="Why, for people, and what to do about it.")
    last_transition_time: Time = Field(description="Since when it holds, or does not.")
    observed_generation: int = Field(default=0, ge=0, description="The metadata.generation that it tells of.")


class Progress(Tolerant):
    """How far the running stage is."""

    stage: Stage = Field(description="The stage that runs.")
    percent: int = Field(ge=0, le=100, description="How much of that stage is done.")
    remaining_seconds: int | None = Field(
        default=None, ge=0, description="How long that stage may still take, by what it did so far."
    )


class Verdict(Tolerant):
    """What was found about one photo. `name` is its key below the photos' prefix."""

    name: str = Field(max_length=256, description="The photo's key below photos.prefix.")
    accepted: bool = Field(description="Whether it is trained with.")
    reason: PhotoReason = Field(description="Why, in one word.")
    advice: str = Field(default="", max_length=300, description="What to do about it.")


class PhotosStatus(Tolerant):
    """The photos as they were last looked at."""

    prefix: str = Field(default="", max_length=256, description="Where they were looked for.")
    revision: int = Field(default=0, ge=0, description="The spec.photos.revision that they were looked at for.")
    digest: str = Field(default="", max_length=64, description="Digest of their names and contents.")
    found: int = Field(default=0, ge=0, description="How many there are.")
    accepted: int = Field(default=0, ge=0, description="How many can be used.")
    rejected: int = Field(default=0, ge=0, description="How many cannot.")
    verdicts: list[Verdict] = Field(default=[], max_length=40, description="What was found about each of them.")
    warnings: list[PhotosWarning] = Field(
        default=[], max_length=10, description="What will show in portraits, or is worth knowing, of the photos."
    )


class ResolvedStatus(Tolerant):
    """What the request was resolved to when its work began. The record itself lies in the store."""

    digest: str = Field(default="", max_length=64, description="Digest of the record.")
    recipe: str | None = Field(default=None, max_length=64, description="Digest of the base model's recipe.")
    generation: int = Field(default=0, ge=0, description="The generation that was resolved.")
    revision: int = Field(default=0, ge=0, description="spec.photos.revision at that time.")
    retry: str = Field(default="", max_length=64, description="The retry annotation's value at that time.")
    refresh: int = Field(default=0, ge=0, description="spec.refresh at that time.")
    inputs: dict[Annotated[str, Field(max_length=80)], Annotated[str, Field(max_length=40)]] = Field(
        default={},
        max_length=16,
        description="Version and digests of what the platform set: for each stage, and for each style.",
    )
    photos_gone: bool = Field(
        default=False, description="No photo was left when they were looked at again; what was made of them stands."
    )


class StageFailure(Tolerant):
    """Why a stage ended without what it was to make. It stands when the Job is long gone."""

    digest: str = Field(default="", max_length=64, description="Digest of the inputs that it failed with.")
    # A text: the reason of a newer version must not be forgotten, or the stage would run again.
    reason: str = Field(max_length=64, description="Why it failed: one of the reasons of docs/conditions.md.")
    message: str = Field(default="", max_length=1024, description="What the stage, its pod or the predictor said.")
    time: Time = Field(description="When it failed.")
    attempt: int = Field(
        default=1, ge=1, le=MOST_ATTEMPTS, description="How many attempts failed one after another with these inputs."
    )


class StageStatus(Tolerant):
    """One stage: the digest of its inputs, who ran it, when, and what it cost."""

    digest: str = Field(default="", max_length=64, description="Digest of its inputs; its artifacts lie under it.")
    job: str | None = Field(default=None, max_length=63, description="The Job that runs it, or ran it last.")
    queue_time: Time | None = Field(default=None, description="Since when it waited for a GPU, the last time it did.")
    start_time: Time | None = Field(default=None, description="When it began.")
    completion_time: Time | None = Field(default=None, description="When it was done.")
    attempts: int = Field(default=0, ge=0, description="How often it was begun with these inputs; 0: made before.")
    gpu_seconds: int = Field(
        default=0,
        ge=0,
        description="What it cost: the seconds that its containers ran, times GPUs, over all attempts. Waiting costs "
        "nothing.",
    )
    gpu_until: Time | None = Field(default=None, description="Up to when gpuSeconds counts what its Jobs ran.")
    failure: StageFailure | None = Field(
        default=None,
        description="Why it failed last. A failure of the input stands until the input changes or somebody asks to try "
        "again; after a failure of the platform it is tried again by itself, with growing pauses.",
    )

    expires: Time | None = Field(
        default=None,
        description="Until when its files are kept, by spec.retention; then only its report is. What has had its time "
        "does not come back when spec.retention changes.",
    )

    def expired(self, now: datetime) -> bool:
        """Whether its files have had their time."""
        try:
            return bool(self.expires) and datetime.fromisoformat(self.expires or "") <= now
        except (TypeError, ValueError):
            return False


class StagesStatus(Tolerant):
    """One entry a stage."""

    preprocess: StageStatus | None = Field(default=None, description="Photos are looked at, cropped and masked.")
    train: StageStatus | None = Field(default=None, description="The person's adapter is trained.")
    generate: StageStatus | None = Field(default=None, description="Candidates are drawn in every style.")
    finish: StageStatus | None = Field(default=None, description="The best are chosen and cut.")

    def of(self, stage: Stage) -> StageStatus | None:
        """The entry of a stage."""
        entry: StageStatus | None = getattr(self, stage.value)
        return entry


class PortraitStatus(Tolerant):
    """A delivered portrait."""

    style: Name = Field(description="Name of the style that it was drawn in.")
    kind: StyleKind = Field(default=StyleKind.CLUSTER, description="Kind of that style.")
    key: Key = Field(description="Its key in the store.")
    seed: int = Field(description="The seed that it was drawn with.")
    rank: int = Field(ge=1, description="Its place among the portraits of its style; 1 is the best.")
    likeness: Percent = Field(description="Per cent of the person's own real-against-real ceiling.")
    layouts: dict[LayoutName, Key] = Field(default={}, description="Keys of its cuts, by layout.")
    source: Key | None = Field(
        default=None, description="Key of the photo that it was drawn over, framed as it is; of ImageToImage alone."
    )
    thumbnail: Key | None = Field(default=None, description="Key of the same in small, for pages.")

    @property
    def style_ref(self) -> StyleRef:
        """The style that it was drawn in."""
        return StyleRef(name=self.style, kind=self.kind)


class ProfileRequestStatus(Tolerant):
    """What the user is told. It never holds a secret, a signed URL or an image."""

    observed_generation: int = Field(default=-1, description="The metadata.generation that this status tells of.")
    installation: str = Field(
        default="",
        max_length=LONGEST_INSTALLATION,
        description="The installation that serves the request, as NAMESPACE/NAME of its release. Others keep off.",
    )
    area: str = Field(
        default="",
        max_length=LONGEST_AREA,
        description="Where the namespace's photos, and what is made of them, lie in the bucket. spec.photos.prefix "
        "is relative to it.",
    )
    conditions: list[Condition] = Field(
        default=[],
        max_length=16,
        description="Ready sums up; one for each stage; Reconciling and Stalled say who moves next.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    last_handled_retry: str = Field(
        default="", max_length=64, description="Value of the annotation profilestudio.io/retry that was answered last."
    )
    progress: Progress | None = Field(default=None, description="How far the stage is that runs.")
    photos: PhotosStatus | None = Field(default=None, description="The photos as they were last looked at.")
    stages: StagesStatus | None = Field(default=None, description="What each stage was made of, when, and its cost.")
    resolved: ResolvedStatus | None = Field(
        default=None, description="What the request was resolved to when its work began; the record lies in the store."
    )
    results_generation: int | None = Field(
        default=None,
        ge=0,
        description="The metadata.generation that the results below belong to: while it is smaller than that of the "
        "object, they are those of the request before its last change.",
    )
    portraits: list[PortraitStatus] = Field(
        default=[], max_length=128, description="What was delivered, style by style, the best of each first."
    )
    previews: list[PortraitStatus] = Field(
        default=[],
        max_length=128,
        description="What was drawn over photos without an adapter, as spec.training.mode None asks for it: first "
        "pictures to look at, and no portraits.",
    )
    adapter: Key | None = Field(default=None, description="Key of the adapter in the served form.")
    toy_model: str | None = Field(
        default=None,
        max_length=253,
        description="The model that drew the portraits, where it is but a toy for demonstrations.",
    )
    contact_sheet: Key | None = Field(default=None, description="Key of the picture of all candidates, judged.")
    print_sheet: Key | None = Field(default=None, description="Key of the PDF with every cut in its exact size.")
    likeness_report: Key | None = Field(default=None, description="Key of what was measured, as JSON.")
    # What the printer columns show; derived from the rest on every write.
    stage_text: ShownStage = Field(
        default=StageText.WAITING, description=f"What the request is at: {', '.join(StageText)}."
    )
    progress_text: str = Field(default="", max_length=20, description="How far that stage is, as a column shows it.")
    photos_text: str = Field(default="", max_length=20, description="Accepted photos of those that there are.")
    styles_text: str = Field(default="", max_length=600, description="The styles, as a column shows them.")
    best_likeness: int | None = Field(
        default=None, ge=-100, le=100, description="Likeness of the best portrait that was delivered, in per cent."
    )
    gpu_seconds: int = Field(default=0, ge=0, description="What the request has cost in all: seconds times GPUs.")
    compared: str = Field(
        default="",
        max_length=16,
        description="Digest of the platform's settings and of the styles that this was last compared with: while they "
        "are the same, a finished request is not looked at again.",
    )
    purgeable: bool = Field(
        default=False,
        description="Whether a mark in the store says that what the request made may go with it: since its work began, "
        "while spec.deletionPolicy is Delete. Without the mark no sweep takes what a request left that is gone.",
    )
    purge_after: Time | None = Field(
        default=None, description="While it is deleted: until when links and credentials handed out may still write."
    )

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, value: Any) -> Any:
        """What an earlier version kept beside the photos is read as well, or every request would be tried again."""
        photos = value.get("photos") if isinstance(value, Mapping) else None
        if isinstance(photos, Mapping) and isinstance(photos.get("retry"), str):
            return {"lastHandledRetry": photos["retry"], **value}
        return value
