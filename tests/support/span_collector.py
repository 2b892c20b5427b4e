"""A collector of spans: a real HTTP server that reads OpenTelemetry's protocol by its own messages."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from profile_contract.trace import SpanPlace


@dataclass(frozen=True)
class Collected:
    """A span as it came. `seconds`: how long it took; `parent` None: it is its trace's first."""

    service: str
    name: str
    place: SpanPlace
    parent: SpanPlace | None
    start: float
    seconds: float
    attributes: dict[str, str | int]
    error: str


@dataclass
class Collector:
    """What came, and with which headers."""

    url: str = ""
    spans: list[Collected] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            (service,) = (a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            self.spans += [_read(service, span) for scope in resource.scope_spans for span in scope.spans]


def _read(service: str, span: Any) -> Collected:
    trace = int.from_bytes(span.trace_id, "big")
    return Collected(
        service=service,
        name=span.name,
        place=SpanPlace(trace, int.from_bytes(span.span_id, "big")),
        parent=SpanPlace(trace, int.from_bytes(span.parent_span_id, "big")) if span.parent_span_id else None,
        start=span.start_time_unix_nano / 1e9,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        attributes={a.key: a.value.string_value or a.value.int_value for a in span.attributes},
        error=span.status.message if span.status.code == span.status.STATUS_CODE_ERROR else "",
    )


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens."""
    collector = Collector()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found = self.path == "/v1/traces"
            if found:
                collector.headers.append(dict(self.headers))
                collector.take(body)
            self.send_response(200 if found else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
