"""Queues: what hinders Kueue's LocalQueues from letting a Job go, in words for whoever waits there."""

from __future__ import annotations

import time
from collections.abc import Callable

from profile_operator.clients.kubernetes import Kube
from profile_runtime.kubernetes.errors import Forbidden, ResourceNotFound
from profile_runtime.kubernetes.resources import Document

# Ten thousand requests may wait in one queue.
KNOWN_SECONDS = 30.0
TEXT_LENGTH = 200


class Queues:
    """Reads LocalQueues, each once in a while."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube, self._clock = kube, clock
        self._known: dict[tuple[str, str], tuple[float, str]] = {}

    async def hindrance(self, namespace: str, queue: str) -> str:
        """Why nobody who waits in a queue of a namespace is let go; empty where nothing is known to be wrong.

        Raises ApiError, but not where the queue may not be read or Kueue is another version.
        """
        now = self._clock()
        self._known = {key: entry for key, entry in self._known.items() if now - entry[0] < KNOWN_SECONDS}
        if (namespace, queue) not in self._known:
            self._known[namespace, queue] = now, await self._read(namespace, queue)
        return self._known[namespace, queue][1]

    async def _read(self, namespace: str, queue: str) -> str:
        """The hindrance, as the queue tells it now."""
        try:
            return hindrance_of(await self._kube.local_queue(namespace, queue))
        except Forbidden:
            return ""
        except ResourceNotFound as error:
            # Else it is the kind that is not known.
            return "no LocalQueue of that name is in this namespace" if f'"{queue}"' in error.message else ""


def hindrance_of(queue: Document) -> str:
    """Why a LocalQueue lets nothing go, in Kueue's words; empty where it is active, or Kueue has not said yet."""
    conditions = (queue.get("status") or {}).get("conditions") or ()
    active = next((condition for condition in conditions if condition.get("type") == "Active"), None)
    if active is None or active.get("status") != "False":
        return ""
    text = ": ".join(str(active[field]) for field in ("reason", "message") if active.get(field))
    return f"it is not active: {text}"[:TEXT_LENGTH]
