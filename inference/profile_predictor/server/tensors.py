"""Orders and answers as V2 tensors.

Two ways to ask: one BYTES tensor that holds an order (`order`, `evict`, `check` or `receipt`), answered with `result`;
or plain tensors for people and notebooks (`prompt`, `seed`, and optionally `negative_prompt`, `steps`, `width`,
`height`, `guidance`), answered with `image`, uint8 height x width x 3.
"""

from __future__ import annotations

import math
import uuid
from typing import Any

import numpy as np
from kserve import InferInput, InferOutput, InferRequest, InferResponse
from kserve.errors import InvalidInput
from pydantic import ValidationError

from profile_contract.generation import (
    CHECK_TENSOR,
    EVICT_TENSOR,
    ORDER_TENSOR,
    RECEIPT_TENSOR,
    RESULT_TENSOR,
    EvictionOrder,
    GenerationItem,
    GenerationOrder,
    LookCheckOrder,
    ReceiptOrder,
)
from profile_contract.model import Contract
from profile_contract.problems import problems_of
from profile_contract.stages.order import RequestRef

IMAGE_TENSOR = "image"
_TEXTS = {"prompt": "prompt", "negative_prompt": "negative_prompt"}
_WHOLE = ("seed", "steps", "width", "height")
_FRACTIONS = ("guidance",)
# What a plain client's picture is counted under.
_NOBODY = RequestRef(namespace="", name="")
# What `/v2/models/<name>` says. An order, an eviction, a look to check, or `prompt` with the others if they are wanted.
METADATA = {
    "inputs": [
        *(
            {"name": name, "datatype": "BYTES", "shape": [1]}
            for name in (ORDER_TENSOR, EVICT_TENSOR, CHECK_TENSOR, RECEIPT_TENSOR, *_TEXTS)
        ),
        *({"name": name, "datatype": "INT64", "shape": [1]} for name in _WHOLE),
        *({"name": name, "datatype": "FP32", "shape": [1]} for name in _FRACTIONS),
    ],
    "outputs": [
        {"name": RESULT_TENSOR, "datatype": "BYTES", "shape": [1]},
        {"name": IMAGE_TENSOR, "datatype": "UINT8", "shape": [-1, -1, 3]},
    ],
}


_ORDERS = (
    (ORDER_TENSOR, GenerationOrder),
    (EVICT_TENSOR, EvictionOrder),
    (CHECK_TENSOR, LookCheckOrder),
    (RECEIPT_TENSOR, ReceiptOrder),
)


def order_of(request: InferRequest) -> GenerationOrder | EvictionOrder | LookCheckOrder | ReceiptOrder:
    """What is asked for by the tensor that holds an order. Raises InvalidInput."""
    for name, kind in _ORDERS:
        tensor = request.get_input_by_name(name)
        if tensor is not None:
            try:
                return kind.model_validate_json(_text(tensor))
            except ValidationError as error:
                raise InvalidInput(_what_is_wrong(error)) from error
    raise InvalidInput(f"no input is named {', '.join(repr(name) for name, _ in _ORDERS)} or 'prompt'")


def is_plain(request: InferRequest) -> bool:
    """Whether plain tensors ask for one picture."""
    return request.get_input_by_name("prompt") is not None


def plain_order(request: InferRequest, width: int, height: int) -> GenerationOrder:
    """An order for one picture of the base model; the size is the model's own unless told. Raises InvalidInput."""
    inputs = {tensor.name: tensor for tensor in request.inputs}
    unknown = sorted(inputs.keys() - _TEXTS.keys() - {*_WHOLE, *_FRACTIONS})
    if unknown:
        raise InvalidInput(f"unknown inputs: {', '.join(name[:40] for name in unknown[:5])}")
    texts: dict[str, Any] = {name: _text(inputs[name]) for name in _TEXTS if name in inputs}
    numbers: dict[str, Any] = {name: _whole(inputs[name]) for name in _WHOLE if name in inputs}
    numbers |= {name: _number(inputs[name]) for name in _FRACTIONS if name in inputs}
    try:
        item = GenerationItem(seed=numbers.pop("seed", 0), **texts)
        sizes: dict[str, Any] = {"width": width, "height": height, **numbers}
        return GenerationOrder(request=_NOBODY, items=[item], **sizes)
    except ValidationError as error:
        raise InvalidInput(_what_is_wrong(error)) from error


def answer(request: InferRequest, model: str, result: Contract) -> InferResponse:
    """An order's answer; binary if the client asked for that."""
    output = InferOutput(name=RESULT_TENSOR, shape=[1], datatype="BYTES", data=[result.to_json()])
    return InferResponse(
        response_id=request.id or str(uuid.uuid4()),
        model_name=model,
        infer_outputs=[output],
        use_binary_outputs=bool(request.use_binary_outputs),
    )


def picture(request: InferRequest, model: str, pixels: np.ndarray) -> InferResponse:
    """A plain client's answer; binary if it asked for that."""
    output = InferOutput(name=IMAGE_TENSOR, shape=list(pixels.shape), datatype="UINT8")
    output.set_data_from_numpy(pixels, binary_data=bool(request.use_binary_outputs))
    return InferResponse(
        response_id=request.id or str(uuid.uuid4()),
        model_name=model,
        infer_outputs=[output],
        use_binary_outputs=bool(request.use_binary_outputs),
    )


def _what_is_wrong(error: ValidationError) -> str:
    """Fields and reasons, without the values: they hold links and prompts."""
    return f"the order cannot be read: {problems_of(error, whole='order')}"


def _text(tensor: InferInput) -> str:
    """The only element of a BYTES tensor, sent as JSON or binary."""
    if tensor.datatype != "BYTES":
        raise InvalidInput(f"input {tensor.name!r} must have the datatype BYTES")
    value = _only(tensor)
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"input {tensor.name!r} is no UTF-8 text") from error


def _whole(tensor: InferInput) -> int:
    """Exactly: a float would stand for many of the larger numbers."""
    value = _only(tensor)
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise InvalidInput(f"input {tensor.name!r} must be a whole number, such as an INT64")
    return int(value)


def _number(tensor: InferInput) -> float:
    """The only element, a finite number. Raises InvalidInput."""
    value = _only(tensor)
    if isinstance(value, bool | np.bool_ | str | bytes):
        raise InvalidInput(f"input {tensor.name!r} must be a number")
    number = float(value)
    if not math.isfinite(number):
        raise InvalidInput(f"input {tensor.name!r} must be a finite number")
    return number


def _only(tensor: InferInput) -> Any:
    """The only element of a tensor. Raises InvalidInput."""
    try:
        values = np.asarray(tensor.as_numpy()).reshape(-1)
    except Exception as error:  # kserve raises whatever numpy does with what the client sent
        raise InvalidInput(f"input {tensor.name!r} cannot be read") from error
    if len(values) != 1:
        raise InvalidInput(f"input {tensor.name!r} must hold exactly one element, not {len(values)}")
    return values[0]
