"""A safetensors file that is the same, byte by byte, for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from safetensors.torch import save

from profile_draw.finite import check_finite

from .header import LENGTH_BYTES


def tensor_file(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
    """The file of these tensors; the library alone writes metadata in no fixed order.

    Raises NotFinite, naming the tensor, for what is no finite number.
    """
    check_finite(tensors)
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata=dict(metadata))
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    header = json.loads(data[LENGTH_BYTES : LENGTH_BYTES + length])
    header = {
        "__metadata__": dict(sorted(metadata.items())),
        **{k: v for k, v in header.items() if k != "__metadata__"},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    # The data begin at a multiple of 8, as the library has it.
    text += b" " * (-len(text) % LENGTH_BYTES)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text + data[LENGTH_BYTES + length :]
