"""A look through the whole stage, on the random model: what is trained, what captions say, and what is told of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load

from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.recipe import Recipe
from profile_contract.reports import read_report
from profile_contract.stages.order import FileRef, RequestRef, StageReport
from profile_contract.stages.preprocess import DatasetImage, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import (
    AdapterLayers,
    LookMerge,
    LookTraining,
    TrainOrder,
    TrainParameters,
    TrainReport,
)
from profile_draw.adapters.adapter_file import write_adapter
from profile_draw.adapters.weights import LayerWeights
from profile_draw.layer_sizes import look_reader
from profile_draw.merged_model import write_merged
from profile_models import random_sdxl
from profile_runtime.recipes import merged_recipe, read_recipe
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_runtime.weights import SUMS, check_model
from profile_train import look_judge, stage
from profile_train.dataset import Example, read_examples
from profile_vision.faces import Face
from profile_vision.pixels import BGR, Mask

PREFIX = "hr.1a2b3c4d-5e6f/looks/learnt/rim/adapter/one/"
MODELS = "hr.1a2b3c4d-5e6f/looks/learnt/rim/models/two/"
LAYER = "up_blocks.0.attentions.1.proj_in"
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


@pytest.fixture
def merge(tmp_path: Path) -> Any:
    """Merges a look of ones, which lies in a folder's store, into the random model."""
    models, store = tmp_path / "models", FolderStore(tmp_path / "store")
    random_sdxl.make(models)
    size = look_reader(models, random_sdxl.NAME, 8).sizes[LAYER]
    weights = LayerWeights(torch.ones(size.down(1)), torch.ones(size.up(1)), 1.0)
    content = write_adapter({LAYER: weights}, [LAYER], random_sdxl.NAME)
    store.write(f"{PREFIX}adapter.safetensors", content)

    def run(sha256: str = hashlib.sha256(content).hexdigest(), base: str = random_sdxl.NAME) -> StageReport:
        adapter = FileRef(key=f"{PREFIX}adapter.safetensors", sha256=sha256)
        order = TrainOrder(
            request=RequestRef(namespace="hr", name="rim"),
            digest="two",
            output=MODELS,
            dataset="dataset/report.json",
            parameters=TrainParameters(base_model=base),
            merge=LookMerge(
                name="random-rim", adapter=adapter, weight_percent=60, licence="our own", recipe='{"toy": "A"}'
            ),
        )
        return run_stage(stage.run, order, Stage.TRAIN, store, models=models)

    return run, store, models


def test_a_look_becomes_a_base_model_with_a_recipe_of_its_own(merge: Any, tmp_path: Path) -> None:
    run, store, models = merge
    store.write(f"{MODELS}random-rim/unet/left.over.safetensors", b"of an order that was ended")
    report = run()
    assert isinstance(report, TrainReport)
    assert read_report(TrainReport, store.read(f"{MODELS}report.json"), MODELS) == report
    told = report.merged
    assert told is not None
    assert (report.outcome, report.adapter, told.name, told.weight_percent) == ("Done", None, "random-rim", 60)
    # What the platform copies is a whole model: the same as `merge-looks` writes, beside the base model's own.
    files = {
        item.key.removeprefix(f"{MODELS}random-rim/"): store.read(item.key)
        for item in store.list(f"{MODELS}r")
        if "random-rim/" in item.key
    }
    for name, content in files.items():
        (models / "copied" / name).parent.mkdir(parents=True, exist_ok=True)
        (models / "copied" / name).write_bytes(content)
    assert check_model(models, "copied")
    assert told.bytes == sum(map(len, files.values()))
    assert told.sums == hashlib.sha256(files[SUMS]).hexdigest()
    reader = look_reader(models, random_sdxl.NAME, 8)
    look = reader.read(store.read(f"{PREFIX}adapter.safetensors"), "x", torch.float32)
    recipe = merged_recipe(random_sdxl.NAME, ["x"], Recipe(toy="A"), "our own")
    write_merged(models / random_sdxl.NAME, [(look, 0.6)], models / "by-hand", {"recipe.yaml": recipe})
    by_hand = {
        path.relative_to(models / "by-hand").as_posix(): path.read_bytes()
        for path in (models / "by-hand").rglob("*")
        if path.is_file()
    }
    assert {name for name in by_hand.keys() | files.keys() if by_hand.get(name) != files.get(name)} == {
        "recipe.yaml",
        SUMS,
    }
    said = read_recipe(models / "copied")
    assert said is not None
    own = read_recipe(models / random_sdxl.NAME)
    assert own is not None
    assert said == own.model_copy(update={"licence": "our own"})
    assert files["recipe.yaml"].decode().splitlines()[1].startswith("# rim at 60 %, sha256 ")
    # A base model that brings no recipe is trained upon as the platform says.
    (models / random_sdxl.NAME / "recipe.yaml").unlink()
    (models / random_sdxl.NAME / SUMS).unlink(missing_ok=True)
    assert run().outcome == "Done"
    assert b"toy: A" in store.read(f"{MODELS}random-rim/recipe.yaml")


def test_a_look_that_somebody_changed_and_a_base_that_is_not_there_are_no_base_model(merge: Any) -> None:
    run, store, _ = merge
    changed = run(sha256="0" * 64)
    assert (changed.outcome, changed.reason) == ("BadInput", Reason.REFUSED)
    assert "is not the look that was learnt" in changed.message
    missing = run(base="sdxl")
    assert (missing.outcome, missing.reason) == ("BadInput", Reason.MODEL_NOT_FOUND)
    assert not [item.key for item in store.list(MODELS) if "random-rim/" in item.key]


def test_a_look_must_be_judged(learn: Any) -> None:
    with pytest.raises(BadInput, match=r"set training\.validationImages to 1 or more"):
        learn(validation_images=0)
