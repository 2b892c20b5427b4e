"""What an evaluation measures on one person: against which photos, by which faces, per which ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from profile_cli.errors import CommandError
from profile_cli.results import Results
from profile_cli.run.settings import AREA, PHOTOS_PREFIX
from profile_cli.terminal import Terminal
from profile_contract.photos import PhotoReason
from profile_contract.picture_size import PictureSize
from profile_contract.request import Photos, ProfileRequestSpec
from profile_contract.stages.chain import Platform
from profile_contract.stages.finish import FinishReport, Score, ToneShift
from profile_contract.stages.generate import Candidate, GenerateReport
from profile_contract.stages.preprocess import (
    DatasetImage,
    DatasetPose,
    PhotoVerdict,
    PreprocessOrder,
    PreprocessParameters,
    PreprocessReport,
)
from profile_contract.stages.train import Checkpoint, TrainParameters, TrainReport
from profile_contract.style import ProfileStyleSpec, Title, Tone
from profile_evaluate import person as module
from profile_evaluate.drawing import WantedPicture, draw_missing, drawn_with
from profile_evaluate.figures import PersonFigures, Share
from profile_evaluate.people import CastMember
from profile_evaluate.person import (
    Measured,
    Setting,
    figures_of,
    figures_of_style,
    run_person,
    verdicts_on_bad,
    without_adapter,
)
from profile_runtime.store.folder import FolderStore
from profile_runtime.weights import write_sums
from profile_vision.faces import Face
from profile_vision.poses import presets

Pixels = NDArray[np.uint8]
# Directions of faces, two of them alike: 1 is the person as held out, 2 as trained on, 3 somebody else.
FACES = {1: [1.0, 0.0, 0.0], 2: [0.6, 0.8, 0.0], 3: [0.0, 0.0, 1.0]}
STYLE = ProfileStyleSpec(title=Title(en="A"), prompt="photo of {subject}, {tone}", tone=Tone.WARM)
STYLES = {"warm": STYLE, "cool": STYLE.model_copy(update={"tone": Tone.COOL})}
PLATFORM = Platform(
    preprocess=PreprocessParameters(minimum_photos=5, maximum_photos=12),
    training=TrainParameters(base_model="base", control_model="poses", token="sks"),
    picture=PictureSize(64, 64),
)
SPEC = ProfileRequestSpec(photos=Photos(prefix=PHOTOS_PREFIX), styles=["warm", "cool"])


def drawn(*faces: int) -> bytes:
    """A picture with these faces in it, told by its first pixels."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[0, : len(faces), 0] = faces
    done, png = cv2.imencode(".png", pixels)
    assert done
    return png.tobytes()


def embedding(number: int) -> NDArray[np.float32]:
    """Of one of the faces."""
    return np.array(FACES[number], np.float32)


class Reader:
    """Finds the faces that drawn() put there, each smaller than the one before."""

    def find(self, picture: Pixels) -> list[Face]:
        numbers = [int(number) for number in picture[0, :8, 0] if number]
        return [
            Face(box=(0, 0, 30, 30 - place), points=np.full((5, 2), number, np.float32), score=1.0)
            for place, number in enumerate(numbers)
        ]

    def embed(self, _: Pixels, face: Face) -> NDArray[np.float32]:
        return embedding(int(face.points[0, 0]))


READER: Any = Reader()


def image(name: str, *, held_out: bool = False) -> DatasetImage:
    return DatasetImage(
        photo=name, image=f"data/{name}", mask="m", pose="p", caption="{subject}", width=64, height=64,
        face_box=(0, 0, 9, 9), held_out=held_out,
    )  # fmt: skip


