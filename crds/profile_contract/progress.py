"""Progress events, and the stream of Redis that carries them."""

from __future__ import annotations

import logging

from pydantic import Field

from .model import Tolerant
from .stages.stage import Stage

log = logging.getLogger(__name__)


STREAM_LENGTH = 200


STREAM_SECONDS = 7 * 24 * 3600


# Whoever reaches Redis may write events: what goes into a status is bounded.
MOST_SECONDS = 10**7


LONGEST_MESSAGE = 1000


class ProgressEvent(Tolerant):
    """How far a stage is. `at` is Unix time in seconds."""

    namespace: str
    name: str
    stage: Stage
    digest: str
    percent: int = Field(ge=0, le=100)
    remaining_seconds: int | None = Field(default=None, ge=0, le=MOST_SECONDS)
    message: str = Field(default="", max_length=LONGEST_MESSAGE)
    at: float = 0.0


def stream_key(namespace: str, name: str) -> str:
    """The Redis stream of one request; each entry has one field `event` holding a ProgressEvent as JSON."""
    return f"profile:progress:{namespace}:{name}"
