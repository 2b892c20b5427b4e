"""A look through the whole stage, on the random model: what is trained, what captions say, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from safetensors.torch import load

from profile_contract.exits import BadInput
from profile_contract.reports import read_report
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import AdapterLayers, LookTraining, TrainOrder, TrainParameters, TrainReport
from profile_models import random_sdxl
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_train import look_judge, stage
from profile_train.dataset import Example, read_examples
from profile_vision.faces import Face
from profile_vision.pixels import BGR, Mask

PREFIX = "hr.1a2b3c4d-5e6f/looks/learnt/rim/adapter/one/"
STYLE_BLOCK = "unet.up_blocks.0.attentions.1."


class Faces:
    """A face in the middle of every picture; of grey ones it is one person's, of all others another's."""

    def __init__(self, _models: Path) -> None: ...

    def find(self, image: BGR) -> list[Face]:
        height, width = image.shape[:2]
        return [Face((width / 4, height / 4, width / 2, height / 2), np.zeros((5, 2), np.float32), 0.9)]

    def embed(self, image: BGR, _face: Face) -> np.ndarray:
        row = np.zeros(128, np.float32)
        row[int(np.ptp(image.reshape(-1, 3).mean(0)) > 1)] = 1
        return row


class Masks:
    """The middle of every picture is the person."""

    def __init__(self, _models: Path) -> None: ...

    def read(self, image: BGR) -> Mask:
        mask = np.zeros(image.shape[:2], np.uint8)
        height, width = image.shape[:2]
        mask[height // 4 : -height // 4, width // 4 : -width // 4] = 255
        return Mask(mask)


@pytest.fixture
def learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    random_sdxl.make(tmp_path / "models")
    store = FolderStore(tmp_path / "store")
    picture = np.full((64, 64, 3), 200, np.uint8)
    store.write("p/image.png", cv2.imencode(".png", picture)[1].tobytes())
    store.write("p/mask.png", cv2.imencode(".png", picture[:, :, 0])[1].tobytes())
    image = DatasetImage(
        photo="p.jpg", image="p/image.png", mask="p/mask.png", caption="a photo of {subject}, facing the camera",
        width=64, height=64, face_box=(16, 16, 16, 16),
    )  # fmt: skip
    report = PreprocessReport(digest="d", images=[image] * 3, people=3)
    store.write("dataset/report.json", report.to_json().encode())
    monkeypatch.setattr(look_judge, "FaceReader", Faces)
    monkeypatch.setattr(look_judge, "MaskReader", Masks)

    def run(**changed: Any) -> tuple[TrainReport, FolderStore]:
        order = TrainOrder(
            request=RequestRef(namespace="hr", name="rim"),
            digest="one",
            output=PREFIX,
            dataset="dataset/report.json",
            look=LookTraining(words="golden rim light", weights_percent=[60, 100]),
            parameters=TrainParameters(
                base_model=random_sdxl.NAME, rank=1, steps=1, batch=1, resolution=64, crops_per_photo=1,
                validation_images=1, validation_sampler_steps=2, mixed_precision="no",
                adapter_layers=AdapterLayers.LOOK, face_weight=4.0,
            ).model_copy(update=changed),
        )  # fmt: skip
        told = run_stage(stage.run, order, Stage.TRAIN, store, models=tmp_path / "models")
        if not isinstance(told, TrainReport):
            raise BadInput(told.reason, told.message)
        return told, store

    return run


def test_a_look_is_learnt_where_style_lives_and_told_with_its_figures(
    learn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Example] = []

    def read(*words: Any, **named: Any) -> list[Example]:
        asked.extend(read_examples(*words, **named))
        return asked

    monkeypatch.setattr(stage, "read_examples", read)
    report, store = learn()
    assert {example.caption for example in asked} == {"a photo of person, facing the camera, golden rim light"}
    assert all(np.allclose(example.weights, 1.0) for example in asked)
    assert report.adapter is not None
    assert {name[: len(STYLE_BLOCK)] for name in load(store.read(report.adapter.key))} == {STYLE_BLOCK}
    look = report.look
    assert look is not None
    assert (look.pictures, look.learnt_from, look.people) == (2, 3, 3)
    assert (look.network, look.threshold) == ("SFace", 0.55)
    assert [row.weight_percent for row in look.weights] == [60, 100]
    # One step changes next to nothing, and nobody whom the look's pictures show is in what was drawn.
    assert [(row.likeness, row.nearest, row.resembling) for row in look.weights] == [(1.0, 0.0, 0)] * 2
    assert all(abs(row.backdrop or 0.0) < 0.2 for row in look.weights)
    sheet = cv2.imdecode(np.frombuffer(store.read(look.sheet), np.uint8), cv2.IMREAD_COLOR)
    assert sheet is not None
    assert sheet.shape == (32 + 2 * 264, 8 + 3 * 264, 3)
    # As it stands in the store, and the operator reads it.
    assert read_report(TrainReport, store.read(PREFIX + "report.json"), PREFIX) == report


def test_a_look_must_be_judged(learn: Any) -> None:
    with pytest.raises(BadInput, match=r"set training\.validationImages to 1 or more"):
        learn(validation_images=0)
