"""What Prometheus reads, on a port of its own."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, start_http_server

PORT = 9090

ANSWERS = Counter("profile_web_answers_total", "Answers by route and status class.", ["route", "status"])
STREAMS = Gauge("profile_web_streams", "Pages that follow a request now.")
UPLOADS = Counter("profile_web_upload_grants_total", "Photos that visitors were allowed to send.")


def serve(port: int = PORT) -> None:
    """Answer /metrics in a thread of its own, by IPv6 and IPv4 where the pod has both."""
    try:
        start_http_server(port, addr="::")
    except OSError:
        start_http_server(port, addr="0.0.0.0")  # noqa: S104 - a container's own
