"""Bench: generation against a folder and a predictor in memory, of which each answer can be set."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from operator_world import World
from profile_contract.artifacts import REPORT
from profile_contract.generation import RECEIPT_TENSOR, GenerationOrder, ReceiptOrder
from profile_contract.keys import check_below
from profile_contract.progress import ProgressEvent
from profile_contract.resource import Key
from profile_contract.stages.generate import GenerateReport
from profile_operator.config import GenerationConfig
from profile_operator.decide.plan import GenerationWork
from profile_operator.generate.runner import GenerationRunner
from profile_runtime.store.folder import FolderStore
from profile_runtime.store.port import StoredObject, StoreError

CONFIGURATION = GenerationConfig(batch=2, width=64, height=64, longest_pause_seconds=0.01)


class FolderAccess:
    """The runner's view of a store, over a folder."""

    def __init__(self, root: Path) -> None:
        self.store = FolderStore(root)
        self.down = False

    async def list(self, prefix: str) -> list[StoredObject]:
        if self.down:
            raise StoreError("the store cannot be reached: MaxRetryError")
        return self.store.list(prefix)

    async def report(self, prefix: str, kind: type[GenerateReport]) -> GenerateReport | None:
        if self.store.stat(prefix + REPORT) is None:
            return None
        return kind.model_validate_json(self.store.read(prefix + REPORT))

    async def write(self, key: str, data: bytes, content_type: str = "") -> None:
        self.store.write(key, data, content_type)

    def signer(self, prefix: str, tag: str) -> FolderSigner:
        assert tag == "u1"
        return FolderSigner(prefix)

    async def signed(self, sign: Callable[[], GenerationOrder]) -> GenerationOrder:
        if self.down:
            raise StoreError("the store gave no temporary credentials: MaxRetryError")
        return sign()


@dataclass
class FolderSigner:
    prefix: str

    def get(self, key: str, seconds: int) -> str:
        return f"http://store/{check_below(self.prefix, key)}?sign=get&seconds={seconds}"

    def put(self, key: str, seconds: int) -> str:
        return f"http://store/{check_below(self.prefix, key)}?sign=put&seconds={seconds}"


@dataclass
class Predictor:
    """Answers like the predictor; `answers` are taken first, one a call."""

    access: FolderAccess
    answers: list[Callable[[], httpx2.Response]] = field(default_factory=list)
    orders: list[GenerationOrder] = field(default_factory=list)
    lose_answer: bool = False
    leave_nothing: bool = False
    keeps_receipts: bool = True
    asked: list[tuple[str, ReceiptOrder]] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.answers:
            return self.answers.pop(0)()
        tensor = json.loads(request.content)["inputs"][0]
        if tensor["name"] == RECEIPT_TENSOR:
            return self._receipts(request, ReceiptOrder.model_validate_json(tensor["data"][0]))
        order = GenerationOrder.model_validate_json(tensor["data"][0])
        self.orders.append(order)
        if not self.leave_nothing:
            for item in order.items:
                self.access.store.write(item.key, b"png")
        if self.lose_answer:
            raise httpx2.ReadTimeout("lost")
        items = [{"seed": i.seed, "key": i.key, "sha256": "c" * 64, "bytes": 3} for i in order.items]
        result = json.dumps({"items": items, "timings": {"generate": 500}, "device": "cuda:0"})
        return _answered(result)

    def _receipts(self, request: httpx2.Request, order: ReceiptOrder) -> httpx2.Response:
        """What was drawn of it, each in a quarter of a second, as the replica that was asked knows it."""
        self.asked.append((request.url.host, order))
        if not self.keeps_receipts:
            return httpx2.Response(400, json={"error": "no input is named 'order'"})
        known = [key for key in order.keys if key in self.drawn] if request.url.host != "10.0.0.2" else []
        items = [{"key": key, "sha256": "d" * 64, "milliseconds": 250.0, "held_back": True} for key in known]
        # A stranger's, which nobody asked about.
        items.append({"key": "other/x.png", "sha256": "e" * 64, "milliseconds": 1e6})
        return _answered(json.dumps({"items": items, "device": "cuda:0"}))

    @property
    def drawn(self) -> list[str]:
        return [item.key for order in self.orders for item in order.items]


def _answered(result: str) -> httpx2.Response:
    output = {"name": "result", "datatype": "BYTES", "shape": [1], "data": [result]}
    return httpx2.Response(200, json={"outputs": [output]})


@dataclass
class Bench:
    """A runner with its store and predictor, and what it said."""

    runner: GenerationRunner
    access: FolderAccess
    predictor: Predictor
    woken: list[Key]
    events: list[ProgressEvent]
    work: GenerationWork

    def publish(self, event: ProgressEvent) -> None:
        self.events.append(event)

    async def until(self, holds: Callable[[], bool], seconds: float = 40.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.runner.view("u1")
            await asyncio.sleep(0.005)

    async def finish(self) -> None:
        await self.until(lambda: not self.runner.view("u1").running)


def work() -> GenerationWork:
    world = World().run(until=lambda w: w.view.running)
    assert world.work is not None
    return world.work


def report_of(bench: Bench, index: int) -> GenerateReport:
    """What was written of one of the styles, by its place in the work."""
    style = bench.work.styles[index]
    return GenerateReport.model_validate_json(bench.access.store.read(style.prefix + REPORT))
