"""Shapes of what the page shows: requests, styles, layouts, photos, portraits, comparisons. Nothing else in them."""

from __future__ import annotations

from typing import Protocol

from profile_contract.layouts import LayoutName
from profile_contract.model import Tolerant
from profile_contract.photos import PhotoReason, PhotosWarningKind
from profile_contract.stages.table import Stage
from profile_contract.style import Title, Tone


class Link(Protocol):
    """A key's URL for the visitor's browser, good for a while; one that is saved under a name, if a name is given."""

    def __call__(self, key: str, save_as: str = "") -> str: ...


class StyleView(Tolerant):
    """`name`: the style's key; `own`: it is one of the visitor's namespace alone. `from_photo`: it keeps a photo and
    changes its light."""

    name: str
    own: bool = False
    from_photo: bool = False
    title: Title
    tone: Tone
    background: str
    sample: str = ""


class LayoutView(Tolerant):
    name: LayoutName
    width_mm: float
    height_mm: float


class PhotoView(Tolerant):
    name: str
    url: str
    accepted: bool
    reason: PhotoReason


class WarningView(Tolerant):
    """What is worth knowing about the photos; `photos`: the names of those that it is about."""

    kind: PhotosWarningKind
    photos: list[str] = []


class CutView(Tolerant):
    layout: LayoutName
    url: str
    file: str


class CutChecksView(Tolerant):
    """What a cut did not meet, by the page's names for it; see `views.TOLD_CHECKS`."""

    style: str
    seed: int
    layout: LayoutName
    unmet: list[str]


class PortraitView(Tolerant):
    """`thumbnail`: the same in small; empty where it was made before there were any."""

    style: str
    seed: int
    rank: int
    likeness: int
    url: str
    save: str
    file: str
    source: str = ""
    thumbnail: str = ""
    cuts: list[CutView] = []


class SideView(Tolerant):
    """One look of a comparison; `url` is empty where the picture may not be shown. `b_shift`: what was measured of the
    look's light against neutral twins, in b* of CIE L*a*b*."""

    style: str
    url: str
    thumbnail: str = ""
    likeness: int | None = None
    delivered: bool
    b_shift: float | None = None


class ComparisonView(Tolerant):
    """The same start in different light."""

    seed: int
    sides: list[SideView]


class PreviewPicture(Tolerant):
    """A first picture, and the photo that it was drawn over, framed as it is; both are URLs."""

    style: str
    url: str
    source: str = ""


class PreviewView(Tolerant):
    """What can be seen before a person is learnt. `state`: None (nobody asked), Running, Ready, or Stalled."""

    state: str = "None"
    pictures: list[PreviewPicture] = []


class RequestView(Tolerant):
    """`state`: Waiting, Running, Ready, Stalled or Deleting; `reason` says why it stalled or waits. `retain`: what was
    made of the photos outlives the request. `portraits_each`: how many were asked for of each style. `toy_model`: the
    model that drew the portraits, where it is for demonstrations alone. `source`: the photo that was chosen to be kept.
    `omitted`: the reason for which nothing was drawn in some look, while others were."""

    name: str
    title: str
    created: str
    state: str
    stage: Stage | None = None
    percent: int | None = None
    remaining_seconds: int | None = None
    reason: str = ""
    message: str = ""
    revision: int = 1
    styles: list[str] = []
    layouts: list[LayoutName] = []
    portraits_each: int = 0
    source: str | None = None
    omitted: str = ""
    photos: list[PhotoView] = []
    warnings: list[WarningView] = []
    toy_model: str = ""
    portraits: list[PortraitView] = []
    best_likeness: int | None = None
    contact_sheet: str = ""
    print_sheet: str = ""
    adapter: str = ""
    retain: bool = False
