"""What tests of files share: a decoder, and a photo."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from profile_vision.decoding import Decoder

PERSON = Path(__file__).resolve().parents[3] / "models" / "people" / "p900006"


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as shared:
        yield shared


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.open(PERSON / "02.jpg").convert("RGB")


@pytest.fixture(scope="module")
def small(photo: Image.Image) -> Image.Image:
    """The photo at a quarter of its pixels: no encoding is another for a larger one."""
    return photo.resize((320, 320))
