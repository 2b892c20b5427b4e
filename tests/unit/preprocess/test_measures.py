"""What is measured on a photo, on pictures whose measures are known."""

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from measured_faces import CAST, Pixels, face_at, faces_of
from profile_preprocess import light, quality
from profile_preprocess.decode import Frame, Photo
from profile_preprocess.detail import blocks, detail
from profile_preprocess.long_shape import is_long, part_with_face
from profile_preprocess.look import _second_body
from profile_preprocess.upright import upright
from profile_preprocess.verdicts import BLOCKS, FINENESS
from profile_vision import Face, head_angles
from profile_vision.decoding import FileFacts
from profile_vision.framing import Framing, cut_to
from profile_vision.joints import Body
from profile_vision.people import PeopleReader
from profile_vision.pixels import BGR

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
