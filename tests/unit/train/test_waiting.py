"""How often the training loop waits for the accelerator: not in a step, and once in ten of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from profile_runtime.store.folder import FolderStore
from profile_train import loop
from profile_train.checkpoints import Checkpoints
from tiny_base import tiny_base
from tiny_training import PREFIX, Tripping, course_of, train


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(FolderStore(tmp_path), PREFIX, "settings")


def exploding(answer: torch.Tensor) -> torch.Tensor:
    return answer + 1000.0


class Waiting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what an accelerator would be waited for: numbers that are read out of tensors."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_step_waits_for_nothing(checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch, prediction: str) -> None:
    course = course_of(tiny_base(prediction), checkpoints, min_snr_gamma=5.0)

    def read(*_: object) -> None:
        raise AssertionError("a number was read")

    for name in ("tolist", "item", "cpu", "numpy", "__bool__", "__float__"):
        monkeypatch.setattr(torch.Tensor, name, read)
    with Waiting() as waiting:
        figures = [course._step(step) for step in range(3)]
    monkeypatch.undo()
    assert waiting.count == 0
    assert torch.stack(figures).shape == (3, 2)
    assert course._look(figures) == [float(figure[0]) for figure in figures]
    assert course.step == 3


def test_the_loss_is_read_once_in_ten_steps_and_at_checkpoints(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    real = loop.Course._look

    def look(self: loop.Course, ahead: list[torch.Tensor]) -> list[float]:
        looks.append(len(ahead))
        return real(self, ahead)

    monkeypatch.setattr(loop.Course, "_look", look)
    monkeypatch.setattr(loop, "LOOK_SECONDS", 1000.0)
    train(tiny_base(), checkpoints, steps=45, checkpoint_steps=24)
    assert looks == [10, 10, 4, 10, 10, 1]
    looks.clear()
    monkeypatch.setattr(loop, "LOOK_SECONDS", 0.0)
    train(tiny_base(), Checkpoints(checkpoints._store, "slow/", "settings"), steps=5, checkpoint_steps=5)
    assert looks == [1] * 5


def test_a_divergence_that_is_seen_late_goes_back_to_the_checkpoint_before_it(checkpoints: Checkpoints) -> None:
    base = tiny_base(answer=Tripping(exploding, 3))
    trained = train(base, checkpoints, steps=12, checkpoint_steps=6)
    assert trained.redrawn
    assert len(base.unet.calls) == 6 + 12
    assert [saved.step for saved in trained.checkpoints] == [6, 12]
