"""ReportMemory: reports that were read already. One that stands under its digest never changes while it stands."""

from __future__ import annotations

from collections import OrderedDict

from profile_contract.stages.order import StageReport

# Of their JSON together: five hundred requests under way, two reports each.
MOST_BYTES = 8 * 1024 * 1024


class ReportMemory:
    """The reports that were read last, by the key under which they stand."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._reports: OrderedDict[str, tuple[StageReport, int]] = OrderedDict()

    def get(self, key: str) -> StageReport | None:
        """The report under a key, if it is remembered."""
        remembered = self._reports.get(key)
        if remembered is None:
            return None
        self._reports.move_to_end(key)
        return remembered[0]

    def keep(self, key: str, report: StageReport, size: int) -> None:
        """Remember a report of so many bytes; those that were not asked for the longest are forgotten."""
        self.forget(key)
        if report.outcome != "Done" or size > self._most:
            return
        self._reports[key] = (report, size)
        self._bytes += size
        while self._bytes > self._most:
            _, (_, gone) = self._reports.popitem(last=False)
            self._bytes -= gone

    def forget(self, prefix: str) -> None:
        """Whatever stands under a prefix is gone, or may be."""
        for key in [key for key in self._reports if key.startswith(prefix)]:
            self._bytes -= self._reports.pop(key)[1]
