"""Who the subject is, which photos repeat others, which are held out: rules on embeddings."""

import numpy as np
import pytest

from profile_preprocess.holdout import held_out
from profile_preprocess.identity import MainPerson, cluster, likeness_to_core, similarities, subject
from profile_preprocess.moments import repeats
from profile_vision.moments import Fingerprint, same_moment


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
    people = subject([*friend, *mine, *other])
    assert people.shown == [False] * 3 + [True] * 5 + [False]
    assert people.is_clear


@pytest.mark.parametrize(
    ("first", "second", "clear"),
    [(6, 6, False), (6, 4, False), (6, 3, True), (3, 2, True), (12, 8, False), (3, 3, False)],
)
def test_two_people_in_about_as_many_photos_are_a_question(first: int, second: int, clear: bool) -> None:
    people = subject([*person(0, first, 0.4), *person(1, second, 0.4)])
    assert people.is_clear is clear
    # Of two equal ones either is asked about.
    assert sum(people.rivals) == (0 if clear else second)
    assert not any(shown and rival for shown, rival in zip(people.shown, people.rivals, strict=True))


def test_strangers_on_single_photos_are_no_rival_together() -> None:
    strangers = [person(number, 1, 0.4)[0] for number in (1, 2, 3, 4)]
    assert subject([*person(0, 5, 0.4), *strangers]).is_clear


def test_a_photo_is_not_compared_with_itself() -> None:
    """Among photos of others its own embedding in their mean would make it theirs."""
    mine, odd = person(0, 2, 0.0), person(1, 1, 0.0)[0]
    assert likeness_to_core(2, [0, 1, 2], [*mine, odd]) == pytest.approx(0.0, abs=1e-6)
    assert likeness_to_core(0, [0, 1], mine) == pytest.approx(1.0)
    assert likeness_to_core(0, [0], mine) == 1.0


def test_groups_are_joined_by_their_mean() -> None:
    table = np.array([[1, 0.8, 0.1], [0.8, 1, 0.2], [0.1, 0.2, 1]])
    assert cluster(table, 0.45) == [[0, 1], [2]]
    assert cluster(table, 0.1) == [[0, 1, 2]]
    assert cluster(table, 0.9) == [[0], [1], [2]]


def test_of_two_equal_groups_the_one_that_agrees_more_is_the_subject() -> None:
    loose, tight = person(0, 3, 0.7), person(1, 3, 0.2)
    people = subject([*loose, *tight])
    assert people.shown == [False] * 3 + [True] * 3
    assert people.rivals == [True] * 3 + [False] * 3


def test_no_photos_and_one_photo() -> None:
    assert subject([]) == MainPerson([], [])
    assert subject(person(0, 1, 0.5)) == MainPerson([True], [False])


def test_similarities_are_cosines() -> None:
    rows = person(0, 3, 0.5)
    table = similarities(rows)
    assert np.allclose(np.diag(table), 1)
    assert table[0, 1] == pytest.approx(float(rows[0] @ rows[1]), abs=1e-6)


def grey(seed: int) -> np.ndarray:
    """A face as moments are compared: mean 0, length 1."""
    values = np.random.default_rng(seed).normal(size=(112, 112))
    return np.asarray(unit(values - values.mean()), dtype=np.float32)


def mixed(a: np.ndarray, b: np.ndarray, correlation: float) -> np.ndarray:
    return np.asarray(correlation * a + np.sqrt(1 - correlation**2) * b, dtype=np.float32)


FACE, OTHER_FACE = person(0, 1, 0.0)[0], person(1, 1, 0.0)[0]


@pytest.mark.parametrize(("correlation", "same"), [(0.88, False), (0.92, True), (-0.95, False)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_like_pixels_are_one_moment(correlation: float, same: bool, mirrored: bool) -> None:
    first, second = grey(1), mixed(grey(1), grey(2), correlation)
    second = second[:, ::-1] if mirrored else second
    a, b = Fingerprint(first, FACE, 1.0), Fingerprint(second, OTHER_FACE, 1.0)
    assert same_moment(a, b) is same
    assert same_moment(b, a) is same


@pytest.mark.parametrize(("cosine", "same"), [(0.95, False), (0.96, True)])
def test_like_identities_are_one_moment(cosine: float, same: bool) -> None:
    embedding = cosine * FACE + np.sqrt(1 - cosine**2) * OTHER_FACE
    assert same_moment(Fingerprint(grey(1), FACE, 1.0), Fingerprint(grey(2), embedding, 1.0)) is same


def test_of_one_moment_the_photo_with_most_detail_is_kept() -> None:
    copies = [mixed(grey(1), grey(seed), 0.97) for seed in (3, 4)]
    photos = [
        Fingerprint(copies[0], OTHER_FACE, 1.0),
        Fingerprint(grey(1), FACE, 2.0),
        Fingerprint(grey(2), OTHER_FACE, 1.0),
        Fingerprint(copies[1][:, ::-1], OTHER_FACE, 1.5),
    ]
    photos[2] = Fingerprint(grey(2), person(2, 1, 0.0)[0], 1.0)
    assert repeats(photos) == [1, None, None, 1]
    assert repeats([]) == []


@pytest.mark.parametrize(("photos", "held"), [(7, 0), (8, 1), (12, 2), (20, 3), (60, 3)])
def test_how_many_are_held_out(photos: int, held: int) -> None:
    assert {len(held_out(person(0, photos, 0.5), str(seed))) for seed in range(20)} == {held}


def test_which_are_held_out_is_drawn_at_random_and_always_the_same() -> None:
    rows = person(0, 10, 0.9)
    rows[4] = person(0, 1, 0.0)[0]
    draws = [held_out(rows, f"digest {number}") for number in range(300)]
    assert draws == [held_out(rows, f"digest {number}") for number in range(300)]
    often = [sum(index in draw for draw in draws) for index in range(10)]
    # Two of ten: 60 times of 300 each. The most typical one is no exception, but that it is like all the others.
    assert all(15 <= times <= 110 for times in often), often


def test_photos_of_one_occasion_are_not_held_out_together() -> None:
    occasions = [person(number, 4, 0.3) for number in range(4)]
    # Of one person all the same.
    rows = [unit(row + 1.2 * person(9, 1, 0.0)[0]).astype(np.float32) for photos in occasions for row in photos]
    for seed in range(100):
        drawn = held_out(rows, str(seed))
        assert len({index // 4 for index in drawn}) == len(drawn) == 2
