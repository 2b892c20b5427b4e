"""What checkpoints are judged by: the very portraits that the predictor would serve in the request's first style."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from profile_contract.candidates import TRAINED, Wanted, judge_order
from profile_contract.generation import GenerationOrder
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import DatasetPose, PreprocessReport
from profile_contract.stages.train import AdapterLayers, TrainOrder, TrainParameters
from profile_contract.style import DetailMode, FaceDetail, Mode, ProfileStyleSpec, Sampler, Title, Tone
from profile_draw.adapters.adapter_file import write_adapter
from profile_draw.adapters.weights import trained_layers
from profile_draw.config import EngineConfig
from profile_draw.errors import Refused
from profile_draw.pipeline import Pipeline
from profile_draw.rows import Row, Shape
from profile_models import random_sdxl
from profile_predictor.engine import Engine
from profile_runtime.store.folder import FolderStore
from profile_train.cache import encode_text, free_encoders
from profile_train.memory import Precision
from profile_train.model import Base, load_base
from profile_train.portraits import PortraitDrawing, judged_by, judged_order
from profile_vision.faces import Face
from profile_vision.pixels import BGR
from profile_vision.poses import presets
from store_files import StoreFiles

REQUEST = RequestRef(namespace="hr", name="minji")
STYLE = ProfileStyleSpec(
    title=Title(en="Warm"),
    tone=Tone.WARM,
    prompt="portrait of {subject}, {tone}",
    negative_prompt="hat, text",
    sampler=Sampler(steps=9, guidance_tenths=40),
    control_weight_percent=150,
    control_end_percent=50,
)
SIZE = PictureSize(width=64, height=96, steps=4)
LAYERS = AdapterLayers.EVERYTHING


class OneFace:
    """Finds a face in the middle of every picture."""

    def find(self, image: BGR) -> list[Face]:
        height, width = image.shape[:2]
        points = np.array([[28, 40], [36, 40], [32, 46], [29, 50], [35, 50]], np.float32)
        return [Face((width / 2 - 8, height / 2 - 10, 16.0, 20.0), points, 0.9)]


def drawing_of(base: Base, order: GenerationOrder, store: FolderStore) -> PortraitDrawing:
    return PortraitDrawing.of(base, order, LAYERS, store=store, faces=OneFace())  # type: ignore[arg-type]


def trained(base: Base) -> None:
    """An adapter that changes every layer, as none does before its first step."""
    draw = torch.Generator().manual_seed(3)
    for weight in base.add_adapter(4, LAYERS, seed=0).values():
        weight.data.copy_(0.05 * torch.randn(weight.shape, generator=draw))


@pytest.fixture
def base(random_models: Path) -> Base:
    base = load_base(random_models, random_sdxl.NAME, control=random_sdxl.CONTROL_NAME)
    encode_text(base, ["anything"])
    return base


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    store = FolderStore(tmp_path)
    for number in (1, 2):
        pose = np.zeros((64, 64, 3), np.uint8)
        cv2.line(pose, (10 * number, 5), (40, 60), (0, 255, 80), 5)
        store.write(f"{number}.png", cv2.imencode(".png", pose)[1].tobytes())
    return store


def dataset() -> PreprocessReport:
    # The second as a version before joints left it.
    poses = [DatasetPose(name="photo-1", joints=presets()["frontal"]), DatasetPose(name="photo-2", key="2.png")]
    return PreprocessReport(digest="d", poses=poses)


def wanted(style: ProfileStyleSpec = STYLE, count: int = 3) -> GenerationOrder:
    order = judge_order(REQUEST, "warm", style, Wanted("sks woman", 5, count), dataset(), size=SIZE)
    assert order is not None
    return order


def train_order(judge: GenerationOrder | None, images: int = 4) -> TrainOrder:
    parameters = TrainParameters(
        base_model="tiny", resolution=64, validation_images=images, validation_sampler_steps=7, noun="man", token="ohwx"
    )
    return TrainOrder(
        request=REQUEST, digest="one", output="out/", dataset="report.json", parameters=parameters, judge=judge
    )


def mixed(order: GenerationOrder) -> GenerationOrder:
    """The order, its first item following no pose."""
    return order.model_copy(update={"items": [order.items[0].model_copy(update={"joints": None}), *order.items[1:]]})


def changed(style: ProfileStyleSpec, **fields: object) -> GenerationOrder:
    return wanted(style.model_copy(update=fields))


@pytest.fixture(scope="module")
def engine(random_models: Path) -> Iterator[Engine]:
    config = EngineConfig(random_models, random_sdxl.NAME, random_sdxl.CONTROL_NAME, slots=2, threads=1)
    engine = Engine.load(replace(config, adapter_layers=LAYERS))
    engine._faces = OneFace()  # type: ignore[assignment]
    yield engine
    engine.close()


@pytest.mark.parametrize(
    "order",
    [
        wanted(),
        changed(STYLE, adapter_weight_percent=40),
        changed(STYLE, detail=FaceDetail(mode=DetailMode.ALWAYS)),
        changed(STYLE, control_weight_percent=0),
        changed(STYLE, negative_prompt="a hat, " * 40),
        mixed(wanted()),
    ],
    ids=["as the style says", "weaker", "faces drawn again", "no pose", "long prompts", "poses and none"],
)
def test_the_judge_sees_what_the_predictor_would_serve(
    base: Base, engine: Engine, store: FolderStore, order: GenerationOrder
) -> None:
    """Of the adapter's file, beside somebody else in the batch."""
    drawing = drawing_of(base, order, store)
    free_encoders(base)
    trained(base)
    base.unet.train()
    portraits = np.stack(drawing.draw()).astype(int)
    content = write_adapter(trained_layers(base.adapter_weights), base.family.modules(LAYERS), random_sdxl.NAME)
    store.write("adapter", content)
    assert order.adapter is not None
    grant = {"url": "adapter", "sha256": hashlib.sha256(content).hexdigest()}
    served = order.model_copy(update={"adapter": order.adapter.model_copy(update=grant)})
    pictures: dict[int, np.ndarray] = {}
    for piece in engine.fetch(served, StoreFiles(store)).pieces:
        stranger = replace(piece, rows=(replace(piece.rows[0], adapters=(), seed=99),))
        batch = [piece, stranger]
        pictures |= {drawn.index: drawn.pixels for drawn in engine.detail(batch, engine.draw(batch))[0]}
    expected = np.stack([pictures[index] for index in range(3)]).astype(int)
    assert portraits.shape == (3, 96, 64, 3)
    assert np.abs(portraits - expected).max() <= 1
    assert np.abs(portraits[0] - portraits[1]).max() > 1


