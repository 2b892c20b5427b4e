"""Finding, measuring and comparing faces: what preprocessing, training and finishing share."""

from .likeness import Likeness, ceiling, cosine, likeness
from .mask import MaskReader
from .measures import face_patch, sharpness
from .reader import Face, FaceReader, WeightsMissing

__all__ = [
    "Face",
    "FaceReader",
    "Likeness",
    "MaskReader",
    "WeightsMissing",
    "ceiling",
    "cosine",
    "face_patch",
    "likeness",
    "sharpness",
]
