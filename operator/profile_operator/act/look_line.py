"""LookLine: the trainings of looks in the line of those that wait for a GPU, among the requests'."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime

from profile_contract.look_ref import LookKind
from profile_contract.resource import Key
from profile_contract.stages.stage import Stage
from profile_operator import names
from profile_operator.config import OperatorConfig
from profile_operator.decide.look_learning import Learning, queued
from profile_operator.decide.orders import needs_gpu
from profile_operator.decide.turns import Claim
from profile_operator.observe.jobs import job_view
from profile_operator.observe.snapshot import JobState, JobView
from profile_operator.waiting_list import WaitingList
from profile_runtime.kubernetes.resources import Document

# No request is called so: its name holds no slash.
_LOOK, _CLUSTER_LOOK = "styleadapter/", "clusterstyleadapter/"
# Merging needs no GPU, though it is a Job of the training stage.
_MERGES = re.compile(r"-merge-[0-9a-f]{8}$")


def line_key(look: Key, home: str) -> Key:
    """What a look is called in the line. One of the cluster stands in that of the installation's own namespace,
    `home`, whose Jobs train it."""
    return Key(look.namespace, _LOOK + look.name) if look.namespace else Key(home, _CLUSTER_LOOK + look.name)


def is_look(key: Key) -> bool:
    """Whether somebody in the line is a look."""
    return key.name.startswith((_LOOK, _CLUSTER_LOOK))


class LookLine:
    """Whose turn it is, where trainings are counted; otherwise everybody's."""

    def __init__(self, waiting: WaitingList, config: OperatorConfig) -> None:
        self._waiting, self._config = waiting, config
        self._seated: set[Key] = set()

    def in_turn(self, look: Key, created: datetime, jobs: Iterable[JobView], learning: Learning) -> Learning:
        """What is next for a look, but no Job that needs a GPU before its turn."""
        if not self._waiting.needed:
            return learning
        if learning.learnt is not None or learning.refusal:
            # A Job may still stand that has left its report.
            self.rest(look)
            return learning
        key = self._key(look)
        self._seated.add(key)
        trainings = [job for job in jobs if job.state is JobState.ACTIVE and self._counts(job.stage, job.name)]
        begun = max((job.started.timestamp() for job in trainings if job.started), default=0.0)
        waits = learning.job is not None and self._counts(learning.job.stage, learning.job.name)
        claim = Claim(key, 0, created.timestamp()) if waits else None
        turn = self._waiting.look(key, claim, busy=len(trainings), begun=begun)
        return learning if claim is None or turn.admitted else queued(learning, turn.text)

    def leave(self, look: Key) -> None:
        """Its training could not begin: its turn passes to the next, until it is looked at again."""
        self._waiting.leave(self._key(look))

    def rest(self, look: Key) -> None:
        """Nothing is to be learnt of it, or not any more."""
        self._waiting.forget(self._key(look))
        self._seated.discard(self._key(look))

    def keep(self, looks: Collection[Key]) -> None:
        """Forget all looks but these."""
        for key in self._seated - {self._key(look) for look in looks}:
            self._waiting.forget(key)
            self._seated.discard(key)

    def load(self, jobs: Iterable[Document]) -> tuple[list[Key], list[tuple[str, float]]]:
        """Of the Jobs of looks, for who has just begun: the look of each that holds a GPU, and when they began."""
        busy, begun = list[Key](), list[tuple[str, float]]()
        for document in jobs:
            metadata, job = document["metadata"], job_view(document)
            if job is None or not self._counts(job.stage, job.name):
                continue
            clusters = any(owner["kind"] == LookKind.CLUSTER for owner in metadata.get("ownerReferences", ()))
            namespace = "" if clusters else metadata["namespace"]
            key = self._key(Key(namespace, metadata["labels"][names.LABEL_LOOK]))
            if job.started is not None:
                begun.append((key.namespace, job.started.timestamp()))
            if job.state is JobState.ACTIVE:
                busy.append(key)
                self._seated.add(key)
        return busy, begun

    def _key(self, look: Key) -> Key:
        return line_key(look, self._config.own_namespace)

    def _counts(self, stage: Stage, name: str) -> bool:
        """Whether a look's Job of that name takes a GPU's place."""
        return needs_gpu(stage, self._config) and not _MERGES.search(name)
