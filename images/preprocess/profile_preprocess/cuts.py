"""The cut of a photo that is trained on."""

from __future__ import annotations

from profile_contract.stages.preprocess import PreprocessParameters
from profile_vision.framing import Cut, Framing, bucket_for, cut_to

from .decode import Frame


def cut_of(frame: Frame, face: tuple[float, float, float, float], parameters: PreprocessParameters) -> Cut:
    """Which part of a photo is trained on, around the box of a face in the frame's pixels, and at which size."""
    bucket = bucket_for(*frame.size, parameters.resolution)
    return cut_to(*frame.size, face, bucket, Framing(parameters.face_percent / 100))
