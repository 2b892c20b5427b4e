"""People who do not exist: the same from the same seed, different from different ones, chosen by measuring."""

import numpy as np
import pytest

from profile_workshop.people import choose, identity, places, shot


def test_a_seed_is_always_the_same_person_with_the_same_photos() -> None:
    assert identity.person(17) == identity.person(17)
    assert identity.person(17) != identity.person(19)
    someone = identity.person(17)
    assert shot.photo(someone, 3) == shot.photo(someone, 3)
    assert shot.photo(someone, 3) != shot.photo(someone, 4)


def test_women_and_men_of_all_origins_and_ages_come_in_turn() -> None:
    people = [identity.person(seed) for seed in range(140)]
    assert sum(one.gender == "female" for one in people) == 70
    assert {one.ancestry for one in people} == {"asian", "caucasian", "african", "mixed"}
    assert sum(one.ancestry == "asian" for one in people) == 60
    assert min(one.age for one in people) < 25
    assert max(one.age for one in people) > 60


def test_a_person_has_hair_and_clothes_that_exist() -> None:
    from profile_workshop.people.assets import CLOTHES, HAIR

    for seed in range(200):
        one = identity.person(seed)
        assert one.hair in {*HAIR, "crop", "bald"}
        assert set(one.wardrobe) <= set(CLOTHES)
        assert one.beard == 0 or one.gender == "male"


def test_one_end_of_a_trait_is_moved_never_both() -> None:
    trait = identity.Trait("nose", "nose-curve", 0.6, "concave", "convex")
    assert trait.morphs(0.5) == {"nose/nose-curve-convex": 0.5}
    assert trait.morphs(-0.5) == {"nose/nose-curve-concave": 0.5}


def test_training_portraits_are_framed_wider_than_they_are_cut() -> None:
    someone = identity.person(4)
    frames = [shot.portrait(someone, number).frame for number in range(50)]
    assert min(frames) >= 2.15
    assert max(frames) <= 2.4


@pytest.mark.parametrize("place", places.PAINTERS)
def test_every_place_is_a_picture_in_every_light(place: str) -> None:
    for light in places.TINTS:
        drawn = places.backdrop(place, light, 64, np.random.default_rng(1))
        assert drawn.shape == (64, 64, 3)
        assert drawn.dtype == np.float32
        assert 0 <= drawn.min() <= drawn.max() <= 1
        assert drawn.max() > 0.02


def candidate(seed: int, direction: list[float], own: float = 0.7, found: float = 1.0) -> choose.RenderedPerson:
    centroid = np.array(direction, np.float32)
    gender = "female" if seed % 2 == 0 else "male"
    return choose.RenderedPerson(seed, gender, "asian", 30.0, own, found, centroid / np.linalg.norm(centroid))


def test_the_cast_is_unlike_each_other_and_half_women() -> None:
    candidates = [
        candidate(0, [1, 0, 0, 0]),
        candidate(1, [0, 1, 0, 0]),
        candidate(2, [0, 0, 1, 0]),
        candidate(3, [0, 0, 0, 1]),
        candidate(4, [1, 0.1, 0, 0]),
        candidate(5, [0, 1, 0.1, 0]),
    ]
    group = choose.choose(candidates, 4)
    assert choose.nearest_pair(group) <= 0.1
    assert sorted(one.gender for one in group) == ["female", "female", "male", "male"]


def test_nobody_joins_who_is_unlike_themselves_or_not_always_seen() -> None:
    good = [candidate(0, [1, 0, 0]), candidate(1, [0, 1, 0])]
    bad = [candidate(2, [0, 0, 1], own=0.4), candidate(3, [0, 0, 1], found=0.8)]
    assert {one.seed for one in choose.choose([*good, *bad], 2)} == {0, 1}


def test_too_few_unlike_people_are_said() -> None:
    with pytest.raises(ValueError, match="render more"):
        choose.choose([candidate(0, [1, 0]), candidate(1, [1, 0.1])], 2)
