"""Memory: how large a model is by its files' headers, and what weights in eight bits teach."""

from __future__ import annotations

from pathlib import Path

import torch

from profile_contract.stages.train import AdapterLayers, TrainParameters
from profile_models import random_sdxl
from profile_train.machine import sizes_of
from profile_train.memory import NetworkSizes, Precision
from profile_train.model import load_base

HALF, QUARTER = Precision.BFLOAT16, Precision.FLOAT8


def test_headers_tell_how_large_a_model_is(random_models: Path) -> None:
    parameters = TrainParameters(base_model=random_sdxl.NAME, rank=4)
    base = load_base(random_models, random_sdxl.NAME, control=random_sdxl.CONTROL_NAME)
    for layers in AdapterLayers:
        sizes = sizes_of(
            random_models, parameters.model_copy(update={"adapter_layers": layers}), random_sdxl.CONTROL_NAME
        )
        assert sizes.unet == sum(weight.numel() for weight in base.pipeline.unet.parameters())
        assert base.control is not None
        assert sizes.control == sum(weight.numel() for weight in base.control.parameters())
        fresh = load_base(random_models, random_sdxl.NAME)
        assert sizes.adapter == sum(weight.numel() for weight in fresh.add_adapter(4, layers, 0).values())
    assert sizes_of(random_models, parameters.model_copy(update={"base_model": "nowhere"}), "") == NetworkSizes()


def test_weights_in_float8_teach_nearly_the_same(random_models: Path) -> None:
    def gradient(precision: Precision) -> torch.Tensor:
        base = load_base(random_models, random_sdxl.NAME, precision=precision)
        weights = base.add_adapter(4, AdapterLayers.ATTENTION, 0)
        if precision is QUARTER:
            base.store_in_float8()
            stored = sum(weight.nbytes for weight in base.unet.parameters() if not weight.requires_grad)
            assert stored < 1.05 * sum(w.numel() for w in base.unet.parameters() if not w.requires_grad)
            assert base.unet.dtype is torch.bfloat16
        base.unet.enable_gradient_checkpointing()
        base.unet.train()
        draw = torch.Generator().manual_seed(1)
        inputs = torch.randn(2, 4, 16, 16, generator=draw)
        added = {
            "text_embeds": torch.randn(2, random_sdxl.TEXT_WIDTH, generator=draw),
            "time_ids": torch.full((2, 6), 128.0),
        }
        tokens = torch.randn(2, 77, 2 * random_sdxl.TEXT_WIDTH, generator=draw)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answer = base.unet(inputs, torch.tensor([500, 300]), tokens, added_cond_kwargs=added).sample
        answer.float().pow(2).mean().backward()
        assert all(weight.dtype is torch.float32 for weight in weights.values())
        return torch.cat([weight.grad.flatten() for weight in weights.values() if weight.grad is not None])

    half, small = gradient(HALF), gradient(QUARTER)
    assert torch.nn.functional.cosine_similarity(half, small, dim=0) > 0.97
    assert not torch.equal(half, small)
