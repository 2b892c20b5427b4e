"""What the operator sends to the predictor, and what comes back.

It travels as one JSON text in a BYTES tensor of the Open Inference Protocol (V2): input `order`, output `result`.
The predictor holds no store credentials: each order carries presigned grants, valid for minutes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from .framing import HeadPlace, Skeleton
from .look_ref import MOST_LOOKS
from .model import Contract, Tolerant
from .stages.order import RequestRef
from .style import Mode, SamplerName, SamplerSteps, Upscale
from .trace import TraceParent

ORDER_TENSOR = "order"
RESULT_TENSOR = "result"
# Instead of an order: an EvictionOrder, answered with an EvictionResult.
EVICT_TENSOR = "evict"
# A LookCheckOrder, answered with a LookCheckResult.
CHECK_TENSOR = "check"
# A ReceiptOrder, answered with Receipts.
RECEIPT_TENSOR = "receipt"
# One call is one small batch, never a whole request: a lost answer then loses little, and others get their turn.
MAXIMUM_ITEMS = 4
MOST_LCM_STEPS = 50
# Pixels: the VAE divides an edge by 8.
PictureEdge = Annotated[int, Field(ge=64, le=2048, multiple_of=8)]
# Pixels of a face's height, hairline to chin.
FacePixels = Annotated[int, Field(ge=16, le=2048)]


class ReadGrant(Contract):
    """A presigned GET, and the digest of what it must give."""

    url: str = Field(max_length=4096)
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")


class AdapterGrant(Contract):
    """The adapter of the person. A cached copy is used only after the grant was checked again."""

    key: str
    url: str = Field(max_length=4096)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    weight: float = Field(default=1.0, ge=0.0, le=1.5)


class LookGrant(AdapterGrant):
    """An adapter that is drawn with beside the person's. `name`: as people call it."""

    name: str = Field(default="", max_length=63)


class SourceFraming(Contract):
    """How an initial image is framed before it is drawn over: its own head, and where that is to stand in the picture.

    Where it shows too little for that, the head stands there larger.
    """

    head: HeadPlace
    wanted: HeadPlace


class GenerationItem(Contract):
    """One candidate. `put_url` is a presigned PUT; without it the image comes back inline.

    It follows `joints`, relative to the picture, whose pose map is drawn at the order's size; or `pose`, such a map.
    With `framing` the joints are relative to the initial image, and go where it is framed.
    """

    # Exact: above 2**53 a float would stand for many seeds.
    seed: int = Field(ge=0, le=2**63 - 1, strict=True)
    prompt: str = Field(max_length=2000)
    negative_prompt: str = Field(default="", max_length=2000)
    joints: Skeleton | None = None
    pose: ReadGrant | None = None
    initial_image: ReadGrant | None = None
    framing: SourceFraming | None = None
    key: str = ""
    put_url: str = Field(default="", max_length=4096)

    @property
    def posed(self) -> bool:
        """Whether it follows a pose."""
        return self.joints is not None or self.pose is not None


# Width of a pose map's lines in thousandths of its longer edge. OpenPose's own detector draws 8 pixels at 512.
PoseLine = Annotated[int, Field(ge=1, le=100)]
POSE_LINE = 16


class DetailOrder(Contract):
    """A second pass over each candidate's face. `below`: over faces of less than so many pixels' height; None: all.

    `steps`: of which `strength` is the share that is taken.
    """

    strength: float = Field(gt=0.0, lt=1.0)
    steps: SamplerSteps
    below: FacePixels | None = None


