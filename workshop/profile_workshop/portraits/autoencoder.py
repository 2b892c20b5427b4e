"""The linear transform as SDXL's autoencoder class: plain diffusers loads it, and nothing has to be trained.

`AutoencoderKL` is made of convolutions, normalising layers, SiLU and doubling by the nearest neighbour. All of it can
be made to do linear algebra:

- SiLU(x) - SiLU(-x) = x: whatever passes a SiLU goes in twice, once with its sign turned.
- A normalising layer of such pairs takes no mean away; constants beside them, larger than any picture, keep the
  deviation the same for every picture. Its own scale and shift then undo it (`_calibrate`).
- After doubling, all four copies of a cell are alike, and a convolution cannot tell them apart. The padding at the
  border can: steps walk inwards from it, a cell a convolution, and add up to a ramp along each axis; the second
  difference of a doubled ramp is -1, +1, -1, +1. SiLU(y + B p) - SiLU(B p), with p of +1 or -1 and a large B, is y or
  nothing: so each copy keeps the quarter of its cell's pixels that is its own.

The ramps reach across 16 cells: pictures are 128 pixels wide and high.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import nn

from profile_workshop.portraits.linear import BLOCK, LinearTransform
from profile_workshop.studio_mini.compose import SIZE

GROUPS = 4
LEVELS = (32, 80, 192, 160)
"""Channels, the finest level first."""
KEPT = 36
"""Of the 48 numbers of a 4 x 4 block: with fewer pictures lose sharpness, more do not fit beside their gates."""
CONSTANT = 1024.0
GATE = 10.0
DEVIATION = 0.03
"""Of the posterior that the encoder gives: trainers draw from it, and a little noise does no harm."""
CELLS = SIZE // BLOCK
QUARTERS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Rows and columns of a cell's copies."""
CENTRE = (1, 1)


@dataclass(frozen=True)
class ChannelPlan:
    """Which channels of a level hold what. Every normalising group has its share of pairs and constants."""

    plus: list[int]
    minus: list[int]
    constants: list[int]
    free: list[int]


def linear_autoencoder(transform: LinearTransform, pictures: torch.Tensor) -> AutoencoderKL:
    """The same transform, to a few thousandths of the range; `pictures` (N, 3, 128, 128) in -1 to 1 say how large
    numbers get."""
    vae = AutoencoderKL(
        sample_size=SIZE,
        latent_channels=transform.channels,
        down_block_types=("DownEncoderBlock2D",) * len(LEVELS),
        up_block_types=("UpDecoderBlock2D",) * len(LEVELS),
        block_out_channels=LEVELS,
        layers_per_block=1,
        norm_num_groups=GROUPS,
        mid_block_add_attention=False,
        force_upcast=True,
        scaling_factor=1.0,
    )
    vae.requires_grad_(False)
    for network in (vae.encoder, vae.decoder):
        _make_idle(network)
    latents = transform.encode(pictures)
    _set_encoder(vae, transform)
    _calibrate(vae.encoder, pictures)
    _set_decoder(vae, transform, latents)
    _calibrate(vae.decoder, latents)
    return vae.requires_grad_(True).eval()


