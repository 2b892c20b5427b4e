"""What a page is told while it follows a request."""

from __future__ import annotations

from typing import Any

import pytest

from profile_web import live
from profile_web.cluster import NOT_FOUND, ClusterAway, Refused
from profile_web.visitor import Visitor

VISITOR = Visitor("minji@example.com", "portraits")
DOCUMENT = {
    "metadata": {
        "name": "p-1", "namespace": "portraits", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z",
        "resourceVersion": "7",
    },
    "spec": {"photos": {"prefix": "uploads/o/p-1/"}, "styles": ["studio-warm"]},
}  # fmt: skip


class Answers:
    """A cluster that answers these, one a look."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    async def request(self, *_: object) -> Any:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class NoProgress:
    async def after(self, visitor: Visitor, name: str, cursor: str) -> tuple[str, None]:
        return cursor, None


async def told(*answers: Any) -> list[str | None]:
    cluster: Any = Answers(*answers, Refused(NOT_FOUND, "gone"))
    progress: Any = NoProgress()
    events = live.follow(cluster, progress, VISITOR, "p-1", lambda key, save_as="": key)
    return [event.event async for event in events]


async def test_what_did_not_change_is_told_once() -> None:
    assert await told(DOCUMENT, DOCUMENT) == ["request", "gone"]


async def test_after_an_outage_it_is_told_again() -> None:
    assert await told(DOCUMENT, ClusterAway("away"), DOCUMENT) == ["request", "away", "request", "gone"]


async def test_links_are_told_anew_before_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LINKS_SECONDS", -1.0)
    assert await told(DOCUMENT, DOCUMENT) == ["request", "request", "gone"]