def test_what_is_trained_does_not_hear_what_is_judged(base: Base, store: FolderStore) -> None:
    """Nor is anything of the person kept beside the network between two checkpoints."""
    drawing = drawing_of(base, wanted(), store)
    trained(base)
    base.unet.train()
    names = [name for name, _ in base.unet.named_modules()]
    inputs = torch.randn(1, 4, 8, 8), 500, torch.randn(1, 77, 128)
    added = {"text_embeds": torch.randn(1, 64), "time_ids": torch.zeros(1, 6)}
    before = base.unet(*inputs, added_cond_kwargs=added).sample
    before.sum().backward()
    drawing.draw()
    assert torch.equal(base.unet(*inputs, added_cond_kwargs=added).sample, before)
    assert [name for name, _ in base.unet.named_modules()] == names
    assert base.unet.training
    assert all(weight.grad is not None for weight in base.adapter_weights.values())
    assert not drawing.pipeline.bank.holds(TRAINED.sha256)
    assert {parameter.data_ptr() for parameter in drawing.pipeline.unet.parameters()} <= {
        parameter.data_ptr() for parameter in base.unet.parameters()
    }


def test_the_adapter_is_heard_as_it_then_is(base: Base, store: FolderStore) -> None:
    drawing = drawing_of(base, wanted(count=1), store)
    weights = base.add_adapter(4, LAYERS, seed=0)
    before = drawing.draw()[0].astype(int)
    with torch.no_grad():
        for weight in weights.values():
            weight.add_(0.2)
    assert np.abs(drawing.draw()[0].astype(int) - before).max() > 1


def test_an_adapter_too_strong_to_draw_with_is_not_judged(base: Base, store: FolderStore) -> None:
    drawing = drawing_of(base, wanted(count=1), store)
    weights = base.add_adapter(4, LAYERS, seed=0)
    with torch.no_grad():
        for weight in weights.values():
            weight.fill_(1e6)
    assert drawing.draw() == []


def test_without_a_controlnet_no_pose_is_followed(random_models: Path, store: FolderStore) -> None:
    plain = load_base(random_models, random_sdxl.NAME)
    encode_text(plain, ["anything"])
    drawing = drawing_of(plain, wanted(), store)
    plain.add_adapter(4, LAYERS, seed=0)
    assert len(drawing.draw()) == 3
    assert [piece.shape.has_pose for piece in drawing.pieces] == [False]


def test_an_order_that_no_predictor_would_draw_judges_nothing(base: Base, store: FolderStore) -> None:
    over = wanted().model_copy(update={"mode": Mode.IMAGE_TO_IMAGE})
    with pytest.raises(Refused, match="has no initialImage"):
        drawing_of(base, over, store)


class Recorder:
    """A pipeline that keeps the shapes and rows that it was asked for, and holds so many rows at most."""

    def __init__(self, most: int) -> None:
        self.most, self.asked, self.bank = most, list[tuple[Shape, list[Row]]](), self

    def clear(self, digests: Sequence[str]) -> None:
        """As a bank does."""

    def draw(self, shape: Shape, rows: list[Row]) -> np.ndarray:
        self.asked.append((shape, list(rows)))
        if len(rows) > self.most:
            raise torch.OutOfMemoryError("full")
        return np.stack([np.full((shape.height, shape.width, 3), row.seed, np.uint8) for row in rows])


