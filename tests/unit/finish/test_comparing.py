"""Which pictures stand side by side."""

from __future__ import annotations

from profile_contract.stages.finish import Score, StyleCandidates
from profile_contract.stages.generate import Candidate
from profile_contract.style import Tone
from profile_finish.comparing import ComparisonRow, compared


def _style(name: str, tone: Tone, pose: str = "photo-1") -> StyleCandidates:
    own = [Candidate(seed=seed, key=f"{name}/{seed}.png", pose=pose) for seed in (1, 2, 3)]
    return StyleCandidates(style=name, tone=tone, candidates=[*own, own[0].model_copy(update={"twin": True})])


def _scores(name: str, likeness: dict[int, int], *delivered: int) -> list[Score]:
    return [
        Score(style=name, seed=seed, key=f"{name}/{seed}.png", faces=1, likeness=like, delivered=seed in delivered)
        for seed, like in likeness.items()
    ]


def _shown(rows: list[ComparisonRow]) -> list[tuple[int, list[tuple[str, bool, bool]]]]:
    return [(row.seed, [(side.style, side.score.delivered, side.showable) for side in row.sides]) for row in rows]


ALL = frozenset({1, 2, 3})
WARM, COOL = _style("warm", Tone.WARM), _style("cool", Tone.COOL)


def test_styles_that_delivered_different_seeds_are_compared_all_the_same() -> None:
    scores = [_scores("warm", {1: 80, 2: 50, 3: 40}, 1), _scores("cool", {2: 90, 1: 60, 3: 30}, 2)]
    assert _shown(compared([WARM, COOL], scores, [ALL, ALL])) == [
        (2, [("warm", False, True), ("cool", True, True)]),
        (1, [("warm", True, True), ("cool", False, True)]),
    ]


def test_what_could_not_be_delivered_by_itself_is_told_and_not_shown() -> None:
    scores = [_scores("warm", {1: 80}, 1), _scores("cool", {1: 10})]
    assert _shown(compared([WARM, COOL], scores, [ALL, frozenset()])) == [
        (1, [("warm", True, True), ("cool", False, False)])
    ]


def test_one_tone_or_another_pose_is_no_comparison() -> None:
    scores = [_scores("warm", {1: 80}, 1), _scores("other", {1: 70}, 1)]
    assert compared([WARM, _style("other", Tone.WARM)], scores, [ALL, ALL]) == []
    assert compared([WARM, _style("other", Tone.COOL, pose="frontal")], scores, [ALL, ALL]) == []


def test_the_neutral_twin_of_a_seed_is_no_candidate_of_it() -> None:
    twin = Candidate(seed=1, key="warm/1-neutral.png", pose="elsewhere", twin=True)
    warm = WARM.model_copy(update={"candidates": [*(c for c in WARM.candidates if not c.twin), twin]})
    scores = [_scores("warm", {1: 80}, 1), _scores("cool", {1: 60})]
    assert [row.seed for row in compared([warm, COOL], scores, [ALL, ALL])] == [1]
