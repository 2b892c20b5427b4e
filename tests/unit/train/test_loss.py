"""The training loss, against what the UNet was asked and against figures calculated here from the papers' formulas."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.train import Timesteps
from profile_train.cache import CachedExample
from profile_train.loss import check_weights, min_snr_weights, step_losses, timestep_law
from profile_train.model import PREDICTIONS, check_prediction
from tiny_base import CHANNELS, Call, TinyBase, example, tiny_base

GAMMA, OFFSET, SEED = 5.0, 0.3, 11
BIAS = 0.25


def step_loss(
    base: TinyBase, batch: list[CachedExample], draw: torch.Generator, *, law: torch.Tensor, offset: float
) -> torch.Tensor:
    """The loss of a batch that is taken whole."""
    (loss,) = step_losses(base, batch, draw, rows=len(batch), law=law, offset=offset)
    return loss


def alphas_by_hand() -> np.ndarray:
    """SDXL's schedule: betas are the squares of evenly spaced roots."""
    betas = np.linspace(math.sqrt(0.00085), math.sqrt(0.012), 1000, dtype=np.float64) ** 2
    return np.cumprod(1 - betas)


def weighted(base: TinyBase, gamma: float = GAMMA) -> torch.Tensor:
    return timestep_law(base, gamma, Timesteps.WEIGHTED)


def weights_by_hand(prediction: str, gamma: float) -> np.ndarray:
    snr = alphas_by_hand() / (1 - alphas_by_hand())
    over = {"epsilon": snr, "v_prediction": snr + 1, "sample": np.ones_like(snr)}[prediction]
    return np.ones_like(snr) if gamma == 0 else np.minimum(snr, gamma) / over


def expected(prediction: str, rows: int, gamma: float, offset: float) -> dict[str, Any]:
    """Everything that `step_losses` should ask and answer, drawn in the same order and calculated in float64."""
    draw = torch.Generator().manual_seed(SEED)
    batch = [example(number) for number in range(rows)]
    shape = batch[0].mean.shape
    latents = np.stack([(e.mean + 0.1 * torch.randn(shape, generator=draw)).double().numpy() for e in batch])
    noise = torch.randn((rows, *shape), generator=draw).double().numpy()
    noise = noise + offset * torch.randn((rows, CHANNELS, 1, 1), generator=draw).double().numpy()
    shares = np.cumsum(weights_by_hand(prediction, gamma))
    places = (np.arange(rows) + torch.rand(rows, generator=draw).double().numpy()) / rows * shares[-1]
    steps = np.searchsorted(shares, places)
    kept = np.sqrt(alphas_by_hand()[steps])[:, None, None, None]
    spread = np.sqrt(1 - alphas_by_hand()[steps])[:, None, None, None]
    target = {"epsilon": noise, "v_prediction": kept * noise - spread * latents, "sample": latents}[prediction]
    weights = np.stack([e.weights.double().numpy() for e in batch])
    squared = (BIAS - target) ** 2 * weights
    return {
        "noisy": kept * latents + spread * noise,
        "steps": steps,
        "loss": squared.mean() * weights_by_hand(prediction, gamma).mean(),
        "target": target,
    }


@pytest.mark.parametrize("gamma", [GAMMA, 0.0])
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_loss_is_what_the_papers_say(prediction: str, gamma: float) -> None:
    base, batch = tiny_base(prediction), [example(number) for number in range(3)]
    loss = step_loss(base, batch, torch.Generator().manual_seed(SEED), law=weighted(base, gamma), offset=OFFSET)
    wanted = expected(prediction, 3, gamma, OFFSET)
    (call,) = base.unet.calls
    assert call.steps.tolist() == wanted["steps"].tolist()
    assert np.allclose(call.noisy.numpy(), wanted["noisy"], atol=1e-4)
    assert loss.item() == pytest.approx(wanted["loss"], rel=1e-4)
    assert torch.equal(call.tokens, torch.cat([e.text.tokens for e in batch]))
    assert torch.equal(call.pooled, torch.cat([e.text.pooled for e in batch]))
    assert torch.equal(call.time_ids, torch.stack([e.crop_ids for e in batch]))


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_unet_that_knows_the_target_has_no_loss(prediction: str) -> None:
    wanted = torch.tensor(expected(prediction, 2, GAMMA, OFFSET)["target"], dtype=torch.float32)
    base = tiny_base(prediction, lambda _: wanted - BIAS)
    draw = torch.Generator().manual_seed(SEED)
    assert step_loss(base, [example(0), example(1)], draw, law=weighted(base), offset=OFFSET).item() < 1e-8