def results() -> Results:
    """Two styles of two candidates and a neutral twin each; two photos held out of five, one of them without a face."""
    names = [f"{number}.jpg" for number in range(5)]
    images = [image(name, held_out=name in ("3.jpg", "4.jpg")) for name in names]
    candidates = [
        Candidate(seed=1, key="{}/1.png", pose="frontal"),
        Candidate(seed=1, key="{}/1-neutral.png", twin=True),
    ]
    candidates.append(Candidate(seed=2, key="{}/2.png"))
    reports = [
        GenerateReport(
            digest=style,
            style=style,
            candidates=[one.model_copy(update={"key": one.key.format(style)}) for one in candidates],
        )
        for style in STYLES
    ]
    shifts = [
        ToneShift(style=style, tone=STYLES[style].tone, pairs=1, b_shift=3, l_shift=0, met=True) for style in STYLES
    ]
    return Results(
        preprocess=PreprocessReport(
            digest="p",
            images=images,
            poses=[DatasetPose(name="frontal", joints=presets()["frontal"])],
            ceiling=0.8,
        ),
        train=TrainReport(
            digest="t", chosen_step=200, checkpoints=[Checkpoint(step=200, key="k", loss=0.1, likeness=50)]
        ),
        generate=tuple(reports),
        finish=FinishReport(digest="f", tones=shifts),
    )


PICTURES = {
    "data/0.jpg": (2,), "data/1.jpg": (2,), "data/2.jpg": (2,), "data/3.jpg": (1,), "data/4.jpg": (),
    "warm/1.png": (1,), "warm/2.png": (1, 3), "warm/1-neutral.png": (3,),
    "cool/1.png": (3,), "cool/2.png": (), "cool/1-neutral.png": (3,),
}  # fmt: skip


@pytest.fixture
def person(tmp_path: Path) -> CastMember:
    photos = tuple(tmp_path / f"{number}.jpg" for number in range(5))
    for photo in photos:
        photo.write_bytes(b"x")
    return CastMember("anna", photos, "woman", "a young woman")


