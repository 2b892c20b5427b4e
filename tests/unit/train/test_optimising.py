"""Optimisers, warm-up and the average of the weights, in trainings of four numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from profile_contract.stages.train import OptimiserKind, TrainParameters
from profile_runtime.store.folder import FolderStore
from profile_train.checkpoints import OPTIMISER, WEIGHTS, Checkpoints
from profile_train.optimising import Optimisation
from properties import examples
from tiny_base import CHANNELS, WEIGHT, TinyBase, tiny_base
from tiny_training import EXAMPLES, PARAMETERS, Tripping, bad_gradient, train

PRODIGY: dict[str, Any] = {"optimiser": OptimiserKind.PRODIGY, "learning_rate": 1e-9}
OUT = WEIGHT.replace("lora_A", "lora_B")


def asked(**changed: object) -> TrainParameters:
    return PARAMETERS.model_copy(update=changed)


def weights_of(checkpoints: Checkpoints) -> list[torch.Tensor]:
    """The weight that each checkpoint would deliver, the earliest first."""
    return [load(checkpoints._read(saved, WEIGHTS))[WEIGHT] for saved in checkpoints.complete()]


# --- warm-up -----------------------------------------------------------------------------------------------------


def test_the_first_step_of_a_warm_up_is_small(store: FolderStore) -> None:
    moved = []
    for warm_up in (0, 9):
        base = tiny_base()
        begun = base.unet.bias.detach().clone()
        train(base, Checkpoints(store, f"{warm_up}/", "settings"), steps=1, warm_up_steps=warm_up)
        moved.append(float((base.unet.bias.detach() - begun).abs().mean()))
    assert moved[1] == pytest.approx(moved[0] / 10, rel=1e-3)


# --- the average -------------------------------------------------------------------------------------------------


def test_the_average_of_the_weights_is_delivered(store: FolderStore) -> None:
    plain, averaged = (Checkpoints(store, prefix, "settings") for prefix in ("plain/", "averaged/"))
    train(tiny_base(), plain, checkpoint_steps=1)
    train(tiny_base(), averaged, checkpoint_steps=1, ema_decay=0.5)
    mean = None
    for step, (weight, delivered) in enumerate(zip(weights_of(plain), weights_of(averaged), strict=True), start=1):
        # The first steps are forgotten sooner: less than the decay stays of a mean of few.
        stays = min(0.5, step / (9 + step)) if step > 1 else 0.0
        mean = weight if mean is None else stays * mean + (1 - stays) * weight
        assert torch.allclose(delivered, mean, atol=1e-6), step
    assert not torch.allclose(weights_of(averaged)[-1], weights_of(plain)[-1], atol=1e-4)


def test_the_average_is_judged_and_training_goes_on_from_the_weights(checkpoints: Checkpoints) -> None:
    base, judged = tiny_base(), list[torch.Tensor]()

    def likeness() -> float:
        judged.append(base.unet.bias.detach().clone())
        return 50.0

    train(base, checkpoints, likeness=likeness, ema_decay=0.9)
    assert all(torch.equal(*pair) for pair in zip(judged, weights_of(checkpoints)[1:], strict=True))
    plain = tiny_base()
    train(plain, Checkpoints(checkpoints._store, "plain/", "settings"))
    assert torch.equal(plain.unet.bias, base.unet.bias)


# --- Prodigy -----------------------------------------------------------------------------------------------------


def test_prodigy_finds_its_rate(checkpoints: Checkpoints) -> None:
    base = tiny_base("sample")
    mean = torch.stack([e.mean for e in EXAMPLES]).mean(dim=(0, 2, 3))
    before = float((base.unet.bias.detach().flatten() - mean).abs().sum())
    train(base, checkpoints, steps=300, checkpoint_steps=300, **PRODIGY)
    assert float((base.unet.bias.detach().flatten() - mean).abs().sum()) < 0.5 * before


def test_prodigy_leaves_out_a_gradient_that_is_not_finite(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad_gradient(monkeypatch, 2)
    trained = train(tiny_base(), checkpoints, steps=2, checkpoint_steps=1, **PRODIGY)
    assert trained.skipped == 1
    assert torch.equal(*weights_of(checkpoints))


def test_prodigys_matrices_out_of_the_rank_have_a_rate_of_their_own() -> None:
    weights = {name: torch.nn.Parameter(torch.ones(2, CHANNELS)) for name in (WEIGHT, OUT)}
    optimisation = Optimisation(weights, asked(up_rate=4.0, **PRODIGY))
    for weight in weights.values():
        weight.grad = torch.ones_like(weight)
    optimisation.step(1.0)
    moved = [float((1 - weight.detach()).mean()) for weight in weights.values()]
    assert moved[1] == pytest.approx(4 * moved[0], rel=0.05)


# --- restarts ----------------------------------------------------------------------------------------------------


def interrupted(answer: torch.Tensor) -> torch.Tensor:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "how",
    [{"ema_decay": 0.9}, PRODIGY, {**PRODIGY, "ema_decay": 0.9, "warm_up_steps": 3}],
    ids=["average", "Prodigy", "both"],
)
def test_a_training_that_was_cut_ends_as_one_that_was_not(store: FolderStore, how: dict[str, Any]) -> None:
    whole, cut = (Checkpoints(store, prefix, "settings") for prefix in ("whole/", "cut/"))
    how = {**how, "steps": 30, "checkpoint_steps": 10}

    def base(*at: int) -> TinyBase:
        return TinyBase(**vars(tiny_base(answer=Tripping(interrupted, *at))) | {"paired": True})

    train(base(), whole, **how)
    with pytest.raises(KeyboardInterrupt):
        train(base(25), cut, **how)
    assert train(base(), cut, **how).resumed_from == 20
    last = [checkpoints.complete()[-1].prefix for checkpoints in (whole, cut)]
    for name in (WEIGHTS, OPTIMISER):
        assert store.read(last[0] + name) == store.read(last[1] + name), name


@pytest.mark.parametrize("how", [{}, {"ema_decay": 0.9}, PRODIGY], ids=["AdamW", "average", "Prodigy"])
def test_states_before_the_first_step_are_taken_up(how: dict[str, Any]) -> None:
    weights = {WEIGHT: torch.nn.Parameter(torch.ones(2, CHANNELS))}
    optimisation = Optimisation(weights, asked(**how))
    delivered, states = load(save(optimisation.delivered)), load(save(optimisation.states))
    assert optimisation.take_up(delivered, states)
    weights[WEIGHT].grad = torch.ones(2, CHANNELS)
    optimisation.step(1.0)
    assert not torch.equal(optimisation.delivered[WEIGHT], delivered[WEIGHT])


@examples(60)
@given(st.data())
def test_states_of_another_kind_change_nothing(data: st.DataObject) -> None:
    how: dict[str, Any] = data.draw(st.sampled_from([{}, {"ema_decay": 0.9}, PRODIGY]))
    weights = {WEIGHT: torch.nn.Parameter(torch.ones(2, CHANNELS))}
    optimisation = Optimisation(weights, asked(**how))
    states = optimisation.states
    name = data.draw(st.sampled_from(sorted(states)))
    match data.draw(st.sampled_from(["missing", "more", "shape", "type"])):
        case "missing":
            del states[name]
        case "more":
            states[f"{name}.more"] = states[name]
        case "shape":
            states[name] = torch.zeros(3, 7, dtype=states[name].dtype)
        case "type":
            states[name] = states[name].to(torch.int8)
    before = {key: tensor.clone() for key, tensor in optimisation.states.items()}
    assert not optimisation.take_up({WEIGHT: torch.zeros(2, CHANNELS)}, states)
    assert torch.equal(weights[WEIGHT], torch.ones(2, CHANNELS))
    assert all(torch.equal(tensor, before[key]) for key, tensor in optimisation.states.items())
