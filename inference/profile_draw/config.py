"""What an engine is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from profile_contract.stages.train import AdapterLayers

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class EngineConfig:
    """Models are folders below `models`, in diffusers' layout, with safetensors weights.

    `control_model` empty: no ControlNet, orders with poses are refused. `device` auto: CUDA where there is one.
    `dtype` auto: bfloat16 on an accelerator, float32 on a CPU. `host_cache_megabytes` bounds adapters in host memory.
    `batch` is how many rows are drawn together at most; `slots` how many adapters stand ready in the UNet;
    `adapter_layers` what they change: all of them the same. `grant_seconds`: how long a grant lives at most. `compile`:
    have the networks' repeated blocks compiled, which pays on an accelerator. `upscaler` and `safety_checker`: folders
    of the networks that enlarge pictures and that hold some back; empty: none does.
    """

    models: Path
    base_model: str
    control_model: str = ""
    slots: int = 4
    maximum_rank: int = 64
    adapter_layers: AdapterLayers = AdapterLayers.ATTENTION
    batch: int = 4
    host_cache_megabytes: int = 1024
    device: str = "auto"
    dtype: Dtype = "auto"
    threads: int = 0
    grant_seconds: float = 1800.0
    compile: bool = False
    upscaler: str = ""
    safety_checker: str = ""

    def __post_init__(self) -> None:
        if self.slots < 1 or self.batch < 1 or self.maximum_rank < 1:
            raise ValueError("slots, batch and maximum rank must be at least 1")
        for name in (self.base_model, self.control_model, self.upscaler, self.safety_checker):
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise ValueError(f"model {name!r} must be a folder below the models folder")
        if not self.base_model:
            raise ValueError("no base model is named")
