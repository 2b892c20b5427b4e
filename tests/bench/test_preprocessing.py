"""Preprocessing of phones' photos: CPU time of the whole stage against that of its networks, in one run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import torch

from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import (
    Captions,
    JointsNetwork,
    PhotoRef,
    PreprocessOrder,
    PreprocessParameters,
    PreprocessReport,
)
from profile_contract.stages.table import Stage
from profile_models.folders import models_folder
from profile_preprocess import stage
from profile_preprocess.look import Networks
from profile_runtime.context import StageContext
from profile_runtime.progress import Silent, StageProgress
from profile_runtime.store.folder import FolderStore
from profile_sandbox.paths import CLONE

if TYPE_CHECKING:
    from figures import Figures

SECTION = "Preprocessing"
PERSON, PHOTOS, MEGAPIXELS, RESOLUTION = "p900055", 4, 12, 1024
WITH_GOAL, WITHOUT_GOAL = 1.5, 1.1
HINDRANCE = (
    "in the way: the whole file is checked, its pixels are copied through a pipe three times (the look, the crop, what "
    "is drawn over), scaled, searched for JPEG's blocks in NumPy, and written as PNG"
)
PLACE = "ns.1a2b3c4d-5e6f/uploads/person/"


class Timed:
    """A reader whose calls are timed: CPU seconds of this process in `spent[0]`."""

    def __init__(self, reader: Any, spent: list[float]) -> None:
        self._reader, self._spent = reader, spent

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._reader, name)
        return self._timed(value) if callable(value) else value

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begin = time.process_time()
            try:
                return call(*arguments)
            finally:
                self._spent[0] += time.process_time() - begin

        return timed


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Photos of a rendered person, enlarged to a phone's size with a sensor's grain."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    store, draw = FolderStore(tmp_path), np.random.default_rng(0)
    for file in sorted((CLONE / "models" / "people" / PERSON).glob("*.jpg"))[:PHOTOS]:
        image = np.asarray(cv2.imread(str(file)), np.uint8)
        scale = (MEGAPIXELS * 1e6 / (image.shape[0] * image.shape[1])) ** 0.5
        large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        coarse = draw.integers(-9, 10, (large.shape[0] // 2 + 1, large.shape[1] // 2 + 1), dtype=np.int16)
        grain = cv2.resize(coarse, (large.shape[1], large.shape[0]), interpolation=cv2.INTER_LINEAR)
        noisy = np.clip(large.astype(np.int16) + grain[..., None], 0, 255).astype(np.uint8)
        data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        store.write(f"{PLACE}{file.name}", data)
    return store


@pytest.mark.parametrize("joints", list(JointsNetwork))
def test_a_photo_against_its_networks(
    figures: Figures, store: FolderStore, monkeypatch: pytest.MonkeyPatch, joints: JointsNetwork
) -> None:
    spent = [0.0]
    networks = Networks.load(models_folder() / "vision", joints)
    readers: Any = [Timed(reader, spent) for reader in (networks.faces, networks.people, networks.mask)]
    timed = Networks(*readers)
    monkeypatch.setattr(Networks, "load", lambda *_: timed)
    _run(store, joints)  # warms up: libraries are imported by the first picture
    spent[0] = 0.0
    begin, before = time.process_time(), os.times()
    report = _run(store, joints)
    here, after = time.process_time() - begin, os.times()
    decoding = (after.children_user + after.children_system) - (before.children_user + before.children_system)
    taken = sum(verdict.accepted for verdict in report.verdicts)
    a_photo = [1000 * seconds / PHOTOS for seconds in (spent[0], here, decoding)]
    how = (
        f"CPU time of the stage without the decoder's process against its networks': {a_photo[1]:.0f} ms a photo "
        f"against {a_photo[0]:.0f} ms; the decoder's {a_photo[2]:.0f} ms more. {MEGAPIXELS} megapixels, {RESOLUTION} "
        f"px, captions described, one thread, {taken} of {PHOTOS} accepted; goals: {WITHOUT_GOAL} and {WITH_GOAL}; "
        f"{HINDRANCE}"
    )
    figures.add(SECTION, f"a photo over its networks, {joints}", _ratios(spent[0], here, decoding), how)
    assert taken >= PHOTOS - 1


def _ratios(networks: float, here: float, decoding: float) -> str:
    return f"{here / networks:.2f}, with decoding {(here + decoding) / networks:.2f}"


def _run(store: FolderStore, joints: JointsNetwork) -> PreprocessReport:
    photos = [PhotoRef(name=Path(o.key).name, key=o.key, bytes=o.bytes, etag=o.etag) for o in store.list(PLACE)]
    request = RequestRef(namespace="ns", name="bench")
    order = PreprocessOrder(
        request=request,
        digest="b" * 16,
        output="ns.1a2b3c4d-5e6f/requests/bench/dataset/bb/",
        photos=photos,
        parameters=PreprocessParameters(
            resolution=RESOLUTION, joints=joints, captions=Captions.DESCRIBED, minimum_photos=1
        ),
    )
    progress = StageProgress(request, Stage.PREPROCESS, order.digest, Silent())
    return stage.run(order, StageContext(store, progress, models_folder()))
