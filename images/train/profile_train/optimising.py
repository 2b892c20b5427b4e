"""Optimisation: how an adapter's weights follow their gradients, and what a training that was cut needs to go on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.training_utils import EMAModel
from prodigyplus import ProdigyPlusScheduleFree

from profile_contract.stages.train import OptimiserKind, TrainParameters

WEIGHT_DECAY = 1e-2
LONGEST_GRADIENT = 1.0
# Names of states that are no weight's own: of what Prodigy knows of its rate, a row a group, and of the average.
PRODIGY_STATE, AVERAGED_STEPS = "prodigy", "averaged-steps"
PRODIGY_NUMBERS = ("d", "d_prev", "d_numerator", "d_denom", "prev_d_numerator", "max_d_numerator", "k")


class Optimisation:
    """The optimiser of an adapter's weights, and their running average where one is asked for.

    Two groups of weights, matrices into the rank and out of it, each with a `highest_rate` of its own.
    """

    def __init__(self, weights: Mapping[str, torch.nn.Parameter], parameters: TrainParameters) -> None:
        # In the order of the optimiser's groups, by which it numbers their states.
        self._weights = dict(sorted(weights.items(), key=lambda item: leads_out(item[0])))
        self._optimiser = _optimiser_of(self._weights, parameters)
        decay = parameters.ema_decay
        self._average = EMAModel(self._weights.values(), decay=decay, foreach=True) if decay else None

    def step(self, share: float) -> torch.Tensor:
        """Follow the gradients at a share of the highest rates, and forget them. Gives their length (), not waited for.

        A gradient that is not finite changes nothing: half precision may overflow once, and a step of such a gradient
        would make every weight NaN, for good.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = group["highest_rate"] * share
        norm = torch.nn.utils.clip_grad_norm_(self._weights.values(), LONGEST_GRADIENT)
        # As torch's own GradScaler tells a fused optimiser, which then leaves its weights alone.
        self._optimiser.found_inf = (~torch.isfinite(norm)).to(torch.float32)
        self._optimiser.step()
        self.forget_gradients()
        if self._average is not None:
            self._average.step(self._weights.values())
        return norm

    def forget_gradients(self) -> None:
        """What a step that was broken off left behind is no part of the next one."""
        self._optimiser.zero_grad(set_to_none=True)

    @property
    def delivered(self) -> dict[str, torch.Tensor]:
        """The weights to judge and to deliver, by name, on the CPU: their average, where one is asked for."""
        tensors = self._average.shadow_params if self._average is not None else self._weights.values()
        return {name: tensor.detach().cpu().contiguous() for name, tensor in zip(self._weights, tensors, strict=True)}

    @contextmanager
    def standing_in(self) -> Iterator[None]:
        """For as long as it lasts, the weights are those that are delivered."""
        if self._average is None:
            yield
            return
        self._average.store(self._weights.values())
        self._average.copy_to(self._weights.values())
        try:
            yield
        finally:
            self._average.restore(self._weights.values())

    @property
    def states(self) -> dict[str, torch.Tensor]:
        """All that it has to know beside what is delivered, by name, on the CPU."""
        states = self._blank_states()
        for name, weight in self._weights.items():
            # A weight that no step has changed yet has no state.
            for moment, tensor in self._optimiser.state.get(weight, {}).items():
                states[f"{moment}.{name}"] = tensor
        if PRODIGY_STATE in states:
            rows = [[group[name] for name in PRODIGY_NUMBERS] for group in self._optimiser.param_groups]
            states[PRODIGY_STATE] = torch.tensor(rows, dtype=torch.float64)
        if self._average is not None:
            states[AVERAGED_STEPS] = torch.tensor(self._average.optimization_step)
        return {name: tensor.detach().cpu().contiguous() for name, tensor in states.items()}

    def take_up(self, delivered: Mapping[str, torch.Tensor], states: Mapping[str, torch.Tensor]) -> bool:
        """Go on from what `delivered` and `states` once were; False, and nothing changed, if they do not fit."""
        blank = self._blank_states()
        # A smaller tensor would be spread over the whole of a larger one.
        if _shapes(delivered) != _shapes(self._weights) or states.keys() != blank.keys():
            return False
        if not all(_fits(name, states[name], tensor) for name, tensor in blank.items()):
            return False
        for name, weight in self._weights.items():
            with torch.no_grad():
                weight.copy_(delivered[name] if self._average is None else states[f"weight.{name}"])
            moments = _blank_moments(self._optimiser, weight)
            self._optimiser.state[weight] = {moment: states[f"{moment}.{name}"].to(weight.device) for moment in moments}
        if self._average is not None:
            self._average.shadow_params = [
                delivered[name].to(weight.device, copy=True) for name, weight in self._weights.items()
            ]
            self._average.optimization_step = int(states[AVERAGED_STEPS])
        if PRODIGY_STATE in states:
            for group, row in zip(self._optimiser.param_groups, states[PRODIGY_STATE].tolist(), strict=True):
                group.update(zip(PRODIGY_NUMBERS, row, strict=True))
        return True

    def _blank_states(self) -> dict[str, torch.Tensor]:
        """What `states` are before the first step."""
        states = {
            f"{moment}.{name}": tensor
            for name, weight in self._weights.items()
            for moment, tensor in _blank_moments(self._optimiser, weight).items()
        }
        if isinstance(self._optimiser, Prodigy):
            states[PRODIGY_STATE] = torch.zeros(len(self._optimiser.param_groups), len(PRODIGY_NUMBERS)).double()
        if self._average is not None:
            states |= {f"weight.{name}": weight for name, weight in self._weights.items()}
            states[AVERAGED_STEPS] = torch.tensor(0)
        return states


