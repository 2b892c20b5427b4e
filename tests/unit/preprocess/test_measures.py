"""What is measured on a photo, on pictures whose measures are known; and how photos are judged together."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PhotoRef, PreprocessParameters
from profile_preprocess import light, quality, stage
from profile_preprocess.covering import HEIGHT, MOUTH_PART, WIDTH, _as_if_lit, covering, shapes
from profile_preprocess.decode import Frame, Opener, Photo, PhotoRefused
from profile_preprocess.detail import blocks, detail
from profile_preprocess.holdout import held_out
from profile_preprocess.long_shape import is_long, part_with_face
from profile_preprocess.look import Sitter, _second_body, look_at
from profile_preprocess.upright import upright
from profile_preprocess.verdicts import BLOCKS, FINENESS, Measures, judge
from profile_vision import Face, head_angles
from profile_vision.decoding import FileFacts
from profile_vision.framing import Framing, cut_to
from profile_vision.joints import Body
from profile_vision.moments import Fingerprint
from profile_vision.people import PeopleReader
from profile_vision.pixels import BGR

PEOPLE = Path(__file__).resolve().parents[3] / "models" / "people"
CAST = sorted(folder.name for folder in PEOPLE.iterdir() if (folder / "bad").is_dir())
FRONTAL = 25.0
Pixels = Any


def face_at(x: float, y: float, width: float, height: float, score: float = 0.9) -> Face:
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.78], [0.65, 0.78]], dtype=np.float32)
    placed = points * np.array([width, height], np.float32) + np.array([x, y], np.float32)
    return Face((x, y, width, height), placed, score)


def faces_of(person: str) -> list[tuple[Pixels, Face]]:
    """A person's photos from the front, and the face that is known to be there."""
    labels = [json.loads(line) for line in (PEOPLE / person / "labels.jsonl").read_text().splitlines()]
    chosen = []
    for number, label in enumerate(labels):
        if "landmarks" in label and abs(label["yaw"] + label["body"]) <= FRONTAL:
            points = np.array(label["landmarks"], dtype=np.float32)
            x, y, width, height = label["head_box"]
            image = cv2.imread(str(PEOPLE / person / f"{number:02d}.jpg"))
            chosen.append((image, Face((x, y, width, height), points, 0.9)))
    return chosen


# --- light -----------------------------------------------------------------------------------------------------


def exposed(linear: float) -> Pixels:
    level = 255 * (1.055 * linear ** (1 / 2.4) - 0.055) if linear > 0.0031308 else 255 * 12.92 * linear
    return np.full((400, 300, 3), round(level), dtype=np.uint8)


@pytest.mark.parametrize("stops", [0, -1, -2, -3, -4])
def test_exposure_counts_stops_below_white(stops: int) -> None:
    assert light.exposure(exposed(2.0**stops)) == pytest.approx(stops, abs=0.08)


def test_coloured_light_is_as_bright_as_white_light() -> None:
    red = exposed(0.5)
    red[:, :, :2] = 0
    assert light.exposure(red) == pytest.approx(-1, abs=0.05)


def test_a_black_picture_has_an_end() -> None:
    assert light.exposure(BGR(np.zeros((300, 300, 3), np.uint8))) == -12.0


def test_one_white_thing_tells_the_light_and_one_hot_pixel_does_not() -> None:
    dark = exposed(2.0**-5)
    dark[0, 0] = 255
    assert light.exposure(dark) == pytest.approx(-5, abs=0.2)
    dark[:30, :30] = 255
    assert light.exposure(dark) == pytest.approx(0, abs=0.05)


def test_what_is_clipped_at_either_end() -> None:
    face = BGR(np.full((10, 10, 3), 100, np.uint8))
    face[0] = (100, 100, 255)
    face[1] = (0, 100, 100)
    assert light.clipped(face) == pytest.approx(0.2)


# --- detail ----------------------------------------------------------------------------------------------------


def quality_of(image: Pixels, percent: int) -> Pixels:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, percent])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def pixelated(image: Pixels, edge: int) -> Pixels:
    height, width = image.shape[:2]
    small = cv2.resize(image, (edge, edge), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)


def boxed(face: Face, image: Pixels) -> Pixels:
    x, y, width, height = (int(value) for value in face.box)
    return image[max(0, y) : y + height, max(0, x) : x + width]


