"""Opening pictures, and finding, measuring and comparing faces: what all components share that look at pictures.

What needs OpenCV is loaded when it is first asked for: `profile_vision.decoding` is used where OpenCV is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .likeness import Likeness, ceiling, cosine, likeness

if TYPE_CHECKING:
    from .angles import head_angles
    from .faces import Face, FaceReader, WeightsMissing
    from .masks import MaskReader
    from .measures import face_patch, sharpness

__all__ = [
    "Face",
    "FaceReader",
    "Likeness",
    "MaskReader",
    "WeightsMissing",
    "ceiling",
    "cosine",
    "face_patch",
    "head_angles",
    "likeness",
    "sharpness",
]

_LATER = {
    "Face": "faces",
    "FaceReader": "faces",
    "MaskReader": "masks",
    "WeightsMissing": "faces",
    "face_patch": "measures",
    "head_angles": "angles",
    "sharpness": "measures",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
