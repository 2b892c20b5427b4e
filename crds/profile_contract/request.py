"""ProfileRequest: what a person asks for. What they are told about it stands in `request_status`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from .artifacts import LONGEST_PREFIX, PHOTOS_PREFIX, PHOTOS_PREFIX_RULE
from .kubernetes import LabelNameOrNone
from .layouts import LayoutName
from .model import Contract
from .style_ref import StyleRef

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
