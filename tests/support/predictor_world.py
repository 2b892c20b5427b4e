"""The predictor without diffusers: its real engine, queue and application around a network of two layers; a store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

from profile_contract.stages.train import AdapterLayers
from profile_draw.bank import AdapterBank
from profile_draw.families.sdxl import Sdxl
from profile_draw.rows import Row, Shape
from profile_predictor.engine import Engine, EngineConfig, Refused
from profile_predictor.server.app import CallLimits, PredictorApp
from profile_predictor.server.grants import StoreGrants
from profile_predictor.server.model import PredictorModel
from profile_predictor.server.serve import Server
from profile_predictor.server.settings import PredictorSettings

NAME = "profile-predictor"
BASE = "tiny"
LAYERS = {"attn.to_q": (4, 3), "attn.to_k": (3, 5)}
INFER = f"/v2/models/{NAME}/infer"
RANK = 4


class TinyNet(torch.nn.Module):
    """Two layers that adapters change."""

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attn = torch.nn.ModuleDict(
            {name.removeprefix("attn."): torch.nn.Linear(*size, bias=False) for name, size in LAYERS.items()}
        )

    def linear(self, name: str) -> Any:
        """A layer by its name in LAYERS."""
        return self.get_submodule(name)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.linear("attn.to_k")(self.linear("attn.to_q")(values)))


class TinyPipeline:
    """Draws a colour that seed, prompt and adapter change. `pause`: seconds a step; `spoils`: this prompt fails."""

    dtype = torch.float32
    device_name = "cpu"
    has_control = True
    native_size = (64, 64)

    def __init__(self, slots: int = 2) -> None:
        self.unet = TinyNet()
        self.bank = AdapterBank(self.unet, slots, Sdxl().modules(AdapterLayers.ATTENTION))
        self.pause = 0.0
        self.drawn: list[list[str]] = []
        # Rows that fit into memory; decoding in tiles makes room for so many more.
        self.room, self.tiles = 1000, 0

    def chunks(self, prompt: str) -> int:
        return 1

    def decode_in_tiles(self) -> None:
        self.room += self.tiles

    def webui_name(self, layer: str) -> str:
        raise ValueError("WebUI knows none of these layers")

    def other_base(self, metadata: Mapping[str, str]) -> str:
        return Sdxl().other_base(metadata)

    def draw(self, shape: Shape, rows: Sequence[Row], wanted: Callable[[], bool]) -> np.ndarray:
        from profile_draw.errors import Unwanted

        self.drawn.append([row.prompt for row in rows])
        for _ in range(shape.steps):
            time.sleep(self.pause)
            if not wanted():
                raise Unwanted("nobody waits")
        if len(rows) > self.room:
            raise torch.OutOfMemoryError("full")
        if any("not finite" in row.prompt for row in rows):
            raise Refused("the pictures are not finite")
        if any("surprise" in row.prompt for row in rows):
            raise RuntimeError("a surprise that holds a prompt")
        values = torch.stack([torch.full((4,), 1.0 + row.seed % 100) for row in rows])
        with self.bank.drawing([row.adapters for row in rows], guided=shape.guided), torch.inference_mode():
            change = self.unet(values.repeat(2 if shape.guided else 1, 1))[-len(rows) :].abs().sum(dim=1)
        levels = [[int(one * scale) % 256 for scale in (1, 100, 10_000)] for one in change.tolist()]
        return np.stack([np.full((shape.height, shape.width, 3), level, np.uint8) for level in levels])


def tiny_engine(**config: Any) -> Engine:
    """A real engine around the tiny pipeline."""
    settings = EngineConfig(Path("/models"), BASE, **{"slots": 2, "maximum_rank": RANK, "batch": 4, **config})
    pipeline: Any = TinyPipeline(settings.slots)
    return Engine(settings, pipeline)


def tensors(seed: int, rank: int = 2, size: float = 0.5) -> dict[str, torch.Tensor]:
    """Weights of an adapter of the tiny network."""
    random = torch.Generator().manual_seed(seed)
    found = {}
    for name, (inputs, outputs) in LAYERS.items():
        found[f"unet.{name}.lora_A.weight"] = torch.randn(rank, inputs, generator=random) * size
        found[f"unet.{name}.lora_B.weight"] = torch.randn(outputs, rank, generator=random) * size
    return found


def adapter(seed: int = 1, *, metadata: dict[str, str] | None = None, **more: Any) -> bytes:
    """An adapter's file."""
    content: bytes = save(tensors(seed, **more), metadata or {"format": "pt"})
    return content


