"""The linear transform as SDXL's autoencoder class: plain diffusers loads it, and nothing has to be trained.

`AutoencoderKL` is made of convolutions, normalising layers, SiLU and doubling by the nearest neighbour. All of it can
be made to do linear algebra:

- SiLU(x) - SiLU(-x) = x: whatever passes a SiLU goes in twice, once with its sign turned.
- A normalising layer of such pairs takes no mean away; constants beside them, larger than any picture, keep the
  deviation the same for every picture. Its own scale and shift then undo it (`_calibrate`).
- After doubling, all four copies of a cell are alike, and a convolution cannot tell them apart. The padding at the
  border can: steps walk inwards from each end, a cell a convolution, and add up to ramps; the second difference of a
  doubled ramp is -1, +1, -1, +1. SiLU(y + B p) - SiLU(B p), with p of +1 or -1 or more and a large B, is y or nothing:
  so each copy keeps the quarter of its cell's pixels that is its own.

A ramp rises over REACH cells and is level from there. Between them the ramps of both ends must rise everywhere, and
each must be level where it ends: pictures have an edge of SMALLEST to LARGEST pixels, 104 to 192.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.nn import functional

from profile_workshop.portraits.linear import BLOCK, LinearTransform
from profile_workshop.studio_mini.compose import SIZE

GROUPS = 4
LEVELS = (32, 80, 192, 160)
"""Channels, the finest level first."""
KEPT = 36
"""Of the 48 numbers of a 4 x 4 block: with fewer pictures lose sharpness, more do not fit beside their gates."""
CONSTANT = 4096.0
MARGIN = 10.0
"""By how much a gate is open or shut."""
GATE = 2 * MARGIN
"""What alternates is between 1 and 2 in size: a gate opens above one and a half of both axes' together."""
DEVIATION = 0.03
"""Of the posterior that the encoder gives: trainers draw from it, and a little noise does no harm."""
LAYERS = 3
"""Residual blocks a level, and one more on the way up: only their number says how far a ramp can reach."""
REACH = 2 * (2 + LAYERS + 1) + 1
"""Cells up to the level part: a step a convolution, two in each of the coarsest level's blocks, and the first cell."""
SMALLEST, LARGEST = REACH * BLOCK, (2 * REACH - 2) * BLOCK
CALIBRATED_AT = 160
"""Pixels: constants are as large as they are so that other sizes hardly differ."""
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
    """The same transform, to a few thousandths of the range; square `pictures` (N, 3, H, H) in -1 to 1 say how large
    numbers get."""
    pictures = functional.interpolate(pictures, size=(CALIBRATED_AT, CALIBRATED_AT), mode="bilinear")
    vae = AutoencoderKL(
        sample_size=SIZE,
        latent_channels=transform.channels,
        down_block_types=("DownEncoderBlock2D",) * len(LEVELS),
        up_block_types=("UpDecoderBlock2D",) * len(LEVELS),
        block_out_channels=LEVELS,
        layers_per_block=LAYERS,
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
ENDS = tuple((axis, side) for axis in AXES for side in SIDES)

End = tuple[str, str]
Pair = tuple[int, int]
"""A channel and another one of its group that holds the same with its sign turned, so that the group's mean stays."""


def _pairs(free: Sequence[int]) -> list[Pair]:
    """Channels by twos: every group has an even number of free ones."""
    return list(itertools.pairwise(free))[::2]


def _ramps(free: Sequence[int]) -> dict[End, Pair]:
    """Where the ramp of each end is kept, the same for every picture of a size."""
    return dict(zip(ENDS, _pairs(free), strict=False))


def _alternating(free: Sequence[int]) -> dict[str, Pair]:
    """Where each axis keeps -1, +1, -1 and so on."""
    return dict(zip(AXES, _pairs(free)[len(ENDS) :], strict=False))


def _set_decoder(vae: AutoencoderKL, transform: LinearTransform, latents: torch.Tensor) -> None:
    decoder: Any = vae.decoder
    layout = _layout(LEVELS[3], transform.channels, constants=4)
    ramps = _ramps(layout.free)
    fronts = dict(zip(ENDS, _pairs(layout.free)[len(ENDS) :], strict=True))
    _put_pairs(decoder.conv_in, layout, range(transform.channels), torch.eye(transform.channels))
    _put_constants(decoder.conv_in.bias, layout.constants)
    for end in ENDS:
        for plus, minus in (fronts[end], ramps[end]):
            decoder.conv_in.bias[plus], decoder.conv_in.bias[minus] = 1.0, -1.0
    for block in (*decoder.mid_block.resnets, *decoder.up_blocks[0].resnets):
        _walk(block, fronts, ramps)
    level = float(REACH)
    for number, split in enumerate(_splits(transform, latents)):
        _double(decoder.up_blocks[number].upsamplers[0].conv, layout, level)
        layout = _split(decoder.up_blocks[number + 1].resnets[0], layout, split)
        level = 2 * level - 0.5
    _read_pairs(decoder.conv_out, layout, range(3))


def _walk(block: Any, fronts: dict[End, Pair], ramps: dict[End, Pair]) -> None:
    """Two cells further from every end; what was passed is added to the ramps. A front is 1 from its k-th cell on."""
    hidden = _layout(LEVELS[3], 2 * len(fronts), constants=8)
    pairs = list(zip(hidden.plus, hidden.minus, strict=True))
    _put_constants(block.conv1.bias, hidden.constants)
    for number, (end, front) in enumerate(fronts.items()):
        before, once = pairs[2 * number : 2 * number + 2]
        onwards = _tap(*end)
        for pair, tap in ((before, CENTRE), (once, onwards)):
            _read(block.conv1, pair, front, tap)
        _read(block.conv2, front, once, onwards)
        _read(block.conv2, front, before, CENTRE, sign=-1.0)
        _read(block.conv2, ramps[end], once, CENTRE)
        _read(block.conv2, ramps[end], once, onwards)


def _tap(axis: str, side: str) -> tuple[int, int]:
    """Where in a kernel the neighbour towards that end stands."""
    return _along(axis, 0 if side == SIDES[0] else 2)


def _along(axis: str, offset: int) -> tuple[int, int]:
    """Where in a kernel a neighbour along an axis stands: 0 before, 1 itself, 2 behind."""
    return (1, offset) if axis == AXES[0] else (offset, 1)


def _read(layer: nn.Conv2d, targets: Pair, pair: Pair, tap: tuple[int, int], *, sign: float = 1.0) -> None:
    """Add a pair's value, after a SiLU, times `sign` to one of the targets and take it from the other."""
    for target, turned in zip(targets, (sign, -sign), strict=True):
        layer.weight[target, pair[0], *tap] += turned
        layer.weight[target, pair[1], *tap] -= turned


def _double(layer: nn.Conv2d, layout: ChannelPlan, level: float) -> None:
    """After doubling: the same pairs and constants, ramps of the finer cells, and what alternates.

    `level` is what ramps end at. The second difference a of a doubled ramp is -1 and +1 by turns while it rises and 0
    from there; at its far end, where padding would be a cliff, the constants that end with it lift it back. Of two
    ramps that rise against each other, one's less the other's is what alternates. A ramp r of finer cells is
    2 r - 1/2 + a / 2.
    """
    values = [*layout.plus, *layout.minus]
    layer.weight[values, values, 1, 1] = 1.0
    _put_constants(_bias(layer), layout.constants)
    constant, alternating = layout.constants[0], _alternating(layout.free)
    for (axis, side), ramp in _ramps(layout.free).items():
        rising = 1.0 if side == SIDES[0] else -1.0
        far = _along(axis, 2 if side == SIDES[0] else 0)
        for sign, own, target in zip((1.0, -1.0), ramp, alternating[axis], strict=True):
            for part, into in ((0.5 * sign, own), (rising * sign, target)):
                for offset, weight in enumerate((1.0, -2.0, 1.0)):
                    layer.weight[into, ramp[0], *_along(axis, offset)] += part * weight
                layer.weight[into, constant, *far] -= part * level / CONSTANT
                _bias(layer)[into] += part * level
            layer.weight[own, ramp[0], *CENTRE] += 2.0 * sign
            _bias(layer)[own] -= 0.5 * sign


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
            block.conv1.bias[channel] -= 1.5 * GATE
            for axis, sign in zip(AXES, signs, strict=True):
                plus, minus = alternating[axis]
                block.conv1.weight[channel, plus, 1, 1] += sign * GATE
                block.conv1.weight[channel, minus, 1, 1] -= sign * GATE
    for number, channel in enumerate(hidden.balance):
        # The mean of a group must not depend on the picture.
        block.conv1.weight[channel, layout.plus, 1, 1] = -matrix[:, number].sum(dim=0)
        block.conv1.weight[channel, layout.minus, 1, 1] = matrix[:, number].sum(dim=0)
        block.conv1.bias[channel] = -shift[:, number].sum()
    _put_constants(block.conv_shortcut.bias, after.constants)
    for end, ramp in _ramps(after.free).items():
        block.conv_shortcut.weight[ramp, _ramps(layout.free)[end]] = 1.0
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
    """A gate is never quite open or shut: SiLU's slope at MARGIN and -MARGIN is a little more than 1 and less than 0.
    Quarters that differ along one axis leak into each other; `values` (4, ...) are mixed so that it comes out right."""
    shut = 1 / (1 + math.exp(MARGIN))
    leak = (1 - shut) * (1 + MARGIN * shut) - 1
    mix = torch.eye(4) * (1 + leak)
    for quarter, (row, column) in enumerate(QUARTERS):
        for other, (down, right) in enumerate(QUARTERS):
            if (row != down) != (column != right):
                mix[quarter, other] = -leak
    return torch.einsum("pq,q...->p...", torch.linalg.inv(mix), values)