def _make_idle(network: nn.Module) -> None:
    """All convolutions give nothing: residual blocks pass on what they are given."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(_bias(layer))


def _bias(layer: nn.Conv2d) -> torch.Tensor:
    if layer.bias is None:
        raise TypeError("SDXL's autoencoder has no convolution without a bias")
    return layer.bias


def _calibrate(network: nn.Module, given: torch.Tensor) -> None:
    """Let every normalising layer pass on what it gets: those before it first, so in one run."""

    def undo(layer: nn.GroupNorm, inputs: tuple[torch.Tensor, ...]) -> None:
        groups = inputs[0].reshape(len(inputs[0]), GROUPS, -1)
        size = layer.num_channels // GROUPS
        variance = groups.var(dim=2, unbiased=False).mean(dim=0)
        layer.weight.copy_((variance + layer.eps).sqrt().repeat_interleave(size))
        layer.bias.copy_(groups.mean(dim=(0, 2)).repeat_interleave(size))

    hooks = [layer.register_forward_pre_hook(undo) for layer in network.modules() if isinstance(layer, nn.GroupNorm)]
    with torch.no_grad():
        network(given)
    for hook in hooks:
        hook.remove()


def _layout(width: int, pairs: int, constants: int) -> ChannelPlan:
    """Spread `pairs` and `constants` (an even number in each group) evenly over the groups of a level."""
    size = width // GROUPS
    plus, minus, constant, free = [], [], [], []
    for group in range(GROUPS):
        channels = list(range(group * size, (group + 1) * size))
        own = pairs // GROUPS + (group < pairs % GROUPS)
        plus += channels[:own]
        minus += channels[own : 2 * own]
        constant += channels[2 * own : 2 * own + constants]
        free += channels[2 * own + constants :]
    return ChannelPlan(plus, minus, constant, free)


def _put_constants(bias: torch.Tensor, channels: Sequence[int]) -> None:
    for number, channel in enumerate(channels):
        bias[channel] = CONSTANT if number % 2 == 0 else -CONSTANT


def _put_pairs(layer: nn.Conv2d, layout: ChannelPlan, inputs: Sequence[int], matrix: torch.Tensor) -> None:
    """`matrix` (pairs, inputs) in the middle of the kernel, and its negative for the other of each pair."""
    row, column = CENTRE if layer.kernel_size == (3, 3) else (0, 0)
    for target, values in zip(layout.plus, matrix, strict=True):
        layer.weight[target, list(inputs), row, column] = values
    for target, values in zip(layout.minus, matrix, strict=True):
        layer.weight[target, list(inputs), row, column] = -values


def _set_encoder(vae: AutoencoderKL, transform: LinearTransform) -> None:
    """Gather the pixels of a block into channels, halving by halving; the last halving weighs them."""
    encoder: Any = vae.encoder
    encoder.conv_in.weight[[0, 1, 2], [0, 1, 2], 1, 1] = 1.0
    places = [(0, 0, colour) for colour in range(3)]
    for level, block in enumerate(encoder.down_blocks[:2]):
        _pass_on(block.resnets[0], len(places))
        gathered: list[tuple[int, int, int]] = []
        for row, column in QUARTERS:
            for channel, (down, right, colour) in enumerate(places):
                block.downsamplers[0].conv.weight[len(gathered), channel, row, column] = 1.0
                gathered.append((down + row * 2**level, right + column * 2**level, colour))
        places = gathered
    last = encoder.down_blocks[2]
    _pass_on(last.resnets[0], len(places))
    matrix = (transform.basis / transform.scale).T
    for row, column in QUARTERS:
        for channel, (down, right, colour) in enumerate(places):
            number = ((down + 4 * row) * BLOCK + right + 4 * column) * 3 + colour
            last.downsamplers[0].conv.weight[: transform.channels, channel, row, column] = matrix[:, number]
    last.downsamplers[0].conv.bias[: transform.channels] = -(transform.mean @ transform.basis) / transform.scale
    layout = _layout(LEVELS[3], transform.channels, constants=8)
    shortcut = encoder.down_blocks[3].resnets[0].conv_shortcut
    _put_pairs(shortcut, layout, range(transform.channels), torch.eye(transform.channels))
    _put_constants(shortcut.bias, layout.constants)
    _read_pairs(encoder.conv_out, layout, range(transform.channels))
    _set_posterior(vae, transform.channels)


def _pass_on(block: Any, count: int) -> None:
    if block.conv_shortcut is not None:
        block.conv_shortcut.weight[range(count), range(count)] = 1.0


def _read_pairs(layer: nn.Conv2d, layout: ChannelPlan, targets: Sequence[int]) -> None:
    """After a SiLU: one of the pair less the other."""
    layer.weight[list(targets), layout.plus, 1, 1] = 1.0
    layer.weight[list(targets), layout.minus, 1, 1] = -1.0


def _set_posterior(vae: AutoencoderKL, channels: int) -> None:
    nn.init.zeros_(vae.quant_conv.weight)
    nn.init.zeros_(vae.quant_conv.bias)
    vae.quant_conv.weight[range(channels), range(channels)] = 1.0
    vae.quant_conv.bias[channels:] = 2 * math.log(DEVIATION)
    nn.init.zeros_(vae.post_quant_conv.weight)
    nn.init.zeros_(vae.post_quant_conv.bias)
    vae.post_quant_conv.weight[range(channels), range(channels)] = 1.0


AXES = ("across", "down")
SIDES = ("from the start", "from the end")


Ramps = dict[str, int]
"""For each axis the channel that says how far along it a cell is, the same for every picture."""


def _ramps(free: Sequence[int]) -> Ramps:
    return dict(zip(AXES, free[:2], strict=True))


def _alternating(free: Sequence[int]) -> list[list[int]]:
    """For each axis a pair of channels: -1, +1, -1 and so on."""
    return [list(free[2:4]), list(free[4:6])]


def _set_decoder(vae: AutoencoderKL, transform: LinearTransform, latents: torch.Tensor) -> None:
    decoder: Any = vae.decoder
    layout = _layout(LEVELS[3], transform.channels, constants=4)
    ramps = _ramps(layout.free)
    ends = [(axis, side) for axis in AXES for side in SIDES]
    fronts = {key: layout.free[2 + 2 * number : 4 + 2 * number] for number, key in enumerate(ends)}
    _put_pairs(decoder.conv_in, layout, range(transform.channels), torch.eye(transform.channels))
    _put_constants(decoder.conv_in.bias, layout.constants)
    for plus, minus in fronts.values():
        decoder.conv_in.bias[plus], decoder.conv_in.bias[minus] = 1.0, -1.0
    walkers = [*decoder.mid_block.resnets, *decoder.up_blocks[0].resnets]
    for number, block in enumerate(walkers):
        _walk(block, fronts, ramps, last=number == len(walkers) - 1)
    for number, split in enumerate(_splits(transform, latents)):
        _double(decoder.up_blocks[number].upsamplers[0].conv, layout, CELLS * 2**number)
        layout = _split(decoder.up_blocks[number + 1].resnets[0], layout, split)
    _read_pairs(decoder.conv_out, layout, range(3))


def _walk(block: Any, fronts: dict[tuple[str, str], list[int]], ramps: Ramps, *, last: bool) -> None:
    """Two cells further from every end; what was passed is added to the ramps.

    A front is 1 from its k-th cell on. From the end the last step is left out: 8 + 7 cells and one between them."""
    hidden = _layout(LEVELS[3], 2 * len(fronts), constants=8)
    pairs = list(zip(hidden.plus, hidden.minus, strict=True))
    _put_constants(block.conv1.bias, hidden.constants)
    for number, ((axis, side), (plus, minus)) in enumerate(fronts.items()):
        before, once = pairs[2 * number : 2 * number + 2]
        onwards = _tap(axis, side)
        for pair, tap in ((before, CENTRE), (once, onwards)):
            for target, sign in zip(pair, (1.0, -1.0), strict=True):
                _read(block.conv1, target, (plus, minus), tap, sign=sign)
        for target, sign in ((plus, 1.0), (minus, -1.0)):
            _read(block.conv2, target, once, onwards, sign=sign)
            _read(block.conv2, target, before, CENTRE, sign=-sign)
        rising = 1.0 if side == SIDES[0] else -1.0
        _read(block.conv2, ramps[axis], once, CENTRE, sign=rising)
        if not (last and side == SIDES[1]):
            _read(block.conv2, ramps[axis], once, onwards, sign=rising)


def _tap(axis: str, side: str) -> tuple[int, int]:
    """Where in a kernel the neighbour towards that end stands."""
    offset = 0 if side == SIDES[0] else 2
    return (1, offset) if axis == AXES[0] else (offset, 1)


def _read(layer: nn.Conv2d, target: int, pair: tuple[int, int], tap: tuple[int, int], *, sign: float) -> None:
    """Add a pair's value, after a SiLU, times `sign`."""
    plus, minus = pair
    layer.weight[target, plus, *tap] += sign
    layer.weight[target, minus, *tap] -= sign


