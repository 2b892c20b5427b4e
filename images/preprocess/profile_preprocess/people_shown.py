"""PeopleShown: the people in the pictures that a look is learnt from, of whom none may be the look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from profile_contract.photos import PhotoReason
from profile_contract.stages.preprocess import LookPictures, PreprocessParameters

from .identity import SAME_PERSON, Embedding, cluster, similarities
from .look import Look, Sitter
from .verdicts import judge

# What the message and a look's report call the network that tells faces apart.
NETWORK = "SFace"


@dataclass(frozen=True)
class PeopleShown:
    """How many people were told apart in so many pictures, and in how many of them the most frequent one is."""

    pictures: int
    people: int
    most_frequent: int

    def hindrance(self, wanted: LookPictures) -> str:
        """Why no look may be learnt from these pictures; empty: it may."""
        how = f"({NETWORK}, a cosine of {SAME_PERSON} and more)"
        if self.people < wanted.people:
            number = "one person" if self.people == 1 else f"{self.people} people"
            return (
                f"the {self.pictures} pictures show {number} {how}: a look must not be a person; add pictures of "
                f"others, {wanted.people} people at least"
            )
        if 100 * self.most_frequent > wanted.largest_percent * self.pictures:
            return (
                f"one person is in {self.most_frequent} of the {self.pictures} pictures {how}: a look must not be a "
                f"person; add pictures of others, until nobody is in more than {wanted.largest_percent} % of them"
            )
        return ""


def people_shown(embeddings: Sequence[Embedding]) -> PeopleShown:
    """The people in pictures with one face each, (128,) of length 1; every picture should be of another moment."""
    groups = cluster(similarities(embeddings), SAME_PERSON) if embeddings else []
    return PeopleShown(len(embeddings), len(groups), max(map(len, groups), default=0))


def in_any_light(look: Look, parameters: PreprocessParameters) -> Look:
    """The verdict on a picture whose light is what is to be learnt: neither dark nor bright is wrong with it."""
    if not isinstance(look, Sitter) or look.reason not in (PhotoReason.TOO_DARK, PhotoReason.TOO_BRIGHT):
        return look
    return replace(look, reason=judge(replace(look.measures, light=0.0, burnt=0.0), parameters))
