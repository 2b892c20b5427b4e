"""Exposure is judged alike whoever is in the photo: the cast, darkened and brightened as a camera does it."""

import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from hardening import section
from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import PreprocessParameters
from profile_preprocess import light, quality
from profile_preprocess.verdicts import Measures, judge
from profile_vision import FaceReader
from profile_vision.pixels import BGR

PEOPLE = Path(__file__).resolve().parents[2] / "models" / "people"
GROUPS = ("african", "asian", "caucasian")
# Quarter stops, where something changes.
STOPS = [quarter / 4 for quarter in (*range(-18, -7), -4, 0, 2, *range(4, 13))]
# Between groups the exposure at which half of the photos are refused may differ by this many stops.
ALIKE = 0.5
GOOD = Measures(
    faces=1, people=1, face_height=300.0, head_inside=1.0, edge_gap=0.5, sharpness=55.0, light=-0.4
)  # fmt: skip

Shares = dict[str, dict[float, float]]


def exposed(image: BGR, stops: float) -> BGR:
    """The scene as a camera at another exposure writes it: linear light, scaled, clipped, as a JPEG."""
    coded = np.arange(256) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    scaled = np.clip(linear * 2.0**stops, 0, 1)
    back = np.where(scaled <= 0.0031308, scaled * 12.92, 1.055 * scaled ** (1 / 2.4) - 0.055)
    changed = cv2.LUT(image, np.clip(255 * back + 0.5, 0, 255).astype(np.uint8))
    written = cv2.imencode(".jpg", changed, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    opened = cv2.imdecode(written, cv2.IMREAD_COLOR)
    assert opened is not None
    return BGR(opened.astype(np.uint8))


def verdicts(models: Path) -> dict[str, dict[float, list[PhotoReason]]]:
    """Group -> stops -> what light alone makes of its photos; the face is where it is at the right exposure."""
    faces = FaceReader(models / "vision")
    told: dict[str, dict[float, list[PhotoReason]]] = {group: defaultdict(list) for group in GROUPS}
    for folder in sorted(file.parent for file in PEOPLE.glob("*/person.json")):
        person = json.loads((folder / "person.json").read_text())
        for number in range(12):
            image = BGR(np.asarray(cv2.imread(str(folder / f"{number:02d}.jpg")), np.uint8))
            face = faces.find(image)[0]
            for stops in STOPS:
                pixels = exposed(image, stops)
                burnt = float((quality.lightness(pixels, face) > quality.BURNT).mean())
                looked = Measures(**{**vars(GOOD), "light": light.exposure(pixels), "burnt": burnt})
                group = told[person.get("ancestry") or person["main"]]
                group[stops].append(judge(looked, PreprocessParameters()))
    return told


def half_point(shares: dict[float, float]) -> float | None:
    """The stops at which half of the photos are refused, between two steps; None if that is never so."""
    steps = list(shares)
    for before, after in pairwise(steps):
        if shares[before] < 0.5 <= shares[after]:
            return before + (after - before) * (0.5 - shares[before]) / (shares[after] - shares[before])
    return None


@pytest.mark.parametrize(("stops", "half"), [({0.0: 0.0, -1.0: 0.0, -2.0: 1.0}, -1.5), ({0.0: 0.0, 1.0: 0.4}, None)])
def test_half_point(stops: dict[float, float], half: float | None) -> None:
    assert half_point(stops) == half


def test_too_dark_is_the_photo_not_the_person(models: Path) -> None:
    told = verdicts(models)

    def share(group: str, stops: float, reason: PhotoReason) -> float:
        reasons = told[group][stops]
        return sum(one is reason for one in reasons) / len(reasons)

    def halves(reason: PhotoReason, steps: list[float]) -> dict[str, float | None]:
        return {group: half_point({stops: share(group, stops, reason) for stops in steps}) for group in GROUPS}

    dark = halves(PhotoReason.TOO_DARK, [stops for stops in reversed(STOPS) if stops <= 0])
    bright = halves(PhotoReason.TOO_BRIGHT, [stops for stops in STOPS if stops >= 0])
    assert None not in dark.values()
    limits = [value for value in dark.values() if value is not None]
    assert max(limits) - min(limits) <= ALIKE
    assert max(limits) <= -2.5, "a scene that lost this much can still be seen"
    for group in GROUPS:
        assert all(one is PhotoReason.ACCEPTED for stops in (-2.0, 0.0, 0.5) for one in told[group][stops])
    rows = [["photos of people", *(f"{stops:+g}" for stops in _SHOWN), "half are refused at"]]
    for group in GROUPS:
        shares = [f"{1 - share(group, stops, PhotoReason.ACCEPTED):.0%}" for stops in _SHOWN]
        rows.append([_ORIGIN[group], *shares, f"{_stops(dark[group])}, {_stops(bright[group])}"])
    section("exposure", rows)


_SHOWN = (-4.0, -3.5, -3.25, -3.0, -2.5, 0.0, 1.0, 1.5, 2.0, 2.5, 3.0)
_ORIGIN = {"african": "of African descent", "asian": "of Asian descent", "caucasian": "of European descent"}


def _stops(value: float | None) -> str:
    return "never" if value is None else f"{value:+.2f} stops"
