"""EventSink: transitions of requests as CloudEvents 1.0, sent to one address by HTTP in the structured mode.

What is sent waits in a queue in memory that loses its oldest rather than hold anything up; each event is tried until
the sink takes it. After a start, what requests reached lately is sent again: with the same ids, so that a receiver
that has them drops them. The package `cloudevents` is not used: one JSON document of nine fields is all that it would
write here, and it brings two packages into the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime

import httpx2

from profile_contract import GROUP, VERSION
from profile_contract.model import canonical_json
from profile_contract.resource import REQUESTS, Key
from profile_operator import metrics
from profile_operator.clock import stamp
from profile_operator.config import EventsConfig
from profile_operator.decide.transitions import Transition
from profile_runtime.network import network_trouble

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
SIGNATURE = "X-Profile-Studio-Signature"
TYPE = "io.profilestudio.request"
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
CALL_SECONDS = 10.0
# Within the grace period of the pod, after all else has ended.
LAST_SECONDS = 5.0
# The sink says that it never takes this event, whatever else it takes.
REFUSED = frozenset({400, 413, 415, 422})


class EventSink:
    """Sends one event after another, in their order. Without an address it takes everything and does nothing."""

    def __init__(
        self, config: EventsConfig, token: str = "", signature_key: str = "", first_pause: float = FIRST_PAUSE_SECONDS
    ) -> None:
        """`token`: shown as a bearer; `signature_key`: of an HMAC over each body; empty: neither."""
        self._url, self._first_pause, self._key = config.sink.url, first_pause, signature_key.encode()
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=config.queue)
        self._called = asyncio.Event()
        headers = {"Content-Type": CONTENT_TYPE}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx2.AsyncClient(timeout=CALL_SECONDS, trust_env=False, headers=headers)

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return bool(self._url)

    def offer(self, key: Key, uid: str, generation: int, transitions: Iterable[Transition]) -> None:
        """Have these sent. Returns at once; where too many wait, the oldest are lost and counted."""
        if not self.wanted:
            return
        for transition in transitions:
            if len(self._waiting) == self._waiting.maxlen:
                metrics.EVENTS.labels(result="lost").inc()
            event = cloud_event(key, uid, generation, transition)
            self._waiting.append((str(event["id"]), canonical_json(event).encode()))
        metrics.EVENTS_WAITING.set(len(self._waiting))
        self._called.set()

    async def run(self) -> None:
        """Until cancelled: send what waits."""
        pause = self._first_pause
        while True:
            if not self._waiting:
                self._called.clear()
                await self._called.wait()
            entry = self._waiting[0]
            if not await self._taken(*entry):
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            pause = self._first_pause
            # While it was sent, the oldest may have been lost to newer ones.
            if self._waiting and self._waiting[0] is entry:
                self._waiting.popleft()
            metrics.EVENTS_WAITING.set(len(self._waiting))

    async def close(self) -> None:
        """Send what waits, each once and for a few seconds at most, and close the connections.

        What the sink does not take then is told again after the next start, but for `deleted`: no status tells it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                while self._waiting and await self._taken(*self._waiting[0]):
                    self._waiting.popleft()
        await self._client.aclose()

    async def _taken(self, name: str, body: bytes) -> bool:
        """Whether the sink is done with an event: it took it, or says that it never will."""
        headers = {SIGNATURE: signature(self._key, body)} if self._key else {}
        try:
            response = await self._client.post(self._url, content=body, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            log.warning("the sink of events does not answer: %s", network_trouble(error))
            metrics.EVENTS.labels(result="failed").inc()
            return False
        if response.status_code in REFUSED:
            log.error("the sink of events refuses %s with %d: it is not sent again", name, response.status_code)
            metrics.EVENTS.labels(result="refused").inc()
            return True
        if not response.is_success:
            log.warning("the sink of events answered %d", response.status_code)
        metrics.EVENTS.labels(result="sent" if response.is_success else "failed").inc()
        return response.is_success


def cloud_event(key: Key, uid: str, generation: int, transition: Transition) -> dict[str, object]:
    """The JSON document of an event. It holds no face, no key of the store and no link. Pure but for a missing time."""
    about = {"namespace": key.namespace, "name": key.name, "uid": uid, "generation": generation}
    return {
        "specversion": "1.0",
        # Without the generation: what was told before a change of the spec is the same after it.
        "id": f"{key.namespace}/{uid}/{transition.mark}",
        "source": f"/apis/{GROUP}/{VERSION}/namespaces/{key.namespace}/{REQUESTS}",
        "subject": key.name,
        "type": f"{TYPE}.{transition.what}",
        "time": transition.time or stamp(datetime.now(UTC)),
        "datacontenttype": "application/json",
        "data": {**about, **{name: value for name, value in transition.data.items() if value is not None}},
    }


def signature(key: bytes, body: bytes) -> str:
    """What a receiver computes to know that a body comes from whoever has the key."""
    return f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"
