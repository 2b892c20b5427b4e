"""A layout's checklist: what was asked, what was measured on the file, whether it is met. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from profile_contract.layouts import Layout
from profile_contract.orders import Check

from .encoding import BYTES_PER_KILOBYTE

# Percentage points either way, as wide as ICAO 9303 allows (head 70 to 80 %, eyes 50 to 60 %); the five points
# themselves scatter by up to 5 % of the head between two sizes of one picture.
TOLERANCE = 5.0
# Enlarged further, a portrait looks soft in print.
LARGEST_SCALE = 1.5
# A little continued background is not seen; a continued shoulder is.
MOST_OUTSIDE = 0.10


@dataclass(frozen=True)
class Cutting:
    """How a layout's file came out. Shares in per cent of its height, None where no face was found."""

    width: int
    height: int
    dpi: int
    bytes: int
    head_share: float | None
    eye_line: float | None
    scale: float
    outside: float


def checks(layout: Layout, found: Cutting) -> list[Check]:
    """The checklist, in the order that people read it."""
    kilobytes = found.bytes / BYTES_PER_KILOBYTE
    return [
        Check(
            name="size",
            met=(found.width, found.height) == (layout.width, layout.height),
            measured=f"{found.width} x {found.height} px",
            wanted=f"{layout.width} x {layout.height} px ({layout.width_mm:g} x {layout.height_mm:g} mm)",
        ),
        Check(name="dpi", met=found.dpi == layout.dpi, measured=str(found.dpi), wanted=str(layout.dpi)),
        _share("head share", found.head_share, layout.head_share),
        _share("eye line", found.eye_line, layout.eye_line),
        Check(
            name="kilobytes",
            met=kilobytes <= layout.max_kilobytes,
            measured=f"{kilobytes:.1f}",
            wanted=f"at most {layout.max_kilobytes}",
        ),
        Check(
            name="enlargement",
            met=found.scale <= LARGEST_SCALE,
            measured=f"x {found.scale:.2f}",
            wanted=f"at most x {LARGEST_SCALE}",
        ),
        Check(
            name="background added",
            met=found.outside <= MOST_OUTSIDE,
            measured=f"{100 * found.outside:.0f} %",
            wanted=f"at most {100 * MOST_OUTSIDE:.0f} %",
        ),
        Check(
            name="official identification",
            met=layout.official_identification,
            measured="no: synthesised picture",
            wanted="a photograph",
        ),
    ]


def _share(name: str, measured: float | None, wanted: int) -> Check:
    if measured is None:
        return Check(name=name, met=False, measured="no face found", wanted=f"{wanted} %")
    met = abs(measured - wanted) <= TOLERANCE
    return Check(name=name, met=met, measured=f"{measured:.0f} %", wanted=f"{wanted} %")
