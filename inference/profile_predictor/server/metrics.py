"""Prometheus metrics, on a port of their own: who may read them may not draw."""

from __future__ import annotations

import socket
from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram, Info, start_http_server

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)

ORDERS = Counter("profile_predictor_orders_total", "Orders by outcome.", ["outcome"])
IMAGES = Counter("profile_predictor_images_total", "Candidates drawn.")
ADAPTERS = Counter("profile_predictor_adapter_uses_total", "Orders by the tier that held their adapter.", ["tier"])
EVICTIONS = Counter("profile_predictor_evictions_total", "Copies of adapters that were forgotten on demand.")
BATCH_ROWS = Histogram("profile_predictor_batch_rows", "Candidates drawn together.", buckets=(1, 2, 3, 4, 6, 8, 12, 16))
IMAGE_SECONDS = Histogram("profile_predictor_image_seconds", "Drawing time of a candidate.", buckets=_SECONDS)
WAIT_SECONDS = Histogram("profile_predictor_wait_seconds", "Time in the queue.", buckets=_SECONDS)
ADAPTER_SECONDS = Histogram("profile_predictor_adapter_seconds", "Time to fetch and check inputs.", buckets=_SECONDS)
QUEUE = Gauge("profile_predictor_queue_orders", "Orders being fetched, waiting or drawn.")
MODEL = Info("profile_predictor_model", "What is served.")

# Begin counting at nought: what first appears with a value shows no increase in Prometheus.
for _tier in ("slot", "host", "store", "none"):
    ADAPTERS.labels(tier=_tier)
ORDERS.labels("done")


def drew(rows: int, seconds: float) -> None:
    """A batch of so many rows was drawn."""
    IMAGES.inc(rows)
    BATCH_ROWS.observe(rows)
    for _ in range(rows):
        IMAGE_SECONDS.observe(seconds / rows)


def watch_queue(length: Callable[[], int]) -> None:
    """Have the queue's length read whenever metrics are."""
    QUEUE.set_function(lambda: float(length()))


def serve(port: int) -> None:
    """Answer /metrics on a port, in a thread of its own, on all addresses. Raises OSError if it is taken."""
    start_http_server(port, addr="::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104
