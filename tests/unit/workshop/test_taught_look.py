"""The pictures that a look is taught by, where it is measured."""

from __future__ import annotations

import numpy as np

from profile_workshop.taught_look import EDGE, LIGHTS, lit


def test_a_picture_has_the_looks_backdrop_and_is_lit_from_one_side() -> None:
    render = np.zeros((160, 160, 4), np.uint8)
    render[40:120, 40:120] = (128, 128, 128, 255)
    for light in LIGHTS.values():
        picture = lit(render, light).astype(int)
        assert picture.shape == (EDGE, EDGE, 3)
        assert np.abs(picture[2, 2] - 255 * np.array(light.above)).max() <= 2
        assert np.abs(picture[-3, 2] - 255 * np.array(light.below)).max() <= 2
        left, right = picture[240, 160].mean(), picture[240, 320].mean()
        assert left > 1.1 * right
