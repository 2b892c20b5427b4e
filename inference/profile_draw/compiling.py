"""Compiling: the blocks that a network repeats, each kind of them once, for an accelerator."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence

import torch
from diffusers.models.attention import BasicTransformerBlock
from torch import nn

log = logging.getLogger(__name__)

# What Triton builds the launchers of its kernels with.
COMPILERS = ("cc", "gcc", "clang")
# A kind of block is compiled again for other numbers of people, rows and ranks, and for pictures of other sizes; after
# so many of them it is no longer compiled. torch's own limit, 8, is reached by two sizes of SDXL's blocks.
MOST_VERSIONS = 64


def compile_blocks(networks: Sequence[nn.Module], device: torch.device) -> int:
    """Have the transformer blocks of networks compiled at their first call; returns how many.

    None are where it does not pay (a CPU) or cannot be done (no C compiler): then the log says so, and they run as they
    are. Blocks of one kind share what was compiled: of SDXL's 70 there are two.
    """
    if device.type == "cpu":
        log.warning("nothing is compiled: on a CPU that takes longer than it saves")
        return 0
    if not any(map(shutil.which, (os.environ.get("CC") or "cc", *COMPILERS))):
        log.warning("nothing is compiled: there is no C compiler here; put gcc into the image, or set CC")
        return 0
    return sum(map(compile_repeated, networks))


def compile_repeated(network: nn.Module) -> int:
    """Have a network's transformer blocks compiled at their first call, on whatever device; returns how many.

    diffusers' own `compile_repeated_blocks` knows those of a UNet, and refuses a ControlNet.
    """
    torch._dynamo.config.recompile_limit = max(MOST_VERSIONS, torch._dynamo.config.recompile_limit)
    blocks = [module for module in network.modules() if isinstance(module, BasicTransformerBlock)]
    for block in blocks:
        block.compile()
    log.info("%d blocks of %s are compiled when they are first called", len(blocks), type(network).__name__)
    return len(blocks)
