"""The metrics at /metrics."""

from __future__ import annotations

from prometheus_client import Gauge

HISTORY_PENDING = Gauge("profile_history_pending", "Requests whose history is not yet in the database.")
