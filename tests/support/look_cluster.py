"""Looks as the watches tell them, a store that signs, a predictor that answers, and who learns: all remember it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import msgspec

from areas import NAMESPACE_UID
from look_lesson import PHOTOS
from operator_world import CONFIG
from profile_contract.conditions import Reason
from profile_contract.generation import LookCheckOrder, LookCheckResult
from profile_contract.look import LookSpec
from profile_contract.look_learning import LearntLook, LookCondition, LookPhotos
from profile_contract.resource import Key
from profile_contract.stages.preprocess import PhotoRef
from profile_contract.stages.stage import Stage
from profile_operator.act.look_keeper import LookKeeper
from profile_operator.act.look_learner import LookOwner
from profile_operator.clients.entries import LookEntry, StyleEntry, look_entry
from profile_operator.decide.look_learning import ConditionRow, Learning
from profile_runtime.store.port import StoreError


def document(name: str = "rim", namespace: str = "hr", **status: Any) -> dict[str, Any]:
    """A look as the API server gives it."""
    metadata = {"name": name, "generation": 2, "resourceVersion": "7"} | ({"namespace": namespace} if namespace else {})
    file = {"key": f"looks/{name}.safetensors", "sha256": "a" * 64, "licence": "our own"}
    return {"metadata": metadata, "spec": {"file": file}, "status": status}


def told(status: str = "True", generation: int = 2, installation: str = "ns/release", reason: str = "Fits") -> Any:
    condition = {
        "type": "Ready", "status": status, "reason": reason, "message": "rank 128",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": generation,
    }  # fmt: skip
    return {"observedGeneration": generation, "conditions": [condition], "installation": installation}


def entry(*words: Any, **status: Any) -> LookEntry:
    return look_entry(msgspec.json.encode(document(*words, **status)))


LEARNT = LearntLook(adapter="looks/learnt/rim/adapter/one/adapter.safetensors")
DONE = {LookCondition.JUDGED: ConditionRow(True, Reason.SUCCEEDED, "begin at the weight 60")}


def of_photos(name: str = "rim", namespace: str = "hr", **status: Any) -> LookEntry:
    look = document(name, namespace, **status)
    look["metadata"]["uid"] = "look-uid"
    look["spec"] = {"photos": {"prefix": "uploads/looks/rim/", "licence": "ours"}, "words": "golden rim light"}
    return look_entry(msgspec.json.encode(look))


@dataclass
class Cluster:
    """Looks and styles as the watches tell them; a store that signs, and a predictor that answers."""

    listed_looks: list[LookEntry] = field(default_factory=list)
    listed_cluster_looks: list[LookEntry] = field(default_factory=list)
    listed_styles: list[StyleEntry] = field(default_factory=list)
    listed_cluster_styles: list[StyleEntry] = field(default_factory=list)
    answers: dict[str, LookCheckResult | Exception] = field(default_factory=dict)
    asked: list[tuple[str, LookCheckOrder]] = field(default_factory=list)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    without_store: bool = False
    learns: Learning | Exception = field(default_factory=lambda: Learning({}))
    steps: list[tuple[LookOwner, bool]] = field(default_factory=list)
    kept: set[Key] = field(default_factory=set)
    rested: list[Key] = field(default_factory=list)
    installation: str = "ns/release"
    formerly: list[str] = field(default_factory=list)

    async def namespace_uid(self, namespace: str) -> str:
        return NAMESPACE_UID

    async def set_style_status(self, path: str, status: dict[str, Any], version: str) -> None:
        self.written[path.rpartition("/v1alpha1/")[2]] = status

    def signer(self, prefix: str, tag: str) -> Any:
        return Signer(prefix)

    async def signed(self, sign: Any) -> Any:
        if self.without_store:
            raise StoreError("the store is away")
        return sign()

    async def check(self, predictor: str, order: LookCheckOrder) -> LookCheckResult:
        self.asked.append((predictor, order))
        answer = self.answers.get(order.look.name, LookCheckResult(layers=4, rank=8))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def step(self, owner: LookOwner, spec: LookSpec, photos: LookPhotos, *, fresh: bool) -> Learning:
        self.steps.append((owner, fresh))
        if isinstance(self.learns, Exception):
            raise self.learns
        return self.learns

    def keep(self, looks: Collection[Key]) -> None:
        self.kept = set(looks)

    def rest(self, look: Key) -> None:
        self.rested.append(look)

    async def look(self) -> dict[str, tuple[str, str, str]]:
        """One round; status, reason and message of each look that was written."""
        self.written.clear()
        config = CONFIG.model_copy(update={"installation": self.installation, "formerly": self.formerly})
        await LookKeeper(self, self, self, config, learner=self).look()  # type: ignore[arg-type]
        ready = {path: status["conditions"][0] for path, status in self.written.items()}
        return {path: (one["status"], one["reason"], one["message"]) for path, one in ready.items()}


@dataclass(frozen=True)
class Signer:
    """Signs below one prefix."""

    prefix: str

    def get(self, key: str, seconds: int) -> str:
        assert key.startswith(self.prefix)
        return f"read {key} below {self.prefix}"


@dataclass
class Hand:
    """Cluster, store and credentials, which remember what was done."""

    reports: dict[str, Any] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    async def namespace_uid(self, namespace: str) -> str:
        return NAMESPACE_UID

    async def photos(self, place: str, prefix: str, most: int) -> tuple[PhotoRef, ...]:
        self.done.append(f"list {prefix} {most}")
        return PHOTOS

    async def report(self, prefix: str, kind: type[Any], *, within: str) -> Any:
        assert within == prefix
        return self.reports.get(prefix)

    async def delete(self, prefix: str) -> int:
        self.done.append(f"drop {prefix}")
        return 1

    async def look_jobs(self, key: Key) -> list[dict[str, Any]]:
        return self.jobs

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        self.done.append(f"delete {name} {uid}")

    async def create_job(self, document: dict[str, Any]) -> None:
        self.jobs.append({**document, "metadata": {**document["metadata"], "uid": "job-uid"}})

    async def ensure(self, owner: LookOwner, stage: Stage, scopes: Any, *, kind: str) -> None:
        self.done.append(f"credentials {owner.key.name} {stage.value} {kind}")
