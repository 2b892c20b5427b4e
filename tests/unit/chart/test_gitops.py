"""Argo CD's health check, run by a Lua interpreter on statuses that the operator writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa import lua51

from operator_world import World, change, fail
from profile_contract.conditions import Reason
from profile_contract.stages.table import Stage
from profile_operator.observe.snapshot import Cause

ARGOCD = Path(__file__).resolve().parents[3] / "examples" / "argocd"
CHECK = (ARGOCD / "profilerequest.lua").read_text()


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
def test_a_style_is_healthy(file: Path) -> None:
    status, message = health(yaml.safe_load(file.read_text()), (ARGOCD / "profilestyle.lua").read_text())
    assert (status, bool(message)) == ("Healthy", True)
