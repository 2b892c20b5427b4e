"""Argo CD's health check, run by a Lua interpreter on statuses that the operator writes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa import lua51

from operator_world import CONFIG, World, change, fail
from profile_contract.conditions import Reason
from profile_contract.stages.table import Stage
from profile_contract.style_status import StyleStatus
from profile_operator.config import AdmissionConfig, FinishConfig
from profile_operator.decide.style_status import StyleUse, style_status
from profile_operator.decide.turns import Turn
from profile_operator.observe.snapshot import Cause

ARGOCD = Path(__file__).resolve().parents[2] / "examples" / "argocd"
CHECK = (ARGOCD / "profilerequest.lua").read_text()
STYLE_CHECK = (ARGOCD / "profilestyle.lua").read_text()


def health(document: dict[str, Any], check: str = CHECK) -> tuple[str, str]:
    """Status and message, by Lua 5.1 as Argo CD's interpreter has it."""
    # Without Python's objects in reach: the program sees plain tables, as Argo CD's does.
    runtime = lua51.LuaRuntime(register_eval=False, register_builtins=False, unpack_returned_tuples=True)
    run = runtime.eval("function(text, obj) return loadstring('local obj = ...\\n' .. text)(obj) end")
    found = run(check, runtime.table_from(document, recursive=True))
    return found["status"], found["message"]


def document(world: World, **metadata: Any) -> dict[str, Any]:
    status = json.loads(world.status.to_json())
    return {"metadata": {"generation": world.status.observed_generation, **metadata}, "status": status}


def test_a_new_request_is_waited_for() -> None:
    assert health({"metadata": {"generation": 1}})[0] == "Progressing"


def test_a_request_on_its_way_tells_its_stage() -> None:
    world = World(seen_running=True)
    world.run(until=lambda w: any("-train-" in name and job.running for name, job in w.jobs.items()))
    status, message = health(document(world))
    assert status == "Progressing"
    assert "training" in message


def test_a_finished_request_is_healthy() -> None:
    world = World().run()
    assert health(document(world))[0] == "Healthy"
    assert health(document(world, deletionTimestamp="2026-01-01T00:00:00Z"))[0] == "Progressing"


def test_a_changed_request_is_not_healthy_by_its_past() -> None:
    world = World().run()
    assert health(document(world, generation=99))[0] == "Progressing"


def test_a_stalled_request_is_degraded_and_says_why() -> None:
    world = World()
    world.run(until=lambda w: any("-train-" in name for name in w.jobs))
    fail(world, Stage.TRAIN, Cause(Reason.OUT_OF_MEMORY, "too small"))
    status, message = health(document(world))
    assert status == "Degraded"
    assert message.startswith("OutOfMemory: ")


def test_a_suspended_request_is_suspended() -> None:
    world = World()
    world.cycle()
    change(world, suspend=True)
    world.cycle()
    world.cycle()
    assert health(document(world))[0] == "Suspended"


def test_a_request_that_waits_for_a_gpu_is_on_its_way() -> None:
    world = World(config=CONFIG.model_copy(update={"admission": AdmissionConfig(trainings=1)}))
    world.turn = Turn(place=3, waiting=7)
    world.run(until=lambda w: w.condition("Ready")[1] == Reason.QUEUED)
    status, message = health(document(world))
    assert (status, message) == ("Progressing", "train: third of 7 that wait for a GPU")


def test_a_ready_request_stays_healthy_where_the_platform_changed() -> None:
    world = World().run()
    before = health(document(world))
    world.config = world.config.model_copy(update={"finish": FinishConfig(visible_mark=True)})
    world.cycle()
    assert world.condition("Outdated")[0] == "True"
    assert health(document(world)) == before


def a_style(use: StyleUse, **metadata: Any) -> dict[str, Any]:
    status = style_status(StyleStatus(), 3, use, "ns/release", datetime(2026, 1, 1, tzinfo=UTC)).document()
    return {"metadata": {"generation": 3, **metadata}, "spec": {"title": {"en": "Warm"}}, "status": status}


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (a_style(StyleUse("warm", "serving", pods=2)), ("Healthy", "Warm")),
        (a_style(StyleUse("warm", "serving", elsewhere=True)), ("Healthy", "Warm")),
        (
            a_style(StyleUse("warm", "serving", pods=0)),
            ("Progressing", "PredictorNotReady: the InferenceService warm of spec.predictor has no pod that answers"),
        ),
        (
            a_style(StyleUse("warm", "serving")),
            ("Degraded", "PredictorNotFound: the InferenceService warm of spec.predictor does not exist in serving"),
        ),
        (a_style(StyleUse("warm", "serving"), generation=4), ("Healthy", "Warm")),
    ],
)
def test_a_style_is_as_healthy_as_its_predictor(style: dict[str, Any], expected: tuple[str, str]) -> None:
    assert health(style, STYLE_CHECK) == expected


def test_the_config_map_holds_the_same_programs() -> None:
    data = yaml.safe_load((ARGOCD / "argocd-cm.yaml").read_text())["data"]
    programs = {
        "ProfileRequest": "profilerequest",
        "ProfileStyle": "profilestyle",
        "ClusterProfileStyle": "profilestyle",
    }
    for kind, file in programs.items():
        program = (ARGOCD / f"{file}.lua").read_text()
        assert data[f"resource.customizations.health.profilestudio.io_{kind}"] == program


@pytest.mark.parametrize("file", sorted((ARGOCD.parents[1] / "charts/profile-studio/files/styles").glob("*.yaml")))
def test_a_style_that_nobody_looked_at_is_healthy(file: Path) -> None:
    status, message = health({"metadata": {"generation": 1}, **yaml.safe_load(file.read_text())}, STYLE_CHECK)
    assert (status, bool(message)) == ("Healthy", True)
