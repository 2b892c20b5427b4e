"""ProfileRequest: what a person asks for, and what they are told about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema, model_validator

from .areas import LONGEST_AREA
from .artifacts import LONGEST_PREFIX, PHOTOS_PREFIX, PHOTOS_PREFIX_RULE
from .kubernetes import LONGEST_INSTALLATION, LabelNameOrNone
from .layouts import LayoutName
from .model import Contract, Tolerant
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
PhotoName = Annotated[str, Field(min_length=1, max_length=256)]

# Jobs are named <request>-<stage>-<digest of 8>, and a pod's host name holds 63 characters.
NAME_LENGTH = 40

_PREFIX_RULE: dict[str, JsonValue] = {
    "rule": f"self.matches(r'{PHOTOS_PREFIX}') && !self.contains('..')",
    "message": f"photos.prefix {PHOTOS_PREFIX_RULE}: a request reads photos from its own namespace's area only",
}


class DeletionPolicy(StrEnum):
    """What becomes of the artifacts when the request is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"


class Updates(StrEnum):
    """What becomes of a request when the content of one of its styles changes."""

    PINNED = "Pinned"
    FOLLOWED = "Followed"


class Retention(Contract):
    """How long what was made on the way is kept once the portraits are there."""

    adapter_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="The adapter goes so many days after the portraits were finished, with its "
        "form for WebUI; unset: it is kept. Later styles then need spec.refresh, which trains anew.",
    )
    candidate_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="The candidates go so many days after the portraits were finished; unset: they are kept. Later "
        "layouts and styles then need spec.refresh, which draws anew.",
    )


class Subject(Contract):
    """Who is in the photos."""

    noun: Literal["person", "woman", "man"] = Field(
        default="person", description="The class noun that training and prompts use."
    )


class Photos(Contract):
    """Where the photos lie. They are looked at once per `revision`: raise it when photos were added or removed."""

    prefix: str = Field(
        description="Where the photos lie: uploads/.../ in this namespace's own area of the store.",
        min_length=9,
        max_length=LONGEST_PREFIX,
        json_schema_extra={"x-kubernetes-validations": [_PREFIX_RULE]},
    )
    revision: int = Field(default=1, ge=1, le=1_000_000, description="Raise it when photos were added or removed.")
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.RETAIN,
        description="Delete: the photos under the prefix go with the request, unless another request of the namespace "
        "names the same ones. The page and kubectl profile create say so of the photos that they upload.",
    )


class TrainingMode(StrEnum):
    """Whether an adapter is trained."""

    ADAPTER = "Adapter"
    NONE = "None"


class Training(Contract):
    """What the requester may say about training; what is left out comes from the platform's defaults."""

    mode: TrainingMode | None = Field(
        default=None,
        description="Adapter, as where it is left out: the person's adapter is trained. None: nothing is trained; "
        "styles of the mode ImageToImage draw a preview, seconds after the photos were looked at, and all others wait "
        "until this says Adapter.",
    )
    rank: int | None = Field(default=None, ge=1, le=64, description="Rank of the adapter.")
    steps: int | None = Field(default=None, ge=1, le=5000, description="Optimiser steps.")
    resolution: int | None = Field(
        default=None, ge=64, le=2048, multiple_of=8, description="Pixels; training crops have its square as area."
    )
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1, description="Seed of training.")

    @property
    def trains(self) -> bool:
        """Whether an adapter is trained."""
        return self.mode is not TrainingMode.NONE


class ProfileRequestSpec(Contract):
    """What is asked for."""

    subject: Subject = Field(default=Subject(), description="Who is in the photos.")
    photos: Photos = Field(description="Where the photos of the person lie.")
    styles: list[StyleRef] = Field(
        description="The styles to draw, each from the same seeds. Their order is of no matter.",
        min_length=1,
        max_length=8,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "kind"]},
    )
    source: PhotoName | None = Field(
        default=None,
        description="The photo that styles of the mode ImageToImage start from: its name below photos.prefix, as "
        "status.photos.verdicts names it. Left out: as each style says.",
    )
    portraits: int = Field(default=4, ge=1, le=16, description="Delivered per style, the best of the candidates.")
    candidates: int = Field(default=8, ge=1, le=32, description="Made per style, with seeds seed, seed + 1, ...")
    seed: int = Field(default=1, ge=0, le=900_000, description="The first seed; every style gets the same seeds.")
    layouts: list[LayoutName] = Field(
        default=[LayoutName.SQUARE],
        description="Cuts made of every delivered portrait.",
        min_length=1,
        max_length=8,
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    training: Training = Field(default=Training(), description="Overrides of the platform's training defaults.")
    minimum_likeness: int = Field(
        default=45, ge=0, le=100, description="Per cent of the person's own ceiling; below it nothing is delivered."
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.DELETE, description="What becomes of the artifacts when the request is deleted."
    )
    retention: Retention = Field(
        default=Retention(),
        description="How long the adapter and the candidates are kept once the request is ready. Portraits stay.",
    )
    updates: Updates = Field(
        default=Updates.PINNED,
        description="Pinned: a style's new content is told by the condition Outdated and draws nothing. Followed: what "
        "was drawn in the style is drawn anew.",
    )
    refresh: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Raise it to take over what the platform sets now: contents of styles, defaults, versions. What "
        "differs is made anew.",
    )
    suspend: bool = Field(
        default=False,
        description="While this is true nothing is started, and what runs is stopped; it goes on from where it was.",
    )
    priority: int = Field(
        default=0,
        ge=-1000,
        le=1000,
        description="Where requests of this namespace wait for a GPU, the higher goes first; of equals, the older.",
    )
    queue_name: LabelNameOrNone = Field(
        default="",
        description="Kueue's LocalQueue in this namespace that trainings wait in; empty: the one the platform names. "
        "Has no effect where the platform does not use Kueue.",
    )

    @property
    def style_keys(self) -> list[str]:
        """The keys of the styles, in the order in which they are asked for."""
        return [style.key for style in self.styles]


SPEC_RULES = [
    {"rule": "self.portraits <= self.candidates", "message": "portraits must not exceed candidates"},
]
OBJECT_RULES = [
    {
        "rule": f"self.metadata.name.size() <= {NAME_LENGTH}",
        "message": f"the name must have at most {NAME_LENGTH} characters: Jobs are named after it",
    },
]


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
