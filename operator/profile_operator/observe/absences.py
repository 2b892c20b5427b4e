"""Absences: the reports that were asked for in vain, and that cannot have come since.

A report is written by a pod of its stage, whose Job then ends, or by the generation beside the loop. As long as neither
has changed, or a Job has but begun, what was absent is not asked for again: a request under way would ask for each of
its reports at every look, and almost all of them are still to come.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

from profile_contract.stages.table import Stage

from .snapshot import GenerationView, JobState, JobView

# A person may put a report there, from a backup say: it is seen after so long at the latest.
SECONDS = 20.0
# Of reports; what is forgotten is asked for again.
MOST = 50_000


class Absences:
    """By the request's UID and the prefix under which a report is to come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: OrderedDict[tuple[str, str], tuple[Hashable, float]] = OrderedDict()

    def last(self, uid: str, prefix: str, writers: Hashable) -> bool:
        """Whether a report that was absent still is, since nothing of what writes it is another than it was then."""
        before, at = self._asked.get((uid, prefix), (None, float("-inf")))
        if before == () and _have_but_begun(writers):
            # From now on they are what must not change.
            self._asked[uid, prefix] = (writers, at)
            before = writers
        return before == writers and self._clock() - at < SECONDS

    def keep(self, uid: str, prefix: str, writers: Hashable) -> None:
        """A report was asked for just now, and is absent."""
        self._asked[uid, prefix] = (writers, self._clock())
        self._asked.move_to_end((uid, prefix))
        if len(self._asked) > MOST:
            self._asked.popitem(last=False)

    def end(self, uid: str, prefix: str) -> None:
        """The report stands: that it was absent says nothing any more, whoever else goes."""
        self._asked.pop((uid, prefix), None)


def writers_of(stage: Stage, jobs: Iterable[JobView], generation: GenerationView) -> Hashable:
    """What says whether a report of a stage may have been left: its Jobs and how they stand, or the generation."""
    if stage is Stage.GENERATE:
        return generation
    return tuple((job.name, job.uid, job.state, job.failed_pods) for job in jobs if job.stage is stage)


def _have_but_begun(writers: Hashable) -> bool:
    """Whether all are Jobs of which no pod has ended, as far as is known."""
    waiting = (JobState.ACTIVE, JobState.SUSPENDED)
    return isinstance(writers, tuple) and all(state in waiting and not failed for _, _, state, failed in writers)
