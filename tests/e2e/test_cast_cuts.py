"""Every layout of everybody of the cast, cut from what studio-mini draws and from photos: no stripes, no added body."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from finishing import finisher, stripes
from profile_cli.styles import load_styles
from profile_contract.framing import room_for
from profile_contract.generation import GenerationItem, GenerationOrder
from profile_contract.layouts import LayoutName
from profile_contract.picture_size import PictureSize
from profile_contract.stages.finish import FinishParameters, Portrait, Score
from profile_contract.stages.generate import Candidate
from profile_contract.stages.order import RequestRef
from profile_evaluate.people import CastMember, find_people
from profile_models.folders import models_folder
from profile_predictor.engine import Engine, EngineConfig, Fetched
from profile_runtime.recipes import read_recipe_file
from profile_runtime.store.folder import FolderStore
from profile_vision import FaceReader, MaskReader
from profile_vision.pixels import RGB, to_bgr
from profile_vision.poses import presets

MODELS = Path(__file__).resolve().parents[2] / "models"
PEOPLE = find_people(MODELS / "people")
RECIPE = read_recipe_file(MODELS / "studio-mini" / "recipe.yaml")
# A smooth backdrop that is enlarged five times may have a few like rows; a smeared edge has dozens.
LIKE_ROWS = 8
# As the model's recipe says, and upright: not smaller, or heads would be smaller than those that the model learnt.
WIDTH, HEIGHT = RECIPE.generation.width or 0, RECIPE.generation.height or 0
SIZES = [*((person, (WIDTH, HEIGHT)) for person in PEOPLE), *((person, (WIDTH, HEIGHT + 32)) for person in PEOPLE[::3])]
LAYOUTS = list(LayoutName)


class NoFiles:
    """These orders grant nothing to read."""

    def read(self, url: str, limit: int) -> Fetched:
        raise AssertionError(url, limit)

    def stamp(self, url: str) -> str:
        raise AssertionError(url)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine.load(EngineConfig(models_folder(), "studio-mini", "studio-mini-controlnet", slots=1, threads=1))
    yield engine
    engine.close()


def cut(store: FolderStore, models: Path, image: np.ndarray) -> Portrait:
    parameters = FinishParameters(portraits=1, minimum_likeness=0, layouts=LAYOUTS)
    finish = finisher(store, FaceReader(models / "vision"), parameters, MaskReader(models / "vision"))
    score = Score(style="studio", seed=1, key="candidate.png", faces=1, likeness=50)
    return finish.deliver(score, 1, to_bgr(RGB(image)), Candidate(seed=1, key="candidate.png"))


def added(store: FolderStore, portrait: Portrait) -> dict[str, int]:
    """How many like rows and columns the cuts have at their edges, by layout; those with too many alone."""
    counts = {}
    for file in portrait.layouts:
        pixels = cv2.imdecode(np.frombuffer(store.read(file.key), np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        counts[file.layout.value] = stripes(to_bgr(RGB(pixels.astype(np.uint8))))
    return {layout: count for layout, count in counts.items() if count > LIKE_ROWS}


@pytest.mark.parametrize(("person", "size"), SIZES, ids=lambda value: getattr(value, "name", str(value)))
def test_what_is_drawn_for_all_layouts_has_room_for_them(
    engine: Engine, person: CastMember, size: tuple[int, int], models: Path, store: FolderStore
) -> None:
    style = load_styles(["studio-warm"])["studio-warm"]
    picture = PictureSize(*size, room=room_for(LAYOUTS, RECIPE.preprocess.face_percent))
    item = GenerationItem(
        seed=7,
        prompt=style.prompt_for(person.described),
        negative_prompt=style.negative_prompt,
        joints=picture.placed(presets()["frontal"]),
    )
    order = GenerationOrder(
        request=RequestRef(namespace="local", name="cast"),
        items=[item],
        width=size[0],
        height=size[1],
        steps=20,
        guidance=2,
        control_weight=1,
        control_end=1,
    )
    drawn = engine.generate(order, NoFiles())[0].pixels
    portrait = cut(store, models, drawn)
    assert added(store, portrait) == {}
    for file in portrait.layouts:
        checks = {check.name: check for check in file.checks}
        assert checks["room around the head"].met, (file.layout, checks["head share"].measured)
        assert checks["backdrop continued"].met, (file.layout, checks["backdrop continued"].measured)


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
def test_photos_that_no_layout_was_thought_of_are_cropped_alone(
    person: CastMember, models: Path, store: FolderStore
) -> None:
    for photo in person.photos[::4]:
        image = cv2.imread(str(photo))
        assert image is not None
        portrait = cut(store, models, image[:, :, ::-1].astype(np.uint8))
        assert added(store, portrait) == {}, photo.name


def test_stripes_are_seen() -> None:
    image = np.random.default_rng(0).integers(0, 255, (100, 100, 3)).astype(np.uint8)
    smeared = cv2.copyMakeBorder(image, 0, 20, 0, 0, cv2.BORDER_REPLICATE)
    assert stripes(to_bgr(RGB(image))) == 0
    assert stripes(to_bgr(RGB(smeared.astype(np.uint8)))) >= 19
