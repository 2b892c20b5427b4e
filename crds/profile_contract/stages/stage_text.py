"""StageText: what a request is at, in one word: what `kubectl get` shows, and what counts and queries go by."""

from __future__ import annotations

from enum import StrEnum


class StageText(StrEnum):
    """Every word that stands under STAGE."""

    WAITING = "Waiting"  # nobody has looked at it yet
    PREPROCESSING = "Preprocessing"
    QUEUED = "Queued"  # for a GPU
    TRAINING = "Training"
    GENERATING = "Generating"
    FINISHING = "Finishing"
    DONE = "Done"
    SUSPENDED = "Suspended"  # by spec.suspend
    STALLED = "Stalled"  # until a person acts
    DELETING = "Deleting"
