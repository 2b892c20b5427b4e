"""LookPhotos: the pictures that a look is learnt from; what is told of it, and where what it makes lies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field, JsonValue

from .areas import Area
from .artifacts import ADAPTER, LONGEST_PREFIX, PHOTOS_PREFIX, PHOTOS_PREFIX_RULE
from .keys import ForeignKey
from .look_ref import LookKind, looks_area, shared_looks, store_prefix_of
from .model import Contract, Tolerant
from .stages.order import RequestRef
from .stages.preprocess import (
    Captions,
    LookPictures,
    PhotoRef,
    PreprocessParameters,
    photos_digest,
    preprocess_digest,
)
from .stages.stage import Stage
from .stages.table import STAGES
from .stages.train import (
    AdapterLayers,
    LookAtWeight,
    LookJudgement,
    LookMerge,
    LookTraining,
    PriorPreservation,
    TrainParameters,
    TrainReport,
    merge_digest,
    train_digest,
)

_PREFIX_RULE: dict[str, JsonValue] = {
    "rule": f"self.matches(r'{PHOTOS_PREFIX}') && !self.contains('..')",
    "message": f"photos.prefix {PHOTOS_PREFIX_RULE}: a look is learnt from pictures of its own namespace only",
}
# Below looks/, beside the files that people put there.
LEARNT = "learnt"
# The same, in the area of the installation's own namespace, of a look that is every namespace's: its crops.
SHARED = "shared"
# Beside datasets and adapters.
MODELS = "models"
# A name with a dot would look like a namespace's area.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# A face is drawn of as many women as men.
PICTURES_A_NOUN = 2


class LookCondition(StrEnum):
    """What is told of a look beside Ready, while it is learnt."""

    PREPROCESSED = "Preprocessed"
    TRAINED = "Trained"
    JUDGED = "Judged"
    # Where the output is Merged.
    MERGED = "Merged"


class LookOutput(StrEnum):
    """What a look that is learnt becomes."""

    ADAPTER = "Adapter"
    MERGED = "Merged"


class LookLayers(StrEnum):
    """Which layers of the base model a look is learnt in."""

    LOOK = "Look"
    ATTENTION = "Attention"
    EVERYTHING = "Everything"


class LookPhotos(Contract):
    """The pictures that a look is learnt from: 10 to 60 of a studio's work, of many people."""

    prefix: str = Field(
        description="Where the pictures lie: uploads/.../ in this namespace's own area of the store; of a "
        "ClusterStyleAdapter in the area of the installation's own namespace.",
        min_length=9,
        max_length=LONGEST_PREFIX,
        json_schema_extra={"x-kubernetes-validations": [_PREFIX_RULE]},
    )
    licence: str = Field(
        min_length=1,
        max_length=200,
        description="Whose the pictures are, and that whoever is in them agreed to this use.",
    )
    revision: int = Field(default=1, ge=1, le=1_000_000, description="Raise it when pictures were added or removed.")


class LookSteps(Contract):
    """What may be said about training a look; what is left out comes from the platform's defaults."""

    rank: int | None = Field(default=None, ge=1, le=64, description="Rank of the adapter.")
    steps: int | None = Field(default=None, ge=1, le=5000, description="Optimiser steps.")
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1, description="Seed of training.")


class LookFigures(Tolerant):
    """What a look does at one weight, in per cent. Of the way from pictures without it to its own; of a cosine."""

    weight_percent: int = Field(ge=1, le=150, description="The weight.")
    backdrop_percent: int | None = Field(default=None, description="How far the backdrop goes.")
    light_percent: int | None = Field(default=None, description="How far the light on skin goes.")
    features_percent: int | None = Field(default=None, description="How far the autoencoder's channels go.")
    likeness_percent: int | None = Field(
        default=None, description="Cosine, times 100, of a face to the one of its seed without the look."
    )
    nearest_percent: int | None = Field(
        default=None, description="The greatest cosine, times 100, of a drawn face to one in the look's own pictures."
    )
    resembling: int = Field(default=0, ge=0, description="Drawn faces that resemble one in the look's own pictures.")

    @classmethod
    def of(cls, row: LookAtWeight) -> LookFigures:
        """The figures as a status holds them: no floats in the API."""
        return cls(
            weight_percent=row.weight_percent,
            backdrop_percent=_percent(row.backdrop),
            light_percent=_percent(row.light),
            features_percent=_percent(row.features),
            likeness_percent=_percent(row.likeness),
            nearest_percent=_percent(row.nearest),
            resembling=row.resembling,
        )


def _percent(share: float | None) -> int | None:
    """A share in per cent, within what a status says; None for none."""
    return None if share is None else round(100 * max(-10.0, min(share, 10.0)))


class MergedLook(Tolerant):
    """A base model with the look merged in, which predictor and trainer load by name from the models folder."""

    name: str = Field(default="", max_length=200, description="The model's name, and its folder's.")
    folder: str = Field(default="", max_length=1024, description="Where it lies, below the place of the look.")
    weight_percent: int = Field(default=0, ge=0, le=150, description="The look's weight in it.")
    bytes: int = Field(default=0, ge=0, description="Size of all files.")
    sums: str = Field(default="", max_length=64, description="sha256 of its SHA256SUMS, for models.sha256.")