@pytest.mark.parametrize("person", CAST[:3])
def test_blocks_are_told_from_detail(person: str) -> None:
    image, face = faces_of(person)[0]
    assert blocks(boxed(face, image)) < 1.6
    assert blocks(boxed(face, quality_of(image, 75))) < 2.0
    for percent in (1, 4, 7, 10):
        assert blocks(boxed(face, quality_of(image, percent))) > BLOCKS, percent
    for edge in (48, 64, 100):
        assert blocks(boxed(face, pixelated(image, edge))) > 8, edge


def test_a_fence_runs_one_way_and_is_no_grid() -> None:
    noise = np.random.default_rng(0).normal(0, 4, (240, 240))
    fence = np.clip(np.tile(np.where(np.arange(240) % 8 < 4, 60, 200), (240, 1)) + noise, 0, 255).astype(np.uint8)
    picture: Pixels = cv2.cvtColor(fence, cv2.COLOR_GRAY2BGR)
    assert blocks(picture) < 1.6


def test_a_small_face_has_no_grid() -> None:
    assert blocks(BGR(np.full((20, 20, 3), 9, np.uint8))) == 1.0


def test_an_enlarged_copy_has_lost_what_it_seems_to_have() -> None:
    image, face = faces_of(CAST[1])[0]
    large: Pixels = cv2.resize(image, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
    shown = Face(tuple(2.5 * value for value in face.box), face.points * 2.5, 0.9)  # type: ignore[arg-type]
    assert detail(large, shown).fineness > FINENESS + 0.1
    thumbnail = cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA)
    enlarged: Pixels = cv2.resize(thumbnail, (1600, 1600), interpolation=cv2.INTER_CUBIC)
    assert detail(enlarged, shown).fineness < FINENESS


# --- covering --------------------------------------------------------------------------------------------------

SKIN, THINGS = "skin", ("skin", (40, 60, 120), (20, 20, 20), (235, 235, 235), (30, 140, 60))


def covered(image: Pixels, face: Face, thing: object) -> Pixels:
    """A patch of one colour before the mouth; 'skin' is that of the cheek beside it."""
    mouth, apart = face.points[3:].mean(axis=0), float(np.linalg.norm(face.points[1] - face.points[0]))
    x, y = int(face.points[2][0] - 0.5 * apart), int(face.points[2][1])
    cheek = np.median(image[y - 6 : y + 6, x - 6 : x + 6].reshape(-1, 3), axis=0)
    colour = tuple(float(value) for value in (cheek if thing == SKIN else np.array(thing)))
    axes = (int(0.95 * apart), int(0.65 * apart))
    return cv2.ellipse(image.copy(), (int(mouth[0]), int(mouth[1])), axes, 0, 0, 360, colour, -1)


def is_covered(image: Pixels, face: Face) -> bool:
    """What the verdict says of a mouth; everything else about the photo is good."""
    told = covering(image, face)
    good = Measures(faces=1, face_height=300, head_inside=1.0, edge_gap=0.5, sharpness=60, light=-0.4)
    measures = replace(good, mouth_covered=told.mouth, mouth_edges=told.mouth_edges)
    return judge(measures, PreprocessParameters()) is PhotoReason.FACE_COVERED


