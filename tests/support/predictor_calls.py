"""Tensors of the calls that the predictor gets."""

from __future__ import annotations

from typing import Any


def tensor(name: str, value: Any, datatype: str = "BYTES", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": datatype, "data": [value], **more}


PLAIN = [
    tensor("prompt", "x"),
    tensor("steps", 1, "INT32"),
    tensor("width", 64, "INT32"),
    tensor("height", 64, "INT32"),
]
