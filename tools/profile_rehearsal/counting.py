"""Counts bytes and FLOPs of SDXL's networks at full size on tensors without contents: no weight is ever in memory."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from peft import LoraConfig
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from .networks import NetworkSize, control_of, unet_of, vae_of

GIB = 1 << 30
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]


class LiveBytes(TorchDispatchMode):
    """Bytes of tensors that were made since it was entered: `now`, and `peak`, the most at once."""

    def __init__(self, before: Iterator[torch.Tensor]) -> None:
        """`before`: tensors that are not counted."""
        super().__init__()
        self.now = self.peak = 0
        self._known = {tensor.untyped_storage()._cdata: 0 for tensor in before}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(answer):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return answer

    def _count(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.now -= self._known.pop(key, 0)


@contextmanager
def norms_in_float32() -> Iterator[None]:
    """As CUDA's autocast has them; a CPU's leaves them in half precision."""
    group, layer = F.group_norm, F.layer_norm

    def wide(weight: torch.Tensor | None) -> torch.Tensor | None:
        return None if weight is None else weight.float()

    def group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> torch.Tensor:
        return group(x.float(), groups, wide(weight), wide(bias), eps)

    def layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> torch.Tensor:
        return layer(x.float(), shape, wide(weight), wide(bias), eps)

    F.group_norm, F.layer_norm = group_norm, layer_norm  # type: ignore[assignment]
    try:
        yield
    finally:
        F.group_norm, F.layer_norm = group, layer


@dataclass(frozen=True)
class CountedCall:
    """Of one call: bytes at the peak beside the weights, and floating point operations."""

    peak: int
    flops: int


def _as_fake(network: Any, mode: FakeTensorMode, dtype: torch.dtype) -> None:
    """Give a network without contents tensors that know a device; what is trained is float32."""
    for module in network.modules():
        for kind in (module._parameters, module._buffers):
            for name, tensor in kind.items():
                if tensor is not None:
                    kind[name] = _fake(tensor, mode, dtype)


def _fake(tensor: torch.Tensor, mode: FakeTensorMode, dtype: torch.dtype) -> torch.Tensor:
    wanted = torch.float32 if tensor.requires_grad else dtype if tensor.is_floating_point() else tensor.dtype
    empty = torch.empty(tensor.shape, dtype=wanted, device="meta")
    fake = mode.fake_tensor_converter.from_meta_and_device(mode, empty, torch.device("cpu"))
    return torch.nn.Parameter(fake, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else fake


def training_step(
    size: NetworkSize, *, rows: int, edge: int, checkpointing: bool, half: bool, rank: int
) -> CountedCall:
    """One forward and backward pass of a LoRA in the UNet's attention, as the trainer takes it on a GPU."""
    unet = unet_of(size)
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=ATTENTION))
    if checkpointing:
        unet.enable_gradient_checkpointing()

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            predicted = unet(**_inputs(size, rows, edge, edge, torch.float32)).sample
        torch.autograd.backward(predicted.float().pow(2).mean())

    with norms_in_float32() if half else nullcontext():
        return _counted(unet.train(), step, torch.bfloat16 if half else torch.float32)


def _inputs(size: NetworkSize, rows: int, width: int, height: int, dtype: torch.dtype) -> dict[str, Any]:
    """What a UNet is called with."""
    pooled = torch.randn(rows, size.texts[1]["projection_dim"], dtype=dtype)
    return {
        "sample": torch.randn(rows, 4, height // 8, width // 8, dtype=dtype),
        "timestep": torch.zeros(rows, dtype=torch.long),
        "encoder_hidden_states": torch.randn(rows, 77, size.unet["cross_attention_dim"], dtype=dtype),
        "added_cond_kwargs": {"text_embeds": pooled, "time_ids": torch.randn(rows, 6, dtype=dtype)},
    }


def drawing_call(size: NetworkSize, *, rows: int, width: int, height: int, control: bool) -> CountedCall:
    """One call of the UNet, or of the ControlNet, without gradients."""
    network = control_of(size) if control else unet_of(size)
    network.requires_grad_(False)

    def call() -> None:
        shown = {"controlnet_cond": torch.randn(rows, 3, height, width, dtype=torch.bfloat16)} if control else {}
        with torch.no_grad():
            network(**_inputs(size, rows, width, height, torch.bfloat16), **shown)

    return _counted(network.eval(), call, torch.bfloat16)


def autoencoder(size: NetworkSize, *, width: int, height: int, decode: bool, half: bool) -> CountedCall:
    """One picture encoded, or decoded."""
    vae = vae_of(size)
    vae.requires_grad_(False)
    dtype = torch.bfloat16 if half else torch.float32

    def call() -> None:
        with torch.no_grad():
            if decode:
                vae.decode(torch.randn(1, 4, height // 8, width // 8, dtype=dtype))
            else:
                vae.encode(torch.randn(1, 3, height, width, dtype=dtype))

    return _counted(vae.eval(), call, dtype)


def _counted(network: Any, call: Callable[[], None], dtype: torch.dtype) -> CountedCall:
    """Peak and FLOPs, one after the other: the counter of FLOPs keeps alive what goes through a module."""
    mode = FakeTensorMode()
    with mode:
        _as_fake(network, mode, dtype)
        live = LiveBytes(iter([*network.parameters(), *network.buffers()]))
        with live:
            call()
        network.zero_grad(set_to_none=True)
        flops = FlopCounterMode(display=False)
        with flops:
            call()
    return CountedCall(live.peak, flops.get_total_flops())
