"""The demo's decisions: what it asks for, where it runs, what a status tells."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from chart import CHART, config_of, the
from profile_cli.__main__ import parser
from profile_cli.demo.command import PRESETS, _show_page, _tell, may_open
from profile_cli.demo.request import NAME, NAMESPACE, demo_photos, demo_spec
from profile_cli.demo.target import Target, chosen_kubeconfig, own_target, sandbox_values
from profile_cli.errors import CommandError
from profile_cli.observed import ObservedRequest
from profile_cli.results import Results
from profile_cli.terminal import Terminal
from profile_cli.watch import finished_stages, read, seconds_between
from profile_contract.manifest import manifest
from profile_contract.request import ProfileRequestSpec, Training
from profile_contract.request_status import Condition, ProfileRequestStatus, Progress, StageStatus
from profile_contract.stages.finish import FinishReport
from profile_contract.stages.preprocess import PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainReport
from profile_web.config import WebConfig

AT = "2026-01-01T10:00:00Z"


def _condition(kind: str, status: str, reason: str, message: str = "") -> Condition:
    return Condition.model_validate(
        {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": AT}
    )


def _view(generation: int = 1, **status: object) -> ObservedRequest:
    return ObservedRequest(generation, deleting=False, status=ProfileRequestStatus.model_validate(status))


def test_the_manifest_is_the_request_without_its_defaults() -> None:
    document = manifest(demo_spec(), NAMESPACE, NAME)
    assert document["metadata"] == {"name": "minji", "namespace": "demo"}
    assert document["spec"]["minimumLikeness"] == 0
    assert "suspend" not in document["spec"]
    assert ProfileRequestSpec.model_validate(document["spec"]) == demo_spec()


@pytest.mark.parametrize(("toy", "said"), [("studio-mini", True), (None, False)])
def test_the_demo_says_of_its_portraits_that_a_toy_drew_them(tmp_path: Path, toy: str | None, said: bool) -> None:
    reports = (PreprocessReport(digest="a"), TrainReport(digest="b"), (), FinishReport(digest="c"))
    shown = io.StringIO()
    target = Target(tmp_path / "kubeconfig", "helm", {}, "s3://b", {}, "")
    _tell(target, Results(*reports), _view(toyModel=toy), tmp_path, Terminal(Console(file=shown, width=200)))
    assert ("studio-mini is a small demonstration model" in shown.getvalue()) == said


def test_the_person_has_enough_photos() -> None:
    assert len(demo_photos()) >= 8


def _page(folder: Path, training: dict[str, int] | None, *presets: str) -> tuple[WebConfig, dict[str, Any]]:
    """What the page and the operator read in a sandbox with these presets of the chart."""
    values = folder / "values.yaml"
    values.write_text(yaml.safe_dump(sandbox_values("127.0.0.1:9000", training)))
    files = [*(str(CHART / preset) for preset in presets), str(values)]
    arguments = tuple(argument for file in files for argument in ("--values", file))
    config = the("ConfigMap", "profile-studio-web", *arguments)["data"]["config.yaml"]
    return WebConfig.model_validate(yaml.safe_load(config)), config_of(*arguments)["training"]


def test_a_visitor_of_the_demo_is_trained_as_its_preset_says(tmp_path: Path) -> None:
    page, training = _page(tmp_path, None, *PRESETS)
    assert page.defaults.training is None
    assert training["baseModel"] == "studio-mini"
    recipe = yaml.safe_load((CHART / "recipes" / "studio-mini.yaml").read_text())["training"]
    assert (training["steps"], training["rank"]) == (recipe["steps"], recipe["rank"])


def test_only_tests_with_the_random_model_say_less(tmp_path: Path) -> None:
    page, training = _page(tmp_path, {"steps": 4, "rank": 4}, "values-cpu.yaml")
    assert page.defaults.training == Training(steps=4, rank=4)
    assert training["baseModel"] == "studio-random"


def test_the_sandbox_is_meant_unless_another_cluster_is_named(tmp_path: Path) -> None:
    mine = tmp_path / "config"
    assert chosen_kubeconfig(None, tmp_path, {}) is None
    assert chosen_kubeconfig(None, tmp_path, {"KUBECONFIG": str(tmp_path / "kubeconfig")}) is None
    assert chosen_kubeconfig(None, tmp_path, {"KUBECONFIG": str(mine)}) == mine
    assert chosen_kubeconfig(mine, tmp_path, {"KUBECONFIG": str(tmp_path / "kubeconfig")}) == mine


def test_an_own_cluster_needs_values_and_a_store(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    with pytest.raises(CommandError, match="does not exist"):
        own_target(kubeconfig, None, "")
    kubeconfig.touch()
    with pytest.raises(CommandError, match="--values FILE"):
        own_target(kubeconfig, None, "s3://b")
    values = tmp_path / "values.yaml"
    values.write_text("store: {bucket: b}")
    assert own_target(kubeconfig, values, "s3://b").values == {"store": {"bucket": "b"}}


def _last_words(page: str, logs: str) -> list[str]:
    out = io.StringIO()
    target = Target(Path("kubeconfig"), "helm", {}, "s3://b", {}, logs, page=page)
    _show_page(target, Terminal(Console(file=out, width=200)))
    return [line.strip() for line in out.getvalue().splitlines() if line.strip()]


def test_the_demo_ends_with_the_pages_address_and_how_it_is_stopped() -> None:
    address, _, stop = _last_words("http://127.0.0.1:8080/", "logs: here")
    assert address == "The page:  http://127.0.0.1:8080/"
    assert "`make clean`" in stop
    # A cluster of the user's own is theirs to stop.
    assert _last_words("", "") == []


def test_a_browser_opens_only_where_a_person_sits_before_a_screen() -> None:
    assert may_open({"DISPLAY": ":0"}, person=True)
    assert may_open({"WAYLAND_DISPLAY": "wayland-0"}, person=True)
    assert not may_open({"DISPLAY": ":0"}, person=False)
    assert not may_open({"DISPLAY": ""}, person=True)


def test_a_status_of_an_older_generation_says_nothing() -> None:
    ready = [_condition("Ready", "True", "Succeeded")]
    assert not read(_view(2, observed_generation=1, conditions=ready)).ready
    assert read(_view(2, observed_generation=2, conditions=ready)).ready


def test_progress_and_what_hinders_are_shown() -> None:
    running = _view(observed_generation=1, stage_text="Training", progress=Progress(stage=Stage.TRAIN, percent=42))
    assert (read(running).text, read(running).percent) == ("Training", 42)
    waiting = [_condition("Ready", "False", "PredictorUnavailable", "the predictor does not answer")]
    assert "does not answer" in read(_view(observed_generation=1, stage_text="Generating", conditions=waiting)).text


def test_a_stalled_or_deleted_request_has_failed() -> None:
    stalled = [_condition("Stalled", "True", "NoPhotos", "upload some")]
    assert read(_view(observed_generation=1, conditions=stalled)).failed == "NoPhotos: upload some"
    assert read(None).failed


def test_stages_that_ended_and_how_long_they_took() -> None:
    ended = StageStatus(digest="d", start_time=AT, completion_time="2026-01-01T10:01:30Z")
    view = _view(stages={"preprocess": ended, "train": StageStatus(digest="e", start_time=AT)})
    assert list(finished_stages(view)) == [Stage.PREPROCESS]
    assert seconds_between(ended) == 90
    assert seconds_between(StageStatus(digest="d", completion_time=AT)) is None


def test_both_commands_are_there() -> None:
    arguments = parser().parse_args(["run", "photos", "--out", "o", "--style", "a", "--style", "b"])
    assert arguments.styles == ["a", "b"]
    assert parser().parse_args(["demo", "--fresh"]).fresh
