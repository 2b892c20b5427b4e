"""Conditions of a request, and every reason that a user may meet: its kind, and what a person may do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from . import GROUP

# A person sets it to a new value to have failed stages tried again and the photos looked at anew.
RETRY_ANNOTATION = f"{GROUP}/retry"
# "true" lets a request that is being deleted go although nobody can confirm that what it made is gone.
ABANDON_ANNOTATION = f"{GROUP}/abandon"


class ConditionType(StrEnum):
    """Conditions of a ProfileRequest. `Ready` is the summary that `kubectl wait`, Argo CD and Helm read."""

    READY = "Ready"
    PREPROCESSED = "Preprocessed"
    TRAINED = "Trained"
    GENERATED = "Generated"
    FINISHED = "Finished"
    OUTDATED = "Outdated"
    OMITTED = "Omitted"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """Reasons in conditions, events and reports. What is known of each: `REASONS`, and docs/conditions.md."""

    SUCCEEDED = "Succeeded"
    QUEUED = "Queued"
    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    WAITING_FOR_STAGE = "WaitingForStage"
    NOT_ASKED = "NotAsked"
    UP_TO_DATE = "UpToDate"
    PLATFORM_CHANGED = "PlatformChanged"
    NO_PHOTOS = "NoPhotos"
    TOO_MANY_PHOTOS = "TooManyPhotos"
    TOO_FEW_USABLE_PHOTOS = "TooFewUsablePhotos"
    TWO_PEOPLE = "TwoPeople"
    TOO_FEW_PEOPLE = "TooFewPeople"
    INVALID_CAPTION = "InvalidCaption"
    STYLE_NOT_FOUND = "StyleNotFound"
    STYLE_NOT_UNDERSTOOD = "StyleNotUnderstood"
    STYLE_ADAPTER_NOT_READY = "StyleAdapterNotReady"
    SOURCE_NOT_FOUND = "SourceNotFound"
    SOURCE_REFUSED = "SourceRefused"
    NOT_TRAINED = "NotTrained"
    INVALID_SPEC = "InvalidSpec"
    INVALID_ORDER = "InvalidOrder"
    MODEL_NOT_FOUND = "ModelNotFound"
    SIGNATURE_UNUSABLE = "SignatureUnusable"
    NO_LIKENESS_REACHED = "NoLikenessReached"
    EXPIRED = "Expired"
    TRAINING_DIVERGED = "TrainingDiverged"
    OUT_OF_MEMORY = "OutOfMemory"
    SCRATCH_FULL = "ScratchFull"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    STAGE_FAILED = "StageFailed"
    CONFLICT = "Conflict"
    REFUSED = "Refused"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    POD_NOT_STARTED = "PodNotStarted"
    EVICTED = "Evicted"
    NODE_LOST = "NodeLost"
    STORE_UNAVAILABLE = "StoreUnavailable"
    PREDICTOR_UNAVAILABLE = "PredictorUnavailable"
    PREDICTOR_NOT_FOUND = "PredictorNotFound"
    PREDICTOR_REFUSED = "PredictorRefused"
    PREDICTOR_FAILS = "PredictorFails"
    API_UNAVAILABLE = "ApiUnavailable"
    DELETING = "Deleting"
    ARTIFACTS_PURGED = "ArtifactsPurged"
    ARTIFACTS_RETAINED = "ArtifactsRetained"
    ARTIFACTS_ABANDONED = "ArtifactsAbandoned"
    OTHER_INSTALLATION = "OtherInstallation"


class ReasonKind(StrEnum):
    """Who moves next. A PERSON's reasons stall a request; the PLATFORM's heal, and the operator tries again itself."""

    PROGRESS = "Progress"
    PERSON = "Person"
    PLATFORM = "Platform"
    DELETION = "Deletion"


@dataclass(frozen=True)
class ReasonRow:
    """What is known of a reason. `advice` is one short sentence or two: what a person may do once nothing goes on."""

    kind: ReasonKind
    advice: str = ""


_TRY_AGAIN = f"Set the annotation {RETRY_ANNOTATION} to a new value to try again."

REASONS: Mapping[Reason, ReasonRow] = {
    Reason.SUCCEEDED: ReasonRow(ReasonKind.PROGRESS),
    Reason.QUEUED: ReasonRow(ReasonKind.PROGRESS),
    Reason.PENDING: ReasonRow(ReasonKind.PROGRESS),
    Reason.RUNNING: ReasonRow(ReasonKind.PROGRESS),
    Reason.SUSPENDED: ReasonRow(ReasonKind.PROGRESS),
    Reason.WAITING_FOR_STAGE: ReasonRow(ReasonKind.PROGRESS),
    Reason.NOT_ASKED: ReasonRow(ReasonKind.PROGRESS),
    Reason.UP_TO_DATE: ReasonRow(ReasonKind.PROGRESS),
    Reason.PLATFORM_CHANGED: ReasonRow(ReasonKind.PROGRESS),
    Reason.NO_PHOTOS: ReasonRow(ReasonKind.PERSON, "Upload 5 to 20 photos there; it is looked at again every minute."),
    Reason.TOO_MANY_PHOTOS: ReasonRow(ReasonKind.PERSON, "Remove some of them; it is looked at again every minute."),
    Reason.TOO_FEW_USABLE_PHOTOS: ReasonRow(
        ReasonKind.PERSON, "See status.photos.verdicts, add better photos and raise spec.photos.revision."
    ),
    Reason.TWO_PEOPLE: ReasonRow(
        ReasonKind.PERSON, "Remove the photos of the person who is not meant and raise spec.photos.revision."
    ),
    Reason.TOO_FEW_PEOPLE: ReasonRow(
        ReasonKind.PERSON, "A look is learnt from pictures of many people: add pictures of others."
    ),
    Reason.INVALID_CAPTION: ReasonRow(
        ReasonKind.PERSON, "Correct or delete the text file beside the photo and raise spec.photos.revision."
    ),
    Reason.STYLE_NOT_FOUND: ReasonRow(ReasonKind.PERSON, "Correct spec.styles, or create the style."),
    Reason.STYLE_NOT_UNDERSTOOD: ReasonRow(
        ReasonKind.PERSON, "Bring the operator up to the version of the style, or correct the style."
    ),
    Reason.STYLE_ADAPTER_NOT_READY: ReasonRow(
        ReasonKind.PERSON,
        "Create or correct the adapter, or take it out of the style; it goes on by itself then. Other styles are drawn "
        "meanwhile.",
    ),
    Reason.SOURCE_NOT_FOUND: ReasonRow(
        ReasonKind.PERSON, "Correct spec.source, or leave it out and the best photo is taken."
    ),
    Reason.SOURCE_REFUSED: ReasonRow(
        ReasonKind.PERSON, "Name another photo in spec.source, or leave it out and the best one is taken."
    ),
    Reason.NOT_TRAINED: ReasonRow(
        ReasonKind.PERSON, "Set spec.training.mode to Adapter, or ask for styles of the mode ImageToImage alone."
    ),
    Reason.INVALID_SPEC: ReasonRow(ReasonKind.PERSON, "Correct the spec."),
    Reason.INVALID_ORDER: ReasonRow(
        ReasonKind.PERSON,
        "If operator and stage images are of different versions, install the same version of both. "
        f"If not, somebody changed what a stage left in the store. {_TRY_AGAIN}",
    ),
    Reason.MODEL_NOT_FOUND: ReasonRow(ReasonKind.PERSON, f"The platform team must provide the model. {_TRY_AGAIN}"),
    Reason.SIGNATURE_UNUSABLE: ReasonRow(
        ReasonKind.PERSON,
        f"The platform team must correct the key or the certificate by which portraits are signed. {_TRY_AGAIN}",
    ),
    Reason.NO_LIKENESS_REACHED: ReasonRow(
        ReasonKind.PERSON, "Lower spec.minimumLikeness, raise spec.candidates, or add better photos."
    ),
    Reason.EXPIRED: ReasonRow(ReasonKind.PERSON, "Raise spec.refresh to have it made anew."),
    Reason.TRAINING_DIVERGED: ReasonRow(ReasonKind.PERSON, "Try another spec.training.seed or fewer steps."),
    Reason.OUT_OF_MEMORY: ReasonRow(
        ReasonKind.PERSON, f"Lower spec.training.resolution or give the stage more memory. {_TRY_AGAIN}"
    ),
    Reason.SCRATCH_FULL: ReasonRow(
        ReasonKind.PERSON, f"The platform team must raise scratchSize of the stage's Job. {_TRY_AGAIN}"
    ),
    Reason.DEADLINE_EXCEEDED: ReasonRow(
        ReasonKind.PERSON, f"Train fewer steps, or have activeDeadlineSeconds of the stage's Job raised. {_TRY_AGAIN}"
    ),
    Reason.STAGE_FAILED: ReasonRow(ReasonKind.PERSON, f"The pod's log says more. {_TRY_AGAIN}"),
    Reason.CONFLICT: ReasonRow(ReasonKind.PERSON, "Delete or rename the other object."),
    # The operator tries again by itself, a Job that used up its attempts for want of these too.
    Reason.REFUSED: ReasonRow(ReasonKind.PLATFORM),
    Reason.IMAGE_PULL_FAILED: ReasonRow(ReasonKind.PLATFORM),
    Reason.POD_NOT_STARTED: ReasonRow(ReasonKind.PLATFORM),
    Reason.EVICTED: ReasonRow(ReasonKind.PLATFORM),
    Reason.NODE_LOST: ReasonRow(ReasonKind.PLATFORM),
    Reason.STORE_UNAVAILABLE: ReasonRow(ReasonKind.PLATFORM),
    Reason.PREDICTOR_UNAVAILABLE: ReasonRow(ReasonKind.PLATFORM),
    Reason.PREDICTOR_NOT_FOUND: ReasonRow(ReasonKind.PLATFORM),
    Reason.PREDICTOR_REFUSED: ReasonRow(ReasonKind.PERSON, _TRY_AGAIN),
    Reason.PREDICTOR_FAILS: ReasonRow(ReasonKind.PLATFORM),
    Reason.API_UNAVAILABLE: ReasonRow(ReasonKind.PLATFORM),
    Reason.DELETING: ReasonRow(ReasonKind.DELETION),
    Reason.ARTIFACTS_PURGED: ReasonRow(ReasonKind.DELETION),
    Reason.ARTIFACTS_RETAINED: ReasonRow(ReasonKind.DELETION),
    Reason.ARTIFACTS_ABANDONED: ReasonRow(ReasonKind.DELETION),
    # Never in a condition: a status is written by the installation that serves the request alone.
    Reason.OTHER_INSTALLATION: ReasonRow(ReasonKind.PROGRESS),
}
