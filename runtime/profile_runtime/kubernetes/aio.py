"""Calls of the Kubernetes API over `kubernetes.aio`: connecting, one call, lists read into what is needed of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from kubernetes.aio import client, config
from kubernetes.aio.client.rest import RESTResponse
from kubernetes.aio.config.config_exception import ConfigException

from profile_runtime.store.s3 import proxy_of

from .errors import ApiError, refusal, unreachable
from .resources import JSON, Document, Query, headers, managed

Shape = TypeVar("Shape")
OK = 200
# Objects in one answer to a list.
PAGE = 500
# As aiohttp says that connections are not counted.
NO_LIMIT = 0


class ListVersion(msgspec.Struct, frozen=True, rename="camel"):
    """Of which version a list is, and how its rest is asked for; empty at its end."""

    resource_version: str = ""
    following: str = msgspec.field(default="", name="continue")


class ListPage(msgspec.Struct, frozen=True):
    """One page of a list, its objects as they came."""

    metadata: ListVersion = ListVersion()
    items: list[msgspec.Raw] = []


class WatchEvent(msgspec.Struct, frozen=True):
    """What happened to an object: ADDED, MODIFIED, DELETED, or BOOKMARK, which tells a version alone."""

    type: str
    object: msgspec.Raw


async def connect() -> client.ApiClient:
    """A client from the pod's service account, else from KUBECONFIG. Raises ApiError where neither is there.

    From within the cluster no proxy of the environment stands between us and the API server.
    """
    settings = client.Configuration()
    # A watch holds a connection for as long as it lasts. With the library's 100 those of 34 namespaces would hold all,
    # and no other call were ever made; how many there are at once is bounded by whoever calls.
    settings.connection_pool_maxsize = NO_LIMIT
    try:
        config.load_incluster_config(client_configuration=settings)
    except ConfigException:
        try:
            # The library looks at the environment as it is imported, and not again.
            await config.load_kube_config(
                config_file=os.environ.get("KUBECONFIG") or None, client_configuration=settings
            )
        except ConfigException as error:
            raise ApiError(f"no cluster is configured: {error}") from error
        return client.ApiClient(with_proxy(settings))
    return client.ApiClient(without_proxy(settings))


def without_proxy(settings: client.Configuration) -> client.Configuration:
    """Settings of a client that asks the API server itself, whatever the environment says."""
    settings.proxy = None
    settings.client_session_kwargs = {"trust_env": False}
    return settings


def with_proxy(settings: client.Configuration) -> client.Configuration:
    """Settings of a client that takes the environment's proxy, unless NO_PROXY spares the API server."""
    address = urlsplit(settings.host)
    proxy = settings.proxy or proxy_of(address.scheme, address.netloc) or None
    without_proxy(settings).proxy = proxy
    return settings


class AsyncApi:
    """One API server. Every call raises ApiError, or the kind of it that says why."""

    def __init__(
        self,
        api: client.ApiClient,
        *,
        seconds: float,
        manager: str = "",
        fence: Callable[[], None] | None = None,
    ) -> None:
        """`seconds`: the longest wait for an answer. `manager`: the name under which fields are written. `fence` is
        called before every write, and raises where none may be."""
        self._api, self._seconds, self._manager = api, seconds, manager
        self._fence = fence

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Query = (),
        *,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Document:
        """One call; the object that the API server answers, {} for an empty answer."""
        if self._fence is not None and method != "GET":
            self._fence()
        data = await self._answer(method, path, body, query, headers(accept, content_type))
        return decoded(data, Document) if data else {}

    async def read(self, path: str, shape: type[Shape], query: Query = ()) -> Shape:
        """What `shape`, a Struct of msgspec, names of an answer; nothing else is built."""
        return decoded(await self._answer("GET", path, None, query, headers(JSON, JSON)), shape)

    async def pages(self, path: str, query: Query = ()) -> AsyncIterator[ListPage]:
        """A list, page by page, all of one version. Raises ResourceExpired where reading it took too long."""
        following = ""
        while True:
            more = [("continue", following)] if following else []
            page = await self.read(path, ListPage, [*query, ("limit", str(PAGE)), *more])
            yield page
            following = page.metadata.following
            if not following:
                return

    async def watch(self, path: str, version: str, seconds: int) -> AsyncIterator[Document]:
        """What happens to a resource after a version, as `events` tells it, read whole."""
        async for event in self.events(path, version, seconds):
            yield {"type": event.type, "object": decoded(bytes(event.object), Document)}

    async def events(self, path: str, version: str, seconds: int, query: Query = ()) -> AsyncIterator[WatchEvent]:
        """What happens to a resource after a version, an event at a time, until the API server ends it.

        Raises ResourceExpired where that version is too old. `seconds`: when the API server is to end the watch.
        """
        query = [
            *query,
            ("watch", "true"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(seconds)),
        ]
        # The server ends it; that its word does not come is no reason to wait for ever.
        patience = seconds + self._seconds
        response = await self._send("GET", path, None, query, headers(JSON, JSON), seconds=patience)
        try:
            if response.status != OK:
                raise refusal(response.status, await response.read(), response.reason or "")
            async for line in _lines(response):
                event = decoded(line, WatchEvent)
                if event.type == "ERROR":
                    status = decoded(bytes(event.object), Document)
                    raise refusal(status.get("code", 0), bytes(event.object))
                yield event
        finally:
            response.response.close()

    async def _answer(self, method: str, path: str, body: object, query: Query, sent: dict[str, str]) -> bytes:
        """The body of an answer that is none of a failure."""
        response = await self._send(method, path, body, query, sent, seconds=self._seconds)
        try:
            data: bytes = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(error) from error
        if 200 <= response.status < 300:
            return data
        raise refusal(response.status, data, response.reason or "")

    async def _send(
        self, method: str, path: str, body: object, query: Query, sent: dict[str, str], *, seconds: float
    ) -> RESTResponse:
        """The answer, whose body is still to be read within as many seconds."""
        # The body is JSON already: the library would go through all of it once more, looking for its own models.
        method, url, sent, _, _ = await self._api.param_serialize(
            method,
            path,
            query_params=managed(method, query, self._manager),
            header_params=sent,
            auth_settings=["BearerToken"],
        )
        try:
            return await self._api.call_api(method, url, sent, body, _request_timeout=seconds)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(error) from error


async def _lines(response: RESTResponse) -> AsyncIterator[bytes]:
    """The lines of an answer, however long they are: one holds a whole object."""
    rest = b""
    try:
        async for piece in response.response.content.iter_any():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.strip():
                    yield line
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise unreachable(error) from error


def decoded(data: bytes, shape: type[Shape]) -> Shape:
    """An answer's content. Raises ApiError: whoever stands between may answer with a page of its own."""
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.ValidationError as error:
        raise ApiError("the API server's answer is no JSON object") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("the API server's answer is no JSON") from error
