"""low_rank: what LoRA, LoCon and LoHa change of a layer, as one product of two matrices, without loss."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from profile_draw.errors import Refused

from .weights import LayerSize, LayerWeights

_LOHA = frozenset({"w1_a", "w1_b", "w2_a", "w2_b"})
_TUCKER = frozenset({"t1", "t2"})


def low_rank(
    name: str, parts: Mapping[str, torch.Tensor], size: LayerSize, alpha: float | None, most: int
) -> LayerWeights:
    """The change of the layer `name`, from the parts that stand in a file, in float32.

    `alpha` None: the rank of the file. `most`: the greatest rank that is served. Raises Refused where parts are missing
    or do not fit the layer, and for too great a rank.
    """
    values = {part: tensor.float() for part, tensor in parts.items()}
    kind = frozenset(values)
    if kind in (_LOHA, _LOHA | _TUCKER):
        rank = _rank_of(name, values["w1_b"])
        # Ahead of the product, which has as many directions as both ranks multiplied.
        _check_rank(name, rank * _rank_of(name, values["w2_b"]), most, f"LoHa of rank {rank}, which is served as ")
        down, up = _hadamard(name, values)
    elif kind in ({"down", "up"}, {"down", "up", "mid"}):
        rank = _rank_of(name, values["down"])
        _check_rank(name, rank, most)
        down, up = _with_middle(name, values) if "mid" in kind else (values["down"], values["up"])
    else:
        raise Refused(f"the adapter holds only a part of the matrices of {name}: {', '.join(sorted(kind)) or 'none'}")
    down, up = _shaped(name, down, size.down(len(down))), _shaped(name, up, size.up(len(down)))
    return LayerWeights(down, up, (rank if alpha is None else alpha) / rank)


def _rank_of(name: str, matrix: torch.Tensor) -> int:
    """The rows of a matrix, at least one."""
    if matrix.ndim < 2 or not len(matrix):
        raise Refused(f"the adapter's weights of {name} are no matrices")
    return len(matrix)


def _check_rank(name: str, rank: int, most: int, what: str = "") -> None:
    if rank > most:
        raise Refused(f"the adapter has {what}rank {rank} at {name}; at most {most} is served")


def _shaped(name: str, matrix: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """The matrix in the layer's shape: a convolution's is often written as a plain matrix, and a plain layer's as that
    of a convolution of single pixels."""
    plain = matrix.ndim >= 2 and all(edge == 1 for edge in matrix.shape[2:])
    if tuple(matrix.shape) != shape and not (plain and len(matrix) == shape[0] and matrix.numel() == math.prod(shape)):
        raise Refused(
            f"the adapter's weights of {name} do not fit: {'x'.join(map(str, matrix.shape))} instead of "
            f"{'x'.join(map(str, shape))}; it was trained on another base model"
        )
    return matrix.reshape(shape)


def _with_middle(name: str, parts: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """LoCon's third matrix, rank x rank x kernel, multiplied into the one into the rank."""
    down, middle = parts["down"].flatten(1), parts["mid"]
    if middle.ndim != 4 or middle.shape[:2] != (len(down), len(down)):
        raise Refused(f"the adapter's middle weights of {name} do not fit its others")
    return torch.einsum("rshw,si->rihw", middle, down), parts["up"]


def _hadamard(name: str, parts: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """LoHa's two products, multiplied number by number: one product whose directions are all pairs of theirs."""
    downs, ups = [], []
    for number in "12":
        up, down, core = parts[f"w{number}_a"], parts[f"w{number}_b"], parts.get(f"t{number}")
        if core is not None:
            # Of a convolution: the core is rank x rank x kernel, and the matrix out of the rank stands upright.
            if core.ndim != 4 or core.shape[:2] != (len(up), len(down)):
                raise Refused(f"the adapter's core weights of {name} do not fit its others")
            down, up = torch.einsum("rshw,si->rihw", core, down.flatten(1)), up.T
        if up.ndim != 2 or up.shape[1] != len(down):
            raise Refused(f"the adapter's weights of {name} do not fit each other")
        downs.append(down)
        ups.append(up)
    if downs[0].shape[1:] != downs[1].shape[1:] or len(ups[0]) != len(ups[1]):
        raise Refused(f"the adapter's weights of {name} do not fit each other")
    down = (downs[0][:, None] * downs[1][None]).flatten(0, 1)
    up = (ups[0][:, :, None] * ups[1][:, None, :]).flatten(1)
    return down, up
