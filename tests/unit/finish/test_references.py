"""What a dataset says of its person: by which photos portraits are judged, and by how much eyes are to be seen."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_finish.references import read_references
from profile_runtime.store.folder import FolderStore
from profile_vision import Face, FaceReader
from profile_vision.eyes import DARKER, MOST, SHARE, wanted_of
from profile_vision.files import png
from profile_vision.pixels import BGR

REPORT = "dataset/report.json"
POINTS = np.array([(22, 26), (42, 26), (32, 38), (25, 48), (39, 48)], np.float32)
SKIN = 170


class OneFace:
    """Sees a face in every picture that is not black."""

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        return [Face(box=(0, 0, 64, 64), points=POINTS, score=0.9)] if image.any() else []

    def embed(self, _image: NDArray[np.uint8], _face: Face) -> NDArray[np.float32]:
        return np.array([1.0, 0.0], np.float32)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def photo(eyes: int) -> BGR:
    """A face of 64 px, both its eyes of that grey."""
    picture = np.full((64, 64, 3), SKIN, np.uint8)
    for x, y in POINTS[:2].astype(int):
        picture[y - 3 : y + 4, x - 5 : x + 6] = eyes
    return BGR(picture)


def eyes_wanted(store: FolderStore, photos: list[BGR | None]) -> float:
    """Of a dataset of these photos, of which the first two judge likeness; None: one that is no more there."""
    images = []
    for number, picture in enumerate(photos):
        key = f"dataset/{number}.png"
        if picture is not None:
            store.write(key, png(picture), "image/png")
        image = DatasetImage(
            photo=f"{number}.jpg", image=key, mask=key, caption="{subject}", width=64, height=64,
            face_box=(0, 0, 64, 64), held_out=number < 2,
        )  # fmt: skip
        images.append(image)
    report = PreprocessReport(digest="d", message="", images=images, ceiling=0.8)
    store.write(REPORT, report.to_json().encode(), "application/json")
    return read_references(store, REPORT, cast("FaceReader", OneFace())).eyes


def test_a_persons_photos_say_by_how_much_eyes_are_to_be_seen(store: FolderStore) -> None:
    dark, pale = eyes_wanted(store, [photo(20)] * 5), eyes_wanted(store, [photo(95)] * 5)
    assert dark == MOST
    assert 0.25 < pale < 0.35
    # All of them, and not those alone that judge likeness: two are too few.
    assert eyes_wanted(store, [photo(20), photo(20), photo(95), photo(95), photo(95)]) == pytest.approx(pale)


def test_photos_that_show_nobody_or_are_gone_say_nothing(store: FolderStore) -> None:
    black = BGR(np.zeros((64, 64, 3), np.uint8))
    pale = eyes_wanted(store, [photo(95)] * 4)
    assert eyes_wanted(store, [photo(95), photo(95), photo(95), black, None]) == pytest.approx(pale)
    assert eyes_wanted(store, [photo(95), photo(95), black, None]) == DARKER
    assert wanted_of([pale / SHARE] * 3) == pytest.approx(pale)
