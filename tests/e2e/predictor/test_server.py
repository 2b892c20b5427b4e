"""The predictor as it runs in a pod: a process of its own, asked over the Open Inference Protocol."""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from profile_contract.generation import (
    AdapterGrant,
    EvictionOrder,
    EvictionResult,
    GenerationItem,
    GenerationOrder,
    GenerationResult,
    ReadGrant,
)
from profile_contract.stages.order import RequestRef
from profile_models import random_sdxl

pytestmark = pytest.mark.e2e
NAME = "profile-predictor"
PLACES = 2
Grant = Callable[..., AdapterGrant]


class Objects:
    """What a store does with presigned links: GET with ranges and ETags, PUT, refusals in S3's words.

    Paths that begin with /expired/, /denied/, /moved/ or /broken/ are answered accordingly.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str]] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                """Silent."""

            def do_GET(self) -> None:
                store.asked.append(("GET", self.path, self.headers.get("Range", "")))
                content = store.files.get(self.path.split("?")[0])
                refusals = {
                    "expired": (403, b"<Code>AccessDenied</Code><Message>Request has expired</Message>"),
                    "denied": (403, b"<Code>AccessDenied</Code>"),
                    "moved": (302, b""),
                    "broken": (503, b""),
                }
                refusal = refusals.get(self.path.split("/")[1])
                if refusal or content is None:
                    self.answer(*(refusal or (404, b"<Code>NoSuchKey</Code>")))
                elif self.headers.get("Range") == "bytes=0-0":
                    self.answer(206, content[:1], content)
                else:
                    self.answer(200, content, content)

            def do_PUT(self) -> None:
                store.asked.append(("PUT", self.path, ""))
                content = self.rfile.read(int(self.headers["Content-Length"]))
                store.files[self.path.split("?")[0]] = content
                self.answer(200, b"")

            def answer(self, status: int, body: bytes, whole: bytes = b"") -> None:
                self.send_response(status)
                if whole:
                    self.send_header("ETag", hashlib.md5(whole, usedforsecurity=False).hexdigest())
                if status == 302:
                    self.send_header("Location", "http://169.254.169.254/")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def link(self, path: str) -> str:
        return f"http://{self.host}{path}?X-Amz-Signature=very-secret"


@pytest.fixture(scope="module")
def objects() -> Iterator[Objects]:
    objects = Objects()
    yield objects
    objects.server.shutdown()


class Predictor:
    """The process and a client."""

    def __init__(self, models: Path, host: str, log: Path) -> None:
        with socket.socket() as free, socket.socket() as other:
            free.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            self.port, metrics_port = free.getsockname()[1], other.getsockname()[1]
        self.metrics = f"http://127.0.0.1:{metrics_port}/metrics"
        self.log = log
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(log.parent),
            "PROFILE_MODELS": str(models),
            "PROFILE_BASE_MODEL": random_sdxl.NAME,
            "PROFILE_CONTROL_MODEL": random_sdxl.CONTROL_NAME,
            "PROFILE_STORE_HOSTS": host,
            "PROFILE_QUEUE": str(PLACES),
            "PROFILE_PORT": str(self.port),
            "PROFILE_METRICS_PORT": str(metrics_port),
            "PROFILE_MAXIMUM_RANK": "16",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        }
        with log.open("w") as stream:
            command = [sys.executable, "-m", "profile_predictor"]
            self.process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, cwd=log.parent)
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=300, trust_env=False)

    def wait_ready(self, seconds: float = 400) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                if self.client.get(f"/v2/models/{NAME}/ready").status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.3)
        pytest.fail(f"not ready within {seconds} s: {self.log.read_text()[-3000:]}")

    def infer(self, inputs: list[dict[str, Any]], **more: Any) -> httpx2.Response:
        return self.client.post(f"/v2/models/{NAME}/infer", json={"inputs": inputs}, **more)

    def ask(self, order: GenerationOrder | EvictionOrder) -> httpx2.Response:
        name = "evict" if isinstance(order, EvictionOrder) else "order"
        return self.infer([{"name": name, "shape": [1], "datatype": "BYTES", "data": [order.to_json()]}])

    def metric(self, name: str) -> float:
        lines = self.client.get(self.metrics).text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@pytest.fixture(scope="module")
def predictor(random_models: Path, objects: Objects, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    predictor = Predictor(random_models, objects.host, tmp_path_factory.mktemp("predictor") / "log")
    try:
        predictor.wait_ready()
        yield predictor
        predictor.process.send_signal(signal.SIGTERM)
        assert predictor.process.wait(60) == 0, predictor.log.read_text()[-3000:]
    finally:
        predictor.process.kill()
    assert "very-secret" not in predictor.log.read_text(), "links are secrets"


def result(response: httpx2.Response) -> str:
    assert response.status_code == 200, response.text
    output = response.json()["outputs"][0]
    assert (output["name"], output["datatype"], output["shape"]) == ("result", "BYTES", [1])
    return str(output["data"][0])


def order(adapter: AdapterGrant | None = None, **changes: Any) -> GenerationOrder:
    values: dict[str, Any] = {
        "items": [GenerationItem(seed=1, prompt="portrait of sks woman")],
        "width": 128,
        "height": 128,
        "steps": 2,
    }
    return GenerationOrder(request=RequestRef(namespace="team", name="minji"), adapter=adapter, **values | changes)


@pytest.fixture(scope="module")
def ann(people: dict[str, Path], objects: Objects, grant: Grant) -> AdapterGrant:
    objects.files["/profiles/ann.safetensors"] = people["ann"].read_bytes()
    return grant(people["ann"], objects.link("/profiles/ann.safetensors"))


def test_candidates_are_in_the_store_before_the_answer(
    predictor: Predictor, objects: Objects, ann: AdapterGrant, pose: Callable[[int], Path]
) -> None:
    objects.files["/profiles/pose.png"] = pose(0).read_bytes()
    items = [
        GenerationItem(
            seed=seed,
            prompt="portrait of sks woman",
            pose=ReadGrant(url=objects.link("/profiles/pose.png")),
            key=f"candidates/{seed}.png",
            put_url=objects.link(f"/profiles/candidates/{seed}.png"),
        )
        for seed in (3, 4)
    ]
    answer = GenerationResult.model_validate_json(result(predictor.ask(order(ann, items=items))))
    assert [(item.seed, item.key, item.image) for item in answer.items] == [
        (3, "candidates/3.png", ""),
        (4, "candidates/4.png", ""),
    ]
    assert (answer.model, answer.device) == (NAME, "cpu")
    assert answer.timings.generate > 0
    for item in answer.items:
        content = objects.files[f"/profiles/{item.key}"]
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (item.sha256, item.bytes)
        with Image.open(io.BytesIO(content)) as picture:
            assert (picture.size, picture.mode, picture.format) == ((128, 128), "RGB", "PNG")


def test_without_put_url_the_picture_comes_back(predictor: Predictor, ann: AdapterGrant) -> None:
    plain = GenerationResult.model_validate_json(result(predictor.ask(order()))).items[0]
    mine = GenerationResult.model_validate_json(result(predictor.ask(order(ann)))).items[0]
    assert hashlib.sha256(base64.b64decode(mine.image)).hexdigest() == mine.sha256 != plain.sha256
    assert predictor.metric("profile_predictor_adapter_uses_total") >= 2


def test_plain_tensors_give_a_picture(predictor: Predictor) -> None:
    inputs: list[dict[str, Any]] = [
        {"name": "prompt", "shape": [1], "datatype": "BYTES", "data": ["a person"]},
        {"name": "seed", "shape": [1], "datatype": "INT64", "data": [5]},
        {"name": "steps", "shape": [1], "datatype": "INT32", "data": [2]},
        {"name": "height", "shape": [1], "datatype": "INT64", "data": [136]},
    ]
    answer = predictor.infer(inputs).json()["outputs"][0]
    assert (answer["name"], answer["datatype"], answer["shape"]) == ("image", "UINT8", [136, 128, 3])
    assert np.array(answer["data"], dtype=np.uint8).std() > 10
    wrong = predictor.infer([*inputs, {"name": "lora", "shape": [1], "datatype": "BYTES", "data": ["x"]}])
    assert wrong.status_code == 400
    assert "lora" in wrong.json()["error"]


def test_a_cached_adapter_is_checked_by_one_byte_and_evicted_on_demand(
    predictor: Predictor, objects: Objects, ann: AdapterGrant
) -> None:
    predictor.ask(order(ann))
    objects.asked.clear()
    result(predictor.ask(order(ann)))
    assert [(method, span) for method, _, span in objects.asked] == [("GET", "bytes=0-0")]
    evicted = EvictionResult.model_validate_json(result(predictor.ask(EvictionOrder(sha256=[ann.sha256]))))
    assert evicted.evicted == 2, "one in host memory, one in a slot"
    objects.asked.clear()
    result(predictor.ask(order(ann)))
    assert [(method, span) for method, _, span in objects.asked] == [("GET", "")]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/expired/x", 408), ("/denied/x", 400), ("/missing/x", 400), ("/moved/x", 400), ("/broken/x", 503)],
)
def test_grants_that_do_not_hold(
    predictor: Predictor, objects: Objects, ann: AdapterGrant, path: str, status: int
) -> None:
    """Cached or not makes no difference, and no answer holds the link."""
    result(predictor.ask(order(ann)))
    answer = predictor.ask(order(ann.model_copy(update={"url": objects.link(path)})))
    assert answer.status_code == status, answer.text
    assert "very-secret" not in answer.text


def test_foreign_hosts_are_never_asked(predictor: Predictor, objects: Objects, ann: AdapterGrant) -> None:
    foreign = objects.link("/profiles/ann.safetensors").replace("127.0.0.1", "localhost")
    asked = len(objects.asked)
    for wrong in (
        order(ann.model_copy(update={"url": foreign})),
        order(items=[GenerationItem(seed=1, prompt="", put_url=foreign)]),
        order(items=[GenerationItem(seed=1, prompt="", pose=ReadGrant(url=foreign))]),
    ):
        answer = predictor.ask(wrong)
        assert answer.status_code == 400
        assert "none of the configured stores" in answer.json()["error"]
    assert len(objects.asked) == asked


def test_bad_calls_get_a_clear_answer(predictor: Predictor) -> None:
    tensor = {"name": "order", "shape": [1], "datatype": "BYTES", "data": ["{}"]}
    answer = predictor.infer([tensor])
    assert answer.status_code == 400
    assert "items: Field required" in answer.json()["error"]
    large = predictor.infer([{**tensor, "data": ["x" * 2_000_000]}])
    assert large.status_code == 413
    assert predictor.client.post(f"/v2/models/{NAME}/infer", content=b"\xff\x00").status_code == 400
    text = {"content-type": "text/plain"}
    assert predictor.client.post(f"/v2/models/{NAME}/infer", content=b"{}", headers=text).status_code == 415
    assert predictor.client.get("/metrics").status_code == 404
    assert predictor.client.get("/v2/models/other/ready").status_code == 404
    assert "Traceback" not in answer.text


def test_a_full_queue_says_when_to_come_again(predictor: Predictor) -> None:
    slow = order(steps=15)
    with concurrent.futures.ThreadPoolExecutor(PLACES + 3) as threads:
        answers = list(threads.map(lambda _: predictor.ask(slow), range(PLACES + 3)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert set(statuses) == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert predictor.metric("profile_predictor_queue_orders") == 0


def test_who_hangs_up_frees_the_place_and_drawing_stops(predictor: Predictor) -> None:
    """Drawn to its end this order would take a minute and more."""
    drawn = predictor.metric("profile_predictor_images_total")
    endless = order(steps=150, items=[GenerationItem(seed=seed, prompt="") for seed in range(4)], width=256, height=256)
    with pytest.raises(httpx2.ReadTimeout):
        predictor.infer([{"name": "order", "shape": [1], "datatype": "BYTES", "data": [endless.to_json()]}], timeout=2)
    deadline = time.monotonic() + 30
    while predictor.metric("profile_predictor_queue_orders") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert predictor.metric("profile_predictor_queue_orders") == 0
    result(predictor.ask(order()))
    assert predictor.metric("profile_predictor_images_total") == drawn + 1


def test_the_server_lives_and_answers_while_it_draws(predictor: Predictor) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        drawing = threads.submit(predictor.ask, order(steps=30))
        worst = 0.0
        while not drawing.done():
            started = time.monotonic()
            assert predictor.client.get("/v2/health/live").status_code == 200
            worst = max(worst, time.monotonic() - started)
            time.sleep(0.1)
        assert drawing.result().status_code == 200
    # The kubelet gives a probe 10 s.
    assert worst < 10
