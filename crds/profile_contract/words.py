"""Words that a resource is written in: tones, modes, layers, layouts, deletion policies."""

from __future__ import annotations

from enum import StrEnum


class Tone(StrEnum):
    """The light of a style."""

    WARM = "Warm"
    COOL = "Cool"
    NEUTRAL = "Neutral"


class Mode(StrEnum):
    """How a candidate comes to be."""

    TEXT_TO_IMAGE = "TextToImage"
    IMAGE_TO_IMAGE = "ImageToImage"


class AdapterLayers(StrEnum):
    """Which layers of the UNet's transformers an adapter changes: trainer and predictor must be told the same."""

    ATTENTION = "attention"
    TRANSFORMER = "transformer"

    @property
    def modules(self) -> tuple[str, ...]:
        """The layers' names, as they end in diffusers' UNet."""
        attention = ("to_q", "to_k", "to_v", "to_out.0")
        return attention if self is AdapterLayers.ATTENTION else (*attention, *_REST_OF_A_TRANSFORMER)


_REST_OF_A_TRANSFORMER = ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")


class LayoutName(StrEnum):
    """The cuts that can be made of a portrait. Sizes: `profile_contract.layouts`."""

    SQUARE = "square"
    EMPLOYEE_CARD = "employee-card"
    STUDENT_CARD = "student-card"
    RESUME = "resume"
    ID_SIZE = "id-size"
    PRINT = "print-5x7"


class DeletionPolicy(StrEnum):
    """What becomes of the artifacts when the request is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"