def test_the_velocity_is_diffusers_own() -> None:
    base = tiny_base("v_prediction")
    wanted = expected("v_prediction", 2, GAMMA, 0.0)
    draw = torch.Generator().manual_seed(SEED)
    step_loss(base, [example(0), example(1)], draw, law=weighted(base), offset=0.0)
    (call,) = base.unet.calls
    kept = base.noise.alphas_cumprod[call.steps].sqrt()[:, None, None, None].double()
    spread = (1 - kept**2).sqrt()
    # x = kept * latents + spread * noise and v = kept * noise - spread * latents, solved for latents and noise.
    velocity = torch.tensor(wanted["target"])
    latents, noise = kept * call.noisy - spread * velocity, spread * call.noisy + kept * velocity
    assert torch.allclose(base.noise.get_velocity(latents, noise, call.steps), velocity, atol=1e-4)


def test_the_offset_lifts_whole_channels() -> None:
    def noise_of(offset: float) -> torch.Tensor:
        base = tiny_base()
        step_loss(base, [example(0)], torch.Generator().manual_seed(SEED), law=weighted(base, 0.0), offset=offset)
        call: Call = base.unet.calls[0]
        kept = base.noise.alphas_cumprod[call.steps].sqrt()
        spread: torch.Tensor = (1 - kept**2).sqrt()
        return call.noisy / spread

    lift = noise_of(0.5) - noise_of(0.0)
    assert lift.abs().max() > 0.05
    assert torch.allclose(lift, lift.mean(dim=(2, 3), keepdim=True).expand_as(lift), atol=1e-5)


def test_only_what_the_mask_weighs_counts() -> None:
    wrong = torch.zeros(1, CHANNELS, 4, 6)
    wrong[..., :3] = 100.0
    target = torch.tensor(expected("epsilon", 1, 0.0, 0.0)["target"], dtype=torch.float32)
    base, weighed = tiny_base("epsilon", lambda _: target - BIAS + wrong), example(0)
    weighed.weights[...] = 0.0
    weighed.weights[..., 3:] = 2.0
    assert (
        step_loss(base, [weighed], torch.Generator().manual_seed(SEED), law=weighted(base, 0.0), offset=0.0).item()
        < 1e-6
    )


def test_pure_noise_weighs_as_the_limit_does() -> None:
    noise = DDPMScheduler(num_train_timesteps=1000, beta_schedule="scaled_linear", rescale_betas_zero_snr=True)
    noise.alphas_cumprod[-1] = 0.0
    last = torch.tensor([999])
    assert min_snr_weights(noise, last, GAMMA, "epsilon").tolist() == [1.0]
    assert min_snr_weights(noise, last, GAMMA, "v_prediction").tolist() == [0.0]
    assert min_snr_weights(noise, last, GAMMA, "sample").tolist() == [0.0]
    every = torch.arange(1000)
    for prediction in PREDICTIONS:
        assert bool(torch.isfinite(min_snr_weights(noise, every, GAMMA, prediction)).all())


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_schedules_down_to_pure_noise_are_sound(prediction: str) -> None:
    base = tiny_base(prediction, rescale_betas_zero_snr=True)
    check_weights(base, GAMMA)
    batch = [example(number) for number in range(4)]
    loss = step_loss(base, batch, torch.Generator().manual_seed(1), law=weighted(base), offset=OFFSET)
    assert math.isfinite(loss.item())


def test_a_schedule_without_sound_weights_is_refused() -> None:
    base = tiny_base()
    base.noise.alphas_cumprod[3] = float("nan")
    with pytest.raises(BadInput, match=r"base model 'tiny'.*scheduler_config\.json") as caught:
        check_weights(base, GAMMA)
    assert caught.value.reason == Reason.MODEL_NOT_FOUND


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_what_the_loss_knows_may_be_trained_on(prediction: str) -> None:
    check_prediction("sdxl", DDPMScheduler(prediction_type=prediction).config)


@pytest.mark.parametrize(
    "scheduler",
    [
        {"_class_name": "DPMSolverMultistepScheduler", "beta_schedule": "linear", "prediction_type": "flow_prediction"},
        {"_class_name": "DDPMScheduler", "beta_schedule": "linear", "prediction_type": "v-prediction"},
        {"_class_name": "DDPMScheduler", "beta_schedule": "linear", "prediction_type": None},
        {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0},
        {"_class_name": "EDMEulerScheduler", "prediction_type": "epsilon", "sigma_max": 80.0},
    ],
)
def test_another_kind_of_base_is_refused_with_a_sentence(scheduler: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="'flux' cannot be trained on") as caught:
        check_prediction("flux", scheduler)
    assert "epsilon, v_prediction or sample" in caught.value.message
    assert caught.value.reason == Reason.MODEL_NOT_FOUND


# --- which timesteps -----------------------------------------------------------------------------------------------


def share_below(law: torch.Tensor, snr: float) -> float:
    """Of all draws, those of timesteps whose signal-to-noise ratio is below this."""
    noisy = torch.tensor(alphas_by_hand() / (1 - alphas_by_hand()) < snr)
    return float(law[noisy].sum() / law.sum())


