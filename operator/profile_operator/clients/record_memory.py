"""RecordMemory: what requests were resolved to, as it was read a moment ago: a transition brings several looks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from profile_contract.resolved import Resolved

# A person may change or restore a record in the store: it is seen after so long at the latest.
SECONDS = 20.0
MOST = 1000


class RecordMemory:
    """The records that were read last, by the key under which they stand."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, tuple[Resolved, float]] = OrderedDict()

    def get(self, key: str) -> Resolved | None:
        """The record under a key, if it was read a moment ago."""
        record, at = self._records.get(key, (None, 0.0))
        return record if self._clock() - at < SECONDS else None

    def keep(self, key: str, record: Resolved) -> None:
        """A record was read just now."""
        self._records[key] = (record, self._clock())
        self._records.move_to_end(key)
        if len(self._records) > MOST:
            self._records.popitem(last=False)

    def forget(self, prefix: str) -> None:
        """Whatever stands under a prefix is another, or may be."""
        for key in [key for key in self._records if key.startswith(prefix)]:
            del self._records[key]
