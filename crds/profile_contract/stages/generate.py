"""Generate: an adapter and a style in, candidates out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from profile_contract.generation import DetailOutcome, SourceFraming
from profile_contract.look_ref import LookFile
from profile_contract.model import Tolerant, digest_of
from profile_contract.stages.order import (
    StageReport,
)
from profile_contract.style import ProfileStyleSpec

from .stage import Stage

# Raised by hand when the predictor draws another candidate from the same order: it is part of every generate digest.
VERSION = 2


class Candidate(Tolerant):
    """A picture in the store. `twin`: the neutral twin of the same seed. `detail`: what became of its second pass.
    `held_back`: the predictor's safety checker took it for one that nobody should be given; what is there is black.

    `source`: the key of the dataset's picture of the photo that it was drawn over, empty where it began as noise;
    `framing`: how that was framed.
    """

    seed: int
    key: str
    sha256: str = ""
    pose: str = ""
    twin: bool = False
    detail: DetailOutcome | None = None
    held_back: bool = False
    source: str = ""
    framing: SourceFraming | None = None


class GenerateReport(StageReport):
    """The candidates of one style. Written by the operator (or the folder runner) when the last one is in the store.

    Without any, `reason` and `message` say why nothing could be drawn in this style, while others were.
    """

    stage: Literal[Stage.GENERATE] = Stage.GENERATE
    style: str = ""
    style_spec: ProfileStyleSpec | None = None
    candidates: list[Candidate] = []


def generate_digest(
    adapter: str,
    style_key: str,
    style: ProfileStyleSpec,
    parameters: list[object],
    looks: Sequence[LookFile] = (),
) -> str:
    """One style's candidates. `adapter` is a train digest, `parameters` what else matters (seeds, size, models).

    `looks`: the files of the style's adapters, of which the content counts and not the place.
    """
    return digest_of([VERSION, adapter, style_key, style.distinction(), [*parameters, *looks_drawn(looks)]])


def looks_drawn(looks: Sequence[LookFile]) -> list[object]:
    """What digests know of the looks that a style draws with: nothing where there are none."""
    return [{"looks": [look.sha256 for look in looks]}] if looks else []
