"""The base model while it is trained on, loaded from a folder in diffusers' layout: by configuration alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.training_utils import cast_training_params
from peft import LoraConfig
from torch.nn.utils import parametrize

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.train import AdapterLayers
from profile_draw.compiling import compile_blocks
from profile_draw.families.family import Family
from profile_draw.families.table import family_of
from profile_runtime.weights import WeightsError, check_model

from .memory import Precision

ADAPTER = "default"
# What a UNet may predict of a noisy picture, and the loss knows.
PREDICTIONS = ("epsilon", "v_prediction", "sample")


class _Widened(torch.nn.Module):
    """A weight of eight bits as layers calculate with it.

    Each use makes its own copy, which goes with the layer's activations. diffusers' layerwise casting changes the
    weight itself, and gradients are then calculated with one that has gone back to eight bits.
    """

    def forward(self, stored: torch.Tensor) -> torch.Tensor:
        """The same numbers in bfloat16."""
        return stored.to(torch.bfloat16)


@dataclass
class Base:
    """The base model while it is trained on. `pipeline` holds the text encoders until they are freed."""

    name: str
    family: Family
    pipeline: Any
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    noise: DDPMScheduler
    device: torch.device
    autocast: bool
    # The ControlNet that portraits are drawn with, where the loss hears it.
    control: Any | None = None
    # Whether blocks that repeat are compiled, where that pays.
    compiles: bool = False
    # The UNets that pictures are drawn with meanwhile, to judge checkpoints and as class pictures: they have no weights
    # but those of `unet`.
    drawings: list[torch.nn.Module] = field(default_factory=list)

    @property
    def _networks(self) -> list[Any]:
        """What stands on the accelerator while it is trained."""
        return [network for network in (self.unet, self.control, *self.drawings) if network is not None]

    @property
    def prediction(self) -> str:
        """What the UNet predicts, one of PREDICTIONS."""
        return str(self.noise.config.prediction_type)

    def to_device(self) -> None:
        """Bring what is trained on to the accelerator, and what it hears; the encoders need its memory before."""
        for network in self._networks:
            # Convolutions are faster so, on a CPU too.
            network.to(self.device, memory_format=torch.channels_last)
        if self.compiles:
            compile_blocks([network for network in (self.unet, self.control) if network is not None], self.device)

    def store_in_float8(self) -> None:
        """Keep the base model's large weights in eight bits; each is bfloat16 while its layer calculates."""
        for network in self._networks:
            for layer in list(network.modules()):
                if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d) and not layer.weight.requires_grad:
                    layer.weight.data = layer.weight.data.to(torch.float8_e4m3fn)
                    parametrize.register_parametrization(layer, "weight", _Widened(), unsafe=True)

    def add_adapter(self, rank: int, layers: AdapterLayers, seed: int) -> dict[str, torch.nn.Parameter]:
        """Put a fresh adapter into the UNet and give its parameters by name. Its weights stay in fp32.

        alpha = rank, so that every reader of the file scales it by 1 whether it knows alpha or not.
        """
        torch.manual_seed(seed)
        config = LoraConfig(
            r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(self.family.modules(layers))
        )
        self.unet.add_adapter(config, adapter_name=ADAPTER)
        # In bf16, small updates would be rounded away.
        cast_training_params(self.unet, dtype=torch.float32)
        return self.adapter_weights

    @property
    def adapter_weights(self) -> dict[str, torch.nn.Parameter]:
        """The parameters of the adapter that is trained, by name."""
        return {name: weight for name, weight in self.unet.named_parameters() if weight.requires_grad}


def load_base(
    models: Path, name: str, *, precision: Precision = Precision.FLOAT32, control: str = "", compiles: bool = False
) -> Base:
    """Load a base model, to be trained on by the accelerator if there is one. `precision`: of UNet and ControlNet.

    They stay on the CPU until `Base.to_device`, in bfloat16 where they are to be float8 (`Base.store_in_float8`).
    `control`: the ControlNet to train with, if any. `compiles`: see `Base`. Raises BadInput if a folder is not there,
    is not what its SHA256SUMS says, is no such model, or predicts what the loss does not know.
    """
    folder = _folder(models, name, "model_index.json", "base model")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        # TF32 for what is calculated in float32: the VAE's encoder, above all.
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    half = precision is not Precision.FLOAT32
    dtype = torch.bfloat16 if half else torch.float32
    try:
        family = family_of(folder)
        pipeline = family.load(folder, {"unet": dtype, "default": torch.float32})
    except (OSError, ValueError) as error:
        raise BadInput(Reason.MODEL_NOT_FOUND, f"the base model '{name}' cannot be loaded") from error
    pipeline.set_progress_bar_config(disable=True)
    check_prediction(name, pipeline.scheduler.config)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False)
    return Base(
        name=name,
        family=family,
        pipeline=pipeline,
        unet=pipeline.unet,
        vae=pipeline.vae,
        noise=DDPMScheduler.from_config(pipeline.scheduler.config),
        device=device,
        autocast=half,
        control=_load_control(models, control, family, dtype) if control else None,
        compiles=compiles,
    )


def _load_control(models: Path, name: str, family: Family, dtype: torch.dtype) -> Any:
    """The ControlNet of a folder, which nothing trains. Raises BadInput."""
    folder = _folder(models, name, "config.json", "control model")
    try:
        control = family.load_control(folder, dtype)
    except (OSError, ValueError) as error:
        raise BadInput(Reason.MODEL_NOT_FOUND, f"the control model '{name}' cannot be loaded") from error
    return control.eval().requires_grad_(requires_grad=False)


def _folder(models: Path, name: str, index: str, what: str) -> Path:
    """A model's folder, once it is what its SHA256SUMS says. Raises BadInput; `what` names the model's kind."""
    folder = models / name
    if not (folder / index).is_file():
        raise BadInput(
            Reason.MODEL_NOT_FOUND,
            f"the {what} '{name}' is not in the models folder; the platform team mounts it there",
        )
    try:
        check_model(models, name)
    except WeightsError as error:
        raise BadInput(Reason.MODEL_NOT_FOUND, str(error)) from error
    return folder


def check_prediction(name: str, scheduler: Mapping[str, Any]) -> None:
    """Raises BadInput for a base whose scheduler says that it predicts, or adds noise, as no loss here expects."""
    prediction = scheduler.get("prediction_type")
    if prediction in PREDICTIONS and "beta_schedule" in scheduler:
        return
    kind = f"prediction_type {prediction!r}" if "beta_schedule" in scheduler else str(scheduler.get("_class_name"))
    raise BadInput(
        Reason.MODEL_NOT_FOUND,
        f"the base model '{name}' cannot be trained on: its scheduler_config.json says {kind}; "
        f"what can be trained predicts {', '.join(PREDICTIONS[:-1])} or {PREDICTIONS[-1]}, with noise added by betas",
    )
