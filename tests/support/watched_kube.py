"""A kube that follows an API server in memory, and whom it wakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from kubernetes.aio import client

from fake_kubernetes import FakeKubernetes
from profile_contract.resource import Key
from profile_operator.clients.watched import WatchedKube


class Woken:
    """Whom the kube woke, with the version that told so, and within how many seconds."""

    def __init__(self) -> None:
        self.calls: list[tuple[Key, str]] = []
        self.within: list[float] = []

    def __call__(self, key: Key, version: str, within: float = 0.0) -> None:
        self.calls.append((key, version))
        self.within.append(within)

    @property
    def keys(self) -> set[Key]:
        return {key for key, _ in self.calls}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.002)


@asynccontextmanager
async def following(
    server: FakeKubernetes, *namespaces: str, installations: Sequence[str] = ()
) -> AsyncIterator[tuple[WatchedKube, Woken]]:
    woken = Woken()
    async with server.running() as url:
        api = client.ApiClient(client.Configuration(host=url))
        kube = WatchedKube(api, namespaces, woken, installations=installations)
        task = asyncio.create_task(kube.follow())
        try:
            async with asyncio.timeout(10):
                await kube.asked()
            yield kube, woken
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await kube.close()


def job(name: str, of: str = "minji") -> dict[str, Any]:
    containers = [{"name": "stage", "env": [{"name": "PROFILE_ORDER", "value": "x" * 900}], "resources": {}}]
    labels = {"profilestudio.io/request": of, "profilestudio.io/stage": "train"}
    return {
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {"template": {"spec": {"containers": containers, "volumes": [{"name": "scratch"}]}}},
    }
