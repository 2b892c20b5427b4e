"""ImagesCall: OpenAI's images API, read strictly: plain pictures, with the caller's own adapter if it has one.

What its clients send and nothing here follows (a style, a mask, a link as the answer) is refused by name, so that no
picture is another one than was asked for. Whose adapter it is shows the grant: a link into the store, signed by whoever
may read it.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, ValidationError

from profile_contract.areas import area_in, namespace_of
from profile_contract.generation import MAXIMUM_ITEMS, AdapterGrant, GenerationItem, GenerationOrder
from profile_contract.model import Contract
from profile_contract.problems import problems_of
from profile_contract.stages.order import RequestRef

from .conversation import Answer, document_answer, refusal
from .protocol import BadCall

AUTO = "auto"


class ImagesCall(Contract):
    """One call. `seed`, `steps`, `guidance`, `negative_prompt` and `adapter` are ours (`extra_body` of the client)."""

    prompt: str = Field(min_length=1, max_length=2000)
    model: str | None = Field(default=None, max_length=253)
    n: int = Field(default=1, ge=1, le=MAXIMUM_ITEMS)
    size: str = Field(default=AUTO, pattern=r"^(auto|[0-9]{2,4}x[0-9]{2,4})$")
    response_format: Literal["b64_json"] = "b64_json"
    output_format: Literal["png"] = "png"
    quality: Literal["auto", "standard"] = "auto"
    background: Literal["auto", "opaque"] = "auto"
    # Who the caller's user is: nothing here asks.
    user: str = Field(default="", max_length=512)
    seed: int | None = Field(default=None, ge=0, le=2**53, strict=True)
    steps: int = 30
    guidance: float = 5.0
    negative_prompt: str = Field(default="", max_length=2000)
    adapter: AdapterGrant | None = None

    def order(self, native_size: tuple[int, int]) -> GenerationOrder:
        """What is to be drawn; each picture from the next seed. Raises BadCall."""
        width, height = native_size if self.size == AUTO else map(int, self.size.split("x"))
        first = secrets.randbelow(2**31) if self.seed is None else self.seed
        try:
            return GenerationOrder(
                request=RequestRef(namespace=self._namespace(), name=""),
                adapter=self.adapter,
                items=[
                    GenerationItem(seed=first + number, prompt=self.prompt, negative_prompt=self.negative_prompt)
                    for number in range(self.n)
                ],
                width=width,
                height=height,
                steps=self.steps,
                guidance=self.guidance,
            )
        except ValidationError as error:
            raise BadCall(400, f"the pictures cannot be drawn so: {problems_of(error, whole='call')}") from error

    def _namespace(self) -> str:
        """Of the adapter, as its key tells; empty without one. Raises BadCall."""
        if self.adapter is None:
            return ""
        area = area_in(self.adapter.key)
        if area is None:
            raise BadCall(400, "adapter.key lies in no namespace's area")
        return namespace_of(area)


def read_images_call(body: bytes, model: str) -> ImagesCall:
    """A call for this model. Raises BadCall (400, or 404 for another model)."""
    try:
        document = json.loads(body.decode())
        # What is no UTF-8 (lone surrogates) cannot be drawn from.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadCall(400, "the call is no JSON document in UTF-8") from error
    try:
        call = ImagesCall.model_validate(document)
    except ValidationError as error:
        raise BadCall(400, f"the call cannot be read: {problems_of(error, whole='call')}") from error
    if call.model not in (None, model):
        raise BadCall(404, f"there is no such model here; {model!r} is")
    return call


def images_answer(pictures: Sequence[bytes]) -> Answer:
    """PNG files as OpenAI's clients expect them."""
    data = [{"b64_json": base64.b64encode(picture).decode()} for picture in pictures]
    return document_answer({"created": int(time.time()), "data": data})


def images_refusal(error: BadCall) -> Answer:
    """`{"error": {"message": ...}}`, as OpenAI's clients read it."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    said = {"message": error.text, "type": kind, "param": None, "code": None}
    return Answer(error.status, json.dumps({"error": said}).encode(), headers=refusal(error).headers)
