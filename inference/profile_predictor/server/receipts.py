"""ReceiptBook: what was drawn lately, for who lost the answer. In memory alone: a new process knows nothing of it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from profile_contract.generation import Receipt

MOST = 10_000
# Whoever lost an answer asks as soon as it can: an operator that was away for longer counts without.
KEPT_SECONDS = 24 * 3600.0


class ReceiptBook:
    """The last receipts, by key. Threads may share it. Moments are those of `clock`, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._receipts: OrderedDict[str, tuple[float, Receipt]] = OrderedDict()

    def keep(self, receipt: Receipt) -> None:
        """Remember a candidate that was drawn and written. One that is drawn again has cost both times."""
        now = self._clock()
        with self._lock:
            _, before = self._receipts.pop(receipt.key, (now, None))
            if before is not None:
                total = before.milliseconds + receipt.milliseconds
                receipt = receipt.model_copy(update={"milliseconds": total})
            self._receipts[receipt.key] = now, receipt
            while self._receipts and (len(self._receipts) > MOST or now - self._oldest > KEPT_SECONDS):
                self._receipts.popitem(last=False)

    def of(self, keys: Iterable[str]) -> list[Receipt]:
        """What is known of these, in their order."""
        with self._lock:
            return [self._receipts[key][1] for key in dict.fromkeys(keys) if key in self._receipts]

    @property
    def _oldest(self) -> float:
        return next(iter(self._receipts.values()))[0]
