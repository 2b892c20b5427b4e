"""Pictures as files, and what the decoder says of them."""

import io
import struct
import zlib
from dataclasses import replace

import pytest
from PIL import Image

from profile_vision.decoding import Decoder, NotOpened, PictureLimits, Refusal


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **({"quality": 95} if kind == "JPEG" else {}) | options)
    return out.getvalue()


def refusal(decoder: Decoder, data: bytes, **limits: float) -> Refusal:
    with pytest.raises(NotOpened) as refused:
        decoder.open(data, replace(PictureLimits(), **limits))  # type: ignore[arg-type]
    return refused.value.refusal


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
