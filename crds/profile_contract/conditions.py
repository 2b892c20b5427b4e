"""Conditions of a request, and every reason that a user may meet."""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """Conditions of a ProfileRequest. `Ready` is the summary that `kubectl wait`, Argo CD and Helm read."""

    READY = "Ready"
    PREPROCESSED = "Preprocessed"
    TRAINED = "Trained"
    GENERATED = "Generated"
    FINISHED = "Finished"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """Reasons in conditions, events and reports. Each is described in docs/conditions.md."""

    # progress
    SUCCEEDED = "Succeeded"
    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    WAITING_FOR_STAGE = "WaitingForStage"
    # the user must change something (Stalled)
    NO_PHOTOS = "NoPhotos"
    TOO_MANY_PHOTOS = "TooManyPhotos"
    TOO_FEW_USABLE_PHOTOS = "TooFewUsablePhotos"
    TWO_PEOPLE = "TwoPeople"
    STYLE_NOT_FOUND = "StyleNotFound"
    STYLE_NOT_UNDERSTOOD = "StyleNotUnderstood"
    INVALID_SPEC = "InvalidSpec"
    INVALID_ORDER = "InvalidOrder"
    MODEL_NOT_FOUND = "ModelNotFound"
    NO_LIKENESS_REACHED = "NoLikenessReached"
    TRAINING_DIVERGED = "TrainingDiverged"
    OUT_OF_MEMORY = "OutOfMemory"
    STAGE_FAILED = "StageFailed"
    CONFLICT = "Conflict"
    # the platform must heal; the operator tries again by itself (Reconciling)
    STORE_UNAVAILABLE = "StoreUnavailable"
    PREDICTOR_UNAVAILABLE = "PredictorUnavailable"
    PREDICTOR_REFUSED = "PredictorRefused"
    PREDICTOR_FAILS = "PredictorFails"
    API_UNAVAILABLE = "ApiUnavailable"
    # deletion
    DELETING = "Deleting"
    ARTIFACTS_PURGED = "ArtifactsPurged"
    ARTIFACTS_RETAINED = "ArtifactsRetained"
