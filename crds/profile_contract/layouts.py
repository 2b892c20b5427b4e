"""The exact sizes and head positions of the layouts: data, so that the page, the CLI and the finisher agree."""

from __future__ import annotations

from enum import StrEnum

from .model import Contract

MILLIMETRES_PER_INCH = 25.4


class LayoutName(StrEnum):
    """The cuts that can be made of a portrait. Sizes: `profile_contract.layouts`."""

    SQUARE = "square"
    EMPLOYEE_CARD = "employee-card"
    STUDENT_CARD = "student-card"
    RESUME = "resume"
    ID_SIZE = "id-size"
    PRINT = "print-5x7"


class Layout(Contract):
    """One cut of a portrait.

    `head_share` is the height of the head (chin to crown) in per cent of the picture's height; `eye_line` is the
    height of the eyes above the lower edge in per cent. ICAO 9303 part 3 gives 70 to 80 and 50 to 60 for travel
    documents; cards and résumés look better with a smaller head. A `held_beside_face` cut is compared with the person
    who shows it, so that its checklist says how the head is held.
    """

    name: LayoutName
    width_mm: float
    height_mm: float
    dpi: int = 300
    head_share: int
    eye_line: int
    max_kilobytes: int
    official_identification: bool = False
    held_beside_face: bool = False

    @property
    def width(self) -> int:
        """Width in pixels."""
        return round(self.width_mm / MILLIMETRES_PER_INCH * self.dpi)

    @property
    def height(self) -> int:
        """Height in pixels."""
        return round(self.height_mm / MILLIMETRES_PER_INCH * self.dpi)


LAYOUTS: dict[LayoutName, Layout] = {
    layout.name: layout
    for layout in (
        Layout(name=LayoutName.SQUARE, width_mm=50.8, height_mm=50.8, head_share=50, eye_line=58, max_kilobytes=400),
        Layout(
            name=LayoutName.EMPLOYEE_CARD,
            width_mm=30,
            height_mm=40,
            head_share=60,
            eye_line=60,
            max_kilobytes=200,
            held_beside_face=True,
        ),
        Layout(
            name=LayoutName.STUDENT_CARD,
            width_mm=30,
            height_mm=40,
            head_share=60,
            eye_line=60,
            max_kilobytes=100,
            held_beside_face=True,
        ),
        Layout(name=LayoutName.RESUME, width_mm=30, height_mm=40, head_share=55, eye_line=60, max_kilobytes=200),
        Layout(
            name=LayoutName.ID_SIZE,
            width_mm=35,
            height_mm=45,
            head_share=72,
            eye_line=55,
            max_kilobytes=500,
            held_beside_face=True,
        ),
        Layout(name=LayoutName.PRINT, width_mm=50, height_mm=70, head_share=50, eye_line=60, max_kilobytes=800),
    )
}
