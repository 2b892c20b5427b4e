"""The second pass over faces on the random SDXL: alone and in mixed batches, and who pays for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from profile_contract.generation import AdapterGrant, DetailOrder, DetailOutcome, GenerationItem, GenerationOrder
from profile_contract.stages.order import RequestRef
from profile_draw.detail import cut_around
from profile_models import random_sdxl
from profile_predictor.engine import DrawingQueue, Drawn, Engine, EngineConfig, Fetched, Refused
from profile_vision.faces import Face
from profile_vision.pixels import BGR
from profile_vision.poses import preset

pytestmark = pytest.mark.e2e
Grant = Callable[..., AdapterGrant]
FACE = Face((44, 30, 30, 36), np.array([[52, 44], [66, 44], [59, 52], [54, 58], [64, 58]], np.float32), 0.9)
DETAIL = DetailOrder(strength=0.5, steps=6)
# The pose of a person whose eyes stand at a third of the height.
POSE = tuple((0.5 + 0.4 * x, 0.35 + 0.4 * y) if joint else None for joint in preset(0.0) for x, y in [joint or (0, 0)])


class FixedFaces:
    """A random network draws no faces: here is one."""

    def __init__(self) -> None:
        self.faces = [FACE]

    def find(self, image: BGR) -> list[Face]:
        return self.faces


class Files:
    """Adapters by their paths."""

    def read(self, url: str, limit: int) -> Fetched:
        return Fetched(Path(url).read_bytes(), self.stamp(url))

    def stamp(self, url: str) -> str:
        return url


@pytest.fixture(scope="module")
def faces() -> FixedFaces:
    return FixedFaces()


@pytest.fixture(scope="module")
def engine(random_models: Path, faces: FixedFaces) -> Iterator[Engine]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    loaded = Engine.load(
        EngineConfig(random_models, random_sdxl.NAME, random_sdxl.CONTROL_NAME, slots=3, maximum_rank=16, batch=8)
    )
    assert loaded._faces is None, "the random models come without the networks that find faces"
    loaded._faces = faces  # type: ignore[assignment]
    yield loaded
    torch.set_num_threads(threads)


def order(seed: int, adapter: AdapterGrant | None = None, *, posed: bool = False, **changes: Any) -> GenerationOrder:
    item = GenerationItem(seed=seed, prompt="portrait of sks woman", joints=POSE if posed else None, key=f"{seed}.png")
    values: dict[str, Any] = {"items": [item], "width": 128, "height": 160, "steps": 3}
    return GenerationOrder(request=RequestRef(namespace="team", name="minji"), adapter=adapter, **values | changes)


def alone(engine: Engine, wanted: GenerationOrder) -> Drawn:
    return engine.generate(wanted, Files())[0]


def together(engine: Engine, *orders: GenerationOrder) -> list[Drawn]:
    pieces = [engine.fetch(wanted, Files()).pieces[0] for wanted in orders]
    return [drawn[0] for drawn in engine.detail(pieces, engine.draw(pieces))]


def most(left: Drawn, right: Drawn) -> int:
    return int(np.abs(left.pixels.astype(int) - right.pixels.astype(int)).max())


@pytest.mark.parametrize("posed", [False, True])
def test_a_face_is_the_same_alone_and_beside_others_with_and_without_a_second_pass(
    engine: Engine, people: dict[str, Path], grant: Grant, *, posed: bool
) -> None:
    ann, ben = grant(people["ann"]), grant(people["ben"])
    orders = [
        order(1, ann, posed=posed, detail=DETAIL),
        order(2, ann, posed=posed),
        order(3, posed=posed, detail=DetailOrder(strength=0.9, steps=4)),
        order(4, ben, posed=posed, detail=DETAIL),
    ]
    single = [alone(engine, wanted) for wanted in orders]
    mixed = together(engine, *orders)
    redrawn = DetailOutcome.REDRAWN
    assert [drawn.detail for drawn in mixed] == [drawn.detail for drawn in single] == [redrawn, None, redrawn, redrawn]
    assert [most(*pair) for pair in zip(single, mixed, strict=True)] == pytest.approx([0] * 4, abs=1)
    assert most(single[0], alone(engine, orders[0])) == 0


def test_beside_the_face_the_picture_is_the_one_without_a_second_pass(
    engine: Engine, people: dict[str, Path], grant: Grant
) -> None:
    """And the face is drawn by the person's adapter, at the strength and in the pose that are asked for."""
    ann = grant(people["ann"])
    plain, detailed = alone(engine, order(1, ann)), alone(engine, order(1, ann, detail=DETAIL))
    cut = cut_around(FACE, 128, 160)
    seen = np.zeros((160, 128), dtype=bool)
    seen[cut.top : cut.top + cut.edge, cut.left : cut.left + cut.edge] = cut.mask[..., 0] > 0
    assert (plain.pixels[~seen] == detailed.pixels[~seen]).all()
    assert np.abs(plain.pixels[seen].astype(int) - detailed.pixels[seen].astype(int)).mean() > 2
    assert plain.sha256 != detailed.sha256

    weaker = DetailOrder(strength=0.2, steps=10)
    assert most(detailed, alone(engine, order(1, ann, detail=weaker))) > 5
    posed = [alone(engine, order(1, ann, posed=True, detail=detail, **more)) for detail, more in (
        (DETAIL, {}), (DETAIL, {"pose_line_thousandths": 60}))]  # fmt: skip
    assert most(*posed) > 3


def test_rows_without_a_face_say_so(engine: Engine, faces: FixedFaces) -> None:
    faces.faces = []
    try:
        drawn = alone(engine, order(1, detail=DETAIL))
    finally:
        faces.faces = [FACE]
    assert drawn.detail is DetailOutcome.NO_FACE
    assert drawn.sha256 == alone(engine, order(1)).sha256
    below = DETAIL.model_copy(update={"below": 36})
    assert alone(engine, order(1, detail=below)).detail is DetailOutcome.LARGE_ENOUGH


def test_only_who_asked_for_a_second_pass_pays_for_it(engine: Engine) -> None:
    queue = DrawingQueue(engine, places=8)
    first = queue.submit(engine.fetch(order(9, steps=10), Files()))
    tickets = [queue.submit(engine.fetch(wanted, Files())) for wanted in (order(1, detail=DETAIL), order(2))]
    drawn = [ticket.future.result(timeout=120)[0] for ticket in (*tickets, first)]
    queue.close()
    assert [picture.detail for picture in drawn] == [DetailOutcome.REDRAWN, None, None]
    paid, free = tickets
    assert paid.detailed > 0
    assert free.detailed == 0
    assert paid.drew == pytest.approx(free.drew + paid.detailed)


def test_without_networks_that_find_faces_such_an_order_is_refused(engine: Engine, faces: FixedFaces) -> None:
    engine._faces = None
    try:
        with pytest.raises(Refused, match="put the folder 'vision' into the models, or let the style's detail"):
            engine.fetch(order(1, detail=DETAIL), Files())
        assert alone(engine, order(1)).detail is None
    finally:
        engine._faces = faces  # type: ignore[assignment]
