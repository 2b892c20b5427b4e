"""Issued: what this process put into which Secret. It counts only where that very Secret stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from profile_contract.stages.table import Stage


@dataclass(frozen=True)
class Credentials:
    """What one Secret holds: credentials under a policy, given by its digest, and when they end."""

    secret_uid: str
    policy: str
    ends: datetime


class Issued:
    """By request and stage the last Secret that was made. After a restart nothing is known, and all is issued anew."""

    def __init__(self) -> None:
        self._last: dict[str, dict[Stage, Credentials]] = {}

    def add(self, request_uid: str, stage: Stage, credentials: Credentials) -> None:
        """Another Secret was made."""
        self._last.setdefault(request_uid, {})[stage] = credentials

    def any(self, request_uid: str, stage: Stage) -> bool:
        """Whether this process made one."""
        return stage in self._last.get(request_uid, {})

    def standing(self, request_uid: str, stage: Stage, secret_uid: str) -> Credentials | None:
        """What the Secret of that uid holds; None where we did not make it."""
        credentials = self._last.get(request_uid, {}).get(stage)
        return credentials if credentials is not None and credentials.secret_uid == secret_uid else None

    def forget(self, request_uid: str) -> None:
        """The request is gone."""
        self._last.pop(request_uid, None)