class LearntLook(Tolerant):
    """A look that was learnt: from what, how it was judged, and where it lies: below its namespace's area, or, of a
    ClusterStyleAdapter, below the installation's prefix."""

    adapter: str = Field(default="", max_length=1024, description="The adapter's file.")
    sheet: str = Field(default="", max_length=1024, description="The sheet: faces with the look and without it.")
    report: str = Field(default="", max_length=1024, description="The report of its training.")
    pictures: int = Field(default=0, ge=0, description="Pictures that it was learnt from.")
    people: int = Field(default=0, ge=0, description="People that were told apart in them.")
    network: str = Field(default="", max_length=100, description="What told faces apart.")
    threshold_percent: int = Field(default=0, description="The cosine, times 100, from which on two are one person's.")
    recommended_percent: int | None = Field(default=None, description="The weight to begin with.")
    weights: list[LookFigures] = Field(default=[], max_length=5, description="The figures, by weight.")
    merged: MergedLook | None = Field(default=None, description="Of the output Merged, once it is written.")

    @classmethod
    def of(cls, judged: LookJudgement, pictures: int, prefix: str, place: str) -> LearntLook:
        """What the status says of a look whose adapter lies below `prefix`. `place`: what stands before its keys."""
        folder = prefix.removeprefix(place)
        return cls(
            adapter=folder + ADAPTER,
            sheet=judged.sheet.removeprefix(place),
            report=f"{folder}report.json",
            pictures=pictures,
            people=judged.people,
            network=judged.network,
            threshold_percent=round(100 * max(-1.0, min(judged.threshold, 1.0))),
            recommended_percent=judged.recommended_percent,
            weights=[LookFigures.of(row) for row in judged.weights],
        )

    @property
    def unsound_from(self) -> int | None:
        """The least weight at which somebody of its own pictures is to be recognised; None: at none."""
        return min((row.weight_percent for row in self.weights if row.resembling), default=None)


@dataclass(frozen=True)
class Lesson:
    """What a look is learnt from, and how: the same lesson makes the same adapter, and is given once.

    `area`: of the namespace whose pictures they are, and whose Jobs look at them; of a ClusterStyleAdapter that is the
    installation's own. There the pictures and their crops stay; what is made of them lies where `kind` says.
    """

    request: RequestRef
    area: Area
    photos: tuple[PhotoRef, ...]
    pictures: LookPictures
    preprocess: PreprocessParameters
    training: TrainParameters
    look: LookTraining
    kind: LookKind = LookKind.OWN

    @property
    def place(self) -> str:
        """What stands before the keys of the finished look: the area, or the installation's prefix. Raises
        ForeignKey."""
        return self.area if self.kind is LookKind.OWN else store_prefix_of(self.area)

    def digest(self, stage: Stage) -> str:
        """Of preprocess or train."""
        dataset = preprocess_digest(photos_digest(list(self.photos)), self.preprocess, self.pictures)
        return dataset if stage is Stage.PREPROCESS else train_digest(dataset, self.training, self.look)

    def prefix(self, stage: Stage) -> str:
        """Where a stage leaves what it makes. Raises ForeignKey for a name with a dot."""
        folder, digest = STAGES[stage].folder, self.digest(stage)
        if self.kind is LookKind.CLUSTER and stage is Stage.PREPROCESS:
            return _folder(f"{looks_area(self.area)}{SHARED}/", self.request.name, folder, digest)
        return self._made(folder, digest)

    def merge(self, training: TrainReport, wish: MergeWish) -> LookMerge | None:
        """What is merged into the base model; None for a look that no weight is recommended of."""
        judged, weight = training.look, wish.weight_percent
        weight = judged.recommended_percent if judged is not None and weight is None else weight
        if training.adapter is None or weight is None:
            return None
        return LookMerge(
            name=f"{self.training.base_model.replace('/', '-')}-{self.request.name}",
            adapter=training.adapter,
            weight_percent=weight,
            licence=wish.licence,
            recipe=wish.recipe,
        )

    def merge_digest(self, merge: LookMerge) -> str:
        """Of the base model with the look merged in."""
        return merge_digest(self.training.base_model, merge)

    def merge_prefix(self, merge: LookMerge) -> str:
        """Where that base model is written. Raises ForeignKey for a name with a dot."""
        return self._made(MODELS, self.merge_digest(merge))

    def _made(self, folder: str, digest: str) -> str:
        """Where what styles draw with is written. Raises ForeignKey for a name with a dot."""
        own = self.kind is LookKind.OWN
        looks = looks_area(self.area) if own else shared_looks(store_prefix_of(self.area))
        return _folder(f"{looks}{LEARNT}/", self.request.name, folder, digest)


@dataclass(frozen=True)
class MergeWish:
    """A base model with the look merged in is asked for. `weight_percent` None: at the recommended one; `recipe`: the
    platform's, as JSON, for a base model that brings none."""

    weight_percent: int | None
    licence: str
    recipe: str = ""


def _folder(place: str, name: str, folder: str, digest: str) -> str:
    """Where a step of learning a look leaves what it makes. Raises ForeignKey for a name that no key may hold."""
    if not _NAME.fullmatch(name):
        raise ForeignKey(f"{name[:63]!a} has a dot, and no look of such a name is learnt: name it otherwise")
    return f"{place}{name}/{folder}/{digest}/"


def look_preprocess(platform: PreprocessParameters) -> PreprocessParameters:
    """How a look's pictures are looked at: as the platform's base model wants it. Backdrop and clothes may be what the
    look is, so captions do not name them."""
    return platform.model_copy(update={"captions": Captions.FRAMED})


def look_training(platform: TrainParameters, layers: LookLayers, steps: LookSteps) -> TrainParameters:
    """How a look is trained: as the platform's base model wants it, but in the layers of looks, and as `steps` say."""
    said = {name: value for name, value in steps.model_dump().items() if value is not None}
    changed = {
        "adapter_layers": AdapterLayers(layers.value.lower()),
        "noun": "person",
        "face_weight": 1.0,
        # No noun comes to mean anybody.
        "prior_preservation": PriorPreservation(),
    }
    return platform.model_copy(update={**changed, "validation_images": 2 * PICTURES_A_NOUN, **said})
