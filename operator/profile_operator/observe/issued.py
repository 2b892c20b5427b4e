"""Issued: what this process put into which Secret. It counts only where that very Secret stands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from profile_contract.stages.table import Stage

# Somebody may delete a Secret while its pod is still to start: it is missed after so long at the latest.
SECONDS = 10.0


@dataclass(frozen=True)
class Credentials:
    """What one Secret holds: credentials under a policy, given by its digest, and when they end."""

    secret_uid: str
    policy: str
    ends: datetime


class Issued:
    """By request and stage the last Secret that was made. After a restart nothing is known, and all is issued anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # With the time at which its Secret was seen to stand.
        self._last: dict[str, dict[Stage, tuple[Credentials, float]]] = {}

    def add(self, request_uid: str, stage: Stage, credentials: Credentials) -> None:
        """Another Secret was made, or the last one was seen to stand just now."""
        self._last.setdefault(request_uid, {})[stage] = credentials, self._clock()

    def any(self, request_uid: str, stage: Stage) -> bool:
        """Whether this process made one."""
        return stage in self._last.get(request_uid, {})

    def standing(self, request_uid: str, stage: Stage, secret_uid: str) -> Credentials | None:
        """What the Secret of that uid holds; None where we did not make it."""
        credentials, _ = self._last.get(request_uid, {}).get(stage, (None, 0.0))
        return credentials if credentials is not None and credentials.secret_uid == secret_uid else None

    def lately(self, request_uid: str, stage: Stage) -> Credentials | None:
        """What a Secret holds that was seen to stand a moment ago: not every look at a request asks for it."""
        credentials, seen = self._last.get(request_uid, {}).get(stage, (None, 0.0))
        return credentials if self._clock() - seen < SECONDS else None

    def drop(self, request_uid: str, stage: Stage) -> None:
        """A stage's Secret is taken away."""
        self._last.get(request_uid, {}).pop(stage, None)

    def forget(self, request_uid: str) -> None:
        """The request is gone."""
        self._last.pop(request_uid, None)
