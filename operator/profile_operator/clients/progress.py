"""Progress out of Redis. Losing Redis means no progress is shown, and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import redis.asyncio as redis
from pydantic import ValidationError
from redis.exceptions import RedisError, ResponseError

from profile_contract.progress import ProgressEvent, stream_key
from profile_contract.resource import Key
from profile_contract.stages.table import Stage

log = logging.getLogger(__name__)

SECONDS = 1.0
# Who finds Redis away asks no more for so long: every look at a request under way would wait for it.
REST_SECONDS = 10.0
# Another stage's last events may stand behind the running one's.
LOOK_BACK = 20


class ProgressReader:
    """Reads and deletes progress streams."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._away_until = clock, float("-inf")
        self._client: redis.Redis | None = (
            redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS) if url else None
        )

    async def latest(self, key: Key, stage: Stage, digest: str) -> ProgressEvent | None:
        """The last event of a stage, or None where there is none or Redis is away, or was a moment ago."""
        if self._client is None or self._clock() < self._away_until:
            return None
        try:
            entries = await self._client.xrevrange(stream_key(key.namespace, key.name), count=LOOK_BACK)
        except (TimeoutError, RedisError, OSError) as error:
            log.info("progress cannot be read: %s", type(error).__name__)
            self._away_until = self._clock() + REST_SECONDS
            return None
        for _, fields in entries or ():
            event = _event(fields)
            if event is not None and (event.stage, event.digest) == (stage, digest):
                return event
        return None

    async def delete(self, key: Key) -> bool:
        """Delete a request's stream and its user; False where Redis is away (streams end after a week)."""
        if self._client is None:
            return True
        try:
            await self._client.delete(stream_key(key.namespace, key.name))
            await self._client.execute_command("ACL", "DELUSER", stage_user(key))
        except ResponseError:  # it knows no users, or lets us make none
            return True
        except (TimeoutError, RedisError, OSError):
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()


def stage_user(key: Key) -> str:
    """The user of Redis that a request's stages have."""
    return f"profile-stage:{key.namespace}:{key.name}"


def _event(fields: Mapping[Any, Any] | None) -> ProgressEvent | None:
    try:
        return ProgressEvent.model_validate_json((fields or {}).get(b"event", b""))
    except ValidationError:
        return None
