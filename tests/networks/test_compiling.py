"""Compiled blocks: where they are, and that they draw the same picture with the bank of adapters."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock

from profile_contract.style import Mode
from profile_draw.adapters.weights import AdapterWeights, LayerWeights
from profile_draw.compiling import compile_blocks, compile_repeated
from profile_draw.config import EngineConfig
from profile_draw.families.sdxl import Sdxl
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_models import random_sdxl
from profile_train.model import Base

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def block() -> torch.nn.Module:
    return torch.nn.ModuleList([BasicTransformerBlock(8, 1, 8), torch.nn.Linear(8, 8)])


def test_nothing_is_compiled_on_a_cpu(caplog: pytest.LogCaptureFixture) -> None:
    network = block()
    assert compile_blocks([network], CPU) == 0
    assert all(module._compiled_call_impl is None for module in network.modules())
    assert "on a CPU" in caplog.text


def test_nothing_is_compiled_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert compile_blocks([block()], CUDA) == 0
    assert "no C compiler" in caplog.text


def test_on_an_accelerator_the_blocks_of_all_networks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/cc")
    networks = [block(), block()]
    assert compile_blocks(networks, CUDA) == 2
    compiled = [module for network in networks for module in network.modules() if module._compiled_call_impl]
    assert [type(module) for module in compiled] == [BasicTransformerBlock] * 2


def test_a_pipeline_is_compiled_where_it_is_wanted(random_models: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Pipeline.load(EngineConfig(random_models, random_sdxl.NAME))
        assert "compiled" not in caplog.text
        Pipeline.load(EngineConfig(random_models, random_sdxl.NAME, compile=True))
    assert "nothing is compiled: on a CPU" in caplog.text


def test_the_trainer_has_what_it_trains_on_compiled_where_it_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    base = Base("toy", Sdxl(), None, block(), block(), None, CPU, autocast=False)
    base.to_device()
    assert "compiled" not in caplog.text
    replace(base, compiles=True).to_device()
    assert "nothing is compiled: on a CPU" in caplog.text


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A compiler that begins no pool of workers, and forgets."""
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    yield
    torch._dynamo.reset()


@pytest.mark.skipif(
    os.environ.get("PROFILE_COMPILE_TEST") != "1",
    reason="compiles for minutes: make test-compile",
)
@pytest.mark.usefixtures("one_process")
def test_compiled_blocks_draw_the_same_pictures_with_the_bank(random_models: Path) -> None:
    pipeline = Pipeline.load(EngineConfig(random_models, random_sdxl.NAME, slots=2, threads=1))

    def person(seed: int, rank: int) -> AdapterWeights:
        draw = torch.Generator().manual_seed(seed)
        layers = {
            name: LayerWeights(
                0.1 * torch.randn(size.down(rank), generator=draw),
                0.1 * torch.randn(size.up(rank), generator=draw),
                1.0,
            )
            for name, size in pipeline.bank.layers.items()
        }
        return AdapterWeights(f"{seed:064d}", layers)

    ann, ben = person(1, 8), person(2, 4)

    def pictures() -> list[np.ndarray]:
        """Of nobody, of one person, and of two beside nobody."""
        batches = [(None,), (ann,), (ann, None, ben)]
        shape = Shape(64, 64, 2, 2.0, Mode.TEXT_TO_IMAGE, 0.0, False, 0.0, 0.0)
        return [
            pipeline.draw(
                shape,
                [
                    Row(seed, seed, "portrait of ohwx", adapters=((who, 1.0),) if who else ())
                    for seed, who in enumerate(batch)
                ],
            ).astype(int)
            for batch in batches
        ]

    before = pictures()
    assert compile_repeated(pipeline.unet) > 1
    for eager, compiled in zip(before, pictures(), strict=True):
        assert np.abs(eager - compiled).max() <= 1
    assert np.abs(before[0][0] - before[1][0]).max() > 1
