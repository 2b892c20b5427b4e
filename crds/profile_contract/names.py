"""Words that stand in the API: stages, tones, layouts, conditions, and every reason that a user may meet."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """The four stages, in the order that data flows."""

    PREPROCESS = "preprocess"
    TRAIN = "train"
    GENERATE = "generate"
    FINISH = "finish"


# Raised by hand when a stage's code changes what it makes from the same inputs: it is part of every stage's digest.
STAGE_VERSIONS: dict[Stage, int] = {Stage.PREPROCESS: 2, Stage.TRAIN: 2, Stage.GENERATE: 1, Stage.FINISH: 3}


class Tone(StrEnum):
    """The light of a style."""

    WARM = "Warm"
    COOL = "Cool"
    NEUTRAL = "Neutral"


class Mode(StrEnum):
    """How a candidate comes to be."""

    TEXT_TO_IMAGE = "TextToImage"
    IMAGE_TO_IMAGE = "ImageToImage"


class AdapterLayers(StrEnum):
    """Which layers of the UNet's transformers an adapter changes: trainer and predictor must be told the same."""

    ATTENTION = "attention"
    TRANSFORMER = "transformer"

    @property
    def modules(self) -> tuple[str, ...]:
        """The layers' names, as they end in diffusers' UNet."""
        attention = ("to_q", "to_k", "to_v", "to_out.0")
        return attention if self is AdapterLayers.ATTENTION else (*attention, *_REST_OF_A_TRANSFORMER)


_REST_OF_A_TRANSFORMER = ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")


class LayoutName(StrEnum):
    """The cuts that can be made of a portrait. Sizes: `profile_contract.layouts`."""

    SQUARE = "square"
    EMPLOYEE_CARD = "employee-card"
    STUDENT_CARD = "student-card"
    RESUME = "resume"
    ID_SIZE = "id-size"
    PRINT = "print-5x7"


class DeletionPolicy(StrEnum):
    """What becomes of the artifacts when the request is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"


class ConditionType(StrEnum):
    """Conditions of a ProfileRequest. `Ready` is the summary that `kubectl wait`, Argo CD and Helm read."""

    READY = "Ready"
    PREPROCESSED = "Preprocessed"
    TRAINED = "Trained"
    GENERATED = "Generated"
    FINISHED = "Finished"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


STAGE_CONDITIONS: dict[Stage, ConditionType] = {
    Stage.PREPROCESS: ConditionType.PREPROCESSED,
    Stage.TRAIN: ConditionType.TRAINED,
    Stage.GENERATE: ConditionType.GENERATED,
    Stage.FINISH: ConditionType.FINISHED,
}


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


class PhotoReason(StrEnum):
    """Why a photo was accepted or not."""

    ACCEPTED = "Accepted"
    NOT_AN_IMAGE = "NotAnImage"
    DAMAGED = "Damaged"
    TOO_MUCH_WORK = "TooMuchWork"
    TOO_MANY_BYTES = "TooManyBytes"
    TOO_MANY_PIXELS = "TooManyPixels"
    TOO_SMALL = "TooSmall"
    NO_FACE = "NoFace"
    SEVERAL_PEOPLE = "SeveralPeople"
    FACE_TOO_SMALL = "FaceTooSmall"
    HEAD_CUT_OFF = "HeadCutOff"
    FACE_TURNED_AWAY = "FaceTurnedAway"
    FACE_COVERED = "FaceCovered"
    BLURRED = "Blurred"
    TOO_DARK = "TooDark"
    TOO_BRIGHT = "TooBright"
    OTHER_PERSON = "OtherPerson"
    DUPLICATE = "Duplicate"


class PhotosWarningKind(StrEnum):
    """What is true of accepted photos, or of all together, and worth knowing although nothing stops for it."""

    NO_COLOUR = "NoColour"
    LITTLE_COLOUR = "LittleColour"
    NOT_FRONTAL = "NotFrontal"
    TURNED_UPRIGHT = "TurnedUpright"
    LEFT_OUT = "LeftOut"


PHOTO_ADVICE: dict[PhotoReason, str] = {
    PhotoReason.ACCEPTED: "",
    PhotoReason.NOT_AN_IMAGE: ("This file cannot be read as a picture. Upload a JPEG, HEIC, PNG, WebP or AVIF photo."),
    PhotoReason.DAMAGED: "The file is damaged: a part of the picture is missing or changed. Send the original again.",
    PhotoReason.TOO_MUCH_WORK: (
        "The picture takes too long to open. Open it yourself, save it as an ordinary JPEG, and upload that."
    ),
    PhotoReason.TOO_MANY_BYTES: "The file is too large. Upload a photo below the size limit, as your phone saves it.",
    PhotoReason.TOO_MANY_PIXELS: (
        "The picture has too many pixels. Upload an ordinary phone photo of at most 60 megapixels."
    ),
    PhotoReason.TOO_SMALL: "The picture is too small. Upload the original photo, not a thumbnail or a screenshot.",
    PhotoReason.NO_FACE: "No face was found. Use a photo in which your face is clearly visible.",
    PhotoReason.SEVERAL_PEOPLE: (
        "More than one person is in the photo. Use a photo of you alone, or crop the others out."
    ),
    PhotoReason.FACE_TOO_SMALL: (
        "Your face is too small in the photo. Come closer, or crop the photo around your head and shoulders."
    ),
    PhotoReason.HEAD_CUT_OFF: "Your head is cut off at the edge. Use a photo that shows your whole head.",
    PhotoReason.FACE_TURNED_AWAY: "Your face is turned too far away. Use a photo in which both eyes are visible.",
    PhotoReason.FACE_COVERED: (
        "Part of your face is covered. Use a photo without a mask, sunglasses or a hand before your face."
    ),
    PhotoReason.BLURRED: (
        "The photo is blurred, or was saved too small. Use the original photo, taken with a steady hand in good light."
    ),
    PhotoReason.TOO_DARK: "The photo is too dark. Use a photo taken in better light.",
    PhotoReason.TOO_BRIGHT: "The photo is overexposed. Use a photo without strong light on your face.",
    PhotoReason.OTHER_PERSON: (
        "This seems to be someone else than in most of the photos. Use photos of one person only."
    ),
    PhotoReason.DUPLICATE: "This photo is almost the same as another one. Use photos of different moments.",
}
