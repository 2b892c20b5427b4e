"""The server of /metrics and /healthz, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class ProbeServer(ThreadingHTTPServer):
    """Answers on a port of every address of the machine: IPv4 and IPv6 where it has both. Raises OSError if taken."""

    daemon_threads = True

    def __init__(self, port: int, healthy: Callable[[], bool]) -> None:
        self.healthy = healthy
        both = socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if both else socket.AF_INET
        super().__init__(("::" if both else "0.0.0.0", port), _ProbeHandler)  # noqa: S104 - the kubelet asks from outside
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_bind(self) -> None:
        """Takes IPv4, too, where the socket is one of IPv6."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class _ProbeHandler(BaseHTTPRequestHandler):
    server: ProbeServer
    # Whoever sends nothing gets no thread for ever.
    timeout = 10

    def do_GET(self) -> None:
        """Prometheus' text, or whether the program works: 200, else 500."""
        if self.path == "/metrics":
            self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
        elif self.path == "/healthz":
            healthy = self.server.healthy()
            self._answer(*((200, b"ok") if healthy else (500, b"what watches or what writes has ended")))
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
        """Nobody wants a line for every probe."""
