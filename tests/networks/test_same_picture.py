"""The same order and seed give the same picture: alone, beside others, in the judge, the folder runner, over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from predictor_world import Store, world
from profile_cli.run.drawing import KeyGrants, StoreFiles, StyleDrawing
from profile_contract.candidates import PlannedCandidate, Wanted, generation_order, judge_order, planned_candidates
from profile_contract.generation import GenerationOrder
from profile_contract.picture_size import PictureSize
from profile_contract.stages.order import FileRef, RequestRef, StageOrder
from profile_contract.stages.preprocess import DatasetPose, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.stages.train import AdapterLayers
from profile_contract.style import ProfileStyleSpec, Sampler, Title
from profile_draw.adapters.adapter_file import write_adapter
from profile_draw.adapters.weights import trained_layers
from profile_models import random_sdxl
from profile_predictor.engine import Engine, EngineConfig
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_train.cache import encode_text
from profile_train.model import load_base
from profile_train.portraits import PortraitDrawing
from profile_vision.poses import presets

REQUEST = RequestRef(namespace="hr", name="minji")
LAYERS = AdapterLayers.EVERYTHING
SIZE = PictureSize(width=64, height=96, steps=3)
STYLE = ProfileStyleSpec(
    title=Title(en="Plain"),
    prompt="portrait of {subject}",
    negative_prompt="a hat",
    sampler=Sampler(guidance_tenths=40),
    adapter_weight_percent=80,
)
WANTED = Wanted("sks woman", seed=5, count=2)
Pictures = dict[int, np.ndarray]


def dataset() -> PreprocessReport:
    frontal, turned = presets()["frontal"], presets()["three-quarter-left"]
    poses = [DatasetPose(name="photo-1", joints=frontal), DatasetPose(name="photo-2", joints=turned)]
    return PreprocessReport(digest="d", poses=poses)


@dataclass(frozen=True)
class Studio:
    """A person who was trained on a random model, and everything that draws her by seed."""

    models: Path
    store: FolderStore
    adapter: FileRef
    engine: Engine
    by_the_judge: Pictures

    @property
    def planned(self) -> tuple[PlannedCandidate, ...]:
        return planned_candidates("plain", STYLE, "drawn/", WANTED, dataset())

    @property
    def order(self) -> GenerationOrder:
        return generation_order(REQUEST, self.adapter, STYLE, self.planned, size=SIZE, grants=KeyGrants())

    def alone(self) -> Pictures:
        drawn: Pictures = {}
        for item in self.order.items:
            single = self.order.model_copy(update={"items": [item]})
            drawn |= {picture.seed: picture.pixels for picture in self.engine.generate(single, StoreFiles(self.store))}
        return drawn

    def beside_others(self) -> Pictures:
        """In one batch with nobody, and with herself in another prompt at another weight."""
        (piece,) = self.engine.fetch(self.order, StoreFiles(self.store)).pieces
        ((person, _),) = piece.rows[0].adapters
        nobody = replace(piece.rows[0], adapters=(), seed=9, prompt="a man in a hat, " * 3)
        stronger = replace(piece.rows[1], adapters=((person, 1.3),), seed=8, negative_prompt="")
        others = replace(piece, rows=(nobody, stronger))
        return {drawn.seed: drawn.pixels for drawn in self.engine.draw([others, piece])[1]}

    def by_the_folder_runner(self) -> Pictures:
        drawing = StyleDrawing(self.engine, "plain", STYLE, self.adapter, SIZE, self.planned)
        order = StageOrder(request=REQUEST, digest="d", output="drawn/")
        run_stage(drawing.run, order, Stage.GENERATE, self.store, models=self.models)
        return {planned.seed: pixels_of(self.store.read(planned.key)) for planned in self.planned}

    def over_http(self) -> Pictures:
        with world(engine=self.engine) as predictor:
            store = predictor.store
            store.put("/" + self.adapter.key, self.store.read(self.adapter.key))
            order = generation_order(
                REQUEST, self.adapter, STYLE, self.planned, size=SIZE, grants=LinkGrants(store)
            ).to_json()
            result = asyncio.run(predictor.client.order(order)).result
            assert [item["seed"] for item in result["items"]] == [planned.seed for planned in self.planned]
            return {planned.seed: pixels_of(store.files["/" + planned.key]) for planned in self.planned}


class LinkGrants:
    """Links to a store's objects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: str) -> str:
        return self._store.link("/" + key)

    def put(self, key: str) -> str:
        return self._store.link("/" + key)


def pixels_of(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture)


@pytest.fixture(scope="module")
def studio(random_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    torch.set_num_threads(1)
    store = FolderStore(tmp_path_factory.mktemp("store"))
    base = load_base(random_models, random_sdxl.NAME, control=random_sdxl.CONTROL_NAME)
    encode_text(base, ["anything"])
    judged = judge_order(REQUEST, "plain", STYLE, WANTED, dataset(), size=SIZE)
    assert judged is not None
    drawing = PortraitDrawing.of(base, judged, LAYERS, store=store, faces=None)  # type: ignore[arg-type]
    draw = torch.Generator().manual_seed(3)
    for weight in base.add_adapter(4, LAYERS, seed=0).values():
        weight.data.copy_(0.05 * torch.randn(weight.shape, generator=draw))
    by_the_judge: Pictures = {item.seed: portrait for item, portrait in zip(judged.items, drawing.draw(), strict=True)}
    content = write_adapter(trained_layers(base.adapter_weights), base.family.modules(LAYERS), random_sdxl.NAME)
    store.write("adapter.safetensors", content)
    adapter = FileRef(key="adapter.safetensors", sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    config = EngineConfig(random_models, random_sdxl.NAME, random_sdxl.CONTROL_NAME, adapter_layers=LAYERS, threads=1)
    engine = Engine.load(config)
    yield Studio(random_models, store, adapter, engine, by_the_judge)
    engine.close()


@pytest.fixture(scope="module")
def alone(studio: Studio) -> Pictures:
    return studio.alone()


@pytest.mark.parametrize(
    "way",
    [
        Studio.beside_others,
        lambda studio: studio.by_the_judge,
        Studio.by_the_folder_runner,
        Studio.over_http,
    ],
    ids=["beside others", "judge", "folder runner", "HTTP"],
)
def test_the_same_order_is_the_same_picture_wherever_it_is_drawn(
    studio: Studio, alone: Pictures, way: Callable[[Studio], Pictures]
) -> None:
    drawn = way(studio)
    assert drawn.keys() == alone.keys() == {5, 6}
    for seed, pixels in drawn.items():
        assert pixels.shape == (96, 64, 3)
        assert np.abs(pixels.astype(int) - alone[seed]).max() <= 1, seed


def test_what_an_order_says_is_seen(studio: Studio, alone: Pictures) -> None:
    """Or pictures would be alike that nothing had been drawn upon."""
    assert np.abs(alone[5].astype(int) - alone[6]).max() > 20
    assert studio.order.adapter is not None
    weaker = studio.order.adapter.model_copy(update={"weight": 0.75})
    for changed in (
        {"adapter": None},
        {"adapter": weaker},
        {"guidance": 3.0},
        {"control_weight": 0.4},
        {"steps": 4},
        {"items": [item.model_copy(update={"negative_prompt": ""}) for item in studio.order.items]},
    ):
        order = studio.order.model_copy(update=changed)
        other = studio.engine.generate(order, StoreFiles(studio.store))[0].pixels
        assert np.abs(other.astype(int) - alone[5]).max() > 1, changed
