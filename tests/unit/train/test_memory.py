"""Memory: which plan a training begins with, by the card, and how it falls to the next without losing a sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.order import RequestRef
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainParameters
from profile_runtime.progress import Silent, StageProgress
from profile_runtime.store.folder import FolderStore
from profile_train import loop, machine
from profile_train.cache import CachedExample
from profile_train.checkpoints import WEIGHTS, Checkpoints
from profile_train.judge import Judgement
from profile_train.loop import Fallback, Trained
from profile_train.memory import (
    GIB,
    FreeMemory,
    Ladder,
    MemoryPlan,
    NetworkSizes,
    Precision,
    needed,
    plans_of,
    precisions_of,
)
from profile_train.settings import settings_of
from tiny_base import Call, TinyBase, example, tiny_base

PARAMETERS = TrainParameters(
    base_model="tiny", rank=1, steps=4, batch=4, resolution=1024, learning_rate=0.1, checkpoint_steps=4
)
# SDXL 1.0, its ControlNet, and an adapter of rank 32 in its attention.
SDXL = NetworkSizes(unet=2_567_463_684, control=1_251_014_160, adapter=46_448_640)
HALF, QUARTER, FULL = Precision.BFLOAT16, Precision.FLOAT8, Precision.FLOAT32
GPU = precisions_of(mixed=True, accelerated=True)


def first(gigabytes: float, *, accelerated: bool = True, **changed: object) -> MemoryPlan:
    """The plan of SDXL on a card of which 95 % are free."""
    settings = settings_of(PARAMETERS.model_copy(update=changed), 12)
    precisions = precisions_of(mixed=True, accelerated=accelerated)
    free = FreeMemory(round(0.95 * gigabytes * GIB), accelerated=accelerated)
    return Ladder(plans_of(settings, precisions), SDXL, free).plan


@pytest.mark.parametrize(
    ("gigabytes", "plan"),
    [
        (8, MemoryPlan(2, checkpointing=True, precision=QUARTER, resolution=1024)),
        (10, MemoryPlan(4, checkpointing=True, precision=QUARTER, resolution=1024)),
        (12, MemoryPlan(2, checkpointing=True, precision=HALF, resolution=1024)),
        (16, MemoryPlan(4, checkpointing=True, precision=HALF, resolution=1024)),
        (24, MemoryPlan(1, checkpointing=False, precision=HALF, resolution=1024)),
        (40, MemoryPlan(2, checkpointing=False, precision=HALF, resolution=1024)),
        (48, MemoryPlan(4, checkpointing=False, precision=HALF, resolution=1024)),
        (80, MemoryPlan(4, checkpointing=False, precision=HALF, resolution=1024)),
        (141, MemoryPlan(4, checkpointing=False, precision=HALF, resolution=1024)),
    ],
)
def test_sdxl_is_planned_by_the_card(gigabytes: float, plan: MemoryPlan) -> None:
    assert first(gigabytes) == plan


def test_the_smallest_plan_is_tried_where_none_fits() -> None:
    assert first(4) == MemoryPlan(1, checkpointing=True, precision=QUARTER, resolution=576)


def test_a_cpu_calculates_in_float32_as_long_as_it_can() -> None:
    assert first(64, accelerated=False).precision is FULL
    assert first(18, accelerated=False) == MemoryPlan(4, checkpointing=True, precision=HALF, resolution=1024)
    assert precisions_of(mixed=False, accelerated=True) == [FULL]


def test_who_asks_for_checkpointing_has_it_however_large_the_card() -> None:
    assert first(141, gradient_checkpointing=True) == MemoryPlan(4, checkpointing=True, precision=HALF, resolution=1024)


def test_of_one_way_every_plan_needs_less_than_the_one_before() -> None:
    plans = plans_of(settings_of(PARAMETERS.model_copy(update={"batch": 6}), 12), GPU)
    assert [plan.rows for plan in plans] == [6, 3, 1] * 3 + [1, 1]
    for way in (False, True):
        for precision in (HALF, QUARTER):
            alike = [plan for plan in plans if plan.checkpointing is way and plan.precision is precision]
            needs = [needed(plan, SDXL, accelerated=True) for plan in alike]
            assert needs == sorted(needs, reverse=True)
    assert len(set(plans)) == len(plans)


@pytest.mark.parametrize("sizes", [NetworkSizes(), NetworkSizes(unet=30_000_000, adapter=4_000_000)])
def test_a_small_or_unknown_model_is_trained_as_asked(sizes: NetworkSizes) -> None:
    small = settings_of(PARAMETERS.model_copy(update={"resolution": 128}), 12)
    ladder = Ladder(plans_of(small, [FULL, HALF]), sizes, FreeMemory(round(0.8 * GIB), accelerated=False))
    assert ladder.plan == MemoryPlan(4, checkpointing=False, precision=FULL, resolution=128)
    assert ladder.changes == []


def test_what_was_given_up_is_told() -> None:
    ladder = Ladder(plans_of(settings_of(PARAMETERS, 12), GPU), SDXL, FreeMemory(None, accelerated=True))
    said = [ladder.changes]
    for _ in range(10):
        ladder.fall()
        said.append(ladder.changes)
    with pytest.raises(BadInput, match=r"training\.resolution") as caught:
        ladder.fall()
    assert caught.value.reason is Reason.OUT_OF_MEMORY
    twice = "gradient checkpointing on"
    half, one, small = "batch of 4 in parts of 2", "batch of 4 in parts of 1", "base model in float8"
    assert said == [
        [], [half], [one], [twice], [half, twice], [one, twice],
        [twice, small], [half, twice, small], [one, twice, small],
        [one, twice, small, "resolution 1024 -> 768"], [one, twice, small, "resolution 1024 -> 576"],
    ]  # fmt: skip


# --- what is known of machine and model ------------------------------------------------------------------------------


def test_a_containers_limit_counts_and_what_the_kernel_can_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:   5000 kB\n")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    assert machine.memory_here() == FreeMemory(5000 * 1024, accelerated=False)
    for name, text in {
        "memory.max": "3000000",
        "memory.current": "1000000",
        "memory.stat": "inactive_file 500",
    }.items():
        (tmp_path / name).write_text(text)
    assert machine.memory_here().bytes == 2_000_500
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory_here().bytes == 5000 * 1024
    (tmp_path / "meminfo").unlink()
    assert machine.memory_here().bytes is None


# --- falling while training ------------------------------------------------------------------------------------------


class Full:
    """Answers of a UNet whose memory holds so many rows at once, from a call on."""

    def __init__(self, rows: int, since: int = 0) -> None:
        self.rows, self.since, self.count = rows, since, 0

    def __call__(self, call: Call) -> torch.Tensor:
        self.count += 1
        if self.count > self.since and len(call.noisy) > self.rows:
            raise torch.OutOfMemoryError("full")
        return torch.zeros_like(call.noisy)


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., tuple[Trained, Ladder, torch.Tensor]]:
    def run(base: TinyBase, **changed: object) -> tuple[Trained, Ladder, torch.Tensor]:
        parameters = PARAMETERS.model_copy(update=changed)
        settings = settings_of(parameters, 4)
        ladder = Ladder(plans_of(settings, [FULL]), NetworkSizes(), FreeMemory(None, accelerated=False))
        checkpoints = Checkpoints(FolderStore(tmp_path), f"{len(list(tmp_path.iterdir()))}/", settings.key)
        trained = loop.train(
            base,
            examples(1024),
            parameters,
            settings,
            memory=Fallback(ladder, examples),
            checkpoints=checkpoints,
            progress=StageProgress(RequestRef(namespace="hr", name="minji"), Stage.TRAIN, "one", Silent()),
            judge=lambda: Judgement(None),
        )
        (weight,) = load(FolderStore(tmp_path).read(trained.checkpoints[-1].prefix + WEIGHTS)).values()
        return trained, ladder, weight

    return run


def examples(resolution: int) -> list[CachedExample]:
    return [example(number, 4 * resolution // 1024, 8 * resolution // 1024) for number in range(8)]


@pytest.mark.parametrize(("rows", "since"), [(2, 0), (2, 2), (1, 1)])
def test_a_step_that_does_not_fit_is_done_again_in_parts(
    train: Callable[..., tuple[Trained, Ladder, torch.Tensor]], rows: int, since: int
) -> None:
    _, _, wanted = train(tiny_base())
    base = tiny_base(answer=Full(rows, since))
    trained, ladder, weight = train(base)
    assert torch.allclose(weight, wanted, atol=1e-6), "as if nothing had been"
    assert trained.checkpoints[-1].step == 4
    assert ladder.changes == [f"batch of 4 in parts of {rows}"]
    assert sum(len(call.noisy) for call in base.unet.calls) >= 16, "no sample is lost"


def test_a_part_that_fails_leaves_nothing_of_the_parts_before(
    train: Callable[..., tuple[Trained, Ladder, torch.Tensor]],
) -> None:
    """In the second step: Adam's first one has the same length whatever the gradient's."""
    _, _, wanted = train(tiny_base(), steps=2)
    calls = 0

    def second_part_fails(call: Call) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls in (2, 4):
            raise torch.OutOfMemoryError("full")
        return torch.zeros_like(call.noisy)

    base = tiny_base(answer=second_part_fails)
    _, ladder, weight = train(base, steps=2)
    assert [len(call.noisy) for call in base.unet.calls[:4]] == [4, 4, 2, 2]
    assert ladder.changes == ["batch of 4 in parts of 1"]
    assert torch.allclose(weight, wanted, atol=1e-6)


def test_at_last_the_pictures_are_cut_smaller(train: Callable[..., tuple[Trained, Ladder, torch.Tensor]]) -> None:
    def large(call: Call) -> torch.Tensor:
        if call.noisy.shape[-1] > 6:
            raise torch.OutOfMemoryError("full")
        return torch.zeros_like(call.noisy)

    base = tiny_base(answer=large)
    checkpointing: list[bool] = []
    base.unet.enable_gradient_checkpointing = lambda: checkpointing.append(True)
    trained, ladder, _ = train(base)
    assert checkpointing == [True]
    assert ladder.changes[-1] == "resolution 1024 -> 768"
    assert {tuple(call.noisy.shape) for call in base.unet.calls[-4:]} == {(1, 4, 3, 6)}
    assert trained.checkpoints[-1].step == 4


def test_nothing_fits_and_the_advice_says_so(train: Callable[..., tuple[Trained, Ladder, torch.Tensor]]) -> None:
    base = tiny_base(answer=Full(0))
    base.unet.enable_gradient_checkpointing = lambda: None
    with pytest.raises(BadInput, match="larger GPU"):
        train(base)
