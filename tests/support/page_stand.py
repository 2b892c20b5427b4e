"""The page and a store for a browser, on this machine alone: no cluster, nothing that is drawn."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from page_world import AREA, NAMESPACE, ApiServer, MemoryStore, TokenService
from profile_runtime.store.port import content_type_of
from profile_web.app import make_app
from profile_web.bucket import Bucket
from profile_web.cluster import PageCluster
from profile_web.config import Drafts, Namespaces, PageStore, SignIn, VisitorLimits, WebConfig
from profile_web.page import Backends

BUCKET = "profiles"
USER = "you"


@dataclass
class Stand:
    """Where the page is, and what stands behind it. `refusals`: answers that the store gives instead of taking photos,
    the next one first."""

    url: str
    api: ApiServer
    store: MemoryStore
    app: Any
    refusals: list[int] = field(default_factory=list)

    def photos(self) -> list[str]:
        """The names of the photos in the store."""
        return [key.rpartition("/")[2] for key in self.store.objects]


@contextmanager
def stand(**limits: Any) -> Iterator[Stand]:
    """Everybody is USER."""
    api, store = ApiServer(), MemoryStore()
    port, store_port = free_port(), free_port()
    config = WebConfig(
        sign_in=SignIn(mode="Local", user=USER),
        namespaces=Namespaces(default=NAMESPACE),
        store=PageStore(endpoint="store:9000", bucket=BUCKET, public_url=f"http://127.0.0.1:{store_port}"),
        limits=VisitorLimits(**limits),
        drafts=Drafts(),
    )
    memory: Any = store

    async def connected() -> PageCluster:
        return api.cluster()

    backends = Backends(bucket=Bucket(config.store, {}, memory, TokenService()), connect=connected)
    app = make_app(config, {}, backends)
    standing = Stand(f"http://127.0.0.1:{port}/", api, store, app)
    with served(app, port), served(_store(standing), store_port):
        yield standing


def _store(standing: Stand) -> Starlette:
    """Takes forms and shows objects, whoever signed for them."""

    async def take(request: Request) -> Response:
        if standing.refusals:
            return Response(status_code=standing.refusals.pop(0))
        async with request.form() as fields:
            file: Any = fields["file"]
            standing.store.write(str(fields["key"]), await file.read())
        return Response(status_code=204)

    async def show(request: Request) -> Response:
        key = request.path_params["key"]
        data = standing.store.objects.get(key)
        if data is None:
            return Response(status_code=404)
        return Response(data, media_type=content_type_of(key))

    routes = [Route(f"/{BUCKET}", take, methods=["POST"]), Route(f"/{BUCKET}/{{key:path}}", show, methods=["GET"])]
    app = Starlette(routes=routes)
    # Browsers of the page's origin send photos here.
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    return app


@contextmanager
def served(app: Any, port: int) -> Iterator[None]:
    """The application on a port of this machine, while the block runs."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the page did not start"
        time.sleep(0.02)
    yield
    server.should_exit = True
    thread.join(10)


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def draft_of(key: str) -> str:
    """The draft whose photo a key names."""
    match = re.match(rf"{AREA}uploads/[0-9a-f]+/([^/]+)/", key)
    assert match is not None
    return match[1]