class Prodigy(ProdigyPlusScheduleFree):
    """Prodigy (Mishchenko and Defazio 2023), which finds its learning rate by itself; rates of groups are shares of it.

    It waits for the accelerator in each step.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        """Without what the library adds to it: schedules of its own, and moments in fewer numbers."""
        super().__init__(groups, weight_decay=WEIGHT_DECAY, split_groups=False, factored=False, use_schedulefree=False)
        self.found_inf = torch.tensor(0.0)

    def step(self, closure: Any = None) -> Any:
        """As torch's fused optimisers: nothing changes where `found_inf` says so."""
        return None if bool(self.found_inf) else super().step(closure)


def _optimiser_of(weights: Mapping[str, torch.nn.Parameter], parameters: TrainParameters) -> Any:
    """A fresh optimiser of two groups, matrices into the rank and out of it."""
    prodigy = parameters.optimiser is OptimiserKind.PRODIGY
    rate, up_rate = 1.0 if prodigy else parameters.learning_rate, parameters.up_rate
    groups = []
    for highest, out in ((rate, False), (rate * up_rate, True)):
        matrices = [weight for name, weight in weights.items() if leads_out(name) is out]
        groups.append({"params": matrices, "lr": highest, "highest_rate": highest})
    return Prodigy(groups) if prodigy else torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY, fused=True)


def _blank_moments(optimiser: torch.optim.Optimizer, weight: torch.nn.Parameter) -> dict[str, torch.Tensor]:
    """What an optimiser knows of a weight before the first step."""
    averages = {moment: torch.zeros_like(weight, requires_grad=False) for moment in ("exp_avg", "exp_avg_sq")}
    if not isinstance(optimiser, Prodigy):
        return {"step": torch.tensor(0.0), **averages}
    begun = optimiser.get_sliced_tensor(weight).detach().to(torch.bfloat16)
    return {**averages, "p0": begun, "s": torch.zeros_like(begun)}


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _fits(name: str, tensor: torch.Tensor, blank: torch.Tensor) -> bool:
    """Whether a state can stand for a blank one; Prodigy keeps a single zero of weights that begin as zeros."""
    shapes = {blank.shape, torch.Size()} if name.startswith("p0.") else {blank.shape}
    return tensor.shape in shapes and tensor.dtype == blank.dtype


def leads_out(name: str) -> bool:
    """Whether a parameter of an adapter is a matrix out of its rank, which begins as zeros."""
    return ".lora_B." in name


def share_of_rate(step: int, steps: int, warm_up: int = 0) -> float:
    """Of the highest learning rate: it rises over the steps of a warm-up, then falls along half a cosine, since at a
    steady rate the last steps are as rough as the first.

    Pure, so that a training that was cut goes on as if nothing had been.
    """
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))
