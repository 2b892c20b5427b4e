"""The pipelines that draw: one set of modules, four ways to use them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from profile_contract.stages.train import AdapterLayers
from profile_contract.style import Mode
from profile_runtime.weights import check_model

from .bank import AdapterBank, sharing_weights
from .compiling import compile_blocks
from .config import EngineConfig
from .errors import Refused, Unwanted
from .families.family import Family
from .families.table import family_of
from .precision import drawn_in
from .prompts import PromptReader
from .rows import Row, Shape
from .samplers import Samplers

log = logging.getLogger(__name__)
# Progress bars are for terminals.
diffusers_logging.disable_progress_bar()
transformers_logging.disable_progress_bar()
# Their warnings quote prompts, which are nobody's business.
diffusers_logging.set_verbosity_error()
transformers_logging.set_verbosity_error()

NOT_FINITE = (
    "the pictures are not finite: the adapter, its weight or the guidance is too strong, or the base model needs "
    "bfloat16 or float32"
)


class Pipeline:
    """A base model with or without ControlNet, from noise or from an initial image, and the adapters of many people.

    pipeline = Pipeline.load(EngineConfig(models=Path("/models"), base_model="studio-random"))
    pictures = pipeline.draw(shape, [Row(0, seed=1, prompt="portrait of sks woman", adapters=((ann, 1.0),))])

    """

    def __init__(self, family: Family, base: Any, control: Any | None, bank: AdapterBank) -> None:
        self._family, self._base, self._control, self._bank = family, base, control, bank
        self._prompts = PromptReader(family, base)
        # One picture after the other is decoded: at full size, a batch would take more memory than drawing it did.
        base.vae.enable_slicing()
        self._ways: dict[type[Any], Any] = {type(base): base}
        self._samplers = Samplers(base.scheduler)

    @classmethod
    def load(cls, config: EngineConfig) -> Pipeline:
        """Load from the models folder, never from elsewhere. Raises FileNotFoundError, or ValueError if it is of no
        known family or not what its SHA256SUMS says.

        Weights are read from safetensors alone.
        """
        wanted = config.device
        if wanted == "auto":
            wanted = "cuda" if torch.cuda.is_available() else "cpu"
        device = torch.device(wanted)
        dtype = drawn_in(config.dtype, device)
        if config.threads:
            torch.set_num_threads(config.threads)
        folder = _folder(config.models, config.base_model, "model_index.json")
        family = family_of(folder)
        base = family.load(folder, dtype)
        control = None
        if config.control_model:
            folder = _folder(config.models, config.control_model, "config.json")
            control = family.load_control(folder, dtype).to(device).eval()
        base.to(device)
        if device.type == "cuda":
            for network in (base.unet, base.vae, control):
                if network is not None:
                    network.to(memory_format=torch.channels_last)
        more = family.modules(AdapterLayers.EVERYTHING)
        bank = AdapterBank(base.unet, config.slots, family.modules(config.adapter_layers), more=more)
        if config.compile:
            compile_blocks([network for network in (base.unet, control) if network is not None], device)
        return cls(family, base, control, bank)

    @classmethod
    def beside(cls, family: Family, base: Any, control: Any | None, layers: AdapterLayers) -> Pipeline:
        """A pipeline of one slot with the weights of a base model that is trained on: neither hears the other's
        adapters. To be made before the base is given one.
        """
        unet = sharing_weights(base.unet).eval()
        bank = AdapterBank(unet, 1, family.modules(layers))
        return cls(family, type(base)(**{**base.components, "unet": unet}), control, bank)

    @property
    def family(self) -> Family:
        """What the base model is of."""
        return self._family

    @property
    def unet(self) -> Any:
        """The network that adapters change."""
        return self._base.unet

    def webui_name(self, layer: str) -> str:
        """What WebUI and ComfyUI call a layer of the network. Raises ValueError for one that they cannot change."""
        return self._family.webui_name(layer, self.unet.config)

    def other_base(self, metadata: Mapping[str, str]) -> str:
        """The base model that an adapter's metadata name, if it is none of the family; else an empty text."""
        return self._family.other_base(metadata)

    @property
    def bank(self) -> AdapterBank:
        """Its adapters."""
        return self._bank

    @property
    def has_control(self) -> bool:
        """Whether poses can be followed."""
        return self._control is not None

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return torch.device(self._base.unet.device)

    @property
    def dtype(self) -> torch.dtype:
        """What it calculates in."""
        dtype = self._base.unet.dtype
        assert isinstance(dtype, torch.dtype)  # noqa: S101
        return dtype

    @cached_property
    def device_name(self) -> str:
        """The accelerator's name, or `cpu`."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type

    @property
    def native_size(self) -> tuple[int, int]:
        """Width and height that the base model was trained for."""
        edge = int(self._base.unet.config.sample_size) * int(self._base.vae_scale_factor)
        return edge, edge

    def chunks(self, prompt: str) -> int:
        """How many chunks of CLIP's length a prompt takes. Raises Refused for one that is too long."""
        return self._prompts.chunks(prompt)

    @torch.no_grad()
    def remember(self, prompts: Sequence[str], chunks: int) -> None:
        """Read prompts of so many chunks for good, as long as `forget_encoders` was not called."""
        self._prompts.remember(prompts, chunks)

    def forget_encoders(self) -> None:
        """Let the text encoders go: no prompts can be drawn any more but those that were read for good."""
        self._prompts.forget_encoders()
        for name in self._family.text_encoders:
            setattr(self._base, name, None)

    def decode_in_tiles(self) -> None:
        """Decode pictures part by part from now on: least memory, and seams that are blended."""
        self._base.vae.enable_tiling()

    def draw(self, shape: Shape, rows: Sequence[Row], wanted: Callable[[], bool] = lambda: True) -> np.ndarray:
        """Draw rows of one shape: N x height x width x 3, uint8 RGB. Each row starts from its own seed.

        What a row becomes does not depend on the rows beside it, whosever they are. `wanted` is asked after every step;
        Unwanted is raised when it says no. Raises Refused if what comes out are no numbers, ValueError for more
        adapters than slots.
        """
        arguments: dict[str, Any] = {
            # On the CPU, so that a seed means the same everywhere.
            "generator": [torch.Generator("cpu").manual_seed(row.seed) for row in rows],
            "num_inference_steps": shape.steps,
            "guidance_scale": shape.guidance,
            "output_type": "np",
            "callback_on_step_end": _stopping(wanted),
        }
        poses = [row.pose for row in rows]
        if shape.has_pose:
            arguments["controlnet_conditioning_scale"] = shape.control_weight
            arguments["control_guidance_end"] = shape.control_end
        if shape.mode == Mode.IMAGE_TO_IMAGE:
            arguments |= {"image": [row.initial_image for row in rows], "strength": shape.strength}
            if shape.has_pose:
                arguments |= {"control_image": poses, "width": shape.width, "height": shape.height}
        else:
            arguments |= {"width": shape.width, "height": shape.height}
            if shape.has_pose:
                arguments["image"] = poses
        with self._bank.drawing([row.adapters for row in rows], guided=shape.guided), torch.inference_mode():
            arguments |= self._words(shape, rows)
            pictures = self._way(shape)(**arguments).images
        if not np.isfinite(pictures).all():
            raise Refused(NOT_FINITE)
        return (pictures * 255).round().astype(np.uint8)

    def _words(self, shape: Shape, rows: Sequence[Row]) -> dict[str, Any]:
        """The prompts as the pipeline takes them, each read by itself: what it becomes depends on no other."""
        # An empty one is read, too: the pipeline would take zeros for it.
        positive, negative = [row.prompt for row in rows], [row.negative_prompt for row in rows]
        return self._family.words(
            self._prompts.read(positive, shape.chunks),
            self._prompts.read(negative, shape.chunks) if shape.guided else None,
        )

    def _way(self, shape: Shape) -> Any:
        """The pipeline for a shape; all of them share their modules."""
        kind = self._family.ways[shape.has_pose, shape.mode == Mode.IMAGE_TO_IMAGE]
        if kind not in self._ways:
            modules = dict(self._base.components)
            if shape.has_pose:
                modules["controlnet"] = self._control
            self._ways[kind] = kind(**modules)
        way = self._ways[kind]
        way.set_progress_bar_config(disable=True)
        way.scheduler = self._samplers.named(shape.sampler)
        return way


def _stopping(wanted: Callable[[], bool]) -> Callable[..., dict[str, Any]]:
    """What pipelines call after each step: raises Unwanted where nobody waits any more."""

    def after_step(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if not wanted():
            raise Unwanted("nobody waits for this batch")
        return tensors

    return after_step


def _folder(models: Path, name: str, index: str) -> Path:
    """A model's folder, once it is what its SHA256SUMS says. Raises FileNotFoundError, or ValueError."""
    folder = models / name
    if not (folder / index).is_file():
        raise FileNotFoundError(f"no model {name!r}: {folder / index} is not there")
    check_model(models, name)
    return folder
