"""What a person may do about a reason, in one short sentence each; and texts short enough for a status."""

from __future__ import annotations

import re

from profile_contract.conditions import RETRY_ANNOTATION, Reason

MESSAGE_LENGTH = 500
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
# Terminals obey some, others turn the direction of text, and halves of characters come back from the API server
# changed: such a status would be written again and again.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_TRY_AGAIN = f"Set the annotation {RETRY_ANNOTATION} to a new value to try again."
_READ_LOGS = "The pod's log says more."

ADVICE: dict[Reason, str] = {
    Reason.NO_PHOTOS: "Upload 5 to 20 photos there; it is looked at again every minute.",
    Reason.TOO_MANY_PHOTOS: "Remove some of them; it is looked at again every minute.",
    Reason.TOO_FEW_USABLE_PHOTOS: "See status.photos.verdicts, add better photos and raise spec.photos.revision.",
    Reason.TWO_PEOPLE: "Remove the photos of the person who is not meant and raise spec.photos.revision.",
    Reason.STYLE_NOT_FOUND: "Correct spec.styles, or create the ProfileStyle.",
    Reason.STYLE_NOT_UNDERSTOOD: "Bring the operator up to the version of the ProfileStyle, or correct the style.",
    Reason.INVALID_SPEC: "Correct the spec.",
    Reason.INVALID_ORDER: "Operator and stage images do not fit together; install the same version of both.",
    Reason.MODEL_NOT_FOUND: f"The platform team must provide the model. {_TRY_AGAIN}",
    Reason.NO_LIKENESS_REACHED: "Lower spec.minimumLikeness, raise spec.candidates, or add better photos.",
    Reason.TRAINING_DIVERGED: "Try another spec.training.seed or fewer steps.",
    Reason.OUT_OF_MEMORY: f"Lower spec.training.resolution or give the stage more memory. {_TRY_AGAIN}",
    Reason.STAGE_FAILED: f"{_READ_LOGS} {_TRY_AGAIN}",
    Reason.CONFLICT: "Delete or rename the other object.",
    Reason.PREDICTOR_REFUSED: _TRY_AGAIN,
}
# Reasons of a stage that ended for want of something outside: its Job used up its attempts.
_GAVE_UP = frozenset({Reason.STORE_UNAVAILABLE, Reason.PENDING, Reason.PREDICTOR_UNAVAILABLE, Reason.API_UNAVAILABLE})


def plain(message: str, length: int = MESSAGE_LENGTH) -> str:
    """The message on one line, without links (one might be signed) and control characters, cut to a length."""
    text = _LINK.sub("[link]", " ".join(_UNSEEN.sub(" ", message).split()))
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def advised(reason: Reason, message: str) -> str:
    """The message with the advice that belongs to the reason."""
    advice = _TRY_AGAIN if reason in _GAVE_UP else ADVICE.get(reason, "")
    text = plain(message)
    if not advice or advice in text:
        return text
    return f"{text}{'' if text.endswith(('.', '!', '?', '…')) else '.'} {advice}" if text else advice
