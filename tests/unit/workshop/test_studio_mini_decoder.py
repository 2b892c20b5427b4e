"""SFace with gradients is the SFace that the product measures with, and tells a decoder about faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from profile_models.folders import models_folder
from profile_vision import FaceReader
from profile_vision.pixels import RGB, to_bgr
from profile_workshop.studio_mini.identity import Identity, aligned, alignments

PEOPLE = Path(__file__).resolve().parents[3] / "models" / "people"
Picture = NDArray[np.uint8]
VISION = models_folder() / "vision"


@pytest.fixture(scope="module")
def reader() -> FaceReader:
    return FaceReader(VISION)


@pytest.fixture(scope="module")
def identity() -> Identity:
    return Identity(VISION / "sface.onnx")


def small(person: str, number: int) -> Picture:
    picture = np.asarray(cv2.imread(str(PEOPLE / person / f"{number:02d}.jpg")), np.uint8)
    return np.asarray(cv2.cvtColor(cv2.resize(picture, (320, 320)), cv2.COLOR_BGR2RGB), np.uint8)


def placed(reader: FaceReader, picture: Picture) -> NDArray[np.float64]:
    (move,) = alignments(reader, picture[None])
    assert move is not None
    return move[None]


def tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("person", ["p00060", "p900055"])
def test_it_embeds_as_the_product_does(person: str, reader: FaceReader, identity: Identity) -> None:
    picture = small(person, 0)
    bgr = to_bgr(RGB(picture))
    with torch.no_grad():
        embedding, _ = identity(aligned(tensor(picture), placed(reader, picture)))
    # The rest is OpenCV's alignment, whose pixels are rounded.
    assert float(embedding[0] @ torch.from_numpy(reader.embed(bgr, reader.find(bgr)[0]))) > 0.97


def test_its_gradients_bring_one_face_nearer_to_another(reader: FaceReader, identity: Identity) -> None:
    one, other = small("p00060", 0), small("p900055", 0)
    move = placed(reader, one)
    with torch.no_grad():
        wanted, _ = identity(aligned(tensor(other), placed(reader, other)))
    picture = tensor(one).requires_grad_()
    near = []
    for _ in range(2):
        found, _ = identity(aligned(picture, move))
        cosine = (found * wanted).sum()
        near.append(float(cosine.detach()))
        (slope,) = torch.autograd.grad(cosine, picture)
        picture = (picture + 0.02 * slope.sign()).detach().requires_grad_()
    assert near[1] > near[0] + 0.05


def test_a_picture_without_a_face_has_no_place(reader: FaceReader) -> None:
    assert list(alignments(reader, np.full((1, 128, 128, 3), 128, np.uint8))) == [None]
