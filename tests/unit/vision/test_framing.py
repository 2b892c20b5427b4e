"""Training buckets and where photos are cut."""

import pytest

from profile_vision.framing import Framing, bucket_for, buckets, cut_to


@pytest.mark.parametrize(("resolution", "step"), [(1024, 64), (768, 64), (512, 64), (256, 32), (128, 32)])
def test_buckets_have_one_area_and_sizes_a_unet_can_halve(resolution: int, step: int) -> None:
    found = buckets(resolution)
    assert (resolution, resolution) in found
    for width, height in found:
        assert width % step == 0
        assert height % step == 0
        assert 0.75 <= width / height <= 4 / 3
        assert 0.85 <= width * height / resolution**2 <= 1.15


def test_a_phone_photo_gets_the_tall_bucket_and_a_panorama_the_widest() -> None:
    assert bucket_for(3024, 4032, 1024) == (896, 1152)
    assert bucket_for(4032, 3024, 1024) == (1152, 896)
    assert bucket_for(5000, 1000, 1024) == bucket_for(4032, 3024, 1024)
    assert bucket_for(640, 640, 1024) == (1024, 1024)


@pytest.mark.parametrize(
    "face",
    [
        (1200.0, 800.0, 500.0, 700.0),
        (0.0, 0.0, 400.0, 500.0),
        (2600.0, 3500.0, 400.0, 500.0),
        (200.0, 300.0, 2600.0, 3500.0),
    ],
)
def test_the_cut_lies_inside_the_photo_and_holds_the_face(face: tuple[float, float, float, float]) -> None:
    cut = cut_to(3024, 4032, face, (896, 1152), Framing(0.4))
    assert cut.left >= 0
    assert cut.top >= 0
    assert cut.left + cut.width <= 3024.001
    assert cut.top + cut.height <= 4032.001
    assert cut.width / cut.height == pytest.approx(896 / 1152)
    x, y, w, h = cut.box(face)
    assert x >= -1
    assert y >= -1
    assert x + w <= 897
    assert y + h <= 1153


@pytest.mark.parametrize("share", [0.3, 0.4, 0.5, 0.6])
def test_a_half_length_photo_is_cut_to_head_and_shoulders_with_room_above(share: float) -> None:
    face = (1300.0, 1400.0, 400.0, 520.0)
    cut = cut_to(3024, 4032, face, (1024, 1024), Framing(share))
    _, top, _, height = cut.box(face)
    assert height / cut.out_height == pytest.approx(share, abs=0.01)
    assert 0.15 * cut.out_height < top < 0.3 * cut.out_height