class GenerationOrder(Contract):
    """One small batch for one person: same size, same sampler."""

    request: RequestRef
    adapter: AdapterGrant | None = None
    looks: list[LookGrant] | None = Field(default=None, max_length=MOST_LOOKS)
    items: list[GenerationItem] = Field(min_length=1, max_length=MAXIMUM_ITEMS)
    width: PictureEdge
    height: PictureEdge
    steps: SamplerSteps = 30
    guidance: float = Field(default=5.0, ge=1.0, le=30.0)
    control_weight: float = Field(default=0.8, ge=0.0, le=2.0)
    control_end: float = Field(default=0.8, ge=0.0, le=1.0)
    pose_line_thousandths: PoseLine = POSE_LINE
    mode: Mode = Mode.TEXT_TO_IMAGE
    strength: float = Field(default=0.6, gt=0.0, lt=1.0)
    sampler: SamplerName | None = Field(default=None, description="None: the one in the base model's folder.")
    detail: DetailOrder | None = None
    upscale: Upscale | None = Field(default=None, description="How many times its edges a candidate is enlarged.")
    traceparent: TraceParent | None = Field(default=None, description="Below which span it is drawn, if any is told.")

    @model_validator(mode="after")
    def _few_enough(self) -> Self:
        """LCM knows the steps of the model that it was taught by, and no others between them."""
        most = max(self.steps, self.detail.steps if self.detail is not None else 0)
        if self.sampler is SamplerName.LCM and most > MOST_LCM_STEPS:
            raise ValueError(f"the sampler LCM draws in at most {MOST_LCM_STEPS} steps, and {most} are asked for")
        return self


class DetailOutcome(StrEnum):
    """What became of the second pass over a candidate's face. LargeEnough: the face needed none, and has none."""

    REDRAWN = "Redrawn"
    NO_FACE = "NoFace"
    LARGE_ENOUGH = "LargeEnough"


class GeneratedItem(Tolerant):
    """One candidate that was made. `image` is base64 PNG and stands there only if no `put_url` was given.

    `detail` None: no second pass was asked for. `held_back`: the safety checker took the picture for one that nobody
    should be given, and it is black.
    """

    seed: int
    key: str = Field(default="", max_length=4096)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=10**9)
    image: str = ""
    detail: DetailOutcome | None = None
    held_back: bool = False


# Milliseconds: a day and more.
_Milliseconds = Annotated[int, Field(ge=0, le=10**8)]


class Timings(Tolerant):
    """Milliseconds. `detail`, of a second pass over faces, is a part of `generate`."""

    queue: _Milliseconds = 0
    adapter: _Milliseconds = 0
    generate: _Milliseconds = 0
    detail: _Milliseconds = 0
    upload: _Milliseconds = 0


class GenerationResult(Tolerant):
    """What the predictor answers."""

    items: list[GeneratedItem] = Field(max_length=MAXIMUM_ITEMS)
    timings: Timings = Timings()
    model: str = Field(default="", max_length=253)
    device: str = Field(default="", max_length=253)


# More than a style has candidates.
MOST_RECEIPTS = 500
_Receipted = Annotated[str, Field(min_length=1, max_length=1024)]


class ReceiptOrder(Contract):
    """Tell what was drawn under these keys, whoever got the answer. A replica knows what it drew itself."""

    namespace: str = Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    keys: list[_Receipted] = Field(min_length=1, max_length=MOST_RECEIPTS)


class Receipt(Tolerant):
    """One candidate that was drawn and written. `milliseconds`: its share of what drawing its batch took."""

    key: str = Field(max_length=1024)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    detail: DetailOutcome | None = None
    held_back: bool = False
    milliseconds: float = Field(default=0.0, ge=0, le=10**8, allow_inf_nan=False)


class Receipts(Tolerant):
    """What one replica drew of what it was asked for."""

    items: list[Receipt] = Field(max_length=MOST_RECEIPTS)
    device: str = Field(default="", max_length=253)


class LookCheckOrder(Contract):
    """Read a look, and say whether it can be drawn with. `namespace`: whose it is; empty: the installation's."""

    namespace: str = Field(max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    look: LookGrant


class LookCheckResult(Tolerant):
    """What a look changes. `refused`: why nothing can be drawn with it; `absent`: nothing lies there."""

    refused: str = Field(default="", max_length=2000)
    absent: bool = False
    layers: int = Field(default=0, ge=0, le=100_000)
    rank: int = Field(default=0, ge=0, le=100_000)


class EvictionOrder(Contract):
    """Forget these adapters: slots, host memory. Sent when a request is deleted."""

    sha256: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(min_length=1, max_length=64)


class EvictionResult(Tolerant):
    """How many cached copies went."""

    evicted: int
