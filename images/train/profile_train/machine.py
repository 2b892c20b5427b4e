"""Memory of this machine, and sizes of the networks that are to stand in it, before any of them is loaded."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from profile_contract.stages.train import TrainParameters
from profile_draw.families.table import family_of

from .memory import FreeMemory, NetworkSizes

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def memory_here() -> FreeMemory:
    """What is free on the GPU, if there is one; else of the machine's memory, within the limit of this container."""
    if torch.cuda.is_available():
        return FreeMemory(torch.cuda.mem_get_info()[0], accelerated=True)
    known = [free for free in (_within_limit(CGROUP), _available(MEMINFO)) if free is not None]
    return FreeMemory(min(known, default=None), accelerated=False)


def _within_limit(cgroup: Path) -> int | None:
    """The bytes below a control group's limit; None where there is no limit. Files that were read may go."""
    try:
        limit, used = (cgroup / "memory.max").read_text(), int((cgroup / "memory.current").read_text())
        cached = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return max(0, int(limit) - used + int(cached.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None


def _available(meminfo: Path) -> int | None:
    """The bytes that the kernel could give to a new program; None where it does not say."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return None


def sizes_of(models: Path, parameters: TrainParameters, control: str) -> NetworkSizes:
    """What the headers of the weights' files say; nothing of what cannot be read, which loading will tell of.

    `control`: the ControlNet that stands beside the UNet, if any.
    """
    try:
        family = family_of(models / parameters.base_model)
        unet = _shapes(models / parameters.base_model / "unet")
        beside = _shapes(models / control) if control else {}
    except (OSError, ValueError, SafetensorError):
        return NetworkSizes()
    ends = tuple(f".{name}.weight" for name in family.modules(parameters.adapter_layers))
    adapted = [shape for name, shape in unet.items() if f".{name}".endswith(ends)]
    adapter = sum(parameters.rank * (shape[0] + math.prod(shape[1:])) for shape in adapted)
    return NetworkSizes(sum(map(math.prod, unet.values())), sum(map(math.prod, beside.values())), adapter)


def _shapes(folder: Path) -> dict[str, list[int]]:
    """The shape of each weight in a folder. Raises OSError or SafetensorError."""
    shapes: dict[str, list[int]] = {}
    # Where a model comes in two precisions, both files name the same weights.
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            shapes |= {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    return shapes