def test_the_law_says_how_often_noise_is_trained_on() -> None:
    base = tiny_base("v_prediction")
    laws = {kind: timestep_law(base, GAMMA, kind) for kind in Timesteps}
    weighted, even = (share_below(laws[kind], 0.1) for kind in (Timesteps.WEIGHTED, Timesteps.EVEN))
    assert weighted < 0.07
    assert even > 0.3
    assert share_below(laws[Timesteps.MIXED], 0.1) == pytest.approx((weighted + even) / 2, abs=1e-6)
    assert laws[Timesteps.WEIGHTED].tolist() == pytest.approx(weights_by_hand("v_prediction", GAMMA).tolist(), rel=1e-3)
    assert float(laws[Timesteps.MIXED].mean()) == pytest.approx(1.0)


def test_steps_are_drawn_by_the_law_of_the_order() -> None:
    def steps(kind: Timesteps) -> list[int]:
        base, batch = tiny_base("v_prediction"), [example(0)] * 64
        draw = torch.Generator().manual_seed(SEED)
        step_loss(base, batch, draw, law=timestep_law(base, GAMMA, kind), offset=0.0)
        drawn: list[int] = base.unet.calls[0].steps.tolist()
        return drawn

    even = steps(Timesteps.EVEN)
    assert even == pytest.approx([1000 / 64 * (row + 0.5) for row in range(64)], abs=9)
    late = {kind: sum(step > 800 for step in steps(kind)) for kind in Timesteps}
    assert late[Timesteps.WEIGHTED] < 2 < late[Timesteps.MIXED] < late[Timesteps.EVEN]


# --- the ControlNet in the loss --------------------------------------------------------------------------------------


class Control:
    """Says of a pose map its mean, and keeps what it was asked."""

    dtype = torch.float32

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, noisy: torch.Tensor, steps: torch.Tensor, **words: Any) -> tuple[list[torch.Tensor], Any]:
        self.asked.append({"noisy": noisy, "steps": steps, "grad": torch.is_grad_enabled(), **words})
        said = words["controlnet_cond"].mean(dim=(1, 2, 3))
        return [said, 2 * said], 3 * said


def posed(number: int, grey: float) -> CachedExample:
    return dataclasses.replace(example(number), pose=torch.full((3, 8, 8), grey))


def test_the_unet_hears_what_the_controlnet_says_of_each_examples_pose() -> None:
    base, control = tiny_base(), Control()
    base.control = control
    loss = step_loss(
        base, [posed(0, 0.25), posed(1, 0.5)], torch.Generator().manual_seed(SEED), law=weighted(base), offset=OFFSET
    )
    (call,), (asked,) = base.unet.calls, control.asked
    assert [said.tolist() for said in call.down] == [[0.25, 0.5], [0.5, 1.0]]
    assert call.middle.tolist() == [0.75, 1.5]
    assert torch.equal(asked["noisy"], call.noisy)
    assert torch.equal(asked["steps"], call.steps)
    assert asked["encoder_hidden_states"] is call.tokens
    assert asked["added_cond_kwargs"]["time_ids"] is call.time_ids
    assert not asked["grad"]
    assert loss.requires_grad


def test_without_pose_maps_nothing_is_said() -> None:
    base, control = tiny_base(), Control()
    base.control = control
    step_loss(base, [example(0)], torch.Generator().manual_seed(SEED), law=weighted(base), offset=OFFSET)
    assert base.unet.calls[0].down is None
    assert control.asked == []


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_in_how_many_parts_a_batch_is_taken_changes_nothing(rows: int) -> None:
    def learnt(rows: int) -> tuple[float, torch.Tensor, TinyBase]:
        base, control = tiny_base(), Control()
        base.control = control
        batch = [posed(number, number / 4) for number in range(4)]
        total = 0.0
        draw = torch.Generator().manual_seed(SEED)
        for part in step_losses(base, batch, draw, rows=rows, law=weighted(base), offset=OFFSET):
            torch.autograd.backward(part)
            total += part.item()
        assert base.unet.bias.grad is not None
        return total, base.unet.bias.grad, base

    (whole, gradient, at_once), (loss, added, parts) = learnt(4), learnt(rows)
    assert loss == pytest.approx(whole, rel=1e-5)
    assert torch.allclose(added, gradient, rtol=1e-5)
    assert [len(call.noisy) for call in parts.unet.calls] == [rows] * (4 // rows) + [4 % rows] * bool(4 % rows)
    for name in ("noisy", "steps", "tokens", "pooled", "time_ids", "middle"):
        (call,) = at_once.unet.calls
        assert torch.equal(torch.cat([getattr(c, name) for c in parts.unet.calls]), getattr(call, name)), name