@pytest.fixture
def measured(person: CastMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    class Ended:
        """A run whose stages have ended."""

        def __init__(self, store: FolderStore, models: Path, spec: ProfileRequestSpec, *_: object) -> None:
            assert spec.subject.noun == "woman"
            assert [one.key for one in store.list("")] == [f"{AREA}{PHOTOS_PREFIX}{n}.jpg" for n in range(5)]
            for key, faces in PICTURES.items():
                store.write(key, drawn(*faces))

        def results(self) -> Results:
            return results()

    monkeypatch.setattr(module, "Run", Ended)
    return run_person(person, tmp_path / "work", Setting(tmp_path, SPEC, STYLES, PLATFORM), READER, Terminal())


@pytest.fixture
def pale(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is seen of the eyes of each face."""
    seen = {1: 0.28, 2: 0.48, 3: 0.32}
    monkeypatch.setattr(module, "paler_eye", lambda _, face: seen[int(face.points[0, 0])])


@pytest.mark.usefixtures("pale")
def test_eyes_are_held_against_the_persons_own_photos(measured: Measured) -> None:
    # The middling photo has .48, and .29 is wanted.
    assert measured.eyes == (False, None, True, None)
    assert measured.photo_eyes == (True, True, True, False, None)


def numbers(found: Sequence[NDArray[np.float32] | None]) -> list[int | None]:
    """Which faces these are."""
    known = {embedding(number).tobytes(): number for number in FACES}
    return [None if one is None else known[one.tobytes()] for one in found]


def test_likeness_is_measured_against_held_out_photos_alone(measured: Measured) -> None:
    assert numbers(measured.references) == [1]
    assert numbers(measured.photos) == [2, 2, 2, 1]


def test_portraits_count_with_exactly_one_face_and_twins_not_at_all(measured: Measured) -> None:
    assert measured.styles == ("warm", "warm", "cool", "cool")
    assert numbers(measured.portraits) == [1, None, 3, None]
    assert measured.faces == (1, 2, 1, 0)


def test_a_persons_figures_are_those_of_what_was_measured(measured: Measured) -> None:
    centroids = {"anna": embedding(1), "ben": embedding(3)}
    # With photos that were trained on it would be .3 instead of .5.
    found = figures_of(replace(measured, base=(embedding(3), embedding(2))), centroids)
    assert (found.ceiling, found.adapter, found.described) == (0.8, 0.5, None)
    assert found.base == pytest.approx(0.3)
    assert found.share == pytest.approx(0.5 / 0.8)
    assert (found.one_face, found.named) == (Share(2, 4), Share(1, 2))
    assert found.chosen_step == 200


def test_what_is_delivered_is_measured_by_itself(measured: Measured) -> None:
    def score(key: str, *, delivered: bool) -> Score:
        return Score(style="warm", seed=1, key=key, faces=1, delivered=delivered)

    scores = [score("warm/1.png", delivered=True), score("cool/1.png", delivered=False)]
    finish = measured.results.finish.model_copy(update={"scores": scores})
    seen = replace(measured, results=replace(measured.results, finish=finish), eyes=(True, None, False, None))
    found = figures_of(seen, {"anna": embedding(1)})
    assert (found.adapter, found.delivered) == (0.5, 1.0)
    assert found.delivered_share == pytest.approx(1 / 0.8)
    assert (found.eyes, found.delivered_eyes) == (Share(1, 2), Share(1, 1))
    assert figures_of(measured, {"anna": embedding(1)}).delivered_share is None


def test_a_style_is_measured_by_its_own_portraits_per_each_persons_ceiling(measured: Measured) -> None:
    other = replace(
        measured,
        results=replace(measured.results, preprocess=measured.results.preprocess.model_copy(update={"ceiling": 0.5})),
        portraits=(embedding(2), None, None, None),
    )
    warm, cool = (figures_of_style(name, STYLES[name].tone, [measured, other]) for name in ("warm", "cool"))
    assert warm.share == pytest.approx((1 / 0.8 + 0.6 / 0.5) / 2)
    assert cool.share == pytest.approx(0.0)
    assert (warm.one_face, cool.one_face) == (Share(2, 4), Share(2, 4))
    assert warm.shift is not None
    assert (warm.shift.style, warm.shift.pairs) == ("warm", 2)


def test_a_person_without_a_ceiling_is_measured_by_one(measured: Measured) -> None:
    unknown = measured.results.preprocess.model_copy(update={"ceiling": None})
    none = replace(measured, results=replace(measured.results, preprocess=unknown), portraits=(None,) * 4)
    assert figures_of(none, {}).ceiling == 1.0


# --- without adapters --------------------------------------------------------------------------------------------


@dataclass
class Engine:
    """Draws the faces that the prompt's subject stands for."""

    config: Any = field(
        default_factory=lambda: SimpleNamespace(models=Path("none"), base_model="base", control_model="poses")
    )
    orders: list[Any] = field(default_factory=list)

    def generate(self, order: Any, _: object) -> list[Any]:
        self.orders.append(order)
        return [SimpleNamespace(key=one.key, png=self._png(one)) for one in order.items]

    @staticmethod
    def _png(one: Any) -> bytes:
        if "sks woman" in one.prompt:
            return drawn(3)
        return drawn(2, 3) if one.seed == 2 else drawn(2)


def test_the_base_alone_draws_the_same_seeds_and_poses_with_other_words(measured: Measured, tmp_path: Path) -> None:
    engine: Any = Engine()
    base, described = without_adapter(measured, engine, Setting(tmp_path, SPEC, STYLES, PLATFORM), READER)
    assert numbers(base) == [3, 3, 3, 3]
    # Two faces are no portrait of anybody.
    assert numbers(described) == [2, None, 2, None]
    items = [item for order in engine.orders for item in order.items]
    assert [item.seed for item in items] == [1, 2] * 4
    posed = PLATFORM.picture_for(SPEC).placed(presets()["frontal"])
    assert [item.joints for item in items] == [posed, None] * 4
    assert {item.prompt for item in items[:2]} == {"photo of sks woman, warm light"}
    assert {item.prompt for item in items[4:6]} == {"photo of a young woman, warm light"}
    assert all(order.adapter is None for order in engine.orders)


def test_what_stands_is_drawn_again_only_from_other_words_or_poses(tmp_path: Path) -> None:
    store, engine = FolderStore(tmp_path), Engine()
    pose = presets()["frontal"]
    wanted = [WantedPicture(key=f"{seed}.png", seed=seed, prompt="a sks woman", joints=pose) for seed in range(6)]

    def drawings(which: Sequence[WantedPicture], style: ProfileStyleSpec = STYLE) -> list[int]:
        engine.orders.clear()
        draw_missing(engine, store, style, PictureSize(64, 64), which)  # type: ignore[arg-type]
        return [len(order.items) for order in engine.orders]

    assert drawings(wanted) == [4, 2]
    assert drawings(wanted) == []
    assert drawings([replace(wanted[0], prompt="another"), *wanted[1:]]) == [1]
    assert drawings(wanted[1:], STYLE.model_copy(update={"negative_prompt": "hat"})) == [4, 1]
    turned = presets()["three-quarter-left"]
    assert drawings([replace(picture, joints=turned) for picture in wanted]) == [4, 2]
    assert drawings(wanted) == [4, 2]
    # Cut between the portrait and its digest: who knows what it was drawn from.
    store.remove(["3.png.digest"])
    assert drawings(wanted) == [1]


def test_what_a_model_drew_is_drawn_again_once_it_was_trained_again_under_its_name(tmp_path: Path) -> None:
    models, store = tmp_path / "models", FolderStore(tmp_path / "out")
    weights = {name: models / name / "unet" / "weights.safetensors" for name in ("base", "poses")}
    for path in weights.values():
        path.parent.mkdir(parents=True)
        path.write_bytes(b"first")
    engine = Engine(SimpleNamespace(models=models, base_model="base", control_model="poses"))
    wanted = [WantedPicture(key="1.png", seed=1, prompt="a sks woman", joints=None)]

    def draws() -> bool:
        engine.orders.clear()
        draw_missing(engine, store, STYLE, PictureSize(64, 64), wanted)  # type: ignore[arg-type]
        return bool(engine.orders)

    assert [draws(), draws()] == [True, False]
    for name, path in weights.items():
        path.write_bytes(f"trained again: {name}".encode())
        assert [draws(), draws()] == [True, False]
    # Its sums say the same as its files do; notes and pictures beside them draw nothing.
    write_sums(models / "base")
    (models / "base" / "README.md").write_text("notes")
    assert not draws()
    weights["base"].write_bytes(b"third")
    write_sums(models / "base")
    assert draws()
    engine.config.control_model = ""
    assert [draws(), draws()] == [True, False]


def test_a_model_whose_sums_cannot_be_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "SHA256SUMS").write_text("nothing of use")
    with pytest.raises(CommandError, match=r"line 1 of .*SHA256SUMS names no sha256"):
        drawn_with(tmp_path, "base", "")


# --- verdicts ----------------------------------------------------------------------------------------------------


def test_bad_photos_are_judged_among_the_good_ones(
    person: CastMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad" / "0.jpg"
    bad.parent.mkdir()
    bad.write_bytes(b"bad")
    orders: list[PreprocessOrder] = []

    def stage(order: PreprocessOrder, *_: object) -> PreprocessReport:
        orders.append(order)
        verdicts = [
            PhotoVerdict(name="0.jpg", accepted=True, reason=PhotoReason.ACCEPTED),
            PhotoVerdict(name="bad/0.jpg", accepted=False, reason=PhotoReason.BLURRED),
        ]
        return PreprocessReport(digest="verdicts", verdicts=verdicts)

    monkeypatch.setattr("profile_preprocess.stage.run", stage)
    setting = Setting(tmp_path, SPEC, STYLES, PLATFORM)
    spoilt = replace(person, bad={bad: "TooDark"})
    assert verdicts_on_bad(spoilt, tmp_path / "v", setting) == [("0.jpg", "TooDark", "Blurred")]
    (order,) = orders
    assert [one.name for one in order.photos] == [*(f"{number}.jpg" for number in range(5)), "bad/0.jpg"]
    assert (order.parameters.maximum_photos, order.parameters.minimum_photos) == (6, 1)
    assert verdicts_on_bad(person, tmp_path / "v", setting) == []


# --- figures -----------------------------------------------------------------------------------------------------


def figures(likenesses: list[int], chosen: int = 200) -> PersonFigures:
    checkpoints = tuple(
        Checkpoint(step=100 * (number + 1), key="k", loss=0.1, likeness=value)
        for number, value in enumerate(likenesses)
    )
    return PersonFigures(
        "anna", 0.75, 0.6, 0.2, 0.35, Share(8, 8), Share(6, 8), Share(7, 8), Share(8, 8), checkpoints, chosen
    )


def test_a_gain_is_over_the_base_model_with_the_same_words() -> None:
    assert figures([20, 60]).gain == pytest.approx(0.4)
    assert replace(figures([20, 60]), base=None).gain == pytest.approx(0.6)
    assert replace(figures([20, 60]), adapter=None).gain is None


def test_staying_is_no_rising() -> None:
    assert figures([20, 60]).rises is True
    assert figures([60, 60]).rises is False
    assert figures([60, 20]).rises is False
