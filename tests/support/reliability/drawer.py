"""Drawer: a predictor over HTTP that draws nothing.

It checks the adapter's grant and writes through the links that it is given, and draws no more for whoever hung up, as
the product's does.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2

from profile_contract.generation import (
    EVICT_TENSOR,
    RECEIPT_TENSOR,
    RESULT_TENSOR,
    EvictionResult,
    GeneratedItem,
    GenerationOrder,
    GenerationResult,
    Receipt,
    ReceiptOrder,
    Receipts,
    Timings,
)

from .stage_node import content_of

DRAW_SECONDS, DEVICE = 0.1, "stub"


class Drawer:
    """Answers on loopback. `drawn`: how often each key was drawn.

    Calls of a namespace in `held` wait until it is let go, those of one in `away` are answered with 503.
    """

    def __init__(self) -> None:
        self.drawn: Counter[str] = Counter()
        self.receipts: dict[str, Receipt] = {}
        self.waiting: Counter[str] = Counter()
        self.held: set[str] = set()
        self.away: set[str] = set()
        drawer = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                try:
                    body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                except ValueError:
                    return  # whoever asked died before it had asked
                status, text = drawer.answer(body["inputs"][0], lambda: _hung_up(self.connection))
                output = {"name": RESULT_TENSOR, "shape": [1], "datatype": "BYTES", "data": [text]}
                answer = json.dumps({"model_name": "p", "outputs": [output]}).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    return  # whoever asked is dead

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="drawer", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self.held.clear()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, tensor: dict[str, object], hung_up: Callable[[], bool]) -> tuple[int, str]:
        """Status and result of one call. `hung_up`: whether whoever asked is there no more."""
        content = str(tensor["data"][0])  # type: ignore[index]
        if tensor["name"] == EVICT_TENSOR:
            return 200, EvictionResult(evicted=1).to_json()
        if tensor["name"] == RECEIPT_TENSOR:
            asked = ReceiptOrder.model_validate_json(content).keys
            known = [self.receipts[key] for key in asked if key in self.receipts]
            return 200, Receipts(items=known, device=DEVICE).to_json()
        order = GenerationOrder.model_validate_json(content)
        namespace = order.request.namespace
        self.waiting[namespace] += 1
        try:
            while namespace in self.held:
                time.sleep(0.05)
        finally:
            self.waiting[namespace] -= 1
        return (503, "") if namespace in self.away else self._draw(order, hung_up)

    def _draw(self, order: GenerationOrder, hung_up: Callable[[], bool]) -> tuple[int, str]:
        time.sleep(DRAW_SECONDS)
        try:
            if order.adapter is not None and httpx2.get(order.adapter.url, trust_env=False).status_code != 200:
                return 400, ""
            items = []
            for item in order.items:
                if hung_up():
                    return 499, ""
                picture = content_of(item.key.partition("/candidates/")[2])
                if httpx2.put(item.put_url, content=picture, trust_env=False).status_code != 200:
                    return 503, ""
                self.drawn[item.key] += 1
                digest = hashlib.sha256(picture).hexdigest()
                milliseconds = 1000 * DRAW_SECONDS / len(order.items)
                self.receipts[item.key] = Receipt(key=item.key, sha256=digest, milliseconds=milliseconds)
                items.append(GeneratedItem(seed=item.seed, key=item.key, sha256=digest, bytes=len(picture)))
        except httpx2.TransportError:
            return 503, ""
        return 200, GenerationResult(items=items, timings=Timings(generate=100), device=DEVICE).to_json()


def _hung_up(connection: socket.socket) -> bool:
    """Whether nobody is at the other end any more."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
