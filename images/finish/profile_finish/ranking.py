"""Which candidates are delivered. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from profile_contract.stages.finish import FinishParameters, Score

# Of a candidate that the predictor blackened.
HELD_BACK = "the safety checker held it back"


def rank(scores: Sequence[Score], parameters: FinishParameters) -> list[Score]:
    """One style's scores, the best first; `delivered` is set on those that are, `refusal` on the others.

    A candidate needs exactly one face and the floor's likeness, and comes after all that have both eyes where it has
    not. A floor of 0 means none: everything that could be read may be delivered then, faces first.
    """
    ordered = sorted(scores, key=_goodness)
    answer: list[Score] = []
    taken = 0
    for score in ordered:
        why = refusal(score, parameters.minimum_likeness)
        if not why and taken == parameters.portraits:
            why = f"{parameters.portraits} better ones were delivered{_lost_eye(score)}"
        taken += not why
        answer.append(score.model_copy(update={"delivered": not why, "refusal": why}))
    return answer


def refusal(score: Score, floor: int) -> str:
    """Why a candidate cannot be delivered, by itself; empty if it can."""
    if score.refusal:
        return score.refusal
    if floor == 0:
        return ""
    if score.faces == 0 or score.likeness is None:
        return "no face was found in it"
    if score.faces > 1:
        return f"{score.faces} faces were found in it"
    if score.likeness < floor:
        return f"likeness {score.likeness} % is below the floor of {floor} %"
    return ""


def _lost_eye(score: Score) -> str:
    """Why others may be better although they are less like the person."""
    return "; in it an eye is closed or smeared" if score.both_eyes is False else ""


def _goodness(score: Score) -> tuple[bool, bool, bool, float, float, int]:
    # The cosine, not the per cent of the ceiling: these are whole ones and end at 100, where good portraits tie.
    like = score.cosine if score.cosine is not None else -2.0
    return (bool(score.refusal), score.faces != 1, score.both_eyes is False, -like, -score.sharpness, score.seed)


def nothing_delivered(scores: Sequence[Score], floor: int) -> str:
    """What to tell when no candidate of any style can be delivered: the best figure, and what to do."""
    seen = [score for score in scores if score.likeness is not None]
    held_back = sum(score.refusal == HELD_BACK for score in scores)
    if not seen and held_back:
        rest = len(scores) - held_back
        others = f", and no face was found in the other {rest}" if rest else ""
        return (
            f"the safety checker held back {held_back} of {len(scores)} candidates{others}: draw with other words in "
            "the style's prompt, or with another seed; if it errs, the platform may bring another checker"
        )
    if not seen:
        return (
            f"no face was found in any of {len(scores)} candidates: train longer, or check the base model and the "
            "style's prompt"
        )
    best = max(seen, key=lambda score: score.likeness or -101)
    return (
        f"no candidate reached the likeness floor of {floor} %: the best is {best.likeness} % (style {best.style}, "
        f"seed {best.seed}). Add clear photos from other moments, train longer, or lower minimumLikeness"
    )
