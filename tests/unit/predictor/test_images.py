"""OpenAI's images API, by OpenAI's own client: pictures, the caller's adapter, and errors in a sentence."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from PIL import Image

from predictor_world import NAME, World, adapter, serving, world
from profile_vision.files import SOURCE_TYPE

DOOR = "/openai/v1/images/generations"
KEY = "team.1a2b3c4d-5e6f/requests/minji/adapter/one/adapter.safetensors"


@pytest.fixture(scope="module")
def predictor() -> Iterator[tuple[World, openai.OpenAI]]:
    with (
        world(token="secret", bucket="photos") as found,
        serving(found, token="secret") as (_, port, _),
        openai.OpenAI(base_url=f"http://127.0.0.1:{port}/openai/v1", api_key="secret", max_retries=0) as client,
    ):
        yield found, client


def draw(client: openai.OpenAI, size: Any = "64x72", **more: Any) -> list[np.ndarray]:
    ours = {"steps": 1, "seed": 3, **more.pop("ours", {})}
    answer = client.images.generate(prompt="a studio portrait", model=NAME, size=size, extra_body=ours, **more)
    return [np.array(Image.open(io.BytesIO(base64.b64decode(str(image.b64_json))))) for image in answer.data or []]


def test_pictures_come_as_the_client_expects_them(predictor: tuple[World, openai.OpenAI]) -> None:
    pictures = draw(predictor[1], n=2)
    assert [picture.shape for picture in pictures] == [(72, 64, 3)] * 2
    # Each from the next seed.
    assert np.array_equal(pictures[1], draw(predictor[1], ours={"seed": 4})[0])
    assert not np.array_equal(pictures[0], pictures[1])
    assert draw(predictor[1], size="auto")[0].shape == (64, 64, 3)


async def test_they_are_marked(predictor: tuple[World, openai.OpenAI]) -> None:
    body = b'{"prompt": "x", "steps": 1}'
    reply = await predictor[0].client.ask("POST", DOOR, body, headers={"authorization": "Bearer secret"})
    assert SOURCE_TYPE.encode() in base64.b64decode(reply.document["data"][0]["b64_json"])


def test_the_callers_own_adapter_is_drawn_with(predictor: tuple[World, openai.OpenAI]) -> None:
    found, client = predictor
    grant = {**found.store.grant(f"/photos/{KEY}", adapter(3)), "key": KEY}
    assert not np.array_equal(draw(client, ours={"adapter": grant})[0], draw(client)[0])
    elsewhere = {**found.store.grant("/photos/hr.1a2b3c4d-5e6f/requests/x/a.safetensors", adapter(4)), "key": KEY}
    with pytest.raises(openai.BadRequestError, match="outside of what is granted"):
        draw(client, ours={"adapter": elsewhere})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"n": 9}, "n: "),
        ({"size": "63x64"}, "width"),
        ({"size": "1792x1024000"}, "size"),
        ({"response_format": "url"}, "response_format"),
        ({"style": "vivid"}, "style"),
        ({"quality": "hd"}, "quality"),
        ({"ours": {"steps": 0}}, "steps"),
        ({"ours": {"seed": 2**60}}, "seed"),
        ({"ours": {"seed": 1.5}}, "seed"),
        ({"ours": {"lora": "somebody"}}, "lora"),
        ({"ours": {"adapter": {"key": "x", "url": "http://x", "sha256": "0" * 64}}}, "adapter.key"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    predictor: tuple[World, openai.OpenAI], caplog: pytest.LogCaptureFixture, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        draw(predictor[1], **more)
    body: Any = caught.value.body
    assert body["type"] == "invalid_request_error"
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


def test_another_model_and_a_wrong_token_are_refused(predictor: tuple[World, openai.OpenAI]) -> None:
    found, client = predictor
    with pytest.raises(openai.NotFoundError, match=NAME):
        client.images.generate(prompt="x", model="dall-e-3")
    with pytest.raises(openai.AuthenticationError, match="token"):
        draw(client.with_options(api_key="wrong"))
    with pytest.raises(openai.InternalServerError, match="log says why"):
        client.images.generate(prompt="a surprise", extra_body={"steps": 1})
    assert not found.queue.taken


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"[]", {}, 400),
        (b'{"prompt": "\\ud800"}', {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"{}", {"content-type": "multipart/form-data; boundary=x"}, 415),
        (b"{}", {"content-encoding": "gzip"}, 415),
    ],
)
async def test_what_is_no_call_is_refused(
    predictor: tuple[World, openai.OpenAI], body: bytes, headers: dict[str, str], status: int
) -> None:
    reply = await predictor[0].client.ask("POST", DOOR, body, headers={"authorization": "Bearer secret", **headers})
    assert reply.status == status
    assert reply.document["error"]["message"]
