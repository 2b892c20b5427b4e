"""StageRedis: the way into Redis that a stage's pod gets. It appends to its request's stream and can do nothing else.

The operator's own address never leaves its namespace: whoever may read a Secret in a request's namespace could read,
forge or flush everybody's progress with it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from urllib.parse import quote, urlsplit, urlunsplit

import redis.asyncio as redis
from redis.exceptions import RedisError

from profile_contract.progress import stream_key
from profile_contract.resource import Key

from .progress import SECONDS, stage_user

log = logging.getLogger(__name__)

# SELECT is how a client of another database than 0 begins.
COMMANDS = ("+xadd", "+expire", "+select")


class StageRedis:
    """Gives each request a user of its own (ACL SETUSER), or all the one that the platform team made for stages."""

    def __init__(self, url: str, shared: str = "") -> None:
        """`url`: the operator's own, empty for none. `shared`: what stages get instead of a user of their own."""
        self._url, self._shared, self._told = url, shared, False
        self._client: redis.Redis | None = (
            redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
            if url and not shared
            else None
        )

    async def url_for(self, key: Key, uid: str) -> str:
        """The address for the request's stages, empty where there is none: a stage without it tells no progress."""
        if self._client is None:
            return self._shared
        user, password = stage_user(key), self._password(uid)
        rules = ("reset", "on", f">{password}", f"~{stream_key(key.namespace, key.name)}", "-@all", *COMMANDS)
        try:
            # Always anew: a Redis that was restarted has forgotten its users.
            await self._client.execute_command("ACL", "SETUSER", user, *rules)
        except (TimeoutError, RedisError, OSError) as error:
            if not self._told:
                log.warning(
                    "stages tell no progress, Redis gave them no user: %s. Name one that they may share: stageUrl",
                    error,
                )
            self._told = True
            return ""
        parts = urlsplit(self._url)
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{password}@{place}"))

    def _password(self, uid: str) -> str:
        """Of this request and no other; the same after a restart of the operator, so that running pods keep theirs."""
        return hmac.new(self._url.encode(), uid.encode(), hashlib.sha256).hexdigest()

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
