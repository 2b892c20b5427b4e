"""Stages that end are counted once, well or not, with the reason."""

import pytest
from prometheus_client import REGISTRY

from operator_world import World, fail
from profile_contract.conditions import Reason
from profile_contract.stages.table import Stage
from profile_contract.style_ref import StyleKind, StyleRef
from profile_operator import metrics
from profile_operator.observe.snapshot import Cause
from profile_operator.stage_metrics import newly_stalled


def test_a_failed_stage_is_told_once_with_its_reason() -> None:
    world = World()
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    before = world.status
    fail(world, Stage.TRAIN, Cause(Reason.OUT_OF_MEMORY, "too small"))
    assert newly_stalled(before, world.status) == (Stage.TRAIN, Reason.OUT_OF_MEMORY)
    failed = world.status
    world.cycle()
    assert newly_stalled(failed, world.status) is None


def test_a_request_that_goes_well_stalls_nowhere() -> None:
    world = World()
    before = world.status
    world.run()
    assert newly_stalled(before, world.status) is None


def test_a_request_without_photos_blames_no_later_stage() -> None:
    world = World(photos=[])
    before = world.status
    world.cycle()
    world.cycle()
    told = newly_stalled(before, world.status)
    assert told is None or told == (Stage.PREPROCESS, Reason.NO_PHOTOS)


def test_a_namespace_without_requests_keeps_no_series() -> None:
    for namespace in ("series-hr", "series-lab"):
        metrics.expect(namespace, [])
    metrics.forget_namespaces(["series-hr"])
    series = {name: REGISTRY.get_sample_value("profile_gpu_seconds_total", {"namespace": name}) for name in (
        "series-hr", "series-lab",
    )}  # fmt: skip
    assert series == {"series-hr": 0.0, "series-lab": None}


def test_styles_that_people_name_make_no_series_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_styles", set())
    own = {metrics.style_label(StyleRef(name=f"ours-{number}", kind=StyleKind.OWN).key) for number in range(300)}
    assert own == {"ProfileStyle"}
    labels = {metrics.style_label(f"style-{number}") for number in range(300)}
    assert len(labels | own) == metrics.MOST_STYLES + 1
    assert metrics.style_label("style-3") == "style-3"
