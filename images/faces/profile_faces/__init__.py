"""Finding and comparing faces: the one measure of likeness that preprocessing, training and finishing share."""

from .likeness import Likeness, ceiling, cosine, likeness
from .reader import Face, FaceReader, WeightsMissing

__all__ = ["Face", "FaceReader", "Likeness", "WeightsMissing", "ceiling", "cosine", "likeness"]
