"""The cast: people to be looked at, twelve phone photos each, and photos that must be refused, with the truth beside.

A person's folder appears when it is whole; what was rendered of it is kept beside until then, so that a cut costs one
photo. `NN.jpg` are the photos and `labels.jsonl` a line for each; `bad/` holds the photos
to be refused and `bad/truth.json` why: the product's own reasons by file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_workshop.people import identity
from profile_workshop.people.assets import Assets
from profile_workshop.people.camera import develop
from profile_workshop.people.facts import facts
from profile_workshop.people.identity import Person
from profile_workshop.people.shot import Shot, photo
from profile_workshop.people.stage import Quality
from profile_workshop.people.studio import Rendering, Studio

PHOTOS = 12
SIZE = 640
SAMPLES = 14
NEGATIVES = "negatives"
# OpenCV does not tell its results' types.
Pixels = NDArray[Any]


@dataclass(frozen=True)
class Taken:
    shot: Shot
    picture: Rendering


def render(assets: Assets, folder: Path, seeds: Iterable[int], *, size: int = SIZE, threads: int = 1) -> int:
    """Render everyone of the cast who is not in `folder` yet; how many that were."""
    folder.mkdir(parents=True, exist_ok=True)
    rendered = 0
    with Studio(assets, Quality(size=size, samples=SAMPLES, fine=True, threads=threads)) as studio:
        for seed in seeds:
            target = folder / f"p{seed}"
            if target.exists():
                continue
            scratch = folder / f".{target.name}"
            (scratch / NEGATIVES).mkdir(parents=True, exist_ok=True)
            _render_person(studio, identity.person(seed), scratch)
            shutil.rmtree(scratch / NEGATIVES)
            scratch.rename(target)
            rendered += 1
            print(f"people: {target.name} is whole", flush=True)
    return rendered


def _render_person(studio: Studio, person: Person, folder: Path) -> None:
    studio.invite(person)
    taken = [_take(studio, photo(person, number), folder / NEGATIVES / f"{number:02d}.npz") for number in range(PHOTOS)]
    lines = []
    for number, take in enumerate(taken):
        picture, quality = develop(take.picture.rgba, take.shot)
        _write(folder / f"{number:02d}.jpg", picture, quality)
        lines.append(json.dumps(facts(person, take.shot, take.picture) | {"file": f"{number:02d}.jpg"}))
    (folder / "labels.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "person.json").write_text(json.dumps(asdict(person), indent=1) + "\n")
    _write_bad(studio, person, taken, folder / "bad")


def _take(studio: Studio, shot: Shot, negative: Path) -> Taken:
    """A picture, rendered now or by a run that was cut."""
    if not negative.is_file():
        rendering = studio.photograph(shot)
        partial = negative.with_suffix(".partial.npz")
        np.savez(
            partial,
            rgba=rendering.rgba,
            landmarks=rendering.landmarks,
            head_box=rendering.head_box,
            wear=rendering.wear_colour,
        )
        partial.rename(negative)
    with np.load(negative) as kept:
        box, wear = (tuple(float(value) for value in kept[name]) for name in ("head_box", "wear"))
        return Taken(shot, Rendering(kept["rgba"], kept["landmarks"], box, wear))  # type: ignore[arg-type]


def _write(path: Path, picture: Pixels, quality: int) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])


def _write_bad(studio: Studio, person: Person, taken: list[Taken], folder: Path) -> None:
    """Spoil the most frontal, best lit photos, and take two that no photo of a face is."""
    folder.mkdir(exist_ok=True)
    # Who names the person's folder means the good ones.
    (folder / ".nomedia").touch()
    good = sorted(
        taken, key=lambda take: abs(take.shot.yaw + take.shot.body) + 100 * (take.shot.light in ("dim", "flash"))
    )
    truth = {}
    for number, (reason, spoil) in enumerate(SPOILT.items()):
        name = f"{number:02d}.jpg"
        _write(folder / name, spoil(good[number % 4]), 90)
        truth[name] = reason
    for reason, turn in (("FaceTurnedAway", 62.0), ("NoFace", 178.0)):
        name = f"{len(truth):02d}.jpg"
        shot = replace(
            photo(person, PHOTOS), body=turn, yaw=8.0 if turn < 90 else 0.0, light="window", looks_at_camera=False
        )
        negative = folder.parent / NEGATIVES / f"{reason}.npz"
        _write(folder / name, develop(_take(studio, shot, negative).picture.rgba, shot)[0], 90)
        truth[name] = reason
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


def _blurred(take: Taken) -> Pixels:
    """Held in a moving hand: smeared along a line as long as an eye."""
    picture, _ = develop(take.picture.rgba, take.shot)
    length = max(9, round(take.picture.head_box[3] / 8))
    line = np.zeros((length, length), np.float32)
    cv2.line(line, (0, length // 3), (length - 1, 2 * length // 3), 1.0)
    return cv2.filter2D(picture, -1, line / line.sum())


def _dark(take: Taken) -> Pixels:
    picture, _ = develop(take.picture.rgba, take.shot)
    return (picture.astype(np.float32) * 0.13).astype(np.uint8)


def _far_away(take: Taken) -> Pixels:
    """The person small at the lower edge of a wide picture."""
    size = take.picture.rgba.shape[0]
    small = cv2.resize(take.picture.rgba, None, fx=0.16, fy=0.16, interpolation=cv2.INTER_AREA)
    whole = np.zeros_like(take.picture.rgba)
    left = (size - small.shape[1]) // 3
    whole[size - small.shape[0] :, left : left + small.shape[1]] = small
    return develop(whole, take.shot)[0]


def _cut_off(take: Taken) -> Pixels:
    """The picture ends in the middle of the forehead."""
    picture, _ = develop(take.picture.rgba, take.shot)
    eyes = float(take.picture.landmarks[:2, 1].mean())
    top = max(0, round(eyes - 0.12 * take.picture.head_box[3]))
    return np.ascontiguousarray(picture[top:])


def _with_mask(take: Taken) -> Pixels:
    """A blue mask over mouth and nose."""
    _, _, nose, right, left = take.picture.landmarks
    _, _, width, height = take.picture.head_box
    across = np.array([width * 0.36, 0])
    below = np.array([0, height * 0.2])
    corners = [
        nose - 0.5 * across,
        nose + 0.5 * across,
        left + across / 2,
        left + below,
        right + below,
        right - across / 2,
    ]
    return _painted(take, np.array(corners), (118, 168, 205))


def _with_sunglasses(take: Taken) -> Pixels:
    """Two black lenses."""
    right, left = take.picture.landmarks[:2]
    radius = 0.36 * float(np.linalg.norm(left - right))
    angle = np.linspace(0, 2 * np.pi, 40)
    circle = np.stack([1.25 * np.cos(angle), np.sin(angle)], axis=1) * radius
    rgba = take.picture.rgba.copy()
    for eye in (right, left):
        cv2.fillPoly(rgba, [np.round(eye + circle).astype(np.int32)], (8, 8, 10, 255), cv2.LINE_AA)
    cv2.line(rgba, _place(right), _place(left), (8, 8, 10, 255), max(2, round(radius / 5)), cv2.LINE_AA)
    return develop(rgba, take.shot)[0]


def _painted(take: Taken, corners: Pixels, colour: tuple[int, int, int]) -> Pixels:
    rgba = take.picture.rgba.copy()
    cv2.fillPoly(rgba, [np.round(corners).astype(np.int32)], (*colour, 255), cv2.LINE_AA)
    return develop(rgba, take.shot)[0]


def _place(point: Pixels) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _with_somebody(take: Taken) -> Pixels:
    """Two people as large as each other, side by side. The second is the first, mirrored and tinted: whoever it is,
    it is a second person."""
    size = take.picture.rgba.shape[0]
    second = np.ascontiguousarray(take.picture.rgba[:, ::-1])
    whole = np.zeros((size, size, 4), np.uint8)
    for rgba, middle in ((second, 0.28), (take.picture.rgba, 0.72)):
        small = cv2.resize(rgba, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
        left = round(middle * size - small.shape[1] / 2)
        whole = _pasted(whole, small, left, size - small.shape[0])
    return develop(whole, take.shot)[0]


def _pasted(whole: Pixels, part: Pixels, left: int, top: int) -> Pixels:
    start, end = max(left, 0), min(left + part.shape[1], whole.shape[1])
    seen = part[:, start - left : end - left].astype(np.float32)
    behind = whole[top : top + part.shape[0], start:end].astype(np.float32)
    share = seen[..., 3:] / 255
    result = whole.copy()
    mixed = np.concatenate(
        [seen[..., :3] * share + behind[..., :3] * (1 - share), np.maximum(seen, behind)[..., 3:]], -1
    )
    result[top : top + part.shape[0], start:end] = mixed.astype(np.uint8)
    return result


SPOILT: dict[str, Callable[[Taken], Pixels]] = {
    "Blurred": _blurred,
    "TooDark": _dark,
    "FaceTooSmall": _far_away,
    "HeadCutOff": _cut_off,
    "FaceCovered": _with_mask,
    "FaceCovered, by sunglasses": _with_sunglasses,
    "SeveralPeople": _with_somebody,
}
