"""Class pictures: which files are taken for one, and what they add to a step."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
import torch

from profile_train import loop
from profile_train.cache import CachedExample
from profile_train.checkpoints import Checkpoints
from profile_train.class_pictures import class_prompt, most_bytes, read_class_picture
from profile_train.dataset import whole_example
from profile_train.loop import Course, Fallback
from profile_train.loss import step_losses, timestep_law
from profile_vision.files import png
from profile_vision.pixels import BGR, RGB
from profile_vision.png_file import SIGNATURE
from tiny_base import TinyBase, example, tiny_base
from tiny_training import PARAMETERS, course_of

EDGE = 24
WEIGHT = 0.5
PIXELS = BGR(np.random.default_rng(1).integers(0, 256, (EDGE, EDGE, 3), dtype=np.uint8))


def encoded(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def without_pixels() -> bytes:
    """A PNG of the right size, its check sums whole, in which no pixels are packed."""
    header = struct.pack(">IIBBBBB", EDGE, EDGE, 8, 2, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", b"nothing of this can be unpacked") + chunk(b"IEND", b"")


def with_comment(data: bytes, size: int) -> bytes:
    """The PNG with a comment of so many bytes before its end."""
    return data[:-12] + chunk(b"tEXt", b"x" * size) + data[-12:]


def test_a_class_picture_is_read_as_it_was_written() -> None:
    read = read_class_picture(png(PIXELS), EDGE)
    assert read is not None
    assert np.array_equal(read, PIXELS[:, :, ::-1])
    assert len(png(PIXELS)) <= most_bytes(EDGE)


@pytest.mark.parametrize(
    "data",
    [
        b"", SIGNATURE, b"no picture", png(PIXELS)[:40], png(PIXELS)[:-30], encoded(PIXELS, ".jpg"),
        encoded(PIXELS[:-1]), encoded(PIXELS[:, :-1]), encoded(PIXELS[:, :, 0]), encoded(PIXELS.astype(np.uint16)),
        encoded(np.dstack([PIXELS, PIXELS[:, :, :1]])), with_comment(png(PIXELS), most_bytes(EDGE)),
        png(PIXELS).replace(b"IDAT", b"IDAX"), without_pixels(),
    ],
    ids=[
        "empty", "signature", "text", "header", "cut", "jpeg", "low", "narrow", "grey", "sixteen", "alpha", "large",
        "damaged", "unpacked",
    ],
)  # fmt: skip
def test_whatever_else_lies_there_is_none(data: bytes) -> None:
    assert read_class_picture(data, EDGE) is None


def test_its_caption_names_anybody_and_not_the_person() -> None:
    parameters = PARAMETERS.model_copy(update={"token": "ohwx", "noun": "woman"})
    assert class_prompt(parameters) == "a photo of a woman"


def test_it_is_learnt_whole_and_every_pixel_counts_alike() -> None:
    kept = whole_example(RGB(PIXELS), "a photo of a man", 16)
    assert kept.size == (16, 16)
    assert (kept.crop_left, kept.crop_top, kept.original_size) == (0, 0, (EDGE, EDGE))
    assert np.all(kept.weights == 1)


PICTURES = [example(number, 3, 3) for number in (7, 8, 9)]


def course(base: TinyBase, checkpoints: Checkpoints, pictures: list[CachedExample]) -> Course:
    """A training that learns from these class pictures and has not begun."""
    plain = course_of(base, checkpoints, prior_preservation=PARAMETERS.prior_preservation.model_copy(
        update={"weight": WEIGHT}
    ))  # fmt: skip
    plain._memory = Fallback(plain._memory.ladder, plain._memory.recut, lambda _: pictures)
    plain._class_pictures = pictures
    return plain


def losses(base: TinyBase, batch: list[CachedExample], draw: torch.Generator) -> torch.Tensor:
    law = timestep_law(base, PARAMETERS.min_snr_gamma, PARAMETERS.timesteps)
    parts = step_losses(base, batch, draw, rows=len(batch), law=law, offset=PARAMETERS.noise_offset)
    return torch.stack(list(parts)).sum()


def test_a_step_adds_the_loss_on_as_many_class_pictures_times_its_weight(checkpoints: Checkpoints) -> None:
    base = tiny_base()
    begun = course(base, checkpoints, PICTURES)
    (one, photos), (weight, pictures) = begun._batches(3)
    assert (one, weight) == (1.0, WEIGHT)
    assert len(photos) == len(pictures) == PARAMETERS.batch
    assert all(any(picture is known for known in PICTURES) for picture in pictures)
    loss = begun._gradient(3)
    assert loss is not None
    gradient = base.unet.bias.grad
    assert gradient is not None
    base.unet.bias.grad = None
    # By DreamBooth's formula: the photos' loss, and the class pictures' times a weight. The photos' noise comes first.
    draw = torch.Generator().manual_seed(loop.noise_seed(PARAMETERS.seed, 3, 0))
    expected = losses(base, photos, draw) + WEIGHT * losses(base, pictures, draw)
    torch.autograd.backward(expected)
    assert torch.allclose(loss, expected.detach())
    assert torch.allclose(gradient, base.unet.bias.grad)


def test_without_class_pictures_a_step_is_what_it_was(checkpoints: Checkpoints) -> None:
    base = tiny_base()
    begun = course(base, checkpoints, [])
    loss = begun._gradient(3)
    assert loss is not None
    draw = torch.Generator().manual_seed(loop.noise_seed(PARAMETERS.seed, 3, 0))
    ((_, photos),) = begun._batches(3)
    assert torch.equal(loss, losses(base, photos, draw).detach())


def test_every_class_picture_is_learnt_from(checkpoints: Checkpoints) -> None:
    begun = course(tiny_base(), checkpoints, PICTURES)
    shown = [id(picture) for step in range(3) for picture in begun._batches(step)[1][1]]
    assert sorted(shown) == sorted(id(picture) for picture in PICTURES * 2)
