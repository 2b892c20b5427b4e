"""What a second recogniser says, from made-up vectors: distances, whose, and by how much of the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from profile_evaluate.figures import Share
from profile_evaluate.page import _second
from profile_evaluate.second import SecondReader, SecondReadings, second_confusion, second_figures
from profile_vision import WeightsMissing


def at(*places: float) -> NDArray[np.float64]:
    return np.array(places, np.float64)


ANNA = SecondReadings("anna", (at(0, 0), at(0.2, 0)), (at(0.1, 0), at(0.5, 0), None, at(0.9, 0)))
BEN = SecondReadings("ben", (at(1, 0), at(1, 0.4)), (at(1, 0.2),))
NOBODY = SecondReadings("nobody", (), (at(0, 0),))


def test_distances_to_ones_own_photos_and_to_others() -> None:
    anna, ben = second_figures([ANNA, BEN, NOBODY])
    assert anna.name == "anna"
    assert anna.own == pytest.approx(0.2)
    assert anna.portraits == pytest.approx(np.mean([0.1, 0.4, 0.8]))
    expected = [np.hypot(x, y) for x in (1.0, 0.8) for y in (0.0, 0.4)]
    assert anna.others == pytest.approx(np.mean(expected))
    assert anna.same == Share(2, 3)
    assert anna.named == Share(2, 3)
    assert anna.way == pytest.approx((np.mean(expected) - np.mean([0.1, 0.4, 0.8])) / (np.mean(expected) - 0.2))
    assert ben.own == pytest.approx(0.4)
    assert ben.same == ben.named == Share(1, 1)


def test_of_one_person_alone_there_is_no_way() -> None:
    (anna,) = second_figures([ANNA])
    assert anna.others is None
    assert anna.way is None
    assert "| - |" in _second([anna])


def test_who_is_mistaken_for_whom() -> None:
    assert second_confusion([ANNA, BEN]) == {"anna": {"anna": 2, "ben": 1}, "ben": {"anna": 0, "ben": 1}}


def test_the_page_says_the_distances() -> None:
    anna, _ = second_figures([ANNA, BEN])
    row = _second([anna]).splitlines()[-1]
    assert row.startswith("| anna | 0.43 | 0.20 | 0.94 | 69 % | 67 % (21 to 94; 2 of 3) |")


def test_without_its_networks_the_way_to_them_is_said(tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(WeightsMissing, match="profile_models recogniser fetches it"):
        SecondReader(tmp_path)
    (tmp_path / "dlib_resnet.dat").write_bytes(b"something else")
    with pytest.raises(WeightsMissing, match="not the one expected"):
        SecondReader(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    with pytest.raises(WeightsMissing, match=r"profile-studio\[evaluate\]"):
        SecondReader(tmp_path)
