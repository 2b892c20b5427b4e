"""Which candidates are delivered, and what is told when none is."""

from profile_contract.layouts import LayoutName
from profile_contract.stages.finish import FinishParameters, Score
from profile_contract.style import Tone
from profile_finish.ranking import HELD_BACK, nothing_delivered, rank
from profile_finish.tone import Twins, is_met, tone_shift
from profile_vision.tone import Colours


def score(
    seed: int,
    likeness: int | None,
    *,
    faces: int = 1,
    sharpness: float = 50.0,
    refusal: str = "",
    cosine: float | None = None,
    both_eyes: bool | None = True,
) -> Score:
    if cosine is None and likeness is not None:
        cosine = likeness / 100
    return Score(
        style="s",
        seed=seed,
        key=f"{seed}.png",
        faces=0 if likeness is None else faces,
        cosine=cosine,
        likeness=likeness,
        sharpness=sharpness,
        both_eyes=both_eyes,
        refusal=refusal,
    )


def parameters(portraits: int, floor: int) -> FinishParameters:
    return FinishParameters(portraits=portraits, minimum_likeness=floor, layouts=[LayoutName.SQUARE])


def test_the_best_are_delivered_and_the_others_told_why() -> None:
    found = rank([score(1, 50), score(2, 90), score(3, 44), score(4, 70), score(5, None)], parameters(2, 45))
    assert [(s.seed, s.delivered) for s in found] == [(2, True), (4, True), (1, False), (3, False), (5, False)]
    assert [s.refusal for s in found] == [
        "",
        "",
        "2 better ones were delivered",
        "likeness 44 % is below the floor of 45 %",
        "no face was found in it",
    ]


def test_several_faces_are_never_a_portrait() -> None:
    found = rank([score(1, 99, faces=2), score(2, 60)], parameters(2, 45))
    assert [(s.seed, s.delivered) for s in found] == [(2, True), (1, False)]
    assert found[1].refusal == "2 faces were found in it"


def test_a_lost_eye_is_delivered_only_where_nothing_better_is_left() -> None:
    lost, unseen = score(1, 90, both_eyes=False), score(2, 60, both_eyes=None)
    found = rank([lost, unseen, score(3, 50), score(4, 40)], parameters(2, 45))
    assert [(s.seed, s.delivered) for s in found] == [(2, True), (3, True), (4, False), (1, False)]
    assert found[3].refusal == "2 better ones were delivered; in it an eye is closed or smeared"
    found = rank([lost, unseen, score(3, 50), score(4, 40)], parameters(3, 45))
    assert [s.seed for s in found if s.delivered] == [2, 3, 1]
    assert found[2].refusal == "likeness 40 % is below the floor of 45 %"


def test_without_a_floor_faces_come_first_and_the_rest_fills_up() -> None:
    found = rank([score(1, None), score(2, -5), score(3, 20)], parameters(3, 0))
    assert [s.seed for s in found] == [3, 2, 1]
    assert all(s.delivered for s in found)


def test_what_cannot_be_read_is_not_delivered_even_without_a_floor() -> None:
    found = rank([score(1, None, refusal="it is not in the store"), score(2, None)], parameters(4, 0))
    assert [(s.seed, s.delivered) for s in found] == [(2, True), (1, False)]


def test_equal_likeness_is_decided_by_sharpness_then_seed() -> None:
    found = rank([score(3, 80), score(1, 80), score(2, 80, sharpness=60.0)], parameters(3, 45))
    assert [s.seed for s in found] == [2, 1, 3]


def test_likeness_that_ties_at_a_whole_per_cent_is_decided_by_the_cosine() -> None:
    scores = [score(1, 100, cosine=0.71, sharpness=90), score(2, 100, cosine=0.74), score(3, 100, cosine=0.73)]
    assert [s.seed for s in rank(scores, parameters(2, 45))] == [2, 3, 1]


def test_nothing_delivered_tells_the_best_figure_and_what_to_do() -> None:
    text = nothing_delivered([score(1, 12), score(2, 31), score(3, None)], 45)
    assert "the best is 31 % (style s, seed 2)" in text
    assert "lower minimumLikeness" in text
    assert nothing_delivered([score(1, None)], 45).startswith("no face was found in any of 1 candidates")


def test_what_the_safety_checker_held_back_is_not_laid_to_the_training() -> None:
    held = [score(seed, None, refusal=HELD_BACK) for seed in (1, 2)]
    assert nothing_delivered(held, 45).startswith("the safety checker held back 2 of 2 candidates: draw with other")
    text = nothing_delivered([*held, score(3, None)], 45)
    assert text.startswith("the safety checker held back 2 of 3 candidates, and no face was found in the other 1:")
    assert "the best is 12 %" in nothing_delivered([*held, score(3, 12)], 45)


def test_a_warm_tone_is_a_small_shift_to_yellow_that_leaves_light_and_likeness() -> None:
    def shift(b: float, lightness: float, likeness: float | None, tone: Tone = Tone.WARM) -> bool:
        return tone_shift("s", tone, [Twins(Colours(50 + lightness, 10 + b), Colours(50, 10), likeness)]).met

    assert shift(4, 1, -0.01)
    assert shift(4, 1, None)
    assert not shift(1, 1, -0.01)
    assert not shift(7, 1, -0.01)
    assert not shift(4, -5, -0.01)
    assert not shift(4, 1, -0.10)
    assert shift(-4, 0, -0.01, Tone.COOL)
    assert not shift(4, 0, -0.01, Tone.COOL)


def test_tone_shifts_are_means_over_pairs() -> None:
    pairs = [Twins(Colours(50, 12), Colours(51, 10), -0.02), Twins(Colours(50, 16), Colours(49, 10))]
    found = tone_shift("s", Tone.WARM, pairs)
    assert (found.pairs, found.b_shift, found.l_shift, found.likeness_change) == (2, 4.0, 0.0, -0.02)


def test_likeness_exactly_at_the_floor_is_delivered() -> None:
    found = rank([score(1, 45), score(2, 44)], parameters(2, 45))
    assert [(s.seed, s.delivered) for s in found] == [(1, True), (2, False)]


def test_a_tones_range_ends_where_the_design_says() -> None:
    for tone, inside, outside in (
        (Tone.WARM, (2.0, 6.0), (1.9, 6.1, -4.0)),
        (Tone.COOL, (-2.0, -6.0), (-1.9, -6.1, 4.0)),
        (Tone.NEUTRAL, (-2.0, 2.0), (-2.1, 2.1)),
    ):
        assert [is_met(tone, b, 0.0, 0.0) for b in inside] == [True] * len(inside)
        assert [is_met(tone, b, 0.0, 0.0) for b in outside] == [False] * len(outside)
    assert is_met(Tone.WARM, 4.0, -4.0, -0.03)
    assert not is_met(Tone.WARM, 4.0, -4.1, 0.0)
    assert not is_met(Tone.WARM, 4.0, 0.0, 0.031)
