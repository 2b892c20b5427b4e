"""Likeness as a share of the person's own ceiling."""

import numpy as np
import pytest

from profile_vision import ceiling, cosine, likeness


def unit(*values: float) -> np.ndarray:
    row = np.array(values, dtype=np.float32)
    return row / np.linalg.norm(row)


def test_cosine_is_the_angle_whatever_the_lengths() -> None:
    assert cosine(unit(1, 0), 7 * unit(1, 1)) == pytest.approx(np.sqrt(0.5), abs=1e-6)
    assert cosine(unit(1, 0), np.zeros(2, dtype=np.float32)) == 0.0


def test_the_ceiling_is_the_mean_of_all_pairs() -> None:
    a, b, c = unit(1, 0), unit(1, 1), unit(0, 1)
    assert ceiling([a, b, c]) == pytest.approx((np.sqrt(0.5) + 0 + np.sqrt(0.5)) / 3, abs=1e-6)
    assert ceiling([a]) == 1.0


def test_likeness_is_per_cent_of_the_ceiling_and_never_above_100() -> None:
    references = [unit(1, 0), unit(1, 1)]
    found = likeness(unit(0, 1), references, ceiling=0.8)
    assert found.cosine == pytest.approx((0 + np.sqrt(0.5)) / 2, abs=1e-6)
    assert found.percent == round(100 * found.cosine / 0.8)
    assert likeness(unit(1, 0), [unit(1, 0)], ceiling=0.5).percent == 100
    assert likeness(unit(-1, 0), [unit(1, 0)], ceiling=0.5).percent == -100


def test_likeness_without_a_meaning_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one reference"):
        likeness(unit(1, 0), [], ceiling=0.5)
    with pytest.raises(ValueError, match="different people"):
        likeness(unit(1, 0), [unit(1, 0)], ceiling=0.0)
