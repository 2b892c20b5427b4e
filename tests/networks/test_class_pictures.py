"""Prior preservation through the whole stage, on the random model: who draws class pictures, who uses them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from profile_contract.artifacts import class_picture_key
from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import PriorPreservation, TrainOrder, TrainParameters, TrainReport
from profile_contract.style import Mode
from profile_draw.config import EngineConfig
from profile_draw.errors import Refused
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_models import random_sdxl
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_train import stage
from profile_train.class_pictures import read_class_picture

AREA = "hr.1a2b3c4d-5e6f/"
SHARED = f"{AREA}prior/c1/"
PRIOR = PriorPreservation(weight=1.0, pictures=3)
EDGE = 64


@pytest.fixture
def learn(tmp_path: Path) -> Any:
    random_sdxl.make(tmp_path / "models")
    store = FolderStore(tmp_path / "store")
    draw = np.random.default_rng(5)
    images = []
    for number in range(2):
        picture = draw.integers(0, 256, (EDGE, EDGE, 3), dtype=np.uint8)
        store.write(f"{number}/image.png", cv2.imencode(".png", picture)[1].tobytes())
        store.write(f"{number}/mask.png", cv2.imencode(".png", picture[:, :, 0])[1].tobytes())
        images.append(
            DatasetImage(
                photo=f"{number}.jpg", image=f"{number}/image.png", mask=f"{number}/mask.png",
                caption="a photo of {subject}", width=EDGE, height=EDGE, face_box=(16, 16, 16, 16),
            )
        )  # fmt: skip
    store.write("dataset/report.json", PreprocessReport(digest="d", images=images).to_json().encode())

    def run(name: str, shared: str | None = SHARED, **changed: Any) -> tuple[TrainReport, FolderStore]:
        order = TrainOrder(
            request=RequestRef(namespace="hr", name=name),
            digest="one",
            output=f"{AREA}requests/{name}/adapter/one/",
            dataset="dataset/report.json",
            class_pictures=shared,
            parameters=TrainParameters(
                base_model=random_sdxl.NAME, rank=1, steps=3, batch=2, resolution=EDGE, crops_per_photo=1, noun="woman",
                validation_images=0, validation_sampler_steps=2, mixed_precision="no", prior_preservation=PRIOR,
            ).model_copy(update=changed),
        )  # fmt: skip
        told = run_stage(stage.run, order, Stage.TRAIN, store, models=tmp_path / "models")
        if not isinstance(told, TrainReport):
            raise BadInput(told.reason, told.message)
        return told, store

    return run


def kept(store: FolderStore) -> dict[str, bytes]:
    return {entry.key: store.read(entry.key) for entry in store.list(f"{AREA}prior/")}


def adapter(report: TrainReport) -> str:
    assert report.adapter is not None
    return report.adapter.sha256


def test_they_are_drawn_once_and_used_by_the_namespaces_next_training(learn: Any) -> None:
    first, store = learn("minji")
    assert first.class_pictures_drawn == 3
    pictures = kept(store)
    assert sorted(pictures) == [class_picture_key(SHARED, number) for number in range(3)]
    assert len(set(pictures.values())) == 3
    second, _ = learn("hyun")
    assert second.class_pictures_drawn == 0
    assert kept(store) == pictures
    assert adapter(second) == adapter(first)
    alone, _ = learn("jun", prior_preservation=PriorPreservation())
    assert alone.class_pictures_drawn is None
    assert adapter(alone) != adapter(first)
    lighter, _ = learn("sua", prior_preservation=PriorPreservation(weight=0.5, pictures=3))
    assert adapter(lighter) not in {adapter(alone), adapter(first)}


def test_what_is_no_class_picture_is_drawn_again(learn: Any) -> None:
    _, store = learn("minji")
    pictures = kept(store)
    smaller = cv2.imencode(".png", np.zeros((EDGE, EDGE - 8, 3), np.uint8))[1].tobytes()
    store.write(class_picture_key(SHARED, 1), smaller)
    store.write(class_picture_key(SHARED, 2), b"x" * 1_000_000)
    store.write(f"{SHARED}999.png", b"nobody reads this")
    again, _ = learn("hyun")
    assert again.class_pictures_drawn == 2
    for key, data in pictures.items():
        # Drawn beside others, a picture is rounded another way.
        first, second = (read_class_picture(file, EDGE) for file in (data, store.read(key)))
        assert first is not None
        assert second is not None
        assert np.abs(first.astype(int) - second.astype(int)).max() <= 1


def test_they_show_what_the_base_model_draws_of_the_noun_without_an_adapter(learn: Any, tmp_path: Path) -> None:
    _, store = learn("minji")
    pipeline = Pipeline.load(
        EngineConfig(models=tmp_path / "models", base_model=random_sdxl.NAME, dtype="float32", device="cpu")
    )
    shape = Shape(
        width=EDGE, height=EDGE, steps=2, guidance=5.0, mode=Mode.TEXT_TO_IMAGE, strength=0.0, has_pose=False,
        control_weight=0.0, control_end=0.0,
    )  # fmt: skip
    for number, data in enumerate(kept(store).values()):
        (expected,) = pipeline.draw(shape, [Row(0, seed=number, prompt="a photo of a woman")])
        drawn = read_class_picture(data, EDGE)
        assert drawn is not None
        assert np.abs(drawn.astype(int) - expected.astype(int)).max() <= 1


def test_a_training_without_a_place_for_them_learns_from_none(learn: Any) -> None:
    report, store = learn("minji", shared=None)
    assert report.class_pictures_drawn is None
    assert kept(store) == {}


def test_a_model_that_draws_no_numbers_is_told(learn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(*_: object) -> np.ndarray:
        raise Refused("the pictures are not finite")

    monkeypatch.setattr(Pipeline, "draw", draw)
    with pytest.raises(BadInput, match="no class picture can be drawn: the pictures are not finite") as told:
        learn("minji")
    assert told.value.reason is Reason.INVALID_ORDER


def test_one_after_another_where_memory_does_not_take_more(learn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = Pipeline.draw, list[int]()

    def draw(self: Pipeline, shape: Shape, rows: list[Row]) -> np.ndarray:
        asked.append(len(rows))
        if len(rows) > 1:
            raise torch.OutOfMemoryError
        return real(self, shape, rows)

    monkeypatch.setattr(Pipeline, "draw", draw)
    report, _ = learn("minji")
    assert report.class_pictures_drawn == 3
    assert asked == [2, 1, 1, 1]
