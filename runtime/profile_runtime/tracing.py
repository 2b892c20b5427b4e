"""Traces: spans that are over, sent to an OpenTelemetry collector where the environment names one.

The environment is OpenTelemetry's own: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _CERTIFICATE and so on. Who is traced
knows its spans' times and places once they are over, so nothing is kept open and nothing hangs on a thread's context.
"""

from __future__ import annotations

import logging
import os
import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from profile_contract.trace import Span, SpanPlace

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
LAST_SECONDS = 5.0
# Of a collector that is away it would write a traceback every few seconds; one line a time says as much.
logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").setLevel(logging.ERROR)


class Traces:
    """Sends spans in batches, from a thread of its own. What a collector does not take is lost, and nothing waits."""

    def __init__(self, service: str) -> None:
        """`service`: who tells, such as profile-operator."""
        self._resource = Resource.create({"service.name": service})
        self._sender = BatchSpanProcessor(OTLPSpanExporter()) if any(map(os.environ.get, ENDPOINTS)) else None

    @property
    def wanted(self) -> bool:
        """Whether a collector is named."""
        return self._sender is not None

    def tell(self, *spans: Span) -> None:
        """Have these sent. Returns at once."""
        if self._sender is None:
            return
        for span in spans:
            self._sender.on_end(_readable(span, self._resource))

    def close(self) -> None:
        """Send what waits, for as long as a process that is asked to end may take for it."""
        if self._sender is None:
            return
        # Its own limit is one for each batch that a collector which is away does not take.
        parting = threading.Thread(target=self._sender.shutdown, name="traces", daemon=True)
        parting.start()
        parting.join(LAST_SECONDS)


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=_context(span.place),
        parent=_context(span.parent) if span.parent is not None else None,
        resource=resource,
        attributes=dict(span.attributes),
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.OK),
        start_time=_nanoseconds(span.start),
        end_time=_nanoseconds(max(span.start, span.end)),
    )


def _context(place: SpanPlace) -> SpanContext:
    return SpanContext(place.trace, place.span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
