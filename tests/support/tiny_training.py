"""A training on a base of four numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch

from profile_contract.stages.order import RequestRef
from profile_contract.stages.table import Stage
from profile_contract.stages.train import TrainParameters
from profile_runtime.progress import Silent, StageProgress
from profile_train import loop
from profile_train.checkpoints import Checkpoints
from profile_train.judge import Judgement
from profile_train.loop import Fallback, Trained
from profile_train.memory import FreeMemory, Ladder, NetworkSizes, Precision, plans_of
from profile_train.settings import Settings, settings_of
from tiny_base import Call, TinyBase, example

PARAMETERS = TrainParameters(
    base_model="tiny", rank=1, steps=6, batch=2, learning_rate=0.1, checkpoint_steps=2, min_snr_gamma=0.0
)

EXAMPLES = [example(number) for number in range(4)]

PREFIX = "hr.1a2b3c4d-5e6f/requests/minji/adapter/one/"


class Tripping:
    """A UNet's answer that is spoilt at some of its calls, counted from 1 over all attempts."""

    def __init__(self, spoil: Callable[[torch.Tensor], torch.Tensor], *at: int) -> None:
        self.spoil, self.at, self.count = spoil, at, 0

    def __call__(self, call: Call) -> torch.Tensor:
        self.count += 1
        answer = torch.zeros_like(call.noisy)
        return self.spoil(answer) if self.count in self.at else answer


def ladder(settings: Settings) -> Ladder:
    """A CPU's plans, of which everything fits."""
    return Ladder(plans_of(settings, [Precision.FLOAT32]), NetworkSizes(), FreeMemory(None, accelerated=False))


def train(
    base: TinyBase,
    checkpoints: Checkpoints,
    *,
    likeness: Callable[[], float | None] = lambda: None,
    **changed: object,
) -> Trained:
    parameters = PARAMETERS.model_copy(update=changed)
    progress = StageProgress(RequestRef(namespace="hr", name="minji"), Stage.TRAIN, "one", Silent())
    settings: Settings = settings_of(parameters, 4)
    return loop.train(
        base,
        EXAMPLES,
        parameters,
        settings,
        memory=Fallback(ladder(settings), recut=lambda _: EXAMPLES),
        checkpoints=checkpoints,
        progress=progress,
        judge=lambda: Judgement(likeness()),
    )


def course_of(base: TinyBase, checkpoints: Checkpoints, **changed: object) -> loop.Course:
    """A training that has not begun."""
    parameters = PARAMETERS.model_copy(update=changed)
    progress = StageProgress(RequestRef(namespace="hr", name="minji"), Stage.TRAIN, "one", Silent())
    settings = settings_of(parameters, 4)
    return loop.Course(
        base,
        EXAMPLES,
        parameters,
        settings,
        memory=Fallback(ladder(settings), recut=lambda _: EXAMPLES),
        checkpoints=checkpoints,
        progress=progress,
        judge=lambda: Judgement(None),
    )


def bad_gradient(monkeypatch: pytest.MonkeyPatch, *at: int) -> None:
    """At these steps, counted from 1, one number of the gradient is infinite."""
    real, count = torch.nn.utils.clip_grad_norm_, 0

    def clip(weights: Iterable[torch.nn.Parameter], norm: float) -> torch.Tensor:
        nonlocal count
        count += 1
        weights = list(weights)
        if count in at and weights[0].grad is not None:
            weights[0].grad.view(-1)[0] = float("inf")
        return real(weights, norm)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
