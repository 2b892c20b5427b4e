"""Finish: candidates in, portraits with their cuts out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from profile_contract.layouts import LayoutName
from profile_contract.model import Contract, Tolerant, digest_of
from profile_contract.stages.generate import Candidate
from profile_contract.stages.order import (
    Key,
    ModelName,
    StageOrder,
    StageReport,
)
from profile_contract.style import Tone

from .stage import Stage

# Raised by hand when finishing makes other portraits of the same candidates: it is part of every finish digest.
VERSION = 6


class StyleCandidates(Contract):
    """The candidates of one style, for finishing."""

    style: str = Field(max_length=253)
    tone: Tone
    candidates: list[Candidate] = Field(max_length=1000)
    portraits: int | None = Field(default=None, ge=1, le=16, description="Delivered of this style; None: as of all.")
    omitted: str = Field(default="", max_length=1024, description="Why nothing was drawn, where nothing could be.")


class FinishParameters(Contract):
    """What is delivered; part of the digest."""

    portraits: int = Field(ge=1, le=16)
    minimum_likeness: int = Field(ge=-100, le=100)
    layouts: list[LayoutName] = Field(max_length=8)
    visible_mark: bool = False
    toy_model: ModelName = Field(
        default="", description="The base model, where it is a toy for demonstrations: the contact sheet says so."
    )
    preview: bool = Field(default=False, description="No adapter was trained: every file says that it is a preview.")


class FinishOrder(StageOrder):
    """Candidates to portraits. `dataset` is the key of the preprocess report."""

    stage: Literal[Stage.FINISH] = Stage.FINISH
    dataset: Key
    styles: list[StyleCandidates] = Field(max_length=64)
    parameters: FinishParameters
    # What documents say of themselves; no part of the digest.
    title: str = Field(default="", max_length=100, description="The request's title, as its owner gave it.")
    drawn_at: str = Field(default="", max_length=40, description="When the last candidate was drawn, ISO 8601.")


class Check(Tolerant):
    """One line of a layout's checklist."""

    name: str
    met: bool
    measured: str
    wanted: str


class LayoutFile(Tolerant):
    """One cut of a portrait and what it meets."""

    layout: LayoutName
    key: str
    width: int
    height: int
    bytes: int
    checks: list[Check] = []


class Score(Tolerant):
    """What was measured on one candidate. Cosines are SFace's; `likeness` is per cent of the person's own ceiling."""

    style: str
    seed: int
    key: str
    faces: int
    cosine: float | None = None
    likeness: int | None = None
    face_height: float = Field(default=0.0, description="Share of the picture's height, 0 to 1.")
    sharpness: float = 0.0
    both_eyes: bool | None = Field(
        default=None, description="Whether both eyes of its face are open and whole; None: that was not looked at."
    )
    delivered: bool = False
    refusal: str = ""


class Portrait(Tolerant):
    """A delivered portrait."""

    style: str
    seed: int
    rank: int
    key: str
    likeness: int
    layouts: list[LayoutFile] = []
    source: str = Field(default="", description="Key of the photo that it was drawn over, framed as it is.")
    thumbnail: str = Field(default="", description="Key of the same in small, for pages.")


class ToneShift(Tolerant):
    """Mean shift of CIE L*a*b* against the neutral twins of the same seeds; cosine change of the likeness."""

    style: str
    tone: Tone
    pairs: int
    b_shift: float
    l_shift: float
    likeness_change: float | None = None
    met: bool


class ComparedSide(Tolerant):
    """One look of a comparison. `key` is that of the portrait, or of a picture made to be compared alone; empty where
    the picture may not be shown, since by itself it could not be delivered."""

    style: str
    tone: Tone
    key: str = ""
    thumbnail: str = ""
    likeness: int | None = None
    delivered: bool = False


class Comparison(Tolerant):
    """What one seed became in looks of different tones, all in the same pose; at least one was delivered."""

    seed: int
    sides: list[ComparedSide]


class FinishReport(StageReport):
    """Portraits, and everything that was measured on the way."""

    stage: Literal[Stage.FINISH] = Stage.FINISH
    preview: bool = Field(default=False, description="No adapter was trained: these are no portraits, but previews.")
    ceiling: float | None = None
    references: int = 0
    portraits: list[Portrait] = []
    scores: list[Score] = []
    tones: list[ToneShift] = []
    contact_sheet: str = ""
    print_sheet: str = ""
    likeness_report: str = ""
    signed_by: str = Field(
        default="", max_length=200, description="Who signed the pictures' content credentials; empty: nobody."
    )


def finish_digest(candidates: list[str], parameters: FinishParameters) -> str:
    """`candidates` are the generate digests of all styles, by the styles' names. Layouts are a set."""
    cuts = parameters.model_copy(update={"layouts": sorted(parameters.layouts)})
    return digest_of([VERSION, candidates, cuts.distinction()])
