"""One whole life of a request through the operator's real reads and writes: status, Jobs, Secrets, Events, the store.

Recorded anew by PROFILE_RECORD=1, see `record`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import house
from record import as_yaml, compare

SECONDS = 5


class Book:
    """Everything that one operator wrote, step by step."""

    def __init__(self, standing: Any, clock: Any) -> None:
        self.standing, self.clock = standing, clock
        self.pages: list[dict[str, Any]] = []
        self.calls = self.asked = 0
        self.objects: set[str] = set()

    async def step(self, title: str) -> None:
        """One cycle, and what it did."""
        self.clock.shift(SECONDS)
        again = await self.standing.cycle()
        self.pages.append({"step": title, "again": again, **self._effects(), "status": self._status()})

    def _effects(self) -> dict[str, Any]:
        operator = self.standing
        calls = operator.server.calls[self.calls :]
        self.calls = len(operator.server.calls)
        policies = operator.tokens.asked[self.asked :]
        self.asked = len(operator.tokens.asked)
        objects = set(operator.store.objects)
        gone, self.objects = self.objects - objects, objects
        effects: dict[str, Any] = {
            "writes": [_call(call) for call in calls if call.method != "GET"],
            "credentials": [{"policy": policy, "seconds": seconds} for policy, seconds in policies],
            "revoked": list(operator.tokens.revoked),
            "jobs": [f"{name}: {_state(job)}" for name, job in operator.jobs.items()],
            "taken out of the store": sorted(gone),
            "generation stopped": len(operator.beside.stopped),
            "adapters evicted": house.plain(operator.beside.evicted),
            "history forgotten": len(operator.beside.forgotten),
        }
        return {name: value for name, value in effects.items() if value}

    def _status(self) -> Any:
        return "gone" if self.standing.gone() else self.standing.document.get("status")

    def note(self, title: str, value: Any) -> None:
        """Something else that is worth a page."""
        self.pages.append({"step": title, "value": value})


def _state(job: dict[str, Any]) -> str:
    if "deletionTimestamp" in job["metadata"]:
        return "being deleted"
    if job["spec"].get("suspend"):
        return "suspended"
    return next((one["type"] for one in job.get("status", {}).get("conditions", [])), "running")


def _call(call: Any) -> dict[str, Any]:
    body = json.loads(json.dumps(call.body))
    if "/secrets" in call.path and isinstance(body, dict) and "data" in body:
        body["data"] = {name: base64.b64decode(value).decode() for name, value in body["data"].items()}
    if isinstance(body, dict):
        _open_orders(body)
    written: dict[str, Any] = {"call": f"{call.method} {call.path}"}
    if call.query:
        written["query"] = call.query
    return {**written, "type": call.content_type, "body": body}


def _open_orders(job: dict[str, Any]) -> None:
    """Show the order that a Job bears as what it says; that it is canonical JSON is told by `canonical`."""
    pod = (job.get("spec") or {}).get("template", {}).get("spec", {}) if isinstance(job.get("spec"), dict) else {}
    for container in pod.get("containers", []):
        for variable in container.get("env", []):
            if variable["name"] == "PROFILE_ORDER":
                order = json.loads(variable["value"])
                canonical = json.dumps(order, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                variable["value"] = {"canonical": canonical == variable["value"], **order}


def _refuse(standing: Any, photo: str) -> None:
    """The last report of preprocessing says that a photo is refused."""
    key = next(key for key in reversed(standing.store.objects) if "/dataset/" in key and key.endswith("report.json"))
    report = json.loads(standing.store.objects[key])
    verdict = next(one for one in report["verdicts"] if one["name"] == photo)
    verdict |= {"accepted": False, "reason": "FaceTooSmall", "advice": "come closer"}
    report["images"] = [one for one in report["images"] if one["photo"] != photo]
    standing.store.objects[key] = json.dumps(report).encode()


def _fail(standing: Any, stage: str, exit_code: int, message: str) -> None:
    name = standing.job(stage)["metadata"]["name"]
    ended = {"terminated": {"exitCode": exit_code, "message": message}}
    standing.pod(name, status={"containerStatuses": [{"name": "stage", "state": ended}]})
    standing.end(stage, "Failed")


async def _deliver(book: Book, *stages: str) -> None:
    """From these stages' end to portraits."""
    standing = book.standing
    for stage in stages:
        standing.finish(stage)
        await book.step(f"{stage} is done")
    book.note("what is to be drawn", house.plain(standing.beside.work))
    house.viewed_generation(standing, done=1, remaining_seconds=30)
    await book.step("the first candidate is drawn")
    standing.generate()
    await book.step("all candidates are drawn")
    standing.finish("finish")
    await book.step("portraits are delivered")


async def _life(book: Book) -> None:
    standing = book.standing
    await book.step("created")
    await _deliver(book, "preprocess", "train")
    await book.step("nothing happened")

    standing.change(styles=["warm", "plain"])
    await book.step("a style is added")
    await _deliver(book)

    standing.store.objects["hr.1a2b3c4d-5e6f/uploads/minji/7.jpg"] = b"photo 7"
    standing.change(photos={"prefix": "uploads/minji/", "revision": 2})
    await book.step("a photo is added")
    standing.finish("preprocess")
    _refuse(standing, "7.jpg")
    await book.step("the photo is refused")

    _fail(standing, "train", 1, '{"reason": "OutOfMemory", "message": "the GPU has 8 GB"}')
    await book.step("training failed")
    standing.annotate("profilestudio.io/retry", "1")
    await book.step("somebody asks to try again")
    standing.server.end_pods(standing.job("train")["metadata"]["name"])
    await book.step("training begins again")
    standing.change(suspend=True)
    await book.step("suspended")
    standing.change(suspend=False)
    await book.step("resumed")
    _fail(standing, "train", 64, '{"reason": "ModelNotFound", "message": "no sdxl"}')
    await book.step("training failed for good")

    standing.delete()
    for number in range(1, 6):
        await book.step(f"deleted, look {number}")
        for name in list(standing.jobs):
            standing.server.end_pods(name)
        if standing.gone():
            break
    assert standing.gone()


async def _record(life: Callable[[Book], Any]) -> str:
    with house.still_clock() as clock:
        async with house.operator() as standing:
            book = Book(standing, clock)
            await life(book)
            return as_yaml(book.pages)


async def test_one_whole_life() -> None:
    compare("life.yaml", await _record(_life))


async def test_reports_are_read_and_written_alike() -> None:
    with house.still_clock():
        async with house.operator() as standing:
            await standing.ready()
            reports = {key: data.decode() for key, data in standing.store.objects.items() if key.endswith(".json")}
    compare("reports.yaml", as_yaml(reports))
