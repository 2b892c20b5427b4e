"""The four figures of a look, and the weight that follows from them."""

from __future__ import annotations

import numpy as np
import pytest

from profile_contract.stages.train import LookAtWeight
from profile_train.look_figures import PictureMeasures, figures_at, recommended
from profile_train.look_sheet import EDGE, GAP, PAPER, TITLE, sheet
from profile_vision.pixels import RGB

DARK, TEAL = np.array([20.0, 0.0, 0.0]), np.array([50.0, -30.0, -10.0])


def face(*parts: float) -> np.ndarray:
    row = np.zeros(128, np.float32)
    row[: len(parts)] = parts
    return row / np.linalg.norm(row)


def measured(share: float, embedding: np.ndarray | None = None) -> PictureMeasures:
    """A picture that went this share of the way from dark to teal, its skin half as far."""
    way = DARK + share * (TEAL - DARK)
    return PictureMeasures(way, DARK + share / 2 * (TEAL - DARK), np.array([share, 0.0]), embedding)


WITHOUT = [measured(0.0, face(1)), measured(0.1, face(0, 1))]
OWN = [measured(1.0, face(0, 0, 1)), measured(1.1, face(0, 0, 0, 1))]


def test_shares_say_how_far_the_look_went() -> None:
    drawn = [measured(0.55, face(4, 3)), measured(0.55, face(3, 4))]
    row = figures_at(60, drawn, WITHOUT, OWN)
    assert (row.weight_percent, row.backdrop, row.light, row.features) == (60, 0.5, 0.5, 0.5)
    assert row.likeness == 0.8
    assert (row.nearest, row.resembling) == (0.0, 0)


def test_going_past_is_more_than_all_and_away_less_than_nothing() -> None:
    there, away = [measured(1.55)] * 2, [measured(-0.45)] * 2
    assert figures_at(60, there, WITHOUT, OWN).backdrop == 1.5
    assert figures_at(60, away, WITHOUT, OWN).backdrop == -0.5
    # Across the way is none of it.
    aside = PictureMeasures(
        DARK + np.cross(TEAL - DARK, [0.0, 0.0, 1.0]) + 0.05 * (TEAL - DARK), None, np.array([0.05, 0]), None
    )
    row = figures_at(60, [aside] * 2, WITHOUT, OWN)
    assert row.backdrop == pytest.approx(0.0, abs=1e-9)
    assert (row.light, row.likeness, row.nearest) == (None, None, None)


def test_where_nothing_differs_no_way_is_told() -> None:
    row = figures_at(60, WITHOUT, WITHOUT, [measured(0.06)])
    assert (row.backdrop, row.light, row.features) == (None, None, None)


def test_somebody_of_the_looks_own_pictures_is_seen_and_a_chance_is_not() -> None:
    someone = face(0, 0, 4, 3)
    row = figures_at(60, [measured(0.5, someone), measured(0.5, face(0, 1))], WITHOUT, OWN)
    assert (row.nearest, row.rise, row.resembling) == (0.8, 0.8, 1)
    # That stranger was nearly as like without the look; the light that pictures share does no more.
    for like, resembling in ((0.8, 0), (0.69, 0), (0.67, 1)):
        before = [
            measured(0.0, face(0, 0, like, (1 - like**2) ** 0.5 / 2**0.5, (1 - like**2) ** 0.5 / 2**0.5)),
            WITHOUT[1],
        ]
        row = figures_at(60, [measured(0.5, someone), measured(0.5, face(0, 1))], before, OWN)
        assert (row.nearest, row.resembling) == (0.8, resembling), like
    # Below the threshold nobody is recognised, however far it rose.
    stranger = face(0, 0, 0.54, 0.0, (1 - 0.54**2) ** 0.5)
    assert figures_at(60, [measured(0.5, stranger)] * 2, WITHOUT, OWN).resembling == 0


def at(weight: int, share: float, likeness: float = 0.9, resembling: int = 0) -> LookAtWeight:
    return LookAtWeight(
        weight_percent=weight, backdrop=share, light=share + 0.1, likeness=likeness, resembling=resembling
    )


@pytest.mark.parametrize(
    ("rows", "weight"),
    [
        ([at(40, 0.3), at(60, 0.6), at(80, 0.9)], 60),
        ([at(40, 0.3), at(60, 0.4), at(80, 0.5)], 80),
        ([at(40, 0.3), at(60, 0.7, resembling=1), at(80, 0.9, likeness=0.5)], 40),
        ([at(40, 0.3, likeness=0.55), at(60, 0.7, likeness=0.54)], 40),
        ([at(40, 0.9, resembling=1)], None),
        ([], None),
    ],
)
def test_the_least_weight_that_is_seen_and_leaves_faces_alone(rows: list[LookAtWeight], weight: int | None) -> None:
    assert recommended(rows) == weight


def test_the_lesser_of_backdrop_and_light_counts() -> None:
    lit = LookAtWeight(weight_percent=40, backdrop=0.2, light=0.9)
    whole = LookAtWeight(weight_percent=80, backdrop=0.6, light=0.6)
    assert recommended([lit, whole]) == 80
    # Where the light hardly moves, the weight that moves the backdrop goes furthest.
    still = [LookAtWeight(weight_percent=40 + 20 * n, backdrop=0.1 * n, light=0.004 - 0.001 * n) for n in range(3)]
    assert recommended(still) == 80


def test_the_sheet_has_a_column_a_weight_and_a_row_a_face() -> None:
    def plain(level: int) -> RGB:
        return RGB(np.full((64, 32, 3), level, np.uint8))

    drawn = sheet([("without", [plain(10), plain(20)]), ("60 %", [plain(110), plain(120)])])
    assert drawn.shape == (TITLE + 2 * (EDGE + GAP), GAP + 2 * (EDGE // 2 + GAP), 3)
    middle = TITLE + EDGE // 2
    first, second = GAP + 64, GAP + 128 + GAP + 64
    assert [int(drawn[row, column, 0]) for row in (middle, middle + EDGE + GAP) for column in (first, second)] == [
        10, 110, 20, 120,
    ]  # fmt: skip
    assert tuple(drawn[-1, 0]) == PAPER
