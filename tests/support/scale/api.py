"""ClusterApi: the API server for whoever makes and watches thousands of objects: asynchronous, with few words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import msgspec

Document = dict[str, Any]
MERGE = "application/merge-patch+json"
# Calls at the same time of one process.
CALLS = 24
LONGEST_LINE = 2**24


class Refused(Exception):
    """The API server answered otherwise than asked; `code` is its status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text[:300]}")
        self.code = code


class ClusterApi:
    """One user's way to the API server, inside `async with`."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._slots = asyncio.Semaphore(CALLS)

    async def __aenter__(self) -> ClusterApi:
        headers = {"Authorization": f"Bearer {self._token}"}
        connector = aiohttp.TCPConnector(ssl=False, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=60)
        self._session = aiohttp.ClientSession(
            self._url, headers=headers, connector=connector, timeout=timeout, read_bufsize=LONGEST_LINE
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Document | None = None, **query: str) -> Document:
        """One call. Raises Refused; one that the API server has no time for is made again."""
        headers = {"Content-Type": MERGE if method == "PATCH" else "application/json"}
        data = msgspec.json.encode(body) if body is not None else None
        while True:
            async with self._slots:
                answer = await self._session.request(method, path, data=data, headers=headers, params=query)
                text = await answer.read()
            if answer.status == 429:
                await asyncio.sleep(1)
                continue
            if answer.status >= 300:
                raise Refused(answer.status, text.decode(errors="replace"))
            document: Document = msgspec.json.decode(text)
            return document

    async def all(self, calls: Sequence[tuple[str, str, Document | None]]) -> list[Document]:
        """Many calls side by side, answered in their order."""
        return list(await asyncio.gather(*(self.call(*call) for call in calls)))

    async def changes(self, path: str, **query: str) -> AsyncIterator[Document]:
        """For ever: every object that is there, and every one that is changed. What is deleted is not told."""
        while True:
            try:
                listed = await self.call("GET", path, None, **query)
                for item in listed["items"]:
                    yield item
                version = listed["metadata"]["resourceVersion"]
                watch = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", **query}
                async with self._session.get(path, params=watch) as stream:
                    async for line in stream.content:
                        event = msgspec.json.decode(line)
                        if event["type"] == "ERROR":
                            break
                        if event["type"] in ("ADDED", "MODIFIED"):
                            yield event["object"]
            except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError, Refused) as error:
                # A busy API server ends a watch, or cuts it in the middle of a line.
                print(f"    {path}: {error!r}; listed anew", flush=True)
                await asyncio.sleep(0.5)
