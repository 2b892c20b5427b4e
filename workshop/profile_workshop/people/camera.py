"""From a person and a place to a photo: composed, then what lens and sensor add."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from profile_workshop.people.places import backdrop
from profile_workshop.people.shot import Shot


def develop(rgba: NDArray[np.uint8], shot: Shot) -> tuple[NDArray[np.uint8], int]:
    """A photo (size, size, 3) RGB before the shot's place, and the JPEG quality of the phone that took it."""
    size = rgba.shape[0]
    draw = np.random.default_rng([6, shot.seed])
    behind = backdrop(shot.place, shot.light, size, draw)
    person = rgba.astype(np.float32) / 255
    alpha = person[..., 3:]
    photo: NDArray[Any] = person[..., :3] * alpha + behind * (1 - alpha)
    if draw.random() < 0.3:
        photo = cv2.GaussianBlur(photo, (0, 0), size / 640 * draw.uniform(0.4, 1.1))
    photo = photo * np.clip(1 + draw.normal(0, 0.025, 3), 0.9, 1.1)
    from_middle = np.indices((size, size)).astype(np.float32) / size - 0.5
    photo = photo * (1 - draw.uniform(0, 0.35) * (from_middle**2).sum(axis=0))[..., None]
    grain: NDArray[Any] = draw.normal(0, 1, photo.shape)
    if size > 256:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.6) * 1.7
    photo = photo + grain * draw.uniform(0.003, 0.013)
    return (np.clip(photo, 0, 1) * 255 + 0.5).astype(np.uint8), int(draw.integers(86, 96))
