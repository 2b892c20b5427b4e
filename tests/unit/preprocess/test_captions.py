"""Captions: what of a photo is named, and that nothing is said where it is not sure."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from measured_faces import CAST, PEOPLE, face_at
from profile_contract.conditions import Reason
from profile_contract.exits import BadInput
from profile_contract.stages.order import RequestRef
from profile_contract.stages.preprocess import Captions, PhotoRef, PreprocessOrder, PreprocessParameters, captions_apart
from profile_models.folders import models_folder
from profile_preprocess.captions import CaptionedCrop, FramingAlone, Remarks, caption, captions_of
from profile_preprocess.colour_words import Lab, colour_word, lab_of
from profile_preprocess.dataset import DatasetWriter
from profile_preprocess.decode import Frame
from profile_preprocess.describing import MOST_YAW, Describer, backdrop, clothes, expression, glasses
from profile_preprocess.look import Sitter
from profile_preprocess.stage import captioner_of, run
from profile_preprocess.verdicts import Measures
from profile_preprocess.written import WrittenCaptions, caption_text, read_captions
from profile_runtime.store.folder import FolderStore
from profile_vision import FaceReader
from profile_vision.moments import Fingerprint
from profile_vision.pixels import BGR, Mask

EDGE = 256
BOX = [96.0, 64.0, 64.0, 80.0]


def photo(name: str, bytes_: int = 1) -> PhotoRef:
    return PhotoRef(name=name, key=f"ns.1a2b3c4d-5e6f/uploads/p/{name}", bytes=bytes_, etag="")


def photo_of(person: str, number: int) -> BGR:
    pixels = cv2.imread(str(PEOPLE / person / f"{number:02d}.jpg"))
    assert pixels is not None
    return BGR(pixels.astype(np.uint8))


def test_everything_that_is_sure_is_said_in_one_order() -> None:
    all_of_it = Remarks("smiling", glasses=True, clothes="dark blue clothes", backdrop="plain white background")
    assert caption(0.0, 0.4, all_of_it) == (
        "a photo of {subject}, head and shoulders, facing the camera, smiling, wearing glasses and dark blue clothes, "
        "plain white background"
    )
    assert caption(0.0, 0.4, Remarks(clothes="red clothes")).endswith("facing the camera, wearing red clothes")
    assert caption(0.0, 0.4) == caption(0.0, 0.4, Remarks(glasses=False))


def test_glasses_of_every_photo_belong_to_the_person() -> None:
    on, off, unsure = (Remarks(glasses=worn) for worn in (True, False, None))
    assert not any("glasses" in text for text in captions_of([(0, 0.4, on), (0, 0.4, on), (0, 0.4, unsure)]))
    mixed = captions_of([(0, 0.4, on), (0, 0.4, off), (0, 0.4, unsure)])
    assert ["glasses" in text for text in mixed] == [True, False, False]


@pytest.mark.parametrize(
    ("bgr", "word"),
    [((0, 0, 0), "black"), ((255, 255, 255), "white"), ((110, 110, 110), "grey"), ((190, 190, 190), "light grey"),
     ((66, 66, 66), "dark grey"), ((30, 30, 200), "red"), ((90, 40, 30), "dark blue"), ((220, 120, 30), "blue"),
     ((40, 120, 40), "green"), ((30, 60, 100), "brown"), ((180, 160, 215), "pink"), ((30, 220, 240), "yellow"),
     ((40, 30, 30), "dark"), ((140, 150, 160), ""), ((130, 130, 70), "")],
)  # fmt: skip
def test_colours_have_the_names_people_give_them(bgr: tuple[int, int, int], word: str) -> None:
    lab = lab_of(np.array([[bgr]], np.uint8))[0]
    assert colour_word(Lab(*lab.tolist())) == word


def scene(behind: tuple[int, int, int], worn: tuple[int, int, int]) -> tuple[BGR, Mask]:
    """A head and a body of one colour before a wall, and their mask."""
    picture = np.full((EDGE, EDGE, 3), behind, np.uint8)
    mask = np.zeros((EDGE, EDGE), np.uint8)
    for target, skin, cloth in ((picture, (120, 150, 200), worn), (mask, 255, 255)):
        cv2.ellipse(target, (128, 104), (36, 50), 0, 0, 360, skin, -1)
        cv2.rectangle(target, (48, 165), (208, EDGE), cloth, -1)
    return BGR(picture), Mask(mask)


def test_a_plain_wall_has_its_colour_and_light_may_fall_off_on_it() -> None:
    picture, mask = scene((200, 200, 200), (90, 40, 30))
    assert backdrop(picture, mask) == "plain light grey background"
    slope = np.linspace(0.8, 1.2, EDGE)[None, :, None]
    assert backdrop(BGR(np.clip(picture * slope, 0, 255).astype(np.uint8)), mask) == "plain light grey background"


def test_a_pattern_is_busy_and_what_lies_between_is_not_told() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (16, 16, 1)).repeat(3, axis=2)
    pattern = cv2.resize(noise, (EDGE, EDGE), interpolation=cv2.INTER_NEAREST)
    picture, mask = scene((128, 128, 128), (90, 40, 30))
    told = [
        backdrop(BGR(np.clip(picture + pattern * strength, 0, 255).astype(np.uint8)), mask) for strength in (4, 18, 60)
    ]
    assert told == ["plain grey background", "", "busy background"]
    assert backdrop(picture, Mask(np.full((EDGE, EDGE), 255, np.uint8))) == ""


def test_clothes_have_a_colour_where_they_have_one() -> None:
    picture, mask = scene((200, 200, 200), (90, 40, 30))
    assert clothes(picture, mask, BOX) == "dark blue clothes"
    striped = picture.copy()
    striped[165:, 48:128] = (40, 40, 190)
    assert clothes(BGR(striped), mask, BOX) == ""
    bare, _ = scene((200, 200, 200), (122, 152, 203))
    assert clothes(bare, mask, BOX) == ""
    assert clothes(picture, Mask(np.zeros((EDGE, EDGE), np.uint8)), BOX) == ""


def test_words_for_glasses_and_smiles_are_right() -> None:
    faces = FaceReader(models_folder() / "vision")
    said = {"smiling": 0, "glasses": 0, "none": 0}
    for person in CAST[:3]:
        for number, line in enumerate((PEOPLE / person / "labels.jsonl").read_text().splitlines()):
            truth, image = (
                json.loads(line),
                photo_of(person, number),
            )
            if abs(truth["yaw"] + truth["body"]) > MOST_YAW:
                continue
            face = faces.find(image)[0]
            worn = glasses(image, face)
            assert worn in (None, truth["glasses"])
            assert truth["mood"] in ("smile", "grin", "soft") or not expression(image, face)
            said["smiling"] += bool(expression(image, face))
            said["glasses"] += worn is True
            said["none"] += worn is False
    assert said["smiling"] >= 8
    assert said["glasses"] >= 5
    assert said["none"] >= 10


def test_turned_faces_are_not_asked_for_glasses_or_smiles() -> None:
    image = photo_of(CAST[0], 3)
    face = FaceReader(models_folder() / "vision").find(image)[0]
    crop = CaptionedCrop(photo("a.jpg"), image, Mask(np.full(image.shape[:2], 255, np.uint8)), face, 0.0)
    turned = Describer().remarks(replace(crop, yaw=-31.0))
    assert (turned.expression, turned.glasses) == ("", None)
    assert Describer().remarks(crop).glasses is not None


# --- what somebody wrote ------------------------------------------------------------------------------------------


def test_texts_beside_photos_are_captions_only_where_they_are_asked_for() -> None:
    sent = [photo("01.jpg"), photo("01.txt")]
    assert captions_apart(sent, Captions.WRITTEN) == ([sent[0]], [sent[1]])
    assert captions_apart(sent, Captions.DESCRIBED) == (sent, [])


def test_what_was_written_takes_the_place_of_what_would_be_told(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.write(photo("01.txt").key, "\ufeff laughing,\n in a red  scarf. ".encode())
    texts = read_captions([photo("01.txt", 20)], store)
    captioner = WrittenCaptions(texts, SimpleNamespace(remarks=lambda _: Remarks("smiling")))
    told = [captioner.remarks(SimpleNamespace(photo=photo(name))) for name in ("01.jpg", "02.jpg")]  # type: ignore[arg-type]
    assert caption(0.0, 0.4, told[0]) == (
        "a photo of {subject}, head and shoulders, facing the camera, laughing, in a red scarf"
    )
    assert told[1] == Remarks("smiling")


def test_a_written_caption_may_be_all_of_it() -> None:
    assert caption(30.0, 0.4, Remarks(written="{subject} in a park")) == "{subject} in a park"


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"\xff\xfe\x00", "UTF-8"), (b"a" * 501, "500 letters"), (b"a" * 4001, "4000 bytes"), (b"{name}", "braces"),
     (b"a\x1bb", "control")],
)  # fmt: skip
def test_what_is_no_caption_is_refused_and_named(data: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        caption_text(data)
    store = FolderStore(tmp_path)
    store.write(photo("07.txt").key, data)
    with pytest.raises(BadInput, match=r"07\.txt cannot be used") as refused:
        read_captions([photo("07.txt")], store)
    assert refused.value.reason is Reason.INVALID_CAPTION
    assert "a photo of that name wants its own ending" in str(refused.value)


def test_who_captions_is_as_asked_for() -> None:
    assert isinstance(captioner_of(Captions.FRAMED, {}), FramingAlone)
    assert isinstance(captioner_of(Captions.DESCRIBED, {}), Describer)
    written = captioner_of(Captions.WRITTEN, {"a": "b"})
    assert isinstance(written, WrittenCaptions)
    assert isinstance(written.otherwise, Describer)


# --- in a dataset -------------------------------------------------------------------------------------------------


class Watching:
    """A captioner that keeps what it was shown."""

    def __init__(self, told: list[Remarks]) -> None:
        self.told, self.crops = told, list[CaptionedCrop]()

    def remarks(self, crop: CaptionedCrop) -> Remarks:
        self.crops.append(crop)
        return self.told[len(self.crops) - 1]


def test_a_dataset_has_what_the_captioner_says_of_each_crop(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    pixels = BGR(np.random.default_rng(2).integers(0, 255, (600, 400, 3)).astype(np.uint8))

    def part(_: PhotoRef, _frame: Frame, cut: Any) -> BGR:
        return BGR(pixels[int(cut.top) : int(cut.top + cut.height), int(cut.left) : int(cut.left + cut.width)])

    mask = SimpleNamespace(read=lambda image: Mask(np.full(image.shape[:2], 255, np.uint8)))
    opener: Any = SimpleNamespace(part=part, store=store)
    order = PreprocessOrder(
        request=RequestRef(namespace="ns", name="person"), digest="d" * 16, photos=[],
        output="ns.1a2b3c4d-5e6f/requests/person/dataset/dd/", parameters=PreprocessParameters(resolution=256),
    )  # fmt: skip
    captioner = Watching([Remarks(glasses=True), Remarks("smiling", glasses=False)])
    writer = DatasetWriter(order, opener, mask, captioner)  # type: ignore[arg-type]
    sitter = Sitter(
        photo("a.jpg"), "Accepted", Measures(yaw=25.0),  # type: ignore[arg-type]
        face=face_at(140, 150, 120, 160), joints=np.zeros((17, 3), np.float32),
        fingerprint=Fingerprint(np.zeros((2, 2), np.float32), np.zeros(128, np.float32)),
        frame=Frame(400, 600, (0, 0, 400, 600)),
    )  # fmt: skip
    for held_out in (False, True):
        writer.add(sitter, held_out=held_out)
    assert [image.caption for image in writer.images] == [
        "a photo of {subject}, head and shoulders, turned slightly to the right, wearing glasses",
        "a photo of {subject}, head and shoulders, turned slightly to the right, smiling",
    ]
    crop, image = captioner.crops[0], writer.images[0]
    assert crop.pixels.shape[:2] == crop.mask.shape == (image.height, image.width)
    assert np.allclose(crop.face.box, image.face_box, atol=1)
    x, y, w, h = crop.face.box
    assert np.allclose(crop.face.points[0], [x + 0.3 * w, y + 0.4 * h], atol=1)


def test_texts_alone_are_no_photos() -> None:
    order = PreprocessOrder(
        request=RequestRef(namespace="ns", name="person"), digest="d" * 16, photos=[photo("01.txt")],
        output="ns.1a2b3c4d-5e6f/requests/person/dataset/dd/",
        parameters=PreprocessParameters(captions=Captions.WRITTEN),
    )  # fmt: skip
    with pytest.raises(BadInput, match="there are no photos") as refused:
        run(order, None)  # type: ignore[arg-type]
    assert refused.value.reason is Reason.NO_PHOTOS
