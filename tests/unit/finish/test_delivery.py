"""What is written for a portrait: pixels, marks and figures of every file. The detector always sees one face."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from finishing import PREFIX, finisher
from profile_contract.framing import HeadPlace
from profile_contract.generation import SourceFraming
from profile_contract.layouts import LAYOUTS, LayoutName
from profile_contract.stages.finish import FinishParameters, LayoutFile, Portrait, Score, StyleCandidates
from profile_contract.stages.generate import Candidate
from profile_contract.style import Tone
from profile_finish.checklist import Cutting, checks
from profile_finish.references import References
from profile_runtime.store.folder import FolderStore
from profile_vision import Face
from profile_vision.faces import counted
from profile_vision.files import (
    COMPOSITE_TYPE,
    PREVIEW_STATEMENT,
    SOURCE_TYPE,
    STATEMENT,
    Unreadable,
    jpeg,
    jpeg_within,
    png,
    read_picture,
    thumbnail,
)
from profile_vision.pixels import BGR

LAYOUT = LAYOUTS[LayoutName.EMPLOYEE_CARD]


def face(height: float, *, at: tuple[float, float] = (100.0, 100.0)) -> Face:
    """A face of that height in pixels whose eyes' middle lies at `at`."""
    x, y = at
    points = np.array([[x - 10, y], [x + 10, y], [x, y + 15], [x - 8, y + 34], [x + 8, y + 34]], dtype=np.float32)
    return Face(box=(x - height / 3, y - height / 3, height / 1.5, height), points=points, score=0.9)


class OneFace:
    """Sees a face in the middle of every picture, an eighth of its height from eyes to mouth."""

    def glance(self, image: NDArray[np.uint8]) -> float:
        return 0.9 if image.size else 0.0

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        height, width = image.shape[:2]
        x, y, down = width / 2, 0.42 * height, height / 8
        points = [[x - down / 2, y], [x + down / 2, y], [x, y + down / 2], [x - 8, y + down], [x + 8, y + down]]
        return [
            Face(box=(x - down, y - down, 2 * down, 2.6 * down), points=np.array(points, dtype=np.float32), score=0.9)
        ]


class KnownFace(OneFace):
    """Sees the person in it, too."""

    def embed(self, _image: NDArray[np.uint8], _face: Face) -> NDArray[np.float32]:
        return np.array([1.0, 0.0], np.float32)


class Glances(OneFace):
    """Has each turn of a picture at a score of its own; a white corner tells how it was turned."""

    def __init__(self, *scores: float) -> None:
        self.scores = scores

    def glance(self, image: NDArray[np.uint8]) -> float:
        corners = [image[0, 0], image[0, -1], image[-1, -1], image[-1, 0]]
        # A quarter turn to the left takes what was above on the left down, and so on around.
        return self.scores[{0: 0, 3: 1, 2: 2, 1: 3}[int(np.argmax([corner.sum() for corner in corners]))]]


def portrait_picture() -> BGR:
    """640 x 640: grey, so that any mark is seen, with a little noise."""
    noise = np.random.default_rng(1).integers(-2, 3, (640, 640, 3))
    return BGR((120 + noise).astype(np.uint8))


def deliver(
    store: FolderStore,
    *,
    visible_mark: bool = False,
    likeness: int | None = 61,
    preview: bool = False,
    candidate: Candidate | None = None,
) -> Portrait:
    parameters = FinishParameters(
        portraits=1,
        minimum_likeness=45,
        layouts=[LayoutName.EMPLOYEE_CARD, LayoutName.SQUARE],
        visible_mark=visible_mark,
        preview=preview,
    )
    score = Score(style="studio-warm", seed=7, key="candidate.png", faces=1, likeness=likeness)
    candidate = candidate or Candidate(seed=7, key="candidate.png")
    return finisher(store, OneFace(), parameters).deliver(score, 3, portrait_picture(), candidate)


def pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_a_portrait_lies_under_style_rank_and_seed(store: FolderStore) -> None:
    portrait = deliver(store)
    assert (portrait.style, portrait.seed, portrait.rank, portrait.likeness) == ("studio-warm", 7, 3, 61)
    assert portrait.key == f"{PREFIX}studio-warm/03-000007.png"
    assert [cut.key for cut in portrait.layouts] == [
        f"{PREFIX}studio-warm/03-000007-employee-card.jpg",
        f"{PREFIX}studio-warm/03-000007-square.jpg",
    ]
    assert (pixels(store.read(portrait.key)) == portrait_picture()[:, :, ::-1]).all()
    assert {cut.layout: (cut.width, cut.height) for cut in portrait.layouts} == {
        LayoutName.EMPLOYEE_CARD: (354, 472),
        LayoutName.SQUARE: (LAYOUTS[LayoutName.SQUARE].width, LAYOUTS[LayoutName.SQUARE].height),
    }
    assert [cut.bytes for cut in portrait.layouts] == [len(store.read(cut.key)) for cut in portrait.layouts]


def test_a_face_that_is_like_nobody_keeps_its_figure(store: FolderStore) -> None:
    assert deliver(store, likeness=-12).likeness == -12
    assert deliver(store, likeness=None).likeness == 0


