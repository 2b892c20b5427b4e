"""A request as the history meets it: its document, its reports in a store, and a database in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2

from areas import area
from profile_contract.artifacts import REPORT, stage_prefix
from profile_contract.photos import PhotoReason
from profile_contract.request import DeletionPolicy
from profile_contract.resource import Key
from profile_contract.stages.finish import FinishReport, Score
from profile_contract.stages.generate import Candidate, GenerateReport
from profile_contract.stages.order import FileRef, StageReport
from profile_contract.stages.preprocess import PhotoVerdict, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_history.database import Database, WrittenRequest
from profile_history.rows import Row, Rows
from profile_runtime.store.folder import FolderStore

KEY = Key("hr", "minji")
AREA = f"{area()}requests/minji/"
AT = "2026-03-01T03:00:00Z"
DIGESTS = {"preprocess": "d1", "train": "d2", "generate": "all-styles", "finish": "d4"}


def document(
    name: str = "minji", *, uid: str = "u-1", policy: str = "Delete", version: int = 9, **status: Any
) -> dict[str, Any]:
    """A finished request, as the API server tells it; `status` replaces fields of its status."""
    stages = {stage: {"digest": digest, "completionTime": AT} for stage, digest in DIGESTS.items()}
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": AT}
    return {
        "metadata": {"namespace": "hr", "name": name, "uid": uid, "resourceVersion": str(version), "generation": 1},
        "spec": {
            "subject": {"noun": "woman"},
            "photos": {"prefix": "uploads/minji/"},
            "styles": ["warm"],
            "deletionPolicy": policy,
        },
        "status": {"area": area(), "gpuSeconds": 1200, "conditions": [ready], "stages": stages, **status},
    }


def reports() -> dict[Stage, StageReport]:
    """The reports of the four stages, as they stand under `DIGESTS`; the one style's candidates under d3."""
    verdicts = [
        PhotoVerdict(name="0.jpg", accepted=True, reason=PhotoReason.ACCEPTED),
        PhotoVerdict(name="1.jpg", accepted=False, reason=PhotoReason.BLURRED),
    ]
    adapter = FileRef(key=f"{AREA}adapter/d2/adapter.safetensors", sha256="a" * 64, bytes=3)
    drawn = f"{AREA}candidates/d3/000007.png"
    score = Score(style="warm", seed=7, key=drawn, faces=1, cosine=0.6, likeness=50, delivered=True)
    return {
        Stage.PREPROCESS: PreprocessReport(digest="d1", verdicts=verdicts, finished_at=AT),
        Stage.TRAIN: TrainReport(digest="d2", base_model="sdxl", adapter=adapter, finished_at=AT),
        Stage.GENERATE: GenerateReport(
            digest="d3", style="warm", candidates=[Candidate(seed=7, key=drawn)], finished_at=AT
        ),
        Stage.FINISH: FinishReport(digest="d4", scores=[score], finished_at=AT),
    }


def store_of(folder: Path) -> FolderStore:
    """A store with the request's reports."""
    store = FolderStore(folder)
    for stage, report in reports().items():
        store.write(stage_prefix(area(), "minji", stage, report.digest) + REPORT, report.to_json().encode())
    return store


class MemoryDatabase(Database):
    """A database in memory; `away` is what it raises for everything while it is set, `refuses` for these requests."""

    def __init__(self) -> None:
        super().__init__("")
        self.requests: dict[Key, Row] = {}
        self.stages: dict[Key, frozenset[tuple[Stage, str]]] = {}
        self.calls: list[tuple[str, Key]] = []
        self.away: Exception | None = None
        self.refuses: dict[Key, Exception] = {}

    def written(self, key: Key) -> WrittenRequest:
        self._answer("written", key)
        return WrittenRequest(self.requests.get(key), self.stages.get(key, frozenset()))

    def policies(self, namespace: str = "") -> Mapping[Key, DeletionPolicy]:
        self._answer("policies", Key(namespace, ""))
        keys = [key for key in self.requests if namespace in ("", key.namespace)]
        return {key: DeletionPolicy(str(self.requests[key][8])) for key in keys}

    def write(self, request: Row, rows: Rows, *, anew: bool = False) -> None:
        key = Key(str(request[0]), str(request[1]))
        self._answer("write anew" if anew else "write", key)
        self.requests[key] = request
        written = {(Stage(str(row[2])), str(row[3])) for row in rows.stages}
        self.stages[key] = frozenset(written if anew else written | self.stages.get(key, frozenset()))

    def forget(self, key: Key) -> None:
        self._answer("forget", key)
        self.requests.pop(key, None)
        self.stages.pop(key, None)

    def changes(self) -> list[tuple[str, Key]]:
        """What was written or deleted, in order."""
        return [call for call in self.calls if call[0] not in ("written", "policies")]

    def _answer(self, what: str, key: Key) -> None:
        if self.away is not None:
            raise self.away
        if key in self.refuses:
            raise self.refuses[key]
        self.calls.append((what, key))


AWAY = psycopg2.OperationalError("away")
