"""What Prometheus reads at /metrics."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection, Iterable

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from profile_contract.conditions import Reason
from profile_contract.photos import PhotoReason
from profile_contract.stages.table import Stage
from profile_contract.style_ref import StyleKind, StyleRef

_STAGE_BUCKETS = (1, 5, 10, 30, 60, 120, 300, 600, 1200, 3600, 7200, 14400)

RECONCILES = Counter("profile_reconciles_total", "Reconciliations by result.", ["result"])
RECONCILE_SECONDS = Histogram("profile_reconcile_seconds", "Duration of one reconciliation.")
API_WRITES = Counter("profile_api_writes_total", "Writes to the Kubernetes API by kind.", ["kind"])
STAGE_SECONDS = Histogram(
    "profile_stage_seconds", "Duration of a stage that ended well.", ["stage"], buckets=_STAGE_BUCKETS
)
STAGES = Counter("profile_stages_total", "Stages that ended, by outcome reason.", ["stage", "reason"])
GPU_SECONDS = Counter("profile_gpu_seconds_total", "GPU seconds used.", ["namespace"])
GENERATION_SECONDS = Histogram(
    "profile_generation_call_seconds", "Duration of one call to the predictor.", ["predictor"]
)
GENERATION_CALLS = Gauge("profile_generation_calls", "Calls to the predictor that are under way.", ["predictor"])
GENERATION_REQUESTS = Gauge(
    "profile_generation_requests",
    "Requests that want a predictor to draw, whether or not it answers.",
    ["predictor"],
)
GENERATION_WAITING = Gauge(
    "profile_generation_waiting_calls", "Calls to the predictor that wait for their turn.", ["predictor"]
)
CANDIDATES = Counter("profile_candidates_total", "Candidates drawn.", ["style"])
PHOTOS = Counter("profile_photos_total", "Photos that were looked at, by verdict.", ["reason"])
PORTRAITS = Counter("profile_portraits_total", "Portraits delivered.", ["style"])
LIKENESS = Histogram(
    "profile_likeness_percent",
    "Likeness of delivered portraits, per cent of the person's own ceiling.",
    ["style"],
    buckets=(10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110),
)
ERRORS = Counter("profile_errors_total", "Errors by reason.", ["reason"])
QUEUE_LENGTH = Gauge("profile_queue_length", "Requests that wait to be looked at.")
QUEUED = Gauge("profile_queued_requests", "ProfileRequests that wait for a GPU.", ["namespace"])
QUEUE_SECONDS = Histogram(
    "profile_queue_seconds",
    "How long a request waited for a GPU before it began.",
    buckets=(1, 10, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400),
)
WAITING_SECONDS = Gauge(
    "profile_waiting_seconds",
    "How long the request that waits longest has waited, by what for, as seen at resyncs.",
    ["reason"],
)
RETRIED = Gauge(
    "profile_retried_requests", "ProfileRequests of which a stage was tried in vain for an hour, at the last resync."
)
LEADS = Gauge("profile_operator_leads", "Whether this process is the one that works: 1, or 0.")
WASTE_OBJECTS = Gauge(
    "profile_waste_objects",
    "Objects that belong to nobody and that the last sweep has left, by why.",
    ["kind"],
)
WASTE_BYTES = Gauge(
    "profile_waste_bytes",
    "Bytes of what belongs to nobody and that the last sweep has left, by why.",
    ["kind"],
)
SWEPT_OBJECTS = Counter("profile_swept_objects_total", "Objects that the sweep deleted, by why.", ["kind"])
EVENTS = Counter("profile_events_total", "CloudEvents by what became of a try to send one.", ["result"])
EVENTS_WAITING = Gauge("profile_events_waiting", "CloudEvents that wait to be sent.")
REQUESTS = Gauge("profile_requests", "ProfileRequests by the stage they are in, at the last resync.", ["stage"])


# The platform's styles that were counted, and the namespaces: so many styles have series of their own.
MOST_STYLES = 100
OTHER_STYLES = "other"
_styles: set[str] = set()
_namespaces: set[str] = set()


def style_label(key: str) -> str:
    """What a style is counted as: a cluster's by its name, all namespaces' own together, of whose names there is no
    end; those that are one too many share a label too."""
    ref = StyleRef.of_key(key)
    label = ref.name if ref.kind is StyleKind.CLUSTER else ref.kind.value
    if label not in _styles and len(_styles) >= MOST_STYLES:
        return OTHER_STYLES
    _styles.add(label)
    return label


def expect(namespace: str, styles: Iterable[str]) -> None:
    """Begin counting at nought: what first appears with a value shows no increase in Prometheus. `styles`: keys of
    styles that exist."""
    _namespaces.add(namespace)
    GPU_SECONDS.labels(namespace=namespace)
    for style in map(style_label, styles):
        CANDIDATES.labels(style=style)
        PORTRAITS.labels(style=style)
        LIKENESS.labels(style=style)


def forget_namespaces(alive: Collection[str]) -> None:
    """End the series of namespaces in which no request is left."""
    for namespace in _namespaces - set(alive):
        _namespaces.discard(namespace)
        with contextlib.suppress(KeyError):
            GPU_SECONDS.remove(namespace)


for _stage in Stage:
    STAGE_SECONDS.labels(stage=_stage.value)
    STAGES.labels(stage=_stage.value, reason=Reason.SUCCEEDED.value)
for _reason in PhotoReason:
    PHOTOS.labels(reason=_reason.value)


def api_write(kind: str) -> None:
    """Count one write."""
    API_WRITES.labels(kind=kind).inc()


def serve(port: int) -> None:
    """Answer /metrics on a port of every address, IPv4 and IPv6, in a thread of its own."""
    start_http_server(port, addr="::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104 - asked from outside
