"""What is measured on one candidate."""

from __future__ import annotations

from collections.abc import Sequence

from profile_contract.stages.finish import Score
from profile_contract.stages.generate import Candidate
from profile_vision import Face, FaceReader, likeness, sharpness
from profile_vision.pixels import BGR

from .references import References

# A second face counts if it is at least this share of the first one's height: detectors see faces in folds of cloth.
SECOND_FACE = 0.35


def score_candidate(style: str, candidate: Candidate, image: BGR, faces: FaceReader, references: References) -> Score:
    """Score a candidate: faces, likeness of the largest one, its share of the height, its sharpness."""
    found = counted(faces.find(image))
    if not found:
        return Score(style=style, seed=candidate.seed, key=candidate.key, faces=0)
    like = likeness(faces.embed(image, found[0]), references.embeddings, references.ceiling)
    return Score(
        style=style,
        seed=candidate.seed,
        key=candidate.key,
        faces=len(found),
        cosine=round(like.cosine, 4),
        likeness=like.percent,
        face_height=round(found[0].box[3] / image.shape[0], 4),
        sharpness=round(sharpness(image, found[0]), 1),
    )


def counted(found: Sequence[Face]) -> list[Face]:
    """The faces that count, the largest first."""
    return [face for face in found if face.box[3] >= SECOND_FACE * found[0].box[3]]
