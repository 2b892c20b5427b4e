"""Who the subject is, which photos repeat others, which are held out: rules on embeddings."""

import numpy as np
import pytest

from profile_preprocess.duplicates import Fingerprint, duplicates
from profile_preprocess.holdout import held_out
from profile_preprocess.identity import cluster, similarities, subject


def person(number: int, photos: int, spread: float, seed: int = 0) -> list[np.ndarray]:
    """Embeddings around one of several orthogonal directions; spread .5 gives cosines of about .8."""
    generator = np.random.default_rng([seed, number])
    centre = np.zeros(128)
    centre[number] = 1
    rows = [centre + spread * unit(generator.normal(size=128)) for _ in range(photos)]
    return [unit(row).astype(np.float32) for row in rows]


def unit(row: np.ndarray) -> np.ndarray:
    return np.asarray(row / np.linalg.norm(row))


def test_the_subject_is_whom_most_photos_show() -> None:
    mine, friend, other = person(0, 5, 0.5), person(1, 3, 0.5), person(2, 1, 0.5)
    assert subject([*friend, *mine, *other]) == [False] * 3 + [True] * 5 + [False]


def test_groups_are_joined_by_their_mean() -> None:
    table = np.array([[1, 0.8, 0.1], [0.8, 1, 0.2], [0.1, 0.2, 1]])
    assert cluster(table, 0.45) == [[0, 1], [2]]
    assert cluster(table, 0.1) == [[0, 1, 2]]
    assert cluster(table, 0.9) == [[0], [1], [2]]


def test_of_two_equal_groups_the_one_that_agrees_more_is_the_subject() -> None:
    loose, tight = person(0, 3, 0.7), person(1, 3, 0.2)
    assert subject([*loose, *tight]) == [False] * 3 + [True] * 3


def test_no_photos_and_one_photo() -> None:
    assert subject([]) == []
    assert subject(person(0, 1, 0.5)) == [True]


def test_similarities_are_cosines() -> None:
    rows = person(0, 3, 0.5)
    table = similarities(rows)
    assert np.allclose(np.diag(table), 1)
    assert table[0, 1] == pytest.approx(float(rows[0] @ rows[1]), abs=1e-6)


def fingerprint(bits: int, embedding: np.ndarray, goodness: float) -> Fingerprint:
    return Fingerprint(hash=np.arange(64) < bits, embedding=embedding, goodness=goodness)


def test_of_two_like_photos_the_better_is_kept() -> None:
    face, other = person(0, 1, 0.0)[0], person(0, 1, 0.9)[0]
    photos = [
        fingerprint(20, face, 1.0),
        fingerprint(23, face, 2.0),
        fingerprint(40, face, 1.0),
        fingerprint(20, other, 1.0),
    ]
    # The first repeats the second; the third has another picture, the fourth another face.
    assert duplicates(photos) == [1, None, None, None]


@pytest.mark.parametrize(("photos", "held"), [(7, 0), (8, 1), (12, 2), (20, 3), (60, 3)])
def test_how_many_are_held_out(photos: int, held: int) -> None:
    assert len(held_out(person(0, photos, 0.5))) == held


def test_the_most_typical_are_held_out() -> None:
    rows = person(0, 9, 0.9)
    rows[4] = person(0, 1, 0.0)[0]
    assert held_out(rows) == {4}
