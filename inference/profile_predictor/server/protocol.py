"""Inference calls of the Open Inference Protocol (V2), read strictly before KServe's codec sees them.

A call is a JSON document, or a JSON document and the tensors' bytes behind it (the binary extension). Every tensor
that is asked for here holds one element. What KServe's codec would misread (short tensors, lengths past the end,
fractions for whole numbers, numbers that are none) is refused here, with a sentence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from kserve import InferRequest
from kserve.errors import InvalidInput
from pydantic import BaseModel, ConfigDict, Field, ValidationError

JSON_TYPE, BINARY_TYPE = "application/json", "application/octet-stream"
LENGTH_HEADER = "inference-header-content-length"
HTTP_BAD_REQUEST, HTTP_UNSUPPORTED_TYPE = 400, 415

_WHOLE = {f"{sign}INT{bits}": f"{sign}int{bits}".lower() for sign in ("", "U") for bits in (8, 16, 32, 64)}
_FLOATING = {"FP16": "float16", "FP32": "float32", "FP64": "float64"}
_LENGTH_BYTES = 4
_MOST_TENSORS = 16
BINARY_SIZE = "binary_data_size"

_Name = Annotated[str, Field(max_length=64)]
_Parameters = dict[str, int | float | bool | str]
_Datatype = Literal[
    "BYTES", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64"
]


class BadCall(Exception):
    """A call that is answered without being carried out. `text` is for people and quotes nothing of the call."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, dict(headers or {})


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Input(_Strict):
    name: _Name
    shape: list[int] = Field(max_length=4)
    datatype: _Datatype
    parameters: _Parameters | None = None
    data: list[Any] | None = None

    @property
    def binary_size(self) -> int | None:
        """Bytes behind the JSON document; None if the element stands in `data`."""
        size = (self.parameters or {}).get(BINARY_SIZE)
        if size is None:
            return None
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise _bad(self, f"{BINARY_SIZE} must be a whole number")
        return size


class _Output(_Strict):
    name: _Name
    parameters: _Parameters | None = None


class _Call(_Strict):
    id: str | None = Field(default=None, max_length=200)
    parameters: _Parameters | None = None
    inputs: list[_Input] = Field(min_length=1, max_length=_MOST_TENSORS)
    outputs: list[_Output] | None = Field(default=None, max_length=_MOST_TENSORS)


def check_types(headers: Mapping[str, str]) -> None:
    """Raises BadCall (415) for a call in another form than is read here. `headers`: names in lower case."""
    kind = _media_type(headers)
    if kind not in (JSON_TYPE, BINARY_TYPE):
        raise BadCall(HTTP_UNSUPPORTED_TYPE, f"send {JSON_TYPE}, or {BINARY_TYPE} with the header {LENGTH_HEADER}")
    _check_unpacked(headers)


def check_json(headers: Mapping[str, str]) -> None:
    """Raises BadCall (415) for a call that is no plain JSON document."""
    if _media_type(headers) != JSON_TYPE:
        raise BadCall(HTTP_UNSUPPORTED_TYPE, f"send {JSON_TYPE}")
    _check_unpacked(headers)


def _check_unpacked(headers: Mapping[str, str]) -> None:
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise BadCall(HTTP_UNSUPPORTED_TYPE, "send the call as it is, without a Content-Encoding")


def read_call(headers: Mapping[str, str], body: bytes, model: str) -> InferRequest:
    """A call as KServe's codec gives it. Raises BadCall for whatever is wrong with it."""
    length = _json_length(headers, body)
    call = _parsed(body[:length])
    names = [tensor.name for tensor in call.inputs]
    if len(names) != len(set(names)):
        raise BadCall(HTTP_BAD_REQUEST, "two inputs have the same name")
    rest = memoryview(body)[length:]
    for tensor in call.inputs:
        rest = rest[_checked(tensor, rest) :]
    if len(rest):
        raise BadCall(HTTP_BAD_REQUEST, f"{len(rest)} bytes behind the JSON document belong to no input")
    try:
        return InferRequest.from_bytes(body, length, model)
    except InvalidInput as error:
        raise _no_json() from error


def _media_type(headers: Mapping[str, str]) -> str:
    """Triton's client says nothing: then it is what its other header says."""
    untold = BINARY_TYPE if LENGTH_HEADER in headers else JSON_TYPE
    return headers.get("content-type", untold).split(";")[0].strip().lower()


