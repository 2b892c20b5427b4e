"""LookSpec and LookStatus: a look, as a StyleAdapter of a namespace or a ClusterStyleAdapter of the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError

from .conditions import ConditionType
from .keys import ForeignKey
from .kubernetes import LONGEST_INSTALLATION
from .look_learning import LearntLook, LookLayers, LookOutput, LookPhotos, LookSteps
from .look_ref import LookFile, LookKind, LookPath, LookRef, Sha256, look_key
from .model import Contract, Tolerant
from .problems import problems_of
from .request_status import Condition
from .style import DEFAULT_PREDICTOR, ProfileStyleSpec
from .understood import understood

LOOK_RULES = [
    {
        "rule": "self.metadata.name.size() <= 63",
        "message": "the name must have at most 63 characters: styles ask for a look by it",
    },
    {
        "rule": "has(self.spec.file) != has(self.spec.photos)",
        "message": "say either spec.file, of an adapter that is there, or spec.photos, to learn one from",
    },
    {
        "rule": "!has(self.spec.photos) || (has(self.spec.words) && self.spec.words != '')",
        "message": "a look that is learnt needs spec.words: what captions call it, and prompts say to get it",
    },
    {
        "rule": "has(self.spec.photos) || !has(self.spec.output) || self.spec.output == 'Adapter'",
        "message": "spec.output Merged is for a look that is learnt from spec.photos: `profile-studio merge-looks` "
        "merges files into a base model",
    },
    # A key's folders have no dots.
    {
        "rule": "!has(self.spec.photos) || !self.metadata.name.contains('.')",
        "message": "the name of a look that is learnt holds no dot: a folder of the store is called so",
    },
]


class LookSource(Contract):
    """An adapter's file in the store, made elsewhere."""

    key: LookPath = Field(
        description="Where the file lies: below looks/ of the namespace's own part of the bucket, or, of a "
        "ClusterStyleAdapter, below looks/ of the installation's.",
    )
    sha256: Sha256 = Field(description="Digest of the file: another one is never drawn with.")
    licence: str = Field(
        min_length=1, max_length=200, description="Under which licence the file may be used, and whose it is."
    )


class LookSpec(Contract):
    """The content of a StyleAdapter and of a ClusterStyleAdapter."""

    file: LookSource | None = Field(
        default=None, description="LoRA, LoCon or LoHa as safetensors, in the names of any of the known tools."
    )
    photos: LookPhotos | None = Field(
        default=None, description="Instead of a file: the pictures that it is learnt from."
    )
    words: str = Field(
        default="",
        max_length=200,
        description="What a prompt says to get the look, for whoever writes styles; captions of its pictures say it.",
    )
    layers: LookLayers = Field(
        default=LookLayers.LOOK,
        description="Of photos: where it is learnt. Look: in the transformers where style lives, and faces do not. "
        "Attention: in the attention of all. Everything: in all layers, for thin models.",
    )
    training: LookSteps = Field(default=LookSteps(), description="Of photos: how it is trained.")
    output: LookOutput = Field(
        default=LookOutput.ADAPTER,
        description="Of photos: what comes of it. Merged: beside the adapter a base model with the look merged in, "
        "as a folder in the store that the platform takes into use by name (docs/looks.md).",
    )
    merged_weight_percent: int | None = Field(
        default=None, ge=1, le=150, description="The look's weight in that base model. Left out: the recommended one."
    )
    predictor: str = Field(
        default=DEFAULT_PREDICTOR,
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the InferenceService whose base model it is for: it reads the file, and says whether it "
        "fits.",
    )


class LookReason(StrEnum):
    """Why a look is Ready, or is not."""

    FITS = "Fits"
    LEARNING = "Learning"  # from its pictures; the other conditions say how far it is
    REFUSED = "Refused"  # the file is not what the spec says, or is none that the base model can be drawn with
    NOT_FOUND = "NotFound"  # nothing lies there, yet; it is looked for again
    PREDICTOR_UNAVAILABLE = "PredictorUnavailable"  # nobody could read it, yet
    STORE_UNAVAILABLE = "StoreUnavailable"
    NOT_UNDERSTOOD = "NotUnderstood"  # a newer version wrote the spec


