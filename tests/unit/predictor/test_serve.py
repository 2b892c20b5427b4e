"""The predictor on real sockets: both families, metrics apart, and an end that waits for nobody who is slow."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from predictor_world import BASE, INFER, NAME, free_port, order, serving, wait_until, world
from profile_contract.recipe import Recipe
from profile_predictor.server import metrics, serve
from profile_predictor.server.settings import PredictorSettings

READY = f"/v2/models/{NAME}/ready"


def large_picture() -> bytes:
    """A call that is answered with 12 MB: more than lies between two sockets."""
    sizes = [
        {"name": name, "shape": [1], "datatype": "INT32", "data": [value]}
        for name, value in (("width", 2048), ("height", 2048), ("steps", 1))
    ]
    prompt = {"name": "prompt", "shape": [1], "datatype": "BYTES", "data": ["x"]}
    body = json.dumps({"inputs": [prompt, *sizes], "parameters": {"binary_data_output": True}}).encode()
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def ask(port: int, **more: Any) -> httpx2.Response:
    tensor = {"name": "order", "shape": [1], "datatype": "BYTES", "data": [json.dumps(order(**more))]}
    return httpx2.post(f"http://127.0.0.1:{port}{INFER}", json={"inputs": [tensor]}, timeout=60, trust_env=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training: {rank: 16, steps: 3}", ""),
        (
            "training: {rank: 8, steps: 3}\ntoy: A toy.",
            "differs in toy, training.rank: the platform's settings hold",
        ),
        ("training: {rnak: 8}", "training.rnak"),
        (None, ""),
    ],
)
def test_another_recipe_in_the_folder_is_told_by_its_fields(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None, said: str
) -> None:
    (tmp_path / BASE).mkdir()
    if text is not None:
        (tmp_path / BASE / "recipe.yaml").write_text(text)
    recipe = Recipe.model_validate({"training": {"rank": 16, "steps": 3}})
    serve.compare_recipes(PredictorSettings(base_model=BASE, models=tmp_path, recipe=recipe))
    assert (said in caplog.text) if said else not caplog.text
    caplog.clear()
    serve.compare_recipes(PredictorSettings(base_model=BASE, models=tmp_path))
    assert not caplog.text


def test_both_families_are_answered() -> None:
    with world() as found, serving(found) as (_, port, _):
        hosts = ["127.0.0.1"] + (["[::1]"] if socket.has_dualstack_ipv6() else [])
        for host in hosts:
            reply = httpx2.get(f"http://{host}:{port}{READY}", trust_env=False)
            assert (reply.status_code, "server" in reply.headers) == (200, False)


def test_an_unread_body_ends_the_connection_and_not_the_next_call() -> None:
    with world() as found, serving(found) as (_, port, _), socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(b"POST /v2/repository/x HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\nGET " + READY.encode())
        received = b""
        while part := line.recv(4096):
            received += part
        assert received.startswith(b"HTTP/1.1 404")
        assert received.count(b"HTTP/1.1") == 1


def test_metrics_are_at_a_port_of_their_own_and_nothing_else_is() -> None:
    port = free_port()
    metrics.serve(port)
    with world() as found, serving(found) as (_, own, _):
        assert ask(own).status_code == 200
        text = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        assert 'profile_predictor_orders_total{outcome="done"}' in text
        assert "profile_predictor_queue_orders 0.0" in text
        assert httpx2.get(f"http://127.0.0.1:{own}/metrics", trust_env=False).status_code == 404
        assert httpx2.post(f"http://127.0.0.1:{port}{INFER}", content=b"{}", trust_env=False).status_code in (405, 501)


@pytest.mark.filterwarnings("ignore:unclosed resource <TCPTransport:ResourceWarning")
def test_who_is_slow_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """One never sends its body, one never reads its answer; an order that runs is finished all the same."""
    monkeypatch.setattr(serve, "PARTING_SECONDS", 0.5)
    with world() as found, serving(found, grace_seconds=60) as (server, port, thread):
        stalled = socket.create_connection(("127.0.0.1", port))
        head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
        stalled.sendall(head.encode() + b"{")
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", port))
        reader.sendall(large_picture())
        wait_until(lambda: found.pipeline.drawn and not found.queue.taken)
        found.pipeline.drawn.clear()
        found.pipeline.pause = 0.1
        answers: list[httpx2.Response] = []
        running = threading.Thread(target=lambda: answers.append(ask(port, steps=15)))
        running.start()
        wait_until(lambda: found.pipeline.drawn)
        started = time.monotonic()
        server.handle_exit(signal.SIGTERM, None)
        assert b"503" in stalled.recv(200)
        running.join(30)
        thread.join(30)
        assert time.monotonic() - started < 12
        assert not thread.is_alive()
        assert [answer.status_code for answer in answers] == [200]
        stalled.close()
        reader.close()


def test_a_lost_accelerator_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    monkeypatch.setattr("os.kill", lambda pid, sig: sent.append(sig))
    monkeypatch.setattr(serve, "WATCH_SECONDS", 0.01)
    with world() as found:
        found.queue.broken = True
        serve._watch(found.model)
    assert sent == [signal.SIGTERM]


def test_headers_without_end_are_not_read_to_their_end() -> None:
    with world() as found, serving(found) as (_, port, _):
        with socket.create_connection(("127.0.0.1", port), 10) as line:
            line.sendall(b"GET /v2 HTTP/1.1\r\nHost: x\r\nA: ")
            sent = 0
            with contextlib.suppress(OSError):
                while sent < 50_000_000:
                    sent += line.send(b"a" * 65_536)
        assert sent < 50_000_000
        assert httpx2.get(f"http://127.0.0.1:{port}{READY}", trust_env=False).status_code == 200
