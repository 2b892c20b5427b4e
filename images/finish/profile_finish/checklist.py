"""A layout's checklist: what was asked, what was measured on the file, whether it is met. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from profile_contract.layouts import Layout
from profile_contract.stages.finish import Check
from profile_vision.files import BYTES_PER_KILOBYTE

# Percentage points either way, as wide as ICAO 9303 allows (head 70 to 80 %, eyes 50 to 60 %); the five points
# themselves scatter by up to 5 % of the head between two sizes of one picture.
TOLERANCE = 5.0
# Enlarged further, a portrait looks soft in print.
LARGEST_SCALE = 1.5
# ICAO 9303 allows 8 degrees of tilt, and of turn 5, which five points do not tell so closely: in cuts of 56 rendered
# faces turned by less than 10 degrees, 10 would deny up to 11 % of them, 14 denies one in each kind of cut. Of 30 faces
# turned by 20 to 35 degrees, 14 tells at least 29.
MOST_TILT = 8.0
MOST_TURN = 14.0
# A little continued backdrop is not seen.
MOST_OUTSIDE = 0.10


@dataclass(frozen=True)
class Pose:
    """How the head is held, in degrees: `tilt` clockwise, `turn` to the picture's right. `upright`: not upside down."""

    tilt: float
    turn: float
    upright: bool


@dataclass(frozen=True)
class Cutting:
    """How a layout's file came out. Shares in per cent of its height; they and the pose are None without a face.

    `outside`: the share of its area that is continued backdrop. `short`: where the picture ended too soon, if it did.
    """

    width: int
    height: int
    dpi: int
    bytes: int
    head_share: float | None
    eye_line: float | None
    scale: float
    outside: float
    short: str = ""
    pose: Pose | None = None


def checks(layout: Layout, cutting: Cutting) -> list[Check]:
    """The checklist, in the order that people read it."""
    kilobytes = cutting.bytes / BYTES_PER_KILOBYTE
    return [
        Check(
            name="size",
            met=(cutting.width, cutting.height) == (layout.width, layout.height),
            measured=f"{cutting.width} x {cutting.height} px",
            wanted=f"{layout.width} x {layout.height} px ({layout.width_mm:g} x {layout.height_mm:g} mm)",
        ),
        Check(name="dpi", met=cutting.dpi == layout.dpi, measured=str(cutting.dpi), wanted=str(layout.dpi)),
        _share("head share", cutting.head_share, layout.head_share),
        _share("eye line", cutting.eye_line, layout.eye_line),
        _room(layout, cutting),
        *(_posed(cutting.pose) if layout.held_beside_face else []),
        Check(
            name="kilobytes",
            met=kilobytes <= layout.max_kilobytes,
            measured=f"{kilobytes:.1f}",
            wanted=f"at most {layout.max_kilobytes}",
        ),
        Check(
            name="enlargement",
            met=cutting.scale <= LARGEST_SCALE,
            measured=f"x {cutting.scale:.2f}",
            wanted=f"at most x {LARGEST_SCALE}",
        ),
        Check(
            name="backdrop continued",
            met=cutting.outside <= MOST_OUTSIDE,
            measured=f"{100 * cutting.outside:.0f} %",
            wanted=f"at most {100 * MOST_OUTSIDE:.0f} %",
        ),
        Check(
            name="official identification",
            met=layout.official_identification,
            measured="no: synthesised picture",
            wanted="a photograph",
        ),
    ]


def _room(layout: Layout, cutting: Cutting) -> Check:
    """The check of what is seen around the head: a cut takes what there is, and says where that is too little."""
    larger = cutting.head_share is None or cutting.head_share > layout.head_share + TOLERANCE
    short = bool(cutting.short) and larger
    measured = f"the picture ends too soon {cutting.short}" if short else "enough"
    return Check(name="room around the head", met=not short, measured=measured, wanted="enough")


def _posed(pose: Pose | None) -> list[Check]:
    """The checks of how the head is held."""
    if pose is None:
        nothing = ("upright", "head straight", "facing the camera")
        return [Check(name=name, met=False, measured="no face found", wanted="a face") for name in nothing]
    return [
        Check(name="upright", met=pose.upright, measured="yes" if pose.upright else "no", wanted="yes"),
        _angle("head straight", pose.tilt, MOST_TILT),
        _angle("facing the camera", pose.turn, MOST_TURN),
    ]


def _angle(name: str, degrees: float, most: float) -> Check:
    wanted = f"at most {most:.0f} degrees"
    return Check(name=name, met=abs(degrees) <= most, measured=f"{abs(degrees):.0f} degrees", wanted=wanted)


def _share(name: str, measured: float | None, wanted: int) -> Check:
    if measured is None:
        return Check(name=name, met=False, measured="no face found", wanted=f"{wanted} %")
    met = abs(measured - wanted) <= TOLERANCE
    return Check(name=name, met=met, measured=f"{measured:.0f} %", wanted=f"{wanted} %")
