"""SFace as a torch network: gradients tell a decoder what a face loses of whose it is.

The product runs the same weights by OpenCV (`profile_vision`), which knows no gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn
from torch.nn import functional

from profile_vision import FaceReader
from profile_vision.pixels import RGB, to_bgr

EDGE = 112
# Where eyes, nose and corners of the mouth belong in SFace's picture: FaceRecognizerSF::alignCrop of OpenCV.
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
# What a network says of a face before it forgets where in the face it is: outputs after every stride.
SEEN = ("conv_2_relu", "conv_4_relu", "conv_6_relu", "conv_12_relu")

Values = dict[str, torch.Tensor]


class Identity(nn.Module):
    """Embeds aligned faces; the few kinds of layers that SFace has, in the order of its file."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        graph = onnx.load(str(weights)).graph
        self._constants = {constant.name: torch.from_numpy(_array(constant)) for constant in graph.initializer}
        self._layers = [(node.op_type, list(node.input), node.output[0], _attributes(node)) for node in graph.node]
        for kind, inputs, output, attributes in self._layers:
            if kind == "DequantizeLinear":
                values = [self._constants[name] for name in inputs]
                self._constants[output] = _dequantised(*values, block=attributes["block_size"])
            elif kind == "Reshape":
                shape = [int(edge) for edge in self._constants[inputs[1]]]
                self._constants[output] = self._constants[inputs[0]].reshape(shape)
        self._layers = [layer for layer in self._layers if layer[0] in LAYERS]

    def forward(self, faces: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Aligned RGB faces (N, 3, 112, 112), 0 to 255 -> embeddings (N, 128) of length 1, and what was seen before."""
        values: Values = {"data": faces}
        current = faces
        for kind, inputs, output, attributes in self._layers:
            given = [values.get(name, self._constants.get(name)) for name in inputs]
            current = LAYERS[kind](attributes, *given)
            values[output] = current
        return functional.normalize(current, dim=1), [values[name] for name in SEEN]


def _convolution(given: Mapping[str, Any], current: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    top, left, bottom, right = given["pads"]
    padded = functional.pad(current, (left, right, top, bottom))
    return functional.conv2d(padded, weight, stride=given["strides"], groups=given["group"])


def _normalised(given: Mapping[str, Any], current: torch.Tensor, *learnt: torch.Tensor) -> torch.Tensor:
    gamma, beta, mean, variance = learnt
    return functional.batch_norm(current, mean, variance, gamma, beta, eps=given["epsilon"])


# How the values of one layer come from its attributes and inputs.
LAYERS: dict[str, Callable[..., torch.Tensor]] = {
    "BatchNormalization": _normalised,
    "Conv": _convolution,
    "Dropout": lambda _, current, *__: current,
    "Flatten": lambda _, current: current.flatten(1),
    "Gemm": lambda _, current, weight, bias: functional.linear(current, weight, bias.reshape(-1)),
    "Mul": lambda _, current, scale: current * scale,
    "PRelu": lambda _, current, slope: functional.prelu(current, slope.reshape(-1)),
    "Sub": lambda _, current, less: current - less,
}


def _array(initializer: onnx.TensorProto) -> NDArray[Any]:
    return np.array(numpy_helper.to_array(initializer))


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _dequantised(quantised: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, *, block: int) -> torch.Tensor:
    """Each scale stands for a block of numbers of the last axis."""
    width = quantised.shape[-1]
    scales, zeros = (values.float().repeat_interleave(block, dim=-1)[..., :width] for values in (scale, zero))
    return (quantised.float() - zeros) * scales


def alignments(reader: FaceReader, pictures: NDArray[np.uint8]) -> Iterator[NDArray[np.float64] | None]:
    """For each RGB picture (H, W, 3) the map (2, 3) from SFace's picture to it, in pixels; None without a face."""
    for picture in pictures:
        faces = reader.find(to_bgr(RGB(picture)))
        yield _alignment(faces[0].points) if faces else None


def _alignment(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Least squares over turning, scale and move; `points` (5, 2)."""
    rows = [[[x, -y, 1.0, 0.0], [y, x, 0.0, 1.0]] for x, y in PLACES]
    a, b, across, down = np.linalg.lstsq(np.array(rows).reshape(-1, 4), points.reshape(-1), rcond=None)[0]
    return np.array([[a, -b, across], [b, a, down]])


def aligned(pictures: torch.Tensor, moves: NDArray[np.float64]) -> torch.Tensor:
    """Pictures (N, 3, H, W) in -1 to 1 and maps (N, 2, 3) -> faces (N, 3, 112, 112), 0 to 255."""
    height, width = pictures.shape[2:]
    pixels = np.stack(np.meshgrid(np.arange(EDGE), np.arange(EDGE)), axis=-1).reshape(-1, 2)
    places = np.einsum("nij,pj->npi", moves[:, :, :2], pixels) + moves[:, None, :, 2]
    grid = (2 * places + 1) / np.array([width, height]) - 1
    shaped = torch.from_numpy(grid.astype(np.float32)).reshape(-1, EDGE, EDGE, 2)
    faces = functional.grid_sample(pictures, shaped, mode="bilinear", padding_mode="zeros", align_corners=False)
    return (faces.clamp(-1, 1) + 1) * 127.5
