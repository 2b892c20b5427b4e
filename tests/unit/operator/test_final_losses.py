"""What a finished request loses, in the store or the cluster, begins no work, and its record is written and read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fake_kubernetes import CLUSTER_STYLES as STYLES_PATH
from finished_world import finished, nothing_ran, settings_of
from operator_world import AREA, SPEC, World, change, fail, photo, ready, stages_of, stalled
from profile_contract.artifacts import resolved_key
from profile_contract.conditions import Reason
from profile_contract.request import DeletionPolicy, Photos
from profile_contract.request_status import ProfileRequestStatus
from profile_contract.stages.table import Stage
from profile_operator.clients import record_memory
from profile_operator.workqueue import ExpectedError
from profile_runtime.store.port import StoreError
from real_operator import RealOperator

PREPROCESS, TRAIN, GENERATE, FINISH = STAGES = tuple(Stage)


@pytest.mark.parametrize("stages", [[PREPROCESS], [TRAIN], [PREPROCESS, TRAIN], list(Stage)])
def test_reports_of_a_finished_request_may_go(stages: list[Stage]) -> None:
    world = finished()
    for stage in stages:
        world.store.pop(world.chain.prefix(stage), None)
    world.photos, world.jobs = [], {}
    for _ in range(3):
        world.cycle()
    assert nothing_ran(world)
    assert ready(world)
    assert world.writes == []


@pytest.mark.parametrize("stages", [[], [PREPROCESS], [TRAIN], [PREPROCESS, TRAIN]])
def test_a_lost_status_is_rebuilt_from_the_record(stages: list[Stage]) -> None:
    world = finished()
    for stage in stages:
        del world.store[world.chain.prefix(stage)]
    resolved, portraits = world.status.resolved, world.status.portraits
    world.status, world.jobs, world.photos = ProfileRequestStatus(), {}, []
    world.config, world.styles = settings_of(), {}
    world.cycle()
    assert nothing_ran(world)
    assert ready(world)
    assert (world.status.resolved, world.status.portraits) == (resolved, portraits)
    assert world.condition("Outdated")[0] == "True"


def test_a_record_that_is_lost_or_that_nobody_understands_leaves_what_is_ready() -> None:
    world = finished()
    world.recorded, world.config = None, settings_of()
    world.photos.clear()
    for _ in range(3):
        world.cycle()
    assert nothing_ran(world)
    assert ready(world)


def test_a_request_that_was_ready_before_there_were_records_is_recorded() -> None:
    world = finished()
    world.recorded, world.status = None, world.status.model_copy(update={"resolved": None})
    world.cycle()
    assert world.snapshot().recorded is not None
    assert nothing_ran(world)
    assert ready(world)
    world.config = settings_of()
    world.cycle()
    assert nothing_ran(world)
    assert world.condition("Outdated")[0] == "True"


def test_uploads_that_are_gone_do_not_take_a_retry_of_what_was_made_of_them() -> None:
    world = World()
    fail(world, FINISH, None)
    world.photos, world.retry = [], "1"
    assert ready(world.run())
    assert "the photos are no longer under uploads/minji/" in world.condition("Outdated")[2]
    change(world, photos=Photos(prefix="uploads/minji/", revision=2))
    world.cycle()
    stalled(world, Reason.NO_PHOTOS)


def test_a_request_that_comes_again_with_other_photos_is_made_of_them() -> None:
    world = World(spec=SPEC.model_copy(update={"deletion_policy": DeletionPolicy.RETAIN})).run()
    world.recreate()
    world.photos = [photo(f"other-{number}.jpg") for number in range(6)]
    assert ready(world.run())
    assert stages_of(world) == ["preprocess", "train", "finish"]


def record(operator: RealOperator) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(operator.store.objects[resolved_key(AREA, "minji")])
    return value


async def test_the_record_is_written_before_the_first_job(operator: RealOperator) -> None:
    write, away = operator.store.write, [True]

    def failing(key: str, data: bytes, content_type: str = "") -> None:
        if key.endswith("resolved.json") and away.pop():
            raise StoreError("the store is away")
        write(key, data, content_type)

    operator.store.write = failing  # type: ignore[method-assign]
    with pytest.raises(ExpectedError):
        await operator.cycle()
    assert operator.jobs == {}
    away.append(False)
    await operator.cycle()
    assert len(operator.jobs) == 1
    assert record(operator)["train"]["parameters"]["rank"] == 32
    assert operator.status.resolved is not None
    assert operator.status.resolved.generation == 1


async def test_a_finished_request_reads_the_record_alone_and_writes_nothing(
    operator: RealOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator.ready()
    before, writes = operator.document["status"], len(operator.server.writes())
    keys: list[str] = []
    read = operator.store.read

    def counting(key: str, most: int | None = None) -> bytes:
        keys.append(key)
        return read(key, most)

    operator.store.read = counting  # type: ignore[method-assign]
    await operator.cycle()
    assert keys == [], "it was read a moment ago"
    monkeypatch.setattr(record_memory, "SECONDS", 0.0)
    for _ in range(2):
        await operator.cycle()
    assert keys == [resolved_key(AREA, "minji")] * 2
    assert (operator.document["status"], len(operator.server.writes())) == (before, writes)


async def test_a_style_that_is_edited_or_deleted_is_told_of_a_finished_request(operator: RealOperator) -> None:
    await operator.ready()
    jobs = set(operator.jobs)
    operator.server.named(STYLES_PATH)["warm"]["spec"]["prompt"] = "{subject}, other"
    await operator.cycle()
    assert "the content of the style warm changed" in operator.condition("Outdated")[2]
    for name in ("warm", "plain"):
        del operator.server.objects[f"{STYLES_PATH}/{name}"]
    await operator.cycle()
    assert "the style warm is gone" in operator.condition("Outdated")[2]
    assert operator.condition("Ready")[0] == "True"
    assert set(operator.jobs) == jobs