def _double(layer: nn.Conv2d, layout: ChannelPlan, cells: int) -> None:
    """After doubling `cells`: the same pairs and constants, ramps of the finer cells, and what alternates."""
    pairs = [*layout.plus, *layout.minus]
    layer.weight[pairs, pairs, 1, 1] = 1.0
    _put_constants(_bias(layer), layout.constants)
    kernels, shifts = _finer(cells)
    for (axis, ramp), alternating in zip(_ramps(layout.free).items(), _alternating(layout.free), strict=True):
        for target, weights, shift in zip([ramp, *alternating], kernels, shifts, strict=True):
            _bias(layer)[target] = float(shift)
            for channel, three in zip([ramp, layout.constants[0]], weights, strict=True):
                for offset, value in enumerate(three):
                    tap = (1, offset) if axis == AXES[0] else (offset, 1)
                    layer.weight[target, channel, *tap] = float(value)


def _finer(cells: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Kernels (3, 2, 3) and shifts (3,) along one axis: from a doubled ramp and a constant, which the padding ends, to
    the finer ramp, to -1, +1 and to its negative. They are exact; least squares only finds them."""
    given = np.stack([_ramp(cells), np.full(cells, CONSTANT)]).repeat(2, axis=1)
    padded = np.pad(given, ((0, 0), (1, 1)))
    features = np.concatenate([padded[:, offset : offset + 2 * cells] for offset in range(3)])
    alternating = np.where(np.arange(2 * cells) % 2 == 0, -1.0, 1.0)
    wanted = np.stack([_ramp(2 * cells), alternating, -alternating])
    known = np.concatenate([features, np.ones((1, 2 * cells))]).T
    solved, *_ = np.linalg.lstsq(known, wanted.T, rcond=1e-12)
    return np.asarray(solved[:-1].T.reshape(3, 3, 2).transpose(0, 2, 1), np.float64), np.asarray(solved[-1], np.float64)


def _ramp(cells: int) -> NDArray[Any]:
    """What the walk adds up to, or a finer one: rising by 1 a cell, about 0 in the middle."""
    middle = cells / 2 - 1 if cells == CELLS else (cells - 1) / 2
    return np.arange(cells) - middle


@dataclass(frozen=True)
class Split:
    """For each quarter of a cell its numbers: `matrix` (4, numbers, inputs) and `shift` (4, numbers)."""

    matrix: torch.Tensor
    shift: torch.Tensor


def _splits(transform: LinearTransform, latents: torch.Tensor) -> list[Split]:
    """Latents -> numbers of 4 x 4 blocks -> pixels of 2 x 2 blocks -> pixels."""
    pixels = (transform.basis * transform.scale).reshape(BLOCK, BLOCK, 3, -1)
    mean = transform.mean.reshape(BLOCK, BLOCK, 3)
    blocks = torch.stack([_quarter(pixels, quarter).reshape(48, -1) for quarter in QUARTERS])
    means = torch.stack([_quarter(mean, quarter).reshape(48) for quarter in QUARTERS])
    rows = latents.permute(0, 2, 3, 1).reshape(-1, transform.channels)
    values = torch.cat([rows @ block.T + shift for block, shift in zip(blocks, means, strict=True)])
    _, vectors = torch.linalg.eigh(values.T @ values)
    basis = vectors.flip(1)[:, :KEPT]
    # Numbers must be small beside the gate.
    largest = (values @ basis).abs().quantile(0.999, dim=0) if len(values) < 10_000 else _largest(values @ basis)
    coarse = Split((basis / largest).T @ blocks, means @ (basis / largest))
    whole = (basis * largest).reshape(4, 4, 3, KEPT)
    middle = torch.stack([_quarter(whole, quarter).reshape(12, KEPT) for quarter in QUARTERS])
    plain = torch.eye(12).reshape(2, 2, 3, 12)
    fine = torch.stack([plain[row, column] for row, column in QUARTERS])
    return [coarse, Split(middle, torch.zeros(4, 12)), Split(fine, torch.zeros(4, 3))]


def _largest(values: torch.Tensor) -> torch.Tensor:
    return values[:: max(1, len(values) // 100_000)].abs().amax(dim=0)


def _quarter(block: torch.Tensor, quarter: tuple[int, int]) -> torch.Tensor:
    half = len(block) // 2
    row, column = quarter
    return block[row * half : (row + 1) * half, column * half : (column + 1) * half]


def _split(block: Any, layout: ChannelPlan, split: Split) -> ChannelPlan:
    """Of each cell's four alike copies, every one keeps its own quarter's numbers."""
    numbers = split.matrix.shape[1]
    matrix, shift = (_unmixed(part) for part in (split.matrix, split.shift))
    hidden = _gates(block.conv1.out_channels, numbers)
    _put_constants(block.conv1.bias, hidden.constants)
    alternating = _alternating(layout.free)
    after = _layout(block.conv2.out_channels, numbers, constants=2 if block.conv2.out_channels < 80 else 4)
    for quarter, (row, column) in enumerate(QUARTERS):
        signs = (2 * column - 1, 2 * row - 1)
        for number in range(numbers):
            own = hidden.open[quarter][number]
            block.conv1.weight[own, layout.plus, 1, 1] = matrix[quarter, number]
            block.conv1.weight[own, layout.minus, 1, 1] = -matrix[quarter, number]
            block.conv1.bias[own] = shift[quarter, number]
            block.conv2.weight[after.plus[number], [own, hidden.gates[quarter]], 1, 1] = torch.tensor([1.0, -1.0])
            block.conv2.weight[after.minus[number], [own, hidden.gates[quarter]], 1, 1] = torch.tensor([-1.0, 1.0])
        for channel in [*hidden.open[quarter], hidden.gates[quarter]]:
            block.conv1.bias[channel] -= GATE
            for (plus, minus), sign in zip(alternating, signs, strict=True):
                block.conv1.weight[channel, plus, 1, 1] += sign * GATE
                block.conv1.weight[channel, minus, 1, 1] -= sign * GATE
    for number, channel in enumerate(hidden.balance):
        # The mean of a group must not depend on the picture.
        block.conv1.weight[channel, layout.plus, 1, 1] = -matrix[:, number].sum(dim=0)
        block.conv1.weight[channel, layout.minus, 1, 1] = matrix[:, number].sum(dim=0)
        block.conv1.bias[channel] = -shift[:, number].sum()
    _put_constants(block.conv_shortcut.bias, after.constants)
    for axis in AXES:
        block.conv_shortcut.weight[_ramps(after.free)[axis], _ramps(layout.free)[axis]] = 1.0
    return after


@dataclass(frozen=True)
class Gates:
    """Hidden channels of a split: each quarter's numbers, what balances them, and the gates alone."""

    open: list[list[int]]
    balance: list[int]
    gates: list[int]
    constants: list[int]


def _gates(width: int, numbers: int) -> Gates:
    size = width // GROUPS
    gates = Gates([[] for _ in QUARTERS], [], [], [])
    for group in range(GROUPS):
        channels = list(range(group * size, (group + 1) * size))
        own = numbers // GROUPS + (group < numbers % GROUPS)
        for number, quarter in enumerate(gates.open):
            quarter.extend(channels[number * own : (number + 1) * own])
        gates.balance.extend(channels[4 * own : 5 * own])
        gates.gates.append(channels[5 * own])
        left = channels[5 * own + 1 :]
        gates.constants.extend(left[: len(left) // 2 * 2])
    return gates


def _unmixed(values: torch.Tensor) -> torch.Tensor:
    """A gate is never quite open or shut: SiLU's slope at GATE and -GATE is a little more than 1 and less than 0.
    Quarters that differ along one axis leak into each other; `values` (4, ...) are mixed so that it comes out right."""
    shut = 1 / (1 + math.exp(GATE))
    leak = (1 - shut) * (1 + GATE * shut) - 1
    mix = torch.eye(4) * (1 + leak)
    for quarter, (row, column) in enumerate(QUARTERS):
        for other, (down, right) in enumerate(QUARTERS):
            if (row != down) != (column != right):
                mix[quarter, other] = -leak
    return torch.einsum("pq,q...->p...", torch.linalg.inv(mix), values)