def _json_length(headers: Mapping[str, str], body: bytes) -> int:
    """How many bytes of the body are the JSON document. Raises BadCall."""
    said = headers.get(LENGTH_HEADER)
    if said is None:
        if _media_type(headers) == BINARY_TYPE:
            raise BadCall(HTTP_BAD_REQUEST, f"the header {LENGTH_HEADER} is missing: how long is the JSON document?")
        return len(body)
    if not (said.isascii() and said.isdecimal() and len(said) < 12 and int(said) <= len(body)):
        raise BadCall(HTTP_BAD_REQUEST, f"{LENGTH_HEADER} must say how many of the {len(body)} bytes are JSON")
    return int(said)


def _parsed(text: bytes) -> _Call:
    """The JSON document as a call. Raises BadCall."""
    try:
        # Decoded here: json also takes UTF-16, UTF-32 and a mark before the document, which KServe's codec does not.
        document = json.loads(text.decode())
        # What is no UTF-8 (lone surrogates) could stand in no answer.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise _no_json() from error
    if not isinstance(document, dict):
        raise BadCall(HTTP_BAD_REQUEST, "the call is no V2 inference request: it must be a JSON object with inputs")
    try:
        return _Call.model_validate(document)
    except ValidationError as error:
        # Where and why, without the value.
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))[:100] or "the document"
        wrong = f"the call is no V2 inference request: {place}: {first['msg']}"
        raise BadCall(HTTP_BAD_REQUEST, wrong) from error


def _no_json() -> BadCall:
    return BadCall(HTTP_BAD_REQUEST, "the call is no JSON document in UTF-8")


def _checked(tensor: _Input, rest: memoryview) -> int:
    """How many bytes of the rest of the body are this tensor's. Raises BadCall unless it holds one sound element."""
    if any(size != 1 for size in tensor.shape):
        raise _bad(tensor, "must hold exactly one element: shape [1]")
    size = tensor.binary_size
    if (size is None) == (tensor.data is None):
        raise _bad(tensor, "must have either data or binary_data_size")
    if size is None:
        _check_element(tensor, _only(tensor, tensor.data))
        return 0
    if size > len(rest):
        raise _bad(tensor, f"ends behind the end of the call: {size} bytes are announced, {len(rest)} are there")
    _check_bytes(tensor, rest[:size])
    return size


def _only(tensor: _Input, data: Any) -> Any:
    """The element of a list, or of lists in lists, as V2 allows."""
    for _ in range(4):
        if not isinstance(data, list):
            return data
        if len(data) != 1:
            break
        (data,) = data
    raise _bad(tensor, "must hold exactly one element")


def _check_element(tensor: _Input, value: Any) -> None:
    """Raises BadCall for an element of `data` that is not of the tensor's type."""
    if tensor.datatype == "BYTES":
        if not isinstance(value, str):
            raise _bad(tensor, "of BYTES must hold a text")
    elif tensor.datatype in _WHOLE:
        limits = np.iinfo(_WHOLE[tensor.datatype])
        if isinstance(value, bool) or not isinstance(value, int) or not limits.min <= value <= limits.max:
            raise _bad(tensor, f"must hold a whole number of {limits.min} to {limits.max}")
    elif tensor.datatype == "FP16":
        raise _bad(tensor, "of FP16 must be sent as binary data")
    elif isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(tensor, value):
        raise _bad(tensor, "must hold a finite number")


def _check_bytes(tensor: _Input, raw: memoryview) -> None:
    """Raises BadCall for bytes that are not one element of the tensor's type."""
    if tensor.datatype == "BYTES":
        if len(raw) < _LENGTH_BYTES or int.from_bytes(raw[:_LENGTH_BYTES], "little") != len(raw) - _LENGTH_BYTES:
            raise _bad(tensor, "of BYTES must hold one text behind its length (4 bytes, little endian)")
        try:
            bytes(raw[_LENGTH_BYTES:]).decode()
        except UnicodeDecodeError as error:
            raise _bad(tensor, "is no UTF-8 text") from error
        return
    kind: np.dtype[Any] = np.dtype((_WHOLE | _FLOATING)[tensor.datatype])
    if len(raw) != kind.itemsize:
        raise _bad(tensor, f"of {tensor.datatype} must have {kind.itemsize} bytes, not {len(raw)}")
    if tensor.datatype in _FLOATING and not math.isfinite(float(np.frombuffer(raw, kind)[0])):
        raise _bad(tensor, "must hold a finite number")


def _is_finite(tensor: _Input, value: float) -> bool:
    """In the tensor's own type, which may hold less than JSON does."""
    try:
        return abs(float(value)) <= float(np.finfo(_FLOATING[tensor.datatype]).max)
    except OverflowError:
        return False


def _bad(tensor: _Input, text: str) -> BadCall:
    return BadCall(HTTP_BAD_REQUEST, f"input {tensor.name!r} {text}")
