"""Odd photos before preprocessing: the right verdict, in time, in bounds, and nothing broken is trained on."""

import io
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import odd_photos
from hardening import section
from profile_contract.conditions import Reason
from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PhotoRef, PreprocessParameters, PreprocessReport
from profile_preprocess.decode import Opener, PhotoRefused
from profile_preprocess.look import Networks, look_at
from profile_runtime.store.folder import FolderStore
from profile_vision.decoding import Decoder, NotOpened

Preprocess = Callable[..., PreprocessReport]
MUTATIONS = 300
SECONDS = 10.0
KILOBYTES = 1_000_000
# A picture is visibly damaged where this share of its pixels is off by more than these levels.
VISIBLE, LEVELS = 0.02, 40


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as shared:
        yield shared


@pytest.fixture
def verdict(models: Path, store: FolderStore, decoder: Decoder) -> Callable[[bytes], PhotoReason]:
    networks, opener = Networks.load(models / "vision"), Opener(store, decoder, PreprocessParameters(resolution=256))

    def judged(data: bytes) -> PhotoReason:
        store.write("photo", data)
        try:
            return look_at(PhotoRef(name="photo", key="photo", bytes=len(data), etag=""), opener, networks).reason
        except PhotoRefused as refused:
            return refused.reason

    return judged


def most_kilobytes(decoder: Decoder) -> int:
    assert decoder._process is not None
    status = Path(f"/proc/{decoder._process._process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def test_single_photos(verdict: Callable[[bytes], PhotoReason], decoder: Decoder) -> None:
    wrong, slow, rows = [], [], [["file", "verdict", "right"]]
    for odd in odd_photos.single():
        data, begun = odd.make(), time.monotonic()
        reason = verdict(data)
        if time.monotonic() - begun > SECONDS:
            slow.append(odd.name)
        if reason not in odd.right:
            wrong.append((odd.name, str(reason)))
        rows.append([odd.name, f"`{reason}`", "yes" if reason in odd.right else "no"])
    assert wrong == []
    assert slow == []
    assert most_kilobytes(decoder) < KILOBYTES
    section("odd photos", rows)


def test_mutations(verdict: Callable[[bytes], PhotoReason], decoder: Decoder) -> None:
    accepted_damage, slow = [], []
    told: Counter[tuple[str, str]] = Counter()
    for name, whole, changed in odd_photos.mutations(MUTATIONS):
        begun = time.monotonic()
        try:
            pixels = decoder.open(changed).pixels
        except NotOpened as refused:
            told[name, f"`{refused.refusal}`"] += 1
        else:
            visible = _damage(pixels, whole) > VISIBLE
            reason = verdict(changed) if visible else PhotoReason.ACCEPTED
            told[name, f"`{reason}`, damage that shows" if visible else "opened, no damage that shows"] += 1
            if visible and reason is PhotoReason.ACCEPTED:
                accepted_damage.append(name)
        if time.monotonic() - begun > SECONDS:
            slow.append(name)
    assert accepted_damage == []
    assert slow == []
    assert most_kilobytes(decoder) < KILOBYTES
    section("mutations", [["what was changed", "verdict", "files"], *[[*key, told[key]] for key in sorted(told)]])


def _damage(pixels: np.ndarray, whole: bytes) -> float:
    """The share of pixels that are plainly another colour than in the file before it was changed."""
    right = np.asarray(Image.open(io.BytesIO(whole)).convert("RGB")).astype(int)
    if pixels.shape != right.shape:
        return 1.0
    return float((np.abs(pixels.astype(int) - right).max(axis=2) > LEVELS).mean())


def test_photos_that_lie_any_way_make_the_dataset_that_upright_ones_make(
    preprocess: Preprocess, store: FolderStore
) -> None:
    lying = preprocess(odd_photos.turned_set())
    crops = [np.asarray(Image.open(io.BytesIO(store.read(image.image)))).astype(int) for image in lying.images]
    assert any("turned upright" in warning.message for warning in lying.warnings)
    for photo in odd_photos.turned_set():
        store.delete(f"ns.1a2b3c4d-5e6f/uploads/person/{photo}")
    upright = preprocess(odd_photos.upright_set())
    assert [v.reason for v in lying.verdicts] == [v.reason for v in upright.verdicts]
    # Which of them are held out is drawn by the files, and these are others.
    assert [(i.photo, i.caption) for i in lying.images] == [(i.photo, i.caption) for i in upright.images]
    for crop, image in zip(crops, upright.images, strict=True):
        again = np.asarray(Image.open(io.BytesIO(store.read(image.image)))).astype(int)
        # Files that were turned were compressed otherwise, and a face is found some pixels away.
        assert np.abs(crop - again).mean() < 12
    assert not any("turned upright" in warning.message for warning in upright.warnings)


def test_copies_of_one_photo_are_one_photo(preprocess: Preprocess) -> None:
    report = preprocess(odd_photos.one_moment_set())
    assert (report.outcome, report.reason) == ("BadInput", Reason.TOO_FEW_USABLE_PHOTOS)
    assert Counter(v.reason for v in report.verdicts) == {PhotoReason.ACCEPTED: 1, PhotoReason.DUPLICATE: 7}
    kept = next(v.name for v in report.verdicts if v.accepted)
    assert kept not in {"grey.jpg", "brighter.jpg"}


def test_two_people_are_asked_about(preprocess: Preprocess) -> None:
    report = preprocess(odd_photos.two_people_set())
    assert (report.outcome, report.reason) == ("BadInput", Reason.TWO_PEOPLE)
    assert "Which one is meant?" in report.message
    assert report.images == []


def test_black_and_white_is_told(preprocess: Preprocess) -> None:
    report = preprocess(odd_photos.grey_set())
    assert report.outcome == "Done"
    assert report.warnings[0].message.startswith("No photo has colour")
