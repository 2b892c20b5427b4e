"""Dashboards against the real Prometheus: after a request every panel's every query has data.

Grafana's server cannot be had from package registries; each panel's data is drawn once with matplotlib instead, into
out/dashboards/, to be looked at.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import matplotlib as mpl
import pytest

mpl.use("Agg")

from matplotlib import pyplot as plt

from product import Product, named_styles, pictures_in, wait_for
from profile_dashboards.__main__ import texts
from profile_sandbox import Sandbox

pytestmark = pytest.mark.e2e

OUT = Path(__file__).resolve().parents[2] / "out" / "dashboards"
# Six scrapes of the sandbox's Prometheus, as Grafana would choose four.
RATE, RANGE, STEP = "1m", "30m", 10
MINUTES = 6
COLUMNS = 3
# No stage here asks for a GPU, so nobody waited for one: of these panels there is but the count, nought.
NOBODY_WAITED = {"How long they waited": "profile_queue_seconds_count"}


@dataclass(frozen=True)
class Prometheus:
    """Its HTTP interface."""

    address: str

    def over_time(self, query: str, begin: float) -> dict[str, list[tuple[float, float]]]:
        """Series -> points (Unix time, value) since `begin`; figures that are none are left out."""
        query = query.replace("$__rate_interval", RATE).replace("$__range", RANGE)
        asked: dict[str, str | float] = {"query": query, "start": begin, "end": time.time(), "step": STEP}
        answer = httpx2.get(f"http://{self.address}/api/v1/query_range", params=asked, timeout=20).json()
        assert answer["status"] == "success", answer
        found = {}
        for series in answer["data"]["result"]:
            points = [(float(at), float(value)) for at, value in series["values"]]
            labels = {name: value for name, value in series["metric"].items() if name != "__name__"}
            found[json.dumps(labels)] = [point for point in points if math.isfinite(point[1])]
        return {labels: points for labels, points in found.items() if points}


@pytest.fixture(scope="module")
def measured(sandbox: Sandbox, product: Product, people: Path) -> Iterator[Prometheus]:
    """Prometheus, some scrapes after a request went through all stages."""
    with product.space() as space:
        space.upload(pictures_in(people / "p900055"))
        request = space.request(styles=named_styles("studio-warm", "studio-cool"))
        request.wait("Ready", seconds=420)
        prometheus = Prometheus(sandbox.address("prometheus"))
        finished = 'profile_stages_total{stage="finish",reason="Succeeded"} > 0'
        wait_for(lambda: prometheus.over_time(finished, time.time() - 60), 60, "Prometheus has seen it")
        time.sleep(2.5 * STEP)
        yield prometheus


@pytest.mark.parametrize("name", texts())
def test_every_query_of_every_panel_has_data(measured: Prometheus, name: str) -> None:
    board, begin = json.loads(texts()[name]), time.time() - 60 * MINUTES
    data = {
        panel["title"]: {
            target["legendFormat"]: measured.over_time(target["expr"], begin) for target in panel["targets"]
        }
        for panel in board["panels"]
    }
    _draw(name, board, data)
    empty = {title for title, targets in data.items() for found in targets.values() if not found}
    assert empty - NOBODY_WAITED.keys() == set()
    for title in empty:
        assert measured.over_time(NOBODY_WAITED[title], begin), title


def _draw(name: str, board: dict[str, Any], data: dict[str, Any]) -> None:
    rows = math.ceil(len(data) / COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(6 * COLUMNS, 3 * rows), squeeze=False)
    for axis, (title, targets) in zip(axes.flat, data.items(), strict=False):
        axis.set_title(title, fontsize=9)
        for legend, series in targets.items():
            for labels, points in series.items():
                times = [datetime.fromtimestamp(at, UTC) for at, _ in points]
                axis.plot(times, [value for _, value in points], label=f"{legend} {labels}"[:60])
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=6)
        axis.legend(fontsize=5)
    figure.suptitle(board["title"])
    figure.tight_layout()
    OUT.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUT / f"{Path(name).stem}.png", dpi=80)
    plt.close(figure)