def marked(store: FolderStore, key: str) -> bool:
    """Whether the lower right corner holds something that the grey picture does not."""
    corner = pixels(store.read(key)).astype(int)
    height, width = corner.shape[:2]
    return bool(np.ptp(corner[int(0.9 * height) :, width // 2 :]) > 100)


def test_the_visible_mark_stands_in_every_file_or_in_none(store: FolderStore) -> None:
    for wanted in (True, False):
        portrait = deliver(store, visible_mark=wanted)
        for key in (portrait.key, *(cut.key for cut in portrait.layouts)):
            assert marked(store, key) is wanted, key


def test_what_is_written_says_of_itself_that_a_model_made_it(store: FolderStore) -> None:
    portrait = deliver(store)
    for key in (portrait.key, *(cut.key for cut in portrait.layouts)):
        with Image.open(io.BytesIO(store.read(key))) as written:
            assert SOURCE_TYPE in str(written.info.get("xmp") or written.info.get("XML:com.adobe.xmp")), key
            assert written.getexif()[0x010E] == STATEMENT


def test_the_checklist_holds_what_was_measured_on_the_file(store: FolderStore) -> None:
    card: LayoutFile = deliver(store).layouts[0]
    told = {check.name: check.measured for check in card.checks}
    # Half of the head is 1.69 times the way from eyes to mouth, an eighth of the picture's height.
    assert told["head share"] == f"{100 * 2 * 1.69 / 8:.0f} %"
    assert told["eye line"] == "58 %"
    assert told["size"] == "354 x 472 px"
    assert told["dpi"] == "300"


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_jpeg_keeps_every_pixels_colour() -> None:
    with Image.open(io.BytesIO(jpeg(portrait_picture(), 300, 90))) as written:
        assert {component[1:3] for component in written.layer} == {(1, 1)}  # type: ignore[attr-defined]


def test_both_formats_carry_the_mark_that_machines_read() -> None:
    assert SOURCE_TYPE.encode() in jpeg(portrait_picture(), 300, 90)
    assert SOURCE_TYPE.encode() in png(portrait_picture())


def test_a_png_keeps_the_pixels_as_they_are() -> None:
    assert (pixels(png(portrait_picture())) == portrait_picture()[:, :, ::-1]).all()


def test_kilobytes_are_of_a_thousand_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    data, quality = jpeg_within(BGR(noise), 300, 150)
    assert len(data) <= 150_000
    assert len(jpeg(BGR(noise), 300, quality + 1)) > 150_000


@pytest.mark.parametrize(
    ("scores", "upright"),
    [
        ((0.9, 0.2, 0.3, 0.1), True),
        ((0.9, 0.9, 0.9, 0.9), True),
        ((0.90, 0.89, 0.0, 0.0), True),
        # Lying on either side, and upside down.
        ((0.5, 0.6, 0.1, 0.1), False),
        ((0.5, 0.1, 0.6, 0.1), False),
        ((0.5, 0.1, 0.1, 0.6), False),
    ],
)
def test_a_head_is_upright_where_no_turn_shows_a_better_face(
    scores: tuple[float, ...], upright: bool, tmp_path: Path
) -> None:
    image = BGR(np.zeros((64, 64, 3), np.uint8))
    image[0, 0] = 255
    parameters = FinishParameters(portraits=1, minimum_likeness=45, layouts=[LayoutName.ID_SIZE])
    pose = finisher(FolderStore(tmp_path), Glances(*scores), parameters)._pose(image, OneFace().find(image)[0])
    assert pose.upright is upright


# --- figures -------------------------------------------------------------------------------------------------------


def cutting(**figures: float) -> Cutting:
    measured = {
        "head_share": float(LAYOUT.head_share),
        "eye_line": float(LAYOUT.eye_line),
        "scale": 1.0,
        "outside": 0.0,
    }
    measured |= figures
    return Cutting(
        width=LAYOUT.width,
        height=LAYOUT.height,
        dpi=LAYOUT.dpi,
        bytes=1000,
        head_share=measured["head_share"],
        eye_line=measured["eye_line"],
        scale=measured["scale"],
        outside=measured["outside"],
    )


@pytest.mark.parametrize(
    ("figure", "name", "met", "missed"),
    [
        ("head_share", "head share", LAYOUT.head_share + 5.0, LAYOUT.head_share + 5.1),
        ("head_share", "head share", LAYOUT.head_share - 5.0, LAYOUT.head_share - 5.1),
        ("eye_line", "eye line", LAYOUT.eye_line + 5.0, LAYOUT.eye_line + 5.1),
        ("eye_line", "eye line", LAYOUT.eye_line - 5.0, LAYOUT.eye_line - 5.1),
        ("scale", "enlargement", 1.5, 1.51),
        ("outside", "backdrop continued", 0.10, 0.11),
    ],
)
def test_where_a_line_of_the_checklist_ends(figure: str, name: str, met: float, missed: float) -> None:
    for value, wanted in ((met, True), (missed, False)):
        verdicts = {check.name: check.met for check in checks(LAYOUT, cutting(**{figure: value}))}
        assert verdicts[name] is wanted, value


def test_a_second_face_counts_from_a_third_of_the_first_ones_height() -> None:
    assert [found.box[3] for found in counted([face(100), face(35), face(34.9)])] == [100, 35]


@pytest.mark.parametrize("size", [0, 60_000])
def test_a_candidate_that_opencv_calls_a_mistake_is_unreadable(tmp_path: Path, size: int) -> None:
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    store = FolderStore(tmp_path)
    store.write("a.png", b"\x89PNG\r\n\x1a\n" + chunk if size else b"")
    with pytest.raises(Unreadable):
        read_picture(store, "a.png")


# --- drawn over a photo -------------------------------------------------------------------------------------------

FRAMING = SourceFraming(
    head=HeadPlace(height=0.5, eyes=0.4, middle=0.5), wanted=HeadPlace(height=0.5, eyes=0.4, middle=0.5)
)
OVER = Candidate(seed=7, key="candidate.png", source="photo.jpg", framing=FRAMING)


@pytest.mark.parametrize(("preview", "statement"), [(False, STATEMENT), (True, PREVIEW_STATEMENT)])
def test_what_is_drawn_over_a_photo_says_so_and_has_the_photo_beside_it(
    store: FolderStore, preview: bool, statement: str
) -> None:
    photo = Image.linear_gradient("L").resize((320, 320)).convert("RGB")
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=95)
    store.write("photo.jpg", stream.getvalue())
    portrait = deliver(store, preview=preview, candidate=OVER)
    for key in (portrait.key, *(cut.key for cut in portrait.layouts)):
        with Image.open(io.BytesIO(store.read(key))) as written:
            assert COMPOSITE_TYPE in str(written.info.get("xmp") or written.info.get("XML:com.adobe.xmp")), key
            assert written.getexif()[0x010E] == statement
    assert portrait.source == f"{PREFIX}studio-warm/03-000007-source.jpg"
    beside = pixels(store.read(portrait.source))
    assert beside.shape == (640, 640, 3)
    assert np.abs(beside[[40, 320, 600], 320, 0].astype(int) - np.array([16, 128, 240])).max() < 6
    # It is the person's own photo, which no model made.
    assert b"trainedAlgorithmicMedia" not in store.read(portrait.source)


def test_a_photo_that_is_gone_is_not_shown(store: FolderStore) -> None:
    assert deliver(store, candidate=OVER).source == ""


def test_a_photo_does_not_judge_what_was_drawn_over_it() -> None:
    own, other = np.eye(2, dtype=np.float32)
    pictures = (frozenset({"crop.png", "photo.jpg"}), frozenset({"other.png"}))
    references = References(embeddings=[own, other], images=[], ceiling=1.0, pictures=pictures)
    assert references.beside("photo.jpg")[0] is other
    assert len(references.beside("photo.jpg")) == 1
    assert references.beside("") == [own, other]
    alone = References(embeddings=[own], images=[], ceiling=1.0, pictures=pictures[:1])
    assert alone.beside("crop.png") == [own]


@pytest.mark.parametrize(
    ("eyes", "grey", "wanted", "whole"),
    [
        ((280, 360), 20, 0.4, True),
        ((280,), 20, 0.4, False),
        ((360,), 20, 0.4, False),
        # Pale eyes, and somebody who has them.
        ((280, 360), 80, 0.4, False),
        ((280, 360), 80, 0.3, True),
    ],
)
def test_a_candidates_eyes_are_looked_at_before_it_is_chosen(
    eyes: Sequence[int], grey: int, wanted: float, whole: bool, tmp_path: Path
) -> None:
    picture, store = portrait_picture(), FolderStore(tmp_path)
    for x in eyes:
        picture[260:276, x - 8 : x + 8] = grey
    store.write("7.png", png(picture), "image/png")
    parameters = FinishParameters(portraits=1, minimum_likeness=0, layouts=[LayoutName.SQUARE])
    found = finisher(store, KnownFace(), parameters)
    found.references = References([np.array([1.0, 0.0], np.float32)], [], 1.0, eyes=wanted)
    candidates = [Candidate(seed=7, key="7.png")]
    section = found.style(StyleCandidates(style="warm", tone=Tone.NEUTRAL, candidates=candidates))
    assert [score.both_eyes for score in section.scores] == [whole]


def test_a_portrait_has_a_small_picture_for_pages_that_is_marked_too(store: FolderStore) -> None:
    portrait = deliver(store)
    assert portrait.thumbnail == f"{PREFIX}studio-warm/03-000007-thumbnail.webp"
    data = store.read(portrait.thumbnail)
    with Image.open(io.BytesIO(data)) as small:
        assert (small.format, small.size) == ("WEBP", (384, 384))
        assert "icc_profile" in small.info
    assert SOURCE_TYPE.encode() in data
    assert len(data) < len(store.read(portrait.key)) / 10
    # The same picture: a grey of 120 stays one.
    assert np.abs(pixels(data).astype(int) - 120).max() <= 6


def test_a_small_picture_carries_the_visible_mark(store: FolderStore) -> None:
    for wanted in (True, False):
        assert marked(store, deliver(store, visible_mark=wanted).thumbnail) is wanted


def test_a_small_picture_keeps_its_shape_and_is_never_enlarged() -> None:
    for width, height, size in ((80, 100, (80, 100)), (768, 1152, (384, 576))):
        with Image.open(io.BytesIO(thumbnail(BGR(np.zeros((height, width, 3), np.uint8))))) as small:
            assert small.size == size


def test_a_candidate_that_was_held_back_counts_and_is_not_delivered(store: FolderStore) -> None:
    black = png(BGR(np.zeros((64, 64, 3), np.uint8)))
    for key in ("held.png", "other.png"):
        store.write(key, black, "image/png")
    parameters = FinishParameters(portraits=1, minimum_likeness=0, layouts=[])
    candidates = [
        Candidate(seed=1, key="held.png", held_back=True),
        Candidate(seed=1, key="other.png", held_back=True, twin=True),
    ]
    style = StyleCandidates(style="studio-warm", tone=Tone.WARM, candidates=candidates)
    section = finisher(store, OneFace(), parameters).style(style)
    assert [(score.refusal, score.delivered) for score in section.scores] == [
        ("the safety checker held it back", False)
    ]
    assert (section.portraits, section.tone) == ([], None)
