"""Publishers of progress. Redis carries progress only: losing it never fails a stage."""

from __future__ import annotations

import logging
import time
from typing import Any, Protocol

from profile_contract.progress import (
    LONGEST_MESSAGE,
    MOST_SECONDS,
    STREAM_LENGTH,
    STREAM_SECONDS,
    ProgressEvent,
    stream_key,
)
from profile_contract.stages.order import RequestRef
from profile_contract.stages.table import Stage

log = logging.getLogger(__name__)


class Publisher(Protocol):
    """Takes events somewhere; must not raise."""

    def publish(self, event: ProgressEvent) -> None: ...


class Silent:
    """Publishes nothing."""

    def publish(self, event: ProgressEvent) -> None:
        """Drop the event."""


class RedisPublisher:
    """Publishes into the request's stream. After a failure it keeps quiet for a while instead of slowing the stage."""

    def __init__(self, url: str, *, quiet_seconds: float = 10.0) -> None:
        import redis

        self._client: Any = redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
        self._quiet_seconds = quiet_seconds
        self._quiet_until = 0.0

    def publish(self, event: ProgressEvent) -> None:
        """Add the event to the stream, or log why that failed."""
        if time.monotonic() < self._quiet_until:
            return
        key = stream_key(event.namespace, event.name)
        try:
            self._client.xadd(key, {"event": event.to_json()}, maxlen=STREAM_LENGTH, approximate=True)
            self._client.expire(key, STREAM_SECONDS)
        except Exception as error:  # any failure of Redis is the same to a stage: progress is lost, work goes on
            self._quiet_until = time.monotonic() + self._quiet_seconds
            log.warning("progress not published: %s", type(error).__name__)


class StageProgress:
    """What a stage function calls: `progress.at(done, total)`. Estimates the remaining time from the pace so far."""

    def __init__(
        self, request: RequestRef, stage: Stage, digest: str, publisher: Publisher, *, every_seconds: float = 1.0
    ) -> None:
        self._request, self._stage, self._digest, self._publisher = request, stage, digest, publisher
        self._every_seconds = every_seconds
        self._started = time.monotonic()
        self._last = -every_seconds
        self._percent = -1

    def at(self, done: float, total: float, message: str = "") -> None:
        """Tell that `done` of `total` is behind us. Cheap: events closer than a second apart are dropped."""
        now = time.monotonic()
        percent = max(0, min(100, int(100 * done / total))) if total > 0 else 0
        ended = percent == 100 and self._percent != 100
        if not ended and (percent == self._percent or now - self._last < self._every_seconds):
            return
        self._last, self._percent = now, percent
        elapsed = now - self._started
        remaining = min(MOST_SECONDS, max(0, round(elapsed * (total - done) / done))) if done > 0 else None
        self._publisher.publish(
            ProgressEvent(
                namespace=self._request.namespace,
                name=self._request.name,
                stage=self._stage,
                digest=self._digest,
                percent=percent,
                remaining_seconds=remaining,
                message=message[:LONGEST_MESSAGE],
                at=time.time(),
            )
        )
