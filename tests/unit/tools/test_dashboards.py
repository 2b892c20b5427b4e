"""Dashboards: the chart holds what the code makes, and they ask for metrics that are there."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chart import CHART, of_kind
from profile_dashboards.__main__ import texts

FOLDER = CHART / "files" / "dashboards"
NAME = re.compile(r"\bprofile_[a-z0-9_]+")
SAMPLES = ("_total", "_bucket", "_sum", "_count", "_info", "")


def queries(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_the_chart_holds_what_the_code_makes() -> None:
    assert {file.name: file.read_text() for file in FOLDER.glob("*.json")} == texts(), "run `make dashboards`"


@pytest.mark.parametrize("name", texts())
def test_every_metric_is_exported_by_a_program(name: str) -> None:
    for module in (
        "profile_operator.metrics",
        "profile_history.metrics",
        "profile_predictor.server.metrics",
        "profile_web.metrics",
    ):
        importlib.import_module(module)
    exported = {family.name + ending for family in REGISTRY.collect() for ending in SAMPLES}
    named = {found for query in queries(json.loads(texts()[name])) for found in NAME.findall(query)}
    assert named
    assert named <= exported


@pytest.mark.parametrize("name", texts())
def test_whoever_looks_chooses_the_data_source(name: str) -> None:
    board = json.loads(texts()[name])
    assert [variable["type"] for variable in board["templating"]["list"]] == ["datasource"]
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}
    assert all(panel["title"] for panel in board["panels"])


def test_grafanas_sidecar_finds_them_by_label() -> None:
    maps = {name: found for name, found in of_kind("ConfigMap").items() if "-dashboard-" in name}
    assert len(maps) == len(texts())
    for found in maps.values():
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        ((file, text),) = found["data"].items()
        assert json.loads(text) == json.loads(texts()[file.removeprefix("profile-studio-")])
    assert not [name for name in of_kind("ConfigMap", "--set", "metrics.dashboards.enabled=false") if "board" in name]