@pytest.mark.parametrize(
    ("most", "sizes", "drawn"),
    [(4, [4], [5, 6, 7, 8]), (3, [4, 2, 2], [5, 6, 7, 8]), (1, [4, 2, 1, 1, 1, 1], [5, 6, 7, 8]), (0, [4, 2, 1], [])],
)
def test_all_are_drawn_at_once_as_far_as_memory_goes(
    base: Base, store: FolderStore, most: int, sizes: list[int], drawn: list[int]
) -> None:
    recorder = Recorder(most)
    drawing = replace(drawing_of(base, wanted(count=4), store), pipeline=recorder)  # type: ignore[arg-type]
    trained(base)
    assert [int(picture[0, 0, 0]) for picture in drawing.draw()] == drawn
    assert [len(rows) for _, rows in recorder.asked] == sizes
    before = len(recorder.asked)
    drawing.draw()
    tried = [len(rows) for _, rows in recorder.asked[before:]]
    assert tried == ([drawing.most] * (4 // drawing.most) if drawing.most else []), (
        "what did not fit is not tried again"
    )


def test_they_are_drawn_as_the_style_and_the_base_model_say(base: Base, store: FolderStore) -> None:
    recorder = Recorder(4)
    drawing = replace(drawing_of(base, wanted(), store), pipeline=recorder)  # type: ignore[arg-type]
    trained(base)
    drawing.draw()
    ((shape, rows),) = recorder.asked
    assert (shape.width, shape.height, shape.steps, shape.guidance) == (64, 96, 4, 4.0)
    assert (shape.has_pose, shape.control_weight, shape.control_end) == (True, 1.5, 0.5)
    assert [row.seed for row in rows] == [5, 6, 7]
    assert {(row.prompt, row.negative_prompt) for row in rows} == {("portrait of sks woman, warm light", "hat, text")}
    assert all(row.pose is not None and row.pose.size == (64, 96) for row in rows)
    assert rows[0].pose != rows[1].pose
    assert rows[0].pose == rows[2].pose


def test_no_more_are_judged_than_training_asks_for() -> None:
    assert len((judged_order(train_order(wanted(count=4), images=2)) or wanted()).items) == 2
    assert judged_order(train_order(wanted(), images=0)) is None
    assert judged_by(train_order(wanted(), images=0)) is None
    said = judged_by(train_order(wanted()))
    assert said is not None
    assert (said.pictures, said.prompt, said.negative_prompt) == (3, "portrait of sks woman, warm light", "hat, text")
    assert (said.width, said.height, said.steps, said.guidance) == (64, 96, 4, 4.0)
    assert (said.control_weight, said.control_end) == (1.5, 0.5)


def test_an_order_that_says_nothing_of_a_style_is_judged_by_plain_portraits() -> None:
    order = judged_order(train_order(None))
    assert order is not None
    assert [item.seed for item in order.items] == [0, 1, 2, 3]
    assert order.items[0].prompt == "studio portrait photo of ohwx man, facing the camera"
    assert (order.width, order.height, order.steps, order.guidance) == (64, 64, 7, 5.0)
    assert not any(item.pose for item in order.items)


def test_a_style_whose_pose_the_dataset_lacks_judges_nothing() -> None:
    style = STYLE.model_copy(update={"pose": "profile"})
    assert judge_order(REQUEST, "warm", style, Wanted("sks woman", 5, 3), dataset(), size=SIZE) is None
    assert judge_order(REQUEST, "warm", STYLE, Wanted("sks woman", 5, 0), dataset(), size=SIZE) is None


def test_what_was_read_for_good_is_read_no_more(random_models: Path) -> None:
    pipeline = Pipeline.load(EngineConfig(random_models, random_sdxl.NAME, threads=1))
    shape = Shape(
        width=64, height=64, steps=2, guidance=3.0, mode=wanted().mode, strength=0.0, has_pose=False,
        control_weight=0.0, control_end=0.0,
    )  # fmt: skip
    row = Row(index=0, seed=1, prompt="a woman", negative_prompt="a hat")
    texts = pipeline.draw(shape, [row]).astype(int)
    pipeline.remember(["a woman", "a hat"], 1)
    pipeline.forget_encoders()
    assert np.abs(pipeline.draw(shape, [row]).astype(int) - texts).max() <= 1


def test_portraits_are_drawn_where_the_base_was_put_into_eight_bits(random_models: Path, store: FolderStore) -> None:
    base = load_base(random_models, random_sdxl.NAME, precision=Precision.FLOAT8, control=random_sdxl.CONTROL_NAME)
    encode_text(base, ["anything"])
    drawing = drawing_of(base, wanted(count=1), store)
    trained(base)
    before = drawing.draw()[0].astype(int)
    base.store_in_float8()
    difference = np.abs(drawing.draw()[0].astype(int) - before)
    assert 0 < difference.mean() < 25