class LookStatus(Tolerant):
    """What the operator says of a look."""

    observed_generation: int = Field(default=-1, description="The metadata.generation that this status tells of.")
    conditions: list[Condition] = Field(
        default=[],
        max_length=5,
        description="Ready: whether the predictor read the file, and can draw with it. Preprocessed, Trained, Judged "
        "and Merged: how far a look is that is learnt from photos.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    digest: str = Field(default="", max_length=64, description="sha256 of the file that was read.")
    layers: int = Field(default=0, ge=0, description="How many layers of the base model it changes.")
    rank: int = Field(default=0, ge=0, description="The greatest rank among them.")
    styles: int = Field(default=0, ge=0, description="How many styles draw with it.")
    learnt: LearntLook | None = Field(default=None, description="Of a look that was learnt from photos.")
    installation: str = Field(
        default="",
        max_length=LONGEST_INSTALLATION,
        description="The installation that looks after this status, as NAMESPACE/NAME of its release.",
    )

    @property
    def ready(self) -> Condition | None:
        """The condition, where one was written."""
        return next((condition for condition in self.conditions if condition.type == ConditionType.READY), None)


@dataclass(frozen=True)
class LookState:
    """A look as requests see it: its file, where it is ready; else why it is not."""

    predictor: str
    file: LookFile | None = None
    hindrance: str = ""
    # The least weight at which somebody of its own pictures is to be recognised.
    unsound_from: int | None = None


def look_ref_of(document: Mapping[str, Any]) -> LookRef:
    """The look that a document of the API server holds. Raises pydantic's ValidationError for a name that no style can
    say."""
    metadata = document["metadata"]
    return LookRef(name=metadata["name"], kind=LookKind.OWN if metadata.get("namespace") else LookKind.CLUSTER)


def look_spec(document: Mapping[str, Any]) -> LookSpec:
    """What stands under `spec`; fields of a newer version are left alone. Raises pydantic's ValidationError."""
    return LookSpec.model_validate(document.get("spec") or {}, extra="ignore")


def look_state(document: Mapping[str, Any], place: str, installation: str) -> LookState:
    """How a look stands. `place`: what stands before its key in the bucket, a namespace's area or the installation's
    prefix."""
    status, _ = understood(LookStatus, document.get("status") or {})
    ready, generation = status.ready, int(document["metadata"].get("generation", 0))
    try:
        spec = look_spec(document)
        file = look_file(spec, status, place)
    except (ValidationError, ForeignKey) as error:
        problem = problems_of(error, most=3, below="spec.") if isinstance(error, ValidationError) else str(error)
        return LookState(DEFAULT_PREDICTOR, hindrance=f"cannot be understood: {problem}")
    if ready is None or status.observed_generation != generation or status.installation != installation:
        return LookState(spec.predictor, hindrance="was not looked at yet")
    if ready.status != "True" or file is None:
        return LookState(spec.predictor, hindrance=f"is not ready: {ready.message}")
    return LookState(spec.predictor, file, unsound_from=status.learnt.unsound_from if status.learnt else None)


def look_file(spec: LookSpec, status: LookStatus, place: str) -> LookFile | None:
    """The file that a look is drawn with: the one that the spec names, or that was learnt, if any was.

    Raises ForeignKey for one that lies elsewhere.
    """
    if spec.file is not None:
        return LookFile(key=look_key(place, spec.file.key), sha256=spec.file.sha256)
    if status.learnt is None or not status.digest:
        return None
    return LookFile(key=look_key(place, status.learnt.adapter), sha256=status.digest)


def hindrances(styles: Mapping[str, ProfileStyleSpec], looks: Mapping[str, LookState]) -> dict[str, str]:
    """Of each style that cannot be drawn for want of a look, which look it is and why; by the styles' keys."""
    texts = ((key, text) for key, style in styles.items() if (text := _hindrance(style, looks)))
    return dict(texts)


def _hindrance(style: ProfileStyleSpec, looks: Mapping[str, LookState]) -> str:
    """What the first of a style's looks lacks; empty: nothing."""
    for ref in style.adapters or ():
        state = looks.get(ref.key)
        if state is None:
            return f"there is no {ref}"
        if state.hindrance:
            return f"the {ref} {state.hindrance}"
        if state.predictor != style.predictor:
            return f"the {ref} was read by {state.predictor}, and the style is drawn by {style.predictor}"
        if state.unsound_from is not None and ref.weight_percent >= state.unsound_from:
            return (
                f"from the weight {state.unsound_from} on, the {ref} shows somebody of the pictures that it was learnt "
                f"from: set weightPercent below {state.unsound_from}"
            )
    return ""


def drawable(styles: Mapping[str, ProfileStyleSpec], looks: Mapping[str, LookState]) -> dict[str, ProfileStyleSpec]:
    """The styles of which every look is ready, by their keys."""
    return {key: style for key, style in styles.items() if not _hindrance(style, looks)}


def ready_files(styles: Iterable[ProfileStyleSpec], looks: Mapping[str, LookState]) -> dict[str, LookFile]:
    """The files of the looks that are ready, by their keys, of those that some of these styles draw with."""
    asked = {ref.key for style in styles for ref in style.adapters or ()}
    return {key: state.file for key, state in looks.items() if key in asked and state.file is not None}