def in_light(image: Pixels, gains: Sequence[float]) -> Pixels:
    return np.clip(image * np.array(gains), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def frontal() -> list[tuple[Pixels, Face]]:
    return [one for person in CAST for one in faces_of(person)]


@pytest.mark.parametrize("gains", [(1, 1, 1), (0.5, 0.8, 1.1), (1.1, 0.7, 0.6), (0.7, 1.0, 0.7)])
def test_a_bare_mouth_is_one_in_any_light(frontal: list[tuple[Pixels, Face]], gains: Sequence[float]) -> None:
    assert np.mean([is_covered(in_light(image, gains), face) for image, face in frontal]) <= 0.02


@pytest.mark.parametrize("thing", THINGS, ids=str)
@pytest.mark.parametrize("grey", [False, True])
def test_a_covered_mouth_is_one_in_any_colour(frontal: list[tuple[Pixels, Face]], thing: object, grey: bool) -> None:
    told = []
    for image, face in frontal[::2]:
        picture = covered(image, face, thing)
        if grey:
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        told.append(is_covered(picture, face))
    assert np.mean(told) >= 0.9


@pytest.mark.parametrize(("slope", "direction"), [((1, 0), 0), ((0, 1), 4), ((4, 1), 1)])
def test_a_slope_counts_for_its_own_direction(slope: tuple[int, int], direction: int) -> None:
    """Directions are eighths of a half turn; the third slope is 14 degrees, nearer to the first than to the second."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    levels = (1 + 0.04 * (slope[0] * columns + slope[1] * rows)) ** 2
    face = BGR(np.repeat(np.clip(levels, 0, 255)[..., None], 3, axis=2).astype(np.uint8))
    table = shapes(face, MOUTH_PART).reshape(-1, 4, 8).sum(axis=(0, 1))
    assert int(np.argmax(table)) == direction


# --- the head and the frame ------------------------------------------------------------------------------------


def seen_from(yaw: float) -> Face:
    """The five points of a mean head turned by so many degrees to the picture's right."""
    from profile_vision.angles import HEAD_POINTS

    turn = cv2.Rodrigues(np.array([0.0, -np.radians(yaw), 0.0]))[0]
    places = HEAD_POINTS @ turn.T + np.array([0, 0, 900.0])
    points = places[:, :2] / places[:, 2:] * 1000 + 500
    return Face((400, 400, 200, 200), points.astype(np.float32), 0.9)


@pytest.mark.parametrize("yaw", [-40, -10, 0, 25])
def test_a_face_turned_to_the_right_has_a_positive_yaw(yaw: float) -> None:
    assert head_angles(seen_from(yaw), 1000, 1000)[0] == pytest.approx(yaw, abs=1)


@pytest.mark.parametrize(
    ("box", "gap"),
    [((100, 100, 100, 100), 1.0), ((5, 100, 100, 100), 0.05), ((100, 3, 100, 100), 0.03), ((298, 100, 100, 100), 0.02),
     ((100, 310, 100, 100), -0.02), ((100, 300, 100, 100), 0.08)],
)  # fmt: skip
def test_how_far_the_face_is_from_each_edge(box: tuple[float, float, float, float], gap: float) -> None:
    assert quality.edge_gap(face_at(*box), 400, 400) == pytest.approx(gap, abs=1e-6)


def test_a_wide_face_has_room_at_its_sides() -> None:
    cut = cut_to(2000, 2000, (800, 900, 500, 200), (512, 512), Framing(0.4))
    assert cut.width == pytest.approx(800)
    assert cut_to(2000, 2000, (900, 900, 150, 200), (512, 512), Framing(0.4)).height == pytest.approx(500)


def person(area: float, score: float) -> Body:
    return Body((0, 0, area, 1), np.zeros((17, 3), np.float32), score)


def test_only_bodies_that_are_clearly_seen_count_as_others() -> None:
    me = person(100, 0.9)
    assert _second_body([me, person(60, 0.4), person(30, 0.6)], me) == pytest.approx(0.3)
    assert _second_body([me, person(60, 0.4)], me) == 0.0
    assert _second_body([person(60, 0.9)], None) == 0.0


def test_people_come_the_largest_first() -> None:
    class Tensor:
        def __init__(self, rows: Any) -> None:
            self.rows = np.array(rows, dtype=np.float32)

        def cpu(self) -> "Tensor":
            return self

        def numpy(self) -> Any:
            return self.rows

    boxes = SimpleNamespace(xyxy=Tensor([[0, 0, 5, 5], [0, 0, 50, 40], [0, 0, 20, 20]]), conf=Tensor([0.9, 0.8, 0.7]))
    result = SimpleNamespace(keypoints=SimpleNamespace(data=Tensor(np.zeros((3, 17, 3)))), boxes=boxes)
    reader = PeopleReader.__new__(PeopleReader)
    reader._network, reader._scratch = SimpleNamespace(predict=lambda *_, **__: [result]), ""
    assert [one.area for one in reader.find(BGR(np.zeros((60, 60, 3), np.uint8)))] == [2000, 400, 25]


# --- which way up, and long pictures ---------------------------------------------------------------------------


def photo(width: int, height: int) -> Photo:
    pixels = BGR(np.zeros((height, width, 3), np.uint8))
    return Photo(pixels, Frame(width, height, (0, 0, width, height)), FileFacts("JPEG", width, height, False, False))


class MarkedFace:
    """Finds a face where a picture has a white mark, best when the mark is in the upper left quarter."""

    def __init__(self, blind: bool = False) -> None:
        self.blind = blind

    def find(self, image: Pixels) -> list[Face]:
        rows, columns = np.nonzero(image[:, :, 0])
        if not len(rows):
            return []
        y, x = int(rows.min()), int(columns.min())
        upper_left = y < image.shape[0] / 2 and x < image.shape[1] / 2
        return [face_at(x, y, 20, 20, 0.95 if upper_left else 0.9)]

    def glance(self, image: Pixels) -> float:
        found = self.find(image)
        return found[0].score if found and not self.blind else 0.0


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_a_photo_is_turned_to_where_its_face_is_found_best(turns: int, blind: bool) -> None:
    stored = photo(100, 80)
    stored.pixels[10:20, 10:20] = 255
    lying = stored.turned(turns)
    view = upright(lying, MarkedFace(blind))  # type: ignore[arg-type]
    assert view.photo.frame.turns % 4 == 0 or turns == 0
    assert np.array_equal(view.photo.pixels, stored.pixels)
    assert view.score == 0.95


def test_a_photo_without_a_face_stays_as_it_is() -> None:
    view = upright(photo(100, 80), MarkedFace())  # type: ignore[arg-type]
    assert (view.faces, view.photo.frame.turns, view.score) == ([], 0, 0.0)


def test_the_part_of_a_panorama_is_around_its_face() -> None:
    pano = photo(4000, 200)
    assert is_long(pano)
    assert not is_long(photo(600, 200))
    assert is_long(photo(200, 601))
    assert part_with_face(pano, MarkedFace()) is None  # type: ignore[arg-type]
    pano.pixels[60:80, 2950:2970] = 255
    left, top, right, bottom = part_with_face(pano, MarkedFace()) or (0, 0, 0, 0)  # type: ignore[arg-type]
    assert left < 2930
    assert right > 2990
    assert right - left < 200
    assert top < 60
    assert bottom > 80


# --- judged together -------------------------------------------------------------------------------------------


def unit(seed: int, size: int) -> Any:
    row = np.random.default_rng(seed).normal(size=size)
    return (row / np.linalg.norm(row)).astype(np.float32)


def look(who: int, moment: int, face_height: float = 300, reason: PhotoReason = PhotoReason.ACCEPTED) -> Sitter:
    embedding = unit(who, 128) + 0.5 * unit(1000 + moment, 128)
    embedding = embedding / np.linalg.norm(embedding)
    grey = unit(2000 + moment, 112 * 112).reshape(112, 112)
    name = f"{who}-{moment}-{face_height:.0f}.jpg"
    measures = Measures(faces=1, face_height=face_height, sharpness=50)
    return Sitter(
        PhotoRef(name=name, key=name, bytes=1, etag=""),
        reason,
        measures,
        face=face_at(0, 0, 9, 9),
        joints=np.zeros((17, 3), np.float32),
        fingerprint=Fingerprint(face=grey, embedding=embedding, detail=measures.worth),
        frame=Frame(9, 9, (0, 0, 9, 9)),
    )


def test_a_moment_has_one_vote() -> None:
    """Eight copies of one photo of a friend do not outvote three photos of oneself."""
    mine = [look(1, moment) for moment in (1, 2, 3)]
    friend = [look(2, 9, face_height=300 + n) for n in range(8)]
    looks, people = stage.judge_together([*mine, *friend])
    assert [one.reason for one in looks[:3]] == [PhotoReason.ACCEPTED] * 3
    assert [one.repeats for one in looks[3:]] == [friend[-1].photo.name] * 7 + [""]
    assert looks[3].verdict.advice.endswith("It repeats 2-9-307.jpg.")
    assert [one.reason for one in looks[3:10]] == [PhotoReason.DUPLICATE] * 7
    assert looks[10].reason is PhotoReason.OTHER_PERSON
    assert people.is_clear


def test_two_people_in_as_many_moments_are_a_question() -> None:
    assert not stage.judge_together([look(1 + n % 2, n) for n in range(8)])[1].is_clear


def test_what_a_rule_has_refused_is_not_asked_who_it_is() -> None:
    looks, _ = stage.judge_together([look(1, 1), look(1, 1, reason=PhotoReason.BLURRED), look(1, 2)])
    assert looks[1].reason is PhotoReason.BLURRED
    assert [one.repeats for one in looks] == [""] * 3


class Recorder:
    """A dataset writer that remembers which photos were kept apart."""

    def __init__(self) -> None:
        self.held_out: list[str] = []
        self.names: list[str] = []

    def add(self, sitter: Sitter, *, held_out: bool) -> None:
        self.names.append(sitter.photo.name)
        if held_out:
            self.held_out.append(sitter.photo.name)

    def add_presets(self) -> None:
        self.names.append("presets")


class Steps:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def at(self, done: float, total: float, _message: str) -> None:
        self.shares.append(done / total)


def test_the_photos_that_judge_are_kept_apart_and_refused_ones_do_not_count() -> None:
    looks = [look(1, n) for n in range(10)]
    looks[0] = replace(looks[0], reason=PhotoReason.BLURRED)
    (place,) = held_out([one.embedding for one in looks[1:]], "digest")
    recorder, steps = Recorder(), Steps()
    stage.write(recorder, looks, steps, seed="digest")  # type: ignore[arg-type]
    assert recorder.names == [*(one.photo.name for one in looks[1:]), "presets"]
    assert recorder.held_out == [looks[1 + place].photo.name]
    assert steps.shares == pytest.approx([0.5 + n / 18 for n in range(1, 10)])


class Seeing:
    """Sees one face in every picture, at the same place."""

    def find(self, image: Pixels) -> list[Face]:
        return [face_at(100, 80, 120, 140)]

    def glance(self, image: Pixels) -> float:
        return 0.9

    def aligned(self, image: Pixels, face: Face) -> Pixels:
        return image[:112, :112]

    def embed(self, image: Pixels, face: Face) -> Any:
        return unit(1, 128)


def looked_at(width: int, height: int) -> tuple[Any, list[Any]]:
    """A look at a photo of noise of this size, and the parts of it that were asked for."""
    boxes: list[Any] = []

    def opened(_: PhotoRef, box: Any = None) -> Photo:
        boxes.append(box)
        wide, high = (width, height) if box is None else (400, 400)
        pixels = BGR(np.random.default_rng(5).integers(60, 190, (high, wide, 3)).astype(np.uint8))
        return Photo(pixels, Frame(wide, high, (0, 0, wide, high)), FileFacts("JPEG", wide, high, False, False))

    opener: Any = SimpleNamespace(open=opened, parameters=PreprocessParameters())
    networks: Any = SimpleNamespace(faces=Seeing(), people=SimpleNamespace(find=lambda _: []))
    return look_at(PhotoRef(name="a.jpg", key="k", bytes=1, etag=""), opener, networks), boxes


def test_a_look_that_meets_a_face_keeps_what_the_photo_is_known_again_by() -> None:
    sitter, boxes = looked_at(400, 400)
    assert isinstance(sitter, Sitter)
    assert (sitter.photo.name, sitter.measures.faces, sitter.measures.long, boxes) == ("a.jpg", 1, False, [None])
    assert sitter.fingerprint.detail == sitter.measures.worth > 100
    assert (sitter.embedding == unit(1, 128)).all()
    assert sitter.joints.shape == (17, 3)


def test_of_a_long_photo_the_part_around_its_face_is_looked_at() -> None:
    sitter, boxes = looked_at(2000, 300)
    assert isinstance(sitter, Sitter)
    assert sitter.measures.long
    assert boxes[0] is None
    assert boxes[1][0] < 100 < boxes[1][2]
    assert sitter.frame.size == (400, 400)


def test_a_photo_that_is_too_large_is_not_read() -> None:
    opener = Opener(None, None, PreprocessParameters(maximum_bytes=10))  # type: ignore[arg-type]
    with pytest.raises(PhotoRefused) as refused:
        look_at(PhotoRef(name="a", key="a", bytes=11, etag=""), opener, None)  # type: ignore[arg-type]
    assert refused.value.reason is PhotoReason.TOO_MANY_BYTES


def lightness_of(light: float) -> float:
    """CIE L* of a grey of this linear light (CIE 15)."""
    return float(116 * light ** (1 / 3) - 16) if light > (6 / 29) ** 3 else light * (29 / 3) ** 3


@pytest.mark.parametrize("stops", [0.0, 1.0, 2.0, 3.0, 4.0])
def test_less_light_puts_no_sunglasses_on(stops: float) -> None:
    cheeks, eyes = (lightness_of(light * 2**-stops) for light in (0.0442, 0.0112))
    assert _as_if_lit(eyes, cheeks) == pytest.approx(0.405, abs=0.01)
    lenses = lightness_of(0.0009 * 2**-stops)
    assert _as_if_lit(lenses, cheeks) < 0.05


def test_in_enough_light_eyes_are_held_against_cheeks_as_they_are() -> None:
    assert _as_if_lit(30.0, 60.0) == pytest.approx(0.5)
    assert _as_if_lit(4.0, 50.0) == pytest.approx(0.08)
    assert _as_if_lit(0.0, 0.0) == 0.0
