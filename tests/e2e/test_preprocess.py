"""Preprocessing with its real networks, on rendered people and on photos of real persons."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from profile_contract.conditions import Reason
from profile_contract.exits import EXIT_BAD_INPUT, EXIT_DONE, BadInput, TryAgain
from profile_contract.photos import PHOTO_ADVICE, PhotoReason
from profile_contract.stages.preprocess import PreprocessOrder, PreprocessReport
from profile_contract.stages.table import Stage
from profile_contract.style import POSE_PRESETS
from profile_preprocess.look import Networks
from profile_preprocess.stage import run as stage
from profile_runtime.shell import run_stage
from profile_runtime.store.folder import FolderStore
from profile_vision import FaceReader
from profile_vision.pixels import BGR

Photos = dict[str, bytes]
Preprocess = Callable[..., PreprocessReport]


def picture(data: bytes) -> BGR:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return BGR(found.astype(np.uint8))


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def reasons(report: PreprocessReport) -> dict[str, PhotoReason]:
    return {verdict.name: verdict.reason for verdict in report.verdicts}


def together(left: bytes, right: bytes) -> bytes:
    """One picture of two people, beside each other at one height."""
    pictures = [picture(data) for data in (left, right)]
    return jpeg(np.hstack([cv2.resize(image, (640, 640)) for image in pictures]))


def test_a_person_becomes_a_dataset(preprocess: Preprocess, woman: Photos, store: FolderStore, models: Path) -> None:
    report = preprocess(woman)
    assert report.outcome == "Done"
    assert set(reasons(report).values()) == {PhotoReason.ACCEPTED}
    assert len(report.images) == 12
    assert sum(image.held_out for image in report.images) == 2
    assert report.ceiling == pytest.approx(0.79, abs=0.03)
    faces = FaceReader(models / "vision")
    for image in report.images:
        crop, mask = (picture(store.read(key)) for key in (image.image, image.mask))
        assert crop.shape == mask.shape == (image.height, image.width, 3)
        assert len(faces.find(crop)) == 1
        x, y, w, h = image.face_box
        inside = mask[y : y + h, x : x + w].mean() / 255
        assert inside > 0.85
        assert mask.mean() / 255 < 0.9
        # The skeleton's head is where the face is.
        assert image.joints is not None
        nose = image.joints[0]
        assert nose is not None
        assert x < nose[0] * image.width < x + w
        assert y < nose[1] * image.height < y + h
        assert "{subject}" in image.caption
    assert {pose.name for pose in report.poses} == {*(f"photo-{n}" for n in range(1, 13)), *POSE_PRESETS}
    for pose in report.poses:
        # Relative to the head: the nose is below the eyes, the shoulders, where they are seen, below the chin.
        assert pose.joints is not None
        assert pose.joints[0] is not None
        assert 0.1 < pose.joints[0][1] < 0.3
        assert all(shoulder is None or shoulder[1] > 0.5 for shoulder in (pose.joints[2], pose.joints[5]))
    assert not [entry.key for entry in store.list("ns.1a2b3c4d-5e6f/") if "pose" in entry.key]
    again = PreprocessReport.model_validate_json(
        store.read("ns.1a2b3c4d-5e6f/requests/person/dataset/" + "d" * 16 + "/report.json")
    )
    assert again.images == report.images
    assert again.peak_memory_megabytes > 100


def test_the_same_photos_judge_whatever_else_is_asked(
    preprocess_order: Callable[..., PreprocessOrder], woman: Photos, store: FolderStore, models: Path
) -> None:
    """Or figures of two settings would be of two sets of photos."""
    held_out = []
    for digest, face_percent in (("d" * 16, 40), ("e" * 16, 50)):
        order = preprocess_order(woman, face_percent=face_percent).model_copy(update={"digest": digest})
        report = run_stage(stage, order, Stage.PREPROCESS, store, models=models)
        assert isinstance(report, PreprocessReport)
        held_out.append([image.photo for image in report.images if image.held_out])
    assert len(held_out[0]) == 2
    assert held_out[0] == held_out[1]


def test_every_bad_photo_gets_its_reason_and_advice(preprocess: Preprocess, woman: Photos, man: Photos) -> None:
    good = dict(list(woman.items())[:6])
    first = picture(woman["07.jpg"])
    bad = {
        "a-letter.jpg": b"Dear Sir or Madam,\nplease find my photo attached.\n",
        "a-truncated.jpg": woman["00.jpg"][: len(woman["00.jpg"]) // 2],
        "a-huge.png": _hundred_megapixels(),
        "a-thumbnail.jpg": jpeg(cv2.resize(first, (200, 200))),
        "a-couple.jpg": together(woman["01.jpg"], man["01.jpg"]),
        "a-man.jpg": man["02.jpg"],
        "a-again.jpg": jpeg(cv2.resize(picture(woman["02.jpg"]), (500, 500))),
        "a-wall.jpg": jpeg(cv2.resize(picture(woman["01.jpg"])[:130, :130], (640, 640))),
        "a-far.jpg": jpeg(cv2.copyMakeBorder(cv2.resize(first, (200, 200)), 400, 400, 500, 500, cv2.BORDER_REPLICATE)),
        "a-cut.jpg": jpeg(picture(woman["05.jpg"])[:, 330:]),
        "a-dark.jpg": jpeg((first * 0.12).astype(np.uint8)),
        "a-shaken.jpg": jpeg(cv2.GaussianBlur(first, (0, 0), 6)),
    }
    report = preprocess({**good, **bad})
    assert report.outcome == "Done"
    found = reasons(report)
    assert {name: found[name] for name in good} == dict.fromkeys(good, PhotoReason.ACCEPTED)
    assert {name: found[name] for name in bad} == {
        "a-letter.jpg": PhotoReason.NOT_AN_IMAGE,
        "a-truncated.jpg": PhotoReason.DAMAGED,
        "a-huge.png": PhotoReason.TOO_MANY_PIXELS,
        "a-thumbnail.jpg": PhotoReason.TOO_SMALL,
        "a-couple.jpg": PhotoReason.SEVERAL_PEOPLE,
        "a-man.jpg": PhotoReason.OTHER_PERSON,
        "a-again.jpg": PhotoReason.DUPLICATE,
        "a-wall.jpg": PhotoReason.NO_FACE,
        "a-far.jpg": PhotoReason.FACE_TOO_SMALL,
        "a-cut.jpg": PhotoReason.HEAD_CUT_OFF,
        "a-dark.jpg": PhotoReason.TOO_DARK,
        "a-shaken.jpg": PhotoReason.BLURRED,
    }
    for verdict in report.verdicts:
        assert verdict.advice.startswith(PHOTO_ADVICE[verdict.reason])
        assert verdict.accepted == (verdict.reason is PhotoReason.ACCEPTED)
    assert {image.photo for image in report.images} == set(good)
    told = {verdict.name: verdict for verdict in report.verdicts}
    assert told["a-again.jpg"].advice.endswith("It repeats 02.jpg.")
    assert told["00.jpg"].measures["face_height"] == pytest.approx(343, abs=15)


def _hundred_megapixels() -> bytes:
    out = io.BytesIO()
    Image.new("L", (10_000, 10_000), 200).save(out, "PNG")
    return out.getvalue()


def test_real_persons(preprocess: Preprocess, real_photos: Photos, store: FolderStore, models: Path) -> None:
    report = preprocess(real_photos, minimum_photos=3, resolution=512)
    found = reasons(report)
    assert found == {
        "biden.jpg": PhotoReason.OTHER_PERSON,
        "obama.jpg": PhotoReason.ACCEPTED,
        "obama2.jpg": PhotoReason.ACCEPTED,
        "obama3.jpg": PhotoReason.ACCEPTED,
        "obama_partial_face.jpg": PhotoReason.HEAD_CUT_OFF,
    }
    assert report.ceiling is not None
    assert report.ceiling > 0.5
    # Tall photos are cut to a tall bucket, and the face keeps room above.
    for image in report.images:
        assert (image.width, image.height) in {(448, 576), (512, 512)}
        assert image.face_box[1] > 0.05 * image.height


def test_real_persons_with_covered_faces(preprocess: Preprocess, real_photos: Photos, models: Path) -> None:
    image = picture(real_photos["obama.jpg"])
    face = FaceReader(models / "vision").find(image)[0]
    apart = float(np.linalg.norm(face.points[1] - face.points[0]))
    for eye in face.points[:2]:
        centre = (int(eye[0]), int(eye[1]))
        cv2.ellipse(image, centre, (int(0.42 * apart), int(0.32 * apart)), 0, 0, 360, (22, 20, 18), -1, cv2.LINE_AA)
    report = preprocess({"shades.jpg": jpeg(image), "plain.jpg": real_photos["obama3.jpg"]}, minimum_photos=1)
    assert reasons(report) == {"plain.jpg": PhotoReason.ACCEPTED, "shades.jpg": PhotoReason.FACE_COVERED}


def test_two_real_persons_in_one_photo(preprocess: Preprocess, real_photos: Photos) -> None:
    pair = together(_square(real_photos["obama.jpg"]), _square(real_photos["biden.jpg"]))
    report = preprocess({"pair.jpg": pair}, minimum_photos=1)
    assert reasons(report) == {"pair.jpg": PhotoReason.SEVERAL_PEOPLE}


def _square(data: bytes) -> bytes:
    image = picture(data)
    return jpeg(image[: image.shape[1], :])


def test_too_few_usable_photos_end_the_stage_with_all_verdicts(preprocess: Preprocess, real_photos: Photos) -> None:
    report = preprocess(real_photos)
    assert (report.outcome, report.reason) == ("BadInput", Reason.TOO_FEW_USABLE_PHOTOS)
    assert report.message.startswith("3 of 5 photos can be used, at least 5 are needed.")
    assert PHOTO_ADVICE[PhotoReason.OTHER_PERSON] in report.message
    assert len(report.verdicts) == 5
    assert report.images == []


WRITTEN = "37.5663N 126.9779E, by Hong Gildong"


def test_no_metadata_survives(preprocess: Preprocess, woman: Photos, store: FolderStore) -> None:
    tags = Image.Exif()
    tags[0x8825] = {1: "N", 2: (37.0, 33.0, 58.0)}  # GPS
    tags[0x0112] = 6
    tags[0x010E] = tags[0x013B] = WRITTEN
    out = io.BytesIO()
    upright = Image.open(io.BytesIO(woman["00.jpg"]))
    upright.transpose(Image.Transpose.ROTATE_90).save(
        out, "JPEG", quality=92, exif=tags, comment=WRITTEN, xmp=WRITTEN.encode()
    )
    report = preprocess({"sideways.jpg": out.getvalue()}, minimum_photos=1)
    assert reasons(report) == {"sideways.jpg": PhotoReason.ACCEPTED}
    with Image.open(io.BytesIO(store.read(report.images[0].image))) as crop:
        crop.load()
        assert dict(crop.getexif()) == {}
        assert crop.info == {}
    made = [entry.key for entry in store.list("") if not entry.key.endswith("sideways.jpg")]
    assert len(made) > 3
    # Neither what somebody wrote, nor a chunk or a segment that could hold a place.
    for key in made:
        content = store.read(key)
        assert not any(mark in content for mark in (WRITTEN.encode(), b"eXIf", b"Exif\0\0", b"iTXt", b"tEXt")), key


def test_no_photos_and_too_many(
    preprocess_order: Callable[..., PreprocessOrder], store: FolderStore, models: Path
) -> None:
    from profile_runtime.context import StageContext
    from profile_runtime.progress import Silent, StageProgress

    order = preprocess_order({f"{n}.jpg": b"x" for n in range(3)}, maximum_photos=2)
    progress = StageProgress(order.request, Stage.PREPROCESS, order.digest, Silent())
    context = StageContext(store, progress, models)
    with pytest.raises(BadInput, match="3 photos are too many") as too_many:
        stage(order, context)
    assert too_many.value.reason is Reason.TOO_MANY_PHOTOS
    with pytest.raises(BadInput) as none:
        stage(order.model_copy(update={"photos": []}), context)
    assert none.value.reason is Reason.NO_PHOTOS


def test_weights_that_are_not_the_ones_expected_are_not_loaded(models: Path, tmp_path: Path) -> None:
    vision = tmp_path / "vision"
    shutil.copytree(models / "vision", vision)
    with (vision / "yolo11n-pose.pt").open("ab") as weights:
        weights.write(b"tampered")
    with pytest.raises(TryAgain, match="not the one expected") as refused:
        Networks.load(vision)
    assert refused.value.reason is Reason.MODEL_NOT_FOUND
    (vision / "yunet.onnx").unlink()
    with pytest.raises(TryAgain, match=r"yunet\.onnx is missing"):
        Networks.load(vision)


@pytest.mark.parametrize(("photos", "code"), [(6, EXIT_DONE), (4, EXIT_BAD_INPUT)])
def test_the_program(  # noqa: PLR0917  (fixtures)
    photos: int,
    code: int,
    woman: Photos,
    models: Path,
    preprocess_order: Callable[..., PreprocessOrder],
    tmp_path: Path,
) -> None:
    """As in a pod: its own process, home and scratch in one folder, and nothing else written."""
    order = preprocess_order(dict(list(woman.items())[:photos]))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
        "HOME": str(scratch),
        "PROFILE_MODELS": str(models),
        "TMPDIR": str(scratch),
        "PROFILE_STORE": f"file://{tmp_path / 'store'}",
        "PROFILE_ORDER": order.to_json(),
    }
    command = [sys.executable, "-m", "profile_preprocess"]
    done = subprocess.run(command, env=environment, cwd=scratch, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    report = PreprocessReport.model_validate_json((tmp_path / "store" / order.output / "report.json").read_bytes())
    assert len(report.verdicts) == photos
    assert len(report.images) == (photos if code == EXIT_DONE else 0)
