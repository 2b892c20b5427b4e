"""Of a request that is not found it is told that it is gone only where the API server knows requests at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fake_kubernetes import REQUESTS, FakeKubernetes
from profile_contract.resource import Key
from profile_operator.clients.census import Census
from profile_runtime.kubernetes.errors import ResourceNotFound

KEY = Key("hr", "minji")


@asynccontextmanager
async def census(server: FakeKubernetes) -> AsyncIterator[Census]:
    api = server.in_process()
    yield Census(api)
    await api.close()


async def test_a_request_that_is_not_among_those_of_its_namespace_is_gone() -> None:
    server = FakeKubernetes()
    async with census(server) as asked:
        assert await asked.request(KEY) is None
        there = server.put(REQUESTS.format("hr"), {"metadata": {"name": "minji"}})
        found = await asked.request(KEY)
    assert found is not None
    assert found["metadata"]["uid"] == there["metadata"]["uid"]


async def test_where_the_kind_is_not_known_nobody_is_gone() -> None:
    """An API server that starts answers so, too: what is taken away by then would be everybody's."""
    server = FakeKubernetes()
    server.refuse("GET", "/profilerequests", 404, "the server could not find the requested resource", times=2)
    async with census(server) as asked:
        with pytest.raises(ResourceNotFound):
            await asked.request(KEY)
