"""Triton's clients in a process of their own: their protobufs have KServe's names, and one process takes them once.

Reads a list of calls from the standard input, and writes a list of answers: `[door, method, arguments]`, or for `infer`
`["http" or "grpc", "infer", [model, inputs, headers]]`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException


def main(http: str, grpc: str) -> None:
    """Ask at these addresses."""
    doors = {
        "http": (over_http, over_http.InferenceServerClient(http)),
        "grpc": (over_grpc, over_grpc.InferenceServerClient(grpc)),
    }
    answers = []
    for door, method, arguments in json.load(sys.stdin):
        library, client = doors[door]
        try:
            if method == "infer":
                answers.append(inferred(library, client, *arguments))
            else:
                more = {"as_json": True} if door == "grpc" and method.startswith("get_") else {}
                answers.append(getattr(client, method)(*arguments, **more))
        except InferenceServerException as error:
            answers.append({"status": error.status(), "message": error.message()})
    json.dump(answers, sys.stdout)


def inferred(library: Any, client: Any, model: str, inputs: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    """The outputs of an inference call."""
    tensors = []
    for name, value in inputs.items():
        tensor = library.InferInput(name, [1], "BYTES" if isinstance(value, str) else "INT64")
        text = isinstance(value, str)
        tensor.set_data_from_numpy(np.array([value.encode()], dtype=object) if text else np.array([value], np.int64))
        tensors.append(tensor)
    result = client.infer(model, tensors, headers=headers)
    outputs = {name: result.as_numpy(name) for name in ("image", "result")}
    return {
        name: output.tolist() if output.dtype == np.uint8 else json.loads(output[0])
        for name, output in outputs.items()
        if output is not None
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