@dataclass
class Store:
    """GET with ranges and ETags, PUT. Answers wait `delay[path]` seconds; bodies come `trickle` bytes at a time, and
    of a size that is not told if it is `silent`.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    delay: dict[str, float] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    trickle: int = 0
    silent: bool = False

    def link(self, path: str, query: str = "X-Amz-Signature=very-secret") -> str:
        return f"http://{self.host}{path}?{query}"

    def put(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return self.link(path)

    def grant(self, path: str, content: bytes, **more: Any) -> dict[str, Any]:
        return {"key": path, "url": self.put(path, content), "sha256": hashlib.sha256(content).hexdigest(), **more}

    def __enter__(self) -> Store:
        self._server = _StoreServer(("127.0.0.1", 0), _StoreHandler)
        self._server.store = self
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _StoreServer(ThreadingHTTPServer):
    daemon_threads = True
    store: Store


class _StoreHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _StoreServer

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Silent."""

    def _asked(self, method: str) -> str:
        path = self.path.split("?")[0]
        self.server.store.asked.append((method, path, self.headers.get("Range", "")))
        return path

    def do_GET(self) -> None:
        path = self._asked("GET")
        time.sleep(self.server.store.delay.get(path, 0))
        content = self.server.store.files.get(path)
        if path in self.server.store.redirects:
            self._answer(302, b"", Location=self.server.store.redirects[path])
        elif content is None:
            self._answer(404, b"<Code>NoSuchKey</Code>")
        elif self.headers.get("Range") == "bytes=0-0":
            self._answer(206, content[:1], content)
        else:
            self._answer(200, content, content)

    def do_PUT(self) -> None:
        path, store = self._asked("PUT"), self.server.store
        content = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(store.delay.get(path, 0))
        status = store.statuses[path].pop(0) if store.statuses.get(path) else 200
        if status == 200:
            store.files[path] = content
        self._answer(status, b"")

    def _answer(self, status: int, body: bytes, whole: bytes = b"", **more: str) -> None:
        store = self.server.store
        size = {"Connection": "close"} if store.silent else {"Content-Length": str(len(body))}
        headers = {**size, **store.headers, **more}
        if whole:
            headers["ETag"] = hashlib.md5(whole, usedforsecurity=False).hexdigest()
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            step = store.trickle or len(body) or 1
            for begin in range(0, len(body), step):
                self.wfile.write(body[begin : begin + step])
                time.sleep(0.02 if store.trickle else 0)
        self.close_connection = store.silent


@dataclass
class Reply:
    """What an ASGI application answered. `status` 0: nothing."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def document(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> str:
        assert self.document.keys() == {"error"}, self.content
        return str(self.document["error"])

    @property
    def result(self) -> Any:
        """The result of an order or an eviction."""
        assert self.status == 200, self.content
        return json.loads(self.document["outputs"][0]["data"][0])


class Client:
    """Asks an ASGI application as uvicorn would."""

    def __init__(self, app: PredictorApp) -> None:
        self.app = app

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        hang_up: float | None = None,
    ) -> Reply:
        """One call. `hang_up`: seconds after which the client goes. The body comes in two parts."""
        reply, read = Reply(), list[bytes]()
        raw = {"content-length": str(len(body)), "content-type": "application/json"} | (headers or {})
        parts = [body[: len(body) // 2], body[len(body) // 2 :]]

        async def receive() -> dict[str, Any]:
            if len(read) < len(parts):
                read.append(parts[len(read)])
                return {"type": "http.request", "body": read[-1], "more_body": len(read) < len(parts)}
            if hang_up is None:
                await asyncio.sleep(3600)
            await asyncio.sleep(hang_up or 0)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                reply.content += message["body"]

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in raw.items() if value],
        }
        await self.app(scope, receive, send)
        reply.headers["parts-read"] = str(len(read))
        return reply

    async def infer(self, inputs: Sequence[dict[str, Any]], **more: Any) -> Reply:
        return await self.ask("POST", INFER, json.dumps({"inputs": inputs}).encode(), **more)

    async def order(self, document: dict[str, Any] | str, name: str = "order", **more: Any) -> Reply:
        text = document if isinstance(document, str) else json.dumps(document)
        return await self.infer([{"name": name, "shape": [1], "datatype": "BYTES", "data": [text]}], **more)

    async def evict(self, *digests: str) -> int:
        return int((await self.order({"sha256": list(digests)}, "evict")).result["evicted"])


@dataclass
class World:
    """A predictor's application, its parts, and the store that it may ask."""

    engine: Engine
    model: PredictorModel
    client: Client
    store: Store

    @property
    def pipeline(self) -> TinyPipeline:
        pipeline: Any = self.engine._pipeline
        assert isinstance(pipeline, TinyPipeline)
        return pipeline

    @property
    def queue(self) -> Any:
        return self.model._queue


@contextlib.contextmanager
def world(
    *,
    token: str = "",
    limits: CallLimits | None = None,
    bucket: str = "",
    engine: Engine | None = None,
    **settings: Any,
) -> Iterator[World]:
    """A predictor that runs; `engine` None: around the network of two layers."""
    with Store() as store:
        engine = engine or tiny_engine()
        told = PredictorSettings(
            base_model=BASE, model_name=NAME, store_hosts=(store.host,), store_bucket=bucket, **settings
        )
        model = PredictorModel(told, engine, StoreGrants(told.store_hosts, seconds=5.0, bucket=bucket))
        try:
            yield World(engine, model, Client(PredictorApp(model, token, limits or CallLimits())), store)
        finally:
            model.close()


def order(adapter: dict[str, Any] | None = None, seeds: Sequence[int] = (1,), **more: Any) -> dict[str, Any]:
    """An order for pictures of 64 x 64. What `item` holds stands in each item."""
    item = more.pop("item", {})
    document: dict[str, Any] = {
        "request": {"namespace": "team", "name": "minji"},
        "items": [{"seed": seed, "prompt": "portrait of sks woman", **item} for seed in seeds],
        "width": 64,
        "height": 64,
        "steps": 1,
        **more,
    }
    return document if adapter is None else {**document, "adapter": adapter}


def png(size: tuple[int, int] = (64, 64), colour: Any = (0, 0, 0), mode: str = "RGB") -> bytes:
    """A picture of one colour."""
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, "PNG")
    return stream.getvalue()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


@contextlib.contextmanager
def serving(found: World, **settings: Any) -> Iterator[tuple[Server, int, threading.Thread]]:
    """A server of this world's model in a thread of its own."""
    port = free_port()
    told = PredictorSettings(base_model=BASE, model_name=NAME, port=port, **settings)
    server = Server(told, found.model)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield server, port, thread
    finally:
        server.handle_exit(signal.SIGTERM, None)
        server.force_exit = True
        thread.join(20)
        assert not thread.is_alive()
